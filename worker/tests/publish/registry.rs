//! A registry to publish to: a database, a blob store, a worker, and a folder of git repositories in place of GitHub.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use docket_core::digest::Sha256;
use docket_core::location::Location;
use docket_core::metadata::Metadata;
use docket_core::operation::Publish;
use docket_index::tarballs::Tarballs;
use docket_jobs::worker::{self, Config, Handler};
use docket_jobs::{Clock, Job, JobFilter, Jobs, Level, LineFilter, LogLine, NewJob};
use docket_storage::{S3Limits, S3Settings, Storage};
use docket_test_support::{S3Server, TestDb};
use docket_worker::WorkerState;
use docket_worker::chores::Retention;
use docket_worker::compiler::Compilers;
use docket_worker::package::SizeRules;
use docket_worker::publish;
use docket_worker::sandbox::{Limits, Sandbox, SandboxChoice};
use docket_worker::source::git::SourceConfig;
use docket_worker::unpublish::Windows;
use tokio_util::sync::CancellationToken;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How long a job may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Registry {
    pub(crate) jobs: Jobs,
    pub(crate) state: WorkerState,
    pub(crate) dir: tempfile::TempDir,
    /// Where the blob store is.
    pub(crate) blobs: PathBuf,
    shutdown: CancellationToken,
}

/// A job that has ended, with its log.
pub(crate) struct Ended {
    pub(crate) job: Job,
    pub(crate) lines: Vec<LogLine>,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<&str> {
        self.job.error_code.as_deref()
    }

    pub(crate) fn log(&self) -> String {
        self.lines
            .iter()
            .map(|line| format!("{} {}\n", line.level.as_str(), line.message))
            .collect()
    }

    /// The first words of each milestone.
    pub(crate) fn notices(&self) -> Vec<&str> {
        let notices = self.lines.iter().filter(|line| line.level == Level::Notice);
        notices
            .map(|line| line.message.split([':', '@']).next().unwrap_or_default())
            .collect()
    }

    /// The lines that say what went wrong.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &str> {
        let errors = self.lines.iter().filter(|line| line.level == Level::Error);
        errors.map(|line| line.message.as_str())
    }

    #[track_caller]
    pub(crate) fn assert_succeeded(&self) -> &Self {
        assert_eq!(self.job.state.as_str(), "succeeded", "{}", self.log());
        self
    }
}

