//! The git repositories that clients clone: bare copies made from the change feed.
//!
//! A repository is a pure function of the feed, so every process that plays it makes the same commits with the same hashes. How far a copy has come
//! is not stored anywhere: it is the number of commits since the base.

mod command;
mod fast_import;
pub mod remote;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use docket_db::Db;
use docket_storage::Storage;
use tracing::{info, warn};

use crate::{
    Repository,
    store::{bases, changes},
};
pub use command::git;

/// The branch that clients read.
pub const BRANCH: &str = "refs/heads/main";

/// How many changes one `git fast-import` plays.
const BATCH: i64 = 500;

/// Why a copy of a repository could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git ended with an error.
    #[error("`git {command}` failed: {output}")]
    Git {
        /// Its sub-command.
        command: String,
        /// What it said.
        output: String,
    },
    /// There is no git.
    #[error("git could not be started; install it, and put it on the path")]
    Missing(#[source] io::Error),
    /// The disk failed.
    #[error("the repository at {} cannot be written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The history that was imported is not in blob storage.
    #[error("the imported history of {0} is missing in blob storage; restore it from a backup")]
    BundleMissing(Repository),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] docket_db::Error),
    /// The blob store failed.
    #[error(transparent)]
    Storage(#[from] docket_storage::Error),
}

/// The copies of one process: a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct GitViews {
    folder: Arc<PathBuf>,
    db: Db,
    storage: Storage,
    /// The feed's position each copy has reached, so that an unchanged copy costs one query.
    reached: Arc<[tokio::sync::Mutex<i64>; Repository::ALL.len()]>,
}

impl GitViews {
    /// Keeps the copies in `folder`.
    pub fn new(folder: PathBuf, db: Db, storage: Storage) -> Self {
        Self {
            folder: Arc::new(folder),
            db,
            storage,
            reached: Arc::new(Repository::ALL.map(|_| (-1).into())),
        }
    }

    /// Where the bare copy of `repository` is.
    pub fn path(&self, repository: Repository) -> PathBuf {
        self.folder.join(format!("{repository}.git"))
    }

    /// Plays the changes that the copy of `repository` lacks, and returns where it is.
    ///
    /// # Errors
    /// When the database, the disk or git fails. The copy then still shows an older state, never half of one.
    pub async fn bring_up_to_date(&self, repository: Repository) -> Result<PathBuf, Error> {
        let path = self.path(repository);
        let mut reached = self.reached[repository as usize].lock().await;
        let mut tx = self.db.read().await?;
        let newest = changes::last_seq(&mut tx).await?;
        drop(tx);
        if *reached == newest {
            return Ok(path);
        }
        // Another process may keep its copies in the same folder.
        let _lock = lock(self.folder.clone(), repository)
            .await
            .map_err(|cause| Error::Io {
                path: path.clone(),
                cause,
            })?;
        let mut position = match self.position(repository, &path).await? {
            Some(position) => position,
            None => self.create(repository, &path).await?,
        };
        let mut made_again = false;
        loop {
            let mut tx = self.db.read().await?;
            let after = changes::seq_at(&mut tx, repository, position).await?;
            let Some(after) = after else {
                drop(tx);
                // More commits than changes: somebody else wrote here. It is a copy, so it can be made again.
                warn!(path = %path.display(), "a repository copy is not what the change feed says; making it again");
                position = self.create(repository, &path).await?;
                continue;
            };
            let batch = changes::list(&mut tx, Some(repository), after, BATCH).await?;
            drop(tx);
            if batch.is_empty() {
                break;
            }
            let first = position == 0 && !self.has_commits(&path).await?;
            match fast_import::play(&path, &batch, first).await {
                Ok(()) => position += batch.len() as i64,
                Err(error @ Error::Git { .. }) if !made_again => {
                    // A process that died in the middle leaves lock files and cut off objects behind.
                    warn!(path = %path.display(), error = &error as &dyn std::error::Error, "a repository copy takes no changes; making it again");
                    made_again = true;
                    position = self.create(repository, &path).await?;
                }
                Err(error) => return Err(error),
            }
        }
        *reached = newest;
        Ok(path)
    }

    /// Forgets which state the copies have reached; they are compared with the feed at the next use.
    pub async fn forget(&self) {
        for reached in self.reached.iter() {
            *reached.lock().await = -1;
        }
    }

