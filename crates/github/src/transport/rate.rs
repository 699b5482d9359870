//! GitHub's rate limits: read off its answers, and respected before the next question.
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::sync::atomic::{AtomicI64, Ordering};

use docket_core::time::Timestamp;
use http::{HeaderMap, StatusCode};

use crate::Error;

/// GitHub's windows are an hour long: a header that says more is wrong, and must not keep us away for days.
const MAX_PAUSE_MILLIS: i64 = 3_600_000;
/// How long to stay away when GitHub does not say (its documentation asks for a minute at least).
const DEFAULT_PAUSE_MILLIS: i64 = 60_000;
/// A time that has passed already, by our clock, still is a wish to be left alone.
const MIN_PAUSE_MILLIS: i64 = 1_000;

/// Closed while GitHub wants no calls of ours.
#[derive(Debug)]
pub(super) struct Gate {
    /// Milliseconds since 1970.
    closed_until: AtomicI64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            closed_until: AtomicI64::new(i64::MIN),
        }
    }
}

impl Gate {
    pub(super) fn pass(&self, now: Timestamp) -> Result<(), Error> {
        let until = self.closed_until.load(Ordering::Relaxed);
        if now.millis() < until {
            return Err(Error::RateLimited {
                until: Timestamp::from_millis(until),
            });
        }
        Ok(())
    }

    pub(super) fn close(&self, until: Timestamp) {
        let before = self.closed_until.fetch_max(until.millis(), Ordering::Relaxed);
        if before < until.millis() {
            tracing::warn!(until = %until, "GitHub takes no calls from us until {until}");
        }
    }
}

/// When to call again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub until: Timestamp,
    /// The call was not answered; otherwise it was the last one that is.
    pub refused: bool,
}

/// Reads off an answer whether GitHub wants us to stay away.
pub(super) fn pause(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Pause> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let used_up = number("x-ratelimit-remaining") == Some(0);
    let retry_after = number("retry-after");
    let refused = match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => used_up || retry_after.is_some() || names_rate_limit(body),
        _ => false,
    };
    if !refused && !used_up {
        return None;
    }
    let reset = if used_up {
        number("x-ratelimit-reset")
    } else {
        None
    };
    let millis = match (retry_after, reset) {
        (Some(secs), _) => secs.saturating_mul(1_000),
        (None, Some(at)) => at.saturating_mul(1_000).saturating_sub(now.millis()),
        (None, None) => DEFAULT_PAUSE_MILLIS,
    };
    Some(Pause {
        until: now.plus_millis(millis.clamp(MIN_PAUSE_MILLIS, MAX_PAUSE_MILLIS)),
        refused,
    })
}

/// The secondary limits are told only in words.
fn names_rate_limit(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_000)]).to_ascii_lowercase();
    text.contains("rate limit") || text.contains("abuse detection")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_787_000_000_000;

    fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<(i64, bool)> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let now = Timestamp::from_millis(NOW);
        pause(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
            now,
        )
        .map(|pause| ((pause.until.millis() - NOW) / 1_000, pause.refused))
    }

    #[test]
    fn a_used_up_limit_ends_when_github_says() {
        let reset = (NOW / 1_000 + 90).to_string();
        let headers = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset.as_str()),
        ];
        assert_eq!(read(403, &headers, ""), Some((90, true)));
        assert_eq!(read(429, &headers, ""), Some((90, true)));
        assert_eq!(
            read(200, &headers, ""),
            Some((90, false)),
            "the last call of this hour"
        );
    }

    #[test]
    fn retry_after_wins() {
        assert_eq!(read(403, &[("retry-after", "30")], ""), Some((30, true)));
        assert_eq!(read(429, &[], ""), Some((60, true)));
    }

    #[test]
    fn a_secondary_limit_is_known_by_its_words() {
        let body = r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#;
        assert_eq!(
            read(403, &[("x-ratelimit-remaining", "4000")], body),
            Some((60, true))
        );
        assert_eq!(
            read(403, &[("x-ratelimit-remaining", "4000")], "{}"),
            None,
            "just forbidden"
        );
        assert_eq!(read(404, &[], ""), None);
    }

    #[test]
    fn a_nonsensical_time_keeps_nobody_away_for_days() {
        let headers = |reset| [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)];
        assert_eq!(read(403, &headers("99999999999999"), ""), Some((3_600, true)));
        assert_eq!(
            read(403, &headers("9223372036854775807"), ""),
            Some((3_600, true))
        );
        assert_eq!(read(403, &headers("1"), ""), Some((1, true)));
        assert_eq!(read(403, &headers("soon"), ""), Some((60, true)));
        assert_eq!(read(403, &[("retry-after", "-5")], ""), Some((1, true)));
    }
}
