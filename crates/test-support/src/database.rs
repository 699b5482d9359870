//! A fresh database for each test.

use docket_db::{Db, Product, sqlx};
use sqlx::Connection;

/// A database for one test alone. SQLite's is gone with this value, PostgreSQL's with the server of the run.
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// Its URL, for programs.
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl TestDb {
    /// Creates the tables of `products`.
    pub async fn migrate(&self, products: &[Product]) {
        for product in products {
            product.migrate(&self.db).await.expect("the migrations run");
        }
    }
}

/// A new SQLite database in a temporary directory.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let db = Db::connect(&url).await.expect("SQLite opens");
    TestDb {
        db,
        url,
        _folder: Some(folder),
    }
}

/// A new PostgreSQL database on the server that `tests/run` started. The server and all its databases end with the run.
///
/// # Panics
/// Without that server: a test that lacks its part fails, it does not pass by doing nothing.
pub async fn postgres() -> TestDb {
    let server = std::env::var("DOCKET_TEST_POSTGRES_URL")
        .expect("run the tests with `tests/run`, which starts PostgreSQL, or set DOCKET_TEST_POSTGRES_URL");
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut admin = sqlx::PgConnection::connect(&server)
        .await
        .expect("the test server answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create)
        .execute(&mut admin)
        .await
        .expect("a database can be created");
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    let url = format!("{base}/{name}");
    let db = Db::connect(&url).await.expect("the new database answers");
    TestDb {
        db,
        url,
        _folder: None,
    }
}
