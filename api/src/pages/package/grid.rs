//! With which compilers each version compiles, as a grid.

use std::collections::{BTreeMap, BTreeSet};

use docket_core::{metadata::Metadata, version::Version};
use docket_index::{Build, Outcome};

/// Versions below each other, compilers side by side, both newest first.
pub(super) struct Grid {
    pub(super) compilers: Vec<String>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) version: String,
    pub(super) cells: Vec<Cell>,
}

/// One version with one compiler.
pub(super) struct Cell {
    pub(super) compiler: String,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    /// What the sign means.
    pub(super) told: &'static str,
    /// The log of the trial, where there is one.
    pub(super) link: Option<String>,
    /// The first error.
    pub(super) error: Option<String>,
}

impl Grid {
    /// The grid of the newest `most` versions that can be installed.
    pub(super) fn new(metadata: &Metadata, builds: &[Build], most: usize) -> Self {
        let tried: BTreeMap<(Version, Version), &Build> = builds
            .iter()
            .map(|build| ((build.version, build.compiler), build))
            .collect();
        let shown: Vec<_> = metadata.published.iter().rev().take(most).collect();
        let mut compilers: BTreeSet<Version> = BTreeSet::new();
        for (version, entry) in &shown {
            compilers.extend(&entry.compilers);
            compilers.extend(
                tried
                    .keys()
                    .filter(|(of, _)| of == *version)
                    .map(|(_, compiler)| compiler),
            );
        }
        let rows = shown.iter().map(|(version, entry)| Row {
            version: version.to_string(),
            cells: compilers
                .iter()
                .rev()
                .map(|compiler| {
                    let build = tried.get(&(**version, *compiler)).copied();
                    cell(**version, *compiler, entry.compilers.contains(compiler), build)
                })
                .collect(),
        });
        Self {
            rows: rows.collect(),
            compilers: compilers.iter().rev().map(ToString::to_string).collect(),
        }
    }
}

/// What metadata lists counts more than a trial: it may have been found out elsewhere.
fn cell(version: Version, compiler: Version, compiles: bool, build: Option<&Build>) -> Cell {
    let outcome = match build.map(|build| build.outcome) {
        _ if compiles => Some(Outcome::Compiles),
        other => other,
    };
    let (class, sign, told) = match outcome {
        Some(Outcome::Compiles) => ("good", "✓", "compiles"),
        Some(Outcome::Fails) => ("bad", "✗", "does not compile"),
        Some(Outcome::NoPlan) => ("unknown", "–", "has no versions of its dependencies"),
        None => ("unknown", "·", "was not tried"),
    };
    Cell {
        class,
        sign,
        told,
        link: match (outcome, build) {
            (Some(Outcome::Fails), Some(build)) => {
                Some(format!("/packages/{}/{version}/compilers/{compiler}", build.name))
            }
            _ => None,
        },
        error: build.and_then(|build| build.error.clone()).filter(|_| !compiles),
        compiler: compiler.to_string(),
    }
}
