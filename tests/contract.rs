//! Each promise of `docs/jobs.md` names tests, and these tests exist.

use std::{fs, path::Path};

/// Adds the text of all Rust files below `folder`.
fn read_sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a source folder is readable").path();
        if path.is_dir() {
            read_sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).expect("a source file is text"));
        }
    }
}

#[test]
fn every_promise_about_jobs_names_tests_that_exist() {
    let page = include_str!("../docs/jobs.md");
    let mut sources = String::new();
    for folder in ["crates/jobs/src", "crates/jobs/tests", "api/tests", "tests/e2e"] {
        read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    let mut promises = 0;
    let numbered = |line: &str| {
        line.split_once(". **")
            .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    };
    let lines: Vec<&str> = page.lines().collect();
    for start in (0..lines.len()).filter(|start| numbered(lines[*start])) {
        promises += 1;
        let length = lines[start..]
            .iter()
            .skip(1)
            .position(|line| line.is_empty() || numbered(line));
        let promise = lines[start..start + 1 + length.unwrap_or(0)].join("\n");
        let is_name =
            |word: &&str| word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let tests: Vec<&str> = promise
            .split('`')
            .filter(is_name)
            .filter(|word| *word != "lease_secs")
            .collect();
        assert!(
            !tests.is_empty() || promise.contains("Measured:"),
            "no test stands behind: {promise}"
        );
        for test in tests {
            assert!(
                sources.contains(&format!("fn {test}(")),
                "there is no test `{test}`, named by: {promise}"
            );
        }
    }
    assert_eq!(promises, 21, "the page was understood");
}
