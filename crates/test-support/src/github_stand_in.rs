//! A stand-in for GitHub's API: real HTTP on loopback, GitHub's addresses, JSON, headers, pages, redirects and refusals, and
//! trouble on demand. It knows what the registry asks for and nothing else.

mod answers;
mod routes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};

use hmac::{Hmac, KeyInit, Mac};
use tokio::net::TcpListener;

use state::{Issue, Repo, State};

/// The token of the stand-in's own administrator: sees every team, may write everywhere. Nobody's real token.
pub const STAND_IN_TOKEN: &str = "stand-in-bot-token";

/// Signs a delivery of a webhook, as GitHub does: the value of `X-Hub-Signature-256`.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key fits");
    let digest = mac.chain_update(body).finalize().into_bytes();
    format!("sha256={}", hex::encode(digest))
}

/// What goes wrong with the next request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 403, with the primary rate limit used up until then, in seconds since 1970.
    RateLimited {
        /// `x-ratelimit-reset`.
        reset: i64,
    },
    /// 429, with `retry-after`.
    RetryAfter {
        /// In how many seconds.
        secs: u32,
    },
    /// This status, with a body as GitHub writes it.
    Status(u16),
    /// The request is carried out, but the answer is a 502.
    LostAnswer,
    /// 200, with a body that is no JSON.
    Garbage,
    /// 200, with a body of so many bytes.
    Huge(usize),
    /// A redirect to another server.
    Redirect(String),
    /// An answer that never comes.
    Silence,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PATCH`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// The account whose token came along.
    pub by: Option<String>,
    /// It asked whether an answer had changed.
    pub conditional: bool,
    /// What it was answered; 0 when the answer never came.
    pub status: u16,
}

/// The stand-in; it ends with the test.
#[derive(Debug, Clone)]
pub struct GitHubStandIn {
    url: String,
    state: Arc<Mutex<State>>,
}

impl GitHubStandIn {
    /// Starts it on a port that the system picks. [`STAND_IN_TOKEN`] is the token of the account `docket-bot`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let url = format!("http://{address}");
        let state = Arc::new(Mutex::new(State::new(&url)));
        let router = axum::Router::new()
            .fallback(routes::answer)
            .with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let stand_in = Self { url, state };
        stand_in.account("docket-bot", STAND_IN_TOKEN);
        stand_in
    }

    /// The address of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds an account, with its token.
    pub fn account(&self, login: &str, token: &str) {
        self.state().tokens.insert(token.to_owned(), login.to_owned());
    }

    /// Withdraws a token.
    pub fn withdraw(&self, token: &str) {
        self.state().tokens.remove(token);
    }

    /// Adds a token that belongs to a program: it has no user.
    pub fn installation(&self, token: &str) {
        self.state().installations.insert(token.to_owned());
    }

    /// Sets the members of a team.
    pub fn team(&self, org: &str, slug: &str, members: &[&str]) {
        let members = members.iter().map(|&login| login.to_owned()).collect();
        self.state()
            .teams
            .insert((org.to_owned(), slug.to_owned()), members);
    }

    /// Adds an empty repository.
    pub fn repository(&self, full_name: &str) {
        let mut state = self.state();
        let id = 1_000 + state.repos.len() as u64;
        state.repos.push(Repo::new(id, full_name));
    }

    /// Gives a repository a new name; the old one redirects from now on.
    pub fn rename(&self, full_name: &str, new_name: &str) {
        let mut state = self.state();
        let repo = state.repo_mut(full_name);
        repo.old_names.push(full_name.to_owned());
        new_name.clone_into(&mut repo.full_name);
    }

    /// Adds a commit to the default branch; `time` like `2026-08-18T07:00:00Z`.
    pub fn commit(&self, full_name: &str, sha: &str, time: &str) {
        let mut state = self.state();
        let commit = (sha.to_owned(), time.to_owned());
        state.repo_mut(full_name).commits.insert(0, commit);
    }

    /// Adds a tag at a commit.
    pub fn tag(&self, full_name: &str, name: &str, sha: &str) {
        let mut state = self.state();
        state
            .repo_mut(full_name)
            .tags
            .push((name.to_owned(), sha.to_owned()));
    }

    /// Opens an issue; its number is the next one of the repository.
    pub fn issue(&self, full_name: &str, author: &str, body: &str) -> u64 {
        let mut state = self.state();
        let issues = &mut state.repo_mut(full_name).issues;
        issues.push(Issue::new(author, body));
        issues.len() as u64
    }

    /// Adds a comment to an issue.
    pub fn comment(&self, full_name: &str, issue: u64, author: &str, body: &str) {
        let mut state = self.state();
        let comment = (author.to_owned(), body.to_owned());
        state.repo_mut(full_name).issue_mut(issue).comments.push(comment);
    }

    /// The comments below an issue: author and text, oldest first.
    pub fn comments(&self, full_name: &str, issue: u64) -> Vec<(String, String)> {
        self.state().repo_mut(full_name).issue_mut(issue).comments.clone()
    }

    /// Whether an issue has been closed.
    pub fn is_closed(&self, full_name: &str, issue: u64) -> bool {
        self.state().repo_mut(full_name).issue_mut(issue).closed
    }

    /// Lets the next request go wrong; several faults hit several requests, in order.
    pub fn fail_next(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// Lets the next question for the members of a team go wrong, whatever is asked before.
    pub fn fail_team_with(&self, fault: Fault) {
        self.state().team_faults.push_back(fault);
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How often an account (`None` is no known one) has used its rate limit.
    pub fn counted(&self, login: &str) -> u32 {
        self.state().used.get(login).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in here")
    }
}
