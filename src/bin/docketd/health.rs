//! `docketd health`: is a server well? For health checks of containers in which there is no other program that could ask.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use docket_client::Client;

use crate::config::Config;

/// Asks the server at `url`, or the one that this configuration starts, and says what it answered.
///
/// # Errors
/// When `url` is no address. A server that does not answer is no error but an answer: exit code 1.
pub async fn run(config: &Config, url: Option<String>) -> anyhow::Result<ExitCode> {
    let url = match url {
        Some(url) => url,
        // A certificate is for a name, which only the address of the registry has.
        None if config.api.scheme() == "https" => config.api.public_url.clone().context(
            "the server speaks TLS: set api.public_url, or say which address its certificate is for, as in `docketd health https://registry.example.org`",
        )?,
        None => own_address(&config.api.listen)?,
    };
    match Client::new(&url)?.ready().await {
        Ok(()) => {
            println!("{url} is ready");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("docketd: {}", crate::one_line(&error.into()));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Where a server that listens on `listen` is reached from its own machine.
fn own_address(listen: &str) -> anyhow::Result<String> {
    let hint = || format!("{listen} is where many addresses may be; say which server to ask");
    let Ok(mut address) = listen.parse::<SocketAddr>() else {
        // A name with a port.
        return Ok(format!("http://{listen}"));
    };
    anyhow::ensure!(address.port() != 0, hint());
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        address.set_ip(loopback.parse().context("a loopback address")?);
    }
    Ok(format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_where_it_can_be_reached() {
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("10.0.0.7:80", "http://10.0.0.7:80"),
            ("localhost:80", "http://localhost:80"),
        ] {
            assert_eq!(own_address(listen).unwrap(), url);
        }
        assert!(own_address("127.0.0.1:0").is_err(), "nobody knows the port");
    }
}
