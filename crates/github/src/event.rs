//! What GitHub tells us about an issue, by a workflow (`GITHUB_EVENT_PATH`) or by a webhook: the same JSON.

use serde::{Deserialize, Serialize};

use crate::thread::Mark;
use crate::{Login, Repository};

/// Somebody opened an issue or wrote a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueEvent {
    /// Where.
    pub repository: Repository,
    /// The number of the issue.
    pub issue: u64,
    /// The number of the comment, if it is one.
    pub comment: Option<u64>,
    /// Who.
    pub sender: Login,
    /// What they wrote.
    pub text: String,
}

impl IssueEvent {
    /// Returns what names the event among all that happen to its issue.
    pub fn key(&self) -> String {
        match self.comment {
            Some(comment) => format!("comment-{comment}"),
            None => format!("issue-{}", self.issue),
        }
    }
}

/// What is made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text to be read.
    Text(IssueEvent),
    /// Nothing for us.
    Ignored(Ignored),
}

/// Why an event is nothing for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It is about something else.
    #[error("it is not about an issue")]
    NoIssue,
    /// Pull requests are issues to GitHub, not to us.
    #[error("it is about a pull request")]
    PullRequest,
    /// Only what is new is read.
    #[error("nothing was opened or written: an edited text is not read again")]
    NotNew,
    /// A program wrote it, perhaps ourselves: two programs that answer each other never stop.
    #[error("a program wrote it")]
    Program,
}

/// The event is not one of GitHub's.
#[derive(Debug, thiserror::Error)]
#[error("this is not an event of GitHub's")]
pub struct EventError(#[source] serde_json::Error);

#[derive(Deserialize)]
struct Payload {
    action: Option<String>,
    issue: Option<Issue>,
    comment: Option<Comment>,
    repository: Option<RepositoryPart>,
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    body: Option<String>,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Comment {
    id: u64,
    body: Option<String>,
    user: Option<Account>,
}

#[derive(Deserialize)]
struct RepositoryPart {
    full_name: Repository,
}

#[derive(Deserialize)]
struct Account {
    login: Login,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Account {
    fn is_program(&self, bot: Option<&Login>) -> bool {
        self.kind.as_deref() == Some("Bot") || self.login.is_program() || bot == Some(&self.login)
    }
}

impl Event {
    /// Reads an event. `bot` is the account that answers in our name.
    ///
    /// # Errors
    /// When the text is not an event at all.
    pub fn read(body: &[u8], bot: Option<&Login>) -> Result<Self, EventError> {
        let payload: Payload = serde_json::from_slice(body).map_err(EventError)?;
        let (Some(issue), Some(repository), Some(sender)) =
            (payload.issue, payload.repository, payload.sender)
        else {
            return Ok(Self::Ignored(Ignored::NoIssue));
        };
        if issue.pull_request.is_some() {
            return Ok(Self::Ignored(Ignored::PullRequest));
        }
        let new = if payload.comment.is_some() {
            "created"
        } else {
            "opened"
        };
        if payload.action.as_deref() != Some(new) {
            return Ok(Self::Ignored(Ignored::NotNew));
        }
        let (comment, author, text) = match payload.comment {
            Some(comment) => (Some(comment.id), comment.user, comment.body),
            None => (None, None, issue.body),
        };
        let text = text.unwrap_or_default();
        let by_program = sender.is_program(bot)
            || author.is_some_and(|author| author.is_program(bot))
            || Mark::is_in(&text);
        if by_program {
            return Ok(Self::Ignored(Ignored::Program));
        }
        Ok(Self::Text(IssueEvent {
            repository: repository.full_name,
            issue: issue.number,
            comment,
            sender: sender.login,
            text,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn opened() -> Value {
        json!({
            "action": "opened",
            "issue": { "number": 7, "body": "hello", "user": { "login": "alice", "type": "User" } },
            "repository": { "full_name": "lab/registry" },
            "sender": { "login": "alice", "type": "User" },
        })
    }

    fn commented() -> Value {
        let mut event = opened();
        event["action"] = "created".into();
        event["comment"] = json!({ "id": 99, "body": "hi", "user": { "login": "alice", "type": "User" } });
        event
    }

    fn read(event: &Value) -> Event {
        let bot = "docket-bot".parse().unwrap();
        Event::read(event.to_string().as_bytes(), Some(&bot)).unwrap()
    }

    fn text(event: &Value) -> IssueEvent {
        match read(event) {
            Event::Text(text) => text,
            ignored => panic!("{ignored:?}"),
        }
    }

    #[test]
    fn a_new_issue_and_a_new_comment_are_read() {
        let issue = text(&opened());
        assert_eq!((issue.text.as_str(), issue.key().as_str()), ("hello", "issue-7"));
        let comment = text(&commented());
        assert_eq!(
            (comment.text.as_str(), comment.key().as_str()),
            ("hi", "comment-99")
        );
        assert_eq!(comment.repository.to_string(), "lab/registry");
        let mut empty = opened();
        empty["issue"]["body"] = Value::Null;
        assert_eq!(text(&empty).text, "");
    }

    #[test]
    fn what_is_not_new_is_ignored() {
        for action in [
            "edited",
            "deleted",
            "closed",
            "reopened",
            "labeled",
            "transferred",
        ] {
            for mut event in [opened(), commented()] {
                event["action"] = action.into();
                assert_eq!(read(&event), Event::Ignored(Ignored::NotNew), "{action}");
            }
        }
        let mut event = commented();
        event["action"] = "opened".into();
        assert_eq!(read(&event), Event::Ignored(Ignored::NotNew));
    }

    #[test]
    fn programs_are_ignored_ourselves_included() {
        for (login, kind) in [
            ("docket-bot", "User"),
            ("Docket-Bot", "User"),
            ("github-actions[bot]", "Bot"),
            ("renovate[bot]", "User"),
            ("some-app", "Bot"),
        ] {
            let mut event = commented();
            event["sender"] = json!({ "login": login, "type": kind });
            assert_eq!(read(&event), Event::Ignored(Ignored::Program), "{login}");
            let mut event = commented();
            event["comment"]["user"] = json!({ "login": login, "type": kind });
            assert_eq!(read(&event), Event::Ignored(Ignored::Program), "{login}");
        }
        let mut event = commented();
        event["comment"]["body"] = format!("Job started\n\n{}", Mark::answer("comment-1")).into();
        assert_eq!(
            read(&event),
            Event::Ignored(Ignored::Program),
            "our words, whoever repeats them"
        );
    }

    #[test]
    fn pull_requests_and_other_things_are_ignored() {
        let mut event = commented();
        event["issue"]["pull_request"] = json!({ "url": "https://github.invalid" });
        assert_eq!(read(&event), Event::Ignored(Ignored::PullRequest));
        assert_eq!(read(&json!({ "zen": "ping" })), Event::Ignored(Ignored::NoIssue));
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for body in ["", "[]", "{", "{\"issue\":7}", "\u{0}"] {
            assert!(Event::read(body.as_bytes(), None).is_err(), "{body}");
        }
        let mut event = opened();
        event["repository"]["full_name"] = "../../etc".into();
        assert!(Event::read(event.to_string().as_bytes(), None).is_err());
    }
}
