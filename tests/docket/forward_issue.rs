//! `docket forward-issue`, between a stand-in for GitHub and one for a registry.

use std::fs;

use docket_test_support::github_stand_in::{Fault, GitHubStandIn, STAND_IN_TOKEN};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Said, docket, run};
use crate::stand_in::StandIn;

const REPOSITORY: &str = "lab/registry";
const PUBLISH: &str = r#"{"name":"slug","ref":"v1.2.0","version":"1.2.0"}"#;
const SIGNED: &str =
    r#"{"payload":"{\"name\":\"slug\",\"version\":\"1.2.0\",\"reason\":\"leaks\"}","signature":"theirs"}"#;
const REGISTRY_TOKEN: &str = "stand-in-registry-token";

struct Issue {
    github: GitHubStandIn,
    registry: StandIn,
    folder: TempDir,
    number: u64,
    event: Value,
}

impl Issue {
    /// `alice`, a trustee, opens an issue with this text.
    async fn opened(text: &str) -> Self {
        Self::opened_by("alice", text).await
    }

    async fn opened_by(login: &str, text: &str) -> Self {
        let (github, registry) = (GitHubStandIn::start().await, StandIn::start());
        github.team("lab", "packaging", &["alice"]);
        github.repository(REPOSITORY);
        let number = github.issue(REPOSITORY, login, text);
        for operation in ["publish", "unpublish", "transfer", "package-sets"] {
            let route = format!("POST /api/v1/{operation}");
            registry.answers(
                &route,
                200,
                &json!({ "jobId": "job-1", "disposition": "created" }),
            );
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), REGISTRY_TOKEN).unwrap();
        let event = json!({
            "action": "opened",
            "issue": { "number": number, "body": text, "user": { "login": login, "type": "User" } },
            "repository": { "full_name": REPOSITORY },
            "sender": { "login": login, "type": "User" },
        });
        Self {
            github,
            registry,
            folder,
            number,
            event,
        }
    }

    /// The event becomes that of a comment.
    fn commented(mut self, login: &str, text: &str) -> Self {
        self.event["action"] = "created".into();
        self.event["comment"] = json!({ "id": 99, "body": text, "user": { "login": login, "type": "User" } });
        self.event["sender"]["login"] = login.into();
        self
    }

    fn forward(&self) -> Said {
        let file = |name: &str| self.folder.path().join(name);
        fs::write(file("event"), self.event.to_string()).unwrap();
        let mut command = docket(&self.registry, &["forward-issue", "--team", "lab/packaging"]);
        command
            .args(["--bot", "docket-bot", "--token-file"])
            .arg(file("token"))
            .env("GITHUB_EVENT_PATH", file("event"))
            .env("GITHUB_API_URL", self.github.url())
            .env("GITHUB_TOKEN", STAND_IN_TOKEN);
        let said = run(command);
        for secret in [REGISTRY_TOKEN, STAND_IN_TOKEN] {
            let shown = format!("{}{}{:?}", said.out, said.err, self.comments());
            assert!(!shown.contains(secret), "{shown}");
        }
        said
    }

    /// What we said, without marks.
    fn comments(&self) -> Vec<String> {
        let comments = self.github.comments(REPOSITORY, self.number).into_iter();
        let ours = comments.filter(|(author, _)| author == "docket-bot");
        ours.map(|(_, text)| text.split("\n\n<!--").next().unwrap().to_owned())
            .collect()
    }

    fn is_closed(&self) -> bool {
        self.github.is_closed(REPOSITORY, self.number)
    }

    fn posts(&self) -> usize {
        self.registry.requests("POST").len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_becomes_a_job_and_is_told_how_it_ends() {
    let it = Issue::opened(&format!("Please publish\n\n```json\n{PUBLISH}\n```")).await;
    it.forward().expect_code(0);
    let posted = it.registry.posted();
    assert_eq!(
        (posted.line.as_str(), posted.body.as_str()),
        ("POST /api/v1/publish", PUBLISH)
    );
    assert_eq!(posted.authorization, None, "anybody may publish");
    let [started, ended] = &it.comments()[..] else {
        panic!("{:?}", it.comments())
    };
    let page = format!("{}/logs/job-1", it.registry.url);
    assert!(
        started.starts_with(&format!("Job started: `job-1`\nLogs: {page}\n")),
        "{started}"
    );
    assert_eq!(
        ended,
        "```\n[NOTICE] looked at it\n```\n\n✅ Job completed successfully"
    );
    assert!(it.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_is_answered_once() {
    let it = Issue::opened(PUBLISH).await;
    it.forward().expect_code(0);
    it.forward().expect_code(0).explains("answered before");
    assert_eq!(it.comments().len(), 2);
    assert_eq!(it.posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_interrupted_is_gone_on_with() {
    let it = Issue::opened(PUBLISH).await;
    let mark = format!(
        r#"<!-- docket:{{"event":"issue-{}","step":"started","job":"job-1"}} -->"#,
        it.number
    );
    it.github.comment(
        REPOSITORY,
        it.number,
        "docket-bot",
        &format!("Job started\n\n{mark}"),
    );
    it.forward().expect_code(0);
    assert_eq!(it.posts(), 0, "the job is there");
    assert!(it.comments()[1].ends_with("✅ Job completed successfully"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_an_earlier_request_is_named() {
    let it = Issue::opened(PUBLISH).await;
    let duplicate = json!({ "jobId": "job-1", "disposition": "duplicate" });
    it.registry.answers("POST /api/v1/publish", 200, &duplicate);
    it.forward().expect_code(0);
    let comments = it.comments();
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0].starts_with("Duplicate job: `job-1`\nLogs: "),
        "{}",
        comments[0]
    );
    assert!(!it.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_leaves_the_issue_open() {
    let it = Issue::opened(PUBLISH).await;
    it.registry.job_ends(false);
    it.forward().expect_code(1).explains("job job-1 failed");
    assert!(it.comments()[1].contains("❌ Job failed"), "{:?}", it.comments());
    assert!(!it.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_understood_is_answered_with_what_is() {
    let it = Issue::opened(r#"{"name":"slug","email":"me@example.org"}"#).await;
    it.forward().expect_code(0);
    it.forward().expect_code(0);
    let comments = it.comments();
    assert_eq!(comments.len(), 1, "said once");
    assert!(
        comments[0].contains("malformed") && comments[0].contains("Received keys"),
        "{}",
        comments[0]
    );
    assert_eq!(it.posts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_us_makes_no_call_at_all() {
    let mut edited = Issue::opened(PUBLISH).await;
    edited.event["action"] = "edited".into();
    let mut pull = Issue::opened("").await.commented("alice", PUBLISH);
    pull.event["issue"]["pull_request"] = json!({});
    for it in [
        edited,
        pull,
        Issue::opened("Thanks!").await,
        Issue::opened("").await.commented("docket-bot", PUBLISH),
        Issue::opened("").await.commented("renovate[bot]", PUBLISH),
    ] {
        it.forward().expect_code(0).explains("nothing to do");
        assert!(it.github.requests().is_empty() && it.posts() == 0, "{}", it.event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trustee_s_word_stands_for_a_signature() {
    for text in ["/docket unpublish slug@1.2.0 --reason leaks", SIGNED] {
        let it = Issue::opened("").await.commented("Alice", text);
        it.forward().expect_code(0);
        let posted = it.registry.posted();
        assert_eq!(posted.line, "POST /api/v1/unpublish");
        assert_eq!(posted.authorization, Some(format!("Bearer {REGISTRY_TOKEN}")));
        assert_eq!(
            posted.behalf.as_deref(),
            Some("Alice"),
            "the registry hears whose word it is"
        );
        assert!(it.is_closed());
    }
    let it = Issue::opened("/docket package-set --remove slug").await;
    it.forward().expect_code(0);
    assert!(it.registry.posted().authorization.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_token_lent() {
    let it = Issue::opened_by("mallory", SIGNED).await;
    it.forward().expect_code(0);
    let posted = it.registry.posted();
    assert_eq!((posted.authorization, posted.behalf), (None, None));
    assert_eq!(posted.body, SIGNED, "the registry judges the signature");

    let it = Issue::opened_by("mallory", "/docket unpublish slug@1.2.0 --reason fun").await;
    it.forward().expect_code(0);
    assert_eq!(it.posts(), 0);
    let comments = it.comments();
    assert!(
        comments[0].contains("mallory is not one of this registry's trustees"),
        "{}",
        comments[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_team_cannot_be_listed_a_signature_still_counts_and_a_word_does_not() {
    // GitHub is asked three times.
    let hide_team = |it: &Issue| (0..3).for_each(|_| it.github.fail_team_with(Fault::Status(500)));
    let it = Issue::opened(SIGNED).await;
    hide_team(&it);
    it.forward().expect_code(0);
    assert_eq!(it.registry.posted().authorization, None);

    let it = Issue::opened("/docket unpublish slug@1.2.0 --reason leaks").await;
    hide_team(&it);
    it.forward()
        .expect_code(1)
        .explains("whether alice is a trustee could not be found out");
    assert_eq!(it.posts(), 0);
    assert!(
        it.comments()[0].contains("could not be found out"),
        "{:?}",
        it.comments()
    );
    it.forward().expect_code(0);
    assert_eq!((it.posts(), it.comments().len()), (1, 3), "the next run goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_registry_is_told_once_and_tried_again() {
    let it = Issue::opened(PUBLISH).await;
    let problem = json!({ "title": "Undecodable operation", "detail": "```\n@everyone" });
    it.registry.answers("POST /api/v1/publish", 400, &problem);
    it.forward()
        .expect_code(1)
        .explains("the registry did not take the request");
    it.forward().expect_code(1);
    let comments = it.comments();
    assert_eq!((comments.len(), it.posts()), (1, 2));
    assert!(comments[0].starts_with("❌ The registry did not take the request to publish slug@1.2.0"));
    assert!(
        comments[0].contains("\n````\n"),
        "what others wrote stays in its fence: {}",
        comments[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named() {
    let it = Issue::opened(PUBLISH).await;
    let event = it.folder.path().join("event");
    fs::write(&event, it.event.to_string()).unwrap();
    let args = [
        "forward-issue",
        "--event",
        event.to_str().unwrap(),
        "--github-api",
        it.github.url(),
    ];
    run(docket(&it.registry, &args))
        .expect_code(1)
        .explains("there is no token for GitHub")
        .explains("GITHUB_TOKEN");
    run(docket(
        &it.registry,
        &["forward-issue", "--event", "no-such-file"],
    ))
    .expect_code(1)
    .explains("no-such-file cannot be read");
    fs::write(&event, "[]").unwrap();
    run(docket(&it.registry, &args))
        .expect_code(1)
        .explains("the event cannot be read");
}
