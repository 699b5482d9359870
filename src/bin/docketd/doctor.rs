//! `docketd doctor`: is everything there that the server needs? Every line that is not fine says what to do.

mod certificates;
mod clock;
mod stores;

use std::process::ExitCode;

use docket_worker::{
    compiler::Compilers,
    sandbox::{Sandbox, SandboxChoice},
};
use serde::Serialize;

use crate::{
    config::Config,
    server::{Stores, announce},
};

/// What came of looking at one thing. What is not fine comes with a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Fine.
    Ok(String),
    /// It works, but somebody should look at it soon.
    Warning(String, String),
    /// It does not work.
    Broken(String, String),
}

impl Verdict {
    fn warning(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Warning(text.into(), remedy.into())
    }

    fn broken(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Broken(text.into(), remedy.into())
    }
}

/// A verdict as it is told.
#[derive(Debug, Serialize)]
struct Line {
    check: String,
    state: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Nothing is broken.
    ok: bool,
    checks: Vec<Line>,
    #[serde(skip)]
    json: bool,
}

impl Report {
    fn add(&mut self, check: impl Into<String>, verdict: Verdict) {
        let (state, text, remedy) = match verdict {
            Verdict::Ok(text) => ("ok", text, None),
            Verdict::Warning(text, remedy) => ("warning", text, Some(remedy)),
            Verdict::Broken(text, remedy) => ("broken", text, Some(remedy)),
        };
        self.ok &= state != "broken";
        let line = Line {
            check: check.into(),
            state,
            text,
            remedy,
        };
        // A check may take a while: each is told when it is done.
        if !self.json {
            announce(&line.for_people());
        }
        self.checks.push(line);
    }
}

impl Line {
    fn for_people(&self) -> String {
        let Self {
            check, state, text, ..
        } = self;
        let remedy = self.remedy.as_ref().map(|remedy| format!("; {remedy}"));
        format!("{state:<7} {check}: {text}{}", remedy.unwrap_or_default())
    }
}

/// Checks everything, prints a line for each, and ends with 1 when something is broken.
pub async fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let mut report = Report {
        ok: true,
        json,
        ..Report::default()
    };
    report.add(
        "configuration",
        Verdict::Ok(format!("data directory {}", config.data_dir.display())),
    );
    match Stores::open(config).await {
        Ok(stores) => {
            let place = if stores.db.is_postgres() {
                "PostgreSQL answers"
            } else {
                "SQLite opens"
            };
            report.add("database", Verdict::Ok(place.to_owned()));
            report.add("storage", stores::storage(&stores).await);
            report.add("jobs", stores::jobs(&stores).await);
            report.add("packages", stores::packages(&stores).await);
            for (repository, verdict) in stores::remotes(config, &stores).await {
                report.add(format!("remote of the {repository}"), verdict);
            }
            if let Some(verdict) = clock::beside_the_database(&stores.db).await {
                report.add("clock", verdict);
            }
            stores.db.close().await;
        }
        Err(error) => report.add(
            "database and storage",
            Verdict::broken(
                format!("{error:#}"),
                "check data_dir, [database] and [storage], and whether their servers run",
            ),
        ),
    }
    report.add("time of day", clock::kept_by_the_system().await);
    for (whose, verdict) in certificates::check(config).await {
        report.add(format!("certificate of {whose}"), verdict);
    }

    let git = docket_index::git::git(std::path::Path::new("/"), &["--version"]).await;
    report.add(
        "git",
        match git {
            Ok(version) => Verdict::Ok(version.trim().to_owned()),
            Err(docket_index::git::Error::Missing(cause)) => Verdict::broken(
                format!("git could not be started: {cause}"),
                "install git, and put it on the path",
            ),
            Err(error) => Verdict::broken(error.to_string(), "see what `git --version` says"),
        },
    );
    compilers(config, &mut report).await;
    if config.github.team.is_some() {
        report.add("trustees", trustees(config).await);
    }
    if json {
        announce(&serde_json::to_string_pretty(&report)?);
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The sandbox, and the compilers that run in it.
async fn compilers(config: &Config, report: &mut Report) {
    let search_path = std::env::var("PATH").unwrap_or_default();
    let sandbox = match Sandbox::choose(config.worker.sandbox, &search_path).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            let remedy = "install bubblewrap and allow user namespaces, or choose another [worker] sandbox";
            return report.add("sandbox", Verdict::broken(error.to_string(), remedy));
        }
    };
    let description = sandbox.describe().trim_end_matches('.').to_owned();
    report.add(
        "sandbox",
        // Whoever switched it off knows.
        if sandbox.isolates() || config.worker.sandbox == SandboxChoice::None {
            Verdict::Ok(description)
        } else {
            Verdict::broken(
                description,
                "set [worker] sandbox = \"none\" if that is on purpose, because all packages are trusted",
            )
        },
    );
    let compilers = Compilers::find(&config.compilers.path, &search_path, &sandbox).await;
    let versions: Vec<_> = compilers
        .iter()
        .map(|compiler| {
            let stand_in = if compiler.is_stand_in { " (stand-in)" } else { "" };
            format!("{}{stand_in}", compiler.version)
        })
        .collect();
    report.add(
        "compilers",
        if versions.is_empty() {
            Verdict::broken(
                "none found",
                "put executables purs-X_Y_Z into a directory named in [compilers] path, or purs on the PATH",
            )
        } else {
            Verdict::Ok(versions.join(", "))
        },
    );
    for (path, why) in compilers.skipped() {
        report.add(
            "compiler",
            Verdict::broken(
                format!("{} is not used: {why}", path.display()),
                "put one that runs on this machine in its place, or remove it",
            ),
        );
    }
}

/// Asks GitHub for the team that we trust.
async fn trustees(config: &Config) -> Verdict {
    let github = match config.github.client() {
        Ok(Some(github)) => github,
        Ok(None) => {
            return Verdict::broken("GitHub shows no team without a token", "set [github] token_file");
        }
        Err(error) => return Verdict::broken(error.to_string(), "mend the [github] section"),
    };
    match github.team_members().await {
        Ok(members) => Verdict::Ok(format!("GitHub lists {} members of the team", members.len())),
        Err(error) => Verdict::broken(
            format!("the team cannot be listed: {error}"),
            "[github] token_file must hold the token of a member of its organisation, with read:org",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_not_fine_has_its_remedy() {
        let mut report = Report {
            ok: true,
            json: true,
            ..Report::default()
        };
        report.add("git", Verdict::Ok("git version 2".to_owned()));
        report.add("clock", Verdict::warning("slow", "wind it up"));
        assert!(report.ok, "a warning is no failure");
        report.add("disk", Verdict::broken("full", "make room"));
        assert!(!report.ok);
        let lines: Vec<_> = report.checks.iter().map(Line::for_people).collect();
        assert_eq!(
            lines,
            [
                "ok      git: git version 2",
                "warning clock: slow; wind it up",
                "broken  disk: full; make room"
            ]
        );
        let json = serde_json::to_value(&report).unwrap();
        let expected = serde_json::json!({"ok": false, "checks": [
            {"check": "git", "state": "ok", "text": "git version 2"},
            {"check": "clock", "state": "warning", "text": "slow", "remedy": "wind it up"},
            {"check": "disk", "state": "broken", "text": "full", "remedy": "make room"},
        ]});
        assert_eq!(json, expected);
    }
}
