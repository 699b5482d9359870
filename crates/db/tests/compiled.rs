//! How SQLite is compiled: what `.cargo/config.toml` says, and not only what libsqlite3-sys does by itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use docket_db::{on, sqlx};
use docket_test_support::sqlite;

#[tokio::test]
async fn sqlite_keeps_plans_and_shares_no_cache_between_connections() {
    let database = sqlite().await;
    let mut tx = database.db.read().await.unwrap();
    let options: Vec<String> =
        on!(&mut tx, conn => sqlx::query_scalar("PRAGMA compile_options").fetch_all(conn)).unwrap();
    let has = |option: &str| options.iter().any(|found| found == option);
    assert!(has("ENABLE_QPSG"), "a plan depends on what is bound: {options:?}");
    assert!(
        !has("ENABLE_MEMORY_MANAGEMENT"),
        "all connections share one cache of pages: {options:?}"
    );
}
