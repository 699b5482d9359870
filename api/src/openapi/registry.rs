//! How what the registry holds, and what is asked of it, looks as JSON. The types of `docket-core` read and write it by rules of their own (registry.md §2),
//! so their shapes are said here once more, for descriptions alone; the answers of a running server are checked against them by `tests/e2e/openapi.rs`.

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// Where a package's code comes from: `githubOwner` and `githubRepo`, or `gitUrl`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Location {
    #[schema(example = "purescript", nullable = false)]
    github_owner: Option<String>,
    #[schema(example = "purescript-prelude", nullable = false)]
    github_repo: Option<String>,
    #[schema(nullable = false)]
    git_url: Option<String>,
    /// The directory of the package, if it is not the root.
    #[schema(nullable = false)]
    subdir: Option<String>,
}

/// A key whose holder may take versions back and move the package.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Owner {
    /// The remark behind the key: a name or an e-mail address.
    #[schema(nullable = false)]
    id: Option<String>,
    #[schema(example = "ssh-ed25519")]
    keytype: String,
    /// The base64 text of the OpenSSH public key.
    public: String,
}

/// What the registry knows about a package.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Metadata {
    location: Location,
    /// The owners named by the manifest that was published last.
    #[schema(nullable = false)]
    owners: Option<Vec<Owner>>,
    /// The versions that can be installed.
    published: BTreeMap<String, PublishedVersion>,
    /// The versions that could once be installed and never can again.
    unpublished: BTreeMap<String, UnpublishedVersion>,
}

/// A version that can be installed.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub(crate) struct PublishedVersion {
    /// The size of the tarball.
    bytes: u64,
    /// The compilers it is known to compile with.
    #[schema(example = json!(["0.15.15"]))]
    compilers: Vec<String>,
    /// The SHA-256 of the tarball.
    #[schema(example = "sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=")]
    hash: String,
    #[schema(format = DateTime)]
    published_time: String,
    /// Always empty for new versions.
    r#ref: String,
}

/// A version that was taken back.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub(crate) struct UnpublishedVersion {
    #[schema(format = DateTime)]
    published_time: String,
    reason: String,
    #[schema(format = DateTime)]
    unpublished_time: String,
}

/// What a version says of itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Manifest {
    #[schema(example = "prelude")]
    name: String,
    #[schema(example = "6.0.1")]
    version: String,
    #[schema(example = "BSD-3-Clause")]
    license: String,
    #[schema(nullable = false)]
    description: Option<String>,
    location: Location,
    r#ref: String,
    /// The ranges that it takes of other packages.
    #[schema(example = json!({ "prelude": ">=6.0.0 <7.0.0" }))]
    dependencies: BTreeMap<String, String>,
    #[schema(nullable = false)]
    owners: Option<Vec<Owner>>,
    #[schema(nullable = false)]
    include_files: Option<Vec<String>>,
    #[schema(nullable = false)]
    exclude_files: Option<Vec<String>>,
}

/// Versions of packages that compile together.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct PackageSet {
    #[schema(example = "61.0.0")]
    version: String,
    #[schema(example = "0.15.15")]
    compiler: String,
    #[schema(format = Date)]
    published: String,
    packages: BTreeMap<String, String>,
}

/// A version to publish.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Publish {
    #[schema(example = "prelude")]
    name: String,
    #[schema(example = "6.0.1")]
    version: String,
    /// The snapshot to publish: a tag, usually.
    #[schema(example = "v6.0.1")]
    r#ref: String,
    /// Needed only for the first version of a package.
    #[schema(nullable = false)]
    location: Option<Location>,
    /// The compiler to verify with; the server picks one when it is absent.
    #[schema(nullable = false)]
    compiler: Option<String>,
    /// A complete build plan; the server solves one when it is absent.
    #[schema(nullable = false)]
    resolutions: Option<BTreeMap<String, String>>,
}

/// An operation, and a signature over its exact text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct Signed {
    /// The JSON text of the operation, byte for byte as it was signed.
    payload: String,
    /// With a trustee's token it may be missing.
    #[schema(nullable = false)]
    signature: Option<String>,
}
