//! The server as a process of its own: this program, started again.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
};

use crate::{choice, pace::Pace, server::Server};

/// A server in another process; it ends with this value.
pub(crate) struct Program {
    child: Child,
    orders: ChildStdin,
    /// Host and port.
    pub(crate) address: String,
}

impl Program {
    /// Starts a server on the database `url`. With a pace it also has a worker, which waits for [`Program::write`].
    pub(crate) async fn start(url: &str, folder: &Path, pace: Option<Pace>) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(url).arg(folder);
        if let Some(Pace {
            at_once,
            pause,
            lines,
        }) = pace
        {
            let numbers = [at_once, pause.as_millis() as u32, lines];
            command.args(numbers.map(|number| number.to_string()));
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let orders = child.stdin.take().context("its standard input is piped")?;
        let output = child.stdout.take().context("its standard output is piped")?;
        let address = BufReader::new(output).lines().next_line().await?;
        let address = address.context("the server says where it listens")?;
        Ok(Self {
            child,
            orders,
            address,
        })
    }

    /// Has the worker start.
    pub(crate) async fn write(&mut self) -> anyhow::Result<()> {
        Ok(self.orders.write_all(b"write\n").await?)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server runs")
    }

    /// How much memory it has now, in KiB.
    pub(crate) fn memory_kib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("a process has memory")?.parse()?)
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.orders);
        let status = self.child.wait().await?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// What the other process does: it serves until its standard input ends.
pub(crate) async fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let [url, folder, pace @ ..] = arguments else {
        anyhow::bail!("`serve` is how this program starts itself: serve URL FOLDER [AT_ONCE PAUSE_MS LINES]");
    };
    let jobs = choice::open(url).await?;
    let server = Server::start(&jobs, Path::new(folder)).await?;
    println!("{}", server.address);
    if let [at_once, pause, lines] = pace
        && wait_for_order().await?
    {
        let pause = Duration::from_millis(pause.parse()?);
        let (at_once, lines) = (at_once.parse()?, lines.parse()?);
        let worker = Pace {
            at_once,
            pause,
            lines,
        }
        .start(&jobs);
        wait_for_order().await?;
        worker.stop().await;
    } else {
        wait_for_order().await?;
    }
    server.stop().await
}

/// Waits for a line; false when none will come.
async fn wait_for_order() -> anyhow::Result<bool> {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    Ok(read.await?? > 0)
}
