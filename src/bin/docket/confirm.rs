//! Shows what is about to happen, and asks whether it shall.

use crate::failure::Failure;
use crate::print::Printer;
use crate::safe::harmless_line;

/// Width of the titles in front of the rows.
const TITLE: usize = 14;

/// What people see before they decide.
pub(crate) struct Plan {
    /// What will be done, and where.
    pub headline: String,
    /// Titles and what stands behind them; a row without title goes on with the one above.
    pub rows: Vec<(&'static str, String)>,
    /// What is asked.
    pub question: String,
}

/// Shows the plan and asks, unless `yes` was said before.
///
/// # Errors
///
/// When the answer is no, or nobody is there to answer.
pub(crate) fn confirm(plan: &Plan, yes: bool, out: &Printer) -> Result<(), Failure> {
    out.show(&harmless_line(&plan.headline, 200));
    for (title, text) in &plan.rows {
        // What others wrote stands in here.
        out.show(&format!("  {title:<TITLE$} {}", harmless_line(text, 400)));
    }
    if yes {
        return Ok(());
    }
    if !out.can_ask() {
        return Err(Failure::NobodyToAsk);
    }
    if out.ask(&plan.question)? {
        Ok(())
    } else {
        Err(Failure::Declined)
    }
}
