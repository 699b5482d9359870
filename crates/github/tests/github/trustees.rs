//! Who is let through.

use std::time::Duration;

use docket_github::{Error, TrusteeError, Trustees};
use docket_test_support::github_stand_in::{Fault, STAND_IN_TOKEN};

use crate::fixture::{Fixture, START, after};

async fn with_accounts() -> Fixture {
    let it = Fixture::start().await;
    for login in ["alice", "bob", "mallory"] {
        it.github.account(login, &format!("token-of-{login}"));
    }
    it
}

#[tokio::test]
async fn the_bot_and_members_of_the_team_are_trustees() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    assert_eq!(trustees.who(STAND_IN_TOKEN).await.unwrap().as_str(), "docket-bot");
    assert_eq!(trustees.who("token-of-alice").await.unwrap().as_str(), "alice");
    assert_eq!(
        trustees.who("token-of-bob").await.unwrap().as_str(),
        "bob",
        "GitHub's list says Bob"
    );
}

#[tokio::test]
async fn a_member_on_a_later_page_is_a_trustee() {
    let it = with_accounts().await;
    let mut members: Vec<String> = (0..240).map(|number| format!("member-{number}")).collect();
    members.push("mallory".to_owned());
    it.github.team(
        "lab",
        "packaging",
        &members.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert!(it.trustees().who("token-of-mallory").await.is_ok());
}

#[tokio::test]
async fn strangers_are_told_apart_from_tokens_that_do_not_exist() {
    let it = with_accounts().await;
    it.github.installation("token-of-a-program");
    let trustees = it.trustees();
    let stranger = trustees.who("token-of-mallory").await.unwrap_err();
    assert_eq!(stranger.to_string(), "mallory is not a trustee of this registry");
    assert!(matches!(
        trustees.who("made-up").await,
        Err(TrusteeError::UnknownToken)
    ));
    assert!(matches!(
        trustees.who("token-of-a-program").await,
        Err(TrusteeError::NoPerson)
    ));
}

#[tokio::test]
async fn nobody_is_a_trustee_where_none_is_configured() {
    let mut it = with_accounts().await;
    (it.config.team, it.config.bot) = (None, None);
    assert!(matches!(
        it.trustees().who("token-of-alice").await,
        Err(TrusteeError::NotTrustee(_))
    ));
}

#[tokio::test]
async fn a_text_that_is_no_token_is_refused_without_asking() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    let long = "x".repeat(1_025);
    for text in ["", "a\nb", "a\r\nX-Evil: 1", "a b", "\0", "tökén", long.as_str()] {
        assert!(
            matches!(trustees.who(text).await, Err(TrusteeError::Malformed(_))),
            "{text:?}"
        );
    }
    assert!(it.asked().is_empty());
}

#[tokio::test]
async fn a_trustee_is_asked_about_once_in_five_minutes() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    trustees.who("token-of-alice").await.unwrap();
    let asked = it.asked().len();
    it.pass(299);
    trustees.clone().who("token-of-alice").await.unwrap();
    assert_eq!(it.asked().len(), asked);
    it.github.team("lab", "packaging", &["bob"]);
    it.pass(1);
    let left = trustees.who("token-of-alice").await;
    assert!(
        matches!(left, Err(TrusteeError::NotTrustee(_))),
        "whoever leaves the team is no trustee any more"
    );
}

#[tokio::test]
async fn a_stranger_is_asked_about_once_in_a_minute() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    for _ in 0..3 {
        assert!(trustees.who("token-of-mallory").await.is_err());
        assert!(trustees.who("made-up").await.is_err());
    }
    assert_eq!(it.asked().iter().filter(|line| *line == "GET /user").count(), 2);
    it.github.team("lab", "packaging", &["mallory"]);
    it.pass(60);
    assert!(
        trustees.who("token-of-mallory").await.is_ok(),
        "new trustees wait a minute at most"
    );
}

async fn unavailable(trustees: &Trustees, token: &str) -> (Option<docket_core::time::Timestamp>, Error) {
    match trustees.who(token).await {
        Err(TrusteeError::Unavailable { retry_at, cause }) => (retry_at, cause),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn trouble_of_github_makes_nobody_a_trustee_and_is_not_remembered() {
    let mut it = with_accounts().await;
    it.config.limits.call_timeout = Duration::from_millis(300);
    it.config.limits.retry_pauses = Vec::new();
    let trustees = it.trustees();
    for fault in [
        Fault::Status(500),
        Fault::Garbage,
        Fault::Silence,
        Fault::Huge(9 << 20),
    ] {
        it.github.fail_next(fault);
        assert_eq!(unavailable(&trustees, "token-of-alice").await.0, None);
    }
    trustees.who("token-of-alice").await.unwrap();
}

#[tokio::test]
async fn a_stranger_with_a_used_up_limit_stands_in_nobodys_way() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    it.github.fail_next(Fault::RateLimited {
        reset: START / 1_000 + 600,
    });
    for _ in 0..2 {
        assert_eq!(
            unavailable(&trustees, "token-of-mallory").await.0,
            Some(after(600))
        );
    }
    assert_eq!(it.asked().len(), 1, "GitHub is not asked about that token again");
    trustees.who("token-of-alice").await.unwrap();
}

#[tokio::test]
async fn our_own_used_up_limit_says_when_to_come_back() {
    let it = with_accounts().await;
    let client = it.client();
    let trustees = Trustees::new(client.clone(), &it.config, it.clock.clone());
    it.github.fail_next(Fault::RateLimited {
        reset: START / 1_000 + 600,
    });
    client.team_members().await.unwrap_err();
    let (retry_at, cause) = unavailable(&trustees, "token-of-alice").await;
    assert_eq!(retry_at, Some(after(600)), "{cause}");
    it.pass(600);
    trustees.who("token-of-alice").await.unwrap();
}

#[tokio::test]
async fn a_team_that_our_token_may_not_see_is_our_trouble() {
    let mut it = with_accounts().await;
    it.config.token = None;
    let (retry_at, cause) = unavailable(&it.trustees(), "token-of-alice").await;
    assert_eq!(retry_at, None);
    assert!(matches!(cause, Error::NotFound), "{cause}");
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_is_kept_from_github() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    trustees.who("token-of-alice").await.unwrap();
    let before = it.asked().len();
    for number in 0..100 {
        assert!(trustees.who(&format!("made-up-{number}")).await.is_err());
    }
    assert_eq!(it.asked().len() - before, 30);
    trustees.who("token-of-alice").await.unwrap();
    assert_eq!(unavailable(&trustees, "token-of-bob").await.0, Some(after(60)));
    it.pass(60);
    trustees.who("token-of-bob").await.unwrap();
}

#[tokio::test]
async fn no_answer_and_no_debug_output_shows_a_token() {
    let it = with_accounts().await;
    let trustees = it.trustees();
    let mut text = String::new();
    for token in ["secret-made-up", "secret with a space", "secret-of-a-program"] {
        it.github.installation("secret-of-a-program");
        let error = trustees.who(token).await.unwrap_err();
        text += &format!("{error} {error:?}");
    }
    it.github.fail_next(Fault::Garbage);
    let error = trustees.who("secret-of-somebody").await.unwrap_err();
    text += &format!("{error:?} {trustees:?}");
    assert!(!text.contains("secret"), "{text}");
    assert!(!text.contains(STAND_IN_TOKEN), "{text}");
}
