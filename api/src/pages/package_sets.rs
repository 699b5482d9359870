//! `GET /package-sets`, `/package-sets/{version}` and `/package-sets/{one}...{other}`: package sets, and how they differ.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use docket_core::{
    name::PackageName,
    package_set::{
        PackageSet,
        absence::{Absence, Standing, standing},
        changes::Changes,
    },
    version::Version,
};
use docket_db::{Error, Tx};
use docket_index::Difference;
use serde::Deserialize;

use super::{Card, bad_request_page, format::count, not_found_page, page};
use crate::{
    ApiState,
    error::ApiError,
    extract::{Path, Query},
};

/// How many sets one page shows.
const PAGE_SETS: usize = 30;

/// Between two versions in an address.
const TO: &str = "...";

#[derive(Template)]
#[template(path = "package_sets.html")]
struct SetsTemplate {
    card: Card,
    sets: Vec<SetView>,
    next: Option<String>,
    goes_on: bool,
}

struct SetView {
    version: String,
    compiler: String,
    published: String,
    packages: usize,
    /// The set before, and what this one changes of it.
    before: Option<(String, String)>,
}

#[derive(Deserialize)]
pub(super) struct SetsQuery {
    before: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// With `from` and `to` it leads to how these differ, for the form.
pub(super) async fn package_sets(
    State(state): State<ApiState>,
    Query(query): Query<SetsQuery>,
) -> Result<Response, ApiError> {
    if let (Some(from), Some(to)) = (&query.from, &query.to) {
        return Ok(
            match (from.trim().parse::<Version>(), to.trim().parse::<Version>()) {
                (Ok(from), Ok(to)) => Redirect::to(&format!("/package-sets/{from}{TO}{to}")).into_response(),
                _ => bad_request_page("These are not two versions of package sets: each has three numbers."),
            },
        );
    }
    let before = match query.before.as_deref().map(str::parse::<Version>).transpose() {
        Ok(before) => before,
        Err(_) => {
            return Ok(bad_request_page(
                "The page asked for does not begin at a version.",
            ));
        }
    };
    let mut tx = state.jobs.db().read().await?;
    let known = state.sets.all(&mut tx).await?;
    drop(tx);
    let heads = known.heads();
    let end = before.map_or(heads.len(), |before| known.place_of(before));
    let start = end.saturating_sub(PAGE_SETS);
    let sets = (start..end).rev().map(|place| {
        let set = &heads[place];
        let before = place
            .checked_sub(1)
            .map(|before| heads[before].version.to_string());
        SetView {
            version: set.version.to_string(),
            compiler: set.compiler.to_string(),
            published: set.published.to_string(),
            packages: set.packages,
            before: before.zip(set.changes.as_ref().map(summary)),
        }
    });
    let template = SetsTemplate {
        card: Card {
            title: "Package sets".to_owned(),
            about: "The package sets of this registry: versions of packages that compile together."
                .to_owned(),
        },
        sets: sets.collect(),
        next: (start > 0).then(|| format!("/package-sets?before={}", heads[start].version)),
        goes_on: before.is_some(),
    };
    Ok(page(&template))
}

/// What is to be done to the one to become the other.
fn difference(from: &PackageSet, to: &PackageSet) -> Changes {
    let gone = from
        .packages
        .keys()
        .filter(|name| !to.packages.contains_key(*name));
    let mut wanted: BTreeMap<PackageName, Option<Version>> = gone.map(|name| (name.clone(), None)).collect();
    wanted.extend(
        to.packages
            .iter()
            .map(|(name, version)| (name.clone(), Some(*version))),
    );
    Changes::between(from, None, &wanted)
}

fn summary(difference: &Difference) -> String {
    let parts = [
        (difference.added, "added"),
        (difference.updated, "updated"),
        (difference.removed, "removed"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if told.is_empty() {
        "the same packages".to_owned()
    } else {
        told.join(", ")
    }
}

/// One sentence, and the reasons behind it.
pub(super) fn told(standing: &Standing) -> (String, Vec<String>) {
    let because =
        |absence: &Absence| -> Vec<String> { absence.reasons.iter().map(ToString::to_string).collect() };
    match standing {
        Standing::NotInstallable => ("no version can be installed".to_owned(), Vec::new()),
        Standing::Newest => ("has the newest version".to_owned(), Vec::new()),
        Standing::Behind { current, newest } => {
            let known = if newest.reasons.is_empty() {
                "; nothing is known to keep the newest out: the daily update tries it while it is new, and trustees can add it"
            } else {
                ", because of the newest:"
            };
            (
                format!("has {current}, not {}{known}", newest.version),
                because(newest),
            )
        }
        Standing::Absent(newest) => {
            let known = if newest.reasons.is_empty() {
                "; nothing is known to keep it out: the daily update tries it while it is new, and trustees can add it"
            } else {
                ", because of the newest version:"
            };
            (format!("does not have it{known}"), because(newest))
        }
    }
}

#[derive(Template)]
#[template(path = "package_set.html")]
struct SetTemplate {
    card: Card,
    version: String,
    compiler: String,
    published: String,
    is_latest: bool,
    before: Option<String>,
    told: String,
    packages: Vec<(String, String)>,
    /// The package that was asked for.
    asked: String,
    answer: Option<AnswerView>,
}

/// Where the package that was asked for stands.
struct AnswerView {
    name: String,
    told: String,
    reasons: Vec<String>,
}

#[derive(Template)]
#[template(path = "package_set_difference.html")]
struct DifferenceTemplate {
    card: Card,
    from: SetHead,
    to: SetHead,
    told: String,
    added: Vec<(String, String)>,
    updated: Vec<(String, String, String)>,
    removed: Vec<(String, String)>,
}

struct SetHead {
    version: String,
    compiler: String,
    published: String,
    packages: String,
}

impl SetHead {
    fn new(set: &PackageSet) -> Self {
        Self {
            version: set.version.to_string(),
            compiler: set.compiler.to_string(),
            published: set.published.to_string(),
            packages: count(set.packages.len(), "package"),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SetQuery {
    from: Option<String>,
    package: Option<String>,
}

pub(super) async fn package_set(
    State(state): State<ApiState>,
    Path(version): Path<String>,
    Query(query): Query<SetQuery>,
) -> Result<Response, ApiError> {
    let mut tx = state.jobs.db().read().await?;
    let pair = version
        .split_once(TO)
        .or(query.from.as_deref().map(|from| (from.trim(), version.as_str())));
    if let Some((from, to)) = pair {
        let (Some(from), Some(to)) = (find(&mut tx, from).await?, find(&mut tx, to).await?) else {
            return not_found_page("One of these package sets does not exist.");
        };
        return Ok(show_difference(&from, &to));
    }
    let known = state.sets.all(&mut tx).await?;
    let latest = known.latest().filter(|latest| {
        let asked = version.parse::<Version>();
        asked.map_or(version == "latest", |asked| asked == latest.version)
    });
    let found = match latest {
        Some(latest) => Some(latest.clone()),
        None => find(&mut tx, &version).await?.map(Arc::new),
    };
    let Some(set) = found else {
        return not_found_page("There is no package set of this version.");
    };
    let place = known.place_of(set.version);
    let asked = query.package.unwrap_or_default().trim().to_lowercase();
    let answer = match asked.parse::<PackageName>() {
        Ok(name) => Some(answer(&mut tx, &set, name).await?),
        Err(_) if asked.is_empty() => None,
        Err(_) => return Ok(bad_request_page("This is not the name of a package.")),
    };
    let before = place.checked_sub(1).map(|before| known.heads()[before].version);
    let changes = known.heads().get(place).and_then(|head| head.changes);
    let template = SetTemplate {
        card: Card {
            title: format!("Package set {}", set.version),
            about: format!(
                "{} that compile together with purs {}.",
                count(set.packages.len(), "package"),
                set.compiler
            ),
        },
        version: set.version.to_string(),
        compiler: set.compiler.to_string(),
        published: set.published.to_string(),
        is_latest: latest.is_some(),
        told: changes.as_ref().map(summary).unwrap_or_default(),
        before: before.map(|before| before.to_string()),
        packages: listed(&set.packages),
        asked,
        answer,
    };
    Ok(page(&template))
}

async fn find(tx: &mut Tx, text: &str) -> Result<Option<PackageSet>, Error> {
    match text.parse::<Version>() {
        Ok(version) => docket_index::find_package_set(tx, version).await,
        Err(_) if text == "latest" => docket_index::latest_package_set(tx).await,
        Err(_) => Ok(None),
    }
}

async fn answer(tx: &mut Tx, set: &PackageSet, name: PackageName) -> Result<AnswerView, Error> {
    let Some(metadata) = docket_index::find_metadata(tx, &name).await? else {
        return Ok(AnswerView {
            name: name.to_string(),
            told: "is no package of this registry".to_owned(),
            reasons: Vec::new(),
        });
    };
    let manifests = docket_index::list_manifests(tx, &name).await?;
    let newest = manifests
        .iter()
        .rev()
        .find_map(|manifest| Some((manifest, metadata.published.get(&manifest.version)?)));
    let standing = standing(
        set,
        &name,
        newest.map(|(manifest, entry)| (manifest, entry.compilers.as_slice())),
    );
    let (told, reasons) = told(&standing);
    Ok(AnswerView {
        told: format!("the set {told}"),
        reasons,
        name: name.to_string(),
    })
}

fn listed(packages: &BTreeMap<PackageName, Version>) -> Vec<(String, String)> {
    let packages = packages.iter();
    packages
        .map(|(name, version)| (name.to_string(), version.to_string()))
        .collect()
}

fn show_difference(from: &PackageSet, to: &PackageSet) -> Response {
    let changes = difference(from, to);
    let told = summary(&Difference {
        added: changes.added.len(),
        updated: changes.updated.len(),
        removed: changes.removed.len(),
    });
    let template = DifferenceTemplate {
        card: Card {
            title: format!("Package sets {} and {}", from.version, to.version),
            about: format!("From {} to {}: {}.", from.version, to.version, told),
        },
        from: SetHead::new(from),
        to: SetHead::new(to),
        told,
        added: listed(&changes.added),
        removed: listed(&changes.removed),
        updated: changes
            .updated
            .iter()
            .map(|(name, (old, new))| (name.to_string(), old.to_string(), new.to_string()))
            .collect(),
    };
    page(&template)
}
