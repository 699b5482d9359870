//! How pages write times, sizes and lengths.

use std::fmt;

use docket_core::{location::Location, time::Timestamp};

/// A time, to the minute; its exact form is in the element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

/// Only digits and signs are written.
impl askama::filters::HtmlSafe for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.to_string();
        // `YYYY-MM-DDTHH:MM:SS.mmmZ`
        let (day, time) = (exact.get(..10), exact.get(11..16));
        write!(
            f,
            "<time datetime=\"{exact}\" title=\"{exact}\">{} {}</time>",
            day.unwrap_or_default(),
            time.unwrap_or_default()
        )
    }
}

/// A day; the exact time is in the element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day(pub(super) Timestamp);

impl askama::filters::HtmlSafe for Day {}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.to_string();
        let day = exact.get(..10).unwrap_or_default();
        write!(f, "<time datetime=\"{exact}\" title=\"{exact}\">{day}</time>")
    }
}

/// A size, for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["kB", "MB", "GB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    // What would be written as 1000.0 is one of the next unit.
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A length of time, for people; nothing where clocks say that it was negative.
pub(crate) fn length(millis: i64) -> String {
    match millis.max(0) {
        millis @ ..1_000 => format!("{millis} ms"),
        millis @ ..60_000 => format!("{:.1} s", (millis / 100) as f64 / 10.0),
        millis @ ..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
        millis => format!("{} h {} min", millis / 3_600_000, millis % 3_600_000 / 60_000),
    }
}

/// `1 package`, `2,000 packages`.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", thousands(number)),
    }
}

/// A number with a comma before each three digits.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The page of a location at its host, if that is on the web.
pub(super) fn host_page(location: &Location) -> Option<String> {
    match location {
        Location::GitHub { owner, repo, .. } => Some(format!("https://github.com/{owner}/{repo}")),
        Location::Git { url, .. } => {
            (url.starts_with("https://") || url.starts_with("http://")).then(|| url.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lengths_are_short() {
        for (bytes, text) in [
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (5_000_000_000_000, "5000.0 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (millis, text) in [
            (-1, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (3_599_999, "59 min 59 s"),
            (3_600_000, "1 h 0 min"),
        ] {
            assert_eq!(length(millis), text);
        }
    }

    #[test]
    fn large_numbers_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(count(1_158, "package"), "1,158 packages");
    }

    #[test]
    fn a_time_is_written_to_the_minute() {
        let moment = Moment("2026-08-18T07:02:11.004Z".parse().unwrap());
        assert_eq!(
            moment.to_string(),
            "<time datetime=\"2026-08-18T07:02:11.004Z\" title=\"2026-08-18T07:02:11.004Z\">2026-08-18 07:02</time>"
        );
    }
}