    /// Returns the `seq` of the change that the copy of `repository` holds last; `None` when it has no commit.
    pub(crate) async fn seq_of_copy(&self, repository: Repository) -> Result<Option<i64>, Error> {
        let path = self.path(repository);
        let Some(position) = self.position(repository, &path).await? else {
            return Ok(None);
        };
        if !self.has_commits(&path).await? {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        Ok(changes::seq_at(&mut tx, repository, position).await?)
    }

    /// How many changes the copy at `path` has played; `None` when there is no usable copy.
    async fn position(&self, repository: Repository, path: &Path) -> Result<Option<i64>, Error> {
        if !path.join("HEAD").exists() {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let base = bases::find(&mut tx, repository).await?;
        drop(tx);
        if !self.has_commits(path).await? {
            return Ok(if base.is_some() { None } else { Some(0) });
        }
        let range = match &base {
            Some(base) => format!("{}..{BRANCH}", base.commit_id),
            None => BRANCH.to_owned(),
        };
        // A failure means that the base is not in the copy: it is made again.
        let counted = git(path, &["rev-list", "--count", &range]).await.ok();
        Ok(counted.and_then(|count| count.trim().parse().ok()))
    }

    async fn has_commits(&self, path: &Path) -> Result<bool, Error> {
        Ok(git(path, &["rev-parse", "--verify", "--quiet", BRANCH])
            .await
            .is_ok())
    }

    /// Makes an empty copy, or one that holds the imported history, beside its place and moves it there.
    async fn create(&self, repository: Repository, path: &Path) -> Result<i64, Error> {
        let io_error = |cause| Error::Io {
            path: path.to_owned(),
            cause,
        };
        let (folder, prefix) = (self.folder.clone(), making(repository));
        let fresh = blocking(move || tempfile::Builder::new().prefix(&prefix).tempdir_in(&*folder));
        let fresh = fresh.await.map_err(io_error)?;
        let bare = fresh.path().join("repository.git");
        let made = self.fill(repository, fresh.path(), &bare).await;
        let target = path.to_owned();
        // The older copy leaves by a rename too, so that nobody meets half of it, and is removed with `fresh`.
        let placed = blocking(move || {
            made?;
            let io_error = |cause| Error::Io {
                path: target.clone(),
                cause,
            };
            if target.exists() {
                fs::rename(&target, fresh.path().join("older.git")).map_err(io_error)?;
            }
            fs::rename(&bare, &target).map_err(io_error)
        });
        placed.await?;
        info!(path = %path.display(), "made a copy of {repository}");
        Ok(0)
    }

    /// Makes the repository `bare` in the directory `fresh`, and fetches the imported history into it.
    async fn fill(&self, repository: Repository, fresh: &Path, bare: &Path) -> Result<(), Error> {
        let bare_text = bare.to_string_lossy().into_owned();
        git(
            fresh,
            &["init", "--quiet", "--bare", "--initial-branch=main", &bare_text],
        )
        .await?;
        // Clients clone with `--filter=tree:0` (registry.md §7.3).
        for (key, value) in [
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("gc.auto", "0"),
        ] {
            git(bare, &["config", key, value]).await?;
        }
        let mut tx = self.db.read().await?;
        let base = bases::find(&mut tx, repository).await?;
        drop(tx);
        if let Some(base) = base {
            let file = fresh.join("history.bundle");
            if !self.storage.copy_to(base.bundle, &file).await? {
                return Err(Error::BundleMissing(repository));
            }
            let refspec = format!("{BRANCH}:{BRANCH}");
            git(bare, &["fetch", "--quiet", &file.to_string_lossy(), &refspec]).await?;
        }
        Ok(())
    }
}

/// How the names of directories begin in which a copy of `repository` is made.
fn making(repository: Repository) -> String {
    format!("{repository}.git.making-")
}

/// Waits for the right to write the copy of `repository`, held until the file is closed.
async fn lock(folder: Arc<PathBuf>, repository: Repository) -> io::Result<File> {
    blocking(move || {
        fs::create_dir_all(&*folder)?;
        let file = File::create(folder.join(format!("{repository}.lock")))?;
        file.lock()?;
        remove_left_behind(&folder, repository);
        Ok(file)
    })
    .await
}

/// Removes what killed processes left: whoever holds the lock is the only one that makes a copy.
///
/// What cannot be removed now is tried again next time.
fn remove_left_behind(folder: &Path, repository: Repository) {
    let prefix = making(repository);
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(&prefix))
        {
            warn!(path = %entry.path().display(), "removing what a process that was killed left behind");
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs work on files where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on files does not panic and is not cancelled")
}
