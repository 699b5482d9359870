//! From an issue to a job: what somebody asks for on GitHub, asked of the registry on their behalf.
//!
//! `docket forward-issue` does this in a workflow, a worker of the registry after a webhook. Both ask the registry through its own
//! API, so that one place decides who may ask for what.

use docket_client::{Accepted, Client as Registry, Error as RegistryError, JobId, Operation};
use docket_core::json;
use docket_core::operation::{PackageSetRequest, Signed, SignedOperation};

use crate::issue::{self, Reading, Request};
use crate::{Client, Error, IssueEvent, Login, Step, Thread, reply};

/// Asks the registry for what issues ask for.
#[derive(Debug, Clone)]
pub struct Forwarder {
    /// The registry, as everybody sees it.
    pub registry: Registry,
    /// The same with the token that stands for trustees; `None` where nobody lends us one.
    pub trusted: Option<Registry>,
    /// GitHub.
    pub github: Client,
    /// The account that people address us by.
    pub bot: Option<Login>,
}

/// How far a request has come.
#[derive(Debug)]
pub enum Begun {
    /// The text asks for nothing, or everything was said before.
    Nothing,
    /// Its author has an answer, and there is no job to watch.
    Answered,
    /// There is a job.
    Job(Box<Job>),
}

/// A job to be watched, and where to tell of it.
#[derive(Debug)]
pub struct Job {
    /// Our part of the conversation.
    pub thread: Thread,
    /// The job.
    pub id: JobId,
    /// What it does: `publish effect@4.0.0`.
    pub what: String,
}

/// Why an issue was not forwarded. Running it again may help, and does no harm.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// GitHub did not do what was asked.
    #[error("the issue could not be answered")]
    GitHub(#[from] Error),
    /// The registry did not take the request; the issue says so.
    #[error("the registry did not take the request; the issue says so")]
    Registry(#[source] RegistryError),
    /// Whether the author is a trustee could not be found out; the issue says so.
    #[error("whether {login} is a trustee could not be found out; the issue says so")]
    Unknown {
        /// The author.
        login: Login,
        /// What GitHub answered, if it was asked.
        #[source]
        cause: Option<Error>,
    },
}

/// Who asks.
#[derive(Debug)]
enum Standing {
    /// A member of the team: the registry, asked with our token for it and in their name.
    Trustee(Registry),
    /// Somebody else; what they ask for must stand on its own.
    Stranger,
    /// GitHub did not say. Treated as a stranger, and told so.
    Unknown(Option<Error>),
}

impl Forwarder {
    /// Reads the text of an event and asks the registry, unless an earlier run did.
    ///
    /// # Errors
    /// When the registry refuses, and when GitHub or the registry does not answer.
    pub async fn begin(&self, event: &IssueEvent) -> Result<Begun, ForwardError> {
        let reading = issue::read(&event.text, self.bot.as_ref());
        if reading == Reading::Nothing {
            return Ok(Begun::Nothing);
        }
        let us = self.github.account().await?;
        let mut thread = Thread::open(self.github.clone(), event, us).await?;
        let over = [Step::Answer, Step::Duplicate, Step::Ended];
        if over.iter().any(|step| thread.find(*step).is_some()) {
            return Ok(Begun::Nothing);
        }
        let request = match reading {
            Reading::Request(request) => request,
            Reading::Malformed(malformed) => return answer(&mut thread, &malformed.answer()).await,
            Reading::Nothing => return Ok(Begun::Nothing),
        };
        let what = request.title();
        let started = thread.find(Step::Started);
        match started.and_then(|mark| mark.job.as_deref()?.parse().ok()) {
            // An earlier run came that far.
            Some(id) => Ok(Begun::Job(Box::new(Job { thread, id, what }))),
            None => self.start(event, &request, what, thread).await,
        }
    }

    async fn start(
        &self,
        event: &IssueEvent,
        request: &Request,
        what: String,
        mut thread: Thread,
    ) -> Result<Begun, ForwardError> {
        let standing = self.standing(request, &event.sender).await;
        let registry = match (request, standing) {
            (_, Standing::Trustee(trusted)) => trusted,
            (Request::Unsigned(_), Standing::Stranger) => {
                let text = reply::not_trusted(&what, event.sender.as_str(), true);
                return answer(&mut thread, &text).await;
            }
            (Request::Unsigned(_), Standing::Unknown(cause)) => {
                let text = reply::not_trusted(&what, event.sender.as_str(), false);
                thread.say(thread.mark(Step::Trouble), &text).await?;
                let login = event.sender.clone();
                return Err(ForwardError::Unknown { login, cause });
            }
            (_, Standing::Stranger | Standing::Unknown(_)) => self.registry.clone(),
        };
        let asked = match ask(&registry, request).await {
            Ok(asked) => asked,
            Err(error) => {
                let text = reply::trouble(&what, &error.to_string());
                thread.say(thread.mark(Step::Trouble), &text).await?;
                return Err(ForwardError::Registry(error));
            }
        };
        let page = self.registry.job_page(&asked.job);
        let id = asked.job;
        let (step, text) = if asked.created {
            (Step::Started, reply::started(&what, id.as_str(), &page))
        } else {
            (Step::Duplicate, reply::duplicate(&what, id.as_str(), &page))
        };
        let mark = thread.mark(step).of_job(id.as_str(), None);
        thread.say(mark, &text).await?;
        Ok(if asked.created {
            Begun::Job(Box::new(Job { thread, id, what }))
        } else {
            Begun::Answered
        })
    }

    /// Finds out who asks, where it makes a difference.
    async fn standing(&self, request: &Request, login: &Login) -> Standing {
        let Some(trusted) = self
            .trusted
            .as_ref()
            .filter(|_| !matches!(request, Request::Publish(_)))
        else {
            return Standing::Stranger;
        };
        match self.github.is_team_member(login).await {
            Ok(true) => {
                let registry = trusted.clone().on_behalf_of(login.as_str());
                Standing::Trustee(registry.expect("a login is letters, digits, hyphens and brackets"))
            }
            Ok(false) | Err(Error::NotConfigured(_)) => Standing::Stranger,
            Err(error) => {
                tracing::warn!("the team of trustees could not be listed: {error}");
                Standing::Unknown(Some(error))
            }
        }
    }
}

/// Says something after which there is nothing to do.
async fn answer(thread: &mut Thread, text: &str) -> Result<Begun, ForwardError> {
    thread.say(thread.mark(Step::Answer), text).await?;
    Ok(Begun::Answered)
}

async fn ask(registry: &Registry, request: &Request) -> Result<Accepted, RegistryError> {
    match request {
        Request::Publish(publish) => registry.ask(Operation::Publish(publish)).await,
        Request::PackageSet(update) => {
            let request = PackageSetRequest {
                payload: json::to_compact(update),
                signature: None,
            };
            registry.ask(Operation::PackageSet(&request)).await
        }
        Request::Signed { signed, operation } => ask_signed(registry, signed, operation).await,
        Request::Unsigned(operation) => {
            let signed = Signed {
                payload: json::to_compact(operation),
                // The token stands for it.
                signature: String::new(),
            };
            ask_signed(registry, &signed, operation).await
        }
    }
}

async fn ask_signed(
    registry: &Registry,
    signed: &Signed,
    operation: &SignedOperation,
) -> Result<Accepted, RegistryError> {
    let operation = match operation {
        SignedOperation::Unpublish(_) => Operation::Unpublish(signed),
        SignedOperation::Transfer(_) => Operation::Transfer(signed),
    };
    registry.ask(operation).await
}
