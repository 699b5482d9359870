//! `docketd backup`: everything in one file, while servers and workers run.
//!
//! The blobs come first, then the rows of one state of the database, then the blobs that this state names and that are not in the file yet. The
//! other way round, a version that is unpublished meanwhile would have its row in the file and its tarball nowhere. What rows have ceased to name
//! in between is in the file and listed there, and a restore leaves it out. The git repositories are made from the rows.

mod archive;
mod restore;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use docket_core::{digest::Sha256, finding::finding, time::Timestamp};
use docket_db::{
    Product, Tx,
    rows::{self, Table},
};
use docket_index::blobs;
use docket_jobs::{Clock, Jobs, archive_storage};
use docket_storage::Storage;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    cli::Backup,
    config::Config,
    server::{StopSignal, Stores},
};
use archive::{CHUNK_BYTES, End, Folder, Writer};
pub use restore::restore;

/// All tables that there are.
const PRODUCTS: [Product; 2] = [docket_jobs::TABLES, docket_index::TABLES];

/// How many blobs are copied at once.
const COPIES: usize = 8;

/// After how many blobs something is said.
const SAY_AFTER: u64 = 500;

/// The name of standard input and output.
const STANDARD: &str = "-";

/// `docketd backup`
pub async fn backup(config: &Config, switches: Backup) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen();
    tokio::select! {
        done = write(config, &switches) => done,
        () = stop.heard() => bail!("stopped; no backup was written"),
    }
}

async fn write(config: &Config, switches: &Backup) -> anyhow::Result<()> {
    let to_output = switches.file == Path::new(STANDARD);
    if to_output && io::stdout().is_terminal() {
        bail!("a backup is no text: name a file, or send standard output to one");
    }
    if !to_output && switches.file.exists() {
        bail!(
            "{} exists already; a backup is never written over",
            switches.file.display()
        );
    }
    let stores = Stores::open(config).await?;
    let now = Clock::system().now();
    let say = |sentence: String| eprintln!("backup: {sentence}");
    let with_blobs = !switches.without_blobs;
    let end = if to_output {
        let scratch = tempfile::tempdir().context("there is no place for temporary files")?;
        let output = io::BufWriter::new(io::stdout().lock());
        write_to(&stores, output, scratch.path(), now, with_blobs, say)
            .await?
            .1
    } else {
        let folder = match switches.file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // Beside its place, so that it can be moved there: whoever looks finds all of it or nothing.
        let cannot = || format!("{} cannot be written", switches.file.display());
        let scratch = tempfile::Builder::new()
            .prefix(".docket-backup-")
            .tempdir_in(folder)
            .with_context(cannot)?;
        let file = tempfile::NamedTempFile::new_in(scratch.path()).with_context(cannot)?;
        let (file, end) = write_to(&stores, file, scratch.path(), now, with_blobs, say).await?;
        file.as_file().sync_all().with_context(cannot)?;
        file.persist_noclobber(&switches.file)
            .map_err(|error| error.error)
            .and_then(|_| File::open(folder)?.sync_all())
            .with_context(cannot)?;
        end
    };
    stores.db.close().await;
    let told = describe(&end);
    if to_output {
        eprintln!("wrote {told}");
    } else {
        println!("wrote {} with {told}", switches.file.display());
    }
    Ok(())
}

/// What a backup holds, for people.
fn describe(end: &End) -> String {
    let rows: u64 = end.tables.values().map(|table| table.rows).sum();
    let blobs = if end.has_blobs {
        format!(
            "{} blobs ({} bytes) and {} parts of archived logs ({} bytes)",
            end.blobs.count, end.blobs.bytes, end.logs.count, end.logs.bytes
        )
    } else {
        "no blobs".to_owned()
    };
    let missing = match end.missing.len() {
        0 => String::new(),
        count => format!(", without {count} blobs that were not in the storage"),
    };
    format!("{rows} rows of {} tables, {blobs}{missing}", end.tables.len())
}

