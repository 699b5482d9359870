//! What a backup promises, without a server around it.

use std::{collections::BTreeSet, fs, io::Read, path::Path};

use docket_core::metadata::Metadata;
use docket_db::rows::Value;
use docket_index::{
    import::{self, Sources, TarballSource},
    tarballs::Tarballs,
};
use docket_jobs::NewJob;
use docket_test_support::{TestDb, postgres, sqlite};
use tempfile::TempDir;

use super::{
    archive::{FORMAT, Start},
    restore::read_from,
    *,
};

const AT: Timestamp = Timestamp::MAX;

const TARBALL: &[u8] = b"not a tarball, but nobody looks";

/// A database and a storage.
struct Place {
    stores: Stores,
    _test: TestDb,
    folder: TempDir,
}

impl Place {
    fn new(test: TestDb) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::local(folder.path().join("blobs")).unwrap();
        let db = test.db.clone();
        let stores = Stores {
            tarballs: Tarballs::new(db.clone(), storage.clone()).unwrap(),
            views: docket_index::git::GitViews::new(folder.path().join("git"), db.clone(), storage.clone()),
            db,
            storage,
        };
        Self {
            stores,
            _test: test,
            folder,
        }
    }

    /// A registry with one package, whose tarball is in the storage, and three jobs.
    async fn with_registry(test: TestDb) -> Self {
        Self::with_jobs(test, 10).await
    }

    /// The same, with jobs of about so many times ten bytes.
    async fn with_jobs(test: TestDb, size: usize) -> Self {
        let place = Self::new(test);
        place.stores.migrate().await.unwrap();
        let sources = sources(place.folder.path());
        import::import(&place.stores.db, &place.stores.storage, &sources, AT, |_| {})
            .await
            .unwrap();
        let jobs = Jobs::new(place.stores.db.clone(), Clock::system());
        let mut tx = place.stores.db.write().await.unwrap();
        for number in 0..3 {
            let payload = format!("\"{}\"", "ä\\n\u{1f600}".repeat(size));
            let new = NewJob {
                locks: vec![format!("package/a{number}"), "package-sets".to_owned()],
                ..NewJob::new("publish", payload, format!("publish {number}"))
            };
            jobs.enqueue(&mut tx, &new).await.unwrap();
        }
        tx.commit().await.unwrap();
        place
    }

    fn tarball(&self) -> std::path::PathBuf {
        let hex = Sha256::of(TARBALL).hex();
        let folder = self.folder.path().join("blobs").join(&hex[0..2]).join(&hex[2..4]);
        folder.join(hex)
    }

    async fn backup(&self) -> File {
        self.try_backup(true).await.unwrap().0
    }

    async fn try_backup(&self, with_blobs: bool) -> anyhow::Result<(File, End)> {
        let scratch = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile().unwrap();
        let written = write_to(&self.stores, file, scratch.path(), AT, with_blobs, |_| {}).await?;
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
        Ok(written)
    }

    async fn restore(&self, file: &File) -> anyhow::Result<(Start, End)> {
        read_from(&self.stores, file, || Ok(()), |_| {}).await
    }

    /// Restores `file`, which must be refused and change nothing, and returns why.
    async fn refuse(&self, file: &File) -> String {
        let error = self.restore(file).await.unwrap_err();
        let mut tx = self.stores.db.read().await.unwrap();
        for product in PRODUCTS {
            assert_eq!(product.version(&mut tx).await.unwrap(), 0, "{error:#}");
        }
        assert!(
            self.stores.storage.digests().await.unwrap().is_empty(),
            "{error:#}"
        );
        format!("{error:#}")
    }

    /// Every row of every table.
    async fn rows(&self) -> BTreeSet<String> {
        let mut tx = self.stores.db.read().await.unwrap();
        let mut found = BTreeSet::new();
        for product in PRODUCTS {
            assert_eq!(product.version(&mut tx).await.unwrap(), product.newest());
            for name in product.tables(product.newest()) {
                let table = Table::find(&mut tx, name).await.unwrap().unwrap();
                let add = |row: Vec<Option<Value>>| {
                    // PostgreSQL holds no NUL.
                    found.insert(format!("{name} {row:?}").replace("\\0", ""));
                    Ok::<_, docket_db::Error>(())
                };
                rows::read_rows(&mut tx, &table, add).await.unwrap();
            }
        }
        assert!(found.len() > 10);
        found
    }
}

