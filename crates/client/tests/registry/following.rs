//! Following a log while the connection misbehaves.

use std::time::Duration;

use docket_client::{Client, Error, Event, Follow, JobId, Level, LogLine, LogWish, Outcome, Pace};
use futures_util::StreamExt;

use crate::server::{Server, Step};

fn pace() -> Pace {
    Pace {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(5),
        poll_pause: Duration::from_millis(1),
        ..Pace::default()
    }
}

fn job() -> JobId {
    "9607c6e5-a040-41c4-a015-cee4a838d32d".parse().unwrap()
}

fn line(seq: i64) -> String {
    format!(
        r#"{{"seq":{seq},"timestamp":"2026-08-18T07:02:13.{:03}Z","level":"INFO","message":"line {seq}"}}"#,
        seq % 1000
    )
}

fn lines(seqs: impl IntoIterator<Item = i64>) -> Vec<String> {
    seqs.into_iter().map(line).collect()
}

fn page(seqs: impl IntoIterator<Item = i64>, next: i64, end: &str) -> Step {
    let body = format!(r#"{{"lines":[{}],"next":{next},{end}}}"#, lines(seqs).join(","));
    Step::Answer(200, "application/json", body)
}

fn ended() -> String {
    r#"{"finished":true,"success":true}"#.to_owned()
}

fn follow(server: &Server, pace: Pace) -> Follow {
    Client::new(server.address())
        .unwrap()
        .follow_at(job(), 0, Level::Info, pace)
}

/// Follows to the end; returns the lines and how often the connection was lost.
async fn to_end(follow: Follow) -> (Vec<LogLine>, usize, Outcome) {
    let (mut lines, mut interruptions, mut outcome) = (Vec::new(), 0, None);
    let mut events = std::pin::pin!(follow.into_stream());
    while let Some(event) = events.next().await {
        assert!(outcome.is_none(), "nothing comes after the end");
        match event.expect("the log is followed to its end") {
            Event::Line(line) => lines.push(line),
            Event::Interrupted { .. } => interruptions += 1,
            Event::Behind { .. } => {}
            Event::Ended(how) => outcome = Some(how),
        }
    }
    (lines, interruptions, outcome.expect("the log ended"))
}

fn seqs(lines: &[LogLine]) -> Vec<i64> {
    lines.iter().map(|line| line.seq).collect()
}

#[tokio::test]
async fn a_log_is_shown_line_by_line_until_the_job_ends() {
    let mut texts = lines(1..=3);
    texts.push(ended());
    let server = Server::start([Step::Close(texts)]).await;
    let (lines, interruptions, outcome) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2, 3]);
    assert_eq!((interruptions, outcome.success), (0, true));
    assert_eq!(lines[2].message, "line 3");
}

#[tokio::test]
async fn a_dropped_connection_is_resumed_behind_the_last_line() {
    let mut rest = lines([3, 4]);
    rest.push(ended());
    let server = Server::start([Step::Cut(lines([1, 2])), Step::Close(rest)]).await;
    let (lines, interruptions, _) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2, 3, 4]);
    assert_eq!(interruptions, 1);
    assert_eq!(
        server.requests()[1],
        format!("GET /api/v1/jobs/{}/logs/ws?after=2&level=INFO", job()),
        "the second connection asks for what the first did not bring"
    );
}

#[tokio::test]
async fn a_line_that_the_server_sends_twice_is_shown_once() {
    let mut again = lines([1, 2, 3]);
    again.push(ended());
    let server = Server::start([Step::Cut(lines([1, 2])), Step::Close(again)]).await;
    let (lines, ..) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2, 3]);
}

#[tokio::test]
async fn a_connection_that_is_closed_politely_in_the_middle_is_resumed_too() {
    let server = Server::start([Step::Close(lines([1])), Step::Close(vec![line(2), ended()])]).await;
    let (lines, interruptions, _) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2]);
    assert_eq!(interruptions, 1);
}