/// The blobs that rows name, with what each is.
type Named = BTreeMap<(Folder, Sha256), String>;

async fn list_named(jobs: &Jobs, tx: &mut Tx) -> Result<Named, docket_db::Error> {
    let blobs = blobs::list_named(tx).await?.into_iter();
    let mut named: Named = blobs
        .map(|(what, digest)| ((Folder::Blobs, digest), what))
        .collect();
    let logs = jobs.list_archived(tx).await?.into_iter();
    named.extend(logs.map(|(what, digest)| ((Folder::Logs, digest), what)));
    Ok(named)
}

/// The position of the newest migration of each product.
async fn versions(tx: &mut Tx) -> anyhow::Result<BTreeMap<String, i64>> {
    let mut versions = BTreeMap::new();
    for product in PRODUCTS {
        let version = product.version(tx).await?;
        if version == 0 {
            bail!("there is no registry in this database; check data_dir and [database] url");
        }
        if version > product.newest() {
            bail!(
                "the {} tables were made by a newer docketd: use that one",
                product.name
            );
        }
        versions.insert(product.name.to_owned(), version);
    }
    Ok(versions)
}

/// Writes a backup to `to` and returns that and what there is in it. `scratch` takes one blob after the other.
async fn write_to<W: Write>(
    stores: &Stores,
    to: W,
    scratch: &Path,
    now: Timestamp,
    with_blobs: bool,
    say: impl Fn(String),
) -> anyhow::Result<(W, End)> {
    let jobs = Jobs::new(stores.db.clone(), Clock::system());
    let cannot = "the backup cannot be written";
    let mut tx = stores.db.read().await?;
    versions(&mut tx).await?;
    let named = list_named(&jobs, &mut tx).await?;
    drop(tx);
    let mut copies = Copies {
        writer: Writer::begin(to, now).context(cannot)?,
        storage: &stores.storage,
        scratch,
        copied: BTreeSet::new(),
        missing: BTreeMap::new(),
        say: &say,
    };
    if with_blobs {
        copies.copy(&named).await?;
    }

    let mut tx = stores.db.read().await?;
    let schema = versions(&mut tx).await?;
    for product in PRODUCTS {
        for name in product.tables(schema[product.name]) {
            copy_table(&mut tx, name, &mut copies.writer).await?;
        }
    }
    let named = list_named(&jobs, &mut tx).await?;
    let fetched_later = blobs::has_tarball_source(&mut tx).await?;
    drop(tx);
    say("the rows are written".to_owned());
    if with_blobs {
        copies.copy(&named).await?;
        copies.check_missing(&jobs, &named, fetched_later).await?;
    }

    let Copies {
        mut writer,
        copied,
        missing,
        ..
    } = copies;
    let entry = |(folder, digest): &(Folder, Sha256)| folder.entry(*digest);
    let unnamed = copied.iter().filter(|blob| !named.contains_key(*blob));
    writer.end.unnamed = unnamed.map(entry).collect();
    writer.end.missing = missing.keys().map(entry).collect();
    writer.end.schema = schema;
    writer.end.has_blobs = with_blobs;
    writer.finish().context(cannot)
}

/// Writes all rows of a table, as `tx` sees them.
async fn copy_table<W: Write>(tx: &mut Tx, name: &str, writer: &mut Writer<W>) -> anyhow::Result<()> {
    let table = Table::find(tx, name).await?;
    let table = table.with_context(|| format!("the table {name} is missing in the database"))?;
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let first = serde_json::to_vec(&columns)?;
    let (mut lines, mut count) = (first.clone(), 0);
    rows::read_rows(tx, &table, |row| -> anyhow::Result<()> {
        lines.push(b'\n');
        serde_json::to_writer(&mut lines, &row)?;
        count += 1;
        if lines.len() >= CHUNK_BYTES {
            let chunk = std::mem::replace(&mut lines, first.clone());
            let rows = std::mem::take(&mut count);
            writer
                .append_rows(name, rows, &chunk)
                .context("the backup cannot be written")?;
        }
        Ok(())
    })
    .await?;
    // A table without rows has an entry, too.
    writer
        .append_rows(name, count, &lines)
        .context("the backup cannot be written")
}

