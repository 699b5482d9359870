//! What gets done: the operations of the registry, one module each, and the sandbox in which compilers run.
//!
//! [`publish`], [`unpublish`], [`transfer`], [`matrix`], [`package_set`], [`documentation`] and [`github_issue`] tell the stories; the other modules are their means and know nothing of jobs, database or HTTP.

mod child;
pub mod chores;
#[cfg(test)]
mod codes;
pub mod compiler;
mod disk;
pub mod documentation;
pub mod garbage;
pub mod github_issue;
pub mod matrix;
pub mod outcome;
pub mod package;
pub mod package_set;
pub mod ping;
pub mod publish;
pub mod purs;
pub mod push;
pub mod refusal;
pub mod sandbox;
mod signed;
pub mod source;
mod state;
pub mod transfer;
pub mod unpublish;
pub mod work_dir;

pub use docket_package::rejection;
pub use state::WorkerState;

/// Returns what runs the operations of the registry and what follows from them; [`chores::handlers`] are beside these.
#[must_use]
pub fn handlers(state: &WorkerState) -> Vec<docket_jobs::worker::Handler> {
    let mut handlers = vec![
        publish::handler(state.clone()),
        publish::dry_run::handler(state.clone()),
        unpublish::handler(state.clone()),
        transfer::handler(state.clone()),
        package_set::handler(state.clone()),
        matrix::handler(state.clone()),
        matrix::plan_handler(state.clone()),
        matrix::commit_handler(),
    ];
    if let Some(pursuit) = &state.pursuit {
        handlers.push(documentation::handler(state.clone(), pursuit.clone()));
    }
    handlers
}

/// Returns the kinds of jobs that the registry gives itself: whoever looks for what people asked for has no use for them once they are old.
#[must_use]
pub fn own_kinds() -> Vec<&'static str> {
    let mut kinds = vec![matrix::KIND, matrix::PLAN_KIND, matrix::COMMIT_KIND, push::KIND];
    kinds.extend(chores::schedules(true).iter().map(|schedule| schedule.task));
    kinds
}

/// Returns the kinds of all jobs that this crate runs, those of [`handlers`] first.
#[must_use]
pub fn kinds() -> Vec<&'static str> {
    let mut kinds = vec![
        publish::KIND,
        publish::dry_run::KIND,
        unpublish::KIND,
        transfer::KIND,
        package_set::KIND,
        matrix::KIND,
        matrix::PLAN_KIND,
        matrix::COMMIT_KIND,
        documentation::KIND,
        push::KIND,
        github_issue::KIND,
    ];
    kinds.extend(chores::schedules(true).iter().map(|schedule| schedule.task));
    kinds
}
