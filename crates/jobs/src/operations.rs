//! Operations as jobs: kind, subject, locks and dedup key, the same wherever they are enqueued from.

use docket_core::{
    digest::Sha256,
    json,
    name::PackageName,
    operation::{PackageSetUpdate, Publish, Signed, SignedOperation},
    version::Version,
};

use crate::NewJob;

/// The kind of dry runs: all that a publish does, and nothing that anybody else can see.
pub const PUBLISH_CHECK: &str = "publish-check";

/// Behind everything that changes the registry, before the documentation and the builds of the matrix.
const PUBLISH_CHECK_PRIORITY: i64 = -2;

impl NewJob {
    /// The dry run of a publish operation. Its lock is its own, so a publish never waits for it.
    pub fn publish_check(operation: &Publish) -> Self {
        let Publish { name, version, .. } = operation;
        let payload = json::to_compact(operation);
        let dedup_key = format!("{PUBLISH_CHECK}/{name}/{version}/{}", digest(&payload));
        Self {
            priority: PUBLISH_CHECK_PRIORITY,
            package_name: Some(name.clone()),
            package_version: Some(*version),
            locks: vec![format!("{PUBLISH_CHECK}/{name}")],
            ..Self::new(PUBLISH_CHECK, payload, dedup_key)
        }
    }

    /// The job of a publish operation.
    pub fn publish(operation: &Publish) -> Self {
        let Publish { name, version, .. } = operation;
        let payload = json::to_compact(operation);
        let dedup_key = format!("publish/{name}/{version}/{}", digest(&payload));
        Self {
            package_name: Some(name.clone()),
            package_version: Some(*version),
            locks: vec![format!("package/{name}")],
            ..Self::new("publish", payload, dedup_key)
        }
    }

    /// The job of a signed operation; its payload is the envelope, its dedup key the text that was signed.
    pub fn signed(signed: &Signed, operation: &SignedOperation) -> Self {
        let (kind, name, version) = match operation {
            SignedOperation::Unpublish(unpublish) => ("unpublish", &unpublish.name, Some(unpublish.version)),
            SignedOperation::Transfer(transfer) => ("transfer", &transfer.name, None),
        };
        let dedup_key = format!("{kind}/{name}/{}", digest(&signed.payload));
        Self {
            package_name: Some(name.clone()),
            package_version: version,
            locks: vec![format!("package/{name}")],
            ..Self::new(kind, json::to_compact(signed), dedup_key)
        }
    }

    /// The job of a package set update.
    pub fn package_set(update: &PackageSetUpdate) -> Self {
        let payload = json::to_compact(update);
        let dedup_key = format!("packageset/{}", digest(&payload));
        Self {
            locks: vec!["package-sets".to_owned()],
            ..Self::new("packageset", payload, dedup_key)
        }
    }

    /// The dedup key of the jobs that document a version.
    pub fn documentation_key(name: &PackageName, version: Version) -> String {
        format!("documentation/{name}/{version}")
    }
}

fn digest(text: &str) -> String {
    Sha256::of(text.as_bytes()).hex()
}
