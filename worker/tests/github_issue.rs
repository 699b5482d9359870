//! From a webhook's job to the answer below the issue, between a stand-in for GitHub and one for the registry's own API.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::get, routing::post};
use docket_core::time::Timestamp;
use docket_github::{Client, Config, Forwarder, IssueEvent, Limits, Team};
use docket_jobs::{Clock, JobFilter, JobState, Jobs, NewJob, worker};
use docket_test_support::github_stand_in::{Fault, GitHubStandIn, STAND_IN_TOKEN};
use docket_test_support::{TestDb, on_both_databases};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

const REPOSITORY: &str = "lab/registry";
const START: i64 = 1_787_000_000_000;
const DEADLINE: Duration = Duration::from_secs(30);

/// What the stand-in for the registry was asked, and how far its job has come.
#[derive(Debug, Default)]
struct Registry {
    /// Whether a token came along, and the body.
    asked: Vec<(bool, Value)>,
    lines: Vec<&'static str>,
    success: Option<bool>,
}

type Shared = Arc<Mutex<Registry>>;

async fn accept(State(registry): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    let authorized = headers.contains_key("authorization");
    registry.lock().unwrap().asked.push((authorized, body));
    Json(json!({ "jobId": "job-1", "disposition": "created" }))
}

async fn log(State(registry): State<Shared>, uri: axum::http::Uri) -> Json<Value> {
    let after = uri.query().unwrap_or_default().split('&');
    let after: usize = after
        .filter_map(|pair| pair.strip_prefix("after="))
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let registry = registry.lock().unwrap();
    let lines = registry.lines.iter().enumerate().skip(after);
    let lines: Vec<Value> = lines
        .map(|(at, message)| {
            json!({ "seq": at + 1, "timestamp": "2026-08-18T07:02:11.004Z", "level": "NOTICE", "message": message })
        })
        .collect();
    let mut page =
        json!({ "lines": lines, "next": registry.lines.len(), "finished": registry.success.is_some() });
    if let Some(success) = registry.success {
        page["success"] = success.into();
    }
    Json(page)
}

struct Fixture {
    github: GitHubStandIn,
    registry: Shared,
    jobs: Jobs,
    now: Arc<AtomicI64>,
    event: IssueEvent,
    _stop: DropGuard,
    _db: TestDb,
}

