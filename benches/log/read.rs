//! What the last hundred lines of a log cost in a table of ten million lines and in one of ten thousand.
//!
//! The tables are filled by SQL, not through the writer. Both are there at once and are read in turns, so what disturbs one disturbs the other.

use std::time::Instant;

use anyhow::ensure;
use docket_db::{Db, execute, sqlx};
use docket_jobs::{JobId, Jobs, Level, LineFilter, Order};
use serde_json::json;

use crate::{
    choice::open,
    figure,
    jobs::{clear, database, new_job},
};

/// What is read.
const LINES: usize = 100;

/// How often.
const READS: usize = 1_000;

/// Reads before these, which bring the pages that are read into memory.
const WARM_UP: usize = 200;

/// How many lines of how many jobs a table holds, and in rows of how many lines.
#[derive(Clone, Copy)]
struct Table {
    jobs: usize,
    rows_per_job: usize,
    lines_per_row: usize,
}

impl Table {
    fn lines_per_job(self) -> usize {
        self.rows_per_job * self.lines_per_row
    }
}

/// A short table and a long one. The writer stores what has gathered in one row; one line in each row, all of them of one job, is the worst there could be.
const PAIRS: [(&str, [Table; 2]); 2] = [
    (
        "100 lines in a row, 10,000 lines of each job",
        [
            Table {
                jobs: 1,
                rows_per_job: 100,
                lines_per_row: LINES,
            },
            Table {
                jobs: 1_000,
                rows_per_job: 100,
                lines_per_row: LINES,
            },
        ],
    ),
    (
        "1 line in a row, all of one job",
        [
            Table {
                jobs: 1,
                rows_per_job: 10_000,
                lines_per_row: 1,
            },
            Table {
                jobs: 1,
                rows_per_job: 10_000_000,
                lines_per_row: 1,
            },
        ],
    ),
];

pub(crate) async fn measure(url: &str) -> anyhow::Result<()> {
    let short = open(&place(url, "short").await?).await?;
    let long = open(&place(url, "long").await?).await?;
    for (setting, [few, many]) in PAIRS {
        let few_ids = fill(&short, few).await?;
        let many_ids = fill(&long, many).await?;
        for (order, name) in [
            (Order::Ascending, "after a seq"),
            (Order::Descending, "newest first"),
        ] {
            let mut times = [Vec::new(), Vec::new()];
            for read in 0..WARM_UP + READS {
                let pairs = [(&short, few, &few_ids), (&long, many, &many_ids)];
                for ((jobs, table, ids), times) in pairs.into_iter().zip(&mut times) {
                    // Another job each time, all over the table.
                    let id = ids[read * 7919 % ids.len()];
                    let time = read_end(jobs, id, table.lines_per_job(), order).await?;
                    if read >= WARM_UP {
                        times.push(time);
                    }
                }
            }
            times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
            let [few_ms, many_ms] = times.each_ref().map(|times| figure::quantile(times, 0.5));
            let p99 = figure::quantile(&times[1], 0.99);
            figure::print(
                "docket",
                database(&long),
                "read",
                &format!(
                    "{LINES} lines, {setting}, {name}: p50 {few_ms:.3} ms of 10,000 lines, {many_ms:.3} ms of 10,000,000 (p99 {p99:.2})"
                ),
                json!({ "setting": format!("{setting}; {name}"), "short_ms": few_ms, "long_ms": many_ms, "long_p99_ms": p99 }),
            );
        }
        clear(&short).await?;
        clear(&long).await?;
    }
    for jobs in [short, long] {
        jobs.db().close().await;
    }
    Ok(())
}

/// The URL of a table of its own beside the database `url`: another file, or another schema.
async fn place(url: &str, name: &str) -> anyhow::Result<String> {
    if let Some(file) = url.strip_suffix("bench.db") {
        return Ok(format!("{file}{name}.db"));
    }
    let db = Db::connect(url).await?;
    let mut tx = db.write().await?;
    execute!(
        &mut tx,
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {name}")))
    )?;
    tx.commit().await?;
    db.close().await;
    Ok(format!("{url}?options[search_path]={name}"))
}

/// Reads the last lines of a log in milliseconds.
async fn read_end(jobs: &Jobs, id: JobId, lines: usize, order: Order) -> anyhow::Result<f64> {
    let after = if order == Order::Ascending {
        lines - LINES
    } else {
        0
    };
    let filter = LineFilter {
        order,
        ..LineFilter::after(after as i64, Level::Debug, LINES)
    };
    let start = Instant::now();
    let read = jobs.lines(id, &filter).await?;
    let elapsed = start.elapsed();
    ensure!(
        read.len() == LINES && read.iter().any(|line| line.seq == lines as i64),
        "these are not the last {LINES} of {lines} lines"
    );
    Ok(elapsed.as_secs_f64() * 1e3)
}

/// Fills `job_log` and returns the jobs.
async fn fill(jobs: &Jobs, table: Table) -> anyhow::Result<Vec<JobId>> {
    const SQLITE: &str = "
        WITH RECURSIVE
            row (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n < $2 - 1),
            line (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM line WHERE n < $1)
        INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines)
        SELECT job.id, row.n * $1 + 1, (row.n + 1) * $1, row.n * $1 + 1, (row.n + 1) * $1, 10,
            (SELECT json_group_array(json_array(row.n * $1 + line.n, 10, 'Compiling ' || (row.n * $1 + line.n) || ' ' || lower(hex(randomblob(16))))) FROM line)
        FROM job CROSS JOIN row";
    const POSTGRES: &str = "
        INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines)
        SELECT job.id, row.n * $1::BIGINT + 1, (row.n + 1) * $1::BIGINT, row.n * $1::BIGINT + 1, (row.n + 1) * $1::BIGINT, 10,
            (SELECT json_agg(json_build_array(line.n, 10, 'Compiling ' || line.n || ' ' || md5(job.id || line.n)))::TEXT
             FROM generate_series(row.n * $1::BIGINT + 1, (row.n + 1) * $1::BIGINT) AS line (n))
        FROM job, generate_series(0, $2::BIGINT - 1) AS row (n)";
    let mut tx = jobs.db().write().await?;
    let mut ids = Vec::new();
    for number in 0..table.jobs {
        ids.push(jobs.enqueue(&mut tx, &new_job(number, number, 0)).await?.job);
    }
    if tx.is_postgres() {
        // Every job is there: looking each of them up ten million times would only take time.
        execute!(
            &mut tx,
            sqlx::query("SET LOCAL session_replication_role = replica")
        )?;
    }
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    let (lines_per_row, rows) = (table.lines_per_row as i64, table.rows_per_job as i64);
    execute!(&mut tx, sqlx::query(sql).bind(lines_per_row).bind(rows))?;
    let lines = table.lines_per_job() as i64;
    execute!(
        &mut tx,
        sqlx::query("UPDATE job SET log_seq = $1, log_at = $1").bind(lines)
    )?;
    tx.commit().await?;
    if let Db::Postgres(pool) = jobs.db() {
        // As PostgreSQL does by itself within minutes.
        sqlx::query("VACUUM ANALYZE job_log").execute(pool).await?;
    }
    Ok(ids)
}
