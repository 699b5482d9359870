//! `docket`: what people type to publish packages and to watch jobs.

mod args;
mod authority;
mod confirm;
mod failure;
mod follow;
#[cfg(feature = "forward-issue")]
mod forward_issue;
mod job;
mod package_set;
mod print;
mod publish;
mod safe;
mod schedule;
mod transfer;
mod unpublish;
#[cfg(test)]
mod written;

use std::process::ExitCode;

use clap::Parser;
use docket_client::Client;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::print::Printer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // clap answers --help and --version with 0, anything it does not understand with 2.
    let args = Args::parse();
    let mut out = Printer::new(args.json);
    match run(args, &mut out).await {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads any more (`docket job list | head`): that is no news to anyone.
        Err(Failure::Output(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(failure) => {
            out.failure(&failure);
            failure.exit_code()
        }
    }
}

async fn run(args: Args, out: &mut Printer) -> Result<(), Failure> {
    let client = Client::new(&args.server)?;
    match args.command {
        Command::Publish(publish) => publish::run(&client, publish, out).await,
        Command::Unpublish(unpublish) => unpublish::run(client, unpublish, out).await,
        Command::Transfer(transfer) => transfer::run(client, transfer, out).await,
        Command::PackageSet(command) => package_set::run(client, command, out).await,
        Command::Schedule(command) => schedule::run(client, command, out).await,
        Command::Job(command) => job::run(client, command, out).await,
        #[cfg(feature = "forward-issue")]
        Command::ForwardIssue(args) => forward_issue::run(client, args, out).await,
    }
}
