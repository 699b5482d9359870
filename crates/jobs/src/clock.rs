//! The time, passed in, so that a test can hold it still.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use docket_core::time::Timestamp;

/// Tells the time. Clones tell the same time.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What is added so that all processes at one database tell its time, in milliseconds; absent for a clock that a test controls.
    ahead_millis: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The clock of this machine, corrected by that of the database where there is a server for it (see [`Jobs::new`](crate::Jobs::new)):
    /// leases and times of processes on machines whose clocks differ fit together.
    pub fn system() -> Self {
        Self {
            now: Arc::new(|| Timestamp::from_millis(chrono::Utc::now().timestamp_millis())),
            ahead_millis: Some(Arc::default()),
        }
    }

    /// A clock that a test controls.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            ahead_millis: None,
        }
    }

    /// The present time, UTC, in milliseconds.
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead_millis.as_ref();
        (self.now)().plus_millis(ahead.map_or(0, |ahead| ahead.load(Ordering::Relaxed)))
    }

    /// Sets the clock by the database's, which told `there` when it was asked at `asked` of this clock.
    ///
    /// The database told it at some moment between then and now. As long as its time lies between the two by this clock, they may be the same: the clock
    /// is left as it is, or it would jump back and forth by what the way takes, and times that follow one another would not.
    pub(crate) fn set_by(&self, asked: Timestamp, there: Timestamp) {
        let Some(ahead) = &self.ahead_millis else { return };
        let possible = there.clamp(asked, self.now().max(asked));
        ahead.fetch_add(there.millis() - possible.millis(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is set by others and shows 1,000,000 when they are not ahead.
    fn clock() -> Clock {
        Clock {
            now: Arc::new(|| Timestamp::from_millis(1_000_000)),
            ahead_millis: Some(Arc::default()),
        }
    }

    #[test]
    fn a_clock_that_may_be_right_is_left_alone() {
        let at = Timestamp::from_millis;
        for there in [999_700, 999_850, 1_000_000] {
            let clock = clock();
            clock.set_by(at(999_700), at(there));
            assert_eq!(clock.now(), at(1_000_000), "{there}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_is_set_as_little_as_possible() {
        let at = Timestamp::from_millis;
        for (there, now) in [
            (999_699, 999_999),
            (1_000_001, 1_000_001),
            (1_300_000, 1_300_000),
            (699_700, 700_000),
        ] {
            let clock = clock();
            clock.set_by(at(999_700), at(there));
            assert_eq!(clock.now(), at(now), "{there}");
        }
    }
}
