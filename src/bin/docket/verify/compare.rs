//! What the server says, beside what its repositories say.

use std::collections::BTreeMap;

use docket_client::{Client, Error};
use docket_core::manifest::Manifest;
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::version::Version;
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;

use super::repositories::Repositories;
use super::{AT_ONCE, Finding, begin, patiently};
use crate::failure::Failure;

/// Compares all packages and sets.
///
/// # Errors
///
/// When the server does not answer, or a clone cannot be read.
pub(super) async fn all(
    client: &Client,
    repositories: &Repositories,
    known: &BTreeMap<PackageName, Option<Metadata>>,
    sets: &[Version],
    progress: &ProgressBar,
) -> Result<Vec<Finding>, Failure> {
    begin(progress, known.len() + sets.len());
    let mut findings = Vec::new();
    for (name, metadata) in known {
        let in_git = repositories.metadata(name)?;
        findings.extend(of_metadata(name, metadata.as_ref(), in_git.as_deref()));
    }
    let mut asked = stream::iter(
        known
            .keys()
            .map(|name| async move { (name, patiently(|| client.find_index_file(name)).await) }),
    )
    .buffered(AT_ONCE);
    while let Some((name, served)) = asked.next().await {
        progress.inc(1);
        progress.set_message(format!("compared {name} with git"));
        let in_git = repositories.index_file(name)?;
        findings.extend(of_index(name, served?.as_deref(), in_git.as_deref()));
    }
    let mut asked = stream::iter(
        sets.iter()
            .map(|set| async move { (*set, patiently(|| client.get_package_set(Some(*set))).await) }),
    )
    .buffered(AT_ONCE);
    while let Some((version, set)) = asked.next().await {
        progress.inc(1);
        progress.set_message(format!("compared package set {version} with git"));
        let served = match set {
            Ok(set) => Some(set.to_text()),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let in_git = repositories.package_set(version)?;
        if let Some(problem) = one_side(served.as_deref(), in_git.as_deref()) {
            findings.push(Finding {
                subject: version.to_string(),
                what: "package-set",
                problem,
            });
        }
    }
    Ok(findings)
}

/// Says which side lacks something, or that the two differ.
fn one_side(served: Option<&str>, in_git: Option<&str>) -> Option<String> {
    match (served, in_git) {
        (Some(served), Some(in_git)) if served == in_git => None,
        (None, None) => None,
        (Some(_), Some(_)) => Some("the server and git say different things".to_owned()),
        (Some(_), None) => Some("the server has it, and git has not".to_owned()),
        (None, Some(_)) => Some("git has it, and the server has not".to_owned()),
    }
}

fn of_metadata(name: &PackageName, served: Option<&Metadata>, in_git: Option<&str>) -> Vec<Finding> {
    let text = served.map(Metadata::to_text);
    let Some(problem) = one_side(text.as_deref(), in_git) else {
        return Vec::new();
    };
    let finding = |subject: String, problem: String| Finding {
        subject,
        what: "metadata",
        problem,
    };
    let (Some(served), Some(in_git)) = (served, in_git) else {
        return vec![finding(name.to_string(), problem)];
    };
    let Ok(in_git) = Metadata::parse(in_git) else {
        return vec![finding(
            name.to_string(),
            "what git has is not metadata".to_owned(),
        )];
    };
    let mut findings = Vec::new();
    for (what, differs) in [
        ("location", served.location != in_git.location),
        ("owners", served.owners != in_git.owners),
    ] {
        if differs {
            let problem = format!("the server and git have different {what}");
            findings.push(finding(name.to_string(), problem));
        }
    }
    for (version, problem) in differences(&served.published, &in_git.published) {
        findings.push(finding(
            format!("{name}@{version}"),
            format!("published: {problem}"),
        ));
    }
    for (version, problem) in differences(&served.unpublished, &in_git.unpublished) {
        findings.push(finding(
            format!("{name}@{version}"),
            format!("unpublished: {problem}"),
        ));
    }
    if findings.is_empty() {
        findings.push(finding(
            name.to_string(),
            "git says the same in another form than it should".to_owned(),
        ));
    }
    findings
}

fn of_index(name: &PackageName, served: Option<&str>, in_git: Option<&str>) -> Vec<Finding> {
    let Some(problem) = one_side(served, in_git) else {
        return Vec::new();
    };
    let finding = |subject: String, problem: String| Finding {
        subject,
        what: "index",
        problem,
    };
    let (Some(served), Some(in_git)) = (served, in_git) else {
        return vec![finding(name.to_string(), problem)];
    };
    let lines = |text: &str| {
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let manifest = Manifest::from_stored(line).ok()?;
            lines.insert(manifest.version, line.to_owned());
        }
        Some(lines)
    };
    let (Some(served), Some(in_git)) = (lines(served), lines(in_git)) else {
        return vec![finding(name.to_string(), "a line is not a manifest".to_owned())];
    };
    let findings: Vec<Finding> = differences(&served, &in_git)
        .into_iter()
        .map(|(version, problem)| finding(format!("{name}@{version}"), problem))
        .collect();
    match findings.is_empty() {
        true => vec![finding(
            name.to_string(),
            "the lines are in another order".to_owned(),
        )],
        false => findings,
    }
}

