//! Why jobs wait, and what trustees do to jobs and to kinds of jobs.
//!
//! Unlike operations, what changes something is sent once: the answer to a second try could not be told from the answer to somebody else's.

use docket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::error::Error;
use crate::job::JobId;

/// Why a job does not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The job.
    pub job_id: JobId,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// What keeps it, for people; names that others chose stand in it.
    pub sentence: String,
    /// The same in parts: `kind` is `lock`, `slot`, `time`, `paused`, `limit`, `running` or `over`, and says which others there are.
    pub reason: Map<String, Value>,
    /// Seconds until it starts, if things go as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_secs: Option<u64>,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A kind of jobs: what waits and runs of it, and what trustees said about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobKind {
    /// Its name, such as `publish`.
    pub kind: String,
    /// How many of its jobs wait.
    pub queued: u64,
    /// How many run.
    pub running: u64,
    /// Since when none starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_since: Option<Timestamp>,
    /// Who wanted it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// How many may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Fields newer than this client.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a job is after a call that changed it.
#[derive(Deserialize)]
struct State {
    state: String,
}

impl Client {
    /// Returns why a job does not run.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id.
    pub async fn why(&self, job: &JobId) -> Result<Why, Error> {
        let request = self.http.get(self.route(&["jobs", job.as_str(), "why"]));
        self.decode(self.send_about(job, request).await?).await
    }

    /// Cancels a job for the trustee whose token this client sends. Returns its state: `cancelled`, or `running` when it still has to come
    /// to its end.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id; [`Error::Refused`] when it is over, or has taken effect.
    pub async fn cancel_job(&self, job: &JobId) -> Result<String, Error> {
        let request = self.post(self.route(&["jobs", job.as_str(), "cancel"]), &json!({}));
        let state: State = self.decode(self.send_about(job, request).await?).await?;
        Ok(state.state)
    }

    /// Queues a job again that failed or was cancelled, for the trustee whose token this client sends.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id; [`Error::Refused`] when it has not failed, or the same was asked for since.
    pub async fn retry_job(&self, job: &JobId) -> Result<(), Error> {
        let request = self.post(self.route(&["jobs", job.as_str(), "retry"]), &json!({}));
        self.send_about(job, request).await?;
        Ok(())
    }

    /// Queues jobs again that failed with `code` (of `kind` only, if one is given), oldest first and at most `limit`, and returns them.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] says what is wrong with the request, or that the token is not a trustee's.
    pub async fn retry_failed(
        &self,
        code: &str,
        kind: Option<&str>,
        limit: u32,
    ) -> Result<Vec<JobId>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Retried {
            job_ids: Vec<JobId>,
        }
        let mut body = json!({ "code": code, "limit": limit });
        if let Some(kind) = kind {
            body["kind"] = kind.into();
        }
        let request = self.post(self.route(&["jobs", "retry"]), &body);
        let retried: Retried = self.decode(self.send(request).await?).await?;
        Ok(retried.job_ids)
    }

    /// Gives a waiting job a priority: higher goes first, 0 is usual, and below 0 is for what nobody waits for.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] when there is none of that id; [`Error::Refused`] when it does not wait.
    pub async fn set_job_priority(&self, job: &JobId, priority: i64) -> Result<(), Error> {
        let url = self.route(&["jobs", job.as_str(), "priority"]);
        let request = self.post(url, &json!({ "priority": priority }));
        self.send_about(job, request).await?;
        Ok(())
    }

    /// Returns the kinds of which jobs wait or run, and those about which trustees said something.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or not with kinds.
    pub async fn list_job_kinds(&self) -> Result<Vec<JobKind>, Error> {
        let request = self.http.get(self.route(&["job-kinds"]));
        self.decode(self.send(request).await?).await
    }

    /// Pauses a kind: its jobs that run go on, others do not start.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no such kind, or the token is not a trustee's.
    pub async fn pause_job_kind(&self, kind: &str) -> Result<JobKind, Error> {
        self.say(kind, "pause", &json!({})).await
    }

    /// Lets the jobs of a kind start again, like [`Client::pause_job_kind`].
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no such kind, or the token is not a trustee's.
    pub async fn resume_job_kind(&self, kind: &str) -> Result<JobKind, Error> {
        self.say(kind, "resume", &json!({})).await
    }

    /// Lets at most `max_running` jobs of a kind run at once; `None` takes the limit away.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no such kind, or the token is not a trustee's.
    pub async fn limit_job_kind(&self, kind: &str, max_running: Option<u32>) -> Result<JobKind, Error> {
        self.say(kind, "limit", &json!({ "maxRunning": max_running }))
            .await
    }

    async fn say(&self, kind: &str, what: &str, body: &Value) -> Result<JobKind, Error> {
        let request = self.post(self.route(&["job-kinds", kind, what]), body);
        self.decode(self.send(request).await?).await
    }
}
