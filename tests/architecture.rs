//! What may lean on what: reads the dependencies back from `cargo metadata` and prints the reason when one should not be there.
//!
//! The rules are ARCHITECTURE.md, "What may lean on what".

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The direct dependencies of each package of the workspace; dev-dependencies apart.
struct Workspace {
    normal: BTreeMap<String, Vec<String>>,
    dev: BTreeMap<String, Vec<String>>,
}

fn workspace() -> Workspace {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata runs");
    let mut workspace = Workspace {
        normal: BTreeMap::new(),
        dev: BTreeMap::new(),
    };
    for package in metadata.packages {
        let of_kind = |kind| {
            let found = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == kind);
            found
                .map(|dependency| dependency.name.clone())
                .collect::<Vec<_>>()
        };
        workspace
            .dev
            .insert(package.name.to_string(), of_kind(DependencyKind::Development));
        workspace
            .normal
            .insert(package.name.to_string(), of_kind(DependencyKind::Normal));
    }
    workspace
}

/// Fails when a package other than `allowed` depends on `dependency`.
fn only(workspace: &Workspace, dependency: &str, allowed: &[&str], reason: &str) {
    for (package, dependencies) in &workspace.normal {
        let leans = dependencies.iter().any(|name| name == dependency);
        assert!(
            !leans || allowed.contains(&package.as_str()),
            "{package} depends on {dependency}, but {reason}"
        );
    }
}

/// Fails when `package` depends on one of `forbidden`.
fn never(workspace: &Workspace, package: &str, forbidden: &[&str], reason: &str) {
    let dependencies = workspace
        .normal
        .get(package)
        .unwrap_or_else(|| panic!("there is a package {package}"));
    for dependency in forbidden {
        assert!(
            !dependencies.iter().any(|name| name == dependency),
            "{package} depends on {dependency}, but {reason}"
        );
    }
}

#[test]
fn core_does_no_io() {
    let outside = [
        "tokio",
        "sqlx",
        "axum",
        "reqwest",
        "tempfile",
        "docket-db",
        "docket-jobs",
        "docket-index",
        "docket-storage",
    ];
    never(
        &workspace(),
        "docket-core",
        &outside,
        "core does no IO, so that outsiders reuse it and it is tested by the thousand",
    );
}

#[test]
fn api_and_worker_meet_only_in_the_database() {
    let workspace = workspace();
    let reason = "api and worker scale apart because they meet only in the database";
    never(&workspace, "docket-api", &["docket-worker"], reason);
    never(
        &workspace,
        "docket-worker",
        &["docket-api", "docket-http", "axum"],
        reason,
    );
}

#[test]
fn sql_is_written_only_in_stores() {
    let allowed = ["docket-db", "docket-jobs", "docket-index", "docket-test-support"];
    only(
        &workspace(),
        "sqlx",
        &allowed,
        "SQL is written only in the store modules of the products",
    );
}

#[test]
fn only_jobs_names_apalis() {
    let workspace = workspace();
    for part in ["apalis", "apalis-core"] {
        only(
            &workspace,
            part,
            &["docket-jobs"],
            "how jobs are driven is a secret of docket-jobs",
        );
    }
}

#[test]
fn only_storage_names_the_s3_library() {
    let workspace = workspace();
    only(
        &workspace,
        "rusty-s3",
        &["docket-storage"],
        "how a bucket is spoken to is a secret of docket-storage",
    );
}

#[test]
fn only_core_names_ssh_key() {
    let workspace = workspace();
    for part in ["ssh-key", "rsa", "p256", "p384", "p521", "ed25519-dalek"] {
        only(
            &workspace,
            part,
            &["docket-core"],
            "which signatures count is decided in one place, docket_core::signature",
        );
    }
}

#[test]
fn only_github_names_octocrab() {
    only(
        &workspace(),
        "octocrab",
        &["docket-github"],
        "how GitHub is asked is a secret of docket-github",
    );
}

#[test]
fn the_client_needs_no_server() {
    let servers = [
        "docket-db",
        "docket-jobs",
        "docket-index",
        "docket-storage",
        "docket-api",
        "docket-worker",
        "sqlx",
        "axum",
    ];
    let reason = "a client must not drag a server along";
    never(&workspace(), "docket-client", &servers, reason);
    never(&workspace(), "docket-github", &servers, reason);
    never(&workspace(), "docket-package", &servers, reason);
}

#[test]
fn test_support_is_only_for_tests() {
    let workspace = workspace();
    only(
        &workspace,
        "docket-test-support",
        &[],
        "test-support is only ever a dev-dependency",
    );
    assert!(
        workspace
            .dev
            .values()
            .flatten()
            .any(|name| name == "docket-test-support")
    );
}

/// `sqlx` appears in no source file outside the seam and the stores, even where the package may name it.
#[test]
fn only_stores_name_sqlx() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![
        root.join("crates"),
        root.join("api"),
        root.join("worker"),
        root.join("src"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a source folder is readable") {
            let path = entry.expect("a source folder is readable").path();
            let relative = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let free = relative.contains("/store/")
                || relative.starts_with("crates/db/")
                || relative.starts_with("crates/test-support/")
                // A test of whether both databases do what the model does.
                || relative == "crates/jobs/src/scheduler/agreement.rs"
                || relative.contains("/tests/");
            if free || path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            let names = text
                .lines()
                .any(|line| line.contains("sqlx::") && !line.trim_start().starts_with("//"));
            assert!(
                !names,
                "{relative} names sqlx, but SQL is written only in store modules"
            );
        }
    }
}

/// A file in `migrations/` that no crate lists would never run.
#[test]
fn every_migration_is_listed_once_for_both_databases() {
    let migrations = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for product in [docket_jobs::TABLES, docket_index::TABLES] {
        let listed: Vec<_> = product.migrations.iter().map(|one| one.name).collect();
        for database in ["sqlite", "postgres"] {
            let folder = std::fs::read_dir(migrations.join(product.name).join(database));
            let mut files: Vec<_> = folder
                .expect("a folder for each product and database")
                .map(|file| file.expect("it is readable").file_name().into_string())
                .map(|name| name.expect("its name is text").replace(".sql", ""))
                .collect();
            files.sort();
            assert_eq!(listed, files, "{} for {database}", product.name);
        }
    }
}