/// The blobs of a backup that is being written.
struct Copies<'a, W: Write> {
    writer: Writer<W>,
    storage: &'a Storage,
    scratch: &'a Path,
    copied: BTreeSet<(Folder, Sha256)>,
    /// Those that were not in the storage, or not as they were, and why.
    missing: BTreeMap<(Folder, Sha256), String>,
    say: &'a dyn Fn(String),
}

impl<W: Write> Copies<'_, W> {
    /// Copies those of `named` that are not in the file yet.
    async fn copy(&mut self, named: &Named) -> anyhow::Result<()> {
        let waiting: Vec<_> = named
            .keys()
            .filter(|blob| !self.copied.contains(*blob))
            .copied()
            .collect();
        let (all, logs) = (waiting.len(), archive_storage(self.storage));
        let mut fetched = stream::iter(waiting)
            .map(|(folder, digest)| {
                let storage = match folder {
                    Folder::Blobs => self.storage.clone(),
                    Folder::Logs => logs.clone(),
                };
                fetch(storage, folder, digest, self.scratch)
            })
            .buffered(COPIES);
        let mut done = 0_u64;
        while let Some((folder, digest, found)) = fetched.try_next().await? {
            let blob = (folder, digest);
            match found {
                Ok(path) => {
                    File::open(&path)
                        .and_then(|file| self.writer.append_blob(folder, digest, &file))
                        .and_then(|()| std::fs::remove_file(&path))
                        .context("the backup cannot be written")?;
                    self.copied.insert(blob);
                    self.missing.remove(&blob);
                }
                Err(why) => {
                    self.missing.insert(blob, why);
                }
            }
            done += 1;
            if done.is_multiple_of(SAY_AFTER) {
                (self.say)(format!("{done} of {all} blobs are copied"));
            }
        }
        Ok(())
    }

    /// Keeps of the missing blobs those that the rows in the file name, and says which are damage.
    async fn check_missing(&mut self, jobs: &Jobs, named: &Named, fetched_later: bool) -> anyhow::Result<()> {
        self.missing.retain(|blob, _| named.contains_key(blob));
        if self.missing.is_empty() {
            return Ok(());
        }
        let mut tx = jobs.db().read().await?;
        let now = list_named(jobs, &mut tx).await?;
        drop(tx);
        if let Some(blob) = self.missing.keys().find(|blob| !now.contains_key(*blob)) {
            bail!(
                "{} was removed from the registry while the backup was made; run it again",
                named[blob]
            );
        }
        let is_damage = |blob: &(Folder, Sha256)| !fetched_later || blob.0 == Folder::Logs;
        let damage = self.missing.iter().filter(|(blob, _)| is_damage(blob));
        let damage: Vec<String> = damage
            .map(|(blob, why)| format!("{}, {why}", named[blob]))
            .collect();
        if let Some(found) = finding("blobs are left out", &damage) {
            (self.say)(format!("{found}; see `docketd doctor`"));
        }
        Ok(())
    }
}

/// Copies a blob into a file of `scratch`; the inner error says why there is none.
async fn fetch(
    storage: Storage,
    folder: Folder,
    digest: Sha256,
    scratch: &Path,
) -> anyhow::Result<(Folder, Sha256, Result<PathBuf, String>)> {
    let path = scratch.join(digest.hex());
    let found = match storage.copy_to(digest, &path).await {
        Ok(true) => Ok(path),
        Ok(false) => Err("which is not in the storage".to_owned()),
        Err(error @ docket_storage::Error::Damaged { .. }) => {
            std::fs::remove_file(&path)?;
            Err(format!("since {error}"))
        }
        Err(error) => return Err(error.into()),
    };
    Ok((folder, digest, found))
}
