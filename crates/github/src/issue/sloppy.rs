//! Reads JSON as people write it: with trailing commas, comments, single or typographic quotes, or none at all.
//!
//! `json5` reads most of that. It does not read words without quotes as values, which is how many people write a version, so
//! those are given their quotes first.

use serde_json::{Map, Value};

use super::blocks::Object;

/// Deeper than any operation; what reads JSON5 has no limit of its own.
const MAX_DEPTH: usize = 32;
/// Reasons are shown to people: what goes beyond this is cut.
const REASON_CHARS: usize = 300;

/// Reads an object.
///
/// # Errors
/// Says why the text is none.
pub(super) fn read(text: &str) -> Result<Object, String> {
    if is_too_deep(text) {
        return Err(format!("it is nested more than {MAX_DEPTH} levels deep"));
    }
    let strict = match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(fields) => {
            return Ok(Object {
                fields,
                // As it stands, so that a key that occurs twice is noticed.
                text: text.to_owned(),
                strict: true,
            });
        }
        Err(error) => error,
    };
    match json5::from_str::<Map<String, Value>>(&with_quotes(text)) {
        Ok(fields) => Ok(Object {
            text: Value::Object(fields.clone()).to_string(),
            fields,
            strict: false,
        }),
        Err(_) => Err(strict.to_string().chars().take(REASON_CHARS).collect()),
    }
}

/// Counts brackets wherever they stand, which at worst refuses a text that is odd anyway.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// Puts quotes around words that have none, and plain ones in place of typographic ones.
fn with_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '"' | '\'' => string_end(rest, c),
            '“' | '”' | '„' => {
                let inner = &rest[c.len_utf8()..];
                let length = inner.find(['“', '”', '"']).unwrap_or(inner.len());
                out.push_str(&Value::from(&inner[..length]).to_string());
                let closing = inner[length..].chars().next().map_or(0, char::len_utf8);
                rest = &inner[length + closing..];
                continue;
            }
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            c if is_in_word(c) => {
                let length = rest.find(|c| !is_in_word(c)).unwrap_or(rest.len());
                let word = &rest[..length];
                if is_value(word) {
                    out.push_str(word);
                } else {
                    out.push_str(&Value::from(word).to_string());
                }
                rest = &rest[length..];
                continue;
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    out
}

/// Returns the length of the string literal that `text` begins with, both quotes included.
fn string_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_in_word(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(
            c,
            '{' | '}' | '[' | ']' | ':' | ',' | '"' | '\'' | '“' | '”' | '„'
        )
}

/// Whether a word means something without quotes.
fn is_value(word: &str) -> bool {
    serde_json::from_str::<Value>(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tidy(text: &str) -> Value {
        let text = read(text).unwrap().text;
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn words_without_quotes_are_strings_unless_they_mean_something() {
        assert_eq!(
            tidy("{name: effect, version: 4.0.0, ok: true, none: null, n: 3}"),
            json!({"name": "effect", "version": "4.0.0", "ok": true, "none": null, "n": 3})
        );
    }

    #[test]
    fn typographic_quotes_are_quotes() {
        assert_eq!(
            tidy("{“name”: “effect”, „a”: “it's”}"),
            json!({"name": "effect", "a": "it's"})
        );
    }

    #[test]
    fn comments_trailing_commas_and_single_quotes_are_read() {
        let text = "{ // mine\n 'name': 'effect', /* and */ \"list\": [1, 2,],\n}";
        assert_eq!(tidy(text), json!({"name": "effect", "list": [1, 2]}));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "{",
            "{]",
            "{a}",
            "{a b}",
            "[1]",
            "{\"a\": \"b}",
            "{'a': 'b}",
            "{“a",
            "{a: //",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tower_of_brackets_is_refused_before_it_falls_on_us() {
        let tower = "{a:".repeat(20_000) + "1" + &"}".repeat(20_000);
        assert!(read(&tower).unwrap_err().contains("32 levels"));
        let tower = "[".repeat(100_000);
        assert!(read(&format!("{{a: {tower}")).is_err());
    }
}
