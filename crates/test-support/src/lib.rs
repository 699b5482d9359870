//! What tests share: a fresh, real database for each test, on both kinds, and stand-ins for GitHub and Pursuit. Only ever a dev-dependency.

mod database;
pub mod github_stand_in;
pub mod pursuit_stand_in;
mod s3;
mod ssh;

pub use database::{TestDb, postgres, sqlite};
pub use s3::S3Server;
pub use ssh::{SshKey, ssh_key};

/// Writes a test once and runs it on SQLite and on PostgreSQL, each with a fresh database.
///
/// ```ignore
/// on_both_databases! {
///     /// A promise, in a sentence.
///     async fn the_name_of_the_promise(db: TestDb) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: TestDb) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn promise($db: $crate::TestDb) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                promise($crate::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                promise($crate::postgres().await).await;
            }
        }
    )+};
}
