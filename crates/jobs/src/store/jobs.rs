//! Finding jobs.

use docket_core::{name::PackageName, time::Timestamp};
use docket_db::{Error, Tx, on};
use sqlx::AssertSqlSafe;

use crate::{Job, JobId, JobState};

/// The order of a list of jobs, by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// Which jobs to list: unless told otherwise the oldest 100 that have not ended.
#[derive(Debug, Clone)]
pub struct JobFilter {
    /// Created at this time or later.
    pub since: Timestamp,
    /// Created before this time.
    pub until: Timestamp,
    /// Also those that have ended.
    pub include_finished: bool,
    /// Only jobs in this state; then [`JobFilter::include_finished`] says nothing.
    pub state: Option<JobState>,
    /// Only jobs of these kinds; empty means all.
    pub kinds: Vec<&'static str>,
    /// Only jobs about this package.
    pub package: Option<PackageName>,
    /// Only jobs that this one asked for.
    pub parent: Option<JobId>,
    /// Only jobs that somebody of this name asked for (see [`Actor::name`](crate::Actor::name)).
    pub who: Option<String>,
    /// Only jobs that ended with this code of `docs/problems.md`.
    pub error_code: Option<String>,
    /// Only what comes behind this job in the order: a list that goes on repeats and skips nothing, whatever is added.
    pub after: Option<JobId>,
    /// By creation.
    pub order: Order,
    /// How many at most.
    pub limit: i64,
}

impl Default for JobFilter {
    fn default() -> Self {
        Self {
            since: Timestamp::from_millis(0),
            until: Timestamp::MAX,
            include_finished: false,
            state: None,
            kinds: Vec::new(),
            package: None,
            parent: None,
            who: None,
            error_code: None,
            after: None,
            order: Order::Ascending,
            limit: 100,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct JobRow {
    id: String,
    kind: String,
    state: String,
    payload: String,
    package_name: Option<String>,
    package_version: Option<String>,
    compiler: Option<String>,
    actor: Option<String>,
    parent_id: Option<String>,
    attempt: i64,
    resets: i64,
    retries: i64,
    run_after: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    error_code: Option<String>,
    error_detail: Option<String>,
    log_seq: i64,
    log_at: i64,
    priority: i64,
    lease_by: Option<String>,
    cancel_by: Option<String>,
}

impl JobRow {
    pub(super) fn into_job(self) -> Result<Job, Error> {
        let actor = self.actor.as_deref().map(serde_json::from_str).transpose();
        let parent = self.parent_id.as_deref().map(str::parse).transpose();
        Ok(Job {
            actor: actor.map_err(Error::corrupt("job", "actor", &self.id))?,
            parent: parent.map_err(Error::corrupt("job", "parent_id", &self.id))?,
            id: self.id.parse().map_err(Error::corrupt("job", "id", &self.id))?,
            state: self
                .state
                .parse()
                .map_err(Error::corrupt("job", "state", &self.id))?,
            kind: self.kind,
            payload: self.payload,
            package_name: self.package_name,
            package_version: self.package_version,
            compiler: self.compiler,
            attempt: self.attempt,
            resets: self.resets,
            retries: self.retries,
            run_after: Timestamp::from_millis(self.run_after),
            created_at: Timestamp::from_millis(self.created_at),
            started_at: self.started_at.map(Timestamp::from_millis),
            finished_at: self.finished_at.map(Timestamp::from_millis),
            error_code: self.error_code,
            error_detail: self.error_detail,
            log_seq: self.log_seq,
            log_at: Timestamp::from_millis(self.log_at),
            priority: self.priority,
            lease_by: self.lease_by,
            cancel_by: self.cancel_by,
        })
    }
}

/// The columns of [`JobRow`], for the queries that read whole jobs.
macro_rules! job_columns {
    () => {
        "id, kind, state, payload, package_name, package_version, compiler, actor, parent_id, attempt, resets, retries, run_after, created_at, \
         started_at, finished_at, error_code, error_detail, log_seq, log_at, priority, lease_by, cancel_by"
    };
}
pub(super) use job_columns;

/// Returns one job.
pub(crate) async fn find(tx: &mut Tx, id: JobId) -> Result<Option<Job>, Error> {
    const SQL: &str = concat!("SELECT ", job_columns!(), " FROM job WHERE id = $1");
    let row: Option<JobRow> = on!(tx, conn => sqlx::query_as(SQL).bind(id.to_string()).fetch_optional(conn))?;
    row.map(JobRow::into_job).transpose()
}

/// Returns the newest job of this operation that is not `other_than`.
pub(crate) async fn find_earlier(
    tx: &mut Tx,
    dedup_key: &str,
    other_than: JobId,
) -> Result<Option<Job>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM job WHERE dedup_key = $1 AND id <> $2 AND state IN ('queued', 'running')
         UNION ALL
         SELECT ",
        job_columns!(),
        " FROM job WHERE dedup_key = $1 AND id <> $2 AND state IN ('succeeded', 'failed', 'cancelled')
         ORDER BY id DESC LIMIT 1"
    );
    let row: Option<JobRow> = on!(tx, conn => sqlx::query_as(SQL)
        .bind(dedup_key)
        .bind(other_than.to_string())
        .fetch_optional(conn))?;
    row.map(JobRow::into_job).transpose()
}

/// Returns the jobs that pass `filter`.
///
/// Only the conditions that are asked for stand in the text: each but the kind has an index (0006), which an `OR` would hide from
/// SQLite.
pub(crate) async fn list(tx: &mut Tx, filter: &JobFilter) -> Result<Vec<Job>, Error> {
    const ALL: &str = concat!("SELECT ", job_columns!(), " FROM job WHERE id > $1 AND id < $2");
    // Both texts are those of the index on the name: one has JSON in text columns, the other a type for it.
    let who = if tx.is_postgres() {
        " AND actor IS NOT NULL AND (actor::jsonb ->> 'name') = $8"
    } else {
        " AND actor IS NOT NULL AND (actor ->> 'name') = $8"
    };
    let conditions = [
        of_state(filter),
        if filter.kinds.is_empty() {
            ""
        } else {
            " AND ',' || $5 || ',' LIKE '%,' || kind || ',%'"
        },
        filter.package.as_ref().map_or("", |_| " AND package_name = $6"),
        filter.parent.map_or("", |_| " AND parent_id = $7"),
        filter.who.as_ref().map_or("", |_| who),
        filter.error_code.as_ref().map_or(
            "",
            |_| " AND state IN ('failed', 'cancelled') AND error_code = $9",
        ),
        match filter.order {
            Order::Ascending => " ORDER BY id",
            Order::Descending => " ORDER BY id DESC",
        },
        " LIMIT $3",
    ];
    let sql = [ALL, &conditions.concat()].concat();
    let (behind, before) = bounds(filter);
    let rows: Vec<JobRow> = on!(tx, conn => sqlx::query_as(AssertSqlSafe(sql))
        .bind(behind.to_string())
        .bind(before.to_string())
        .bind(filter.limit)
        .bind(filter.state.map(JobState::as_str))
        .bind(filter.kinds.join(","))
        .bind(filter.package.as_ref().map(PackageName::as_str))
        .bind(filter.parent.map(|parent| parent.to_string()))
        .bind(filter.who.as_deref())
        .bind(filter.error_code.as_deref())
        .fetch_all(conn))?;
    rows.into_iter().map(JobRow::into_job).collect()
}

/// The condition on the state, in the words of the partial index that serves it.
fn of_state(filter: &JobFilter) -> &'static str {
    match filter.state {
        None if filter.include_finished => "",
        None => " AND state IN ('queued', 'running')",
        Some(JobState::Queued | JobState::Running) => " AND state IN ('queued', 'running') AND state = $4",
        Some(JobState::Failed | JobState::Cancelled) => {
            " AND state IN ('failed', 'cancelled') AND state = $4"
        }
        Some(JobState::Succeeded) => " AND state = $4",
    }
}

