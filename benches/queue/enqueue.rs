//! Enqueues over HTTP, one at a time.

use std::{ops::Range, path::Path};

use anyhow::{Context, ensure};
use docket_jobs::Jobs;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    jobs::{clear, database},
    rate::Pace,
    server::Server,
};

const CLIENTS: usize = 8;
const JOBS: usize = 8_000;
const WARM_UP: usize = 800;

/// How many `POST /api/v1/publish`, each of another package, [`CLIENTS`] clients get answered in a second. Each keeps one connection, and sends the next
/// when it has the answer; server and clients are this process.
pub(crate) async fn measure(jobs: &Jobs, folder: &Path) -> anyhow::Result<()> {
    let server = Server::start(jobs, folder).await?;
    publish_all(&server.address, 0..WARM_UP).await?;
    let pace = Pace::start();
    publish_all(&server.address, WARM_UP..WARM_UP + JOBS).await?;
    let rate = pace.stop(JOBS);
    server.stop().await?;
    let setting = format!("over HTTP, {CLIENTS} clients");
    rate.print("docket", database(jobs), "enqueue", &setting, "jobs");
    clear(jobs).await
}

/// Publishes the packages of these numbers, shared out among the clients.
async fn publish_all(address: &str, numbers: Range<usize>) -> anyhow::Result<()> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (address, numbers) = (address.to_owned(), numbers.clone());
        clients.spawn(async move {
            let mut connection = TcpStream::connect(&address).await?;
            connection.set_nodelay(true)?;
            for number in numbers.skip(client).step_by(CLIENTS) {
                publish(&mut connection, &address, number).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// Sends one operation and reads the answer. The least an HTTP client can do: what is measured is the server.
async fn publish(connection: &mut TcpStream, address: &str, number: usize) -> anyhow::Result<()> {
    let body = format!(r#"{{"name":"p{number}","ref":"v1.0.0","version":"1.0.0"}}"#);
    let request = format!(
        "POST /api/v1/publish HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await?;
    let (mut buffer, mut filled) = ([0; 2048], 0);
    loop {
        let read = connection.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the server closed the connection");
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled])?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.context("the answer tells its length")?.parse()? {
            continue;
        }
        ensure!(
            head.starts_with("HTTP/1.1 200 ") && body.contains("\"created\""),
            "the server answered {text}"
        );
        return Ok(());
    }
}
