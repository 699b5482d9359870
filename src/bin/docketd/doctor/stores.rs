//! Database, storage and remotes: whether they answer, and whether they agree.

use docket_index::PushState;
use docket_jobs::{Clock, Jobs};

use super::Verdict;
use crate::{config::Config, server::Stores};

/// Writes a blob and removes it: a key may be allowed one and not the other. No tarball has these bytes.
pub async fn storage(stores: &Stores) -> Verdict {
    let tried = async {
        let blob = stores.storage.put("docketd doctor\n".into()).await?;
        stores.storage.remove(blob).await
    };
    match tried.await {
        Ok(()) => Verdict::Ok(format!(
            "a blob can be written to and removed from the {}",
            stores.storage.describe()
        )),
        Err(error) => Verdict::broken(
            format!("{:#}", anyhow::Error::from(error)),
            "make room, or let docketd list, read, write and delete there",
        ),
    }
}

/// Whether the job tables keep what docs/jobs.md promises.
pub async fn jobs(stores: &Stores) -> Verdict {
    let jobs = Jobs::new(stores.db.clone(), Clock::system());
    let mut found = match jobs.audit().await {
        Ok(found) => found,
        Err(error) => return before_migration(&error),
    };
    match jobs.audit_archive(&stores.storage).await {
        Ok(more) => found.extend(more),
        Err(error) => return before_migration(&error),
    }
    if found.is_empty() {
        return Verdict::Ok(
            "every log is whole and its archived parts are there, no lock has two holders, nobody waits for nothing"
                .to_owned(),
        );
    }
    Verdict::broken(found.join("; "), "see docs/jobs.md for what this breaks")
}

/// Whether rows, repositories and tarballs agree.
pub async fn packages(stores: &Stores) -> Verdict {
    let found = match docket_index::audit(&stores.db, &stores.storage).await {
        Ok(found) => found,
        Err(error) => return before_migration(&error),
    };
    if found.is_empty() {
        return Verdict::Ok("rows, repositories and tarballs agree".to_owned());
    }
    Verdict::broken(
        found.join("; "),
        "restore what is missing from a backup, or publish it again",
    )
}

/// Before the first start there are no tables.
fn before_migration(error: &dyn std::error::Error) -> Verdict {
    Verdict::broken(
        error.to_string(),
        "run `docketd migrate` first if this is a new database",
    )
}

/// How far each repository is pushed, and what is wrong with its remote.
pub async fn remotes(config: &Config, stores: &Stores) -> Vec<(String, Verdict)> {
    let remotes = match stores.remotes(config) {
        Ok(remotes) => remotes,
        Err(error) => {
            let verdict = Verdict::broken(error.to_string(), "mend the [git] section");
            return vec![("repositories".to_owned(), verdict)];
        }
    };
    let mut lines = Vec::new();
    for (repository, remote) in remotes.repositories() {
        let line = match remotes.state(repository).await {
            Err(error) => before_migration(&error),
            Ok((state, behind)) => describe(state, behind, remote.url()),
        };
        lines.push((repository.to_string(), line));
    }
    lines
}

fn describe(state: Option<PushState>, behind: i64, url: &str) -> Verdict {
    let Some(state) = state else {
        return Verdict::Ok(format!("nothing was pushed to {url} yet; {behind} changes wait"));
    };
    if let Some((problem, since)) = state.problem {
        return Verdict::broken(
            format!("{behind} changes wait; pushes fail since {since}: {problem}"),
            "mend the remote, then they go on by themselves",
        );
    }
    if !state.foreign_tags.is_empty() {
        return Verdict::broken(
            format!(
                "tags at {url} lead to other commits than ours and are left alone: {}",
                state.foreign_tags.join(", ")
            ),
            "remove them there, and the next push brings ours",
        );
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
    Verdict::Ok(format!("pushed to {url} at {at}; {behind} changes wait{by_hand}"))
}

#[cfg(test)]
mod tests {
    use docket_core::time::Timestamp;

    use super::*;

    fn told(state: PushState) -> Verdict {
        describe(Some(state), 2, "git://remote")
    }

    #[test]
    fn a_remote_that_is_well_tells_how_far_it_is() {
        let ok = |text: &str| Verdict::Ok(text.to_owned());
        assert_eq!(
            describe(None, 2, "git://remote"),
            ok("nothing was pushed to git://remote yet; 2 changes wait")
        );
        let pushed_at = Some(Timestamp::from_millis(0));
        let state = PushState {
            pushed_at,
            ..PushState::default()
        };
        assert_eq!(
            told(state),
            ok("pushed to git://remote at 1970-01-01T00:00:00.000Z; 2 changes wait")
        );
    }

    #[test]
    fn a_remote_that_others_write_to_is_told() {
        let state = PushState {
            foreign_commits: 3,
            ..PushState::default()
        };
        assert!(matches!(told(state), Verdict::Ok(text) if text.contains("3 commits there are not ours")));
        let state = PushState {
            foreign_tags: vec!["psc-1".to_owned()],
            ..PushState::default()
        };
        assert!(matches!(told(state), Verdict::Broken(text, _) if text.ends_with("left alone: psc-1")));
    }

    #[test]
    fn a_remote_that_cannot_be_reached_is_broken_since_then() {
        let state = PushState {
            problem: Some(("no route".to_owned(), Timestamp::from_millis(0))),
            ..PushState::default()
        };
        assert_eq!(
            told(state),
            Verdict::broken(
                "2 changes wait; pushes fail since 1970-01-01T00:00:00.000Z: no route",
                "mend the remote, then they go on by themselves"
            )
        );
    }
}
