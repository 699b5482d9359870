//! What tests ask of a registry over HTTP, and what they read of a job's log.

use serde_json::{Value, json};

use crate::harness::{Registry, wait_for};
use crate::http::{Answer, get, get_json, post_publish};

/// Asks to publish `name` 1.0.0 at `git_ref` of `lab/REPO`.
pub(crate) fn ask(registry: &Registry, name: &str, repo: &str, git_ref: &str) -> Answer {
    let body = json!({
        "compiler": "0.15.15",
        "location": { "githubOwner": "lab", "githubRepo": repo },
        "name": name,
        "ref": git_ref,
        "version": "1.0.0",
    });
    post_publish(registry, &body.to_string())
}

/// Asks to publish `demo` 1.0.0 at `git_ref` of `lab/REPO`, and returns the job.
pub(crate) fn publish(registry: &Registry, repo: &str, git_ref: &str) -> String {
    accepted(&ask(registry, "demo", repo, git_ref))
}

/// Asks for a package whose repository does not exist.
pub(crate) fn ask_in_vain(registry: &Registry, number: usize) -> Answer {
    ask(registry, &format!("none-{number}"), "purescript-none", "v1.0.0")
}

/// The same, again and again while the server asks to be asked later; returns the job.
pub(crate) fn publish_in_vain(registry: &Registry, number: usize) -> String {
    let answer = wait_for("an accepted job", || {
        let answer = ask_in_vain(registry, number);
        (answer.status != 503).then_some(answer)
    });
    accepted(&answer)
}

/// The job of an accepted request.
pub(crate) fn accepted(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

/// What a line says.
pub(crate) fn message(line: &Value) -> String {
    line["message"].as_str().unwrap().to_owned()
}

/// Waits until the running job has said `text`.
pub(crate) fn wait_for_line(registry: &Registry, id: &str, text: &str) {
    wait_for(text, || {
        let page = get_json(&registry.url(&format!("/api/v1/jobs/{id}/logs?level=DEBUG&limit=1000")));
        let lines = page["lines"].as_array().unwrap();
        lines
            .iter()
            .any(|line| message(line).contains(text))
            .then_some(())
    });
}

/// Waits for the end of a job; while the database is away, for an answer too.
pub(crate) fn wait_for_end(registry: &Registry, id: &str) -> Value {
    wait_for(&format!("the end of job {id}"), || find_ended(registry, id))
}

/// Returns a job if the server answers and it has ended.
pub(crate) fn find_ended(registry: &Registry, id: &str) -> Option<Value> {
    let answer = get(&registry.url(&format!("/api/v1/jobs/{id}?level=DEBUG")));
    let job = (answer.status == 200).then(|| answer.json())?;
    job.get("finishedAt").is_some().then_some(job)
}

/// Asserts that no line is missing.
pub(crate) fn assert_dense(log: &[Value]) {
    let seqs = log.iter().map(|line| line["seq"].as_u64().unwrap());
    assert!(seqs.eq(1..=log.len() as u64), "the log is dense: {log:#?}");
}
