//! One transaction of the dispatcher: it ends attempts, claims jobs, or both.

use std::{collections::HashSet, sync::Arc};

use docket_db::Error;

use super::{Config, Lane, slot::Left};
use crate::{
    JobId, Jobs,
    scheduler::{self, Cycle, Request},
    store::{claim::Taking, ends::End},
};

/// What a turn is to do.
#[derive(Debug)]
pub(super) struct Turn {
    /// It ends attempts.
    pub(super) ends: bool,
    /// It claims jobs.
    pub(super) claims: bool,
    /// What left its slot and is to be stored.
    pub(super) left: Vec<Left>,
    /// How many jobs of each lane it may claim; empty when it claims none.
    pub(super) wanted: Vec<(Lane, usize)>,
    /// What this process holds, when the database may think that it holds more.
    pub(super) in_doubt: Option<HashSet<JobId>>,
}

/// What became of a turn.
#[derive(Debug)]
pub(super) struct Done {
    /// The turn, as far as it was tried.
    pub(super) turn: Turn,
    /// What was committed; an error when nothing was, or nobody knows.
    pub(super) result: Result<Cycle, Error>,
    /// What the database refuses to store, one by one.
    pub(super) refused: Vec<Left>,
}

/// What every turn needs.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    pub(super) jobs: Jobs,
    pub(super) config: Config,
    pub(super) kinds: Arc<[&'static str]>,
}

impl Turns {
    /// Takes a turn. Where the database answers but refuses it, each end is stored by itself: one that is refused keeps no other from being stored.
    pub(super) async fn take(self, mut turn: Turn) -> Done {
        let result = self
            .commit(&turn.left, &turn.wanted, turn.in_doubt.as_ref())
            .await;
        match &result {
            Err(error) if error.is_refusal() && !turn.left.is_empty() => tracing::warn!(
                error = error as &dyn std::error::Error,
                "the database refuses the ends of jobs; storing each by itself"
            ),
            _ => {
                return Done {
                    turn,
                    result,
                    refused: Vec::new(),
                };
            }
        }
        let (mut stored, mut refused) = (Vec::new(), Vec::new());
        let mut together = Cycle::default();
        for left in std::mem::take(&mut turn.left) {
            match self.commit(std::slice::from_ref(&left), &[], None).await {
                Ok(cycle) => {
                    together.unparked += cycle.unparked;
                    stored.push(left);
                }
                Err(_) => refused.push(left),
            }
        }
        turn.left = stored;
        turn.wanted.clear();
        turn.in_doubt = None;
        Done {
            turn,
            result: Ok(together),
            refused,
        }
    }

    async fn commit(
        &self,
        left: &[Left],
        wanted: &[(Lane, usize)],
        in_doubt: Option<&HashSet<JobId>>,
    ) -> Result<Cycle, Error> {
        let now = self.jobs.clock().now();
        let ends: Vec<End> = left.iter().filter_map(Left::end).collect();
        let request = Request {
            ends: &ends,
            wanted,
            kinds: &self.kinds,
            taking: Taking {
                worker: &self.config.name,
                now,
                lease_until: now.plus_millis(self.config.lease_secs as i64 * 1000),
            },
            in_doubt,
        };
        let mut tx = self.jobs.db().write().await?;
        let cycle = scheduler::cycle(&mut tx, &request).await?;
        tx.commit().await?;
        self.config.progress.made();
        Ok(cycle)
    }
}
