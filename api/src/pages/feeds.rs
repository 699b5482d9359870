//! Atom feeds (RFC 4287): new versions of all packages or of one, and new package sets.

use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use docket_core::{name::PackageName, time::Timestamp};
use docket_index::NewVersion;

use super::{format::count, not_found_page};
use crate::{ApiState, error::ApiError, extract::Path};

/// How many entries a feed has.
const ENTRIES: i64 = 50;

#[derive(Template)]
#[template(path = "feed.xml")]
struct FeedTemplate {
    /// Its address, which is also its id.
    address: String,
    title: String,
    /// The page of the same.
    page: String,
    updated: String,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    updated: String,
    summary: String,
}

/// What XML cannot hold, also when it is escaped, is left out: a description is text of others.
fn plain(text: &str) -> String {
    let fits =
        |c: &char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(fits).collect()
}

impl FeedTemplate {
    /// A feed without entries must have a time all the same.
    fn answer(mut self) -> Response {
        if self.updated.is_empty() {
            self.updated = Timestamp::from_millis(0).to_string();
        }
        let headers = [
            (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "public, max-age=300"),
        ];
        let text = self.render().expect("templates render from checked values");
        (headers, text).into_response()
    }
}

fn of_versions(
    url: &str,
    path: &str,
    title: String,
    page: String,
    versions: Vec<NewVersion>,
) -> FeedTemplate {
    let entries = versions.iter().map(|new| {
        let manifest = &new.manifest;
        Entry {
            id: format!("{url}/packages/{}/{}", manifest.name, manifest.version),
            title: format!("{} {}", manifest.name, manifest.version),
            updated: new.published_at.to_string(),
            summary: manifest
                .description
                .as_ref()
                .map(|text| plain(text.as_str()))
                .unwrap_or_default(),
        }
    });
    FeedTemplate {
        updated: versions
            .first()
            .map(|new| new.published_at.to_string())
            .unwrap_or_default(),
        entries: entries.collect(),
        address: format!("{url}{path}"),
        page: format!("{url}{page}"),
        title,
    }
}

/// `GET /feeds/versions.atom`
pub(super) async fn versions(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let versions = docket_index::list_new_versions(&mut tx, ENTRIES).await?;
    let title = "New versions".to_owned();
    let feed = of_versions(
        &state.public_url,
        "/feeds/versions.atom",
        title,
        "/packages".to_owned(),
        versions,
    );
    Ok(feed.answer())
}

/// `GET /packages/{name}/versions.atom`
pub(super) async fn package_versions(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let Ok(name) = name.parse::<PackageName>() else {
        return not_found_page("This is not the name of a package.");
    };
    let mut tx = state.jobs.db().read().await?;
    if docket_index::find_metadata(&mut tx, &name).await?.is_none() {
        return not_found_page("There is no package with this name in this registry.");
    }
    let versions = docket_index::list_new_versions_of(&mut tx, &name, ENTRIES).await?;
    let feed = of_versions(
        &state.public_url,
        &format!("/packages/{name}/versions.atom"),
        format!("New versions of {name}"),
        format!("/packages/{name}"),
        versions,
    );
    Ok(feed.answer())
}

/// `GET /feeds/package-sets.atom`
pub(super) async fn package_sets(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let known = state.sets.all(&mut tx).await?;
    let sets: Vec<_> = known.heads().iter().rev().take(ENTRIES as usize).collect();
    let url = &state.public_url;
    let midnight = |day: String| format!("{day}T00:00:00.000Z");
    let entries = sets.iter().map(|set| Entry {
        id: format!("{url}/package-sets/{}", set.version),
        title: format!("Package set {}", set.version),
        updated: midnight(set.published.to_string()),
        summary: format!(
            "{} that compile together with purs {}",
            count(set.packages, "package"),
            set.compiler
        ),
    });
    let feed = FeedTemplate {
        updated: sets
            .first()
            .map(|set| midnight(set.published.to_string()))
            .unwrap_or_default(),
        entries: entries.collect(),
        address: format!("{url}/feeds/package-sets.atom"),
        page: format!("{url}/package-sets"),
        title: "New package sets".to_owned(),
    };
    Ok(feed.answer())
}