/// Between which ids the jobs are: ids sort by creation.
fn bounds(filter: &JobFilter) -> (JobId, JobId) {
    let (behind, before) = (JobId::before(filter.since), JobId::before(filter.until));
    match (filter.after, filter.order) {
        (None, _) => (behind, before),
        (Some(last), Order::Ascending) => (behind.max(last), before),
        (Some(last), Order::Descending) => (behind, before.min(last)),
    }
}

/// Counts the jobs of `kind` about `package` that have not ended.
pub(crate) async fn count_active_of(tx: &mut Tx, kind: &str, package: &PackageName) -> Result<i64, Error> {
    const SQL: &str =
        "SELECT count(*) FROM job WHERE package_name = $1 AND kind = $2 AND state IN ('queued', 'running')";
    on!(tx, conn => sqlx::query_scalar(SQL).bind(package.as_str()).bind(kind).fetch_one(conn))
}

/// Counts the jobs that have not ended, by kind and state.
pub(crate) async fn count_active(tx: &mut Tx) -> Result<Vec<(String, JobState, i64)>, Error> {
    const SQL: &str = "
        SELECT kind, state, count(*)
        FROM job
        WHERE state IN ('queued', 'running')
        GROUP BY kind, state
        ORDER BY kind, state";
    let rows: Vec<(String, String, i64)> = on!(tx, conn => sqlx::query_as(SQL).fetch_all(conn))?;
    rows.into_iter()
        .map(|(kind, state, count)| {
            let state = state.parse().map_err(Error::corrupt("job", "state", &kind))?;
            Ok((kind, state, count))
        })
        .collect()
}
