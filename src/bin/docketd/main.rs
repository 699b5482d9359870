//! `docketd`: the registry's servers and workers, and the commands of those who run them.

mod backup;
mod cli;
mod config;
mod data;
mod demo;
mod doctor;
mod health;
mod log;
mod prune;
mod purs_stand_in;
mod server;
mod telemetry;
#[cfg(test)]
mod written;

use std::process::ExitCode;

use self::config::{Config, ConfigError, Log, init, show};
use clap::Parser;
use cli::{Cli, Command, ConfigCommand};
use docket_core::redact::Redactor;
use server::Roles;
use telemetry::Traces;

/// The configuration or the environment is wrong (sysexits.h, EX_CONFIG).
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let argv: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if argv
        .first()
        .is_some_and(|name| purs_stand_in::is_called_as(name.as_ref()))
    {
        return purs_stand_in::run(&argv);
    }
    let cli = Cli::parse();
    if let Some(Command::PursStandIn { arguments }) = cli.command {
        let argv: Vec<String> = std::iter::once("purs".to_owned()).chain(arguments).collect();
        return purs_stand_in::run(&argv);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(cli)));
    match done {
        Ok(code) => code,
        Err(error) => {
            // One line says why, with its causes.
            eprintln!("docketd: {}", Redactor::default().redact(&one_line(&error)));
            let configuration = error.is::<ConfigError>()
                || error.is::<docket_http::TlsError>()
                || error.downcast_ref::<docket_db::Error>().is_some_and(|error| {
                    matches!(
                        error,
                        docket_db::Error::UnknownScheme | docket_db::Error::Unreachable { .. }
                    )
                })
                || matches!(
                    error.downcast_ref::<docket_storage::Error>(),
                    Some(docket_storage::Error::Bucket { .. })
                );
            ExitCode::from(if configuration { EXIT_CONFIG } else { 1 })
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(Command::Demo { once }) = cli.command {
        let quiet = Log {
            level: "warn".to_owned(),
            ..Log::default()
        };
        log::start(&quiet, Redactor::default(), None)?;
        return demo::run(&cli.common, once).await;
    }
    // The only command that a broken configuration does not stop.
    if let Some(Command::Config {
        command: ConfigCommand::Init { file },
    }) = &cli.command
    {
        init::write(file)?;
        println!("{} has every key, each with what it means", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut config = Config::load(&cli.common)?;
    let serves = matches!(
        cli.command,
        None | Some(Command::All | Command::Serve | Command::Work { .. })
    );
    let traces = if serves {
        Traces::start(&config.telemetry, config.redactor())?
    } else {
        None
    };
    log::start(&config.log, config.redactor(), traces.clone())?;
    match cli.command {
        None | Some(Command::All) => {
            server::run(
                &config,
                Roles {
                    api: true,
                    worker: true,
                },
            )
            .await?
        }
        Some(Command::Serve) => {
            server::run(
                &config,
                Roles {
                    api: true,
                    worker: false,
                },
            )
            .await?
        }
        Some(Command::Work { concurrency }) => {
            if let Some(concurrency) = concurrency {
                config.worker.concurrency = concurrency.try_into().map_err(|_| ConfigError::OutOfRange {
                    key: "--concurrency",
                    rule: "at least 1",
                })?;
            }
            server::run(
                &config,
                Roles {
                    api: false,
                    worker: true,
                },
            )
            .await?;
        }
        Some(Command::Migrate) => data::migrate(&config).await?,
        Some(Command::Import(switches)) => data::import(&config, switches).await?,
        Some(Command::Export(switches)) => data::export(&config, switches).await?,
        Some(Command::Backup(switches)) => backup::backup(&config, switches).await?,
        Some(Command::Restore { file }) => backup::restore(&config, &file).await?,
        Some(Command::Prune(switches)) => return prune::run(&config, &switches).await,
        Some(Command::Doctor { json }) => return doctor::run(&config, json).await,
        Some(Command::Config {
            command: ConfigCommand::Show,
        }) => print!("{}", show::text(&config, &cli.common)?),
        Some(Command::Health { url }) => return health::run(&config, url).await,
        Some(
            Command::Demo { .. }
            | Command::PursStandIn { .. }
            | Command::Config {
                command: ConfigCommand::Init { .. },
            },
        ) => unreachable!("handled before"),
    }
    if let Some(traces) = traces {
        traces.flush().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// The error and its causes in one line. Some libraries repeat a cause in their own text; it is not said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}
