//! `docket verify`: whether the registry holds what it says it holds.
//!
//! Fetches tarballs and compares size and digest with the metadata, and compares what the server says of each package with its git
//! repositories, which others may have a copy of.

mod compare;
mod report;
mod repositories;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use docket_client::{Client, Error};
use docket_core::digest::Sha256;
use docket_core::metadata::{Metadata, PublishedVersion};
use docket_core::name::PackageName;
use docket_core::version::Version;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::print::Printer;
use report::report;
use repositories::Repositories;

/// How many packages or tarballs are asked for at once.
const AT_ONCE: usize = 8;
/// How many packages are listed at once.
const PAGE_PACKAGES: usize = 1_000;
/// How often something is asked for while the server does not answer.
const TRIES: usize = 3;
/// How often a server may say that we ask too fast. All of a registry is more than it allows in a minute.
const SLOWED: usize = 60;
/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    /// The package, version or set.
    pub subject: String,
    /// `tarball`, `metadata`, `index` or `package-set`.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// What is to be looked at.
struct Scope {
    /// The packages; of some of them only these versions.
    packages: BTreeMap<PackageName, Option<BTreeSet<Version>>>,
    sets: Vec<Version>,
}

/// Looks at everything that was named, and lists what is wrong.
///
/// # Errors
///
/// [`Failure::Differs`] when something is wrong, and others when something could not be looked at.
pub(crate) async fn run(client: &Client, args: args::Verify, out: &Printer) -> Result<(), Failure> {
    let progress = progress(out);
    let repositories = match args.no_git {
        true => None,
        false => {
            progress.set_message("cloning the repositories");
            let place = args
                .git
                .clone()
                .unwrap_or_else(|| format!("{}/git", client.server()));
            Some(Repositories::clone(&place).await?)
        }
    };
    let scope = scope(client, &args, repositories.as_ref()).await?;
    begin(&progress, scope.packages.len());
    let mut known = BTreeMap::new();
    let mut asked = stream::iter(scope.packages.keys().map(|name| metadata(client, name))).buffered(AT_ONCE);
    while let Some(answer) = asked.next().await {
        let (name, metadata) = answer?;
        progress.inc(1);
        progress.set_message(format!("asked for {name}"));
        known.insert(name, metadata);
    }
    drop(asked);

    let mut findings = Vec::new();
    if let Some(repositories) = repositories {
        findings = compare::all(client, &repositories, &known, &scope.sets, &progress).await?;
        if !findings.is_empty() {
            // Something may have been published between the two looks.
            findings = again(client, &args, &scope, &findings, &progress).await?;
        }
    }
    for finding in missing(&scope, &known) {
        if findings.iter().all(|other| other.subject != finding.subject) {
            findings.push(finding);
        }
    }
    let mut counts = Counts {
        packages: known.len(),
        sets: scope.sets.len(),
        ..Counts::default()
    };
    if !args.no_tarballs {
        let wanted = tarballs(&scope, &known);
        begin(&progress, wanted.len());
        let mut fetched = stream::iter(wanted.into_iter().map(|(name, version, entry)| async move {
            (name, version, tarball(client, name, version, entry).await)
        }))
        .buffered(AT_ONCE);
        while let Some((name, version, result)) = fetched.next().await {
            progress.inc(1);
            progress.set_message(format!("fetched {name}@{version}"));
            match result? {
                Fetched::Good { bytes } => {
                    counts.tarballs += 1;
                    counts.bytes += bytes;
                }
                Fetched::Bad(finding) => {
                    counts.tarballs += 1;
                    findings.push(finding);
                }
                Fetched::Absent(finding) => {
                    counts.absent += 1;
                    findings.push(finding);
                }
            }
        }
    }
    progress.finish_and_clear();
    findings.sort();
    report(&findings, &counts, out)
}

/// What was looked at.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    packages: usize,
    #[serde(rename = "packageSets")]
    sets: usize,
    tarballs: usize,
    bytes: u64,
    /// Tarballs that were never brought to the server.
    #[serde(rename = "absentTarballs")]
    absent: usize,
}

