//! The published state of the registry: packages, versions, manifests, package sets, and the feed of their changes.
//!
//! The database is the system of record. What clients read elsewhere, the git repositories and the HTTP index,
//! is made from it: see [`git`] and ARCHITECTURE.md, "What is true where".

mod audit;
pub mod blobs;
mod builds;
mod dependants;
pub mod export;
pub mod git;
pub mod import;
mod job_change;
mod mirror;
mod publish;
mod release;
mod solver_index;
mod store;
pub mod tarballs;
mod transfer;
mod unpublish;

use docket_db::{Migration, Product};

pub use audit::{AuditError, audit};
pub use builds::{commit_metadata, record_build};
pub use dependants::{Dependant, list_dependants, list_sets_holding};
pub use job_change::ByJob;
pub use mirror::{MirrorError, mirror_package_set};
pub use publish::{Publication, PublishError, bootstrap, publish};
pub use release::{Release, ReleaseError, find_release_by, release_package_set};
pub use solver_index::{list_installable, load as load_solver_index};
pub use store::{
    builds::{Build, Outcome, list as list_builds},
    changes::{Change, ChangeFile, NewChange, Repository, last_seq, list as list_changes},
    package_sets::{find as find_package_set, latest as latest_package_set, list as list_package_sets},
    packages::{
        find_by_hash, find_index_file, find_metadata, list_locations, list_manifests, list_names,
        list_published_since,
    },
    pushes::{PushState, Reached, list as list_push_states},
};
pub use transfer::{TransferError, transfer};
pub use unpublish::{UnpublishError, Withdrawal, unpublish};

/// The tables of this crate.
pub const TABLES: Product = Product {
    name: "registry",
    history_table: "docket_registry_migration",
    migrations: &[
        Migration {
            version: 1,
            name: "0001_registry",
            sqlite: include_str!("../../../migrations/registry/sqlite/0001_registry.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0001_registry.sql"),
        },
        Migration {
            version: 2,
            name: "0002_builds",
            sqlite: include_str!("../../../migrations/registry/sqlite/0002_builds.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0002_builds.sql"),
        },
        Migration {
            version: 3,
            name: "0003_change_tag",
            sqlite: include_str!("../../../migrations/registry/sqlite/0003_change_tag.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0003_change_tag.sql"),
        },
        Migration {
            version: 4,
            name: "0004_push",
            sqlite: include_str!("../../../migrations/registry/sqlite/0004_push.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0004_push.sql"),
        },
        Migration {
            version: 5,
            name: "0005_foreign_tags",
            sqlite: include_str!("../../../migrations/registry/sqlite/0005_foreign_tags.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0005_foreign_tags.sql"),
        },
        Migration {
            version: 6,
            name: "0006_blob_hold",
            sqlite: include_str!("../../../migrations/registry/sqlite/0006_blob_hold.sql"),
            postgres: include_str!("../../../migrations/registry/postgres/0006_blob_hold.sql"),
        },
    ],
};

/// Who signs commits of the server (registry.md §3.8).
pub const AUTHOR: &str = "pacchettibotti <pacchettibotti@purescript.org>";
