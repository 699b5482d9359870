//! Composition: which roles share this process.

use std::{io::Write, sync::Arc, time::Duration};

use anyhow::Context;
use docket_api::{ApiState, Limits};
use docket_db::Db;
use docket_index::{
    git::{GitViews, remote::Remotes},
    tarballs::Tarballs,
};
use docket_jobs::{Clock, Jobs, worker};
use docket_storage::Storage;
use docket_worker::{
    WorkerState, chores, compiler::Compilers, github_issue, matrix, package::SizeRules, ping, push,
    sandbox::Sandbox, source::git::SourceConfig,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;

/// What the first retry of a job waits, in milliseconds.
const RETRY_MILLIS: i64 = 5_000;

/// The stores of one registry, opened.
pub struct Stores {
    pub db: Db,
    pub storage: Storage,
    pub tarballs: Tarballs,
    pub views: GitViews,
}

impl Stores {
    /// Opens database and storage; nothing is created in the database.
    ///
    /// # Errors
    /// At once, when one of them cannot be reached.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("the data directory {} cannot be made", config.data_dir.display()))?;
        let db = Db::connect(&config.database_url()?).await?;
        let storage = config.storage.open(&config.data_dir)?;
        storage.reach().await?;
        let views = GitViews::new(config.data_dir.join("git"), db.clone(), storage.clone());
        let tarballs = Tarballs::new(db.clone(), storage.clone())?;
        Ok(Self {
            db,
            storage,
            tarballs,
            views,
        })
    }

    /// Where the repositories are pushed.
    ///
    /// # Errors
    /// When the configuration of a remote cannot be used.
    pub fn remotes(&self, config: &Config) -> anyhow::Result<Remotes> {
        Ok(Remotes::new(
            self.views.clone(),
            self.db.clone(),
            config.data_dir.join("push"),
            config.git.remotes()?,
        ))
    }

    /// Creates the tables or brings them up to date.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        docket_jobs::TABLES.migrate(&self.db).await?;
        docket_index::TABLES.migrate(&self.db).await?;
        let mut tx = self.db.write().await?;
        docket_index::bootstrap(&mut tx, Clock::system().now()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Which roles this process plays.
#[derive(Debug, Clone, Copy)]
pub struct Roles {
    pub api: bool,
    pub worker: bool,
}

/// A running server.
pub struct Server {
    /// Where it answers, when it does: `http://ADDR:PORT`, or `https://…`.
    pub url: Option<String>,
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>,
    db: Db,
}

impl Server {
    /// Starts `roles`. They end when `shutdown` is cancelled.
    ///
    /// # Errors
    /// When the address cannot be bound or the sandbox that was asked for does not work.
    pub async fn start(
        config: &Config,
        stores: Stores,
        roles: Roles,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let jobs = Jobs::new(stores.db.clone(), Clock::system())
            .with_storage(&stores.storage)
            .with_redactor(config.redactor());
        let github = config.github.client()?;
        let schedules = chores::schedules(github.is_some());
        let mut tasks = Vec::new();
        let mut url = None;
        if roles.worker {
            let state = worker_state(config, &stores).await?;
            let settings = worker::Config {
                concurrency: config.worker.concurrency.get(),
                background_concurrency: config.worker.background_concurrency,
                lease_secs: config.worker.lease_secs,
                drain_secs: config.worker.drain_secs,
                retry_millis: RETRY_MILLIS,
                name: format!("{}/{}", host_name(), std::process::id()),
                progress: worker::Progress::default(),
            };
            let mut handlers = docket_worker::handlers(&state);
            let forwarder = config.forwarder(github.as_ref())?;
            handlers.extend(forwarder.map(github_issue::handler));
            handlers.extend(chores::handlers(&state, &config.health.task_pings()?, github));
            matrix::greet_compiler(&jobs, &state.compilers).await?;
            if let Some(check) = config.health.ping()? {
                let every = Duration::from_secs(config.health.ping_secs);
                tokio::spawn(ping::watch(
                    check,
                    settings.progress.clone(),
                    every,
                    shutdown.clone(),
                ));
            }
            if config.schedules.enabled {
                tokio::spawn(jobs.clone().keep_schedules(schedules.clone(), shutdown.clone()));
            }
            let remotes = stores.remotes(config)?;
            handlers.push(push::handler(remotes.clone()));
            tokio::spawn(push::watch(remotes, jobs.clone(), shutdown.clone()));
            let run = worker::run(jobs.clone(), settings, handlers, shutdown.clone());
            tasks.push(tokio::spawn(async move {
                run.await;
                Ok(())
            }));
        }
        if roles.api {
            let door = config.door()?;
            let listener = TcpListener::bind(&config.api.listen)
                .await
                .with_context(|| format!("cannot listen on {}", config.api.listen))?;
            let address = format!("{}://{}", config.api.scheme(), listener.local_addr()?);
            let public_url = config.api.public_url.clone().unwrap_or_else(|| address.clone());
            let state = ApiState {
                jobs: jobs.clone(),
                tarballs: stores.tarballs.clone(),
                views: stores.views.clone(),
                authority: config.authority()?,
                schedules: schedules.into(),
                kinds: docket_worker::kinds().into(),
                webhook: config.github.webhook()?.map(Arc::new),
                legal: Arc::new(config.legal.texts()?),
                sets: Default::default(),
                limits: Arc::new(Limits::new(config.rules()?)),
                public_url: Arc::from(public_url.trim_end_matches('/')),
                stopping: shutdown.clone(),
            };
            tasks.push(tokio::spawn(async move {
                docket_api::serve(listener, state, door).await;
                Ok(())
            }));
            url = Some(address);
        }
        Ok(Self {
            url,
            tasks,
            db: stores.db,
        })
    }

    /// Waits until all roles have ended, and closes the database.
    ///
    /// # Errors
    /// When a role failed.
    pub async fn wait(self) -> anyhow::Result<()> {
        for task in self.tasks {
            task.await??;
        }
        self.db.close().await;
        Ok(())
    }
}

async fn worker_state(config: &Config, stores: &Stores) -> anyhow::Result<WorkerState> {
    let search_path = std::env::var("PATH").unwrap_or_default();
    let sandbox = Sandbox::choose(config.worker.sandbox, &search_path).await?;
    info!("sandbox: {}", sandbox.describe());
    let compilers = Compilers::find(&config.compilers.path, &search_path, &sandbox).await;
    let versions: Vec<_> = compilers.versions().iter().map(ToString::to_string).collect();
    if versions.is_empty() {
        warn!("no PureScript compiler was found: nothing can be published; see `docketd doctor`");
    } else {
        info!("compilers: {}", versions.join(", "));
    }
    let work_dir = config.data_dir.join("work");
    std::fs::create_dir_all(&work_dir)
        .with_context(|| format!("the work directory {} cannot be made", work_dir.display()))?;
    Ok(WorkerState {
        storage: stores.storage.clone(),
        tarballs: stores.tarballs.clone(),
        sources: Arc::new(SourceConfig {
            search_path,
            ..config.source_config()
        }),
        compilers: Arc::new(compilers),
        sandbox: Arc::new(sandbox),
        limits: Arc::new(config.compiler_limits()),
        sizes: SizeRules::default(),
        windows: config.operations.windows(),
        keep_checks_hours: config.operations.keep_checks_hours,
        gather_millis: matrix::GATHER_MILLIS,
        public_url: config
            .api
            .public_url
            .as_deref()
            .map(|url| Arc::from(url.trim_end_matches('/'))),
        pursuit: config.documentation.pursuit()?,
        // Absolute, because the sandbox binds it under its own name.
        package_set_dir: config.data_dir.canonicalize()?.join("package-set"),
        legacy_mirror: config.package_sets.legacy_mirror,
        retention: config.logs.retention(),
        work_dir: work_dir.canonicalize()?,
    })
}

/// Tells processes of different machines apart in leases.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "localhost".to_owned()
    } else {
        name.trim().to_owned()
    }
}