/// The files of a registry with `prelude` 6.0.1.
fn sources(folder: &Path) -> Sources {
    let metadata = format!(
        r#"{{"location":{{"githubOwner":"a","githubRepo":"b"}},"published":{{"6.0.1":{{"bytes":{},"compilers":["0.15.15"],"hash":"{}","publishedTime":"2026-08-18T07:00:00.000Z","ref":""}}}},"unpublished":{{}}}}"#,
        TARBALL.len(),
        Sha256::of(TARBALL)
    );
    let metadata = Metadata::parse(&metadata).unwrap().to_text();
    let line = concat!(
        r#"{"name":"prelude","version":"6.0.1","license":"BSD-3-Clause","description":"\u0000 \"","#,
        r#""location":{"githubOwner":"a","githubRepo":"b"},"ref":"v6.0.1","dependencies":{}}"#,
        "\n"
    );
    for (name, bytes) in [
        ("registry/metadata/prelude.json", metadata.as_bytes()),
        ("index/pr/el/prelude", line.as_bytes()),
        ("tarballs/prelude/6.0.1.tar.gz", TARBALL),
    ] {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    Sources {
        registry: folder.join("registry"),
        index: folder.join("index"),
        tarballs: Some(TarballSource::Directory(folder.join("tarballs"))),
    }
}

fn bytes_of(mut file: &File) -> Vec<u8> {
    use std::io::Seek;
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn file_with(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A backup with these entries, which says nothing of itself that is not in them.
fn file_of(entries: &[(&str, &[u8])]) -> File {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    file_with(&tar.into_inner().unwrap().finish().unwrap())
}

/// From either database to either, every row and every blob is there again, and a copy of the copy is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_registry_is_the_same() {
    // The rows of the jobs are more than one entry.
    let first = Place::with_jobs(sqlite().await, CHUNK_BYTES / 10).await;
    let second = Place::new(postgres().await);
    second.restore(&first.backup().await).await.unwrap();
    let third = Place::new(sqlite().await);
    let (_, end) = third.restore(&second.backup().await).await.unwrap();
    let rows = first.rows().await;
    assert!(rows == second.rows().await && rows == third.rows().await);
    assert_eq!((end.blobs.count, end.blobs.bytes), (1, TARBALL.len() as u64));
    assert_eq!(fs::read(third.tarball()).unwrap(), TARBALL);
    assert!(end.missing.is_empty() && end.unnamed.is_empty());
}

fn inflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut inflated)?;
    Ok(inflated)
}

/// Wherever a file ends too early, and wherever a byte is another one and says something else, it is refused, and nothing was changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused() {
    let registry = Place::with_registry(sqlite().await).await;
    let whole = bytes_of(&registry.backup().await);
    let target = Place::new(sqlite().await);
    let places = (0..24).map(|part| whole.len() * part / 24);
    // The last eight bytes are checksum and length.
    for place in places.chain([1, 20, whole.len() - 8, whole.len() - 1]) {
        let said = target.refuse(&file_with(&whole[..place])).await;
        assert!(
            said.contains("damaged") || said.contains("not a backup"),
            "{said}"
        );
        if place < 10 {
            continue;
        }
        let mut bent = whole.clone();
        bent[place] ^= 0x10;
        // A run of zeros may be copied from elsewhere, and between pieces some bits mean nothing: that is no damage.
        if inflate(&bent).is_ok_and(|inflated| inflated == inflate(&whole).unwrap()) {
            continue;
        }
        let said = target.refuse(&file_with(&bent)).await;
        assert!(
            said.contains("damaged") || said.contains("not a backup"),
            "{said}"
        );
    }
    target.restore(&file_with(&whole)).await.unwrap();
}

