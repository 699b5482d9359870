//! `docketd config init`: a configuration to begin with, in which every key is explained.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context, bail};

use super::keys::{Default, KEYS, SECTIONS};

const HEAD: &str = "\
The configuration of docketd.

Each key stands here with its default, or with an example where it has none, behind a `#`: nothing is changed before you
take that away. A key can also come from the environment, as DOCKET__SECTION__KEY. Switches of the command line win over the
environment, which wins over this file. `docketd config show` tells what is in force and where it comes from.
";

/// Writes the file; one that is there already is left alone.
///
/// # Errors
/// When it is there, or cannot be written.
pub fn write(path: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = match file {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; give another name", path.display())
        }
        file => file.with_context(|| format!("{} cannot be written", path.display()))?,
    };
    file.write_all(text().as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// What stands in the file.
pub fn text() -> String {
    let mut text = comment(HEAD);
    for (section, about) in SECTIONS {
        text.push_str("\n\n");
        text.push_str(&comment(about));
        if !section.is_empty() {
            writeln!(text, "[{section}]").expect("writing to a String cannot fail");
        }
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let without = match key.default {
                Default::Is(_) => String::new(),
                Default::Depends { on, .. } => format!(" Default: {on}."),
            };
            writeln!(
                text,
                "\n{}#{} = {}",
                comment(&format!("{}{without}", key.meaning)),
                key.name,
                key.value()
            )
            .expect("writing to a String cannot fail");
        }
    }
    text
}

/// Breaks a text into lines of a comment.
fn comment(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = String::new();
    for paragraph in text.trim_end().split("\n\n") {
        if !lines.is_empty() {
            lines.push_str("#\n");
        }
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                lines.push_str(&line);
                lines.push('\n');
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::tests::load, *};

    #[test]
    fn the_written_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docket.toml");
        write(&path).unwrap();
        let ours = load(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(toml::to_string(&ours), toml::to_string(&load("").unwrap()));
        let again = write(&path).unwrap_err().to_string();
        assert!(again.contains("is there already"), "{again}");
    }

    /// All keys but one at once: a database has one address.
    #[test]
    fn the_written_file_loads_with_every_key_switched_on() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("takedown.md"), "Write to us.").unwrap();
        let place = folder.path().display().to_string();
        let mut switched_on = 0;
        let lines = text().replace("/etc/docket", &place);
        let lines = lines.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => {
                switched_on += 1;
                if key.starts_with("url = \"postgres:") {
                    line
                } else {
                    key
                }
            }
            _ => line,
        });
        let lines: Vec<_> = lines.collect();
        load(&lines.join("\n")).unwrap();
        assert_eq!(switched_on, KEYS.len());
    }
}
