//! What the database itself allows: loops that insert a hundred one-line rows per transaction into a plain table, with our driver and our settings.

use docket_db::{Tx, execute, sqlx};
use docket_jobs::Jobs;

use crate::{jobs::database, message, rate::Pace};

const ROWS: usize = 40_000;
const AT_ONCE: usize = 100;

/// How the rows of one transaction are inserted.
#[derive(Clone, Copy)]
enum Form {
    /// Each by a statement of its own.
    OneByOne,
    /// All by one statement.
    Together,
}

/// Rows inserted in a second, by one loop and by eight at once.
pub(crate) async fn measure(jobs: &Jobs) -> anyhow::Result<()> {
    for loops in [1, 8] {
        for form in [Form::OneByOne, Form::Together] {
            create(jobs).await?;
            let pace = Pace::start();
            let mut running = tokio::task::JoinSet::new();
            for number in 0..loops {
                let jobs = jobs.clone();
                running.spawn(async move { insert(&jobs, number, ROWS / loops, form).await });
            }
            while let Some(end) = running.join_next().await {
                end??;
            }
            let rate = pace.stop(ROWS);
            let statements = match form {
                Form::OneByOne => "a statement for each row",
                Form::Together => "one statement for all",
            };
            let setting = format!(
                "{loops} {}, {statements}",
                if loops == 1 { "loop" } else { "loops" }
            );
            rate.print("raw loop", database(jobs), "append", &setting, "rows");
        }
    }
    Ok(())
}

async fn create(jobs: &Jobs) -> anyhow::Result<()> {
    const SQLITE: &str = "
        CREATE TABLE raw_log (id INTEGER PRIMARY KEY, job TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, level INTEGER NOT NULL, message TEXT NOT NULL)";
    const POSTGRES: &str = "
        CREATE TABLE raw_log (id BIGSERIAL PRIMARY KEY, job TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, level BIGINT NOT NULL, message TEXT NOT NULL)";
    let mut tx = jobs.db().write().await?;
    execute!(&mut tx, sqlx::query("DROP TABLE IF EXISTS raw_log"))?;
    let table = if tx.is_postgres() { POSTGRES } else { SQLITE };
    execute!(&mut tx, sqlx::query(table))?;
    Ok(tx.commit().await?)
}

/// One loop: inserts `rows` rows of one job.
async fn insert(jobs: &Jobs, job: usize, rows: usize, form: Form) -> anyhow::Result<()> {
    let job = format!("0190b5a0-0000-7000-8000-{job:012}");
    for from in (0..rows).step_by(AT_ONCE) {
        let now = jobs.clock().now().millis();
        let lines: Vec<(i64, String)> = (from..from + AT_ONCE)
            .map(|number| (number as i64, message(number)))
            .collect();
        let mut tx = jobs.db().write().await?;
        match form {
            Form::OneByOne => one_by_one(&mut tx, &job, now, &lines).await?,
            Form::Together => together(&mut tx, &job, now, &lines).await?,
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn one_by_one(tx: &mut Tx, job: &str, now: i64, lines: &[(i64, String)]) -> anyhow::Result<()> {
    const SQL: &str = "INSERT INTO raw_log (job, seq, at, level, message) VALUES ($1, $2, $3, 10, $4)";
    for (seq, message) in lines {
        execute!(
            &mut *tx,
            sqlx::query(SQL).bind(job).bind(*seq).bind(now).bind(message)
        )?;
    }
    Ok(())
}

async fn together(tx: &mut Tx, job: &str, now: i64, lines: &[(i64, String)]) -> anyhow::Result<()> {
    // What is quickest differs: arrays, and a row of values for each line.
    if let Tx::Postgres(tx) = tx {
        const SQL: &str = "
            INSERT INTO raw_log (job, seq, at, level, message)
            SELECT $1, seq, $2, 10, message FROM unnest($3::bigint[], $4::text[]) AS line (seq, message)";
        let (seqs, messages): (Vec<i64>, Vec<&str>) = lines
            .iter()
            .map(|(seq, message)| (*seq, message.as_str()))
            .unzip();
        sqlx::query(SQL)
            .bind(job)
            .bind(now)
            .bind(seqs)
            .bind(messages)
            .execute(&mut **tx)
            .await?;
        return Ok(());
    }
    let values: Vec<String> = (0..lines.len())
        .map(|row| format!("($1, ${}, $2, 10, ${})", 2 * row + 3, 2 * row + 4))
        .collect();
    let sql = format!(
        "INSERT INTO raw_log (job, seq, at, level, message) VALUES {}",
        values.join(", ")
    );
    execute!(&mut *tx, {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(job).bind(now);
        for (seq, message) in lines {
            query = query.bind(*seq).bind(message);
        }
        query
    })?;
    Ok(())
}
