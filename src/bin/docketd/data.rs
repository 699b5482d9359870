//! Moving data in and out: `migrate`, `import`, `export`.

use docket_index::{
    export::{self, Targets},
    import::{self, Sources, TarballSource},
};
use docket_jobs::Clock;

use crate::{
    cli::{Export, Import},
    config::Config,
    server::Stores,
};

/// `docketd migrate`
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let stores = Stores::open(config).await?;
    stores.migrate().await?;
    stores.db.close().await;
    println!("the tables are up to date");
    Ok(())
}

/// `docketd import`
pub async fn import(config: &Config, switches: Import) -> anyhow::Result<()> {
    let stores = Stores::open(config).await?;
    stores.migrate().await?;
    let sources = Sources {
        registry: switches.registry,
        index: switches.index,
        tarballs: switches.tarballs.clone(),
    };
    let say = |sentence: String| eprintln!("import: {sentence}");
    let report = import::import(&stores.db, &stores.storage, &sources, Clock::system().now(), say).await?;
    stores.db.close().await;
    if report.unchanged {
        println!("the registry holds exactly this already");
    } else {
        println!(
            "imported {} metadata files with {} versions, {} index files with {} manifests, {} package sets",
            report.packages, report.versions, report.index_files, report.manifests, report.package_sets
        );
    }
    match switches.tarballs {
        Some(TarballSource::Directory(_)) => println!(
            "stored {} tarballs; {} were not there",
            report.tarballs, report.missing_tarballs
        ),
        Some(TarballSource::Url(url)) => println!("tarballs are fetched from {url} when first needed"),
        None => {}
    }
    Ok(())
}

/// `docketd export`
pub async fn export(config: &Config, switches: Export) -> anyhow::Result<()> {
    let stores = Stores::open(config).await?;
    stores.migrate().await?;
    let targets = Targets {
        registry: switches.registry,
        index: switches.index,
        tarballs: switches.tarballs.clone(),
    };
    let report = export::export(&stores.db, &stores.tarballs, &targets).await?;
    stores.db.close().await;
    println!(
        "exported {} metadata files, {} package sets, {} index files",
        report.metadata_files, report.package_set_files, report.index_files
    );
    if switches.tarballs.is_some() {
        println!(
            "wrote {} tarballs; {} are nowhere to be found",
            report.tarballs, report.missing_tarballs
        );
    }
    Ok(())
}
