//! The file of a backup: a tar archive, compressed with gzip. `tar -tzf` shows what is in it.
//!
//! | entry | |
//! | --- | --- |
//! | `backup.json` | first: the format, and which program wrote it |
//! | `blobs/HEX`, `logs/HEX` | a blob, and a blob of archived logs, by digest |
//! | `tables/NAME/NUMBER.jsonl` | rows of a table: the columns' names, then one array for each row |
//! | `end.json` | last: what there is; a file without it is not whole |

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, Read, Seek, Write},
};

use docket_core::{digest::Sha256, time::Timestamp};
use docket_db::rows::Row;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Digest as _;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// About how many bytes of rows are one entry.
pub const CHUNK_BYTES: usize = 4 << 20;

/// How many bytes an entry of rows or a document may have: it is read into memory. One row is never split.
pub const MAX_BYTES_IN_MEMORY: u64 = 512 << 20;

const START: &str = "backup.json";
const END: &str = "end.json";

/// The first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// See [`FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// The last entry: what all others are together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The position of the newest migration of each product.
    pub schema: BTreeMap<String, i64>,
    /// The tables.
    pub tables: BTreeMap<String, TableSum>,
    /// The blobs.
    pub blobs: BlobSum,
    /// The blobs of archived logs.
    pub logs: BlobSum,
    /// False when blobs were left out on purpose.
    pub has_blobs: bool,
    /// Blobs that rows name but that were not in the storage, as `blobs/HEX` or `logs/HEX`.
    pub missing: BTreeSet<String>,
    /// Blobs in the file that rows have ceased to name while it was written.
    pub unnamed: BTreeSet<String>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// How many.
    pub rows: u64,
    /// Of all bytes of its entries, one after another.
    pub digest: Sha256,
}

/// Blobs of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobSum {
    /// How many.
    pub count: u64,
    /// Their size.
    pub bytes: u64,
}

/// Whose blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// Those of packages and repositories.
    Blobs,
    /// Those of archived logs.
    Logs,
}

impl Folder {
    /// The name of a blob's entry.
    pub fn entry(self, digest: Sha256) -> String {
        let folder = match self {
            Self::Blobs => "blobs",
            Self::Logs => "logs",
        };
        format!("{folder}/{}", digest.hex())
    }
}

/// What an entry is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Start,
    Blob(Folder, Sha256),
    Rows(String),
    End,
}

impl Entry {
    fn parse(path: &str) -> Option<Self> {
        Some(match path.split_once('/') {
            None if path == START => Self::Start,
            None if path == END => Self::End,
            Some(("blobs", hex)) => Self::Blob(Folder::Blobs, Sha256::from_hex(hex).ok()?),
            Some(("logs", hex)) => Self::Blob(Folder::Logs, Sha256::from_hex(hex).ok()?),
            Some(("tables", rest)) => Self::Rows(rest.split_once('/')?.0.to_owned()),
            _ => return None,
        })
    }
}

/// Why a file cannot be restored. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Some other file.
    #[error("this is not a backup: {0}")]
    Foreign(String),
    /// A later program wrote it.
    #[error(
        "the backup has format {found}, and this docketd reads up to {FORMAT}: restore it with docketd {program} or later"
    )]
    Newer {
        /// Its format.
        found: u32,
        /// Who wrote it.
        program: String,
    },
    /// Its end is missing, or the middle is not what was written.
    #[error("the backup is cut off or damaged: {0}; take another one")]
    Damaged(String),
    /// It cannot be read.
    #[error("the backup cannot be read")]
    Unreadable(#[source] io::Error),
}

/// Says what is wrong with a file whose bytes cannot be made sense of.
fn damaged(error: &io::Error) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}

/// Writes a backup.
pub struct Writer<W: Write> {
    tar: tar::Builder<GzEncoder<W>>,
    started_at: Timestamp,
    tables: BTreeMap<String, (u64, u32, sha2::Sha256)>,
    /// All but the tables, as far as it is known.
    pub end: End,
}

