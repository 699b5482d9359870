//! Pushing the repositories to their remotes: never forced, never lost.
//!
//! Without anybody else the remote gets exactly the commits of our copy. Where somebody has committed there by hand, our changes since the last
//! push are played on top of theirs, with the same bytes, times and messages: the feed says what each commit holds, so nothing needs to
//! be merged. Tags follow the commits and are never moved. What a push tries to bring there is written down first, so one whose answer was lost is recognised by the next.

mod call;
mod tags;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use docket_core::time::Timestamp;
use docket_db::Db;

use super::{BRANCH, Error, GitViews, fast_import, git};
use crate::{
    Repository,
    store::{
        changes,
        pushes::{self, PushState, Reached},
    },
};
use call::{Call, Theirs};

/// How often a push starts over when somebody else was faster.
const TRIES: usize = 3;

/// How many changes are played at once on top of somebody else's commits.
const BATCH: i64 = 500;

/// Our copy's branch inside the folder a push works in.
const VIEW: &str = "refs/docket/view";

/// Where a repository is pushed, and the token that allows it.
#[derive(Clone)]
pub struct Remote {
    url: String,
    token: Option<String>,
}

impl Remote {
    /// A remote at `url`; the token goes into a header, never into the address or an argument.
    pub fn new(url: String, token: Option<String>) -> Self {
        Self { url, token }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Without the token.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.url).finish()
    }
}

/// Why a repository was not pushed; it is tried again, and nothing is lost meanwhile.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The remote did not take it, or did not answer.
    #[error("the remote {url} did not take the {repository}: {output}")]
    Remote {
        /// Which repository.
        repository: Repository,
        /// Where.
        url: String,
        /// What git said.
        output: String,
    },
    /// The remote holds another history.
    #[error(
        "the remote {url} holds a history that has nothing in common with the {repository}: give it an empty repository, or import what is there"
    )]
    Unrelated {
        /// Which repository.
        repository: Repository,
        /// Where.
        url: String,
    },
    /// Our copy could not be brought up to date, or the disk failed.
    #[error(transparent)]
    Copy(#[from] Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] docket_db::Error),
}

/// What a push did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Commits that went there.
    pub commits: i64,
    /// Tags that went there.
    pub tags: i64,
    /// Commits that were there and are not ours.
    pub foreign_commits: i64,
}

/// The remotes of a registry: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Remotes {
    views: GitViews,
    db: Db,
    folder: Arc<PathBuf>,
    remotes: Arc<BTreeMap<&'static str, Remote>>,
}

impl Remotes {
    /// Pushes the copies of `views`; `folder` is for the work.
    pub fn new(
        views: GitViews,
        db: Db,
        folder: PathBuf,
        remotes: impl IntoIterator<Item = (Repository, Remote)>,
    ) -> Self {
        let remotes = remotes
            .into_iter()
            .map(|(repository, remote)| (repository.as_str(), remote))
            .collect();
        Self {
            views,
            db,
            folder: Arc::new(folder),
            remotes: Arc::new(remotes),
        }
    }

    /// The repositories that have a remote.
    pub fn repositories(&self) -> Vec<(Repository, &Remote)> {
        Repository::ALL
            .into_iter()
            .filter_map(|repository| Some((repository, self.remotes.get(repository.as_str())?)))
            .collect()
    }

