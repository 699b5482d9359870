//! What PostgreSQL's planner is told.

use docket_db::{Error, Tx};

/// Tells PostgreSQL's planner that every statement of the transaction finds its few rows by an index.
///
/// In a table that grew since it was last analysed it guesses otherwise, and reads all jobs for each claim. As the plan is always the same it is made once,
/// perhaps while the table is empty: look-ups cost next to nothing, so that they are chosen even then.
pub(super) async fn prefer_indexes(tx: &mut Tx) -> Result<(), Error> {
    if let Tx::Postgres(tx) = tx {
        const SQL: &str = "
            SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
                   set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
                   set_config('random_page_cost', '0.01', true), set_config('plan_cache_mode', 'force_generic_plan', true)";
        sqlx::query(SQL).execute(&mut **tx).await?;
    }
    Ok(())
}