impl<W: Write> Writer<W> {
    /// Begins a backup.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(to: W, started_at: Timestamp) -> io::Result<Self> {
        let start = Start {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
        };
        // Most of it is compressed already.
        let gzip = GzEncoder::new(to, Compression::fast());
        let mut writer = Self {
            tar: tar::Builder::new(gzip),
            started_at,
            tables: BTreeMap::new(),
            end: End::default(),
        };
        writer.append(START, &json(&start))?;
        Ok(writer)
    }

    fn header(&self, bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.started_at.millis() / 1000).unwrap_or(0));
        header
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = self.header(bytes.len() as u64);
        self.tar.append_data(&mut header, name, bytes)
    }

    /// Adds a blob, which is the whole of `file`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn append_blob(&mut self, folder: Folder, digest: Sha256, file: &File) -> io::Result<()> {
        let bytes = file.metadata()?.len();
        let mut header = self.header(bytes);
        self.tar.append_data(&mut header, folder.entry(digest), file)?;
        let sum = match folder {
            Folder::Blobs => &mut self.end.blobs,
            Folder::Logs => &mut self.end.logs,
        };
        sum.count += 1;
        sum.bytes += bytes;
        Ok(())
    }

    /// Adds rows of a table; the first line of `lines` names the columns, each other one is a row.
    ///
    /// # Errors
    /// When they cannot be written, or one row is so large that it could not be read back.
    pub fn append_rows(&mut self, table: &str, rows: u64, lines: &[u8]) -> io::Result<()> {
        if lines.len() as u64 > MAX_BYTES_IN_MEMORY {
            let text = format!("a row of the table {table} has more than {MAX_BYTES_IN_MEMORY} bytes");
            return Err(io::Error::other(text));
        }
        let sum = self.tables.entry(table.to_owned()).or_default();
        sum.0 += rows;
        sum.1 += 1;
        sum.2.update(lines);
        let name = format!("tables/{table}/{:06}.jsonl", sum.1);
        self.append(&name, lines)
    }

    /// Ends the backup and returns what it was written to, flushed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<(W, End)> {
        let tables = std::mem::take(&mut self.tables).into_iter();
        self.end.tables = tables
            .map(|(name, (rows, _, hasher))| {
                let digest = Sha256::from_bytes(hasher.finalize().into());
                (name, TableSum { rows, digest })
            })
            .collect();
        let end = self.end.clone();
        self.append(END, &json(&end))?;
        let mut to = self.tar.into_inner()?.finish()?;
        to.flush()?;
        Ok((to, end))
    }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).expect("texts and numbers are JSON");
    text.push(b'\n');
    text
}

/// Reads a file from its beginning and hands each entry to `each`, with its bytes to read, as long as that is true.
async fn read_entries(
    mut file: &File,
    mut each: impl AsyncFnMut(Entry, u64, &mut dyn Read) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    file.rewind().map_err(ArchiveError::Unreadable)?;
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    let not_ours = |error: io::Error| ArchiveError::Foreign(error.to_string());
    let mut before = None;
    for entry in archive.entries().map_err(not_ours)? {
        let first = before.is_none();
        let mut entry = entry.map_err(|error| if first { not_ours(error) } else { damaged(&error) })?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let parsed = Entry::parse(&path).filter(|_| entry.header().entry_type().is_file());
        let parsed = match (parsed, &before) {
            (Some(Entry::Start), None) => Entry::Start,
            (_, None) => return Err(ArchiveError::Foreign(format!("it begins with {path}")).into()),
            (Some(Entry::Start) | None, _) | (_, Some(Entry::End)) => {
                return Err(ArchiveError::Damaged(format!("{path} does not belong there")).into());
            }
            (Some(parsed), _) => parsed,
        };
        let size = entry.size();
        if !each(parsed.clone(), size, &mut entry).await? {
            return Ok(());
        }
        before = Some(parsed);
    }
    if before.is_none() {
        return Err(ArchiveError::Foreign("it is empty".to_owned()).into());
    }
    if before != Some(Entry::End) {
        return Err(ArchiveError::Damaged("it has no end".to_owned()).into());
    }
    // The checksum of the compression comes after the archive's end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| damaged(&error))?;
    Ok(())
}

/// Reads all of an entry into memory.
fn read_all(name: &str, size: u64, from: &mut dyn Read) -> Result<Vec<u8>, ArchiveError> {
    if size > MAX_BYTES_IN_MEMORY {
        return Err(ArchiveError::Damaged(format!("{name} has {size} bytes")));
    }
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes).map_err(|error| ArchiveError::Damaged(format!("{name}: {error}")))
}

