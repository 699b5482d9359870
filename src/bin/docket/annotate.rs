//! Says where in the source a publish failed, in the way of the service that runs the workflow, which then shows it beside the line.
//!
//! This is the one place from which a command to such a service is printed; what stands in it is escaped as the service asks for.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use docket_core::manifest::Manifest;

use crate::failure::Failure;
use crate::manifest::{PURS_JSON, SPAGO_YAML};
use crate::print::Printer;
use crate::safe::harmless;

/// More are not shown by GitHub anyway.
const MOST: usize = 10;

/// For whom annotations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Annotations {
    /// GitHub Actions.
    Github,
}

/// Something to say about a place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Annotation {
    /// Relative to the directory that the program runs in.
    file: PathBuf,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
}

/// Prints what `failure` says about the package in `dir`. Failures that are not about the source have no annotation.
///
/// # Errors
///
/// When standard output does not take it.
pub(crate) fn annotate(
    failure: &Failure,
    dir: &Path,
    manifest: Option<&Manifest>,
    out: &Printer,
) -> Result<(), Failure> {
    let found: Vec<(&str, Annotation)> = match failure {
        Failure::JobFailed {
            error: Some(error), ..
        } => coded(&error.code, in_source(&error.code, &error.message, dir, manifest)),
        Failure::WouldRefuse { refused, .. } => refused
            .iter()
            .flat_map(|one| coded(one.code(), in_source(one.code(), &one.to_string(), dir, manifest)))
            .collect(),
        Failure::Manifest { file, cause } => {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let annotation = in_manifest(file.clone(), &text, "", &cause.to_string());
            vec![("manifest-invalid", annotation)]
        }
        _ => Vec::new(),
    };
    found
        .iter()
        .try_for_each(|(code, annotation)| Ok(out.bytes(command(annotation, code).as_bytes())?))
}

fn coded(code: &str, annotations: Vec<Annotation>) -> Vec<(&str, Annotation)> {
    annotations
        .into_iter()
        .map(|annotation| (code, annotation))
        .collect()
}

/// Finds the places that a message names, or else the field of the manifest that a code is about.
fn in_source(code: &str, message: &str, dir: &Path, manifest: Option<&Manifest>) -> Vec<Annotation> {
    let top = manifest.map(|manifest| format!("{}-{}/", manifest.name, manifest.version));
    let mut found: Vec<Annotation> = Vec::new();
    for line in message.lines() {
        match place(line) {
            Some((path, at, column, rest)) if found.len() < MOST => {
                // The registry compiles in a directory that is named after the version.
                let path = top
                    .as_deref()
                    .and_then(|top| path.strip_prefix(top))
                    .unwrap_or(path);
                found.push(Annotation {
                    file: beside(dir, path),
                    line: Some(at),
                    column,
                    message: rest.trim_start_matches([':', ' ']).to_owned(),
                });
            }
            Some(_) => break,
            // What stands below a place is about it.
            None => {
                if let Some(last) = found.last_mut() {
                    last.message.push('\n');
                    last.message.push_str(line.trim());
                }
            }
        }
    }
    if !found.is_empty() {
        return found;
    }
    let Some(name) = [PURS_JSON, SPAGO_YAML]
        .into_iter()
        .find(|name| dir.join(name).is_file())
    else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    vec![in_manifest(beside(dir, name), &text, field(code), message)]
}

/// The field of a manifest that a code is about; empty where there is none.
fn field(code: &str) -> &'static str {
    match code {
        "license-differs" => "license",
        "version-differs" | "already-published" | "version-unpublished" | "manifest-conflict" => "version",
        "ref-differs" | "ref-not-found" | "ref-invalid" => "ref",
        "name-differs" | "name-reserved" => "name",
        "unused-dependencies"
        | "missing-dependencies"
        | "unused-and-missing-dependencies"
        | "no-build-plan"
        | "dependency-not-published" => "dependencies",
        "glob-invalid" | "include-leaves-package" => "includeFiles",
        code if code.contains("location") || code.contains("repository") => "location",
        _ => "",
    }
}

/// Says something about a field of a manifest, or about the one that the message begins with: `purs.json: license: …`.
fn in_manifest(file: PathBuf, text: &str, field: &str, message: &str) -> Annotation {
    let named = message
        .split_once(".json: ")
        .or_else(|| message.split_once(".yaml: "))
        .and_then(|(_, rest)| rest.split_once(':'))
        .map_or("", |(path, _)| path.rsplit('.').next().unwrap_or_default());
    let field = if field.is_empty() {
        named.trim_matches('`')
    } else {
        field
    };
    let is_field = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        let key = line
            .split(':')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"');
        !field.is_empty() && key == field
    };
    Annotation {
        line: text.lines().position(is_field).map(|index| index + 1),
        column: None,
        file,
        message: message.to_owned(),
    }
}

