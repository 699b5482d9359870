//! Our part of a conversation: said once, whatever happens in between.

use docket_github::{IssueEvent, Mark, Step, Thread};
use docket_test_support::github_stand_in::Fault;

use crate::fixture::{Fixture, repository};

const REPOSITORY: &str = "lab/registry";

async fn with_issue() -> (Fixture, IssueEvent) {
    let it = Fixture::start().await;
    it.github.repository(REPOSITORY);
    let issue = it.github.issue(REPOSITORY, "alice", "publish please");
    let event = IssueEvent {
        repository: repository(REPOSITORY),
        issue,
        comment: Some(99),
        sender: "alice".parse().expect("a login"),
        text: "publish please".to_owned(),
    };
    (it, event)
}

async fn open(it: &Fixture, event: &IssueEvent) -> Thread {
    let client = it.client();
    let us = client.account().await.expect("GitHub answers");
    Thread::open(client, event, us).await.expect("GitHub answers")
}

#[tokio::test]
async fn a_second_run_knows_how_far_the_first_came() {
    let (it, event) = with_issue().await;
    let mut thread = open(&it, &event).await;
    assert!(thread.find(Step::Started).is_none());
    let started = thread.mark(Step::Started).of_job("0198", None);
    thread.say(started.clone(), "Job started: `0198`").await.unwrap();
    let log = thread.mark(Step::Log).of_job("0198", Some(7));
    thread.say(log, "[NOTICE] seven").await.unwrap();

    let mut again = open(&it, &event).await;
    assert_eq!(again.find(Step::Started), Some(&started));
    assert_eq!(again.shown(), Some(7));
    again.say(started, "Job started: `0198`").await.unwrap();
    assert_eq!(
        it.github.comments(REPOSITORY, event.issue).len(),
        2,
        "nothing is said twice"
    );

    let other = IssueEvent {
        comment: Some(100),
        ..event
    };
    assert!(
        open(&it, &other).await.find(Step::Started).is_none(),
        "another comment, another conversation"
    );
}

#[tokio::test]
async fn nobody_silences_us_with_a_mark_of_theirs() {
    let (it, event) = with_issue().await;
    let forged = Mark::new(&event.key(), Step::Answer).to_string();
    it.github.comment(REPOSITORY, event.issue, "mallory", &forged);
    it.github.comment(REPOSITORY, event.issue, "evil[bot]", &forged);
    assert!(open(&it, &event).await.find(Step::Answer).is_none());
}

#[tokio::test]
async fn the_token_of_a_workflow_knows_its_own_comments() {
    let (mut it, event) = with_issue().await;
    it.github.installation("token-of-a-workflow");
    it.config.token = Some("token-of-a-workflow".parse().unwrap());
    let said = Mark::new(&event.key(), Step::Answer).to_string();
    it.github
        .comment(REPOSITORY, event.issue, "github-actions[bot]", &said);
    assert!(open(&it, &event).await.find(Step::Answer).is_some());
}

#[tokio::test]
async fn a_comment_whose_answer_was_lost_is_found_and_not_repeated() {
    let (it, event) = with_issue().await;
    let mut thread = open(&it, &event).await;
    it.github.fail_next(Fault::LostAnswer);
    thread.say(thread.mark(Step::Answer), "no").await.unwrap();
    assert_eq!(it.github.comments(REPOSITORY, event.issue).len(), 1);
}

#[tokio::test]
async fn a_comment_that_did_not_arrive_is_written_again() {
    let (it, event) = with_issue().await;
    let mut thread = open(&it, &event).await;
    it.github.fail_next(Fault::Status(502));
    thread.say(thread.mark(Step::Answer), "no").await.unwrap();
    assert_eq!(it.github.comments(REPOSITORY, event.issue).len(), 1);
}

#[tokio::test]
async fn a_very_long_text_fits_into_a_comment() {
    let (it, event) = with_issue().await;
    let mut thread = open(&it, &event).await;
    thread
        .say(thread.mark(Step::Answer), &"ä".repeat(200_000))
        .await
        .unwrap();
    assert!(
        open(&it, &event).await.find(Step::Answer).is_some(),
        "with its mark"
    );
}
