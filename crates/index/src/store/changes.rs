//! The change feed.

use std::{fmt, str::FromStr};

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

/// One of the repositories that clients clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repository {
    /// `metadata/` and `package-sets/`.
    Registry,
    /// The manifest index.
    RegistryIndex,
    /// Package sets for older clients; without a commit unless the operator wants it.
    PackageSets,
}

impl Repository {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Registry, Self::RegistryIndex, Self::PackageSets];

    /// Its name, in the database and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::RegistryIndex => "registry-index",
            Self::PackageSets => "package-sets",
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is none of them.
#[derive(Debug, thiserror::Error)]
#[error("there is no repository `{0}`")]
pub struct UnknownRepository(String);

impl FromStr for Repository {
    type Err = UnknownRepository;

    fn from_str(text: &str) -> Result<Self, UnknownRepository> {
        Self::ALL
            .into_iter()
            .find(|repository| repository.as_str() == text)
            .ok_or_else(|| UnknownRepository(text.to_owned()))
    }
}

/// A change to be recorded: it becomes one commit.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// Where.
    pub repository: Repository,
    /// When: the commit's time, of which git keeps the seconds.
    pub at: Timestamp,
    /// Who: `Name <mail>`.
    pub author: String,
    /// The commit message.
    pub message: String,
    /// The job that made it.
    pub job_id: Option<String>,
    /// What: at least one file.
    pub files: Vec<ChangeFile>,
}

/// One file of a change.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ChangeFile {
    /// Its path in the repository.
    pub path: String,
    /// Its exact text; `None` when it is deleted.
    pub content: Option<String>,
}

/// A recorded change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its position in the feed: 1, 2, 3, …
    pub seq: i64,
    /// What was recorded.
    pub change: NewChange,
    /// The tags that its commit has.
    pub tags: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    seq: i64,
    repository: String,
    at: i64,
    author: String,
    message: String,
    job_id: Option<String>,
}

/// Appends `change` to the feed and returns its `seq`.
pub async fn append(tx: &mut Tx, change: &NewChange) -> Result<i64, Error> {
    const NEXT: &str = "SELECT coalesce(max(seq), 0) + 1 FROM change";
    const INSERT: &str = "
        INSERT INTO change (seq, repository, at, author, message, job_id)
        VALUES ($1, $2, $3, $4, $5, $6)";
    const INSERT_FILE: &str = "INSERT INTO change_file (seq, path, content) VALUES ($1, $2, $3)";
    lock(tx).await?;
    let seq: i64 = on!(&mut *tx, conn => sqlx::query_scalar(NEXT).fetch_one(conn))?;
    execute!(
        &mut *tx,
        sqlx::query(INSERT)
            .bind(seq)
            .bind(change.repository.as_str())
            .bind(change.at.millis())
            .bind(&change.author)
            .bind(&change.message)
            .bind(&change.job_id)
    )?;
    for file in &change.files {
        execute!(
            &mut *tx,
            sqlx::query(INSERT_FILE)
                .bind(seq)
                .bind(&file.path)
                .bind(&file.content)
        )?;
    }
    Ok(seq)
}

/// Makes other writers of the feed wait until `tx` ends.
///
/// Numbers are given out in commit order, so a reader never sees 5 before 4. Who decides by what the registry holds takes it before looking, or what it
/// saw may be gone when it writes. SQLite has one writer anyway.
///
/// # Errors
/// When the database fails.
pub async fn lock(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "SELECT pg_advisory_xact_lock(hashtext('docket change feed'))";
    if let Tx::Postgres(tx) = tx {
        sqlx::query(SQL).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Returns up to `limit` changes after `seq`, oldest first, of one repository or of all.
pub async fn list(
    tx: &mut Tx,
    repository: Option<Repository>,
    after_seq: i64,
    limit: i64,
) -> Result<Vec<Change>, Error> {
    const SQL: &str = "
        SELECT seq, repository, at, author, message, job_id
        FROM change
        WHERE seq > $1 AND ($2 = '' OR repository = $2)
        ORDER BY seq
        LIMIT $3";
    const FILES: &str = "SELECT path, content FROM change_file WHERE seq = $1 ORDER BY path";
    const TAGS: &str = "SELECT name FROM change_tag WHERE seq = $1 ORDER BY name";
    let rows: Vec<ChangeRow> = on!(&mut *tx, conn => sqlx::query_as(SQL)
        .bind(after_seq)
        .bind(repository.map_or("", Repository::as_str))
        .bind(limit)
        .fetch_all(conn))?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let files: Vec<ChangeFile> =
            on!(&mut *tx, conn => sqlx::query_as(FILES).bind(row.seq).fetch_all(conn))?;
        let repository = row
            .repository
            .parse()
            .map_err(Error::corrupt("change", "repository", row.seq))?;
        // Only this one has tags, and the others have thousands of changes.
        let tags: Vec<String> = match repository {
            Repository::PackageSets => {
                on!(&mut *tx, conn => sqlx::query_scalar(TAGS).bind(row.seq).fetch_all(conn))?
            }
            Repository::Registry | Repository::RegistryIndex => Vec::new(),
        };
        let change = NewChange {
            repository,
            at: Timestamp::from_millis(row.at),
            author: row.author,
            message: row.message,
            job_id: row.job_id,
            files,
        };
        changes.push(Change {
            seq: row.seq,
            change,
            tags,
        });
    }
    Ok(changes)
}

/// Puts the tag `name` on the commit of the change `seq`.
pub(crate) async fn put_tag(tx: &mut Tx, seq: i64, name: &str) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO change_tag (seq, name) VALUES ($1, $2)";
    execute!(tx, sqlx::query(SQL).bind(seq).bind(name))?;
    Ok(())
}

