//! What can be asked of the registry: HTTP, websocket, event stream and pages. No work is done here.
//!
//! [`v1`] speaks to released clients, so its bodies and statuses are fixed by registry.md §1; everything else answers errors as problem+json.

mod authority;
mod changes;
mod conditional;
mod control;
mod error;
mod extract;
mod git_http;
mod github_webhook;
mod index_files;
mod job_kinds;
mod limits;
mod logs;
mod metrics;
mod openapi;
mod package_list;
mod packages;
mod pages;
mod redaction;
mod schedules;
mod takedown_cases;
mod tarballs;
mod v1;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, middleware::from_fn_with_state};
use docket_db::Db;
use docket_http::{Check, Door, health_routes};
use docket_index::{KnownSets, git::GitViews, tarballs::Tarballs};
use docket_jobs::{Jobs, Schedule};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use authority::{Authority, TrustedToken};
pub use github_webhook::Webhook;
pub use limits::{Limits, Rules};
pub use metrics::{METRICS, Metric};
pub use pages::Legal;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub struct ApiState {
    /// The queue, and through it the database.
    pub jobs: Jobs,
    /// The tarballs.
    pub tarballs: Tarballs,
    /// The repositories that clients clone.
    pub views: GitViews,
    /// Whom this registry trusts.
    pub authority: Authority,
    /// The timetables that the workers keep.
    pub schedules: Arc<[Schedule]>,
    /// The kinds of jobs that there are.
    pub kinds: Arc<[&'static str]>,
    /// Who tells us of issues, if anybody does.
    pub webhook: Option<Arc<Webhook>>,
    /// What is said about copyright.
    pub legal: Arc<Legal>,
    /// What was learned of the package sets.
    pub sets: KnownSets,
    /// How much one client may ask for.
    pub limits: Arc<Limits>,
    /// The address under which people reach this server, without a slash at the end.
    pub public_url: Arc<str>,
    /// Cancelled when the server stops: those who follow a log are sent away to reconnect elsewhere.
    pub stopping: CancellationToken,
}

/// How long the database may take before we say that it is gone: those who ask about health do not wait longer.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads from the database, so that a missing table counts too.
async fn check_database(db: Db) -> Result<(), String> {
    let read = async {
        let mut tx = db.read().await?;
        docket_index::last_seq(&mut tx).await
    };
    match tokio::time::timeout(READY_TIMEOUT, read).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database does not answer"
            );
            Err("the database does not answer".to_owned())
        }
        Err(_elapsed) => Err(format!("the database has not answered for {READY_TIMEOUT:?}")),
    }
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    let (jobs, redacting) = (state.jobs.clone(), state.jobs.clone());
    let ready: Check = Arc::new(move || {
        let db = jobs.db().clone();
        Box::pin(check_database(db))
    });
    let (described, description) = described().split_for_parts();
    let description = openapi::text(description);
    described
        .merge(pages::routes())
        .merge(pages::reference::routes(&description))
        .merge(openapi::routes(description))
        .layer(from_fn_with_state(state.limits.clone(), limits::limit))
        .with_state(state)
        .merge(health_routes(ready))
        .layer(from_fn_with_state(redacting, redaction::in_errors))
}

/// The routes that programs use, and what they say of themselves.
fn described() -> OpenApiRouter<ApiState> {
    openapi::router()
        .merge(v1::routes())
        .merge(logs::routes())
        .merge(control::routes())
        .merge(job_kinds::routes())
        .merge(schedules::routes())
        .merge(metrics::routes())
        .merge(takedown_cases::routes())
        .merge(index_files::routes())
        .merge(git_http::routes())
        .merge(github_webhook::routes())
        .merge(tarballs::routes())
}

/// The API's description (OpenAPI 3.1), as `GET /openapi.json` sends it.
#[must_use]
pub fn description() -> String {
    openapi::text(described().into_openapi())
}

/// Answers requests on `listener` until the state's `stopping` token is cancelled.
pub async fn serve(listener: TcpListener, state: ApiState, door: Door) {
    let stopping = state.stopping.clone();
    tokio::spawn(state.limits.clone().forget(stopping.clone()));
    docket_http::serve(listener, router(state), door, stopping).await;
}
