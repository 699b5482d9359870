//! How far each repository was pushed.

use docket_core::time::Timestamp;
use docket_db::{Error, Tx, execute, on};

use super::changes::{self, Repository};

/// A commit and the change it holds; nothing yet by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// The commit; empty before the first.
    pub commit_id: String,
    /// The `seq` of the change; 0 before the first.
    pub change_seq: i64,
}

/// What is known of a remote; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushState {
    /// What it has from us.
    pub reached: Reached,
    /// What the last push tried to bring there: whether it arrived is seen at the next push.
    pub pending: Option<Reached>,
    /// When something was last pushed.
    pub pushed_at: Option<Timestamp>,
    /// Commits there that are not ours.
    pub foreign_commits: i64,
    /// Tags there that lead to another commit than ours; they are left alone.
    pub foreign_tags: Vec<String>,
    /// Why the last push failed, and since when pushes fail.
    pub problem: Option<(String, Timestamp)>,
}

#[derive(sqlx::FromRow)]
struct PushRow {
    commit_id: String,
    change_seq: i64,
    pending_commit: Option<String>,
    pending_seq: Option<i64>,
    pushed_at: Option<i64>,
    foreign_commits: i64,
    foreign_tags: Option<String>,
    problem: Option<String>,
    problem_since: Option<i64>,
}

/// Returns what is known of the remote of `repository`; `None` before the first push.
pub async fn find(tx: &mut Tx, repository: Repository) -> Result<Option<PushState>, Error> {
    const SQL: &str = "
        SELECT commit_id, change_seq, pending_commit, pending_seq, pushed_at, foreign_commits, foreign_tags,
               problem, problem_since
        FROM push_state
        WHERE repository = $1";
    let row: Option<PushRow> =
        on!(tx, conn => sqlx::query_as(SQL).bind(repository.as_str()).fetch_optional(conn))?;
    Ok(row.map(|row| PushState {
        reached: Reached {
            commit_id: row.commit_id,
            change_seq: row.change_seq,
        },
        pending: row
            .pending_commit
            .zip(row.pending_seq)
            .map(|(commit_id, change_seq)| Reached {
                commit_id,
                change_seq,
            }),
        pushed_at: row.pushed_at.map(Timestamp::from_millis),
        foreign_commits: row.foreign_commits,
        foreign_tags: row
            .foreign_tags
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        problem: row.problem.zip(row.problem_since.map(Timestamp::from_millis)),
    }))
}

/// Writes what is known of the remote of `repository`.
pub async fn put(tx: &mut Tx, repository: Repository, state: &PushState) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO push_state (repository, commit_id, change_seq, pending_commit, pending_seq, pushed_at, foreign_commits,
                                foreign_tags, problem, problem_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (repository) DO UPDATE
        SET commit_id = excluded.commit_id, change_seq = excluded.change_seq, pending_commit = excluded.pending_commit,
            pending_seq = excluded.pending_seq, pushed_at = excluded.pushed_at, foreign_commits = excluded.foreign_commits,
            foreign_tags = excluded.foreign_tags, problem = excluded.problem, problem_since = excluded.problem_since";
    let pending = state.pending.as_ref();
    let problem = state.problem.as_ref();
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(repository.as_str())
            .bind(&state.reached.commit_id)
            .bind(state.reached.change_seq)
            .bind(pending.map(|pending| pending.commit_id.as_str()))
            .bind(pending.map(|pending| pending.change_seq))
            .bind(state.pushed_at.map(Timestamp::millis))
            .bind(state.foreign_commits)
            .bind((!state.foreign_tags.is_empty()).then(|| state.foreign_tags.join(" ")))
            .bind(problem.map(|(text, _)| text.as_str()))
            .bind(problem.map(|(_, since)| since.millis()))
    )?;
    Ok(())
}

/// Returns what is known of each remote that something was pushed to, and how many changes it lacks.
pub async fn list(tx: &mut Tx) -> Result<Vec<(Repository, PushState, i64)>, Error> {
    let mut states = Vec::new();
    for repository in Repository::ALL {
        if let Some(state) = find(&mut *tx, repository).await? {
            let behind = changes::count_after(&mut *tx, repository, state.reached.change_seq).await?;
            states.push((repository, state, behind));
        }
    }
    Ok(states)
}
