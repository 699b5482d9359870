//! The clock of this machine.

use docket_core::time::Timestamp;
use docket_db::Db;
use docket_jobs::{Clock, Jobs};
use tokio::process::Command;

use super::Verdict;

/// From how many milliseconds on two clocks differ.
const DIFFERENT_MILLIS: i64 = 2_000;

/// From how many milliseconds on others refuse what this machine signs and believe no certificate.
const WRONG_MILLIS: i64 = 5 * 60_000;

/// Compares the clock with that of the database's server; `None` where there is none.
pub async fn beside_the_database(db: &Db) -> Option<Verdict> {
    // The queue sets its own clock by the server's; this one is left as it is.
    let ours = Clock::system();
    let asked = ours.now();
    let there = Jobs::new(db.clone(), Clock::system()).server_time().await;
    match there {
        Ok(None) => None,
        Ok(Some(there)) => Some(judge(asked, there, ours.now())),
        Err(error) => Some(Verdict::broken(
            format!("the database does not tell its time: {error}"),
            "see the line of the database",
        )),
    }
}

/// Whether the clock that showed `asked` before the question and `told` after the answer may be that which showed `there` in between.
fn judge(asked: Timestamp, there: Timestamp, told: Timestamp) -> Verdict {
    let nearest = there.clamp(asked, told.max(asked));
    let ahead = nearest.millis() - there.millis();
    let differs = format!(
        "this machine is {} ms {} the database's server",
        ahead.abs(),
        if ahead > 0 { "ahead of" } else { "behind" }
    );
    let remedy = "let both be set by NTP";
    match ahead.abs() {
        WRONG_MILLIS.. => Verdict::broken(differs, remedy),
        DIFFERENT_MILLIS.. => Verdict::warning(
            format!("{differs}; jobs are not harmed, since they go by the server's"),
            remedy,
        ),
        _ => Verdict::Ok("it agrees with that of the database's server".to_owned()),
    }
}

/// Whether the system keeps the time of day by others.
pub async fn kept_by_the_system() -> Verdict {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .await;
    let said = asked.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    described(said.as_deref())
}

fn described(said: Option<&str>) -> Verdict {
    match said {
        Some("yes") => Verdict::Ok("the system keeps it by NTP".to_owned()),
        Some("no") => Verdict::warning(
            "nothing keeps it in time",
            "switch on NTP, for example with `timedatectl set-ntp true`",
        ),
        // In a container it is kept by the machine around it.
        _ => Verdict::Ok("whether the system keeps it by NTP cannot be told here".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_is_told_and_one_that_is_wrong_is_broken() {
        let judged = |there: i64| {
            let at = |millis| Timestamp::from_millis(1_000_000_000 + millis);
            judge(at(0), at(there), at(50))
        };
        for there in [-1_999, 0, 25, 50, 2_049] {
            assert!(matches!(judged(there), Verdict::Ok(_)), "{there}");
        }
        for (there, text) in [(-2_000, "2000 ms ahead of"), (2_050, "2000 ms behind")] {
            let verdict = judged(there);
            assert!(
                matches!(&verdict, Verdict::Warning(told, _) if told.contains(text)),
                "{verdict:?}"
            );
        }
        assert!(matches!(judged(-WRONG_MILLIS), Verdict::Broken(..)));
        assert!(matches!(judged(WRONG_MILLIS + 50), Verdict::Broken(..)));
    }

    #[test]
    fn a_system_that_does_not_say_is_no_reason_to_worry() {
        assert!(matches!(described(Some("yes")), Verdict::Ok(_)));
        assert!(matches!(described(Some("no")), Verdict::Warning(..)));
        assert!(matches!(described(None), Verdict::Ok(_)));
        assert!(matches!(described(Some("")), Verdict::Ok(_)));
    }
}
