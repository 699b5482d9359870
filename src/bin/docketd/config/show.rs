//! `docketd config show`: every value in force, and where it comes from.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigError,
    keys::{Default, KEYS, Key, SECTIONS},
    read_configuration,
};
use crate::cli::Common;

/// Where a value comes from, when it is not the default.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// A line of a file.
    File(PathBuf, usize),
    /// An environment variable.
    Environment(String),
    /// A switch of the command line.
    Switch(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Switch(switch) => write!(f, "switch {switch}"),
        }
    }
}

/// Origins by the path of the key, such as `api.listen`.
type Origins = BTreeMap<String, Origin>;

/// The text: a configuration that gives the same values, save those that nobody should read.
///
/// # Errors
/// When the file cannot be read.
pub fn text(config: &Config, common: &Common) -> Result<String, ConfigError> {
    let environment = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .collect::<Vec<_>>();
    let mut origins = Origins::new();
    if let Some((path, text)) = read_configuration(common)? {
        origins.extend(lines_of(&text).map(|(key, line)| (key, Origin::File(path.clone(), line))));
    }
    origins.extend(of_environment(&environment));
    if common.data.is_some() {
        origins.insert("data_dir".to_owned(), Origin::Switch("--data"));
    }
    if common.listen.is_some() {
        origins.insert("api.listen".to_owned(), Origin::Switch("--listen"));
    }
    Ok(render(config, &origins))
}

/// The keys that a file gives, with their lines. Its syntax is right: it was loaded.
fn lines_of(text: &str) -> impl Iterator<Item = (String, usize)> {
    let table = DeTable::parse(text)
        .map(toml::Spanned::into_inner)
        .unwrap_or_default();
    let line = |place: usize| text[..place].matches('\n').count() + 1;
    let mut found = Vec::new();
    for (name, value) in &table {
        match value.get_ref() {
            DeValue::Table(section) => {
                for key in section.keys() {
                    let path = format!("{}.{}", name.get_ref(), key.get_ref());
                    found.push((path, line(key.span().start)));
                }
            }
            _ => found.push((name.get_ref().to_string(), line(name.span().start))),
        }
    }
    found.into_iter()
}

/// The keys that variables of these names give.
fn of_environment(names: &[String]) -> impl Iterator<Item = (String, Origin)> {
    names.iter().filter_map(|name| {
        let lower = name.to_lowercase();
        let mut parts = lower.strip_prefix("docket__")?.split("__");
        let section = parts.next()?;
        let key = match parts.next() {
            Some(key) => format!("{section}.{key}"),
            None => section.to_owned(),
        };
        Some((key, Origin::Environment(name.clone())))
    })
}

fn render(config: &Config, origins: &Origins) -> String {
    let values = toml::Table::try_from(config).expect("a configuration can be written as TOML");
    let mut text = String::new();
    for (section, _) in SECTIONS {
        let values = match *section {
            "" => Some(&values),
            section => {
                text.push_str(&format!("\n[{section}]\n"));
                values.get(section).and_then(toml::Value::as_table)
            }
        };
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let value = values.and_then(|values| values.get(key.name));
            text.push_str(&line(key, value, origins.get(&key.path())));
        }
    }
    text
}

/// The line of one key.
fn line(key: &Key, value: Option<&toml::Value>, origin: Option<&Origin>) -> String {
    let name = key.name;
    match (value, origin) {
        (Some(value), None) => format!("{name} = {value}  # default\n"),
        (Some(value), Some(origin)) => format!("{name} = {value}  # {origin}\n"),
        (None, Some(origin)) if key.is_secret() => {
            format!("# {name} is set, and not shown  # {origin}\n")
        }
        (None, _) => {
            let on = match key.default {
                Default::Is(value) => value,
                Default::Depends { on, .. } => on,
            };
            format!("# {name} is not set: {on}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::load, *};

    fn shown(text: &str, environment: &[&str]) -> String {
        let mut origins: Origins = lines_of(text)
            .map(|(key, line)| (key, Origin::File("docket.toml".into(), line)))
            .collect();
        let environment: Vec<_> = environment.iter().map(ToString::to_string).collect();
        origins.extend(of_environment(&environment));
        render(&load(text).unwrap(), &origins)
    }

    #[test]
    fn every_value_is_shown_with_its_origin() {
        let text = "data_dir = \"/srv\"\napi.listen = \"0.0.0.0:80\"\n\n[worker]\n# Two.\nlease_secs = 30\ndrain_secs = 5\n";
        let shown = shown(text, &["DOCKET__WORKER__DRAIN_SECS", "HOME"]);
        for line in [
            "data_dir = \"/srv\"  # docket.toml:1",
            "listen = \"0.0.0.0:80\"  # docket.toml:2",
            "lease_secs = 30  # docket.toml:6",
            "drain_secs = 5  # environment, DOCKET__WORKER__DRAIN_SECS",
            "compile_timeout_secs = 600  # default",
            "# contact is not set: none",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line} in:\n{shown}");
        }
    }

    /// An address with a password, and what whoever knows it may ping, are not shown; that they are set is.
    #[test]
    fn secrets_are_not_shown() {
        let text = "[database]\nurl = \"postgres://docket:geheim@db/docket\"\n[health]\ntasks = { clean-up = \"https://hc-ping.com/geheim\" }";
        let shown = shown(text, &[]);
        assert!(!shown.contains("geheim"), "{shown}");
        assert!(
            shown.contains("# url is set, and not shown  # docket.toml:2"),
            "{shown}"
        );
        assert!(
            shown.contains("# tasks is set, and not shown  # docket.toml:4"),
            "{shown}"
        );
    }

    /// What is shown can be used as a file again.
    #[test]
    fn what_is_shown_loads_and_gives_the_same_values() {
        let text = "[worker]\nsandbox = \"none\"\n[sources]\ngit_hosts = [\"a.example\", \"b.example\"]";
        let again = load(&shown(text, &[])).unwrap();
        assert_eq!(toml::to_string(&again), toml::to_string(&load(text).unwrap()));
    }
}
