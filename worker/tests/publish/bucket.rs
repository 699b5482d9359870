//! What a publish promises when blobs are in a bucket.

use docket_test_support::{S3Server, TestDb, on_both_databases};

use crate::registry::Registry;
use crate::{demo, prelude};

/// A registry with a bucket.
async fn start(db: &TestDb) -> (S3Server, Registry) {
    let server = S3Server::start();
    let mut registry = Registry::new(db).await;
    registry.use_bucket(&server);
    registry.work();
    (server, registry)
}

fn key(registry: &docket_core::metadata::Metadata) -> String {
    let hex = registry.published.values().next().unwrap().hash.hex();
    format!("{}/{}/{hex}", &hex[0..2], &hex[2..4])
}

on_both_databases! {
    /// A bucket that is away is our turn: the job is tried again, and what nobody could store is not published. Once it is back, the same
    /// operation goes through, without a restart.
    async fn a_bucket_that_is_away_is_our_turn(db: TestDb) {
        let (mut server, registry) = start(&db).await;
        let (_, operation) = prelude(&registry);
        server.stop();
        let ended = registry.publish(&operation).await;
        assert_eq!((ended.code(), ended.job.attempt), (Some("unavailable"), 5), "{}", ended.log());
        let tried_again = ended.log().matches("The tarball store did not answer. The next attempt").count();
        assert_eq!(tried_again, 4, "{}", ended.log());
        assert!(!ended.log().contains("127.0.0.1") && !ended.log().contains("X-Amz"), "{}", ended.log());
        registry.assert_nothing_published("prelude", "the bucket is away").await;

        server.resume();
        registry.publish(&operation).await.assert_succeeded();
        let metadata = registry.metadata("prelude").await.unwrap();
        assert!(server.object(&key(&metadata)).is_some());
    }

    /// Nothing is compiled against a dependency whose bytes changed in the bucket.
    async fn a_damaged_dependency_is_not_used(db: TestDb) {
        let (server, registry) = start(&db).await;
        registry.publish(&prelude(&registry).1).await.assert_succeeded();
        server.overwrite(&key(&registry.metadata("prelude").await.unwrap()), "something else");
        let ended = registry.publish(&demo(&registry).1).await;
        assert_eq!(ended.code(), Some("unavailable"), "{}", ended.log());
        registry.assert_nothing_published("demo", "its dependency is damaged").await;
    }
}
