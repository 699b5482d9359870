//! Issue forms: GitHub writes each field as a heading, `### Label`, and the value below it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::command::{location, name_and_version, package};
use super::{Malformed, Request, decode};

/// What GitHub writes for a field that was left empty.
const NOTHING: &str = "_No response_";

/// Reads a form; `None` when the text is none of ours.
pub(super) fn read(text: &str) -> Option<Result<Request, Malformed>> {
    let fields = fields(text);
    let has = |key: &str| fields.contains_key(key);
    let wanted = fields.get("operation").map(|text| text.to_ascii_lowercase());
    let says = |word: &str| wanted.as_ref().is_some_and(|text| text.contains(word));
    let form = Form { fields: &fields };
    let read = if says("unpublish") || (wanted.is_none() && has("name") && has("version") && has("reason")) {
        form.unpublish()
    } else if says("transfer") || (wanted.is_none() && has("name") && has("newlocation")) {
        form.transfer()
    } else if says("package set") || (wanted.is_none() && (has("packages") || has("remove"))) {
        form.package_set()
    } else if says("publish") || (wanted.is_none() && has("name") && has("version")) {
        form.publish()
    } else {
        return None;
    };
    Some(read)
}

/// The fields that were filled in, under the names that we know them by.
fn fields(text: &str) -> HashMap<&'static str, String> {
    let mut fields = HashMap::new();
    let mut key = None;
    let mut value = String::new();
    let mut keep = |key: Option<&'static str>, value: &str| {
        let value = plain(value);
        if let Some(key) = key
            && !value.is_empty()
            && value != NOTHING
        {
            fields.entry(key).or_insert_with(|| value.to_owned());
        }
    };
    for line in text.lines() {
        match line.strip_prefix("### ") {
            Some(label) => {
                keep(key, &value);
                key = known(label);
                value.clear();
            }
            None => {
                value.push_str(line);
                value.push('\n');
            }
        }
    }
    keep(key, &value);
    fields
}

/// Takes a value out of the fence that GitHub puts around long ones, or the backticks that people do.
fn plain(value: &str) -> &str {
    let value = value.trim();
    let inner = value
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
        .and_then(|rest| rest.split_once('\n'));
    match inner {
        Some((_, inner)) => inner.trim(),
        None => value.trim_matches('`').trim(),
    }
}

fn known(label: &str) -> Option<&'static str> {
    let letters: String = label
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match letters.as_str() {
        "operation" | "request" => "operation",
        "name" | "package" | "packagename" => "name",
        "version" | "packageversion" => "version",
        "ref" | "gitref" | "tag" | "gittag" => "ref",
        "location" | "repository" | "repo" | "githubrepository" => "location",
        "newlocation" | "newrepository" | "to" => "newlocation",
        "compiler" | "compilerversion" => "compiler",
        "reason" => "reason",
        "packages" => "packages",
        "remove" | "packagestoremove" => "remove",
        _ => return None,
    })
}

struct Form<'a> {
    fields: &'a HashMap<&'static str, String>,
}

impl Form<'_> {
    fn publish(&self) -> Result<Request, Malformed> {
        let mut object = self.object(&["name", "version", "compiler"]);
        let version = self.fields.get("version").cloned().unwrap_or_default();
        let git_ref = self.fields.get("ref").cloned();
        object.insert(
            "ref".to_owned(),
            git_ref.unwrap_or_else(|| format!("v{version}")).into(),
        );
        if let Some(text) = self.fields.get("location") {
            object.insert("location".to_owned(), self.location(text)?);
        }
        let text = Value::Object(object).to_string();
        decode("publish form", &text).map(Request::Publish)
    }

    fn unpublish(&self) -> Result<Request, Malformed> {
        let object = self.object(&["name", "version", "reason"]);
        let unpublish = decode("unpublish form", &Value::Object(object).to_string())?;
        Ok(Request::Unsigned(
            docket_core::operation::SignedOperation::Unpublish(unpublish),
        ))
    }

    fn transfer(&self) -> Result<Request, Malformed> {
        let mut object = self.object(&["name"]);
        let to = self
            .fields
            .get("newlocation")
            .or_else(|| self.fields.get("location"));
        if let Some(text) = to {
            object.insert("newLocation".to_owned(), self.location(text)?);
        }
        let transfer = decode("transfer form", &Value::Object(object).to_string())?;
        Ok(Request::Unsigned(
            docket_core::operation::SignedOperation::Transfer(transfer),
        ))
    }

    fn package_set(&self) -> Result<Request, Malformed> {
        let mut packages = Map::new();
        for word in self.list("packages") {
            let (name, version) = name_and_version(&word).map_err(undecodable)?;
            packages.insert(name.to_string(), version.to_string().into());
        }
        for word in self.list("remove") {
            packages.insert(package(&word).map_err(undecodable)?.to_string(), Value::Null);
        }
        let mut object = self.object(&["compiler"]);
        object.insert("packages".to_owned(), packages.into());
        decode("package set form", &Value::Object(object).to_string()).map(Request::PackageSet)
    }

    fn object(&self, keys: &[&'static str]) -> Map<String, Value> {
        let field = |key: &&'static str| Some(((*key).to_owned(), self.fields.get(key)?.clone().into()));
        keys.iter().filter_map(field).collect()
    }

    fn location(&self, text: &str) -> Result<Value, Malformed> {
        let location = location(text).map_err(undecodable)?;
        Ok(json!(location))
    }

    /// The words of a field, however they are separated.
    fn list(&self, key: &str) -> Vec<String> {
        let text = self.fields.get(key).map(String::as_str).unwrap_or_default();
        text.split([',', ' ', '\n', '\t'])
            .map(|word| word.trim_matches(['-', '*', '`']))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn undecodable(reason: String) -> Malformed {
    Malformed::Undecodable { what: "form", reason }
}
