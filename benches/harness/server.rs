//! The API, served on a loopback port.

use std::{path::Path, sync::Arc};

use docket_api::ApiState;
use docket_index::{git::GitViews, tarballs::Tarballs};
use docket_jobs::Jobs;
use docket_storage::Storage;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A server that runs.
pub(crate) struct Server {
    /// Where it listens: host and port.
    pub(crate) address: String,
    stopping: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Serves `jobs`; what it keeps besides lies in `folder`.
    pub(crate) async fn start(jobs: &Jobs, folder: &Path) -> anyhow::Result<Self> {
        let storage = Storage::local(folder.join("blobs"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let stopping = CancellationToken::new();
        let db = jobs.db();
        let state = ApiState {
            jobs: jobs.clone(),
            views: GitViews::new(folder.join("git"), db.clone(), storage.clone()),
            tarballs: Tarballs::new(db.clone(), storage)?,
            authority: docket_api::Authority::default(),
            schedules: Arc::from([]),
            kinds: Arc::from(["publish"]),
            webhook: None,
            legal: Arc::default(),
            sets: Default::default(),
            limits: Arc::new(docket_api::Limits::new(docket_api::Rules::default())),
            public_url: format!("http://{address}").into(),
            stopping: stopping.clone(),
        };
        let task = tokio::spawn(docket_api::serve(listener, state, docket_http::Door::default()));
        Ok(Self {
            address,
            stopping,
            task,
        })
    }

    /// Stops the server.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stopping.cancel();
        Ok(self.task.await?)
    }
}
