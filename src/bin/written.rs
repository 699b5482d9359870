//! Pages of the documentation that are written from the code. Used by the tests of both programs.

use std::{fmt::Write as _, fs, path::Path};

/// Says where a page comes from, for whoever is about to change it by hand.
pub const NOTE: &str = "<!-- Written from the code by `DOCKET_UPDATE_DOCS=1 cargo test --workspace --bins written`. Do not change it here. -->";

/// Compares a file of this repository with what it should say, or writes it when `DOCKET_UPDATE_DOCS` is set.
///
/// # Panics
/// When the file says something else.
pub fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("DOCKET_UPDATE_DOCS").is_some() {
        fs::write(&file, text).expect("a page can be written");
        return;
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == text,
        "{path} is out of date: DOCKET_UPDATE_DOCS=1 cargo test --workspace --bins written"
    );
}

/// The page of a program: what it and each of its commands says to `--help`.
pub fn commands(title: &str, about: &str, command: clap::Command) -> String {
    let mut text = format!("# {title}\n\n{NOTE}\n\n{about}\n");
    let mut root = command.term_width(110);
    root.build();
    describe(&mut text, &mut root);
    text
}

fn describe(text: &mut String, command: &mut clap::Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    writeln!(
        text,
        "\n## {name}\n\n```text\n{}\n```",
        help.join("\n").trim_end()
    )
    .expect("writing to a String cannot fail");
    for inner in command.get_subcommands_mut() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            describe(text, inner);
        }
    }
}
