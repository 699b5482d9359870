//! Blobs as files named by their digest.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use docket_core::digest::Sha256;
use sha2::Digest as _;

use crate::{Error, Listed, layout};

/// How the names of files begin that are not a blob yet.
const UNFINISHED: &str = ".tmp";

/// How much of a blob is in memory while it is copied.
const CHUNK_BYTES: usize = 256 << 10;

#[derive(Debug, Clone)]
pub(crate) struct LocalDirectory {
    root: Arc<PathBuf>,
}

impl LocalDirectory {
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        match fs::create_dir_all(&root) {
            Ok(()) => Ok(Self { root: Arc::new(root) }),
            Err(cause) => Err(Error::Directory { path: root, cause }),
        }
    }

    /// The folder is made when the first blob is stored.
    pub(crate) fn within(&self, folder: &str) -> Self {
        Self {
            root: Arc::new(self.root.join(folder)),
        }
    }

    fn path(&self, digest: Sha256) -> PathBuf {
        self.root.join(layout::key(digest))
    }

    pub(crate) async fn put(&self, bytes: Bytes) -> Result<Sha256, Error> {
        let this = self.clone();
        blocking(move || {
            let digest = Sha256::of(&bytes);
            let failed = |cause| Error::Io {
                doing: "write",
                digest,
                cause,
            };
            let path = this.path(digest);
            match copy_and_digest(&path, || Ok(io::sink())).map_err(failed)? {
                None => write_durably(&path, &bytes).map_err(failed)?,
                Some(found) if found == digest => {}
                Some(found) => return Err(Error::Damaged { digest, found }),
            }
            Ok(digest)
        })
        .await
    }

    pub(crate) async fn find(&self, digest: Sha256) -> Result<Option<Bytes>, Error> {
        let path = self.path(digest);
        blocking(move || match fs::read(path) {
            Ok(bytes) => match Sha256::of(&bytes) {
                found if found == digest => Ok(Some(bytes.into())),
                found => Err(Error::Damaged { digest, found }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Error::Io {
                doing: "read",
                digest,
                cause,
            }),
        })
        .await
    }

    pub(crate) async fn remove(&self, digest: Sha256) -> Result<(), Error> {
        let path = self.path(digest);
        blocking(move || match fs::remove_file(path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Error::Io {
                doing: "remove",
                digest,
                cause,
            }),
            _ => Ok(()),
        })
        .await
    }

    /// Returns the digest of what was copied.
    pub(crate) async fn copy_to(&self, digest: Sha256, target: PathBuf) -> Result<Option<Sha256>, Error> {
        let path = self.path(digest);
        blocking(move || {
            copy_and_digest(&path, || File::create(target)).map_err(|cause| Error::Io {
                doing: "copy",
                digest,
                cause,
            })
        })
        .await
    }

    pub(crate) async fn list(&self, after: Option<Sha256>, limit: usize) -> Result<Vec<Listed>, Error> {
        let root = self.root.clone();
        blocking(move || {
            list_blobs(&root, after, limit).map_err(|cause| Error::Directory {
                path: root.to_path_buf(),
                cause,
            })
        })
        .await
    }

    pub(crate) async fn list_unfinished(&self, before: DateTime<Utc>) -> Result<Vec<(PathBuf, u64)>, Error> {
        let root = self.root.clone();
        blocking(move || {
            list_unfinished(&root, before).map_err(|cause| Error::Directory {
                path: root.to_path_buf(),
                cause,
            })
        })
        .await
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) async fn contains(&self, digest: Sha256) -> Result<bool, Error> {
        let path = self.path(digest);
        blocking(move || {
            path.try_exists().map_err(|cause| Error::Io {
                doing: "read",
                digest,
                cause,
            })
        })
        .await
    }
}

