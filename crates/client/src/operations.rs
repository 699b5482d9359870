//! What changes the registry: each call asks for a job and returns it.

use std::time::Duration;

use docket_core::operation::{PackageSetRequest, Publish, Signed};
use reqwest::header::{AUTHORIZATION, HeaderValue};
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

/// The reply to an accepted operation.
#[derive(Deserialize)]
struct Created {
    #[serde(rename = "jobId")]
    job_id: JobId,
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

    /// Asks for a version to be published and returns the job that will do it.
    ///
    /// A connection that fails is tried again: the server answers an identical request with the same job.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request.
    pub async fn publish(&self, operation: &Publish) -> Result<JobId, Error> {
        self.submit(&["publish"], operation).await
    }

    /// Asks for a version to be withdrawn, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn unpublish(&self, signed: &Signed) -> Result<JobId, Error> {
        self.submit(&["unpublish"], signed).await
    }

    /// Asks for a package to come from elsewhere in future, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn transfer(&self, signed: &Signed) -> Result<JobId, Error> {
        self.submit(&["transfer"], signed).await
    }

    /// Asks for the next package set, like [`Client::publish`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that its signer may not do this.
    pub async fn update_package_set(&self, request: &PackageSetRequest) -> Result<JobId, Error> {
        self.submit(&["package-sets"], request).await
    }

    /// Runs a scheduled task now, for the trustee whose token this client sends.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that the token is not a trustee's.
    pub async fn run_task(&self, task: &str) -> Result<JobId, Error> {
        self.submit(&["schedules", task, "run"], &serde_json::json!({}))
            .await
    }

    async fn submit(&self, route: &[&str], operation: &impl Serialize) -> Result<JobId, Error> {
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            let mut request = self.http.post(self.route(route)).json(operation);
            if let Some(token) = &self.token {
                request = request.header(AUTHORIZATION, token.clone());
            }
            let answer = match self.send(request).await {
                Ok(response) => self
                    .decode::<Created>(response)
                    .await
                    .map(|created| created.job_id),
                Err(error) => Err(error),
            };
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
