//! What a test in the browser looks at: a registry that runs, and jobs that do what the test says, when it says so.

use docket_core::{name::PackageName, version::Version};
use docket_db::Db;
use docket_jobs::worker::{self, Config, Handler};
use docket_jobs::{Clock, Failure, JobId, Jobs, Level, NewJob, Run};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::harness::{DEADLINE, Registry, wait_for};
use crate::publish::demo;

/// The kind of the jobs that are ours; the registry's own worker leaves them alone.
const KIND: &str = "rehearsal";

/// A job of ours that runs, and how it is told to end.
type Running = (Run, oneshot::Sender<Result<(), Failure>>);

pub(super) struct Stage {
    registry: Registry,
    runtime: Runtime,
    jobs: Jobs,
    runs: mpsc::UnboundedReceiver<Running>,
    /// Where a worker puts what it runs; taken by the first job that may start.
    to_runs: Option<mpsc::UnboundedSender<Running>>,
    running: Option<Running>,
    count: usize,
    /// Where the server was, while it is away.
    address: std::net::SocketAddr,
    stop: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let registry = Registry::start();
        let runtime = Runtime::new().unwrap();
        let url = format!("sqlite:{}", registry.path("data/docket.db").display());
        let jobs = runtime.block_on(async { Jobs::new(Db::connect(&url).await.unwrap(), Clock::system()) });
        let (to_runs, runs) = mpsc::unbounded_channel();
        Self {
            address: registry.address(),
            registry,
            runtime,
            jobs,
            runs,
            to_runs: Some(to_runs),
            running: None,
            count: 0,
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn url(&self) -> String {
        self.registry.url("")
    }

    /// Does what a test asks for.
    pub(super) fn answer(&mut self, asked: &Value) -> Value {
        match asked["ask"].as_str().unwrap() {
            // A job that waits.
            "job" => json!({ "id": self.enqueue().to_string() }),
            // The oldest one that waits runs.
            "start" => self.start(),
            "step" => {
                // Names of steps are fixed in programs; a test may leak its few.
                let name = asked["name"].as_str().unwrap().to_owned();
                self.run().log.step(Box::leak(name.into_boxed_str()));
                json!({})
            }
            "line" => {
                let level: Level = asked["level"].as_str().unwrap_or("INFO").parse().unwrap();
                self.run().log.write(level, asked["text"].as_str().unwrap());
                self.flush()
            }
            // Many lines, which say their numbers.
            "lines" => {
                let first = asked["first"].as_i64().unwrap();
                let log = self.run().log.clone();
                self.runtime.block_on(async {
                    for number in first..first + asked["count"].as_i64().unwrap() {
                        log.info(format!("line {number} of many"));
                        if number % 1000 == 0 {
                            log.flush().await;
                        }
                    }
                });
                self.flush()
            }
            "end" => self.end(asked["code"].as_str()),
            "rerun" => self.rerun(asked["id"].as_str().unwrap()),
            // A publish by the registry itself, to its end.
            "publish" => {
                let demo = demo(&self.registry);
                demo.push();
                let arguments = ["publish", "--no-wait", demo.work().to_str().unwrap()];
                let said = self.registry.docket(&arguments).expect_code(0);
                let id = said.out.trim().to_owned();
                self.registry.wait_for_job(&id);
                json!({ "id": id })
            }
            "stop" => {
                self.address = self.registry.kill();
                json!({})
            }
            "resume" => {
                self.registry.resume_at(self.address);
                json!({})
            }
            other => panic!("a test asks for {other}"),
        }
    }

    fn enqueue(&mut self) -> JobId {
        self.count += 1;
        let new = NewJob {
            package_name: Some("demo".parse::<PackageName>().unwrap()),
            package_version: Some("1.0.0".parse::<Version>().unwrap()),
            locks: vec!["package/demo".to_owned()],
            ..NewJob::new(KIND, "{}".to_owned(), format!("rehearsal {}", self.count))
        };
        self.runtime.block_on(async {
            let mut tx = self.jobs.db().write().await.unwrap();
            let enqueued = self.jobs.enqueue(&mut tx, &new).await.unwrap();
            tx.commit().await.unwrap();
            self.jobs.wake_workers();
            enqueued.job
        })
    }

    /// Starts a worker, unless there is one, and waits until it runs a job.
    fn start(&mut self) -> Value {
        if let Some(to_runs) = self.to_runs.take() {
            let handler = Handler::new(KIND, 600, 3, move |run| {
                let to_runs = to_runs.clone();
                async move {
                    let (end, ended) = oneshot::channel();
                    to_runs.send((run, end)).unwrap();
                    ended.await.unwrap_or(Err(Failure::LeaseLost))
                }
            });
            let config = Config {
                concurrency: 1,
                background_concurrency: 1,
                lease_secs: 60,
                drain_secs: 0,
                retry_millis: 1,
                name: "stage".to_owned(),
                progress: Default::default(),
            };
            let worker = worker::run(self.jobs.clone(), config, vec![handler], self.stop.clone());
            self.runtime.spawn(worker);
        }
        let next = async { tokio::time::timeout(DEADLINE, self.runs.recv()).await };
        let running = self.runtime.block_on(next);
        self.running = running.expect("a job waits to be run");
        json!({ "id": self.run().job.id.to_string() })
    }

    fn run(&self) -> &Run {
        &self.running.as_ref().expect("a job runs").0
    }

    /// Waits until all that was said is stored.
    fn flush(&self) -> Value {
        let log = self.run().log.clone();
        self.runtime.block_on(log.flush());
        json!({})
    }

    /// Ends the job that runs, and waits until that is stored.
    fn end(&mut self, code: Option<&str>) -> Value {
        let (run, end) = self.running.take().expect("a job runs");
        let result = match code {
            None => Ok(()),
            Some("unavailable") => Err(Failure::Unavailable {
                detail: "The source host did not answer.".to_owned(),
                cause: None,
            }),
            Some(_) => Err(Failure::Rejected {
                code: "build-failed",
                detail: "It does not compile.".to_owned(),
            }),
        };
        let again = code == Some("unavailable");
        assert!(end.send(result).is_ok(), "the job waits for its end");
        if !again {
            self.wait_for_end(run.job.id);
        }
        json!({})
    }

    fn wait_for_end(&self, id: JobId) {
        let is_finished = async || {
            let mut tx = self.jobs.db().read().await.unwrap();
            let job = self.jobs.find(&mut tx, id).await.unwrap();
            job.is_some_and(|job| job.state.is_finished())
        };
        wait_for("the end of a job", || {
            self.runtime.block_on(is_finished()).then_some(())
        });
    }

    /// Queues a job again that has ended, as an operator does.
    fn rerun(&mut self, id: &str) -> Value {
        let id: JobId = id.parse().unwrap();
        self.runtime.block_on(async {
            self.jobs.retry(id, "test").await.unwrap();
            self.jobs.wake_workers();
        });
        json!({})
    }
}
