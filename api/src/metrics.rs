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

/// A number that Prometheus reads. All of them are gauges.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What tells its samples apart. Each has few values: kinds, states and codes, never names or ids.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
}

const BUILD: Metric = Metric {
    name: "docket_build_info",
    labels: &["version"],
    help: "The version of the program that answers. Always 1.",
};
const JOBS: Metric = Metric {
    name: "docket_jobs",
    labels: &["kind", "state"],
    help: "Jobs that have not ended, by kind and state.",
};
const LONGEST_WAIT: Metric = Metric {
    name: "docket_jobs_longest_wait_seconds",
    labels: &["kind"],
    help: "For how long the oldest job that waits has been there.",
};
const ENDED: Metric = Metric {
    name: "docket_jobs_ended_last_day",
    labels: &["kind", "state", "code"],
    help: "Jobs that were asked for in the last 24 hours and have ended, by how they ended.",
};
const PACKAGES: Metric = Metric {
    name: "docket_packages",
    labels: &[],
    help: "Packages in the registry.",
};
const BEHIND: Metric = Metric {
    name: "docket_push_changes_behind",
    labels: &["repository"],
    help: "Changes that a remote lacks.",
};
const FAILING: Metric = Metric {
    name: "docket_push_failing",
    labels: &["repository"],
    help: "Whether the last push to a remote failed.",
};
const FOREIGN: Metric = Metric {
    name: "docket_push_foreign_commits",
    labels: &["repository"],
    help: "Commits on a remote that were made by hand.",
};

/// Every metric that there is, in the order in which they are told.
pub const METRICS: &[Metric] = &[
    BUILD,
    JOBS,
    LONGEST_WAIT,
    ENDED,
    PACKAGES,
    BEHIND,
    FAILING,
    FOREIGN,
];

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Tells Prometheus how the registry is.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, description = "Metrics.", content_type = "text/plain", body = String)))]
async fn metrics(State(jobs): State<Jobs>) -> Result<Response, ApiError> {
    let mut tx = jobs.db().read().await?;
    let mut text = Text(String::new());
    text.family(&BUILD);
    text.sample(&BUILD, &[env!("CARGO_PKG_VERSION")], 1);
    text.family(&JOBS);
    for (kind, state, count) in jobs.count_active(&mut tx).await? {
        text.sample(&JOBS, &[&kind, state.as_str()], count);
    }
    text.family(&LONGEST_WAIT);
    for (kind, millis) in jobs.longest_waits(&mut tx).await? {
        text.sample(&LONGEST_WAIT, &[&kind], millis / 1000);
    }
    text.family(&ENDED);
    for ended in jobs.ended_of_the_last_day(&mut tx).await? {
        let labels = [&ended.kind, ended.state.as_str(), &ended.code];
        text.sample(&ENDED, &labels, ended.count);
    }
    text.family(&PACKAGES);
    let packages = docket_index::count_packages(&mut tx).await?;
    text.sample(&PACKAGES, &[], packages);
    let remotes = docket_index::list_push_states(&mut tx).await?;
    text.family(&BEHIND);
    for (repository, _, behind) in &remotes {
        text.sample(&BEHIND, &[repository.as_str()], *behind);
    }
    text.family(&FAILING);
    for (repository, state, _) in &remotes {
        text.sample(
            &FAILING,
            &[repository.as_str()],
            i64::from(state.problem.is_some()),
        );
    }
    text.family(&FOREIGN);
    for (repository, state, _) in &remotes {
        text.sample(&FOREIGN, &[repository.as_str()], state.foreign_commits);
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, text.0).into_response())
}

/// The text format of Prometheus, as far as gauges need it. Labels are words of our own, which need no escapes.
struct Text(String);

impl Text {
    fn family(&mut self, Metric { name, help, .. }: &Metric) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge")
            .expect("writing to a String cannot fail");
    }

    /// One number; `labels` are the values of the metric's labels, in their order.
    fn sample(&mut self, metric: &Metric, labels: &[&str], value: i64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels = metric.labels.iter().zip(labels);
        let labels: Vec<_> = labels.map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        writeln!(self.0, "{}{labels} {value}", metric.name).expect("writing to a String cannot fail");
    }
}
