//! What the text of an issue or comment asks for (registry spec, 4.5). Pure: no call is made, nothing is looked up.
//!
//! Three ways lead in: JSON, in prose or in a fence, as tidy as people write it; an issue form; and a command at the start of a line.
//! One text asks for one operation. A text that holds several is answered with a question, because whoever wrote it should
//! decide which; a text that holds one operation among other JSON (a log, a manifest) asks for that one.

mod blocks;
mod command;
mod form;
mod malformed;
mod sloppy;

use docket_core::json;
use docket_core::operation::{PackageSetUpdate, Publish, Signed, SignedOperation};
use serde_json::Value;

use crate::Login;

pub use malformed::Malformed;
pub(crate) use malformed::fenced;

/// Longer than any text that GitHub takes (65,536 characters).
const MAX_BYTES: usize = 65_536 * 4;

/// What a text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To publish a version; anybody may.
    Publish(Publish),
    /// To make the next package set.
    PackageSet(PackageSetUpdate),
    /// An unpublish or transfer that its author signed.
    Signed {
        /// The body, as it was written.
        signed: Signed,
        /// What is in it.
        operation: SignedOperation,
    },
    /// An unpublish or transfer without a signature: only a trustee's word can stand for it.
    Unsigned(SignedOperation),
}

impl Request {
    /// Returns whether nobody but a trustee may ask for this.
    pub fn needs_trustee(&self) -> bool {
        match self {
            Self::Publish(_) | Self::Signed { .. } => false,
            Self::PackageSet(update) => update.is_restricted(),
            Self::Unsigned(_) => true,
        }
    }

    /// Returns what people call it: `publish effect@4.0.0`.
    pub fn title(&self) -> String {
        match self {
            Self::Publish(publish) => format!("publish {}@{}", publish.name, publish.version),
            Self::PackageSet(update) => match update.packages.len() {
                1 => "update the package set (1 package)".to_owned(),
                count => format!("update the package set ({count} packages)"),
            },
            Self::Signed { operation, .. } | Self::Unsigned(operation) => match operation {
                SignedOperation::Unpublish(it) => format!("unpublish {}@{}", it.name, it.version),
                SignedOperation::Transfer(it) => format!("transfer {} to {}", it.name, it.new_location),
            },
        }
    }
}

/// What we make of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It asks for nothing of ours: no answer.
    Nothing,
    /// It asks for this.
    Request(Request),
    /// It wants something of us that we do not understand: its author gets an answer.
    Malformed(Malformed),
}

/// Reads a text. `bot` is the account that people address us by.
pub fn read(text: &str, bot: Option<&Login>) -> Reading {
    if text.len() > MAX_BYTES {
        return Reading::Nothing;
    }
    let text = text.replace("\r\n", "\n");
    let parts = blocks::split(&text);
    let mut found = Found::default();
    for line in parts.prose.lines() {
        if let Some(command) = command::read(line) {
            found.add(command);
        }
    }
    for object in blocks::objects(&parts) {
        match object {
            Ok(object) => found.add_object(&object),
            Err(reason) => found.broken = found.broken.or(Some(reason)),
        }
    }
    if found.is_silent()
        && let Some(form) = form::read(&text)
    {
        found.add(form);
    }
    found.settle(addresses(&parts.prose, bot))
}

/// Whether somebody talks to us: a command, or our name.
fn addresses(prose: &str, bot: Option<&Login>) -> bool {
    let Some(bot) = bot else { return false };
    let (prose, name) = (
        prose.to_ascii_lowercase(),
        format!("@{}", bot.as_str().to_ascii_lowercase()),
    );
    prose.match_indices(&name).any(|(at, _)| {
        let next = prose[at + name.len()..].chars().next();
        next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-')
    })
}

/// Everything in one text that may be meant for us.
#[derive(Debug, Default)]
struct Found {
    requests: Vec<Request>,
    /// What was meant for us and is not right; the first counts.
    malformed: Option<Malformed>,
    /// Objects that have nothing to do with us: the keys of the first.
    foreign: Option<Vec<String>>,
    /// Something in braces that is no JSON.
    broken: Option<String>,
}

impl Found {
    fn add(&mut self, reading: Result<Request, Malformed>) {
        match reading {
            // The same operation said twice is still one.
            Ok(request) if self.requests.contains(&request) => {}
            Ok(request) => self.requests.push(request),
            Err(malformed) => self.malformed = self.malformed.take().or(Some(malformed)),
        }
    }

    fn add_object(&mut self, object: &blocks::Object) {
        let has = |key: &str| object.fields.contains_key(key);
        if has("packages") {
            self.add(decode("package set update", &object.text).map(Request::PackageSet));
        } else if has("name") && has("ref") && has("version") {
            self.add(decode("publish", &object.text).map(Request::Publish));
        } else if has("payload") && has("signature") {
            self.add(signed(object));
        } else if object.strict || OUR_KEYS.iter().any(|key| has(key)) {
            let keys = object.fields.keys().cloned().collect();
            self.foreign = self.foreign.take().or(Some(keys));
        }
    }

    fn is_silent(&self) -> bool {
        self.requests.is_empty() && self.malformed.is_none()
    }

    fn settle(mut self, addressed: bool) -> Reading {
        if self.requests.len() > 1 {
            let titles = self.requests.iter().map(Request::title).collect();
            return Reading::Malformed(Malformed::Several { titles });
        }
        if let Some(request) = self.requests.pop() {
            return Reading::Request(request);
        }
        let unknown = self.foreign.map(|received| Malformed::UnknownKeys { received });
        let unread = addressed.then_some(match self.broken {
            Some(reason) => Malformed::NotJson { reason },
            None => Malformed::NothingAsked,
        });
        let malformed = self.malformed.or(unknown).or(unread);
        malformed.map_or(Reading::Nothing, Reading::Malformed)
    }
}

/// Whoever writes one of these in an object means us.
const OUR_KEYS: [&str; 8] = [
    "name",
    "ref",
    "version",
    "payload",
    "signature",
    "newLocation",
    "resolutions",
    "compiler",
];

fn decode<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Malformed> {
    json::decode(text).map_err(|error| Malformed::Undecodable {
        what,
        reason: error.to_string(),
    })
}

fn signed(object: &blocks::Object) -> Result<Request, Malformed> {
    const WHAT: &str = "signed operation";
    if let Some(Value::Object(_)) = object.fields.get("payload") {
        return Err(Malformed::Undecodable {
            what: WHAT,
            reason: "payload: it is an object, but must be a string that holds the JSON text exactly as it was signed".to_owned(),
        });
    }
    let signed: Signed = decode(WHAT, &object.text)?;
    let operation = signed.operation().map_err(|error| Malformed::Undecodable {
        what: WHAT,
        reason: error.to_string(),
    })?;
    Ok(Request::Signed { signed, operation })
}

#[cfg(test)]
mod tests;
