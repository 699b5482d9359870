//! `docket forward-issue`: what somebody asks for in an issue on GitHub, asked of the registry, and told back below the issue.
//!
//! Runs in a workflow, once for each issue that is opened and each comment that is written. Being run twice for the same event is
//! harmless: the registry names the same job, and nothing is said twice.

mod watch;

use std::fs;
use std::path::Path;

use docket_client::Client;
use docket_github::{
    Begun, Client as GitHub, Clock, Config, Event, ForwardError, Forwarder, Limits, Token, TokenError,
};

use crate::args;
use crate::failure::Failure;
use crate::print::Printer;
use watch::Watched;

/// Why an issue was not forwarded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is no token for GitHub.
    #[error("there is no token for GitHub")]
    NoToken,
    /// The token for GitHub cannot be one.
    #[error("the token for GitHub cannot be used")]
    Token(#[source] TokenError),
    /// The event cannot be read.
    #[error("the event cannot be read")]
    Event(#[source] docket_github::EventError),
    /// Something on the way did not answer, or refused.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The job goes on, and we do not.
    #[error("the job has not ended; the issue says so")]
    StillRunning,
}

impl From<docket_github::Error> for Trouble {
    fn from(error: docket_github::Error) -> Self {
        Self::Forward(error.into())
    }
}

/// Reads the event, asks the registry, and stays until the job has ended.
///
/// # Errors
///
/// When the registry or GitHub cannot be asked, and when the job fails.
pub(crate) async fn run(registry: Client, args: args::ForwardIssue, out: &Printer) -> Result<(), Failure> {
    let body = fs::read(&args.event).map_err(|cause| Failure::Unreadable {
        file: args.event.clone(),
        cause,
    })?;
    let event = match Event::read(&body, args.bot.as_ref()).map_err(Trouble::Event)? {
        Event::Text(event) => event,
        Event::Ignored(why) => {
            out.note(&format!("nothing to do: {why}"));
            return Ok(());
        }
    };
    let forwarder = Forwarder {
        github: github(&args)?,
        trusted: match &args.token_file {
            Some(file) => Some(registry.clone().with_token(&read_secret(file)?)?),
            None => None,
        },
        registry,
        bot: args.bot.clone(),
    };
    let mut job = match forwarder.begin(&event).await.map_err(Trouble::Forward)? {
        Begun::Job(job) => *job,
        Begun::Answered => {
            out.note("answered; there is no job to follow");
            return Ok(());
        }
        Begun::Nothing => {
            out.note("nothing to do: the text asks for nothing, or was answered before");
            return Ok(());
        }
    };
    out.note(&format!("{}: {}", job.what, forwarder.registry.job_page(&job.id)));
    match watch::watch(&forwarder.registry, &mut job, args.wait, out).await? {
        Watched::Ended { success: true } => Ok(job.thread.close().await.map_err(Trouble::from)?),
        Watched::Ended { success: false } => Err(Failure::JobFailed {
            job: job.id,
            error: None,
            advice: "The issue says so too, and stays open.",
        }),
        Watched::StillRunning => Err(Trouble::StillRunning.into()),
    }
}

fn github(args: &args::ForwardIssue) -> Result<GitHub, Failure> {
    let token = match &args.github_token_file {
        Some(file) => read_secret(file)?,
        None => std::env::var("GITHUB_TOKEN").map_err(|_| Trouble::NoToken)?,
    };
    let token: Token = token.trim().parse().map_err(Trouble::Token)?;
    let config = Config {
        api_url: args.github_api.clone(),
        team: args.team.clone(),
        bot: args.bot.clone(),
        token: Some(token),
        limits: Limits::default(),
    };
    Ok(GitHub::new(&config, Clock::system()).map_err(Trouble::from)?)
}

fn read_secret(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|cause| Failure::Unreadable {
        file: file.to_owned(),
        cause,
    })?;
    match text.trim() {
        "" => Err(Failure::NoToken {
            file: file.to_owned(),
        }),
        secret => Ok(secret.to_owned()),
    }
}
