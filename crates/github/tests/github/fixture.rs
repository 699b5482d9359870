//! A stand-in for GitHub, a client that is told of it, and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use docket_core::time::Timestamp;
use docket_github::{Client, Clock, Config, Limits, Repository, Team, Trustees};
use docket_test_support::github_stand_in::{GitHubStandIn, STAND_IN_TOKEN};

/// The time at which every test begins.
pub const START: i64 = 1_787_000_000_000;

pub struct Fixture {
    pub github: GitHubStandIn,
    pub config: Config,
    pub clock: Clock,
    now: Arc<AtomicI64>,
}

impl Fixture {
    /// A registry whose trustees are `docket-bot` and the team `lab/packaging` of `alice` and `Bob`.
    pub async fn start() -> Self {
        let github = GitHubStandIn::start().await;
        github.team("lab", "packaging", &["alice", "Bob"]);
        let config = Config {
            api_url: github.url().to_owned(),
            team: Some(Team::new("lab", "packaging").expect("a team")),
            bot: Some("docket-bot".parse().expect("a login")),
            token: Some(STAND_IN_TOKEN.parse().expect("a token")),
            limits: Limits {
                retry_pauses: vec![Duration::ZERO, Duration::ZERO],
                ..Limits::default()
            },
        };
        let now = Arc::new(AtomicI64::new(START));
        let shared = now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_millis(shared.load(Ordering::SeqCst)));
        Self {
            github,
            config,
            clock,
            now,
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.config, self.clock.clone()).expect("a client")
    }

    pub fn trustees(&self) -> Trustees {
        Trustees::new(self.client(), &self.config, self.clock.clone())
    }

    pub fn pass(&self, secs: i64) {
        self.now.fetch_add(secs * 1_000, Ordering::SeqCst);
    }

    /// Method and path of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.github.requests().into_iter();
        requests
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }
}

pub fn repository(name: &str) -> Repository {
    name.parse().expect("a repository")
}

/// The time `secs` seconds after the start.
pub fn after(secs: i64) -> Timestamp {
    Timestamp::from_millis(START + secs * 1_000)
}
