//! What the server's process has at a moment.

use std::{fmt, fs, path::Path, time::Duration};

use anyhow::Context;
use serde_json::{Value, json};

use crate::{docketd::Docketd, load::Load};

/// The words above the columns of a [`Sample`].
pub(crate) const HEADING: &str =
    "    s | memory, MB | of it files, MB | files | threads | database, MB | published | requests | watched";

/// One moment.
pub(crate) struct Sample {
    at: Duration,
    /// Memory of its own, and pages of files that it has mapped, in KiB.
    own_kib: u64,
    file_kib: u64,
    open_files: usize,
    threads: u64,
    database_bytes: u64,
    published: usize,
    requests: usize,
    watched: usize,
}

impl Sample {
    pub(crate) fn take(server: &Docketd, folder: &Path, load: &Load, at: Duration) -> anyhow::Result<Self> {
        let process = format!("/proc/{}", server.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let number = |key: &str| -> anyhow::Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            Ok(word.with_context(|| format!("a process has {key}"))?.parse()?)
        };
        Ok(Self {
            at,
            own_kib: number("RssAnon:")?,
            file_kib: number("RssFile:")?,
            open_files: fs::read_dir(format!("{process}/fd"))?.count(),
            threads: number("Threads:")?,
            database_bytes: fs::metadata(folder.join("data/docket.db"))?.len(),
            published: load.published(),
            requests: load.requests(),
            watched: load.watched(),
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "seconds": self.at.as_secs_f64(), "own_kib": self.own_kib, "file_kib": self.file_kib, "open_files": self.open_files,
            "threads": self.threads, "database_bytes": self.database_bytes, "published": self.published, "requests": self.requests,
            "watched": self.watched,
        })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |kib: u64| kib as f64 / 1024.0;
        write!(
            f,
            "{:5} | {:10.1} | {:15.1} | {:5} | {:7} | {:12.1} | {:9} | {:8} | {:7}",
            self.at.as_secs(),
            mb(self.own_kib + self.file_kib),
            mb(self.file_kib),
            self.open_files,
            self.threads,
            mb(self.database_bytes / 1024),
            self.published,
            self.requests,
            self.watched
        )
    }
}
