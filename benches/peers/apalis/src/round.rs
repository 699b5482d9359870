//! A round: how many jobs are left, its clock and CPU time, and what is said to whoever reads our figures.

use std::{
    sync::Arc,
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use serde_json::json;
use tokio::sync::mpsc;

/// How many jobs have yet to run; says when the last one begins.
#[derive(Clone)]
pub struct Progress {
    pub left: Arc<AtomicI64>,
    ended: mpsc::UnboundedSender<Instant>,
}

/// For so many jobs, with where it says when the last one begins.
pub fn progress(jobs: i64) -> (Progress, mpsc::UnboundedReceiver<Instant>) {
    let (ended, end) = mpsc::unbounded_channel();
    let left = Arc::new(AtomicI64::new(jobs));
    (Progress { left, ended }, end)
}

impl Progress {
    /// One job begins.
    pub fn ran(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Nobody waits any more where the time was up.
            let _ = self.ended.send(Instant::now());
        }
    }
}

/// Waits until whoever reads our figures has measured the server's CPU time.
fn told() -> anyhow::Result<()> {
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// CPU time of this process so far, in microseconds.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has it");
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in parentheses");
    let ticks = fields.split(' ').skip(11).take(2);
    // 100 ticks per second, as in benches/harness/cpu.rs.
    ticks
        .map(|ticks| ticks.parse::<f64>().expect("it is a number") * 10_000.0)
        .sum()
}

/// The clock and the CPU time at the beginning of a round.
pub struct Begun(Instant, f64);

impl Begun {
    /// Says that a round begins, and waits until the server was looked at.
    pub fn now() -> anyhow::Result<Self> {
        println!("{}", json!({"begin": true}));
        told()?;
        Ok(Self(Instant::now(), cpu_us()))
    }

    /// Prints the figure of a round that ended with the clock at `end`, and its CPU time so far.
    pub fn print(
        &self,
        database: &str,
        figure: &str,
        setting: &str,
        jobs: i64,
        end: Instant,
    ) -> anyhow::Result<()> {
        let rate = jobs as f64 / (end - self.0).as_secs_f64();
        let cpu = (cpu_us() - self.1) / jobs.max(1) as f64;
        println!(
            "{}",
            json!({"system": "apalis", "database": database, "figure": figure, "setting": setting, "jobs": jobs, "rate": rate, "own_cpu_us": cpu})
        );
        told()
    }
}