/// What is no backup, not all of one, or one of the future, is told apart.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_backup_is_refused_in_its_own_words() {
    let start = |format: u32| {
        let text =
            format!(r#"{{"format":{format},"program":"9.0.0","started_at":"2026-08-18T07:00:00.000Z"}}"#);
        text.into_bytes()
    };
    let end = serde_json::to_vec(&End::default()).unwrap();
    let newer = End {
        schema: [("jobs".to_owned(), 10_000)].into(),
        ..End::default()
    };
    let newer = serde_json::to_vec(&newer).unwrap();
    let claims = End {
        blobs: archive::BlobSum { count: 1, bytes: 1 },
        ..End::default()
    };
    let claims = serde_json::to_vec(&claims).unwrap();
    let (now, later) = (start(FORMAT), start(FORMAT + 1));
    let blob = format!("blobs/{}", Sha256::of(b"other").hex());
    let target = Place::new(sqlite().await);
    for (entries, expected) in [
        (vec![], "this is not a backup"),
        (
            vec![("README", &b"hello"[..])],
            "this is not a backup: it begins with README",
        ),
        (vec![("end.json", &end)], "it begins with end.json"),
        (vec![("backup.json", b"{}")], "this is not a backup"),
        (vec![("backup.json", &now)], "it has no end"),
        (
            vec![("backup.json", &now), ("notes.txt", b"")],
            "does not belong there",
        ),
        (
            vec![("backup.json", &now), ("end.json", &end), ("end.json", &end)],
            "does not belong there",
        ),
        (
            vec![("backup.json", &now), (&blob, b"bytes"), ("end.json", &end)],
            "has the digest",
        ),
        (
            vec![("backup.json", &now), ("end.json", &claims)],
            "there is not in it what its end says",
        ),
        (
            vec![
                ("backup.json", &now),
                ("tables/job/1", b"[\"id\"]\n{}"),
                ("end.json", &end),
            ],
            "the backup is cut off or damaged: job",
        ),
        (
            vec![("backup.json", &later), ("end.json", &end)],
            "restore it with docketd 9.0.0 or later",
        ),
        (
            vec![("backup.json", &now), ("end.json", &newer)],
            "tables of a newer docketd: restore it with docketd 9.0.0",
        ),
    ] {
        let said = target.refuse(&file_of(&entries)).await;
        assert!(said.contains(expected), "{said}, not {expected}");
    }
    let said = target.refuse(&file_with(b"not even compressed")).await;
    assert!(said.contains("this is not a backup"), "{said}");
}

/// A registry is not mixed with another one, nor its blobs with what only has their names.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_empty_is_refused() {
    let first = Place::with_registry(sqlite().await).await;
    let backup = first.backup().await;
    let said = format!("{:#}", first.restore(&backup).await.unwrap_err());
    assert!(said.contains("the database is not empty"), "{said}");

    let target = Place::new(postgres().await);
    fs::create_dir_all(target.tarball().parent().unwrap()).unwrap();
    fs::write(target.tarball(), "other bytes").unwrap();
    let said = format!("{:#}", target.restore(&backup).await.unwrap_err());
    assert!(said.contains("is damaged"), "{said}");
    assert_eq!(fs::read(target.tarball()).unwrap(), b"other bytes");
    fs::remove_file(target.tarball()).unwrap();
    target.restore(&backup).await.unwrap();
}