/// The versions of which the two sides say different things, or only one says something.
fn differences<T: PartialEq>(
    served: &BTreeMap<Version, T>,
    in_git: &BTreeMap<Version, T>,
) -> Vec<(Version, String)> {
    let mut found = Vec::new();
    for (version, value) in served {
        match in_git.get(version) {
            Some(other) if other == value => {}
            Some(_) => found.push((*version, "the server and git say different things".to_owned())),
            None => found.push((*version, "the server has it, and git has not".to_owned())),
        }
    }
    for version in in_git.keys().filter(|version| !served.contains_key(version)) {
        found.push((*version, "git has it, and the server has not".to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{"location":{"githubOwner":"lab","githubRepo":"slug"},"published":{"1.2.0":{"bytes":4,"compilers":["0.15.15"],"hash":"sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=","publishedTime":"2026-08-18T07:02:11.004Z","ref":""}},"unpublished":{}}"#;

    fn problems(in_git: Option<&str>) -> Vec<String> {
        let served = Metadata::parse(METADATA).unwrap();
        let found = of_metadata(&"slug".parse().unwrap(), Some(&served), in_git);
        found
            .into_iter()
            .map(|one| format!("{}: {}", one.subject, one.problem))
            .collect()
    }

    #[test]
    fn metadata_is_compared_part_by_part() {
        let same = Metadata::parse(METADATA).unwrap().to_text();
        assert_eq!(problems(Some(&same)), [""; 0]);
        assert_eq!(problems(None), ["slug: the server has it, and git has not"]);
        assert_eq!(problems(Some("{}")), ["slug: what git has is not metadata"]);
        assert_eq!(
            problems(Some(METADATA)),
            ["slug: git says the same in another form than it should"]
        );
        assert_eq!(
            problems(Some(
                &same
                    .replace("lab", "guild")
                    .replace("\"bytes\": 4", "\"bytes\": 5")
            )),
            [
                "slug: the server and git have different location",
                "slug@1.2.0: published: the server and git say different things"
            ]
        );
        assert_eq!(
            problems(Some(&same.replace("1.2.0", "1.3.0"))),
            [
                "slug@1.2.0: published: the server has it, and git has not",
                "slug@1.3.0: published: git has it, and the server has not"
            ]
        );
    }

    #[test]
    fn index_lines_are_compared_version_by_version() {
        let line = |version: &str, license: &str| {
            format!(
                r#"{{"name":"slug","version":"{version}","license":"{license}","location":{{"githubOwner":"lab","githubRepo":"slug"}},"ref":"v1","dependencies":{{}}}}"#
            ) + "\n"
        };
        let compare = |served: &str, in_git: &str| {
            let found = of_index(&"slug".parse().unwrap(), Some(served), Some(in_git));
            found
                .into_iter()
                .map(|one| format!("{}: {}", one.subject, one.problem))
                .collect::<Vec<_>>()
        };
        let (one, two) = (line("1.0.0", "MIT"), line("2.0.0", "MIT"));
        let both = format!("{one}{two}");
        assert_eq!(compare(&both, &both), [""; 0]);
        assert_eq!(
            compare(&both, &one),
            ["slug@2.0.0: the server has it, and git has not"]
        );
        assert_eq!(
            compare(&one, &line("1.0.0", "ISC")),
            ["slug@1.0.0: the server and git say different things"]
        );
        assert_eq!(
            compare(&both, &format!("{two}{one}")),
            ["slug: the lines are in another order"]
        );
        assert_eq!(compare(&one, "?"), ["slug: a line is not a manifest"]);
    }
}
