//! `GET /`: what this registry is, and its newest jobs.

use askama::Template;
use axum::{extract::State, response::Response};
use docket_jobs::{JobFilter, Order};

use super::page;
use crate::{ApiState, error::ApiError};

/// How many jobs the page shows.
const RECENT_JOBS: i64 = 25;

#[derive(Template)]
#[template(path = "home.html")]
struct HomeTemplate {
    url: String,
    packages: usize,
    jobs: Vec<JobView>,
}

struct JobView {
    id: String,
    kind: String,
    subject: String,
    state: &'static str,
    created_at: String,
}

pub(super) async fn home(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let filter = JobFilter {
        include_finished: true,
        order: Order::Descending,
        limit: RECENT_JOBS,
        ..JobFilter::default()
    };
    let jobs = state.jobs.list(&mut tx, &filter).await?;
    let packages = docket_index::list_names(&mut tx).await?.len();
    let view = |job: docket_jobs::Job| JobView {
        id: job.id.to_string(),
        subject: [job.package_name, job.package_version]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("@"),
        kind: job.kind,
        state: job.state.as_str(),
        created_at: job.created_at.to_string(),
    };
    let jobs = jobs.into_iter().map(view).collect();
    Ok(page(&HomeTemplate {
        url: state.public_url.to_string(),
        packages,
        jobs,
    }))
}
