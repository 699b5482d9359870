//! Query rules of the two job reads (registry.md §1.7): what does not parse counts as absent, and the first of several counts.
//! What is not in registry.md is refused when it does not parse (see [`super::job_filter`]).

use std::{
    borrow::Cow,
    str::{FromStr, Utf8Error},
};

use docket_core::time::Timestamp;
use docket_jobs::Order;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The earliest time these routes look at unless told otherwise: the old server's beginning.
const BEGINNING: &str = "2026-01-31T00:00:00.000Z";

/// Where a list goes on.
pub(super) const CURSOR: &str = "cursor";

/// What cannot stand in a `Link` header as it is.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'<').add(b'>').add(b'"').add(b' ');

/// The raw parameters of a request.
pub(super) struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Self {
        Self(query.unwrap_or_default())
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self
            .0
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        Some(value)
    }

    fn first(&self, name: &str) -> Option<Cow<'a, str>> {
        percent_decode_str(self.raw(name)?).decode_utf8().ok()
    }

    pub(super) fn parse<T: FromStr>(&self, name: &str) -> Option<T> {
        self.first(name)?.parse().ok()
    }

    /// Returns a parameter as a form sends it, where `+` is a space. `Err` when it is not text.
    pub(super) fn form(&self, name: &str) -> Result<Option<String>, Utf8Error> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        let spaced = raw.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8()?;
        Ok(Some(text.into_owned()))
    }

    /// Returns these parameters with another `cursor`, as a reference to be read beside the address of the request: whatever stands in front of
    /// us may have called it otherwise than we do.
    pub(super) fn link(&self, cursor: &str) -> String {
        let others = self.0.split('&').filter(|pair| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !pair.is_empty() && name != CURSOR
        });
        let mut link = String::from("?");
        for pair in others {
            // What could end the reference, or the header, is not in a query that clients send unencoded.
            link.extend(utf8_percent_encode(pair, UNSAFE));
            link.push('&');
        }
        link + CURSOR + "=" + cursor
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        Timestamp::parse_strict(&self.first(name)?).ok()
    }

    pub(super) fn since(&self) -> Timestamp {
        self.time("since")
            .unwrap_or_else(|| BEGINNING.parse().expect("the constant is a time"))
    }

    /// `None` when it was not given: then it means now.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.time("until")
    }

    pub(super) fn order(&self) -> Order {
        match self.first("order").as_deref() {
            Some("DESC") => Order::Descending,
            _ => Order::Ascending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that does not parse is as good as none, and so is a time with too few digits.
    #[test]
    fn what_does_not_parse_counts_as_absent() {
        let parameters = Parameters::new(Some("since=yesterday&until=2026-02-01T00%3A00%3A00Z&order=down"));
        assert_eq!(parameters.since().to_string(), BEGINNING);
        assert_eq!(parameters.until(), None);
        assert_eq!(parameters.order(), Order::Ascending);
    }

    /// Percent-encoded colons are fine, and the first of two values counts.
    #[test]
    fn the_first_of_several_values_counts() {
        let parameters = Parameters::new(Some(
            "since=2026-02-01T00%3A00%3A00.000Z&since=2026-03-01T00:00:00.000Z",
        ));
        assert_eq!(parameters.since().to_string(), "2026-02-01T00:00:00.000Z");
    }
}
