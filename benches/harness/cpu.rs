//! CPU time of a process and of the database server, which a noisy machine disturbs less than rates.

use std::{fs, time::Duration};

/// Kernel ticks per second; 100 on every Linux that we know.
const TICKS_PER_SEC: f64 = 100.0;

/// CPU time so far, or between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    process: u32,
    /// Of the process.
    pub(crate) own: Duration,
    /// Of the server and all its children, ended ones included; zero without a server.
    pub(crate) server: Duration,
}

impl Cpu {
    /// CPU time so far of the process with this id.
    pub(crate) fn of(process: u32) -> Self {
        let server = server_pid().map_or(Duration::ZERO, |postmaster| {
            let children = fs::read_dir("/proc").into_iter().flatten().flatten();
            let children = children.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?));
            children
                .filter(|stat| stat.pid == postmaster || stat.parent == postmaster)
                .map(|stat| {
                    stat.used
                        + if stat.pid == postmaster {
                            stat.ended_children
                        } else {
                            Duration::ZERO
                        }
                })
                .sum()
        });
        let own = stat(process).map_or(Duration::ZERO, |stat| stat.used);
        Self { process, own, server }
    }

    /// CPU time since this moment.
    pub(crate) fn elapsed(self) -> Self {
        let now = Self::of(self.process);
        Self {
            process: self.process,
            own: now.own.saturating_sub(self.own),
            server: now.server.saturating_sub(self.server),
        }
    }

    /// Microseconds for each of `count` things: of the process, and of the server.
    pub(crate) fn micros_each(self, count: usize) -> [f64; 2] {
        [self.own, self.server].map(|time| time.as_secs_f64() * 1e6 / count as f64)
    }
}

struct Stat {
    pid: u32,
    parent: u32,
    used: Duration,
    ended_children: Duration,
}

fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (pid, rest) = text.split_once(" (")?;
    // The name in parentheses may hold anything.
    let (_, fields) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    let seconds = |ticks: f64| Duration::from_secs_f64(ticks / TICKS_PER_SEC);
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        used: seconds(ticks(11)? + ticks(12)?),
        ended_children: seconds(ticks(13)? + ticks(14)?),
    })
}

fn server_pid() -> Option<u32> {
    let data = std::env::var("DOCKET_BENCH_POSTGRES_DATA").ok()?;
    let file = fs::read_to_string(format!("{data}/postmaster.pid")).ok()?;
    file.lines().next()?.trim().parse().ok()
}
