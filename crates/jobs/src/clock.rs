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

    /// Sets the clock by the database's, which told `there`.
    pub(crate) fn set_by(&self, there: Timestamp) {
        if let Some(ahead) = &self.ahead_millis {
            ahead.store(there.millis() - (self.now)().millis(), Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
