//! `docketd restore`: an empty database and a storage get what a backup holds.
//!
//! The file is read three times. First all of it is verified, and nothing is changed. Then the blobs are stored: *blob first, row second*. Last,
//! one transaction makes the tables as they were and fills them.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::Path,
};

use anyhow::{Context, bail};
use docket_core::{digest::Sha256, finding::finding};
use docket_db::{
    Tx,
    rows::{self, Table},
};
use docket_index::blobs;
use docket_jobs::{Clock, Jobs, archive_storage};

use super::{
    PRODUCTS, SAY_AFTER, STANDARD,
    archive::{self, End, Folder, Rows, Start},
    describe, list_named,
};
use crate::{
    config::Config,
    server::{StopSignal, Stores},
};

/// `docketd restore`
pub async fn restore(config: &Config, file: &Path) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen();
    tokio::select! {
        done = read(config, file) => done,
        () = stop.heard() => bail!("stopped; the database is as it was"),
    }
}

async fn read(config: &Config, path: &Path) -> anyhow::Result<()> {
    let stores = Stores::open(config).await?;
    let file = if path == Path::new(STANDARD) {
        // It is read more than once.
        let mut file = tempfile::tempfile_in(&config.data_dir)
            .context("standard input cannot be kept in the data directory")?;
        io::copy(&mut io::stdin().lock(), &mut file)
            .context("standard input cannot be kept in the data directory")?;
        file
    } else {
        File::open(path).with_context(|| format!("{} cannot be read", path.display()))?
    };
    let say = |sentence: String| eprintln!("restore: {sentence}");
    let (start, end) = read_from(&stores, &file, || remove_copies(&config.data_dir), say).await?;
    stores.migrate().await?;
    stores.db.close().await;
    println!(
        "restored {} of the backup that docketd {} began at {}",
        describe(&end),
        start.program,
        start.started_at
    );
    Ok(())
}

/// Restores what `file` holds, and says what that was. Calls `before_commit` when all that can be refused was refused.
pub(super) async fn read_from(
    stores: &Stores,
    file: &File,
    before_commit: impl FnOnce() -> io::Result<()>,
    say: impl Fn(String),
) -> anyhow::Result<(Start, End)> {
    let mut tx = stores.db.read().await?;
    refuse_what_is_not_empty(&mut tx).await?;
    drop(tx);
    let (start, end) = archive::verify(file).await?;
    for (name, version) in &end.schema {
        let product = PRODUCTS.iter().find(|product| product.name == name);
        if product.is_none_or(|product| product.newest() < *version) {
            bail!(
                "the backup has tables of a newer docketd: restore it with docketd {} or later",
                start.program
            );
        }
    }
    say(format!("the backup is whole: {}", describe(&end)));
    store_blobs(stores, file, &end, &say).await?;
    let stored = Stored {
        blobs: stores.storage.digests().await?,
        logs: archive_storage(&stores.storage).digests().await?,
    };

    // PostgreSQL gives up a transaction in which nothing happens, so it begins when the rows are at hand.
    let mut begun = None;
    archive::read_rows(file, async |rows| {
        let tx = match &mut begun {
            Some(tx) => tx,
            None => begun.insert(begin(stores, &end).await?),
        };
        insert(tx, rows).await
    })
    .await?;
    let mut tx = match begun {
        Some(tx) => tx,
        None => begin(stores, &end).await?,
    };
    refuse_lost_blobs(&mut tx, stores, &end, &stored).await?;
    before_commit().context("the copies of the git repositories in the data directory cannot be removed")?;
    tx.commit().await?;
    Ok((start, end))
}

/// Begins the transaction of all rows, and makes in it the tables as they were when the backup was made.
async fn begin(stores: &Stores, end: &End) -> anyhow::Result<Tx> {
    let mut tx = stores.db.write().await?;
    refuse_what_is_not_empty(&mut tx).await?;
    for product in PRODUCTS {
        let version = end.schema.get(product.name).copied().unwrap_or(0);
        product.migrate_to(&mut tx, version).await?;
    }
    Ok(tx)
}

async fn insert(tx: &mut Tx, rows: Rows) -> anyhow::Result<()> {
    let Rows { table, columns, rows } = rows;
    let cannot = || format!("the rows of the table {table} cannot be restored");
    let ours = PRODUCTS
        .iter()
        .any(|product| product.tables(i64::MAX).contains(&table.as_str()));
    let found = if ours {
        Table::find(tx, &table).await?
    } else {
        None
    };
    let found = found.with_context(|| format!("there is no table {table}"))?;
    let found = found.with_columns(&columns).with_context(cannot)?;
    rows::insert_rows(tx, &found, &rows).await.with_context(cannot)
}

/// A row must not name a blob that is nowhere, unless that was so before.
async fn refuse_lost_blobs(tx: &mut Tx, stores: &Stores, end: &End, stored: &Stored) -> anyhow::Result<()> {
    let jobs = Jobs::new(stores.db.clone(), Clock::system());
    let fetched_later = blobs::has_tarball_source(tx).await?;
    let lost = list_named(&jobs, tx)
        .await?
        .into_iter()
        .filter(|((folder, digest), _)| {
            let (here, may_come) = match folder {
                Folder::Blobs => (stored.blobs.contains(digest), fetched_later),
                Folder::Logs => (stored.logs.contains(digest), false),
            };
            !here && !may_come && !end.missing.contains(&folder.entry(*digest))
        });
    let lost: Vec<String> = lost.map(|(_, what)| what).collect();
    match finding("blobs are not in the storage", &lost) {
        None => Ok(()),
        Some(found) if end.has_blobs => bail!("{found}; somebody removes blobs from the storage"),
        Some(found) => bail!("{found}; the backup has no blobs: put the storage back first"),
    }
}

/// Removes the copies of the git repositories, and what was pushed from: they may be those of another registry. They are made again when needed.
fn remove_copies(data_dir: &Path) -> io::Result<()> {
    for name in ["git", "push"] {
        match fs::remove_dir_all(data_dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A registry is never mixed with another one.
async fn refuse_what_is_not_empty(tx: &mut Tx) -> anyhow::Result<()> {
    for product in PRODUCTS {
        if product.version(tx).await? > 0 {
            bail!("the database is not empty: restore into a new data directory, or a new database");
        }
    }
    Ok(())
}

async fn store_blobs(stores: &Stores, file: &File, end: &End, say: &impl Fn(String)) -> anyhow::Result<()> {
    let logs = archive_storage(&stores.storage);
    let mut done = 0_u64;
    archive::read_blobs(file, async |folder, digest, bytes| {
        if end.unnamed.contains(&folder.entry(digest)) {
            return Ok(());
        }
        let storage = match folder {
            Folder::Blobs => &stores.storage,
            Folder::Logs => &logs,
        };
        storage.put(bytes.into()).await?;
        done += 1;
        if done.is_multiple_of(SAY_AFTER) {
            say(format!(
                "stored {done} of {} blobs",
                end.blobs.count + end.logs.count
            ));
        }
        Ok(())
    })
    .await
}

/// What is in the storage.
struct Stored {
    blobs: HashSet<Sha256>,
    logs: HashSet<Sha256>,
}