/// Returns the tags of `repository`.
pub(crate) async fn list_tags(tx: &mut Tx, repository: Repository) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT change_tag.name
        FROM change_tag JOIN change ON change.seq = change_tag.seq
        WHERE change.repository = $1";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(repository.as_str()).fetch_all(conn))
}

/// Returns the newest text of a file in `repository`; `None` when there is none, or it was deleted.
pub(crate) async fn find_file(
    tx: &mut Tx,
    repository: Repository,
    path: &str,
) -> Result<Option<String>, Error> {
    const SQL: &str = "
        SELECT change_file.content
        FROM change_file JOIN change ON change.seq = change_file.seq
        WHERE change.repository = $1 AND change_file.path = $2
        ORDER BY change.seq DESC
        LIMIT 1";
    let newest: Option<Option<String>> = on!(tx, conn => sqlx::query_scalar(SQL)
        .bind(repository.as_str())
        .bind(path)
        .fetch_optional(conn))?;
    Ok(newest.flatten())
}

/// Returns the paths in `repository` that a job changed.
pub(crate) async fn list_paths_by(
    tx: &mut Tx,
    repository: Repository,
    job_id: &str,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        SELECT change_file.path
        FROM change JOIN change_file ON change_file.seq = change.seq
        WHERE change.repository = $1 AND change.job_id = $2
        ORDER BY change.seq, change_file.path";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(repository.as_str()).bind(job_id).fetch_all(conn))
}

/// Returns the `seq` of the newest change, 0 before the first.
pub async fn last_seq(tx: &mut Tx) -> Result<i64, Error> {
    const SQL: &str = "SELECT coalesce(max(seq), 0) FROM change";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_one(conn))
}

/// Returns the `seq` of the `position`-th change of `repository`, counted from 1; 0 for position 0.
pub(crate) async fn seq_at(tx: &mut Tx, repository: Repository, position: i64) -> Result<Option<i64>, Error> {
    const SQL: &str = "SELECT seq FROM change WHERE repository = $1 ORDER BY seq LIMIT 1 OFFSET $2";
    if position == 0 {
        return Ok(Some(0));
    }
    on!(tx, conn => sqlx::query_scalar(SQL).bind(repository.as_str()).bind(position - 1).fetch_optional(conn))
}

/// Returns how many changes of `repository` come after `seq`.
pub(crate) async fn count_after(tx: &mut Tx, repository: Repository, seq: i64) -> Result<i64, Error> {
    const SQL: &str = "SELECT count(*) FROM change WHERE repository = $1 AND seq > $2";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(repository.as_str()).bind(seq).fetch_one(conn))
}

/// Returns the `seq` of the change that `later` changes of `repository` follow; 0 before the first, `None` when there are fewer.
pub(crate) async fn seq_before_last(
    tx: &mut Tx,
    repository: Repository,
    later: i64,
) -> Result<Option<i64>, Error> {
    let count = count_after(&mut *tx, repository, 0).await?;
    if later > count {
        return Ok(None);
    }
    seq_at(tx, repository, count - later).await
}

/// Removes all changes of `repository`: only for an import into a registry in which nothing was published yet.
pub(crate) async fn clear(tx: &mut Tx, repository: Repository) -> Result<(), Error> {
    const FILES: &str = "DELETE FROM change_file WHERE seq IN (SELECT seq FROM change WHERE repository = $1)";
    const CHANGES: &str = "DELETE FROM change WHERE repository = $1";
    execute!(&mut *tx, sqlx::query(FILES).bind(repository.as_str()))?;
    execute!(tx, sqlx::query(CHANGES).bind(repository.as_str()))?;
    Ok(())
}