impl Fixture {
    /// `login` opens an issue with this text, and a webhook has told of it; `alice` is a trustee.
    async fn start(db: TestDb, login: &str, text: &str) -> Self {
        db.migrate(&[docket_jobs::TABLES]).await;
        let registry = Shared::default();
        let router = Router::new()
            .route("/api/v1/publish", post(accept))
            .route("/api/v1/unpublish", post(accept))
            .route("/api/v1/jobs/job-1/logs", get(log))
            .with_state(registry.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let github = GitHubStandIn::start().await;
        github.team("lab", "packaging", &["alice"]);
        github.repository(REPOSITORY);
        let issue = github.issue(REPOSITORY, login, text);

        let now = Arc::new(AtomicI64::new(START));
        let time = now.clone();
        let time = move || Timestamp::from_millis(time.load(Ordering::SeqCst));
        let config = Config {
            api_url: github.url().to_owned(),
            team: Some(Team::new("lab", "packaging").unwrap()),
            bot: Some("docket-bot".parse().unwrap()),
            token: Some(STAND_IN_TOKEN.parse().unwrap()),
            limits: Limits {
                retry_pauses: vec![Duration::ZERO; 2],
                ..Limits::default()
            },
        };
        let client = docket_client::Client::new(&url).unwrap();
        let forwarder = Forwarder {
            trusted: Some(client.clone().with_token("stand-in-registry-token").unwrap()),
            registry: client,
            github: Client::new(&config, docket_github::Clock::from_fn(time.clone())).unwrap(),
            bot: config.bot.clone(),
        };
        let jobs = Jobs::new(db.db.clone(), Clock::from_fn(time));
        let stopping = CancellationToken::new();
        let settings = worker::Config {
            concurrency: 1,
            background_concurrency: 0,
            lease_secs: 60,
            drain_secs: 0,
            retry_millis: 1,
            name: "test".to_owned(),
            progress: worker::Progress::default(),
        };
        let handlers = vec![docket_worker::github_issue::handler(forwarder)];
        tokio::spawn(worker::run(jobs.clone(), settings, handlers, stopping.clone()));
        let event = IssueEvent {
            repository: REPOSITORY.parse().unwrap(),
            issue,
            comment: None,
            sender: login.parse().unwrap(),
            text: text.to_owned(),
        };
        Self {
            github,
            registry,
            jobs,
            now,
            event,
            _stop: stopping.drop_guard(),
            _db: db,
        }
    }

    /// What the webhook does.
    async fn deliver(&self) {
        let payload = serde_json::to_string(&self.event).unwrap();
        let new = NewJob::new(docket_worker::github_issue::KIND, payload, "the event".to_owned());
        let mut tx = self.jobs.db().write().await.unwrap();
        self.jobs.enqueue(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        self.jobs.wake_workers();
    }

    /// States and numbers of all jobs, oldest first.
    async fn states(&self) -> Vec<JobState> {
        let filter = JobFilter {
            include_finished: true,
            ..JobFilter::default()
        };
        let mut tx = self.jobs.db().read().await.unwrap();
        let jobs = self.jobs.list(&mut tx, &filter).await.unwrap();
        jobs.iter().map(|job| job.state).collect()
    }

    /// Lets the time pass until `done`, but not while a job runs: its lease would lapse.
    async fn until(&self, done: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self).await {
            let states = self.states().await;
            assert!(Instant::now() < deadline, "{states:?}");
            if !states.contains(&JobState::Running) {
                self.now.fetch_add(5_000, Ordering::SeqCst);
                self.jobs.wake_workers();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until_all_ended(&self) {
        self.until(async |it| it.states().await.iter().all(|state| state.is_finished()))
            .await;
    }

    /// What we said, without marks.
    fn comments(&self) -> Vec<String> {
        let comments = self.github.comments(REPOSITORY, self.event.issue).into_iter();
        comments
            .map(|(_, text)| text.split("\n\n<!--").next().unwrap().to_owned())
            .collect()
    }

    fn is_closed(&self) -> bool {
        self.github.is_closed(REPOSITORY, self.event.issue)
    }
}

on_both_databases! {
    /// The job asks, looks again and again without holding a worker, and tells the end.
    async fn an_issue_is_carried_to_its_end(db: TestDb) {
        let it = Fixture::start(db, "mallory", "/docket publish slug@1.2.0").await;
        it.deliver().await;
        it.until(async |it| it.comments().len() == 1).await;
        assert!(it.comments()[0].starts_with("Job started: `job-1`\nLogs: "), "{:?}", it.comments());
        // The only worker is free while the job goes on.
        it.until(async |it| {
            let states = it.states().await;
            states.len() >= 2 && !states.contains(&JobState::Running)
        })
        .await;
        it.registry.lock().unwrap().lines.extend(["one", "two"]);
        it.until(async |it| it.comments().len() == 2).await;
        assert_eq!(it.comments()[1], "```\n[NOTICE] one\n[NOTICE] two\n```");
        {
            let mut registry = it.registry.lock().unwrap();
            registry.lines.push("three");
            registry.success = Some(true);
        }
        it.until_all_ended().await;
        assert_eq!(it.comments()[2], "```\n[NOTICE] three\n```\n\n✅ Job completed successfully");
        assert_eq!(it.comments().len(), 3, "every line once");
        assert!(it.is_closed());
        let asked = &it.registry.lock().unwrap().asked;
        assert_eq!(asked.len(), 1);
        assert!(!asked[0].0, "anybody may publish");
    }

    /// A delivery that GitHub repeats later finds everything said.
    async fn a_second_delivery_says_nothing(db: TestDb) {
        let it = Fixture::start(db, "alice", "/docket unpublish slug@1.2.0 --reason leaks").await;
        it.registry.lock().unwrap().success = Some(false);
        for _ in 0..2 {
            it.deliver().await;
            it.until_all_ended().await;
        }
        assert_eq!(it.comments().len(), 2);
        assert!(it.comments()[1].starts_with("❌ Job failed"));
        assert!(!it.is_closed());
        let asked = &it.registry.lock().unwrap().asked;
        assert_eq!(asked.len(), 1);
        assert!(asked[0].0, "alice is a trustee");
    }

    /// Nobody watches for ever.
    async fn a_job_that_does_not_end_is_left_after_half_an_hour(db: TestDb) {
        let it = Fixture::start(db, "alice", "/docket publish slug@1.2.0").await;
        it.deliver().await;
        it.until_all_ended().await;
        let last = it.comments().pop().unwrap();
        assert!(last.starts_with("⏱️ Job timed out"), "{last}");
        let waited = (it.now.load(Ordering::SeqCst) - START) / 60_000;
        assert!((25..60).contains(&waited), "{waited} minutes");
    }

    /// When GitHub wants no calls, the conversation goes on when it does.
    async fn a_rate_limit_is_waited_for(db: TestDb) {
        let it = Fixture::start(db, "alice", "/docket publish slug@1.2.0").await;
        it.registry.lock().unwrap().success = Some(true);
        it.github.fail_next(Fault::RateLimited { reset: START / 1_000 + 600 });
        it.deliver().await;
        it.until_all_ended().await;
        assert!(it.is_closed());
        assert!(it.now.load(Ordering::SeqCst) >= START + 600_000);
        assert!(!it.states().await.contains(&JobState::Failed));
    }

    /// GitHub not answering is our trouble, and passes.
    async fn trouble_of_github_is_tried_again(db: TestDb) {
        let it = Fixture::start(db, "alice", "/docket publish slug@1.2.0").await;
        it.registry.lock().unwrap().success = Some(true);
        for _ in 0..4 {
            it.github.fail_next(Fault::Status(502));
        }
        it.deliver().await;
        it.until_all_ended().await;
        assert!(it.is_closed());
    }

    /// An issue that is gone ends the job with a code.
    async fn an_issue_that_is_gone_ends_the_job(db: TestDb) {
        let mut it = Fixture::start(db, "alice", "/docket publish slug@1.2.0").await;
        it.event.issue = 99;
        it.deliver().await;
        it.until_all_ended().await;
        assert_eq!(it.states().await, [JobState::Failed]);
        assert!(it.registry.lock().unwrap().asked.is_empty());
    }
}
