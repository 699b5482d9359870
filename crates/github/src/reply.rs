//! What we say below an issue, in Markdown. Scripts look for some of these words (registry spec, Appendix B).

use docket_client::LogLine;

use crate::issue::fenced;

/// GitHub takes 65,536 characters in a comment.
const MAX_LOG_CHARS: usize = 50_000;

/// There is a job, and `what` is what it does: `publish effect@4.0.0`.
pub fn started(what: &str, job: &str, page: &str) -> String {
    format!(
        "Job started: `{job}`\nLogs: {page}\n\nIt will {what}. Its milestones are shown here as it goes on."
    )
}

/// The job of an earlier request answers this one.
pub fn duplicate(what: &str, job: &str, page: &str) -> String {
    format!(
        "Duplicate job: `{job}`\nLogs: {page}\n\nAn earlier request to {what} has the same job; see there how it goes."
    )
}

/// Lines of a log, each with its level, and below them what else there is to say. Nothing in them can leave their fence.
pub fn log(lines: &[LogLine], then: &str, page: &str) -> String {
    let mut text = String::new();
    let mut left_out = 0_usize;
    for line in lines {
        let line = format!("[{}] {}\n", line.level, line.message.trim_end());
        if text.chars().count() + line.chars().count() > MAX_LOG_CHARS {
            left_out += 1;
        } else {
            text.push_str(&line);
        }
    }
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(fenced(&text));
    }
    if left_out > 0 {
        parts.push(format!(
            "Too long for a comment: {left_out} more in the full log, {page}"
        ));
    }
    if !then.is_empty() {
        parts.push(then.to_owned());
    }
    parts.join("\n\n")
}

/// The job has ended.
pub fn ended(success: bool, page: &str) -> String {
    if success {
        "✅ Job completed successfully".to_owned()
    } else {
        format!(
            "❌ Job failed\nLogs: {page}\n\nThe log says why. When that is mended, ask again in a new comment."
        )
    }
}

/// We stop watching; the job goes on.
pub fn timed_out(minutes: u64, page: &str) -> String {
    format!("⏱️ Job timed out: it has not ended within {minutes} minutes. It goes on; see {page}")
}

/// The registry took nothing.
pub fn trouble(what: &str, reason: &str) -> String {
    format!(
        "❌ The registry did not take the request to {what}:\n\n{}",
        fenced(reason)
    )
}

/// Only a trustee may ask for this, and the author is none, or nobody can say.
pub fn not_trusted(what: &str, login: &str, known: bool) -> String {
    let why = if known {
        format!("{login} is not one of this registry's trustees")
    } else {
        format!("whether {login} is one of this registry's trustees could not be found out just now")
    };
    format!(
        "❌ Nothing was done: to {what} without a signature is for trustees, and {why}.\n\nAn owner of the package can sign the \
         request: `docket unpublish` and `docket transfer` do that with `--key FILE`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(seq: i64, message: &str) -> LogLine {
        LogLine {
            seq,
            timestamp: "2026-08-18T07:02:11.004Z".parse().unwrap(),
            level: docket_client::Level::Notice,
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_log_keeps_to_its_fence_and_to_the_size_of_a_comment() {
        let lines = [
            notice(1, "the plan:\n```json\n{}\n```"),
            notice(2, "@everyone done\n"),
        ];
        assert_eq!(
            log(&lines, "Over.", "PAGE"),
            "````\n[NOTICE] the plan:\n```json\n{}\n```\n[NOTICE] @everyone done\n````\n\nOver."
        );
        let long = "x".repeat(30_000);
        let text = log(
            &[notice(1, &long), notice(2, &long), notice(3, &long)],
            "",
            "PAGE",
        );
        assert!(text.chars().count() < 60_000);
        assert!(
            text.ends_with("2 more in the full log, PAGE"),
            "{}",
            &text[text.len() - 80..]
        );
        assert_eq!(log(&[], "Over.", "PAGE"), "Over.");
    }

    #[test]
    fn the_words_that_scripts_look_for_are_there() {
        assert!(started("publish a@1.0.0", "ID", "PAGE").starts_with("Job started: `ID`\nLogs: PAGE\n"));
        assert!(duplicate("publish a@1.0.0", "ID", "PAGE").starts_with("Duplicate job: `ID`\nLogs: PAGE\n"));
        assert!(ended(true, "PAGE").contains("Job completed successfully"));
        assert!(ended(false, "PAGE").contains("Job failed"));
        assert!(timed_out(30, "PAGE").starts_with("⏱️ Job timed out"));
        assert!(trouble("publish a@1.0.0", "no").starts_with("❌ "));
    }
}