/// Rows of one table, as one entry has them.
#[derive(Debug)]
pub struct Rows {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

impl Rows {
    fn parse(table: String, bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let columns = parse(&table, lines.next().unwrap_or_default())?;
        let rows = lines.filter(|line| !line.is_empty());
        let rows = rows.map(|line| parse(&table, line)).collect::<Result<_, _>>()?;
        Ok(Self { table, columns, rows })
    }
}

/// Reads the whole file and makes sure that it is what was written.
///
/// # Errors
/// When it is not.
pub async fn verify(file: &File) -> anyhow::Result<(Start, End)> {
    let (mut start, mut end) = (None, None);
    let mut tables = BTreeMap::<String, (u64, sha2::Sha256)>::new();
    let mut sums = BTreeMap::from([
        (Folder::Blobs, BlobSum::default()),
        (Folder::Logs, BlobSum::default()),
    ]);
    read_entries(file, async |entry, size, bytes| {
        match entry {
            Entry::Start => {
                let found: Start = parse(START, &read_all(START, size, bytes)?)
                    .map_err(|error| ArchiveError::Foreign(error.to_string()))?;
                if found.format > FORMAT {
                    let (found, program) = (found.format, found.program);
                    return Err(ArchiveError::Newer { found, program }.into());
                }
                start = Some(found);
            }
            Entry::Blob(folder, digest) => {
                let mut hasher = Hasher(sha2::Sha256::new());
                let count = io::copy(bytes, &mut hasher).map_err(|error| damaged(&error))?;
                let found = Sha256::from_bytes(hasher.0.finalize().into());
                if found != digest {
                    let text = format!("{} has the digest {}", folder.entry(digest), found.hex());
                    return Err(ArchiveError::Damaged(text).into());
                }
                let sum = sums.entry(folder).or_default();
                sum.count += 1;
                sum.bytes += count;
            }
            Entry::Rows(table) => {
                let bytes = read_all(&table, size, bytes)?;
                let sum = tables.entry(table.clone()).or_default();
                sum.0 += Rows::parse(table, &bytes)?.rows.len() as u64;
                sum.1.update(&bytes);
            }
            Entry::End => end = Some(parse::<End>(END, &read_all(END, size, bytes)?)?),
        }
        Ok(true)
    })
    .await?;
    let (Some(start), Some(end)) = (start, end) else {
        return Err(ArchiveError::Damaged("it has no end".to_owned()).into());
    };
    let tables: BTreeMap<_, _> = tables
        .into_iter()
        .map(|(name, (rows, hasher))| {
            let digest = Sha256::from_bytes(hasher.finalize().into());
            (name, TableSum { rows, digest })
        })
        .collect();
    if tables != end.tables || sums[&Folder::Blobs] != end.blobs || sums[&Folder::Logs] != end.logs {
        return Err(ArchiveError::Damaged("there is not in it what its end says".to_owned()).into());
    }
    Ok((start, end))
}

/// Hands each blob of a verified file to `each`.
///
/// # Errors
/// When the file has changed, or `each` fails.
pub async fn read_blobs(
    file: &File,
    mut each: impl AsyncFnMut(Folder, Sha256, Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    read_entries(file, async |entry, _, bytes| {
        if let Entry::Blob(folder, digest) = entry {
            let mut blob = Vec::new();
            bytes.read_to_end(&mut blob).map_err(ArchiveError::Unreadable)?;
            each(folder, digest, blob).await?;
        }
        Ok(true)
    })
    .await
}

/// Hands the rows of a verified file to `each`, in the order in which they were written.
///
/// # Errors
/// When the file has changed, or `each` fails.
pub async fn read_rows(
    file: &File,
    mut each: impl AsyncFnMut(Rows) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut begun = false;
    read_entries(file, async |entry, size, bytes| {
        let Entry::Rows(table) = entry else {
            // All rows follow each other.
            return Ok(!begun);
        };
        begun = true;
        let bytes = read_all(&table, size, bytes)?;
        each(Rows::parse(table, &bytes)?).await?;
        Ok(true)
    })
    .await
}

/// Makes a digest of what is written.
struct Hasher(sha2::Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
