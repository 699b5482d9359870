//! What PostgreSQL's planner is told.

use docket_db::{Error, Tx};

/// Settings for one transaction, for a `SELECT`: every statement finds its few rows by an index.
///
/// In a table that grew since it was last analysed the planner guesses otherwise, and reads all jobs for each claim. As the plan is always the same it is made
/// once, perhaps while the table is empty: look-ups cost next to nothing, so that they are chosen even then.
macro_rules! index_settings {
    () => {
        "set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), \
         set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), \
         set_config('random_page_cost', '0.01', true), set_config('plan_cache_mode', 'force_generic_plan', true)"
    };
}
pub(super) use index_settings;

/// Tells PostgreSQL the [`index_settings!`] for the rest of `tx`.
pub(super) async fn prefer_indexes(tx: &mut Tx) -> Result<(), Error> {
    if let Tx::Postgres(tx) = tx {
        const SQL: &str = concat!("SELECT ", index_settings!());
        sqlx::query(SQL).execute(&mut **tx).await?;
    }
    Ok(())
}