impl Registry {
    pub(crate) async fn new(db: &TestDb) -> Self {
        db.migrate(&[docket_jobs::TABLES, docket_index::TABLES]).await;
        let dir = tempfile::tempdir().unwrap();
        for folder in ["compilers", "work", "host/lab"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let purs = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs");
        for name in ["purs-0_15_10", "purs-0_15_15"] {
            symlink(purs, dir.path().join("compilers").join(name)).unwrap();
        }
        let sandbox = Sandbox::choose(SandboxChoice::Auto, PATH).await.unwrap();
        let compilers = Compilers::find(&[dir.path().join("compilers")], "", &sandbox).await;
        let sources = SourceConfig {
            github_url: format!("file://{}", dir.path().join("host").display()),
            retry_pause: Duration::ZERO,
            ..SourceConfig::default()
        };
        let limits = Limits {
            wall: Duration::from_secs(20),
            output_bytes: 1 << 20,
            ..Limits::default()
        };
        let storage = Storage::local(dir.path().join("blobs")).unwrap();
        let state = WorkerState {
            tarballs: Tarballs::new(db.db.clone(), storage.clone()).unwrap(),
            storage,
            sources: Arc::new(sources),
            compilers: Arc::new(compilers),
            sandbox: Arc::new(sandbox),
            limits: Arc::new(limits),
            sizes: SizeRules::default(),
            windows: Windows::default(),
            keep_checks_hours: publish::dry_run::KEEP_HOURS,
            gather_millis: 1,
            pursuit: None,
            public_url: None,
            work_dir: dir.path().join("work"),
            package_set_dir: dir.path().join("package-set"),
            legacy_mirror: false,
            retention: Retention::default(),
        };
        Self {
            jobs: Jobs::new(db.db.clone(), Clock::system()).with_storage(&state.storage),
            state,
            blobs: dir.path().join("blobs"),
            dir,
            shutdown: CancellationToken::new(),
        }
    }

    /// Takes blobs to and from the bucket of `server` instead of the folder.
    pub(crate) fn use_bucket(&mut self, server: &S3Server) {
        let storage = Storage::s3(&S3Settings {
            endpoint: server.endpoint(),
            bucket: S3Server::BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: S3Server::ACCESS_KEY_ID.to_owned(),
            secret_access_key: S3Server::SECRET_ACCESS_KEY.to_owned(),
            path_style: true,
            allow_http: true,
            public_url: None,
            limits: S3Limits {
                retry_pauses: vec![Duration::from_millis(10)],
                ..S3Limits::default()
            },
        })
        .unwrap();
        self.state.tarballs = Tarballs::new(self.jobs.db().clone(), storage.clone()).unwrap();
        self.jobs = self.jobs.clone().with_storage(&storage);
        self.state.storage = storage;
    }

    /// Starts a worker with the real handlers.
    pub(crate) fn work(&self) {
        self.work_with_all(docket_worker::handlers(&self.state));
    }

    pub(crate) fn work_with(&self, handler: Handler) {
        self.work_with_all(vec![handler]);
    }

    pub(crate) fn work_with_all(&self, handlers: Vec<Handler>) {
        let config = Config {
            concurrency: 2,
            background_concurrency: 1,
            lease_secs: 30,
            drain_secs: 5,
            retry_millis: 1,
            name: "test".to_owned(),
            progress: Default::default(),
        };
        tokio::spawn(worker::run(
            self.jobs.clone(),
            config,
            handlers,
            self.shutdown.clone(),
        ));
    }

    /// Enqueues the operation and waits for the end of its job.
    pub(crate) async fn publish(&self, operation: &Publish) -> Ended {
        let payload = serde_json::to_string(operation).unwrap();
        let new = NewJob {
            package_name: Some(operation.name.clone()),
            package_version: Some(operation.version),
            locks: vec![format!("package/{}", operation.name)],
            ..NewJob::new(publish::KIND, payload.clone(), payload)
        };
        self.run(&new).await
    }

    /// Enqueues a job and waits for its end.
    pub(crate) async fn run(&self, new: &NewJob) -> Ended {
        let mut tx = self.jobs.db().write().await.unwrap();
        let id = self.jobs.enqueue(&mut tx, new).await.unwrap().job;
        tx.commit().await.unwrap();
        self.jobs.wake_workers();

        let mut tail = self.jobs.tail(id, 0, Level::Debug);
        let end = async {
            while tail
                .next()
                .await
                .unwrap()
                .expect("the job exists")
                .finished
                .is_none()
            {}
        };
        tokio::time::timeout(DEADLINE, end).await.expect("the job ends");
        let mut tx = self.jobs.db().read().await.unwrap();
        let job = self.jobs.find(&mut tx, id).await.unwrap().unwrap();
        let filter = LineFilter::after(0, Level::Debug, usize::MAX);
        let lines = self.jobs.lines(id, &filter).await.unwrap();
        Ended { job, lines }
    }

    pub(crate) async fn metadata(&self, name: &str) -> Option<Metadata> {
        let mut tx = self.jobs.db().read().await.unwrap();
        docket_index::find_metadata(&mut tx, &name.parse().unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn index_file(&self, name: &str) -> Option<String> {
        let mut tx = self.jobs.db().read().await.unwrap();
        docket_index::find_index_file(&mut tx, &name.parse().unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn changes(&self) -> i64 {
        let mut tx = self.jobs.db().read().await.unwrap();
        docket_index::last_seq(&mut tx).await.unwrap()
    }

    /// Makes a blob in a folder of the storage look as if it had been stored so many hours ago.
    pub(crate) fn age(&self, folder: &str, digest: Sha256, hours: u64) {
        let hex = digest.hex();
        let path = self
            .blobs
            .join(folder)
            .join(&hex[0..2])
            .join(&hex[2..4])
            .join(hex);
        let at = SystemTime::now() - Duration::from_secs(hours * 3600);
        let blob = File::options().write(true).open(path).unwrap();
        blob.set_modified(at).unwrap();
    }

    /// Waits until no job is active, follow-up jobs included.
    pub(crate) async fn settled(&self) {
        let filter = JobFilter {
            limit: 1,
            ..JobFilter::default()
        };
        let settled = async {
            loop {
                let mut tx = self.jobs.db().read().await.unwrap();
                if self.jobs.list(&mut tx, &filter).await.unwrap().is_empty() {
                    return;
                }
                drop(tx);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, settled)
            .await
            .expect("all jobs end");
    }

    /// What a client would find of `name`: nothing, or everything.
    pub(crate) async fn assert_nothing_published(&self, name: &str, why: &str) {
        assert_eq!(self.metadata(name).await, None, "{why}");
        assert_eq!(self.index_file(name).await, None, "{why}");
        let left = fs::read_dir(self.dir.path().join("work")).unwrap().count();
        assert_eq!(left, 0, "{why}: the work directory is not empty");
    }

    /// A new repository `lab/NAME`.
    pub(crate) fn source(&self, name: &str) -> Source {
        let bare = self.dir.path().join("host/lab").join(format!("{name}.git"));
        let work = self.dir.path().join("sources").join(name);
        fs::create_dir_all(&bare).unwrap();
        fs::create_dir_all(&work).unwrap();
        git(&bare, &["init", "-q", "--bare", "-b", "main"]);
        git(&work, &["init", "-q", "-b", "main"]);
        git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        Source {
            name: name.to_owned(),
            repo: name.to_owned(),
            work,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A repository with a package.
#[derive(Clone)]
pub(crate) struct Source {
    /// The name of the package, which is that of the repository unless said otherwise.
    pub(crate) name: String,
    pub(crate) repo: String,
    pub(crate) work: PathBuf,
}

impl Source {
    pub(crate) fn location(&self) -> Location {
        Location::github("lab", &self.repo, None).unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let file = self.work.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    /// Replaces `from`, which is there, in a file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.work.join(path)).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        self.write(path, &text.replace(from, to))
    }

    /// Writes a `purs.json`; `dependencies` is a JSON object.
    pub(crate) fn manifest(&self, version: &str, dependencies: &str) -> &Self {
        let (name, repo) = (&self.name, &self.repo);
        let text = format!(
            r#"{{"name":"{name}","version":"{version}","license":"MIT","location":{{"githubOwner":"lab","githubRepo":"{repo}"}},"ref":"v{version}","dependencies":{dependencies}}}"#
        );
        self.write("purs.json", &text)
    }

    /// Commits everything and pushes it under the tag `vVERSION`, moving the tag if it is there.
    pub(crate) fn tag(&self, version: &str) -> Publish {
        let tag = format!("v{version}");
        git(&self.work, &["add", "-A"]);
        git(&self.work, &["commit", "-q", "--allow-empty", "-m", "change"]);
        git(&self.work, &["tag", "-f", &tag]);
        git(&self.work, &["push", "-q", "-f", "origin", "main", &tag]);
        Publish {
            compiler: None,
            location: Some(self.location()),
            name: self.name.parse().unwrap(),
            git_ref: tag,
            resolutions: None,
            version: version.parse().unwrap(),
        }
    }
}

fn git(dir: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
