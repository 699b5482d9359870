//! What the words on the command line choose, and the databases to measure.

use std::path::Path;

use docket_db::Db;
use docket_jobs::{Clock, Jobs};

/// The words that choose a database.
pub(crate) const DATABASES: [&str; 2] = ["sqlite", "postgresql"];

/// True when `word` was given, or none of `words` was.
pub(crate) fn chosen(words: &[&str], word: &str) -> bool {
    let given: Vec<String> = std::env::args()
        .filter(|argument| words.contains(&argument.as_str()))
        .collect();
    given.is_empty() || given.iter().any(|given| given == word)
}

/// The URLs of the databases to measure: a SQLite file in `folder`, and the PostgreSQL database that `DOCKET_BENCH_POSTGRES_URL` names, where it is set.
pub(crate) fn databases(folder: &Path) -> Vec<String> {
    let sqlite = format!("sqlite:{}", folder.join("bench.db").display());
    let sqlite = Some(sqlite).filter(|_| chosen(&DATABASES, "sqlite"));
    let postgres = std::env::var("DOCKET_BENCH_POSTGRES_URL").ok();
    let postgres = postgres.filter(|_| chosen(&DATABASES, "postgresql"));
    sqlite.into_iter().chain(postgres).collect()
}

/// Opens a database with our tables.
pub(crate) async fn open(url: &str) -> anyhow::Result<Jobs> {
    let db = Db::connect(url).await?;
    docket_jobs::TABLES.migrate(&db).await?;
    docket_index::TABLES.migrate(&db).await?;
    Ok(Jobs::new(db, Clock::system()))
}
