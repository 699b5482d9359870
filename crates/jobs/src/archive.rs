//! The archive: the lines of jobs that ended long ago are moved from the database to storage, and read from there.
//!
//! A log is a sequence of parts. Its first ones may be in the archive, each as one blob of consecutive lines with one row that names it; what
//! follows is in the rows of the log. One transaction writes the row of a part and deletes the rows of its lines, so each line is at one place,
//! always, and a reader who looks for the next part finds it wherever it is. Moving a log stops and goes on at any part: nothing is lost or
//! doubled when that is in the middle, or when the job is queued again and writes on.
//!
//! The caller who moves a part stores its blob first (*blob first, row second*) and keeps the clean-up away from it meanwhile
//! (`docket_index::blobs`). The blobs are in a folder of their own: a process of a version that knows no archive must not take them for garbage.

mod format;

use std::{io, sync::Arc};

use docket_core::{digest::Sha256, time::Timestamp};
use docket_db::{Error, Tx};
use docket_storage::Storage;
use tokio::sync::Semaphore;

use crate::{
    JobId, Jobs, Level, LineFilter, LogLine,
    store::{self, archive::PartRow, rows},
};

/// How many lines, and about how many bytes, are one part: each page of a long archived log reads one or two of them.
const PART_LINES: usize = 8_000;
const PART_BYTES: usize = 512 << 10;

/// How many parts are read at once in one process, so that many readers do not need much memory.
const READS: usize = 8;

/// The folder of the archive in the storage.
const FOLDER: &str = "logs";

/// Returns the part of `storage` in which archived lines are.
#[must_use]
pub fn archive_storage(storage: &Storage) -> Storage {
    storage.within(FOLDER)
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database did not answer, or holds what does not decode.
    #[error(transparent)]
    Database(#[from] Error),
    /// The storage did not give archived lines.
    #[error("lines {first_seq} to {last_seq} of the log of job {job} cannot be read from the archive")]
    Storage {
        /// Whose log.
        job: JobId,
        /// From here.
        first_seq: i64,
        /// To here.
        last_seq: i64,
        /// What it said.
        #[source]
        cause: docket_storage::Error,
    },
    /// Archived lines are gone, or are not what was archived.
    #[error(
        "lines {first_seq} to {last_seq} of the log of job {job} are lost: their blob {digest} is not in the archive as it was"
    )]
    Lost {
        /// Whose log.
        job: JobId,
        /// From here.
        first_seq: i64,
        /// To here.
        last_seq: i64,
        /// Which blob.
        digest: Sha256,
        /// What is there instead, if anything.
        #[source]
        cause: Option<io::Error>,
    },
}

impl LogError {
    /// True when it may be otherwise soon, without anybody doing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database(cause) => cause.is_temporary(),
            Self::Storage { cause, .. } => matches!(
                cause,
                docket_storage::Error::Unavailable { .. } | docket_storage::Error::Io { .. }
            ),
            Self::Lost { .. } => false,
        }
    }
}

/// Where archived lines are read.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    storage: Storage,
    turns: Arc<Semaphore>,
}

/// The next lines of a log that can be archived, and their blob.
#[derive(Debug, Clone)]
pub struct Part {
    row: PartRow,
    lines: usize,
    blob: bytes::Bytes,
}

impl Part {
    /// What is to be stored before [`Jobs::archive`].
    #[must_use]
    pub fn blob(&self) -> &bytes::Bytes {
        &self.blob
    }

    /// How many lines it has.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }
}

impl Jobs {
    /// The same queue, which finds archived lines in `storage`.
    #[must_use]
    pub fn with_storage(self, storage: &Storage) -> Self {
        Self {
            archive: Some(Archive {
                storage: archive_storage(storage),
                turns: Arc::new(Semaphore::new(READS)),
            }),
            ..self
        }
    }

    /// Returns the jobs behind `after`, at most `limit`, that have lines in the database, and whether each ended before `before`, so that its log can
    /// be archived. Fewer than `limit` are the last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_logged(
        &self,
        after: Option<JobId>,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(JobId, bool)>, Error> {
        let mut tx = self.db().read().await?;
        store::archive::list_logged(&mut tx, after, before, limit as i64).await
    }

