//! What the migrations promise: both databases end with the same schema.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeSet, error::Error as _, time::Duration};

use docket_db::{
    Db, Error, Product, Tx, on,
    rows::{self, Row, Table, Value},
    sqlx,
};
use docket_test_support::{on_both_databases, postgres, sqlite};

const PRODUCTS: [Product; 2] = [docket_jobs::TABLES, docket_index::TABLES];

/// How long a refusal may take.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Everything that a query can lean on, one line each.
async fn schema(db: &Db) -> BTreeSet<String> {
    const SQLITE: [&str; 4] = [
        "SELECT 'table ' || name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%migration'",
        "SELECT 'column ' || t.name || '.' || c.name || CASE WHEN c.\"notnull\" THEN ' NOT NULL' ELSE '' END
             || CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' DEFAULT ' || c.dflt_value END || ' ' || c.type
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE '%migration'",
        "SELECT 'key ' || t.name || ' ' || c.pk || ' ' || c.name
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.pk > 0 AND t.name NOT LIKE '%migration'",
        "SELECT 'index ' || i.name || CASE WHEN i.\"unique\" THEN ' unique' ELSE '' END || CASE WHEN i.partial THEN ' partial' ELSE '' END
             || ' ' || c.seqno || ' ' || coalesce(c.name, 'expression') || CASE WHEN c.\"desc\" THEN ' DESC' ELSE '' END
         FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) c
         WHERE t.type = 'table' AND i.origin = 'c' AND c.key = 1",
    ];
    const POSTGRES: [&str; 4] = [
        "SELECT 'table ' || tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%migration'",
        "SELECT 'column ' || table_name || '.' || column_name || CASE WHEN is_nullable = 'NO' THEN ' NOT NULL' ELSE '' END
             || CASE WHEN column_default IS NULL THEN '' ELSE ' DEFAULT ' || column_default END
             || CASE data_type WHEN 'bigint' THEN ' INTEGER' ELSE ' ' || upper(data_type) END
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '%migration'",
        "SELECT 'key ' || c.relname || ' ' || k.place || ' ' || a.attname
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
              unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place), pg_attribute a
         WHERE i.indisprimary AND n.nspname = 'public' AND a.attrelid = c.oid AND a.attnum = k.number AND c.relname NOT LIKE '%migration'",
        "SELECT 'index ' || x.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
             || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END || ' ' || (k.place - 1) || ' ' || coalesce(a.attname, 'expression')
             || CASE WHEN i.indoption[k.place - 1] & 1 = 1 THEN ' DESC' ELSE '' END
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
              CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
              LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
         WHERE NOT i.indisprimary AND n.nspname = 'public'",
    ];
    let mut tx = db.read().await.unwrap();
    let queries = if tx.is_postgres() { POSTGRES } else { SQLITE };
    let mut lines = BTreeSet::new();
    for sql in queries {
        let found: Vec<String> = on!(&mut tx, conn => sqlx::query_scalar(sql).fetch_all(conn)).unwrap();
        assert!(!found.is_empty(), "{sql}");
        lines.extend(found);
    }
    lines
}

async fn migrations_that_ran(tx: &mut Tx) -> i64 {
    const SQL: &str = "SELECT (SELECT count(*) FROM docket_jobs_migration) + (SELECT count(*) FROM docket_registry_migration)";
    on!(tx, conn => sqlx::query_scalar(SQL).fetch_one(conn)).unwrap()
}

