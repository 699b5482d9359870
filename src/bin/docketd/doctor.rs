//! `docketd doctor`: is everything there that the server needs? Every line that is not fine says what to do.

use std::process::ExitCode;

use docket_index::PushState;
use docket_jobs::{Clock, Jobs};
use docket_worker::{
    compiler::Compilers,
    sandbox::{Sandbox, SandboxChoice},
};

use crate::{config::Config, server::Stores};

/// Checks everything, prints a line for each, and ends with 1 when something is broken.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut broken = false;
    let mut report = |name: &str, result: Result<String, String>| match result {
        Ok(text) => println!("ok      {name}: {text}"),
        Err(text) => {
            broken = true;
            println!("broken  {name}: {text}");
        }
    };
    report(
        "configuration",
        Ok(format!("data directory {}", config.data_dir.display())),
    );

    match Stores::open(config).await {
        Ok(stores) => {
            let place = if stores.db.is_postgres() {
                "PostgreSQL answers"
            } else {
                "SQLite opens"
            };
            report("database", Ok(place.to_owned()));
            report("storage", storage(&stores).await);
            report("jobs", jobs(&stores).await);
            report("packages", packages(&stores).await);
            for (repository, result) in remotes(config, &stores).await {
                report(&format!("remote of the {repository}"), result);
            }
            stores.db.close().await;
        }
        Err(error) => report("database and storage", Err(format!("{error:#}"))),
    }

    let git = docket_index::git::git(std::path::Path::new("/"), &["--version"]).await;
    report(
        "git",
        git.map(|version| version.trim().to_owned())
            .map_err(|error| format!("{error}; install git")),
    );

    let search_path = std::env::var("PATH").unwrap_or_default();
    match Sandbox::choose(config.worker.sandbox, &search_path).await {
        Ok(sandbox) => {
            let description = sandbox.describe();
            report(
                "sandbox",
                // Whoever switched it off knows.
                if sandbox.isolates() || config.worker.sandbox == SandboxChoice::None {
                    Ok(description)
                } else {
                    Err(description)
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
            report(
                "compilers",
                if versions.is_empty() {
                    Err("none found; put executables purs-X_Y_Z into a directory named in [compilers] path, or purs on the PATH".to_owned())
                } else {
                    Ok(versions.join(", "))
                },
            );
            for (path, why) in compilers.skipped() {
                report("compiler", Err(format!("{} is not used: {why}", path.display())));
            }
        }
        Err(error) => report("sandbox", Err(error.to_string())),
    }
    if config.github.team.is_some() {
        report("trustees", trustees(config).await);
    }
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes a blob and removes it: a key may be allowed one and not the other. No tarball has these bytes.
async fn storage(stores: &Stores) -> Result<String, String> {
    let told = |error| format!("{:#}", anyhow::Error::from(error));
    let blob = stores.storage.put("docketd doctor\n".into()).await;
    stores.storage.remove(blob.map_err(told)?).await.map_err(told)?;
    Ok(format!(
        "a blob can be written to and removed from the {}",
        stores.storage.describe()
    ))
}

/// Whether the job tables keep what docs/jobs.md promises.
async fn jobs(stores: &Stores) -> Result<String, String> {
    let jobs = Jobs::new(stores.db.clone(), Clock::system());
    let mut found = jobs.audit().await.map_err(|error| before_migration(&error))?;
    let archive = jobs.audit_archive(&stores.storage).await;
    found.extend(archive.map_err(|error| before_migration(&error))?);
    if found.is_empty() {
        return Ok("every log is whole and its archived parts are there, no lock has two holders, nobody waits for nothing".to_owned());
    }
    Err(format!(
        "{}; see docs/jobs.md for what this breaks",
        found.join("; ")
    ))
}

/// Whether rows, repositories and tarballs agree.
async fn packages(stores: &Stores) -> Result<String, String> {
    let found = docket_index::audit(&stores.db, &stores.storage).await;
    let found = found.map_err(|error| before_migration(&error))?;
    if found.is_empty() {
        return Ok("rows, repositories and tarballs agree".to_owned());
    }
    Err(format!(
        "{}; restore what is missing from a backup, or publish it again",
        found.join("; ")
    ))
}

/// Before the first start there are no tables.
fn before_migration(error: &dyn std::error::Error) -> String {
    format!("{error}; run `docketd migrate` first if this is a new database")
}

/// How far each repository is pushed, and what is wrong with its remote.
async fn remotes(config: &Config, stores: &Stores) -> Vec<(String, Result<String, String>)> {
    let remotes = match stores.remotes(config) {
        Ok(remotes) => remotes,
        Err(error) => return vec![("repositories".to_owned(), Err(error.to_string()))],
    };
    let mut lines = Vec::new();
    for (repository, remote) in remotes.repositories() {
        let line = match remotes.state(repository).await {
            // Before the first start there are no tables.
            Err(error) => Err(format!("{error}; run `docketd migrate` first")),
            Ok((state, behind)) => describe(state, behind, remote.url()),
        };
        lines.push((repository.to_string(), line));
    }
    lines
}

fn describe(state: Option<PushState>, behind: i64, url: &str) -> Result<String, String> {
    let Some(state) = state else {
        return Ok(format!("nothing was pushed to {url} yet; {behind} changes wait"));
    };
    if let Some((problem, since)) = state.problem {
        return Err(format!(
            "{behind} changes wait; pushes fail since {since}: {problem}; mend the remote, then they go on by themselves"
        ));
    }
    if !state.foreign_tags.is_empty() {
        return Err(format!(
            "tags at {url} lead to other commits than ours and are left alone: {}; remove them there, and the next push brings ours",
            state.foreign_tags.join(", ")
        ));
    }
    let by_hand = match state.foreign_commits {
        0 => String::new(),
        count => format!(
            "; {count} commits there are not ours: somebody commits by hand, and our commits follow theirs"
        ),
    };
    let at = state
        .pushed_at
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    Ok(format!("pushed to {url} at {at}; {behind} changes wait{by_hand}"))
}

/// Asks GitHub for the team that we trust.
async fn trustees(config: &Config) -> Result<String, String> {
    let github = config.github.client().map_err(|error| error.to_string())?;
    let github =
        github.ok_or_else(|| "GitHub shows no team without a token; set [github] token_file".to_owned())?;
    let members = github.team_members().await.map_err(|error| {
        format!(
            "the team cannot be listed: {error}; [github] token_file must hold the token of a member of its organisation, with read:org"
        )
    })?;
    Ok(format!("GitHub lists {} members of the team", members.len()))
}

#[cfg(test)]
mod tests {
    use docket_core::time::Timestamp;

    use super::*;

    fn told(state: PushState) -> Result<String, String> {
        describe(Some(state), 2, "git://remote")
    }

    #[test]
    fn a_remote_that_is_well_tells_how_far_it_is() {
        assert_eq!(
            describe(None, 2, "git://remote").unwrap(),
            "nothing was pushed to git://remote yet; 2 changes wait"
        );
        let pushed_at = Some(Timestamp::from_millis(0));
        let state = PushState {
            pushed_at,
            ..PushState::default()
        };
        assert_eq!(
            told(state).unwrap(),
            "pushed to git://remote at 1970-01-01T00:00:00.000Z; 2 changes wait"
        );
    }

    #[test]
    fn a_remote_that_others_write_to_is_told() {
        let state = PushState {
            foreign_commits: 3,
            ..PushState::default()
        };
        assert!(told(state).unwrap().contains("3 commits there are not ours"));
        let state = PushState {
            foreign_tags: vec!["psc-1".to_owned()],
            ..PushState::default()
        };
        assert!(told(state).unwrap_err().contains("left alone: psc-1;"));
    }

    #[test]
    fn a_remote_that_cannot_be_reached_is_broken_since_then() {
        let state = PushState {
            problem: Some(("no route".to_owned(), Timestamp::from_millis(0))),
            ..PushState::default()
        };
        assert_eq!(
            told(state).unwrap_err(),
            "2 changes wait; pushes fail since 1970-01-01T00:00:00.000Z: no route; mend the remote, then they go on by themselves"
        );
    }
}
