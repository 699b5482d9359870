//! What each call gives.

use docket_github::Error;

use crate::fixture::{Fixture, repository};

#[tokio::test]
async fn a_token_leads_to_its_owner() {
    let it = Fixture::start().await;
    it.github.account("alice", "alices-token");
    let owner = it.client().owner_of(&"alices-token".parse().unwrap()).await;
    assert_eq!(owner.unwrap().as_str(), "alice");
    let requests = it.github.requests();
    assert_eq!(
        requests[0].by.as_deref(),
        Some("alice"),
        "asked with that token, not with ours"
    );
}

#[tokio::test]
async fn every_page_of_a_list_is_read() {
    let it = Fixture::start().await;
    it.github.repository("lab/purescript-demo");
    for number in 0..250 {
        it.github
            .tag("lab/purescript-demo", &format!("v{number}.0.0"), "c0ffee");
    }
    let tags = it
        .client()
        .tags(&repository("lab/purescript-demo"))
        .await
        .unwrap();
    assert_eq!(tags.len(), 250);
    assert_eq!(tags[0].name, "v0.0.0");
    assert_eq!(tags[249].name, "v249.0.0");
    assert_eq!(tags[249].sha, "c0ffee");
    assert_eq!(it.asked().len(), 3);
}

#[tokio::test]
async fn a_list_that_never_ends_is_not_read_for_ever() {
    let mut it = Fixture::start().await;
    it.config.limits.pages = 2;
    it.github.repository("lab/purescript-demo");
    for number in 0..201 {
        it.github
            .tag("lab/purescript-demo", &number.to_string(), "c0ffee");
    }
    let error = it
        .client()
        .tags(&repository("lab/purescript-demo"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "GitHub lists more than 2 pages of tags");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_renamed_repository_is_found_under_its_old_name() {
    let it = Fixture::start().await;
    it.github.repository("lab/purescript-demo");
    it.github.tag("lab/purescript-demo", "v1.0.0", "c0ffee");
    let issue = it.github.issue("lab/purescript-demo", "alice", "hello");
    it.github.rename("lab/purescript-demo", "Lab2/demo");
    let (client, old) = (it.client(), repository("lab/purescript-demo"));
    assert_eq!(client.current_name(&old).await.unwrap(), repository("Lab2/demo"));
    let tags = client.tags(&old).await.unwrap();
    assert!(tags[0].commit_url.ends_with("/repos/Lab2/demo/commits/c0ffee"));
    client.create_comment(&old, issue, "still here").await.unwrap();
    assert_eq!(
        it.github.comments("Lab2/demo", issue).len(),
        1,
        "a comment follows too, once"
    );
}

#[tokio::test]
async fn commits_are_those_since_a_time() {
    let it = Fixture::start().await;
    it.github.repository("lab/purescript-demo");
    let (client, repo) = (it.client(), repository("lab/purescript-demo"));
    let since = "2026-08-17T07:00:00.000Z".parse().unwrap();
    assert!(
        client.commits_since(&repo, since).await.unwrap().is_empty(),
        "no commit at all"
    );
    it.github
        .commit("lab/purescript-demo", "aaaa", "2026-08-16T12:00:00Z");
    it.github
        .commit("lab/purescript-demo", "bbbb", "2026-08-17T12:00:00Z");
    it.github
        .commit("lab/purescript-demo", "cccc", "2026-08-18T06:00:00Z");
    assert_eq!(
        client.commits_since(&repo, since).await.unwrap(),
        ["cccc", "bbbb"]
    );
}

#[tokio::test]
async fn an_issue_is_commented_and_closed() {
    let it = Fixture::start().await;
    it.github.repository("lab/registry");
    let issue = it.github.issue("lab/registry", "alice", "publish please");
    let (client, repo) = (it.client(), repository("lab/registry"));
    let comment = client
        .create_comment(&repo, issue, "Job started: `1`")
        .await
        .unwrap();
    assert_eq!(comment.author.unwrap().as_str(), "docket-bot");
    let comments = client.list_comments(&repo, issue).await.unwrap();
    assert_eq!(comments[0].body, "Job started: `1`");
    client.close_issue(&repo, issue).await.unwrap();
    assert!(it.github.is_closed("lab/registry", issue));
    let error = client.create_comment(&repo, 99, "hello").await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error}");
}

#[tokio::test]
async fn an_answer_that_still_holds_costs_nothing() {
    let it = Fixture::start().await;
    it.github.repository("lab/purescript-demo");
    for number in 0..150 {
        it.github
            .tag("lab/purescript-demo", &number.to_string(), "c0ffee");
    }
    let (client, repo) = (it.client(), repository("lab/purescript-demo"));
    let first = client.tags(&repo).await.unwrap();
    let counted = it.github.counted("docket-bot");
    assert_eq!(
        client.tags(&repo).await.unwrap(),
        first,
        "both pages, from memory"
    );
    assert_eq!(it.github.counted("docket-bot"), counted);
    assert!(
        it.github.requests()[2..]
            .iter()
            .all(|request| request.conditional && request.status == 304)
    );
    it.github.tag("lab/purescript-demo", "new", "c0ffee");
    assert_eq!(
        client.tags(&repo).await.unwrap().len(),
        151,
        "what has changed is seen"
    );
}

#[tokio::test]
async fn a_team_that_is_not_shown_is_no_empty_team() {
    let mut it = Fixture::start().await;
    it.config.token = None;
    let error = it.client().team_members().await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error}");
}