async fn scope(
    client: &Client,
    args: &args::Verify,
    repositories: Option<&Repositories>,
) -> Result<Scope, Failure> {
    if let Some(args::NameMaybeVersion { name, version }) = &args.package {
        let versions = version.map(|version| BTreeSet::from([version]));
        return Ok(Scope {
            packages: BTreeMap::from([(name.clone(), versions)]),
            sets: Vec::new(),
        });
    }
    if let Some(version) = args.set {
        let set = client.get_package_set(Some(version)).await?;
        let members = set.packages.into_iter();
        return Ok(Scope {
            packages: members
                .map(|(name, version)| (name, Some(BTreeSet::from([version]))))
                .collect(),
            sets: vec![version],
        });
    }
    // What only one side knows is to be found, too.
    let mut packages = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = client.list_packages(cursor.as_deref(), PAGE_PACKAGES).await?;
        packages.extend(page.packages.into_iter().map(|package| (package.name, None)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut sets: BTreeSet<Version> = client
        .list_package_sets()
        .await?
        .into_iter()
        .map(|set| set.version)
        .collect();
    if let Some(repositories) = repositories {
        packages.extend(repositories.packages()?.into_iter().map(|name| (name, None)));
        sets.extend(repositories.package_sets()?);
    }
    Ok(Scope {
        packages,
        sets: sets.into_iter().collect(),
    })
}

/// Asks for what the server knows of a package; `None` when it knows nothing.
async fn metadata(client: &Client, name: &PackageName) -> Result<(PackageName, Option<Metadata>), Failure> {
    match patiently(|| client.get_metadata(name)).await {
        Ok(metadata) => Ok((name.clone(), Some(metadata))),
        Err(Error::NotFound { .. }) => Ok((name.clone(), None)),
        Err(error) => Err(error.into()),
    }
}

/// The packages and versions that were named, and are not there.
fn missing(scope: &Scope, known: &BTreeMap<PackageName, Option<Metadata>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, versions) in &scope.packages {
        let Some(Some(metadata)) = known.get(name) else {
            findings.push(Finding {
                subject: name.to_string(),
                what: "metadata",
                problem: "the server knows no such package".to_owned(),
            });
            continue;
        };
        let versions = versions.iter().flatten();
        for version in versions.filter(|version| !metadata.published.contains_key(version)) {
            findings.push(Finding {
                subject: format!("{name}@{version}"),
                what: "metadata",
                problem: "it is not published".to_owned(),
            });
        }
    }
    findings
}

/// Compares once more, with new clones, and keeps what is wrong still.
async fn again(
    client: &Client,
    args: &args::Verify,
    scope: &Scope,
    found: &[Finding],
    progress: &ProgressBar,
) -> Result<Vec<Finding>, Failure> {
    let place = args
        .git
        .clone()
        .unwrap_or_else(|| format!("{}/git", client.server()));
    let repositories = Repositories::clone(&place).await?;
    let subjects: BTreeSet<&str> = found.iter().map(|finding| finding.subject.as_str()).collect();
    let concerns = |name: &PackageName| {
        let versions = format!("{name}@");
        subjects
            .iter()
            .any(|subject| *subject == name.as_str() || subject.starts_with(&versions))
    };
    let mut known = BTreeMap::new();
    for name in scope.packages.keys().filter(|name| concerns(name)) {
        let (name, metadata) = metadata(client, name).await?;
        known.insert(name, metadata);
    }
    let sets: Vec<Version> = scope
        .sets
        .iter()
        .copied()
        .filter(|set| subjects.contains(set.to_string().as_str()))
        .collect();
    compare::all(client, &repositories, &known, &sets, progress).await
}

/// The tarballs that are to be fetched.
fn tarballs<'a>(
    scope: &'a Scope,
    known: &'a BTreeMap<PackageName, Option<Metadata>>,
) -> Vec<(&'a PackageName, Version, &'a PublishedVersion)> {
    let mut wanted = Vec::new();
    for (name, versions) in &scope.packages {
        let published = known
            .get(name)
            .into_iter()
            .flatten()
            .flat_map(|metadata| &metadata.published);
        for (version, entry) in published {
            if versions
                .as_ref()
                .is_none_or(|versions| versions.contains(version))
            {
                wanted.push((name, *version, entry));
            }
        }
    }
    wanted
}

/// What came of fetching a tarball.
enum Fetched {
    Good {
        bytes: u64,
    },
    /// It is not what it should be.
    Bad(Finding),
    /// The registry was imported without it.
    Absent(Finding),
}

/// Fetches a tarball and looks at it.
async fn tarball(
    client: &Client,
    name: &PackageName,
    version: Version,
    entry: &PublishedVersion,
) -> Result<Fetched, Failure> {
    let finding = |problem: String| Finding {
        subject: format!("{name}@{version}"),
        what: "tarball",
        problem,
    };
    let bytes = match patiently(|| client.fetch_tarball(name, version)).await {
        Ok(bytes) => bytes,
        Err(Error::Refused { code: Some(code), .. }) if code == "tarball-missing" => {
            return Ok(Fetched::Absent(finding(
                "it is not on this server, which was imported without it".to_owned(),
            )));
        }
        // It is not there, or what is there is known to be wrong. A server that has no time says nothing of its tarballs.
        Err(error @ Error::Refused { status, .. }) if !matches!(status.as_u16(), 429 | 503) => {
            return Ok(Fetched::Bad(finding(error.to_string())));
        }
        Err(error) => return Err(error.into()),
    };
    let size = bytes.len() as u64;
    if size != entry.bytes {
        let problem = format!("it has {size} bytes, and should have {}", entry.bytes);
        return Ok(Fetched::Bad(finding(problem)));
    }
    Ok(match Sha256::of(&bytes) {
        hash if hash == entry.hash => Fetched::Good { bytes: size },
        hash => Fetched::Bad(finding(format!("it is {hash}, and should be {}", entry.hash))),
    })
}

/// Asks, and asks again while the server does not answer, or wants to be asked more slowly.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    let (mut tried, mut slowed) = (1, 0);
    loop {
        match ask().await {
            Err(Error::Refused { status, .. }) if status.as_u16() == 429 && slowed < SLOWED => {
                slowed += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) if error.is_temporary() && tried < TRIES => {
                tried += 1;
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Begins the next of several rounds.
fn begin(progress: &ProgressBar, length: usize) {
    progress.set_position(0);
    progress.set_length(length as u64);
}

/// A bar at the bottom of a terminal; nothing in a pipe.
fn progress(out: &Printer) -> ProgressBar {
    if !out.progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} · {elapsed} · {wide_msg}")
        .expect("the template is well-formed");
    let bar = ProgressBar::new(0).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
