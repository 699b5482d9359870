//! GitHub's JSON.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header},
};
use serde_json::{Value, json};

use super::state::{Issue, Repo};

/// An answer before the headers that all answers share.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn new(status: u16, body: &Value) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: body.to_string(),
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value"));
        self
    }

    /// A refusal as GitHub words it.
    pub fn refusal(status: u16, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self::new(status, &body)
    }

    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let json = "application/json; charset=utf-8".parse().expect("a header value");
        response.headers_mut().entry(header::CONTENT_TYPE).or_insert(json);
        response
    }
}

pub(super) fn account(url: &str, login: &str) -> Value {
    let id: u64 = login.bytes().map(u64::from).sum();
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    json!({
        "login": login,
        "id": id,
        "node_id": format!("MDQ6VXNlcg{id}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": format!("{url}/users/{login}"),
        "html_url": format!("https://github.com/{login}"),
        "repos_url": format!("{url}/users/{login}/repos"),
        "type": kind,
        "user_view_type": "public",
        "site_admin": false,
    })
}

pub(super) fn repository(url: &str, repo: &Repo) -> Value {
    let (owner, name) = repo.full_name.split_once('/').expect("OWNER/REPO");
    json!({
        "id": repo.id,
        "node_id": format!("R_{}", repo.id),
        "name": name,
        "full_name": repo.full_name,
        "private": false,
        "owner": account(url, owner),
        "html_url": format!("https://github.com/{}", repo.full_name),
        "description": null,
        "fork": false,
        "url": format!("{url}/repos/{}", repo.full_name),
        "default_branch": "main",
        "archived": false,
    })
}

pub(super) fn tag(url: &str, repo: &Repo, (name, sha): &(String, String)) -> Value {
    json!({
        "name": name,
        "zipball_url": format!("{url}/repos/{}/zipball/refs/tags/{name}", repo.full_name),
        "tarball_url": format!("{url}/repos/{}/tarball/refs/tags/{name}", repo.full_name),
        "commit": { "sha": sha, "url": format!("{url}/repos/{}/commits/{sha}", repo.full_name) },
        "node_id": format!("REF_{name}"),
    })
}

pub(super) fn commit(url: &str, repo: &Repo, (sha, time): &(String, String)) -> Value {
    let person = json!({ "name": "A. Author", "email": "author@example.org", "date": time });
    json!({
        "sha": sha,
        "node_id": format!("C_{sha}"),
        "commit": { "author": person, "committer": person, "message": "a change", "comment_count": 0 },
        "url": format!("{url}/repos/{}/commits/{sha}", repo.full_name),
        "html_url": format!("https://github.com/{}/commit/{sha}", repo.full_name),
        "author": null,
        "committer": null,
        "parents": [],
    })
}

pub(super) fn comment(url: &str, repo: &Repo, id: u64, author: &str, body: &str) -> Value {
    json!({
        "url": format!("{url}/repos/{}/issues/comments/{id}", repo.full_name),
        "html_url": format!("https://github.com/{}/issues/1#issuecomment-{id}", repo.full_name),
        "id": id,
        "node_id": format!("IC_{id}"),
        "user": account(url, author),
        "created_at": "2026-08-18T07:00:00Z",
        "updated_at": "2026-08-18T07:00:00Z",
        "body": body,
        "author_association": "NONE",
        "performed_via_github_app": null,
    })
}

pub(super) fn issue(url: &str, repo: &Repo, number: u64, issue: &Issue) -> Value {
    json!({
        "url": format!("{url}/repos/{}/issues/{number}", repo.full_name),
        "number": number,
        "title": "an issue",
        "user": account(url, &issue.author),
        "state": if issue.closed { "closed" } else { "open" },
        "comments": issue.comments.len(),
        "body": issue.body,
    })
}
