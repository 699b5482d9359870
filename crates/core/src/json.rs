//! How the registry reads and writes JSON (registry spec, sections 1.2 and 2.4).
//!
//! Reading: unknown fields are ignored, an optional field is present or absent but never `null`, and a key may
//! occur only once. Writing: keys in the order of the struct, absent fields left out, and the same escapes as
//! JavaScript's `JSON.stringify`, which is what `serde_json` does for valid strings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;

/// Why a JSON text is not the value that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is not JSON at all.
    #[error("not valid JSON: {message} (line {line}, column {column})")]
    Syntax {
        /// What the parser stumbled over.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1; 0 when the text ends too early.
        column: usize,
    },
    /// It is JSON, but a field is missing or breaks a rule.
    #[error("{}{message}", Prefix(.path))]
    Field {
        /// Where, such as `dependencies.prelude`; empty for the whole document.
        path: String,
        /// Which rule is broken.
        message: String,
    },
}

/// Prints `path: `, or nothing for the document itself.
struct Prefix<'a>(&'a str);

impl Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            path => write!(f, "{path}: "),
        }
    }
}

/// Reads one JSON document, naming the field in the error when a rule is broken.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or is not a `T`.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => String::new(),
            path => path.trim_end_matches(".?").to_owned(),
        };
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => DecodeError::Field {
                path,
                message: without_place(&error),
            },
            _ => syntax(&error),
        }
    })?;
    reader.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

fn syntax(error: &serde_json::Error) -> DecodeError {
    DecodeError::Syntax {
        message: without_place(error),
        line: error.line(),
        column: error.column(),
    }
}

/// The message alone: `serde_json` always ends it with the place.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Writes a value in one line without spaces, as in the manifest index and in HTTP answers.
pub fn to_compact<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("registry values have string keys and cannot fail to serialise")
}

/// Writes a value over several lines, two spaces deep, with a newline at the end, as in the registry repository.
pub fn to_pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value)
        .expect("registry values have string keys and cannot fail to serialise");
    text.push('\n');
    text
}

/// For optional fields: absent is `None`, present must be a `T`, and `null` is neither.
///
/// Use with `#[serde(default, deserialize_with = "json::present")]`.
///
/// # Errors
/// Whatever `T` says about the value.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// For optional lists: when the field is there, it holds at least one element.
///
/// # Errors
/// When the list is empty, or an element is not a `T`.
pub fn present_non_empty<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list = Vec::<T>::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(de::Error::custom(
            "the list is empty: leave the field out or name at least one element",
        ));
    }
    Ok(Some(list))
}

/// For maps: the same key twice is an error, because which of the two was meant cannot be known.
///
/// # Errors
/// On a repeated key, or when a key or value breaks its own rule.
pub fn unique_map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + Display,
    V: Deserialize<'de>,
{
    struct UniqueMap<K, V>(PhantomData<(K, V)>);

    impl<'de, K, V> Visitor<'de> for UniqueMap<K, V>
    where
        K: Deserialize<'de> + Ord + Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<K>()? {
                if map.contains_key(&key) {
                    return Err(de::Error::custom(format_args!(
                        "the key `{key}` occurs twice: keep one"
                    )));
                }
                let value = access.next_value()?;
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(UniqueMap(PhantomData))
}

/// Checks that a text is one JSON document in which no object has the same key twice, at any depth.
///
/// [`decode`] refuses a repeated key of the type it reads; this also looks into fields that nobody reads. For texts
/// that are signed: two readers must not understand one signed text in two ways.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or has a repeated key.
pub fn check_unique_keys(text: &str) -> Result<(), DecodeError> {
    decode::<UniqueKeys>(text).map(|UniqueKeys| ())
}

/// Any JSON value, of which nothing is kept.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        while access.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = access.next_key::<String>()? {
            access.next_value::<Self>()?;
            if let Some(key) = keys.replace(key) {
                return Err(de::Error::custom(format_args!(
                    "the key `{key}` occurs twice: keep one"
                )));
            }
        }
        Ok(self)
    }
}

