//! `docketd prune`: removes by hand what the timetable removes by time, and what it does not. It says what that is, and asks.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use docket_core::time::Timestamp;
use docket_db::Tx;
use docket_index::checks;
use docket_jobs::{Clock, EndedJob, JobId, Jobs, archive_storage};
use docket_storage::Storage;
use docket_worker::{
    garbage::{self, Owner},
    own_kinds,
    package_set::clear_workshop,
    work_dir,
};
use walkdir::WalkDir;

use crate::{
    cli::Prune,
    config::Config,
    server::{Stores, announce},
};

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// After how long nobody is writing a file any more that is to become a blob, in milliseconds.
const UNFINISHED_MILLIS: i64 = DAY_MILLIS;

/// How many jobs, or archived parts, are removed in one transaction.
const PAGE: usize = 200;

/// Something that can go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waste {
    what: &'static str,
    count: u64,
    size: Size,
}

/// How large something is, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Bytes(u64),
    Lines(u64),
}

/// All that can go.
struct Found {
    work_dirs: Vec<PathBuf>,
    unfinished: Vec<PathBuf>,
    jobs: Vec<JobId>,
    compiled: Option<PathBuf>,
    waste: Vec<Waste>,
}

/// `docketd prune`
pub async fn run(config: &Config, switches: &Prune) -> anyhow::Result<ExitCode> {
    let stores = Stores::open(config).await?;
    stores.migrate().await?;
    let jobs = Jobs::new(stores.db.clone(), Clock::system());
    let found = find(config, switches, &jobs, &stores.storage).await?;
    announce(table(&found.waste).trim_end());
    if found.waste.iter().all(|waste| waste.count == 0) {
        announce("there is nothing to prune");
    } else if switches.dry_run {
        announce("nothing was removed: this was a dry run");
    } else if switches.yes || confirm()? {
        remove(config, &jobs, &stores.storage, found).await?;
    } else {
        announce("nothing was removed");
    }
    stores.db.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal.
fn confirm() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked: say --yes to remove this, or --dry-run to only look");
    }
    print!("Remove this? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// The time so many days ago.
fn days_ago(jobs: &Jobs, days: u32) -> Timestamp {
    jobs.clock().now().plus_millis(-i64::from(days) * DAY_MILLIS)
}

async fn find(config: &Config, switches: &Prune, jobs: &Jobs, storage: &Storage) -> anyhow::Result<Found> {
    let work_dirs = work_dir::list_old(&config.data_dir.join("work"));
    let work_bytes: u64 = work_dirs.iter().map(|path| bytes_below(path)).sum();
    let young = jobs.clock().now().plus_millis(-UNFINISHED_MILLIS).to_chrono();
    let mut unfinished = storage.list_unfinished(young).await?;
    for folder in [archive_storage(storage), checks::storage(storage)] {
        unfinished.extend(folder.list_unfinished(young).await?);
    }
    let mut waste = vec![
        Waste {
            what: "work directories of jobs whose worker was killed",
            count: work_dirs.len() as u64,
            size: Size::Bytes(work_bytes),
        },
        Waste {
            what: "files that were to become a blob and did not",
            count: unfinished.len() as u64,
            size: Size::Bytes(unfinished.iter().map(|(_, bytes)| bytes).sum()),
        },
    ];
    for (what, owner) in [
        ("blobs that no package and no repository names", Owner::Registry),
        ("blobs of the archive that no log names", Owner::Logs),
        ("blobs of dry runs that nothing names", Owner::Checks),
    ] {
        let unnamed = garbage::list_unnamed(jobs, storage, owner).await?;
        waste.push(Waste {
            what,
            count: unnamed.len() as u64,
            size: Size::Bytes(unnamed.iter().map(|blob| blob.bytes).sum()),
        });
    }
    let mut tx = jobs.db().read().await?;
    if let Some(days) = config.logs.retention().remove_after_days {
        let (parts, lines) = jobs.count_archived(&mut tx, days_ago(jobs, days)).await?;
        waste.push(Waste {
            what: "parts of archived logs older than [logs] remove_after_days",
            count: u64::try_from(parts).unwrap_or(0),
            size: Size::Lines(u64::try_from(lines).unwrap_or(0)),
        });
    }
    let mut old_jobs = Vec::new();
    if let Some(days) = switches.own_jobs_after_days {
        let ended = list_own_jobs(jobs, &mut tx, days_ago(jobs, days)).await?;
        waste.push(Waste {
            what: "jobs that the registry gave itself and that ended long ago, with their logs",
            count: ended.len() as u64,
            size: Size::Lines(
                ended
                    .iter()
                    .map(|job| u64::try_from(job.lines).unwrap_or(0))
                    .sum(),
            ),
        });
        old_jobs = ended.into_iter().map(|job| job.id).collect();
    }
    drop(tx);
    let mut compiled = None;
    if switches.caches {
        let folder = config.data_dir.join("package-set");
        let bytes = bytes_below(&folder);
        waste.push(Waste {
            what: "folder with what the last package set was compiled from and to",
            count: u64::from(bytes > 0),
            size: Size::Bytes(bytes),
        });
        compiled = (bytes > 0).then_some(folder);
    }
    Ok(Found {
        work_dirs,
        unfinished: unfinished.into_iter().map(|(path, _)| path).collect(),
        jobs: old_jobs,
        compiled,
        waste,
    })
}

/// The jobs that the registry gave itself and that ended before `before`, but for those that a failed build is told by.
async fn list_own_jobs(
    jobs: &Jobs,
    tx: &mut Tx,
    before: Timestamp,
) -> Result<Vec<EndedJob>, docket_db::Error> {
    let (kinds, named) = (own_kinds(), docket_index::list_failed_jobs(tx).await?);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = jobs.list_ended(tx, &kinds, before, after, PAGE).await?;
        after = page.last().map(|job| job.id);
        let is_last = page.len() < PAGE;
        found.extend(
            page.into_iter()
                .filter(|job| !named.contains(&job.id.to_string())),
        );
        if is_last {
            return Ok(found);
        }
    }
}

