//! `docketd demo`: the main job, on a server of its own, before one's eyes.
//!
//! A temporary directory gets a registry with one package and a git repository with another one, from `examples/`; the second one is published
//! through the real pipeline while its log is shown. Nothing remains.

mod registry;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, ensure};
use docket_client::{Client, Event, Level};
use docket_core::{digest::Sha256, manifest::Manifest, operation::Publish, version::Version};
use docket_index::import;
use docket_jobs::Clock;
use docket_worker::{compiler::Compilers, sandbox::Sandbox};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Common,
    config::Config,
    purs_stand_in,
    server::{Roles, Server, StopSignal, Stores, announce},
};

/// Runs the demonstration; with `once` it ends after the check instead of at Ctrl-C.
pub async fn run(common: &Common, once: bool) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("a temporary directory cannot be made")?;
    let (config, compiler) = configure(common, folder.path()).await?;
    let manifest = registry::publish_source(folder.path()).await?;

    let stores = Stores::open(&config).await?;
    stores.migrate().await?;
    let sources = registry::small_registry(folder.path(), compiler)?;
    import::import(
        &stores.db,
        &stores.storage,
        &sources,
        Clock::system().now(),
        |_| {},
    )
    .await?;
    let db = stores.db.clone();
    let shutdown = CancellationToken::new();
    let server = Server::start(
        &config,
        stores,
        Roles {
            api: true,
            worker: true,
        },
        shutdown.clone(),
    )
    .await?;
    let url = server.url.clone().expect("a server with an API has an address");
    announce(&format!("docketd listening on {url}"));

    let (name, version) = (&manifest.name, manifest.version);
    let client = Client::new(&url)?;
    let job = client.publish(&operation(&manifest)).await?;
    announce(&format!(
        "\nPublishing {name}@{version}. Its log, as it is written:\n"
    ));
    let published = follow(&client, &job).await?;
    if published {
        let mut tx = db.read().await?;
        let metadata = docket_index::find_metadata(&mut tx, name).await?;
        drop(tx);
        let entry = metadata.and_then(|metadata| metadata.published.get(&version).cloned());
        let entry = entry.context("the job succeeded, but the package is not in the registry")?;
        let tarball = client.fetch_tarball(name, version).await?;
        ensure!(
            Sha256::of(&tarball) == entry.hash,
            "the tarball's hash is not the published one"
        );
        announce(&format!(
            "\nFetched the tarball again: {} bytes, {} as published.\n",
            tarball.len(),
            entry.hash
        ));
    }
    announce(&format!("The job      {url}/logs/{job}"));
    if published {
        announce(&format!("The package  {url}/packages/{name}"));
        announce(&format!("The tarball  {url}/{name}/{version}.tar.gz"));
    }
    if !once {
        announce("\nThe server stays up until Ctrl-C.");
        StopSignal::listen().heard().await;
    }
    shutdown.cancel();
    server.wait().await?;
    Ok(if published {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The configuration of a registry in `folder`: sources from local repositories, and the stand-in where there is no
/// compiler; also the compiler that will be used.
async fn configure(common: &Common, folder: &Path) -> anyhow::Result<(Config, Version)> {
    let mut config = Config::load(common)?;
    config.data_dir = folder.join("data");
    config.database = Default::default();
    if common.listen.is_none() {
        config.api.listen = "127.0.0.1:0".to_owned();
    }
    config.sources.github_url = format!("file://{}", folder.join("git").display());
    let search_path = std::env::var("PATH").unwrap_or_default();
    let sandbox = Sandbox::choose(config.worker.sandbox, &search_path).await?;
    let found = Compilers::find(&config.compilers.path, &search_path, &sandbox).await;
    if let Some(newest) = found.versions().into_iter().max() {
        return Ok((config, newest));
    }
    let compilers = folder.join("compilers");
    purs_stand_in::link_into(&compilers)?;
    config.compilers.path.push(compilers);
    announce(
        "No PureScript compiler (purs) was found: a built-in stand-in checks module headers and imports.",
    );
    Ok((config, purs_stand_in::VERSION))
}

fn operation(manifest: &Manifest) -> Publish {
    Publish {
        name: manifest.name.clone(),
        version: manifest.version,
        git_ref: manifest.git_ref.clone(),
        location: Some(manifest.location.clone()),
        compiler: None,
        resolutions: None,
    }
}

/// Prints the log until the job ends, and returns whether it ended well.
async fn follow(client: &Client, job: &docket_client::JobId) -> anyhow::Result<bool> {
    let mut log = client.follow(job.clone(), 0, Level::Info);
    while let Some(event) = log.next().await {
        match event? {
            Event::Line(line) => {
                let text = line.message.replace('\n', "\n                          ");
                announce(&format!(
                    "{} {:6} {text}",
                    &line.timestamp.to_string()[11..23],
                    line.level.as_str()
                ));
            }
            Event::Ended(outcome) => return Ok(outcome.success),
            Event::Behind { .. } | Event::Interrupted { .. } => {}
        }
    }
    anyhow::bail!("the log ended before the job did")
}
