//! Every code with which a request or the queue answers is explained in `docs/problems.md`, and every explained one exists.
//!
//! The codes of refused packages are checked beside them, in `worker/src/codes.rs`.

use std::{collections::BTreeSet, fs, path::Path};

/// Codes that stand where no `Problem::new` does: the queue's, the worker's, and those with a constructor of their own.
const NAMED_ELSEWHERE: [&str; 11] = [
    "database-unavailable",
    "disk-full",
    "git-missing",
    "github-refused",
    "job-timeout",
    "livelocked",
    "log-damaged",
    "unavailable",
    "not-found",
    "storage-unavailable",
    "tarball-source-unavailable",
];

/// The codes that the second half of the page explains.
fn explained() -> BTreeSet<String> {
    let page = include_str!("../docs/problems.md");
    let (_, rest) = page
        .split_once("## Ended by the queue")
        .expect("the page tells apart who refuses");
    let headings = rest
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    headings.map(ToOwned::to_owned).collect()
}

/// The first string literal of kebab-case after each `marker` in the sources below `folder`.
fn codes_after(marker: &str, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a source folder is readable").path();
        if path.is_dir() {
            codes_after(marker, &path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file is text");
        for rest in text.split(marker).skip(1) {
            let code = rest.split('"').nth(1).unwrap_or_default();
            let kebab = !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            assert!(kebab, "{}: no code follows {marker}", path.display());
            found.insert(code.to_owned());
        }
    }
}

#[test]
fn every_code_of_the_server_is_explained_and_every_explained_code_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::from(NAMED_ELSEWHERE.map(ToOwned::to_owned));
    codes_after("Problem::new(", &root.join("api/src"), &mut codes);
    codes_after("Problem::new(", &root.join("crates/http/src"), &mut codes);
    assert_eq!(codes, explained());
}

/// The codes of jobs that no author can mend are written where those end.
#[test]
fn jobs_end_with_the_explained_codes_of_the_queue() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ends = [
        "crates/jobs/src/worker/outcome.rs",
        "crates/jobs/src/decide.rs",
        "worker/src/outcome.rs",
        "worker/src/github_issue.rs",
    ]
    .map(|file| fs::read_to_string(root.join(file)).expect("a source file is text"));
    for code in [
        "disk-full",
        "github-refused",
        "job-timeout",
        "livelocked",
        "unavailable",
    ] {
        assert!(
            ends.iter().any(|text| text.contains(&format!("\"{code}\""))),
            "nothing ends with {code}"
        );
    }
}
