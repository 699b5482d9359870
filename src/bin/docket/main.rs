//! `docket`: what people type to publish packages and to watch jobs.

mod annotate;
mod args;
mod authority;
mod check;
mod confirm;
mod explain;
mod failure;
mod follow;
#[cfg(feature = "forward-issue")]
mod forward_issue;
mod info;
mod init;
mod job;
mod key;
mod manifest;
mod manual;
mod owner;
mod package_set;
mod print;
mod publish;
mod safe;
mod schedule;
mod search;
mod table;
mod transfer;
mod unpublish;
mod verify;
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
    let out = Printer::new(args.json, args.color);
    match run(args, &out).await {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads any more (`docket job list | head`): that is no news to anyone.
        Err(Failure::Output(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(failure) => {
            out.failure(&failure);
            failure.exit_code()
        }
    }
}

async fn run(args: Args, out: &Printer) -> Result<(), Failure> {
    // Some commands need no registry, so a wrong address of one does not stop them.
    let registry = || Client::new(&args.server);
    match args.command {
        Command::Init(init) => init::run(&registry()?, init, out).await,
        Command::Publish(publish) => publish::run(&registry()?, publish, out).await,
        Command::Unpublish(unpublish) => unpublish::run(registry()?, unpublish, out).await,
        Command::Transfer(transfer) => transfer::run(registry()?, transfer, out).await,
        Command::Key(args::Key::Generate(generate)) => key::generate(generate, out),
        Command::Key(args::Key::List { package }) => key::list(&registry()?, package, out).await,
        Command::Owner(command) => owner::run(registry, command, out).await,
        Command::Search(search) => search::run(&registry()?, search, out).await,
        Command::Info(info) => info::run(&registry()?, info, out).await,
        Command::Verify(verify) => verify::run(&registry()?, verify, out).await,
        Command::PackageSet(command) => package_set::run(registry()?, command, out).await,
        Command::Schedule(command) => schedule::run(registry()?, command, out).await,
        Command::Job(command) => job::run(registry()?, command, out).await,
        Command::Explain(explain) => explain::run(&explain, out),
        Command::Completions(completions) => manual::completions(&completions, out),
        Command::Man(man) => manual::pages(&man, out),
        #[cfg(feature = "forward-issue")]
        Command::ForwardIssue(args) => forward_issue::run(registry()?, args, out).await,
    }
}
