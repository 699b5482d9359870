//! One figure: a line for people, and a JSON object for `benches/run`.

use serde_json::{Value, json};

/// Prints one figure of `system` on `database`; `values` is an object.
pub(crate) fn print(system: &str, database: &str, figure: &str, line: &str, values: Value) {
    println!("  {line}");
    if std::env::args().any(|argument| argument == "--json") {
        let mut object = json!({ "system": system, "database": database, "figure": figure });
        if let (Some(object), Value::Object(values)) = (object.as_object_mut(), values) {
            object.extend(values);
        }
        println!("{object}");
    }
}

/// The value below which `share` of the sorted `values` lie.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let place = (values.len() as f64 * share) as usize;
    values
        .get(place.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
