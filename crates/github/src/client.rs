//! The calls.

use std::time::Duration;

use docket_core::time::Timestamp;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use octocrab::{AuthState, FromResponse, Octocrab, OctocrabBuilder, Page};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::transport::Transport;
use crate::{Clock, Config, Error, Limits, Login, Repository, Team, Token};

/// GitHub's API, seen with our token. Cheap to clone; clones share connections, memory and rate limit.
#[derive(Debug, Clone)]
pub struct Client {
    crab: Octocrab,
    team: Option<Team>,
    limits: Limits,
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name, such as `v4.0.0`.
    pub name: String,
    /// The commit it stands at, in hexadecimal digits.
    pub sha: String,
    /// The address of that commit in the API. It names the repository as it is called today, even where the tags were asked for
    /// under an older name.
    pub commit_url: String,
}

/// A comment below an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// Who wrote it; `None` when the account is gone.
    pub author: Option<Login>,
    /// The text.
    pub body: String,
}

// Only the fields that we read: GitHub adds new ones, and an answer that lacks one we do not need is no reason to fail.

#[derive(Deserialize)]
struct Account {
    login: Login,
}

#[derive(Deserialize)]
struct TagAnswer {
    name: String,
    commit: CommitAnswer,
}

#[derive(Deserialize)]
struct CommitAnswer {
    sha: String,
    url: String,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    full_name: String,
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    user: Option<Account>,
    body: Option<String>,
}

impl From<CommentAnswer> for Comment {
    fn from(answer: CommentAnswer) -> Self {
        Self {
            id: answer.id,
            author: answer.user.map(|user| user.login),
            body: answer.body.unwrap_or_default(),
        }
    }
}

impl Client {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address of the API cannot be used.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub fn new(config: &Config, clock: Clock) -> Result<Self, Error> {
        let transport = Transport::new(config, clock)?;
        let service = tower::service_fn(move |request| transport.clone().send(request));
        let Ok(crab) = OctocrabBuilder::new_empty()
            .with_service(service)
            .with_auth(AuthState::None)
            .build();
        Ok(Self {
            crab,
            team: config.team.clone(),
            limits: config.limits.clone(),
        })
    }

    /// Returns how long to wait before something is tried again.
    pub(crate) fn retry_pauses(&self) -> &[Duration] {
        &self.limits.retry_pauses
    }

