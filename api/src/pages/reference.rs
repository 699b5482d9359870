//! `GET /docs`: the API for people who write programs, made of the same description that programs read as `/openapi.json`.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{Router, http::HeaderMap, routing::get};
use serde::Deserialize;
use serde_json::Value;

use super::{fixed::Fixed, fixed_page};
use crate::ApiState;

pub(crate) fn routes(description: &str) -> Router<ApiState> {
    let document: Document = serde_json::from_str(description).expect("our own description is of this shape");
    let template = ReferenceTemplate::new(&document);
    let fixed = Arc::new(Fixed::new(move || fixed_page(&template)));
    Router::new().route(
        "/docs",
        get(async move |headers: HeaderMap| fixed.answer(&headers).await),
    )
}

/// What we read of an OpenAPI document.
#[derive(Debug, Deserialize)]
struct Document {
    info: Info,
    tags: Vec<Tag>,
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
    components: Components,
}

#[derive(Debug, Deserialize)]
struct Info {
    description: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
    description: String,
}

#[derive(Debug, Deserialize)]
struct Components {
    schemas: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    tags: Vec<String>,
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
    request_body: Option<Body>,
    responses: BTreeMap<String, Answer>,
    #[serde(default)]
    security: Vec<BTreeMap<String, Vec<String>>>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    schema: Value,
}

#[derive(Debug, Deserialize)]
struct Body {
    content: BTreeMap<String, Content>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    description: String,
    #[serde(default)]
    content: BTreeMap<String, Content>,
}

#[derive(Debug, Deserialize)]
struct Content {
    #[serde(default)]
    schema: Value,
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferenceTemplate {
    introduction: Vec<Prose>,
    groups: Vec<GroupView>,
    schemas: Vec<SchemaView>,
}

/// The operations about one thing.
struct GroupView {
    name: String,
    description: Prose,
    operations: Vec<OperationView>,
}

struct OperationView {
    /// Where a link leads, such as `get-api-v1-jobs`.
    anchor: String,
    method: String,
    path: String,
    summary: Prose,
    /// Who may: nothing for everybody.
    who: &'static str,
    parameters: Vec<MemberView>,
    body: Option<Kind>,
    answers: Vec<AnswerView>,
}

struct AnswerView {
    status: String,
    description: Prose,
    /// Media types with what is in them.
    forms: Vec<(String, Kind)>,
}

struct SchemaView {
    name: String,
    description: Prose,
    /// One list of members, or one for each form that it may have.
    forms: Vec<Vec<MemberView>>,
}

struct MemberView {
    name: String,
    /// Where a parameter stands; nothing for members.
    place: String,
    kind: Kind,
    is_optional: bool,
    description: Prose,
}

/// Text with words of programs in it, which stand between backticks: the parts at odd places.
#[derive(Debug, PartialEq, Eq)]
struct Prose(Vec<String>);

impl Prose {
    fn new(text: &str) -> Self {
        Self(text.split('`').map(ToOwned::to_owned).collect())
    }
}

/// What a value is, in words: `list of `, and a name that leads to its description.
#[derive(Debug, PartialEq, Eq, Default)]
struct Kind {
    before: String,
    /// A schema of this document.
    name: Option<String>,
    after: String,
}

impl ReferenceTemplate {
    fn new(document: &Document) -> Self {
        let groups = document.tags.iter().map(|tag| GroupView {
            name: tag.name.clone(),
            description: Prose::new(&tag.description),
            operations: operations(document, &tag.name).collect(),
        });
        let schemas = document.components.schemas.iter();
        Self {
            introduction: paragraphs(&document.info.description),
            groups: groups.collect(),
            schemas: schemas
                .map(|(name, schema)| SchemaView {
                    name: name.clone(),
                    description: description(schema),
                    forms: forms(schema),
                })
                .collect(),
        }
    }
}

fn paragraphs(text: &str) -> Vec<Prose> {
    text.split("\n\n").map(Prose::new).collect()
}

fn operations<'a>(document: &'a Document, tag: &'a str) -> impl Iterator<Item = OperationView> + 'a {
    let all = document.paths.iter().flat_map(|(path, item)| {
        item.iter()
            .map(move |(method, operation)| (path, method, operation))
    });
    all.filter(move |(.., operation)| operation.tags.iter().any(|name| name == tag))
        .map(|(path, method, operation)| OperationView::new(path, method, operation))
}

impl OperationView {
    fn new(path: &str, method: &str, operation: &Operation) -> Self {
        let words = path
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        let anchor = std::iter::once(method).chain(words).collect::<Vec<_>>().join("-");
        let who = match operation.security.as_slice() {
            [] => "",
            [one] if !one.is_empty() => "With a trustee's token.",
            _ => "With a signature, or with a trustee's token.",
        };
        let forms = |content: &BTreeMap<String, Content>| {
            let forms = content
                .iter()
                .map(|(form, content)| (form.clone(), kind(&content.schema)));
            forms.collect::<Vec<_>>()
        };
        Self {
            anchor,
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: Prose::new(&format!("{} {}", operation.summary, operation.description)),
            who,
            parameters: operation
                .parameters
                .iter()
                .map(|parameter| MemberView {
                    name: parameter.name.clone(),
                    place: parameter.place.clone(),
                    kind: kind(&parameter.schema),
                    is_optional: !parameter.required,
                    description: Prose::new(&parameter.description),
                })
                .collect(),
            body: operation
                .request_body
                .as_ref()
                .and_then(|body| forms(&body.content).pop())
                .map(|(_, kind)| kind),
            answers: operation
                .responses
                .iter()
                .map(|(status, answer)| AnswerView {
                    status: status.clone(),
                    description: Prose::new(&answer.description),
                    forms: forms(&answer.content),
                })
                .collect(),
        }
    }
}

fn description(schema: &Value) -> Prose {
    Prose::new(schema["description"].as_str().unwrap_or_default())
}

fn list<'a>(schema: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    schema[member].as_array().into_iter().flatten()
}

