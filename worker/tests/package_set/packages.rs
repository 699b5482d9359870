//! Packages that are published already, made without a repository, and what was released of them.

use std::collections::BTreeMap;

use docket_core::digest::Sha256;
use docket_core::manifest::Manifest;
use docket_core::metadata::PublishedVersion;
use docket_index::{ByJob, Publication, Repository};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::registry::Registry;

pub(crate) struct Package {
    name: String,
    version: String,
    depends: Vec<String>,
    behaviour: Option<String>,
    folder: Option<String>,
}

impl Package {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            depends: Vec::new(),
            behaviour: None,
            folder: None,
        }
    }

    /// Lies in a folder of its repository.
    pub(crate) fn in_folder(mut self, folder: &str) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    pub(crate) fn depends_on(mut self, names: &[&str]) -> Self {
        self.depends = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// What the compiler of the tests does when it finds this package.
    pub(crate) fn behaves(mut self, script: &str) -> Self {
        self.behaviour = Some(script.to_owned());
        self
    }

    fn tarball(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let top = format!("{}-{}", self.name, self.version);
        let mut put = |path: &str, text: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, format!("{top}/{path}"), text.as_bytes())
                .unwrap();
        };
        put("src/Module.purs", "module Module where\n");
        if let Some(script) = &self.behaviour {
            put("src/behaviour", script);
        }
        archive.into_inner().unwrap().finish().unwrap()
    }
}

/// Makes the compiler fail while `condition`, a shell command, holds, with an error in a file of `at`, a NAME@VERSION.
pub(crate) fn break_when(package: Package, condition: &str, at: &str, message: &str) -> Package {
    let error = json!({
        "warnings": [],
        "errors": [{
            "position": null, "message": message, "errorCode": "X", "errorLink": "", "moduleName": null,
            "filename": format!("packages/{at}/src/Module.purs"),
        }],
    });
    package.behaves(&format!("if {condition}; then echo '{error}'; exit 1; fi\n"))
}

/// Publishes `package`.
pub(crate) async fn add(registry: &Registry, package: &Package) {
    let Package { name, version, .. } = package;
    let ranges: BTreeMap<_, _> = package
        .depends
        .iter()
        .map(|name| (name, ">=1.0.0 <9.0.0"))
        .collect();
    let mut location = json!({ "githubOwner": "lab", "githubRepo": name });
    if let Some(folder) = &package.folder {
        location["subdir"] = folder.as_str().into();
    }
    let manifest = json!({
        "name": name, "version": version, "license": "MIT", "location": location,
        "ref": format!("v{version}"), "dependencies": ranges,
    });
    let manifest = Manifest::from_stored(&manifest.to_string()).unwrap();
    let tarball = package.tarball();
    let at = registry.jobs.clock().now();
    let entry = PublishedVersion {
        bytes: tarball.len() as u64,
        compilers: vec!["0.15.15".parse().unwrap()],
        hash: Sha256::of(&tarball),
        published_time: at,
        git_ref: String::new(),
    };
    registry.state.storage.put(tarball.into()).await.unwrap();
    let publication = Publication {
        manifest: &manifest,
        entry: &entry,
        by: ByJob {
            job_id: "job".to_owned(),
            at,
        },
    };
    let mut tx = registry.jobs.db().write().await.unwrap();
    docket_index::publish(&mut tx, &publication).await.unwrap();
    tx.commit().await.unwrap();
}

/// Publishes `package`, which never compiles in a package set.
pub(crate) async fn add_broken(registry: &Registry, package: Package, message: &str) {
    let at = format!("{}@{}", package.name, package.version);
    add(
        registry,
        &break_when(package, "[ $command = compile ]", &at, message),
    )
    .await;
}

/// The files of package sets, in the order of their release.
pub(crate) async fn files_of_sets(registry: &Registry) -> Vec<(String, String)> {
    let mut tx = registry.jobs.db().read().await.unwrap();
    let changes = docket_index::list_changes(&mut tx, Some(Repository::Registry), 0, 1000)
        .await
        .unwrap();
    changes
        .into_iter()
        .flat_map(|change| change.change.files)
        .filter(|file| file.path.starts_with("package-sets/"))
        .map(|file| (file.path, file.content.unwrap()))
        .collect()
}

/// The message of the newest commit of the registry repository.
pub(crate) async fn last_message(registry: &Registry) -> String {
    let mut tx = registry.jobs.db().read().await.unwrap();
    let changes = docket_index::list_changes(&mut tx, Some(Repository::Registry), 0, 1000)
        .await
        .unwrap();
    changes.last().unwrap().change.message.clone()
}
