//! What changes the registry: each call asks for a job and returns it.

use std::time::Duration;

use docket_core::operation::{ON_BEHALF_OF, PackageSetRequest, Publish, Signed};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::Error;
use crate::job::JobId;

/// Pauses before a request is sent again. Asking twice is harmless: the second answer names the same job.
const RETRY_PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// What may be asked of the registry.
#[derive(Debug, Clone, Copy)]
pub enum Operation<'a> {
    /// See [`Client::publish`].
    Publish(&'a Publish),
    /// See [`Client::check_publish`].
    PublishCheck(&'a Publish),
    /// See [`Client::unpublish`].
    Unpublish(&'a Signed),
    /// See [`Client::transfer`].
    Transfer(&'a Signed),
    /// See [`Client::update_package_set`].
    PackageSet(&'a PackageSetRequest),
}

/// What the registry made of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The job that does it, or has done it.
    pub job: JobId,
    /// The job was made for this request. Otherwise an earlier request had the same.
    pub created: bool,
}

/// The reply to an accepted operation.
#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "jobId")]
    job_id: JobId,
    /// `created` or `duplicate`. Servers that do not say so answer 201 and 200 (registry spec, 1.2).
    disposition: Option<String>,
}

impl Client {
    /// Sends this token with every operation: the server acts for whoever it belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::Token`] when it cannot stand in a header.
    pub fn with_token(mut self, token: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Error::Token)?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Says with every operation which trustee the registry's own token stands for: a login of GitHub.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] when it cannot stand in a header.
    pub fn on_behalf_of(mut self, login: &str) -> Result<Self, Error> {
        self.behalf = Some(HeaderValue::from_str(login).map_err(|_| Error::Login)?);
        Ok(self)
    }

    /// Asks for a version to be published and returns the job that will do it.
    ///
    /// A connection that fails is tried again: the server answers an identical request with the same job.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request.
    pub async fn publish(&self, operation: &Publish) -> Result<JobId, Error> {
        Ok(self.ask(Operation::Publish(operation)).await?.job)
    }

    /// Asks for the dry run of a publish, which publishes nothing, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request; with the status 404, that the server knows no dry runs.
    pub async fn check_publish(&self, operation: &Publish) -> Result<JobId, Error> {
        Ok(self.ask(Operation::PublishCheck(operation)).await?.job)
    }

    /// Asks for a version to be withdrawn, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn unpublish(&self, signed: &Signed) -> Result<JobId, Error> {
        Ok(self.ask(Operation::Unpublish(signed)).await?.job)
    }

    /// Asks for a package to come from elsewhere in future, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn transfer(&self, signed: &Signed) -> Result<JobId, Error> {
        Ok(self.ask(Operation::Transfer(signed)).await?.job)
    }

    /// Asks for the next package set, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn update_package_set(&self, request: &PackageSetRequest) -> Result<JobId, Error> {
        Ok(self.ask(Operation::PackageSet(request)).await?.job)
    }

    /// Runs a scheduled task now, for the trustee whose token this client sends.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that the token is not a trustee's.
    pub async fn run_task(&self, task: &str) -> Result<JobId, Error> {
        let accepted = self
            .submit(&["schedules", task, "run"], &serde_json::json!({}))
            .await?;
        Ok(accepted.job)
    }

    /// Asks for any operation, and tells whether the job is a new one.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that whoever asks may not do this.
    pub async fn ask(&self, operation: Operation<'_>) -> Result<Accepted, Error> {
        match operation {
            Operation::Publish(operation) => self.submit(&["publish"], operation).await,
            Operation::PublishCheck(operation) => self.submit(&["publish", "check"], operation).await,
            Operation::Unpublish(signed) => self.submit(&["unpublish"], signed).await,
            Operation::Transfer(signed) => self.submit(&["transfer"], signed).await,
            Operation::PackageSet(request) => self.submit(&["package-sets"], request).await,
        }
    }

    /// Makes a request that changes something, with the token and whom it stands for.
    pub(crate) fn post(&self, url: Url, body: &impl Serialize) -> RequestBuilder {
        let mut request = self.http.post(url).json(body);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(login) = &self.behalf {
            request = request.header(ON_BEHALF_OF, login.clone());
        }
        request
    }

    async fn submit(&self, route: &[&str], operation: &impl Serialize) -> Result<Accepted, Error> {
        let mut pauses = RETRY_PAUSES.into_iter();
        // A request whose answer was lost may have made the job that the next one is told of.
        let mut sent_before = false;
        loop {
            let request = self.post(self.route(route), operation);
            let answer = match self.send(request).await {
                Ok(response) => {
                    let created = response.status() == StatusCode::CREATED;
                    self.decode::<Reply>(response).await.map(|reply| Accepted {
                        job: reply.job_id,
                        created: sent_before || reply.disposition.map_or(created, |it| it == "created"),
                    })
                }
                Err(error) => Err(error),
            };
            sent_before = true;
            match answer {
                Err(error) if error.is_temporary() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
                answer => return answer,
            }
        }
    }
}