/// Reads `PATH:LINE:COLUMN` or `PATH:LINE` at the beginning of a line, and what stands behind it.
fn place(line: &str) -> Option<(&str, usize, Option<usize>, &str)> {
    let end = line.find(".purs:").map(|at| at + ".purs".len())?;
    let (path, rest) = line.split_at(end);
    if path.is_empty() || path.contains(char::is_whitespace) {
        return None;
    }
    let (at, rest) = number(rest)?;
    Some(match number(rest) {
        Some((column, rest)) => (path, at, Some(column), rest),
        None => (path, at, None, rest),
    })
}

/// Reads `:NUMBER`.
fn number(text: &str) -> Option<(usize, &str)> {
    let digits = text.strip_prefix(':')?;
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// A path in the package, from where the program runs: `./src/A.purs` and `src/A.purs` are not the same to GitHub.
fn beside(dir: &Path, path: &str) -> PathBuf {
    let joined = dir.join(path);
    let here = std::env::current_dir().unwrap_or_default();
    let relative = joined.strip_prefix(&here).unwrap_or(&joined);
    relative.strip_prefix(".").unwrap_or(relative).to_owned()
}

/// The command, as GitHub documents it under "Workflow commands for GitHub Actions".
fn command(annotation: &Annotation, code: &str) -> String {
    let mut text = format!(
        "::error file={}",
        property(&annotation.file.display().to_string())
    );
    if let Some(line) = annotation.line {
        text.push_str(&format!(",line={line}"));
    }
    if let Some(column) = annotation.column {
        text.push_str(&format!(",col={column}"));
    }
    text.push_str(&format!(
        ",title={}::{}\n",
        property(code),
        data(&annotation.message)
    ));
    text
}

fn data(text: &str) -> String {
    harmless(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const PURS_JSON_TEXT: &str = "{\n  \"name\": \"demo\",\n  \"version\": \"1.0.0\",\n  \"license\": \"MIT\",\n  \"location\": { \"githubOwner\": \"lab\", \"githubRepo\": \"demo\" },\n  \"ref\": \"v1.0.0\",\n  \"dependencies\": {}\n}\n";

    /// What is printed about a job that failed like this.
    fn commands(code: &str, message: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(PURS_JSON), PURS_JSON_TEXT).unwrap();
        let manifest = Manifest::from_purs_json(PURS_JSON_TEXT).unwrap();
        let found = in_source(code, message, dir.path(), Some(&manifest));
        let text: String = found.iter().map(|annotation| command(annotation, code)).collect();
        text.replace(&property(&format!("{}/", dir.path().display())), "")
    }

    #[test]
    fn errors_of_the_compiler_are_shown_beside_their_lines() {
        assert_eq!(
            commands(
                "compile-failed",
                "The package does not compile with purs 0.15.15:\ndemo-1.0.0/src/A.purs:3:9 [UnknownName]\n  Unknown value foo\n\
                 demo-1.0.0/src/B.purs:7:1 [Other]\n  100% wrong"
            ),
            "::error file=src/A.purs,line=3,col=9,title=compile-failed::[UnknownName]%0AUnknown value foo\n\
             ::error file=src/B.purs,line=7,col=1,title=compile-failed::[Other]%0A100%25 wrong\n"
        );
        assert_eq!(
            commands(
                "module-header-invalid",
                "src/A.purs:2: the module header cannot be read: x"
            ),
            "::error file=src/A.purs,line=2,title=module-header-invalid::the module header cannot be read: x\n"
        );
    }

    #[test]
    fn other_errors_are_shown_beside_the_field_that_they_are_about() {
        for (code, message, line) in [
            ("license-differs", "no", ",line=4"),
            ("missing-dependencies", "no", ",line=7"),
            ("location-differs", "no", ",line=5"),
            (
                "manifest-invalid",
                "The manifest is not valid: purs.json: license: no",
                ",line=4",
            ),
            ("compiler-crashed", "no", ""),
        ] {
            assert_eq!(
                commands(code, message),
                format!("::error file=purs.json{line},title={code}::{message}\n")
            );
        }
    }

    #[test]
    fn what_others_wrote_stays_inside_the_annotation() {
        assert_eq!(
            commands("compile-failed", "src/A,b.purs:1:1 x\n::error::y\r\n\u{1b}[2J"),
            "::error file=src/A%2Cb.purs,line=1,col=1,title=compile-failed::x%0A\\x3a:error::y%0A\\x1b[2J\n"
        );
    }
}