/// Who is too slow is told before the next line, and that line says nothing else than others.
#[tokio::test]
async fn a_slow_follower_is_told_and_loses_nothing() {
    let late = line(2).replace("{", r#"{"behind":5000,"#);
    let server = Server::start([Step::Close(vec![line(1), late, line(3), ended()])]).await;
    let mut follow = follow(&server, pace());
    let mut told = Vec::new();
    while let Some(event) = follow.next().await {
        told.push(match event.unwrap() {
            Event::Line(line) => format!("line {}", line.seq),
            Event::Behind { lines } => format!("behind {lines}"),
            Event::Ended(_) => "end".to_owned(),
            Event::Interrupted { cause, .. } => panic!("{cause}"),
        });
    }
    assert_eq!(told, ["line 1", "behind 5000", "line 2", "line 3", "end"]);
}

#[tokio::test]
async fn what_is_searched_for_is_asked_for_on_both_ways() {
    let server = Server::start([
        Step::Answer(403, "text/html", "<html>no sockets here</html>".to_owned()),
        page([], 90, r#""finished":false,"more":true"#),
        page([95], 96, r#""finished":true,"success":true"#),
    ])
    .await;
    let wish = LogWish {
        level: Level::Debug,
        search: Some("a&b".to_owned()),
    };
    let follow = Client::new(server.address())
        .unwrap()
        .follow_at(job(), 0, wish, pace());
    let (lines, ..) = to_end(follow).await;
    assert_eq!(seqs(&lines), [95]);
    let query = |after| format!("?after={after}&level=DEBUG&search=a%26b");
    assert!(server.requests()[0].ends_with(&format!("/logs/ws{}", query(0))));
    assert!(
        server.requests()[2].contains(&query(90)),
        "{:?}",
        server.requests()
    );
}

#[tokio::test]
async fn without_a_websocket_the_log_is_polled() {
    let server = Server::start([
        Step::Answer(403, "text/html", "<html>no sockets here</html>".to_owned()),
        page([1, 2], 2, r#""finished":false"#),
        page([], 2, r#""finished":false"#),
        page([5], 6, r#""finished":false"#),
        page([], 6, r#""finished":true,"success":false"#),
    ])
    .await;
    let (lines, interruptions, outcome) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2, 5]);
    assert_eq!((interruptions, outcome.success), (0, false));
    assert!(
        server.requests()[4].contains("after=6"),
        "a page that ends behind filtered lines is not asked for again"
    );
}

#[tokio::test]
async fn a_server_that_is_briefly_gone_while_polling_is_asked_again() {
    let no_socket = || Step::Answer(426, "text/plain", String::new());
    let server = Server::start([
        no_socket(),
        page([1], 1, r#""finished":false"#),
        Step::Answer(502, "text/html", "<html>bad gateway</html>".to_owned()),
        no_socket(),
        page([2], 2, r#""finished":true,"success":true"#),
    ])
    .await;
    let (lines, interruptions, _) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), [1, 2]);
    assert_eq!(interruptions, 1);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    let server = Server::start([Step::Silence, Step::Close(vec![line(1), ended()])]).await;
    let pace = Pace {
        silence: Duration::from_millis(20),
        ..pace()
    };
    let (lines, interruptions, _) = to_end(follow(&server, pace)).await;
    assert_eq!(seqs(&lines), [1]);
    assert_eq!(interruptions, 1);
}

#[tokio::test]
async fn every_line_of_a_long_log_is_shown_once_however_often_the_wire_breaks() {
    let mut steps = Vec::new();
    let mut seq = 0;
    for round in 0..60 {
        let count = round % 7;
        steps.push(Step::Cut(lines(seq + 1..=seq + count)));
        seq += count;
    }
    steps.push(Step::Close(vec![line(seq + 1), ended()]));
    let server = Server::start(steps).await;
    let (lines, ..) = to_end(follow(&server, pace())).await;
    assert_eq!(seqs(&lines), (1..=seq + 1).collect::<Vec<_>>());
    assert_eq!(server.left(), 0);
}

#[tokio::test]
async fn an_unknown_job_is_told_at_once() {
    let missing = || {
        Step::Answer(
            404,
            "application/problem+json",
            r#"{"title":"No such job"}"#.to_owned(),
        )
    };
    let server = Server::start([missing(), missing()]).await;
    let mut follow = follow(&server, pace());
    let error = follow.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NoSuchJob { .. }), "{error}");
    assert!(follow.next().await.is_none());
}

#[tokio::test]
async fn a_server_that_stays_away_is_given_up_in_the_end() {
    let server = Server::start([]).await;
    let pace = Pace {
        patience: Duration::from_millis(30),
        ..pace()
    };
    let mut follow = follow(&server, pace);
    let error = loop {
        match follow.next().await.unwrap() {
            Ok(Event::Interrupted { .. }) => {}
            Ok(other) => panic!("nothing was sent, but {other:?} came"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
    assert!(error.to_string().contains("the job itself goes on"), "{error}");
}
