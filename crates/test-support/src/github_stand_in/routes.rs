//! From a request to GitHub's answer.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use axum::{
    body::{Body, Bytes},
    extract::State as Shared,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};

use super::answers::{self, Answer};
use super::state::State;
use super::{Fault, Request};

/// The calls an account has in an hour.
const LIMIT: u32 = 5_000;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asker {
    Nobody,
    Unknown,
    Installation,
    Account(String),
}

pub(super) async fn answer(
    Shared(state): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = state
        .lock()
        .expect("no test panicked in here")
        .answer(&method, &uri, &headers, &body);
    match answer {
        Some(answer) => answer.into_response(),
        None => std::future::pending().await,
    }
}

impl State {
    /// `None` is an answer that never comes.
    fn answer(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Answer> {
        let asker = self.asker(headers);
        let conditional = headers.get("if-none-match").cloned();
        let fault = if uri.path().starts_with("/orgs/") {
            self.team_faults.pop_front()
        } else {
            None
        };
        let answer = match fault.or_else(|| self.faults.pop_front()) {
            Some(fault @ Fault::LostAnswer) => {
                self.route(method, uri, &asker, body);
                trouble(fault)
            }
            Some(fault) => trouble(fault),
            None => {
                let mut answer = self.route(method, uri, &asker, body);
                if method == Method::GET && answer.status == 200 {
                    answer = revalidated(answer, conditional.as_ref().map(|value| value.as_bytes()));
                }
                Some(self.count(&asker, answer))
            }
        };
        self.requests.push(Request {
            method: method.to_string(),
            path: uri.to_string(),
            by: match asker {
                Asker::Account(login) => Some(login),
                _ => None,
            },
            conditional: conditional.is_some(),
            status: answer.as_ref().map_or(0, |answer| answer.status.as_u16()),
        });
        answer
    }

    fn asker(&self, headers: &HeaderMap) -> Asker {
        let Some(value) = headers.get("authorization") else {
            return Asker::Nobody;
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if self.installations.contains(token) {
            return Asker::Installation;
        }
        match self.tokens.get(token) {
            Some(login) => Asker::Account(login.clone()),
            None => Asker::Unknown,
        }
    }

    /// Not-modified answers do not count.
    fn count(&mut self, asker: &Asker, answer: Answer) -> Answer {
        let name = match asker {
            Asker::Account(login) => login.clone(),
            _ => String::new(),
        };
        let used = self.used.entry(name).or_default();
        if answer.status != 304 {
            *used += 1;
        }
        let left = LIMIT.saturating_sub(*used).to_string();
        answer
            .with("x-ratelimit-limit", &LIMIT.to_string())
            .with("x-ratelimit-remaining", &left)
            .with("x-ratelimit-used", &used.to_string())
            .with("x-ratelimit-reset", "4102444800")
            .with("x-ratelimit-resource", "core")
            .with("x-github-media-type", "github.v3; format=json")
    }

    fn route(&mut self, method: &Method, uri: &Uri, asker: &Asker, body: &[u8]) -> Answer {
        if *asker == Asker::Unknown {
            return Answer::refusal(401, "Bad credentials");
        }
        let path: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
        match (method.as_str(), path.as_slice()) {
            ("GET", ["user"]) => match asker {
                Asker::Account(login) => Answer::new(200, &answers::account(&self.url, login)),
                Asker::Installation => Answer::refusal(403, "Resource not accessible by integration"),
                _ => Answer::refusal(401, "Requires authentication"),
            },
            ("GET", ["orgs", org, "teams", slug, "members"]) => self.members(uri, asker, org, slug),
            (_, ["repos", owner, name, rest @ ..]) => {
                let full_name = format!("{owner}/{name}");
                let same = |other: &String| other.eq_ignore_ascii_case(&full_name);
                match self.repos.iter().position(|repo| same(&repo.full_name)) {
                    Some(index) => self.repo(method, uri, asker, body, index, rest),
                    None => self.moved(method, uri, &full_name, rest),
                }
            }
            (_, ["repositories", id, rest @ ..]) => {
                match self.repos.iter().position(|repo| repo.id.to_string() == *id) {
                    Some(index) => self.repo(method, uri, asker, body, index, rest),
                    None => not_found(),
                }
            }
            _ => not_found(),
        }
    }

    /// A team is shown to accounts of its organisation only; here, to every account.
    fn members(&self, uri: &Uri, asker: &Asker, org: &str, slug: &str) -> Answer {
        let team = self.teams.get(&(org.to_owned(), slug.to_owned()));
        match (asker, team) {
            (Asker::Account(_), Some(members)) => {
                let members = members.iter().map(|login| answers::account(&self.url, login));
                self.page(uri, uri.path(), members.collect())
            }
            _ => not_found(),
        }
    }

    /// A repository that was called so once.
    fn moved(&self, method: &Method, uri: &Uri, full_name: &str, rest: &[&str]) -> Answer {
        let was = |name: &String| name.eq_ignore_ascii_case(full_name);
        let Some(repo) = self.repos.iter().find(|repo| repo.old_names.iter().any(was)) else {
            return not_found();
        };
        let mut url = format!("{}/repositories/{}", self.url, repo.id);
        for part in rest {
            url = format!("{url}/{part}");
        }
        if let Some(query) = uri.query() {
            url = format!("{url}?{query}");
        }
        let (status, message) = match *method {
            Method::GET => (301, "Moved Permanently"),
            _ => (307, "Temporary Redirect"),
        };
        let body =
            json!({ "message": message, "url": url, "documentation_url": "https://docs.github.com/rest" });
        Answer::new(status, &body).with("location", &url)
    }

    fn repo(
        &mut self,
        method: &Method,
        uri: &Uri,
        asker: &Asker,
        body: &[u8],
        index: usize,
        rest: &[&str],
    ) -> Answer {
        let repo = &self.repos[index];
        let route = |rest: &str| format!("/repositories/{}/{rest}", repo.id);
        match (method.as_str(), rest) {
            ("GET", []) => Answer::new(200, &answers::repository(&self.url, repo)),
            ("GET", ["tags"]) => {
                let tags = repo.tags.iter().map(|tag| answers::tag(&self.url, repo, tag));
                self.page(uri, &route("tags"), tags.collect())
            }
            ("GET", ["commits"]) if repo.commits.is_empty() => {
                Answer::refusal(409, "Git Repository is empty.")
            }
            ("GET", ["commits"]) => {
                let since = parameter(uri, "since").unwrap_or_default();
                let commits = repo.commits.iter().filter(|(_, time)| *time >= since);
                let commits = commits.map(|commit| answers::commit(&self.url, repo, commit));
                self.page(uri, &route("commits"), commits.collect())
            }
            (_, ["issues", number, rest @ ..]) => {
                let number: usize = number.parse().unwrap_or_default();
                if number == 0 || number > repo.issues.len() {
                    return not_found();
                }
                self.issue(method, uri, asker, body, (index, number), rest)
            }
            _ => not_found(),
        }
    }

    fn issue(
        &mut self,
        method: &Method,
        uri: &Uri,
        asker: &Asker,
        body: &[u8],
        (index, number): (usize, usize),
        rest: &[&str],
    ) -> Answer {
        let repo = &self.repos[index];
        let issue = &repo.issues[number - 1];
        if let ("GET", ["comments"]) = (method.as_str(), rest) {
            let comments = issue.comments.iter().enumerate().map(|(at, (author, body))| {
                let id = (number * 10_000 + at) as u64;
                answers::comment(&self.url, repo, id, author, body)
            });
            let path = format!("/repositories/{}/issues/{number}/comments", repo.id);
            return self.page(uri, &path, comments.collect());
        }
        let Asker::Account(login) = asker else {
            return Answer::refusal(401, "Requires authentication");
        };
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Answer::refusal(400, "Problems parsing JSON");
        };
        match (method.as_str(), rest) {
            ("POST", ["comments"]) => {
                let Some(text) = body["body"].as_str().filter(|text| !text.trim().is_empty()) else {
                    return Answer::refusal(422, "Validation Failed");
                };
                if text.chars().count() > 65_536 {
                    return Answer::refusal(422, "Body is too long (maximum is 65536 characters)");
                }
                let id = self.next_comment;
                self.next_comment += 1;
                let answer = answers::comment(&self.url, repo, id, login, text);
                let comment = (login.clone(), text.to_owned());
                self.repos[index].issues[number - 1].comments.push(comment);
                Answer::new(201, &answer)
            }
            ("PATCH", []) => {
                let issue = &mut self.repos[index].issues[number - 1];
                if let Some(wanted) = body["state"].as_str() {
                    issue.closed = wanted == "closed";
                }
                let repo = &self.repos[index];
                let answer = answers::issue(&self.url, repo, number as u64, &repo.issues[number - 1]);
                Answer::new(200, &answer)
            }
            _ => not_found(),
        }
    }

    /// One page of a list, with links to the next and the last.
    fn page(&self, uri: &Uri, path: &str, items: Vec<Value>) -> Answer {
        let number = |name, default| {
            let value = parameter(uri, name).and_then(|text| text.parse().ok());
            value.unwrap_or(default)
        };
        let per_page: usize = number("per_page", 30).clamp(1, 100);
        let page: usize = number("page", 1).max(1);
        let last = items.len().div_ceil(per_page).max(1);
        let start = (page - 1).saturating_mul(per_page).min(items.len());
        let end = start.saturating_add(per_page).min(items.len());
        let answer = Answer::new(200, &Value::Array(items[start..end].to_vec()));
        if page >= last {
            return answer;
        }
        let kept: String = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.starts_with("page=") && !pair.is_empty())
            .map(|pair| format!("{pair}&"))
            .collect();
        let link = |page| format!("<{}{path}?{kept}page={page}>", self.url);
        let links = format!("{}; rel=\"next\", {}; rel=\"last\"", link(page + 1), link(last));
        answer.with("link", &links)
    }
}

