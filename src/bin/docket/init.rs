//! `docket init`: the first manifest of a package, with questions whose answers can mostly be guessed.

mod guess;

use std::fs::{self, OpenOptions};
use std::io::Write;

use docket_client::Client;
use docket_core::license::License;
use docket_core::location::Location;
use docket_core::manifest::Manifest;
use docket_core::name::PackageName;
use docket_core::range::Range;
use docket_core::text::Description;
use docket_core::version::Version;
use serde_json::{Map, Value, json};

use crate::args;
use crate::failure::Failure;
use crate::manifest::{PURS_JSON, SPAGO_YAML, read_file};
use crate::print::Printer;
use guess::Guess;
pub(crate) use guess::place;

/// Asks, checks as the registry will, and writes.
///
/// # Errors
///
/// When there is a manifest already, something cannot be guessed and nobody answers, or the file cannot be written.
pub(crate) async fn run(client: &Client, args: args::Init, out: &Printer) -> Result<(), Failure> {
    let file = args.dir.join(PURS_JSON);
    if fs::symlink_metadata(&file).is_ok() {
        return Err(Failure::Exists { file });
    }
    if !args.yes && !out.can_ask() {
        return Err(Failure::NobodyAnswers {
            what: "what the manifest shall say",
            advice: "Take what can be guessed, with --yes.",
        });
    }
    let spago = read_file(&args.dir, SPAGO_YAML)?;
    let guess = Guess::make(&args.dir, spago.as_ref().map(|(_, text)| text.as_str())).await?;
    let answers = Answers { yes: args.yes, out };
    let mut object = Map::new();
    let name: PackageName = answers.get("name", guess.name.as_deref())?;
    object.insert("name".to_owned(), json!(name));
    let version: Version = answers.get("version", Some(&guess.version))?;
    object.insert("version".to_owned(), json!(version));
    let license: Strict = answers.get("licence", guess.license.as_deref())?;
    object.insert("license".to_owned(), license.0.as_str().into());
    let description: Description = answers.get("description", Some(&guess.description))?;
    if !description.as_str().is_empty() {
        object.insert("description".to_owned(), description.as_str().into());
    }
    let place: Place = answers.get("location", guess.location.as_deref())?;
    object.insert("location".to_owned(), json!(place.at(guess.subdir.as_deref())?));
    let git_ref = format!("v{version}");
    object.insert("ref".to_owned(), git_ref.clone().into());
    let dependencies = ranges(client, &guess.dependencies, out).await?;
    object.insert("dependencies".to_owned(), dependencies);

    // What decides is what decides at the registry.
    let manifest =
        Manifest::from_purs_json(&Value::Object(object).to_string()).map_err(|cause| Failure::Manifest {
            file: file.clone(),
            cause: cause.into(),
        })?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&file)
        .and_then(|mut opened| opened.write_all(manifest.to_pretty().as_bytes()));
    written.map_err(|cause| Failure::Unwritable {
        file: file.clone(),
        cause,
    })?;
    if out.json() {
        return Ok(out.object(&json!({ "file": file, "manifest": manifest }))?);
    }
    out.text(&format!("wrote {}", file.display()))?;
    if let Some((spago, _)) = spago {
        out.note(&format!(
            "the registry reads it before {}, so both should say the same",
            spago.display()
        ));
    }
    out.note(&format!(
        "next: `docket owner add {} KEY`, commit, `git tag {git_ref}`, push both, `docket publish`",
        manifest.name
    ));
    Ok(())
}

/// Where answers come from: the keyboard, or the guesses.
struct Answers<'a> {
    yes: bool,
    out: &'a Printer,
}

impl Answers<'_> {
    /// Asks until the answer is one.
    fn get<T>(&self, what: &'static str, guess: Option<&str>) -> Result<T, Failure>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let parsed = guess.map(str::parse::<T>);
        if self.yes {
            return match parsed {
                Some(Ok(value)) => Ok(value),
                other => Err(Failure::Unguessed {
                    what,
                    problem: other.and_then(Result::err).map(|error| error.to_string()),
                }),
            };
        }
        let offered = guess
            .filter(|_| matches!(parsed, Some(Ok(_))))
            .unwrap_or_default();
        loop {
            let answer = self
                .out
                .ask_for(what, offered)
                .map_err(|_| Failure::NobodyAnswers {
                    what,
                    advice: "Take what can be guessed, with --yes.",
                })?;
            match answer.parse() {
                Ok(value) => return Ok(value),
                Err(error) => self.out.show(&format!("  {error}")),
            }
        }
    }
}

/// A licence as new manifests must spell it.
struct Strict(License);

impl std::str::FromStr for Strict {
    type Err = docket_core::license::LicenseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        License::parse_strict(text).map(Self)
    }
}

/// A repository: `OWNER/REPO` on GitHub, or the address of another one.
struct Place(String);

impl std::str::FromStr for Place {
    type Err = docket_core::location::LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = Self(text.to_owned());
        place.located(None).map(|_| place)
    }
}

impl Place {
    fn located(&self, subdir: Option<&str>) -> Result<Location, docket_core::location::LocationError> {
        match self.0.split_once('/') {
            Some((owner, repo)) if !self.0.contains(':') => Location::github(owner, repo, subdir),
            _ => Location::git(&self.0, subdir),
        }
    }

    fn at(&self, subdir: Option<&str>) -> Result<Location, Failure> {
        self.located(subdir).map_err(|error| Failure::Unguessed {
            what: "subdir of the location",
            problem: Some(error.to_string()),
        })
    }
}

/// Gives each dependency a range: its own, or that of everything compatible with its highest version.
async fn ranges(
    client: &Client,
    dependencies: &[(PackageName, Option<String>)],
    out: &Printer,
) -> Result<Value, Failure> {
    let mut ranges = Map::new();
    for (name, range) in dependencies {
        let range = match range {
            // The same forms as the registry takes from a spago.yaml.
            Some(text) => match text.parse::<Version>() {
                Ok(version) => Range::exact(version).to_string(),
                Err(_) => text.clone(),
            },
            None => {
                let latest = client.get_metadata(name).await?.latest();
                let latest = latest.ok_or_else(|| Failure::NoVersion { name: name.clone() })?;
                let range = Range::caret(latest).to_string();
                out.note(&format!("{name} {range}, since its highest version is {latest}"));
                range
            }
        };
        ranges.insert(name.to_string(), range.into());
    }
    Ok(ranges.into())
}