    /// Returns the next part of the log of `job` that is in the database; `None` when all of it is archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_part(&self, job: JobId) -> Result<Option<Part>, Error> {
        let filter = LineFilter::after(0, Level::Debug, PART_LINES);
        let (mut lines, mut bytes, mut edge) = (Vec::new(), 0, 0);
        let mut tx = self.db().read().await?;
        'part: loop {
            let rows = rows::list(&mut tx, job, &filter, edge, rows::MAX_ROWS).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                // Where lines are missing, `docketd doctor` says so; a part has none missing.
                if edge > 0 && row.first_seq != edge + 1 {
                    break 'part;
                }
                edge = row.last_seq;
                bytes += row.bytes();
                lines.extend(row.decode(job)?);
                if lines.len() >= PART_LINES || bytes >= PART_BYTES {
                    break 'part;
                }
            }
        }
        drop(tx);
        let Some((first, last)) = lines.first().zip(lines.last()) else {
            return Ok(None);
        };
        let max_level = lines.iter().map(|line| line.level).max();
        let row = PartRow {
            first_seq: first.seq,
            last_seq: last.seq,
            first_at: first.at.millis(),
            last_at: last.at.millis(),
            max_level: max_level.map_or(0, Level::number),
            digest: None,
        };
        Ok(Some(Part {
            row,
            lines: lines.len(),
            blob: blocking(move || format::encode(&lines)).await.into(),
        }))
    }

    /// Makes sure that `blob`, as it came back from storage, holds what the part holds.
    ///
    /// # Errors
    /// When it does not.
    pub async fn verify_part(&self, part: &Part, blob: bytes::Bytes) -> io::Result<()> {
        let (row, count) = (part.row.clone(), part.lines);
        blocking(move || row.decode(&blob).map(|lines| lines.len() == count))
            .await?
            .then_some(())
            .ok_or_else(|| io::Error::other("there are other lines in it"))
    }

    /// Says in `tx` that the lines of `part` are in the blob `digest` and no longer in the database. False when they have been moved meanwhile, or
    /// the job runs again: then `tx` must not be committed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn archive(&self, tx: &mut Tx, job: JobId, part: &Part, digest: Sha256) -> Result<bool, Error> {
        let row = PartRow {
            digest: Some(digest.hex()),
            ..part.row.clone()
        };
        store::archive::replace_rows(tx, job, &row, part.lines as i64).await
    }

    /// Takes the archived lines of jobs that ended before `before` away for good, at most `limit` parts, and returns how many lines and parts that
    /// were. Their blobs are garbage then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_archived(&self, before: Timestamp, limit: usize) -> Result<(i64, usize), Error> {
        let mut tx = self.db().write().await?;
        let removed = store::archive::remove(&mut tx, before, limit as i64).await?;
        tx.commit().await?;
        Ok((removed.iter().sum(), removed.len()))
    }

    /// True when a log has lines in the archived blob `digest`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn names_archived(&self, tx: &mut Tx, digest: Sha256) -> Result<bool, Error> {
        store::archive::is_named(tx, &digest.hex()).await
    }

    /// Returns all archived blobs that logs have lines in, each with what it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_archived(&self, tx: &mut Tx) -> Result<Vec<(String, Sha256)>, Error> {
        let named = store::archive::list_named(tx).await?;
        let decode = |(hex, part): (String, String)| {
            let digest =
                Sha256::from_hex(&hex).map_err(Error::corrupt("job_log_archive", "digest", &part))?;
            Ok((format!("the log of job {part}"), digest))
        };
        named.into_iter().map(decode).collect()
    }

    /// True when anything was ever archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_archive(&self, tx: &mut Tx) -> Result<bool, Error> {
        store::archive::has_rows(tx).await
    }

    /// Returns the lines of one archived part, oldest first, and how many bytes they are about; none when they were removed.
    pub(crate) async fn read_part(
        &self,
        job: JobId,
        part: &PartRow,
    ) -> Result<Option<(Vec<LogLine>, usize)>, LogError> {
        let PartRow {
            first_seq, last_seq, ..
        } = *part;
        let Some(hex) = &part.digest else {
            return Ok(None);
        };
        let digest = Sha256::from_hex(hex).map_err(Error::corrupt(
            "job_log_archive",
            "digest",
            format!("{job}/{last_seq}"),
        ))?;
        let lost = |cause| LogError::Lost {
            job,
            first_seq,
            last_seq,
            digest,
            cause,
        };
        let archive = self.archive.as_ref().ok_or_else(|| lost(None))?;
        let _turn = archive.turns.acquire().await.expect("nobody closes it");
        let blob = match archive.storage.find(digest).await {
            Ok(Some(blob)) => blob,
            Ok(None) => return Err(lost(None)),
            Err(damaged @ docket_storage::Error::Damaged { .. }) => {
                return Err(lost(Some(io::Error::other(damaged))));
            }
            Err(cause) => {
                return Err(LogError::Storage {
                    job,
                    first_seq,
                    last_seq,
                    cause,
                });
            }
        };
        let part = part.clone();
        let lines = blocking(move || part.decode(&blob)).await;
        let lines = lines.map_err(|cause| lost(Some(cause)))?;
        let bytes = lines.iter().map(|line| line.message.len()).sum();
        Ok(Some((lines, bytes)))
    }
}

impl PartRow {
    /// The lines of the blob that this row names.
    fn decode(&self, blob: &[u8]) -> io::Result<Vec<LogLine>> {
        let lines = format::decode(blob)?;
        let expected = self.first_seq..=self.last_seq;
        if !expected.eq(lines.iter().map(|line| line.seq)) {
            return Err(io::Error::other("there are other lines in it"));
        }
        Ok(lines)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("work on bytes does not panic and is not cancelled")
}