/// The size of a file, or of all files below a directory; what cannot be read has none.
fn bytes_below(path: &Path) -> u64 {
    let files = WalkDir::new(path).into_iter().filter_map(Result::ok);
    let sizes = files
        .filter_map(|file| file.metadata().ok())
        .filter(fs::Metadata::is_file);
    sizes.map(|about| about.len()).sum()
}

/// One line for each kind of waste, numbers first.
fn table(waste: &[Waste]) -> String {
    let lines = waste.iter().map(|Waste { what, count, size }| {
        let size = match size {
            Size::Bytes(bytes) => readable(*bytes),
            Size::Lines(lines) => format!("{lines} lines"),
        };
        format!("{count:>8}  {size:>12}  {what}\n")
    });
    lines.collect()
}

/// A size for people, in units of 1024.
fn readable(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, "B");
    for larger in units {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" {
        return format!("{bytes} B");
    }
    format!("{size:.1} {unit}")
}

async fn remove(config: &Config, jobs: &Jobs, storage: &Storage, found: Found) -> anyhow::Result<()> {
    for path in &found.work_dirs {
        remove_folder(path)?;
    }
    for path in &found.unfinished {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be removed", path.display()));
            }
            _ => {}
        }
    }
    let mut removed_jobs = 0;
    for some in found.jobs.chunks(PAGE) {
        let mut tx = jobs.db().write().await?;
        removed_jobs += jobs.remove_ended(&mut tx, some).await?;
        tx.commit().await?;
    }
    let mut lines = 0;
    if let Some(days) = config.logs.retention().remove_after_days {
        let mut parts = PAGE;
        while parts == PAGE {
            let removed = jobs.remove_archived(days_ago(jobs, days), PAGE).await?;
            lines += removed.0;
            parts = removed.1;
        }
    }
    if let Some(folder) = &found.compiled
        && !clear_workshop(folder).with_context(|| format!("{} cannot be cleared", folder.display()))?
    {
        announce(&format!("{} is in use now and stays", folder.display()));
    }
    // Last, because the blobs of what was removed are garbage now.
    let (mut blobs, mut bytes) = (0, 0);
    for owner in [Owner::Registry, Owner::Logs, Owner::Checks] {
        let removed = garbage::remove_unnamed(jobs, storage, owner).await?;
        blobs += removed.blobs;
        bytes += removed.bytes;
    }
    announce(&format!(
        "removed {} directories and files, {removed_jobs} jobs, {lines} archived lines, {blobs} blobs ({})",
        found.work_dirs.len() + found.unfinished.len(),
        readable(bytes)
    ));
    Ok(())
}

fn remove_folder(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_go_is_told_in_a_table() {
        let waste = [
            Waste {
                what: "blobs that nothing names",
                count: 12,
                size: Size::Bytes(5 << 20),
            },
            Waste {
                what: "jobs",
                count: 0,
                size: Size::Lines(0),
            },
        ];
        assert_eq!(
            table(&waste),
            "      12       5.0 MiB  blobs that nothing names\n       0       0 lines  jobs\n"
        );
    }

    #[test]
    fn sizes_are_told_in_units_that_people_read() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (5 << 50, "5120.0 TiB"),
        ] {
            assert_eq!(readable(bytes), text);
        }
    }
}
