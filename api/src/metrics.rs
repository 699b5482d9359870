//! `GET /metrics`: the state of the registry for Prometheus, read from the rows, so that every process answers alike.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use docket_jobs::Jobs;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiState, error::ApiError};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Tells Prometheus how the registry is.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, description = "Metrics.", content_type = "text/plain", body = String)))]
async fn metrics(State(jobs): State<Jobs>) -> Result<Response, ApiError> {
    let mut tx = jobs.db().read().await?;
    let mut text = Text(String::new());
    text.family("docket_jobs", "Jobs that have not ended, by kind and state.");
    for (kind, state, count) in jobs.count_active(&mut tx).await? {
        text.sample(
            "docket_jobs",
            &[("kind", &kind), ("state", state.as_str())],
            count,
        );
    }
    let remotes = docket_index::list_push_states(&mut tx).await?;
    text.family("docket_push_changes_behind", "Changes that a remote lacks.");
    for (repository, _, behind) in &remotes {
        let labels = [("repository", repository.as_str())];
        text.sample("docket_push_changes_behind", &labels, *behind);
    }
    text.family("docket_push_failing", "Whether the last push to a remote failed.");
    for (repository, state, _) in &remotes {
        let labels = [("repository", repository.as_str())];
        text.sample("docket_push_failing", &labels, i64::from(state.problem.is_some()));
    }
    text.family(
        "docket_push_foreign_commits",
        "Commits on a remote that were made by hand.",
    );
    for (repository, state, _) in &remotes {
        let labels = [("repository", repository.as_str())];
        text.sample("docket_push_foreign_commits", &labels, state.foreign_commits);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text.0).into_response())
}

/// The text format of Prometheus, as far as gauges need it. Labels are words of our own, which need no escapes.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge")
            .expect("writing to a String cannot fail");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: i64) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\""))
            .collect();
        writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")).expect("writing to a String cannot fail");
    }
}