/// Runs `roles` until SIGTERM or Ctrl-C.
///
/// # Errors
/// When something needed is not there, or a role fails.
pub async fn run(config: &Config, roles: Roles) -> anyhow::Result<()> {
    let mut stop = StopSignal::listen();
    allow_files();
    let shutdown = CancellationToken::new();
    let start = async {
        let stores = Stores::open(config).await?;
        // Migrating is safe from many processes at once, so no role needs another one to start first.
        stores.migrate().await?;
        Server::start(config, stores, roles, shutdown.clone()).await
    };
    let server = tokio::select! {
        started = start => started?,
        () = stop.heard() => return Ok(()),
    };
    // Scripts wait for exactly these lines.
    match &server.url {
        Some(url) => announce(&format!("docketd listening on {url}")),
        None => announce("docketd working"),
    }
    tokio::spawn(async move {
        stop.heard().await;
        info!("stopping");
        shutdown.cancel();
    });
    server.wait().await
}

/// Takes as many open files as the system lets us: each connection is one, and the usual limit is for programs of another kind.
fn allow_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(
            error = &error as &dyn std::error::Error,
            "the limit of open files stays as it is"
        );
    }
}

/// Prints a line on standard output at once; a reader that went away is no reason to stop.
pub fn announce(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// SIGTERM and Ctrl-C, heard from its creation on: whoever reads that we are ready may send one at once.
pub struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    /// From now on neither signal ends the program by itself.
    pub fn listen() -> Self {
        let listen = |kind| signal(kind).expect("a handler for a signal can be set");
        Self {
            terminate: listen(SignalKind::terminate()),
            interrupt: listen(SignalKind::interrupt()),
        }
    }

    /// Waits for one of them.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