    /// Returns whose token `token` is.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] when GitHub does not know it.
    pub async fn owner_of(&self, token: &Token) -> Result<Login, Error> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token.header())]);
        let owner: Account = self
            .crab
            .get_with_headers("/user", None::<&()>, Some(headers))
            .await?;
        Ok(owner.login)
    }

    /// Returns whose token we hold; `None` when it is a program's.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] when GitHub does not know it, or we hold none.
    pub async fn account(&self) -> Result<Option<Login>, Error> {
        let owner: Result<Account, octocrab::Error> = self.crab.get("/user", None::<&()>).await;
        match owner.map_err(Error::from) {
            Ok(owner) => Ok(Some(owner.login)),
            // As GitHub answers to the token of a workflow or an app.
            Err(Error::Refused {
                status: StatusCode::FORBIDDEN,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the members of the team.
    ///
    /// The whole list rather than one membership: GitHub answers "not found" for a stranger just as for a team that our token
    /// may not see, and the list as a whole is remembered, so that most questions cost nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such team, or our token does not show it.
    pub async fn team_members(&self) -> Result<Vec<Login>, Error> {
        let team = self
            .team
            .as_ref()
            .ok_or(Error::NotConfigured("a team of trustees"))?;
        let route = format!("/orgs/{}/teams/{}/members?per_page=100", team.org(), team.slug());
        let members: Vec<Account> = self.list("team members", route, HeaderMap::new()).await?;
        Ok(members.into_iter().map(|member| member.login).collect())
    }

    /// Returns whether an account is a member of the team.
    ///
    /// # Errors
    /// As [`Client::team_members`].
    pub async fn is_team_member(&self, login: &Login) -> Result<bool, Error> {
        Ok(self.team_members().await?.contains(login))
    }

    /// Returns the tags of a repository, in GitHub's order.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such repository.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        let route = format!("{}/tags?per_page=100", route_of(repository));
        let tags: Vec<TagAnswer> = self.list("tags", route, HeaderMap::new()).await?;
        let tag = |answer: TagAnswer| Tag {
            name: answer.name,
            sha: answer.commit.sha,
            commit_url: answer.commit.url,
        };
        Ok(tags.into_iter().map(tag).collect())
    }

    /// Returns the commits of the default branch since `time`, newest first, each as hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such repository.
    pub async fn commits_since(
        &self,
        repository: &Repository,
        time: Timestamp,
    ) -> Result<Vec<String>, Error> {
        // GitHub knows whole seconds.
        let since = time.to_chrono().format("%Y-%m-%dT%H:%M:%SZ");
        let route = format!("{}/commits?since={since}&per_page=100", route_of(repository));
        // The time makes every such address a new one: remembering the answers would only push out others.
        let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        let commits: Vec<CommitAnswer> = match self.list("commits", route, headers).await {
            // A repository without any commit.
            Err(Error::Refused {
                status: StatusCode::CONFLICT,
                ..
            }) => Vec::new(),
            answer => answer?,
        };
        Ok(commits.into_iter().map(|commit| commit.sha).collect())
    }

    /// Returns what a repository is called today, which differs from `repository` when it was renamed or moved.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such repository, and none was called so.
    pub async fn current_name(&self, repository: &Repository) -> Result<Repository, Error> {
        let answer: RepositoryAnswer = self.crab.get(route_of(repository), None::<&()>).await?;
        answer
            .full_name
            .parse()
            .map_err(|cause: crate::NameError| Error::Undecodable(cause.into()))
    }

    /// Writes a comment below an issue or pull request, and returns it. Never tried again once it may have arrived.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such issue; [`Error::Refused`] when our token may not write there.
    pub async fn create_comment(
        &self,
        repository: &Repository,
        issue: u64,
        body: &str,
    ) -> Result<Comment, Error> {
        let route = format!("{}/issues/{issue}/comments", route_of(repository));
        let created: CommentAnswer = self.crab.post(route, Some(&json!({ "body": body }))).await?;
        Ok(created.into())
    }

    /// Returns the comments below an issue, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such issue.
    pub async fn list_comments(&self, repository: &Repository, issue: u64) -> Result<Vec<Comment>, Error> {
        let route = format!("{}/issues/{issue}/comments?per_page=100", route_of(repository));
        let comments: Vec<CommentAnswer> = self.list("comments", route, HeaderMap::new()).await?;
        Ok(comments.into_iter().map(Comment::from).collect())
    }

    /// Closes an issue as done; closing it twice is harmless.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such issue; [`Error::Refused`] when our token may not close it.
    pub async fn close_issue(&self, repository: &Repository, issue: u64) -> Result<(), Error> {
        let route = format!("{}/issues/{issue}", route_of(repository));
        let body = json!({ "state": "closed", "state_reason": "completed" });
        let _closed: serde_json::Value = self.crab.patch(route, Some(&body)).await?;
        Ok(())
    }

    /// Reads a list page by page, up to the limit.
    async fn list<T: DeserializeOwned>(
        &self,
        what: &'static str,
        route: String,
        headers: HeaderMap,
    ) -> Result<Vec<T>, Error> {
        let mut next: Option<Uri> = Some(route.parse().expect("routes are made of checked names"));
        let mut items = Vec::new();
        for _ in 0..self.limits.pages {
            let Some(page) = next else { return Ok(items) };
            let response = self.crab._get_with_headers(page, Some(headers.clone())).await?;
            let page: Page<T> = Page::from_response(octocrab::map_github_error(response).await?).await?;
            items.extend(page.items);
            next = page.next;
        }
        match next {
            None => Ok(items),
            Some(_) => Err(Error::TooMany {
                what,
                limit_pages: self.limits.pages,
            }),
        }
    }
}

fn route_of(repository: &Repository) -> String {
    format!("/repos/{}/{}", repository.owner(), repository.name())
}