/// Up to `limit` blobs above `after`, by digest. Folders that lie before it are not opened.
fn list_blobs(root: &Path, after: Option<Sha256>, limit: usize) -> io::Result<Vec<Listed>> {
    let after = after.map(layout::key).unwrap_or_default();
    let mut listed = Vec::new();
    for outer in names(root)? {
        if outer.as_str() < after.get(0..2).unwrap_or_default() {
            continue;
        }
        for inner in names(&root.join(&outer))? {
            let folder = format!("{outer}/{inner}");
            if folder.as_str() < after.get(0..5).unwrap_or_default() {
                continue;
            }
            for name in names(&root.join(&folder))? {
                let key = format!("{folder}/{name}");
                let Some(digest) = layout::digest(&key).filter(|_| key > after) else {
                    continue;
                };
                if listed.len() == limit {
                    return Ok(listed);
                }
                match fs::metadata(root.join(key)) {
                    Ok(about) => listed.push(Listed {
                        digest,
                        bytes: about.len(),
                        stored_at: about.modified()?.into(),
                    }),
                    // Removed since the folder was read.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(listed)
}

/// What [`write_durably`] began before `before` and did not end.
fn list_unfinished(root: &Path, before: DateTime<Utc>) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut unfinished = Vec::new();
    for outer in names(root)? {
        for inner in names(&root.join(&outer))? {
            let folder = root.join(&outer).join(inner);
            for name in names(&folder)? {
                if !name.starts_with(UNFINISHED) {
                    continue;
                }
                let path = folder.join(name);
                match fs::metadata(&path) {
                    Ok(about) if DateTime::<Utc>::from(about.modified()?) < before => {
                        unfinished.push((path, about.len()));
                    }
                    // It became a blob since the folder was read.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
    }
    Ok(unfinished)
}

/// The names in a folder, in order; none when it is not there or is a file. Names of ours are all text.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

/// Copies and returns the digest of what was copied; `None` when there is nothing at `from`.
fn copy_and_digest<W: Write>(from: &Path, to: impl FnOnce() -> io::Result<W>) -> io::Result<Option<Sha256>> {
    let mut from = match File::open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut to = to()?;
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(Some(Sha256::from_bytes(hasher.finalize().into())));
        }
        hasher.update(&chunk[..count]);
        to.write_all(&chunk[..count])?;
    }
}

/// Writes the whole file beside its place, makes it durable and moves it there: a reader sees all of it or nothing.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("a blob's path has a folder");
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The folder's entry must reach the disk too, or a power cut could take the blob away under its row.
    File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("blocking file work does not panic and is not cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Storage;

    fn store() -> (tempfile::TempDir, Storage) {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::local(directory.path()).unwrap();
        (directory, storage)
    }

    /// What was stored comes back, and storing it twice is fine.
    #[tokio::test]
    async fn a_blob_comes_back_under_its_digest() {
        let (_directory, storage) = store();
        let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
        assert_eq!(storage.put(Bytes::from_static(b"hello")).await.unwrap(), digest);
        assert_eq!(storage.find(digest).await.unwrap().unwrap(), "hello");
        assert!(storage.find(Sha256::of(b"other")).await.unwrap().is_none());
    }

    /// A removed blob is gone, and removing it again is fine.
    #[tokio::test]
    async fn a_removed_blob_is_gone() {
        let (_directory, storage) = store();
        let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
        storage.remove(digest).await.unwrap();
        storage.remove(digest).await.unwrap();
        assert!(!storage.contains(digest).await.unwrap());
    }

    /// A folder within a store is a store of its own: neither has, lists or removes the blobs of the other.
    #[tokio::test]
    async fn a_folder_within_a_store_is_another_store() {
        let (directory, storage) = store();
        let within = storage.within("logs");
        assert!(
            within.list(None, 10).await.unwrap().is_empty(),
            "before anything was stored"
        );
        let ours = storage.put("ours".into()).await.unwrap();
        let theirs = within.put("theirs".into()).await.unwrap();
        let place = directory.path().join("logs").join(layout::key(theirs));
        assert_eq!(fs::read(place).unwrap(), b"theirs");
        for (store, has, has_not) in [(&storage, ours, theirs), (&within, theirs, ours)] {
            assert!(store.contains(has).await.unwrap() && store.find(has_not).await.unwrap().is_none());
            let listed = store.list(None, 10).await.unwrap();
            assert_eq!(listed.iter().map(|blob| blob.digest).collect::<Vec<_>>(), [has]);
            store.remove(has_not).await.unwrap();
        }
        assert!(storage.contains(ours).await.unwrap() && within.contains(theirs).await.unwrap());
    }

    /// Bytes that changed on disk are refused: not served, not copied, and not taken for what is being stored.
    #[tokio::test]
    async fn a_damaged_blob_is_refused() {
        let (directory, storage) = store();
        let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
        let hex = digest.hex();
        fs::write(
            directory.path().join(&hex[0..2]).join(&hex[2..4]).join(&hex),
            b"hullo",
        )
        .unwrap();
        assert!(matches!(storage.find(digest).await, Err(Error::Damaged { .. })));
        let copy = directory.path().join("copy");
        assert!(matches!(
            storage.copy_to(digest, copy).await,
            Err(Error::Damaged { .. })
        ));
        assert!(matches!(
            storage.put(Bytes::from_static(b"hello")).await,
            Err(Error::Damaged { .. })
        ));
    }

    /// Pages follow each other without a gap, in the order of digests, and hold nothing but blobs.
    #[tokio::test]
    async fn blobs_are_listed_page_by_page() {
        let (directory, storage) = store();
        let mut digests = Vec::new();
        for number in 0..7_u8 {
            digests.push(storage.put(vec![number; 3].into()).await.unwrap());
        }
        digests.sort_unstable_by_key(Sha256::hex);
        let folder = directory.path().join(layout::key(digests[0]));
        fs::write(folder.with_file_name(".tmp123"), "half a blob").unwrap();
        fs::write(directory.path().join("00notes"), "").unwrap();
        for page in 1..9 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let listed = storage.list(after, page).await.unwrap();
                assert!(listed.len() <= page && listed.iter().all(|blob| blob.bytes == 3));
                found.extend(listed.iter().map(|blob| blob.digest));
                match listed.last() {
                    Some(last) => after = Some(last.digest),
                    None => break,
                }
            }
            assert_eq!(found, digests, "{page} at a time");
        }
    }

    /// What a killed process has left half written is found once it is old; blobs and young files are not.
    #[tokio::test]
    async fn a_file_that_never_became_a_blob_is_found() {
        let (directory, storage) = store();
        let digest = storage.put(Bytes::from_static(b"hello")).await.unwrap();
        let half = directory
            .path()
            .join(layout::key(digest))
            .with_file_name(".tmp123");
        fs::write(&half, "hel").unwrap();
        let hour = chrono::TimeDelta::hours(1);
        let found = storage.list_unfinished(Utc::now() - hour).await.unwrap();
        assert!(found.is_empty());
        let found = storage.list_unfinished(Utc::now() + hour).await.unwrap();
        assert_eq!(found, [(half, 3)]);
    }

    /// A copy is the blob, however many chunks it has; of what is not here nothing is made.
    #[tokio::test]
    async fn a_blob_is_copied_to_a_file() {
        let (directory, storage) = store();
        let copy = directory.path().join("copy");
        for bytes in [vec![], vec![1; CHUNK_BYTES], vec![2; 2 * CHUNK_BYTES + 1]] {
            let digest = storage.put(bytes.clone().into()).await.unwrap();
            assert!(storage.copy_to(digest, &copy).await.unwrap());
            assert!(fs::read(&copy).unwrap() == bytes);
        }
        let nothing = directory.path().join("nothing");
        assert!(!storage.copy_to(Sha256::of(b"other"), &nothing).await.unwrap());
        assert!(!nothing.exists());
    }
}