/// `None` never answers.
fn trouble(fault: Fault) -> Option<Answer> {
    Some(match fault {
        Fault::Silence => return None,
        Fault::LostAnswer => Answer::refusal(502, "Bad Gateway"),
        Fault::RateLimited { reset } => Answer::refusal(403, "API rate limit exceeded for user ID 1.")
            .with("x-ratelimit-limit", &LIMIT.to_string())
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", &reset.to_string()),
        Fault::RetryAfter { secs } => Answer::refusal(429, "You have exceeded a secondary rate limit.")
            .with("retry-after", &secs.to_string()),
        Fault::Status(status) => Answer::refusal(status, "Trouble on demand"),
        Fault::Garbage => {
            let mut answer = Answer::new(200, &Value::Null);
            "<html>Unicorn!</html>".clone_into(&mut answer.body);
            answer
        }
        Fault::Huge(bytes) => {
            let mut answer = Answer::new(200, &Value::Null);
            answer.body = format!("\"{}\"", "x".repeat(bytes));
            answer
        }
        Fault::Redirect(to) => Answer::refusal(302, "Found").with("location", &to),
    })
}

/// Gives an answer its ETag, and leaves the body out when the asker has it already.
fn revalidated(answer: Answer, known: Option<&[u8]>) -> Answer {
    let mut hasher = DefaultHasher::new();
    answer.body.hash(&mut hasher);
    let etag = format!("W/\"{:016x}\"", hasher.finish());
    if known == Some(etag.as_bytes()) {
        let mut unchanged = Answer::new(304, &Value::Null);
        unchanged.body.clear();
        return unchanged.with("etag", &etag);
    }
    answer.with("etag", &etag)
}

fn not_found() -> Answer {
    Answer::refusal(404, "Not Found")
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    values.next().map(|value| value.replace("%3A", ":"))
}
