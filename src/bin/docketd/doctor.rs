//! `docketd doctor`: is everything there that the server needs? Every line that is not fine says what to do.

use std::process::ExitCode;

use docket_worker::{compiler::Compilers, sandbox::Sandbox};

use crate::{config::Config, server::Stores};

/// Checks everything, prints a line for each, and ends with 1 when something is broken.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut broken = false;
    let mut report = |name: &str, result: Result<String, String>| match result {
        Ok(text) => println!("ok      {name}: {text}"),
        Err(text) => {
            broken = true;
            println!("broken  {name}: {text}");
        }
    };
    report(
        "configuration",
        Ok(format!("data directory {}", config.data_dir.display())),
    );

    match Stores::open(config).await {
        Ok(stores) => {
            let place = if stores.db.is_postgres() {
                "PostgreSQL answers"
            } else {
                "SQLite opens"
            };
            report("database", Ok(place.to_owned()));
            let written = stores.storage.put("docketd doctor\n".into()).await;
            report(
                "storage",
                written
                    .map(|_| "a blob can be written".to_owned())
                    .map_err(|error| format!("{error}")),
            );
            stores.db.close().await;
        }
        Err(error) => report("database and storage", Err(format!("{error:#}"))),
    }

    let git = docket_index::git::git(std::path::Path::new("/"), &["--version"]).await;
    report(
        "git",
        git.map(|version| version.trim().to_owned())
            .map_err(|error| format!("{error}; install git")),
    );

    let search_path = std::env::var("PATH").unwrap_or_default();
    match Sandbox::choose(config.worker.sandbox, &search_path).await {
        Ok(sandbox) => {
            let description = sandbox.describe();
            report(
                "sandbox",
                if sandbox.isolates() {
                    Ok(description)
                } else {
                    Err(description)
                },
            );
            let compilers = Compilers::find(&config.compilers.path, &search_path, &sandbox).await;
            let versions: Vec<_> = compilers
                .iter()
                .map(|compiler| {
                    let stand_in = if compiler.is_stand_in { " (stand-in)" } else { "" };
                    format!("{}{stand_in}", compiler.version)
                })
                .collect();
            report(
                "compilers",
                if versions.is_empty() {
                    Err("none found; put executables purs-X_Y_Z into a directory named in [compilers] path, or purs on the PATH".to_owned())
                } else {
                    Ok(versions.join(", "))
                },
            );
            for (path, why) in compilers.skipped() {
                report("compiler", Err(format!("{} is not used: {why}", path.display())));
            }
        }
        Err(error) => report("sandbox", Err(error.to_string())),
    }
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