    /// Returns what is known of the remote of `repository`, and how many changes it lacks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn state(&self, repository: Repository) -> Result<(Option<PushState>, i64), docket_db::Error> {
        let mut tx = self.db.read().await?;
        let state = pushes::find(&mut tx, repository).await?;
        let reached = state.as_ref().map_or(0, |state| state.reached.change_seq);
        let behind = changes::count_after(&mut tx, repository, reached).await?;
        Ok((state, behind))
    }

    /// Brings the remote of `repository` up to date. One at a time: the caller holds the lock `git/push`.
    ///
    /// # Errors
    /// When the remote does not take it; the next push goes on from there.
    pub async fn push(&self, repository: Repository, now: Timestamp) -> Result<Pushed, PushError> {
        let Some(remote) = self.remotes.get(repository.as_str()) else {
            return Ok(Pushed::default());
        };
        let done = self.try_push(repository, remote, now).await;
        if let Err(error) = &done {
            let mut tx = self.db.write().await?;
            let mut state = pushes::find(&mut tx, repository).await?.unwrap_or_default();
            let since = state.problem.map_or(now, |(_, since)| since);
            state.problem = Some((error.to_string(), since));
            pushes::put(&mut tx, repository, &state).await?;
            tx.commit().await?;
        }
        done
    }

    async fn try_push(
        &self,
        repository: Repository,
        remote: &Remote,
        now: Timestamp,
    ) -> Result<Pushed, PushError> {
        let call = Call {
            repository,
            remote,
            folder: self.work_folder(repository).await?,
        };
        let view = self.views.bring_up_to_date(repository).await?;
        let Some(newest) = self.views.seq_of_copy(repository).await? else {
            // Nothing was ever written there.
            return Ok(Pushed::default());
        };
        call.fetch_ours(&view).await?;
        let ours = Reached {
            commit_id: call.commit(VIEW).await?,
            change_seq: newest,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let theirs = call.fetch().await?;
            let (target, foreign) = match &theirs.commit_id {
                Some(commit_id) if !call.is_ancestor(commit_id, &ours.commit_id).await => {
                    self.play_on_theirs(&call, commit_id, newest).await?
                }
                _ => (ours.clone(), 0),
            };
            match self.bring(&call, &theirs, &target, foreign, now).await {
                Ok(pushed) => return Ok(pushed),
                // Somebody else was faster, perhaps: look again.
                Err(PushError::Remote { .. }) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Plays what the remote lacks of our changes up to `newest` on top of what it has, and returns the result and how many of its commits are not ours.
    async fn play_on_theirs(
        &self,
        call: &Call<'_>,
        theirs: &str,
        newest: i64,
    ) -> Result<(Reached, i64), PushError> {
        let mut tx = self.db.read().await?;
        let state = pushes::find(&mut tx, call.repository).await?;
        drop(tx);
        let mut known = None;
        if let Some(state) = state {
            for reached in state.pending.into_iter().chain([state.reached]) {
                if !reached.commit_id.is_empty() && call.is_ancestor(&reached.commit_id, theirs).await {
                    known = Some(reached);
                    break;
                }
            }
        }
        let known = match known {
            Some(known) => known,
            None => self.common_ancestor(call, theirs).await?,
        };
        let foreign = call.count(&known.commit_id, theirs).await?;
        git(&call.folder, &["update-ref", BRANCH, theirs]).await?;
        let mut seq = known.change_seq;
        loop {
            let mut tx = self.db.read().await?;
            let mut batch = changes::list(&mut tx, Some(call.repository), seq, BATCH).await?;
            drop(tx);
            // What came since our copy was brought up to date is for the next push.
            batch.retain(|change| change.seq <= newest);
            let Some(last) = batch.last() else { break };
            seq = last.seq;
            fast_import::play(&call.folder, &batch, false).await?;
        }
        let target = Reached {
            commit_id: call.commit(BRANCH).await?,
            change_seq: seq,
        };
        Ok((target, foreign))
    }

    /// The newest commit that the remote shares with our copy, where nothing was written down.
    async fn common_ancestor(&self, call: &Call<'_>, theirs: &str) -> Result<Reached, PushError> {
        let unrelated = || PushError::Unrelated {
            repository: call.repository,
            url: call.remote.url.clone(),
        };
        let base = git(&call.folder, &["merge-base", VIEW, theirs]).await;
        let commit_id = base.map_err(|_| unrelated())?.trim().to_owned();
        let ahead = call.count(&commit_id, VIEW).await?;
        let mut tx = self.db.read().await?;
        let change_seq = changes::seq_before_last(&mut tx, call.repository, ahead).await?;
        Ok(Reached {
            commit_id,
            change_seq: change_seq.ok_or_else(unrelated)?,
        })
    }

    /// Pushes the commits up to `target` and then the tags, and writes down that all of it arrived.
    async fn bring(
        &self,
        call: &Call<'_>,
        theirs: &Theirs,
        target: &Reached,
        foreign: i64,
        now: Timestamp,
    ) -> Result<Pushed, PushError> {
        let commits = match &theirs.commit_id {
            Some(commit_id) => call.count(commit_id, &target.commit_id).await?,
            None => call.count_all(&target.commit_id).await?,
        };
        if commits > 0 {
            self.try_commits(call, target).await?;
        }
        let (tags, foreign_tags) = call.push_tags(&theirs.tags, &target.commit_id).await?;
        let state = PushState {
            reached: target.clone(),
            pending: None,
            pushed_at: Some(now),
            // What is there beside ours, since the beginning.
            foreign_commits: call.count_all(&target.commit_id).await? - call.count_all(VIEW).await?,
            foreign_tags,
            problem: None,
        };
        let mut tx = self.db.write().await?;
        pushes::put(&mut tx, call.repository, &state).await?;
        tx.commit().await?;
        Ok(Pushed {
            commits,
            tags,
            foreign_commits: foreign,
        })
    }

    /// Writes down what is tried, so that it is known again when the answer is lost, and pushes it.
    async fn try_commits(&self, call: &Call<'_>, target: &Reached) -> Result<(), PushError> {
        let mut tx = self.db.write().await?;
        let before = pushes::find(&mut tx, call.repository).await?.unwrap_or_default();
        let state = PushState {
            pending: Some(target.clone()),
            ..before
        };
        pushes::put(&mut tx, call.repository, &state).await?;
        tx.commit().await?;
        call.push(&[format!("{}:{BRANCH}", target.commit_id)]).await
    }

    /// A bare repository that holds nothing of its own.
    async fn work_folder(&self, repository: Repository) -> Result<PathBuf, PushError> {
        let folder = self.folder.join(format!("{repository}.git"));
        if !folder.join("HEAD").exists() {
            tokio::fs::create_dir_all(&folder)
                .await
                .map_err(|cause| Error::Io {
                    path: folder.clone(),
                    cause,
                })?;
            git(
                &folder,
                &["init", "--quiet", "--bare", "--initial-branch=main", "."],
            )
            .await?;
        }
        Ok(folder)
    }
}