/// The error and its causes, as a program prints them.
fn printed(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Connects where nothing can be, and returns what is said about it.
async fn refusal(url: &str) -> String {
    let refused = tokio::time::timeout(AT_ONCE, Db::connect(url));
    let refused = refused
        .await
        .unwrap_or_else(|_| panic!("{url} is refused at once"));
    let error = refused.err().unwrap_or_else(|| panic!("{url} is refused"));
    let text = printed(&error);
    assert!(!text.contains("geheim"), "a password is never printed: {text}");
    assert_eq!(text.lines().count(), 1, "one line says it: {text}");
    text
}

/// Tables, columns, keys and indexes are the same on both, by name, kind and order.
#[tokio::test]
async fn both_databases_have_the_same_schema() {
    let (small, large) = (sqlite().await, postgres().await);
    small.migrate(&PRODUCTS).await;
    large.migrate(&PRODUCTS).await;
    let (on_sqlite, on_postgres) = (schema(&small.db).await, schema(&large.db).await);
    let only: Vec<_> = on_sqlite.symmetric_difference(&on_postgres).collect();
    assert!(only.is_empty(), "only one of the two has: {only:#?}");
}

on_both_databases! {
    /// A backup finds the tables by what the migrations say, and their columns by what the database says.
    async fn the_tables_of_the_products_are_all_that_there_are(db: TestDb) {
        db.migrate(&PRODUCTS).await;
        let told = PRODUCTS.iter().flat_map(|product| product.tables(product.newest()));
        let told: BTreeSet<String> = told.map(|table| format!("table {table}")).collect();
        let schema = schema(&db.db).await;
        let found = schema.iter().filter(|line| line.starts_with("table "));
        assert_eq!(told, found.cloned().collect());
        let mut tx = db.db.read().await.unwrap();
        for product in PRODUCTS {
            assert_eq!(product.version(&mut tx).await.unwrap(), product.newest());
            for name in product.tables(product.newest()) {
                let table = Table::find(&mut tx, name).await.unwrap().unwrap();
                let columns = schema.iter().filter(|line| line.starts_with(&format!("column {name}.")));
                assert_eq!(table.columns.len(), columns.count(), "{name}");
            }
        }
        assert!(Table::find(&mut tx, "nobody").await.unwrap().is_none());
    }

    /// A database can be brought to an earlier schema first, and then to the newest; before the first migration its version is 0.
    async fn a_database_is_migrated_up_to_a_version(db: TestDb) {
        let product = docket_jobs::TABLES;
        let mut tx = db.db.write().await.unwrap();
        assert_eq!(product.version(&mut tx).await.unwrap(), 0);
        product.migrate_to(&mut tx, 2).await.unwrap();
        assert_eq!(product.version(&mut tx).await.unwrap(), 2);
        assert!(Table::find(&mut tx, "schedule_tick").await.unwrap().is_none());
        assert!(!product.tables(2).contains(&"schedule_tick"));
        drop(tx);
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(product.version(&mut tx).await.unwrap(), 0, "what is not committed did not happen");
        drop(tx);
        let mut tx = db.db.write().await.unwrap();
        product.migrate_to(&mut tx, 2).await.unwrap();
        tx.commit().await.unwrap();
        db.migrate(&PRODUCTS).await;
        let mut tx = db.db.read().await.unwrap();
        assert_eq!(product.version(&mut tx).await.unwrap(), product.newest());
    }

    /// Rows come back as they went in, also more than one statement takes; and what does not fit is refused by name.
    async fn rows_come_back_as_they_were(db: TestDb) {
        db.migrate(&PRODUCTS).await;
        let mut tx = db.db.write().await.unwrap();
        let table = Table::find(&mut tx, "package").await.unwrap().unwrap();
        let text = |text: String| Some(Value::Text(text));
        let rows: Vec<Row> = (0..12_000)
            .map(|number| vec![text(format!("p{number:05}")), text("ä\n\u{1f600}\"".to_owned()), None])
            .collect();
        rows::insert_rows(&mut tx, &table, &rows).await.unwrap();
        tx.commit().await.unwrap();
        let mut found = Vec::new();
        let mut tx = db.db.read().await.unwrap();
        let add = |row| {
            found.push(row);
            Ok::<_, Error>(())
        };
        rows::read_rows(&mut tx, &table, add).await.unwrap();
        found.sort_by_key(|row| format!("{row:?}"));
        assert!(found == rows);
        drop(tx);
        let mut tx = db.db.write().await.unwrap();
        for row in [vec![None], vec![Some(Value::Integer(1)), text("{}".to_owned()), None]] {
            let refused = rows::insert_rows(&mut tx, &table, &[row]).await.unwrap_err();
            assert_eq!(refused.to_string(), "a row does not fit the columns of the table package");
        }
        let refused = table.with_columns(&["name".to_owned(), "colour".to_owned()]).unwrap_err();
        assert_eq!(refused.to_string(), "the table package has no column colour");
    }

    /// Migrating again, or from two processes at once, runs nothing twice.
    async fn migrating_twice_is_harmless(db: TestDb) {
        let other = Db::connect(&db.url).await.unwrap();
        for product in PRODUCTS {
            let (first, second) = tokio::join!(product.migrate(&db.db), product.migrate(&other));
            first.unwrap();
            second.unwrap();
        }
        let before = schema(&db.db).await;
        db.migrate(&PRODUCTS).await;
        assert_eq!(schema(&db.db).await, before);
        let ran = PRODUCTS.iter().map(|product| product.migrations.len() as i64).sum::<i64>();
        assert_eq!(migrations_that_ran(&mut db.db.read().await.unwrap()).await, ran);
    }

    /// A write that is not committed leaves no trace, and a reader does not see it meanwhile.
    async fn what_is_not_committed_did_not_happen(db: TestDb) {
        const INSERT: &str = "INSERT INTO package (name, location) VALUES ('prelude', '{}')";
        const COUNT: &str = "SELECT count(*) FROM package";
        db.migrate(&PRODUCTS).await;
        let mut writer = db.db.write().await.unwrap();
        docket_db::execute!(&mut writer, sqlx::query(INSERT)).unwrap();
        let mut reader = db.db.read().await.unwrap();
        let seen: i64 = on!(&mut reader, conn => sqlx::query_scalar(COUNT).fetch_one(conn)).unwrap();
        drop((reader, writer));
        let mut reader = db.db.read().await.unwrap();
        let after: i64 = on!(&mut reader, conn => sqlx::query_scalar(COUNT).fetch_one(conn)).unwrap();
        assert_eq!((seen, after), (0, 0));
    }

    /// All that one reading transaction reads is one state, whatever is committed meanwhile.
    async fn a_reading_transaction_sees_one_state(db: TestDb) {
        const INSERT: &str = "INSERT INTO package (name, location) VALUES ('prelude', '{}')";
        const COUNT: &str = "SELECT count(*) FROM package";
        db.migrate(&PRODUCTS).await;
        let mut reader = db.db.read().await.unwrap();
        let before: i64 = on!(&mut reader, conn => sqlx::query_scalar(COUNT).fetch_one(conn)).unwrap();
        let mut writer = db.db.write().await.unwrap();
        docket_db::execute!(&mut writer, sqlx::query(INSERT)).unwrap();
        writer.commit().await.unwrap();
        let again: i64 = on!(&mut reader, conn => sqlx::query_scalar(COUNT).fetch_one(conn)).unwrap();
        assert_eq!((before, again), (0, 0));
    }
}

/// SQLite keeps what was committed through a power cut, and reads while somebody writes.
#[tokio::test]
async fn sqlite_is_durable() {
    let db = sqlite().await;
    let mut tx = db.db.write().await.unwrap();
    let journal: String =
        on!(&mut tx, conn => sqlx::query_scalar("PRAGMA journal_mode").fetch_one(conn)).unwrap();
    let synchronous: i64 =
        on!(&mut tx, conn => sqlx::query_scalar("PRAGMA synchronous").fetch_one(conn)).unwrap();
    assert_eq!((journal.as_str(), synchronous), ("wal", 2));
}

/// A server that is not there, or refuses, is reported at once with its place and without the password.
#[tokio::test]
async fn an_unreachable_server_is_reported_at_once() {
    // The port is free: it was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = refusal(&format!("postgres://docket:geheim@127.0.0.1:{port}/docket")).await;
    let place = format!("the database at 127.0.0.1:{port}/docket cannot be reached: ");
    assert!(text.starts_with(&place), "{text}");
}

/// A database that does not exist on a server that does.
#[tokio::test]
async fn a_missing_database_is_reported_at_once() {
    let existing = postgres().await;
    let (server, _) = existing.url.rsplit_once('/').unwrap();
    let text = refusal(&format!("{server}/there_is_none")).await;
    assert!(
        text.contains("there_is_none cannot be reached: ") && text.contains("does not exist"),
        "{text}"
    );
}

/// A server that accepts the connection and then says nothing does not hold a starting program up for ever.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://docket:geheim@{}/docket", silent.local_addr().unwrap());
    let refused = tokio::time::timeout(Duration::from_secs(30), Db::connect(&url)).await;
    let error = refused.expect("the server is given up").unwrap_err();
    assert!(
        printed(&error).contains("cannot be reached"),
        "{}",
        printed(&error)
    );
}

/// A SQLite file in a folder that does not exist.
#[tokio::test]
async fn a_sqlite_file_that_cannot_be_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/docket.db");
    let text = refusal(&format!("sqlite:{}", path.display())).await;
    let place = format!("the database at {} cannot be reached: ", path.display());
    assert!(text.starts_with(&place), "{text}");
}

/// Any other kind of URL says what we speak; one that cannot be read does not repeat itself.
#[tokio::test]
async fn an_unknown_scheme_is_reported_at_once() {
    for url in [
        "mysql://docket:geheim@localhost/docket",
        "docket.db",
        "",
        "POSTGRES://docket:geheim@localhost/docket",
    ] {
        let text = refusal(url).await;
        assert_eq!(
            text, "the database URL must begin with `sqlite:` or `postgres://`",
            "{url}"
        );
    }
    for url in [
        "postgres://docket:geheim@localhost:port/docket",
        "postgres://docket:geheim@local host/docket",
    ] {
        refusal(url).await;
    }
}
