//! Times and dates. All are UTC; nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Timelike, Utc};

use crate::json::json_string;

/// The first and last millisecond that can be written with a year of four digits.
const FIRST_MILLIS: i64 = -62_167_219_200_000;
const LAST_MILLIS: i64 = 253_402_300_799_999;

/// A moment, to the millisecond; printed as `YYYY-MM-DDTHH:MM:SS.mmmZ`.
///
/// Clients read no other form: no offset, never more than three fraction digits (registry spec, section 1.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A day; printed as `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

/// Why a text is not a time or date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a time.
    #[error("`{text}` is not a time: write it as `2026-01-31T12:00:00.000Z`")]
    Timestamp {
        /// The refused text.
        text: String,
    },
    /// Not a date.
    #[error("`{text}` is not a date: write it as `2026-01-31`")]
    Date {
        /// The refused text.
        text: String,
    },
}

impl Timestamp {
    /// Later than any time that occurs: the last millisecond of the year 9999.
    pub const MAX: Self = Self(LAST_MILLIS);

    /// The time `millis` milliseconds later.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.millis().saturating_add(millis))
    }

    /// The next time that can be told apart.
    #[must_use]
    pub fn next_millisecond(self) -> Self {
        self.plus_millis(1)
    }

    /// Makes a time from milliseconds since 1970. Years outside 0 to 9999 are moved to the nearest end.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(FIRST_MILLIS, LAST_MILLIS))
    }

    /// Returns the milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Returns the day this moment falls on.
    pub fn date(self) -> Date {
        Date(self.to_chrono().date_naive())
    }

    /// Returns the same moment for libraries that speak chrono.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).expect("chrono knows every year from 0 to 9999")
    }

    /// Reads a time with exactly three fraction digits, as the query parameters of the HTTP API demand.
    ///
    /// # Errors
    /// For every other form.
    pub fn parse_strict(text: &str) -> Result<Self, TimeError> {
        if text.len() == "YYYY-MM-DDTHH:MM:SS.mmmZ".len() {
            text.parse()
        } else {
            Err(TimeError::Timestamp {
                text: text.chars().take(40).collect(),
            })
        }
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_millis(time.timestamp_millis())
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads a time with none to three fraction digits; missing ones are zeros.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read_timestamp(text).ok_or_else(|| TimeError::Timestamp {
            text: text.chars().take(40).collect(),
        })
    }
}

fn read_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (day, rest) = bytes.split_at_checked("YYYY-MM-DD".len())?;
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ .., b'Z'] = rest else {
        return None;
    };
    let millis = match fraction {
        [] => 0,
        [b'.', a] => number(&[*a, b'0', b'0'])?,
        [b'.', a, b] => number(&[*a, *b, b'0'])?,
        [b'.', a, b, c] => number(&[*a, *b, *c])?,
        _ => return None,
    };
    let time = NaiveTime::from_hms_milli_opt(
        number(&[*h1, *h2])?,
        number(&[*m1, *m2])?,
        number(&[*s1, *s2])?,
        millis,
    )?;
    Some(Timestamp(
        read_day(day)?.and_time(time).and_utc().timestamp_millis(),
    ))
}

fn read_day(bytes: &[u8]) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else {
        return None;
    };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

/// A time as people read it, to the second: `2026-11-29 14:27:23 UTC`.
#[derive(Debug, Clone, Copy)]
pub struct ForPeople(pub Timestamp);

impl fmt::Display for ForPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.to_chrono();
        write!(f, "{} {} UTC", self.0.date(), time.format("%H:%M:%S"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.to_chrono();
        write!(
            f,
            "{}T{:02}:{:02}:{:02}.{:03}Z",
            self.date(),
            time.hour(),
            time.minute(),
            time.second(),
            time.timestamp_subsec_millis()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

json_string!(Timestamp, "a time such as \"2026-01-31T12:00:00.000Z\"");

impl FromStr for Date {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read_day(text.as_bytes())
            .map(Self)
            .ok_or_else(|| TimeError::Date {
                text: text.chars().take(40).collect(),
            })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            self.0.month(),
            self.0.day()
        )
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

json_string!(Date, "a date such as \"2026-01-31\"");

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_prints_with_three_fraction_digits_and_z() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(
            Timestamp::from_millis(1_785_000_013_004).to_string(),
            "2026-07-25T17:20:13.004Z"
        );
    }

    #[test]
    fn a_time_for_people_ends_with_its_second() {
        let time = timestamp("2026-07-05T07:20:03.904Z");
        assert_eq!(ForPeople(time).to_string(), "2026-07-05 07:20:03 UTC");
    }

    #[test]
    fn none_to_three_fraction_digits_are_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.1Z", 100),
            ("1970-01-01T00:00:00.12Z", 120),
            ("1970-01-01T00:00:00.123Z", 123),
            ("2024-02-29T00:00:00.000Z", 1_709_164_800_000),
        ] {
            assert_eq!(timestamp(text).millis(), millis, "{text}");
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234Z",
            "1970-01-01T00:00:00.000+00:00",
            "1970-01-01T00:00:00.000z",
            "1970-01-01 00:00:00.000Z",
            "1970-1-1T00:00:00.000Z",
            "2023-02-29T00:00:00.000Z",
            "1970-01-01T24:00:00.000Z",
            "1970-01-01T00:60:00.000Z",
            "1970-01-01T00:00:60.000Z",
            " 1970-01-01T00:00:00.000Z",
            "1970-01-01T00:00:00.000Zé",
            "+970-01-01T00:00:00.000Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn query_parameters_need_exactly_three_fraction_digits() {
        assert!(Timestamp::parse_strict("1970-01-01T00:00:00.000Z").is_ok());
        for text in [
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.0Z",
            "1970-01-01T00:00:00.00Z",
        ] {
            assert!(Timestamp::parse_strict(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_outside_four_digit_years_stay_printable() {
        assert_eq!(
            Timestamp::from_millis(i64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
        assert_eq!(
            Timestamp::from_millis(i64::MIN).to_string(),
            "0000-01-01T00:00:00.000Z"
        );
        assert_eq!(
            timestamp("0000-01-01T00:00:00.000Z"),
            Timestamp::from_millis(i64::MIN)
        );
        assert_eq!(
            timestamp("9999-12-31T23:59:59.999Z"),
            Timestamp::from_millis(i64::MAX)
        );
    }

    #[test]
    fn a_date_is_a_day() {
        assert_eq!("2026-08-18".parse::<Date>().unwrap().to_string(), "2026-08-18");
        assert_eq!(
            timestamp("2026-08-18T23:59:59.999Z").date(),
            "2026-08-18".parse().unwrap()
        );
        for text in [
            "",
            "2026-8-18",
            "2026-13-01",
            "2026-02-30",
            "2026-08-18T",
            "18.08.2026",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
