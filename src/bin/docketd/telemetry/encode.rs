//! Spans as the JSON of OTLP: ids in hexadecimal, times as nanoseconds since 1970 in text.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{Span, SpanEvent};

/// The body of a request.
pub(super) fn encode(spans: &[Span]) -> String {
    let about = BTreeMap::from([
        ("service.name".to_owned(), json!("docketd")),
        ("service.version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
    ]);
    json!({
        "resourceSpans": [{
            "resource": { "attributes": attributes(&about) },
            "scopeSpans": [{
                "scope": { "name": "docketd" },
                "spans": spans.iter().map(span).collect::<Vec<_>>(),
            }],
        }],
    })
    .to_string()
}

fn span(span: &Span) -> Value {
    // Requests come from outside, jobs from inside.
    let (server, internal) = (2, 1);
    let mut value = json!({
        "traceId": format!("{:032x}", span.trace_id),
        "spanId": format!("{:016x}", span.span_id),
        "name": span.name,
        "kind": if span.name == "request" { server } else { internal },
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.ended),
        "attributes": attributes(&span.fields),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "status": if span.failed { json!({ "code": 2 }) } else { json!({}) },
    });
    if let Some(parent) = span.parent_id {
        value["parentSpanId"] = format!("{parent:016x}").into();
    }
    value
}

fn event(event: &SpanEvent) -> Value {
    let mut fields = event.fields.clone();
    let name = fields.remove("message").unwrap_or_default();
    json!({
        "timeUnixNano": nanos(event.at),
        "name": name.as_str().unwrap_or_default(),
        "attributes": attributes(&fields),
    })
}

fn attributes(fields: &BTreeMap<String, Value>) -> Vec<Value> {
    let attribute = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Bool(value) => json!({ "boolValue": value }),
            Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            Value::String(text) => json!({ "stringValue": text }),
            other => json!({ "stringValue": other.to_string() }),
        };
        json!({ "key": name, "value": value })
    };
    fields.iter().map(attribute).collect()
}

fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos()
        .to_string()
}
