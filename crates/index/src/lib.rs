//! The published state of the registry: packages, versions, manifests, package sets, and the feed of their changes.
//!
//! The database is the system of record. What clients read elsewhere, the git repositories and the HTTP index,
//! is made from it: see [`git`] and ARCHITECTURE.md, "What is true where".

mod audit;
pub mod blobs;
mod builds;
pub mod checks;
mod dependants;
pub mod export;
pub mod git;
pub mod import;
mod installable;
mod job_change;
mod known_sets;
mod mirror;
mod publish;
mod release;
pub mod search;
mod store;
pub mod takedown;
pub mod tarballs;
mod transfer;
mod unpublish;

use docket_db::Product;

pub use audit::{AuditError, audit};
pub use builds::{commit_metadata, record_build};
pub use dependants::{Dependant, list_breaking, list_dependants};
pub use installable::{list_installable, load_solver_index};
pub use job_change::ByJob;
pub use known_sets::{Difference, KnownSets, SetHead, Sets};
pub use mirror::{MirrorError, mirror_package_set};
pub use publish::{Publication, PublishError, bootstrap, list_unsatisfied, publish};
pub use release::{Release, ReleaseError, find_release_by, release_package_set};
pub use store::{
    builds::{Build, Outcome, list as list_builds, list_failed_jobs},
    changes::{
        Change, ChangeFile, NewChange, Repository, last_seq, list as list_changes, lock as lock_changes,
    },
    installable::Scope,
    package_sets::{
        find as find_package_set, latest as latest_package_set, list as list_package_sets,
        list_versions_holding as list_sets_holding,
    },
    packages::{
        find_by_hash, find_index_file, find_metadata, list_locations, list_manifests, list_names,
        list_published_since,
    },
    pushes::{PushState, Reached, list as list_push_states},
    summaries::{
        DependantSummary, NewVersion, Summary, count as count_packages, count_dependants,
        find as find_summary, list as list_summaries, list_dependants as list_dependant_summaries,
        list_new_versions, list_new_versions_of,
    },
};
pub use transfer::{TransferError, transfer};
pub use unpublish::{UnpublishError, Withdrawal, unpublish};

/// The tables of this crate.
pub const TABLES: Product = docket_db::product!(
    "registry",
    "docket_registry_migration",
    [
        "0001_registry",
        "0002_builds",
        "0003_change_tag",
        "0004_push",
        "0005_foreign_tags",
        "0006_blob_hold",
        "0007_summaries",
        "0008_takedown",
        "0009_publish_check",
        "0010_set_order",
    ]
);

/// Who signs commits of the server (registry.md §3.8).
pub const AUTHOR: &str = "pacchettibotti <pacchettibotti@purescript.org>";
