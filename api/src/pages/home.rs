//! `GET /`: what this registry is, how one uses it, and how it does.

use askama::Template;
use docket_jobs::{JobFilter, Order};

use super::{
    Card,
    format::{Moment, length, thousands},
    jobs::JobView,
    rendered,
};
use crate::{ApiState, error::ApiError};

/// How many new versions the page shows.
const NEW_VERSIONS: i64 = 10;

/// How many operations that people asked for, how far back, and of which kinds.
const NEW_JOBS: i64 = 10;
const NEW_JOBS_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;
const KINDS: [&str; 4] = ["publish", "unpublish", "transfer", "packageset"];

#[derive(Template)]
#[template(path = "home.html")]
struct HomeTemplate {
    card: Card,
    url: String,
    packages: String,
    published_today: i64,
    median: Option<String>,
    running: i64,
    waiting: i64,
    set: Option<SetView>,
    versions: Vec<VersionView>,
    jobs: Vec<JobView>,
}

struct SetView {
    version: String,
    published: String,
}

struct VersionView {
    name: String,
    version: String,
    description: String,
    published: Moment,
}

pub(super) async fn home(state: &ApiState) -> Result<String, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let service = state.jobs.service(&mut tx).await?;
    let packages = docket_index::count_packages(&mut tx).await?;
    let sets = state.sets.all(&mut tx).await?;
    let versions = docket_index::list_new_versions(&mut tx, NEW_VERSIONS).await?;
    let newest = JobFilter {
        since: state.jobs.clock().now().plus_millis(-NEW_JOBS_MILLIS),
        include_finished: true,
        kinds: KINDS.to_vec(),
        order: Order::Descending,
        limit: NEW_JOBS,
        ..JobFilter::default()
    };
    let jobs = state.jobs.list(&mut tx, &newest).await?;
    drop(tx);
    let template = HomeTemplate {
        card: Card {
            title: "Docket, a package registry".to_owned(),
            about: "A registry of PureScript packages that shows its work: every publish is a job with a log that anyone can follow."
                .to_owned(),
        },
        url: state.public_url.to_string(),
        packages: thousands(usize::try_from(packages).unwrap_or_default()),
        published_today: service.published_today,
        median: service.publishes.map(|durations| length(durations.median_millis)),
        running: service.running,
        waiting: service.waiting,
        set: sets.heads().last().map(|set| SetView {
            version: set.version.to_string(),
            published: set.published.to_string(),
        }),
        jobs: jobs.into_iter().map(JobView::new).collect(),
        versions: versions
            .into_iter()
            .map(|new| VersionView {
                name: new.manifest.name.to_string(),
                version: new.manifest.version.to_string(),
                description: new.manifest.description.map(|text| text.to_string()).unwrap_or_default(),
                published: Moment(new.published_at),
            })
            .collect(),
    };
    Ok(rendered(&template))
}
