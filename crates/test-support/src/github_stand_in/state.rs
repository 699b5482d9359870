//! What the stand-in knows.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Fault, Request};

#[derive(Debug)]
pub(super) struct State {
    pub url: String,
    /// Logins by token.
    pub tokens: HashMap<String, String>,
    /// Tokens without a user.
    pub installations: HashSet<String>,
    /// Members by organisation and team.
    pub teams: HashMap<(String, String), Vec<String>>,
    pub repos: Vec<Repo>,
    pub faults: VecDeque<Fault>,
    /// Those of questions for the members of a team.
    pub team_faults: VecDeque<Fault>,
    pub requests: Vec<Request>,
    /// Calls that counted, by login.
    pub used: HashMap<String, u32>,
    pub next_comment: u64,
}

#[derive(Debug)]
pub(super) struct Repo {
    pub id: u64,
    pub full_name: String,
    pub old_names: Vec<String>,
    /// Name and commit.
    pub tags: Vec<(String, String)>,
    /// Commit and time, newest first.
    pub commits: Vec<(String, String)>,
    pub issues: Vec<Issue>,
}

#[derive(Debug)]
pub(super) struct Issue {
    pub author: String,
    pub body: String,
    pub closed: bool,
    /// Author and text.
    pub comments: Vec<(String, String)>,
}

impl State {
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            tokens: HashMap::new(),
            installations: HashSet::new(),
            teams: HashMap::new(),
            repos: Vec::new(),
            faults: VecDeque::new(),
            team_faults: VecDeque::new(),
            requests: Vec::new(),
            used: HashMap::new(),
            next_comment: 1,
        }
    }

    /// # Panics
    /// When the test has not made the repository.
    pub fn repo_mut(&mut self, full_name: &str) -> &mut Repo {
        let mut repos = self.repos.iter_mut();
        repos
            .find(|repo| repo.full_name == full_name)
            .unwrap_or_else(|| panic!("the stand-in has no repository {full_name}"))
    }
}

impl Repo {
    pub fn new(id: u64, full_name: &str) -> Self {
        Self {
            id,
            full_name: full_name.to_owned(),
            old_names: Vec::new(),
            tags: Vec::new(),
            commits: Vec::new(),
            issues: Vec::new(),
        }
    }

    /// # Panics
    /// When the test has not opened the issue.
    pub fn issue_mut(&mut self, number: u64) -> &mut Issue {
        let index = usize::try_from(number).expect("a small number") - 1;
        &mut self.issues[index]
    }
}

impl Issue {
    pub fn new(author: &str, body: &str) -> Self {
        Self {
            author: author.to_owned(),
            body: body.to_owned(),
            closed: false,
            comments: Vec::new(),
        }
    }
}