/// The members of an object, for each form that it may have.
fn forms(schema: &Value) -> Vec<Vec<MemberView>> {
    let alternatives: Vec<_> = list(schema, "oneOf").flat_map(forms).collect();
    if !alternatives.is_empty() {
        return alternatives;
    }
    // The parts of one object; those that have a name of their own are led to.
    let parts = list(schema, "allOf").flat_map(|part| match part.get("$ref") {
        Some(_) => vec![MemberView {
            name: "…".to_owned(),
            place: String::new(),
            kind: kind(part),
            is_optional: false,
            description: Prose::new("All its members."),
        }],
        None => members(part),
    });
    let own = members(schema);
    vec![parts.chain(own).collect()]
}

fn members(schema: &Value) -> Vec<MemberView> {
    let is_required = |name: &str| list(schema, "required").any(|required| required == name);
    let members = schema["properties"].as_object().into_iter().flatten();
    members
        .map(|(name, member)| MemberView {
            name: name.clone(),
            place: String::new(),
            kind: kind(member),
            is_optional: !is_required(name),
            description: description(member),
        })
        .collect()
}

fn kind(schema: &Value) -> Kind {
    let plain = |words: &str| Kind {
        before: words.to_owned(),
        ..Kind::default()
    };
    if let Some(reference) = schema["$ref"].as_str() {
        return Kind {
            name: reference.rsplit('/').next().map(ToOwned::to_owned),
            ..Kind::default()
        };
    }
    if let Some(words) = list(schema, "enum").next().and_then(Value::as_str) {
        return plain(&format!("“{words}”"));
    }
    // A reference with a description beside it, or something that may be null.
    let mut alternatives = list(schema, "oneOf").chain(list(schema, "allOf")).map(kind);
    if let Some(one) = alternatives.find(|kind| kind.before != "null") {
        return one;
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let inside = |words: &str, inner: Kind| Kind {
        before: format!("{words}{}", inner.before),
        ..inner
    };
    match types.first().copied() {
        Some("array") => inside("list of ", kind(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            let mut kind = kind(&schema["additionalProperties"]);
            kind.after += " for each name";
            kind
        }
        Some("integer") => plain("number"),
        Some("string") => match schema["format"].as_str() {
            Some("date-time") => plain("time"),
            Some("date") => plain("day"),
            Some("binary") => plain("bytes"),
            _ => plain("text"),
        },
        Some(name) => plain(name),
        None => plain("anything"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(schema: &Value) -> String {
        let Kind { before, name, after } = kind(schema);
        format!("{before}{}{after}", name.unwrap_or_default())
    }

    #[test]
    fn kinds_are_said_in_words() {
        for (schema, said) in [
            (json!({ "type": "string" }), "text"),
            (
                json!({ "type": ["string", "null"], "format": "date-time" }),
                "time",
            ),
            (
                json!({ "type": "array", "items": { "$ref": "#/components/schemas/Line" } }),
                "list of Line",
            ),
            (
                json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
                "number for each name",
            ),
            (
                json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x/Line" }] }),
                "Line",
            ),
            (json!({}), "anything"),
        ] {
            assert_eq!(words(&schema), said, "{schema}");
        }
    }
}
