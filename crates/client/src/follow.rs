//! The live log of a job: every line once, in order, whatever happens to the connection.
//!
//! The server shows only stored lines and a line never changes, so the `seq` of the last line seen is all there is to remember:
//! each new connection asks for what stands behind it. Lines come over a websocket; where none can be had (a proxy that does
//! not know them), pages are polled instead.

mod socket;

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::job::JobId;
use crate::log::{LogLine, LogPage, LogWish, Outcome};
use socket::{LogSocket, Received};

/// Lines asked for at once while polling.
const PAGE_LINES: u32 = 500;

/// What following a log brings.
#[derive(Debug)]
pub enum Event {
    /// The next line.
    Line(LogLine),
    /// We were too slow: so many lines, from the next one on, were waiting for us. They come now; nothing is lost.
    Behind {
        /// How many.
        lines: i64,
    },
    /// The connection was lost; the next try comes after `pause`, from where we were.
    Interrupted {
        /// What failed.
        cause: Error,
        /// How long until the next try.
        pause: Duration,
    },
    /// The job has ended and every line has been seen. Nothing follows.
    Ended(Outcome),
}

/// How long a follower waits for what.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Pause after the first failure; doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause between two tries.
    pub longest_pause: Duration,
    /// Pause between two pages while nothing new is there.
    pub poll_pause: Duration,
    /// Silence after which the server is asked for a sign of life, and after as much again the connection counts as lost.
    pub silence: Duration,
    /// How long to go on trying without any sign of life.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
            poll_pause: Duration::from_millis(500),
            silence: Duration::from_secs(20),
            patience: Duration::from_secs(600),
        }
    }
}

/// A job log being followed; see [`Client::follow`].
#[derive(Debug)]
pub struct Follow {
    client: Client,
    job: JobId,
    wish: LogWish,
    pace: Pace,
    /// The `seq` behind which the server shall go on.
    after: i64,
    /// Lines of a page that have not been handed out yet.
    ready: VecDeque<LogLine>,
    /// The server said that we were so many lines behind, and nobody knows yet.
    behind: Option<i64>,
    state: State,
    /// Failures since the last sign of life, which was at `heard`.
    failures: u32,
    heard: Instant,
}

#[derive(Debug)]
enum State {
    /// Connect now.
    Connect,
    /// Connect after a pause.
    Pause(Duration),
    Socket(Box<LogSocket>),
    /// Ask for pages; the first at once, the others after a pause when nothing new was there.
    Poll {
        pause: bool,
    },
    /// The outcome is known; say it once the lines before it are out.
    End(Outcome),
    Over,
}

impl Follow {
    pub(crate) fn new(client: Client, job: JobId, after: i64, wish: LogWish, pace: Pace) -> Self {
        Self {
            client,
            job,
            wish,
            pace,
            after,
            ready: VecDeque::new(),
            behind: None,
            state: State::Connect,
            failures: 0,
            heard: Instant::now(),
        }
    }

    /// Returns the `seq` from which another follower would go on without losing or repeating a line.
    pub fn position(&self) -> i64 {
        self.ready.front().map_or(self.after, |line| line.seq - 1)
    }

    /// Waits for what comes next; `None` after [`Event::Ended`] or an error.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchJob`] and other refusals at once; [`Error::GaveUp`] when nothing was heard for [`Pace::patience`].
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if let Some(lines) = self.behind.take() {
                return Some(Ok(Event::Behind { lines }));
            }
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(Event::Line(line)));
            }
            match &mut self.state {
                State::Over => return None,
                State::End(outcome) => {
                    let outcome = *outcome;
                    self.state = State::Over;
                    return Some(Ok(Event::Ended(outcome)));
                }
                State::Pause(pause) => {
                    tokio::time::sleep(*pause).await;
                    self.state = State::Connect;
                }
                State::Connect => {
                    self.state = match LogSocket::open(&self.client, &self.job, self.after, &self.wish).await
                    {
                        Some(socket) => State::Socket(Box::new(socket)),
                        None => State::Poll { pause: false },
                    };
                }
                State::Socket(socket) => match socket.receive(self.pace.silence).await {
                    Ok(received) => self.take(received),
                    Err(error) => {
                        let cause = self.client.unreachable(error);
                        return Some(self.failed(cause));
                    }
                },
                State::Poll { pause } => {
                    if *pause {
                        tokio::time::sleep(self.pace.poll_pause).await;
                    }
                    let page = self
                        .client
                        .log_page(&self.job, self.after, &self.wish, PAGE_LINES)
                        .await;
                    if let Err(cause) = page.and_then(|page| self.take_page(page)) {
                        return Some(self.failed(cause));
                    }
                }
            }
        }
    }

    /// Turns the follower into a stream of the same events.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Error>> {
        stream::unfold(self, |mut follow| async move {
            follow.next().await.map(|event| (event, follow))
        })
    }

    fn take(&mut self, received: Received) {
        self.heard();
        match received {
            Received::Line(line, behind) => {
                self.behind = behind;
                self.push(line);
            }
            Received::End(outcome) => self.state = State::End(outcome),
            Received::SignOfLife => {}
        }
    }

    fn take_page(&mut self, page: LogPage) -> Result<(), Error> {
        self.heard();
        let next = page.next;
        let nothing_new = page.lines.is_empty() && !page.more;
        page.lines.into_iter().for_each(|line| self.push(line));
        // With a wish, `next` may stand behind lines that were not asked for.
        self.after = self.after.max(next);
        self.state = match (page.finished, page.success) {
            (false, _) => State::Poll { pause: nothing_new },
            (true, Some(success)) => State::End(Outcome { success }),
            (true, None) => {
                return Err(self
                    .client
                    .undecodable("the job has finished, but the page does not say how"));
            }
        };
        Ok(())
    }

    /// Takes a line unless it was seen before.
    fn push(&mut self, line: LogLine) {
        if line.seq > self.after {
            self.after = line.seq;
            self.ready.push_back(line);
        }
    }

    fn heard(&mut self) {
        self.failures = 0;
        self.heard = Instant::now();
    }

    fn failed(&mut self, cause: Error) -> Result<Event, Error> {
        if !cause.is_temporary() {
            self.state = State::Over;
            return Err(cause);
        }
        let silence = self.heard.elapsed();
        if silence >= self.pace.patience {
            self.state = State::Over;
            return Err(Error::GaveUp {
                job: self.job.clone(),
                silence,
                cause: Box::new(cause),
            });
        }
        let factor = 2_u32.saturating_pow(self.failures.min(16));
        let pause = self
            .pace
            .first_pause
            .saturating_mul(factor)
            .min(self.pace.longest_pause);
        self.failures += 1;
        self.state = State::Pause(pause);
        Ok(Event::Interrupted { cause, pause })
    }
}
