//! The page of `docs/reference/` about this program is what it says to `--help`.

use clap::CommandFactory as _;

use crate::args::Args;

#[path = "../written.rs"]
mod pages;

#[test]
fn the_written_page_of_docket_is_up_to_date() {
    let about = "For people who publish packages, and for those who keep the queue.";
    pages::check(
        "docs/reference/docket.md",
        &pages::commands("Commands of docket", about, Args::command()),
    );
}