/// Makes a type that parses with `FromStr` and prints with `Display` a JSON string.
macro_rules! json_string {
    ($type:ty, $expecting:literal) => {
        json_string!($type, $expecting, std::str::FromStr::from_str);
    };
    ($type:ty, $expecting:literal, $parse:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        $parse(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}

pub(crate) use json_string;

/// Lets a struct be read from an object only.
///
/// The code that serde derives also takes an array with the fields in order, which nobody means to send. The
/// struct derives with `#[serde(remote = "Self")]`, which makes plain functions, and this makes the traits.
macro_rules! json_object {
    ($type:ty) => {
        json_object!($type, read only);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$type>::serialize(self, serializer)
            }
        }
    };
    ($type:ty, read only) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$type>::deserialize(crate::json::ObjectOnly(deserializer))
            }
        }
    };
}

pub(crate) use json_object;

/// A deserializer that asks for a map where a struct is wanted.
pub(crate) struct ObjectOnly<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ObjectOnly<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(remote = "Self", expecting = "an example")]
    struct Example {
        #[serde(default, deserialize_with = "present")]
        id: Option<String>,
        #[serde(default, deserialize_with = "present_non_empty")]
        list: Option<Vec<u8>>,
        #[serde(default, deserialize_with = "unique_map")]
        map: BTreeMap<String, u8>,
    }

    json_object!(Example, read only);

    fn message(text: &str) -> String {
        decode::<Example>(text).unwrap_err().to_string()
    }

    #[test]
    fn an_optional_field_may_be_absent_but_not_null() {
        assert_eq!(decode::<Example>("{}").unwrap().id, None);
        assert_eq!(
            decode::<Example>(r#"{"id":"a","other":null}"#).unwrap().id,
            Some("a".to_owned())
        );
        assert_eq!(
            message(r#"{"id":null}"#),
            "id: invalid type: null, expected a string"
        );
    }

    #[test]
    fn a_present_list_is_not_empty() {
        assert!(message(r#"{"list":[]}"#).starts_with("list: the list is empty"));
        assert_eq!(decode::<Example>(r#"{"list":[1]}"#).unwrap().list, Some(vec![1]));
    }

    #[test]
    fn a_key_occurs_once() {
        assert_eq!(
            message(r#"{"map":{"a":1,"a":2}}"#),
            "map: the key `a` occurs twice: keep one"
        );
        assert_eq!(message(r#"{"id":"a","id":"b"}"#), "duplicate field `id`");
    }

    #[test]
    fn a_signed_text_repeats_no_key_at_any_depth() {
        for text in [
            r#"{"a":1,"b":{"a":[{"a":null},{"a":-1.5}]},"c":true,"":"x"}"#,
            "[]",
            "null",
        ] {
            assert_eq!(check_unique_keys(text), Ok(()), "{text}");
        }
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[{"a":1,"\u0061":2}]}"#,
        ] {
            let error = check_unique_keys(text).unwrap_err().to_string();
            assert!(error.contains("the key `a` occurs twice"), "{text}: {error}");
        }
        for text in ["", "{} {}", "{}x", r#"{"a":1,}"#, "{'a':1}", &"[".repeat(1000)] {
            assert!(check_unique_keys(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_the_field_or_the_place() {
        assert!(message(r#"{"map":{"a":true}}"#).starts_with("map.a: invalid type: boolean"));
        assert_eq!(
            message("{\n  \"id\" 3}"),
            "not valid JSON: expected `:` (line 2, column 8)"
        );
        assert!(message("{} {}").starts_with("not valid JSON: trailing characters"));
        assert!(message("").starts_with("not valid JSON: EOF"));
    }

    #[test]
    fn an_object_cannot_be_written_as_an_array() {
        assert_eq!(
            message(r#"["a",[1],{}]"#),
            "invalid type: sequence, expected an example"
        );
    }

    #[test]
    fn text_is_escaped_as_javascript_does() {
        assert_eq!(
            to_compact(&"ä / \u{7f} \u{2028} \" \\ \n \t \u{8} \u{c} \r \u{1f}"),
            "\"ä / \u{7f} \u{2028} \\\" \\\\ \\n \\t \\b \\f \\r \\u001f\""
        );
    }
}
