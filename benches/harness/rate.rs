//! How fast things go, and what each costs.

use std::time::Instant;

use serde_json::json;

use crate::{cpu::Cpu, figure};

/// A measurement that is under way.
pub(crate) struct Pace {
    cpu: Cpu,
    start: Instant,
}

impl Pace {
    pub(crate) fn start() -> Self {
        Self {
            cpu: Cpu::of(std::process::id()),
            start: Instant::now(),
        }
    }

    /// Ends it: so many things were done.
    pub(crate) fn stop(self, count: usize) -> Rate {
        let elapsed = self.start.elapsed();
        let [own, server] = self.cpu.elapsed().micros_each(count);
        Rate {
            count,
            per_sec: count as f64 / elapsed.as_secs_f64(),
            own,
            server,
        }
    }
}

/// What was measured.
pub(crate) struct Rate {
    count: usize,
    per_sec: f64,
    /// CPU time for each, in microseconds: of this process, and of the database server.
    own: f64,
    server: f64,
}

impl Rate {
    /// Prints the rate of `system` on `database` with this setting; `things` is what there are so many of.
    pub(crate) fn print(&self, system: &str, database: &str, figure: &str, setting: &str, things: &str) {
        let Self {
            count,
            per_sec,
            own,
            server,
        } = self;
        figure::print(
            system,
            database,
            figure,
            &format!(
                "{count} {things}, {setting}: {per_sec:.0}/s; CPU for each: {own:.1} µs here, {server:.1} µs in the server"
            ),
            json!({ "setting": setting, "jobs": count, "rate": per_sec, "own_cpu_us": own, "server_cpu_us": server }),
        );
    }
}