/// What cannot be restored after all the checks leaves no table.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_late_changes_nothing_in_the_database() {
    let first = Place::with_registry(sqlite().await).await;
    let backup = first.backup().await;
    for target in [Place::new(sqlite().await), Place::new(postgres().await)] {
        let failed = || Err(std::io::Error::other("no"));
        read_from(&target.stores, &backup, failed, |_| {})
            .await
            .unwrap_err();
        target.restore(&backup).await.unwrap();
        assert!(target.rows().await == first.rows().await);
    }
}

/// An empty database has nothing to back up.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_registry_is_not_backed_up() {
    let said = Place::new(sqlite().await).try_backup(true).await.unwrap_err();
    assert!(
        said.to_string().contains("no registry in this database"),
        "{said}"
    );
}

/// Blobs that are backed up by themselves are left out, and must be there before the rows come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_blobs_needs_the_storage() {
    let first = Place::with_registry(sqlite().await).await;
    let (backup, end) = first.try_backup(false).await.unwrap();
    assert_eq!((end.has_blobs, end.blobs.count), (false, 0));
    let target = Place::new(sqlite().await);
    let said = target.refuse(&backup).await;
    assert!(
        said.contains(
            "1 blobs are not in the storage: the tarball of prelude@6.0.1; the backup has no blobs"
        ),
        "{said}"
    );
    target.stores.storage.put(TARBALL.into()).await.unwrap();
    target.restore(&backup).await.unwrap();
    assert!(target.rows().await == first.rows().await);
}

/// A blob that was lost before does not keep the rest from being backed up and restored; one that is damaged is not carried on.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_blob_is_left_out_and_told() {
    let first = Place::with_registry(sqlite().await).await;
    let name = Folder::Blobs.entry(Sha256::of(TARBALL));
    fs::write(first.tarball(), "other bytes").unwrap();
    let (_, end) = first.try_backup(true).await.unwrap();
    assert_eq!(end.missing, [name.clone()].into());
    fs::remove_file(first.tarball()).unwrap();
    let (backup, end) = first.try_backup(true).await.unwrap();
    assert_eq!((end.missing, end.blobs.count), ([name].into(), 0));
    let target = Place::new(sqlite().await);
    target.restore(&backup).await.unwrap();
    assert!(target.rows().await == first.rows().await);
}

/// What was unpublished while the backup was made does not come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_rows_have_ceased_to_name_is_not_restored() {
    let first = Place::with_registry(sqlite().await).await;
    let mut tx = first.stores.db.read().await.unwrap();
    let mut writer = Writer::begin(tempfile::tempfile().unwrap(), AT).unwrap();
    for bytes in [TARBALL, b"unpublished"] {
        let digest = Sha256::of(bytes);
        writer
            .append_blob(Folder::Blobs, digest, &rewound(bytes))
            .unwrap();
    }
    for product in PRODUCTS {
        for name in product.tables(product.newest()) {
            copy_table(&mut tx, name, &mut writer).await.unwrap();
        }
    }
    writer.end.schema = versions(&mut tx).await.unwrap();
    writer.end.has_blobs = true;
    writer.end.unnamed = [Folder::Blobs.entry(Sha256::of(b"unpublished"))].into();
    let (backup, _) = writer.finish().unwrap();
    let target = Place::new(sqlite().await);
    target.restore(&backup).await.unwrap();
    let stored = target.stores.storage.digests().await.unwrap();
    assert_eq!(stored, [Sha256::of(TARBALL)].into());
}

fn rewound(bytes: &[u8]) -> File {
    use std::io::Seek;
    let mut file = file_with(bytes);
    file.rewind().unwrap();
    file
}

/// Where the disk is full there is no file, not even half of one, and nothing beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_written_fails() {
    let registry = Place::with_registry(sqlite().await).await;
    let full = File::options().write(true).open("/dev/full").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let written = write_to(&registry.stores, full, scratch.path(), AT, true, |_| {}).await;
    let said = format!("{:#}", written.err().unwrap());
    assert!(said.starts_with("the backup cannot be written: "), "{said}");
}
