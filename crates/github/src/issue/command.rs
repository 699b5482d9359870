//! Commands: a line that begins with `/docket`.

use std::collections::BTreeMap;

use docket_core::location::Location;
use docket_core::name::PackageName;
use docket_core::operation::{PackageSetUpdate, Publish, SignedOperation, Transfer, Unpublish};
use docket_core::version::Version;

use super::{Malformed, Request};

/// What each command looks like, in the order of a help text.
pub(super) const USAGE: [&str; 4] = [
    "/docket publish NAME@VERSION [--ref REF] [--location OWNER/REPO]",
    "/docket unpublish NAME@VERSION --reason TEXT",
    "/docket transfer NAME --to OWNER/REPO",
    "/docket package-set NAME@VERSION… [--remove NAME]… [--compiler VERSION]",
];

/// Reads a line; `None` when it is no command.
pub(super) fn read(line: &str) -> Option<Result<Request, Malformed>> {
    let rest = line.trim_start().strip_prefix("/docket")?;
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let read = words(rest.trim()).and_then(|words| command(&words));
    Some(read.map_err(|reason| Malformed::Command { reason }))
}

fn command(words: &[String]) -> Result<Request, String> {
    let Some((verb, args)) = words.split_first() else {
        return Err("it does not say what to do".to_owned());
    };
    match verb.as_str() {
        "publish" => {
            let args = Args::new(args, &["--ref", "--location"])?;
            let (name, version) = args.version()?;
            let location = args.option("--location").map(location).transpose()?;
            let git_ref = args.option("--ref").map(str::to_owned);
            Ok(Request::Publish(Publish {
                compiler: None,
                location,
                name,
                // What spago and most people call the tag of a version.
                git_ref: git_ref.unwrap_or_else(|| format!("v{version}")),
                resolutions: None,
                version,
            }))
        }
        "unpublish" => {
            let args = Args::new(args, &["--reason"])?;
            let (name, version) = args.version()?;
            let reason = args.option("--reason").ok_or("it needs --reason TEXT")?;
            let reason = reason
                .parse()
                .map_err(|error| format!("the reason does not fit: {error}"))?;
            let unpublish = Unpublish {
                name,
                reason,
                version,
            };
            Ok(Request::Unsigned(SignedOperation::Unpublish(unpublish)))
        }
        "transfer" => {
            let args = Args::new(args, &["--to"])?;
            let name = args.only("the name of a package")?;
            let to = args.option("--to").ok_or("it needs --to OWNER/REPO")?;
            let transfer = Transfer {
                name: package(&name)?,
                new_location: location(to)?,
            };
            Ok(Request::Unsigned(SignedOperation::Transfer(transfer)))
        }
        "package-set" => {
            let args = Args::new(args, &["--remove", "--compiler"])?;
            let mut packages = BTreeMap::new();
            let added = args.plain.iter().map(|word| name_and_version(word));
            let removed = args.options("--remove").into_iter();
            let removed = removed.map(|word| Ok((package(word)?, None)));
            let added = added.map(|pair| pair.map(|(name, version)| (name, Some(version))));
            for pair in added.chain(removed) {
                let (name, version) = pair?;
                if packages.insert(name.clone(), version).is_some() {
                    return Err(format!("it names {name} twice"));
                }
            }
            let compiler = args.option("--compiler").map(version).transpose()?;
            if packages.is_empty() && compiler.is_none() {
                return Err("it names no package and no compiler".to_owned());
            }
            Ok(Request::PackageSet(PackageSetUpdate { compiler, packages }))
        }
        "help" => Err("here is what there is".to_owned()),
        other => Err(format!("there is no command `{}`", shown(other))),
    }
}

/// The words behind a verb.
struct Args {
    plain: Vec<String>,
    options: Vec<(String, String)>,
}

impl Args {
    /// Sorts words into options, each with its value, and others. `--reason` takes all words up to the next option.
    fn new(words: &[String], known: &[&str]) -> Result<Self, String> {
        let mut args = Self {
            plain: Vec::new(),
            options: Vec::new(),
        };
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                args.plain.push(word.clone());
                continue;
            }
            let (name, given) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if !known.contains(&name) {
                return Err(format!("there is no `{}` here", shown(name)));
            }
            let mut value = match given {
                Some(value) => value,
                None => match words.next() {
                    Some(value) if !value.starts_with("--") => value.clone(),
                    _ => return Err(format!("{name} needs a value")),
                },
            };
            if name == "--reason" {
                while let Some(more) = words.next_if(|word| !word.starts_with("--")) {
                    value = format!("{value} {more}");
                }
            }
            if name != "--remove" && args.option(name).is_some() {
                return Err(format!("{name} stands there twice"));
            }
            args.options.push((name.to_owned(), value));
        }
        Ok(args)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.all(name).next().map(String::as_str)
    }

    fn options(&self, name: &str) -> Vec<&str> {
        self.all(name).map(String::as_str).collect()
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a String> {
        self.options
            .iter()
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value)
    }

    fn only(&self, what: &str) -> Result<String, String> {
        match self.plain.as_slice() {
            [word] => Ok(word.clone()),
            [] => Err(format!("it needs {what}")),
            [_, other, ..] => Err(format!("`{}` is one word too many", shown(other))),
        }
    }

    fn version(&self) -> Result<(PackageName, Version), String> {
        name_and_version(&self.only("NAME@VERSION")?)
    }
}

pub(super) fn name_and_version(word: &str) -> Result<(PackageName, Version), String> {
    let (name, number) = word
        .split_once('@')
        .ok_or_else(|| format!("`{}` is not NAME@VERSION", shown(word)))?;
    Ok((package(name)?, version(number)?))
}

pub(super) fn package(word: &str) -> Result<PackageName, String> {
    word.parse()
        .map_err(|error| format!("`{}` is no package name: {error}", shown(word)))
}

pub(super) fn version(word: &str) -> Result<Version, String> {
    word.parse()
        .map_err(|error| format!("`{}` is no version: {error}", shown(word)))
}

/// Reads `OWNER/REPO`, or the address of a repository in a browser.
pub(super) fn location(word: &str) -> Result<Location, String> {
    let path = word.strip_prefix("https://github.com/").unwrap_or(word);
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let refused = || format!("`{}` is not OWNER/REPO", shown(word));
    let (owner, repo) = path.split_once('/').ok_or_else(refused)?;
    Location::github(owner, repo, None).map_err(|_| refused())
}

/// Splits at spaces; `"…"` and `'…'` keep words together.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if closes(open, c) => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            // Within a word it is an apostrophe.
            (None, '"' | '“' | '\'') if word.as_ref().is_none_or(|word| word.ends_with('=')) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

fn closes(open: char, c: char) -> bool {
    match open {
        '“' => c == '”',
        open => c == open,
    }
}

/// A word of somebody else's, short and without what could break out of its place in Markdown.
fn shown(word: &str) -> String {
    let plain = |c: char| if c.is_control() || c == '`' { '?' } else { c };
    word.chars().map(plain).take(60).collect()
}
