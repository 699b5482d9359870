//! A database without room for what is written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use docket_db::{execute, sqlx};
use docket_test_support::sqlite;

/// SQLite ends the transaction by itself when it has no room; `max_page_count` is the same to it as a disk that is full.
#[tokio::test]
async fn sqlite_takes_writes_again_once_there_is_room() {
    let database = sqlite().await;
    let write = async |sql: &'static str| {
        let mut tx = database.db.write().await?;
        execute!(&mut tx, sqlx::query(sql))?;
        tx.commit().await
    };
    write("CREATE TABLE page (bytes BLOB NOT NULL)").await.unwrap();
    write("PRAGMA max_page_count = 20").await.unwrap();
    let full = write("INSERT INTO page (bytes) VALUES (zeroblob(1000000))").await;
    let full = full.expect_err("there is no room");
    assert!(full.is_temporary() && full.is_refusal(), "{full:?}");
    // On the connection that is opened for it there is no limit.
    write("INSERT INTO page (bytes) VALUES (zeroblob(1000000))")
        .await
        .unwrap();
}
