//! What a job writes into the change feed.

use docket_core::{metadata::Metadata, name::PackageName, time::Timestamp};
use docket_db::{Error, Tx};

use crate::{AUTHOR, ChangeFile, NewChange, Repository, store::changes};

/// The job that makes a change, and when.
#[derive(Debug, Clone)]
pub struct ByJob {
    /// Its id, for the last line of the commit message.
    pub job_id: String,
    /// The commit's time.
    pub at: Timestamp,
}

impl ByJob {
    /// Appends a commit of one file; without `content` the file is deleted.
    pub(crate) async fn append(
        &self,
        tx: &mut Tx,
        repository: Repository,
        message: &str,
        path: String,
        content: Option<String>,
    ) -> Result<(), Error> {
        let files = vec![ChangeFile { path, content }];
        self.append_all(tx, repository, message, files).await?;
        Ok(())
    }

    /// Appends a commit of several files and returns its `seq`.
    pub(crate) async fn append_all(
        &self,
        tx: &mut Tx,
        repository: Repository,
        message: &str,
        files: Vec<ChangeFile>,
    ) -> Result<i64, Error> {
        let change = NewChange {
            repository,
            at: self.at,
            author: AUTHOR.to_owned(),
            message: format!("{message}\n\nJob ID: {}\n", self.job_id),
            job_id: Some(self.job_id.clone()),
            files,
        };
        changes::append(tx, &change).await
    }

    /// Appends the commit of a package's metadata file, in the words of registry.md §3.8.
    pub(crate) async fn append_metadata(
        &self,
        tx: &mut Tx,
        name: &PackageName,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        let message = format!("Update metadata for {name}");
        let path = metadata_path(name);
        let content = Some(metadata.to_text());
        self.append(tx, Repository::Registry, &message, path, content)
            .await
    }
}

/// Where a package's metadata lies in the registry repository.
pub(crate) fn metadata_path(name: &PackageName) -> String {
    format!("metadata/{name}.json")
}
