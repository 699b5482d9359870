//! Our part of the conversation below an issue.
//!
//! Each of our comments carries a mark that GitHub does not show. It says which event the comment answers and how far we had
//! come, so an event that is delivered twice, or a run that is started again, goes on where the last one stopped and says nothing twice.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::IssueEvent;
use crate::{Client, Comment, Error, Login, Repository};

const OPEN: &str = "<!-- docket:";
const CLOSE: &str = " -->";
/// GitHub takes 65,536 characters; the rest is for the mark.
const MAX_CHARS: usize = 64_000;

/// How far we have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The text was answered, and there is no job.
    Answer,
    /// Something went wrong before there was a job; it may be tried again.
    Trouble,
    /// The job of an earlier request answers this one.
    Duplicate,
    /// There is a job.
    Started,
    /// Lines of its log were shown.
    Log,
    /// Nobody waits for it any longer.
    TimedOut,
    /// The job has ended.
    Ended,
}

/// What one of our comments is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// [`IssueEvent::key`].
    pub event: String,
    /// How far we had come.
    pub step: Step,
    /// The job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The last line of its log that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
}

impl Mark {
    /// The mark of an answer to an event.
    pub fn answer(event: &str) -> Self {
        Self::new(event, Step::Answer)
    }

    /// A mark without a job.
    pub fn new(event: &str, step: Step) -> Self {
        Self {
            event: event.to_owned(),
            step,
            job: None,
            seq: None,
        }
    }

    /// Names the job.
    #[must_use]
    pub fn of_job(mut self, job: &str, seq: Option<i64>) -> Self {
        self.job = Some(job.to_owned());
        self.seq = seq;
        self
    }

    /// Whether a text holds a mark.
    pub fn is_in(text: &str) -> bool {
        text.contains(OPEN)
    }

    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(OPEN)?;
        let (mark, _) = rest.split_once(CLOSE)?;
        serde_json::from_str(mark).ok()
    }
}

/// As it stands in a comment.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        // Neither a key nor a job id holds a `>`; if one ever did, the mark must not end there.
        write!(f, "{OPEN}{}{CLOSE}", json.replace('>', "\\u003e"))
    }
}

/// What we have said and may say about one event.
#[derive(Debug)]
pub struct Thread {
    client: Client,
    repository: Repository,
    issue: u64,
    event: String,
    us: Option<Login>,
    said: Vec<Mark>,
}

impl Thread {
    /// Reads what we have said already.
    ///
    /// Only our own marks count, so nobody can silence us with a mark of theirs. `us` is whose token we hold; `None` is a
    /// program's, as workflows have, whose comments are those of some `[bot]`.
    ///
    /// # Errors
    /// When GitHub does not show the comments.
    pub async fn open(client: Client, event: &IssueEvent, us: Option<Login>) -> Result<Self, Error> {
        let mut thread = Self {
            client,
            repository: event.repository.clone(),
            issue: event.issue,
            event: event.key(),
            us,
            said: Vec::new(),
        };
        thread.said = thread.read().await?;
        Ok(thread)
    }

    async fn read(&self) -> Result<Vec<Mark>, Error> {
        let comments = self.client.list_comments(&self.repository, self.issue).await?;
        let marks = comments
            .iter()
            .filter(|comment| self.is_ours(comment))
            .filter_map(|comment| Mark::read(&comment.body))
            .filter(|mark| mark.event == self.event);
        Ok(marks.collect())
    }

    fn is_ours(&self, comment: &Comment) -> bool {
        match (&comment.author, &self.us) {
            (Some(author), Some(us)) => author == us,
            (Some(author), None) => author.is_program(),
            (None, _) => false,
        }
    }

    /// Returns the last mark of a step, if we came that far.
    pub fn find(&self, step: Step) -> Option<&Mark> {
        self.said.iter().rev().find(|mark| mark.step == step)
    }

    /// Returns the last line of the job's log that was shown.
    pub fn shown(&self) -> Option<i64> {
        self.said.iter().filter_map(|mark| mark.seq).max()
    }

    /// Returns a mark for this event.
    pub fn mark(&self, step: Step) -> Mark {
        Mark::new(&self.event, step)
    }

    /// Writes a comment, unless it stands there already.
    ///
    /// # Errors
    /// When GitHub does not take it.
    pub async fn say(&mut self, mark: Mark, text: &str) -> Result<(), Error> {
        if self.said.contains(&mark) {
            return Ok(());
        }
        let text: String = text.chars().take(MAX_CHARS).collect();
        let body = format!("{text}\n\n{mark}");
        let mut pauses = self.client.retry_pauses().to_vec().into_iter();
        loop {
            let error = match self
                .client
                .create_comment(&self.repository, self.issue, &body)
                .await
            {
                Ok(_) => break,
                Err(error) => error,
            };
            let may_have_arrived = error.is_temporary() && error.retry_at().is_none();
            match pauses.next() {
                Some(pause) if may_have_arrived => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
            // It may stand there although GitHub did not say so.
            self.said = self.read().await?;
            if self.said.contains(&mark) {
                return Ok(());
            }
        }
        self.said.push(mark);
        Ok(())
    }

    /// Closes the issue as done.
    ///
    /// # Errors
    /// When GitHub does not let us.
    pub async fn close(&self) -> Result<(), Error> {
        self.client.close_issue(&self.repository, self.issue).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_out_of_a_comment() {
        let mark = Mark::new("comment-12", Step::Log).of_job("0198a5c6", Some(17));
        let body = format!("Some text <!-- docket: nonsense -->\n\n{mark}");
        assert_eq!(Mark::read(&body), Some(mark));
        assert!(Mark::is_in(&body));
        assert_eq!(Mark::read("<!-- docket:{} -->"), None);
        assert_eq!(Mark::read("Job started"), None);
    }

    #[test]
    fn nothing_ends_a_mark_early() {
        let mark = Mark::new("comment-12", Step::Started).of_job("--> <script>", None);
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
    }
}
