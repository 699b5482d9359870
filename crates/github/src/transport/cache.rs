//! Earlier answers with their ETags. GitHub does not count a question that it can answer with "not modified".

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use http::header::LINK;
use http::{HeaderValue, Response};
use http_body_util::Full;

/// What an entry costs beside its body and address.
const ENTRY_BYTES: usize = 256;

/// An answer, with what is needed to ask whether it still holds.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub etag: HeaderValue,
    /// Where the next page is: GitHub leaves it out when nothing was modified.
    pub link: Option<HeaderValue>,
    pub body: Bytes,
}

impl Remembered {
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        if let Some(link) = self.link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

/// Answers to our own questions by address, up to so many bytes; the one unused for longest goes first.
#[derive(Debug)]
pub(super) struct Cache {
    limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, (Remembered, u64)>,
    bytes: usize,
    uses: u64,
}

impl Cache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            state: Mutex::default(),
        }
    }

    pub(super) fn get(&self, address: &str) -> Option<Remembered> {
        let mut state = self.state();
        state.uses += 1;
        let use_number = state.uses;
        let (remembered, last_use) = state.entries.get_mut(address)?;
        *last_use = use_number;
        Some(remembered.clone())
    }

    pub(super) fn put(&self, address: &str, remembered: Remembered) {
        let bytes = cost(address, &remembered);
        let mut state = self.state();
        state.remove(address);
        if bytes > self.limit_bytes {
            return;
        }
        if state.bytes + bytes > self.limit_bytes {
            // An eighth more than needed, so that a full cache is not searched at every answer.
            state.shrink_to(self.limit_bytes - bytes.max(self.limit_bytes / 8));
        }
        state.uses += 1;
        state.bytes += bytes;
        let use_number = state.uses;
        state.entries.insert(address.to_owned(), (remembered, use_number));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, address: &str) {
        if let Some((remembered, _)) = self.entries.remove(address) {
            self.bytes -= cost(address, &remembered);
        }
    }

    fn shrink_to(&mut self, bytes: usize) {
        let mut oldest: Vec<(u64, String)> = self
            .entries
            .iter()
            .map(|(address, (_, last_use))| (*last_use, address.clone()))
            .collect();
        oldest.sort_unstable();
        for (_, address) in oldest {
            if self.bytes <= bytes {
                break;
            }
            self.remove(&address);
        }
    }
}

fn cost(address: &str, remembered: &Remembered) -> usize {
    address.len() + remembered.body.len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(length: usize) -> Remembered {
        Remembered {
            etag: HeaderValue::from_static("\"a\""),
            link: None,
            body: Bytes::from(vec![0; length]),
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::new(10_000);
        for address in ["a", "b", "c"] {
            cache.put(address, remembered(2_500));
        }
        assert!(cache.get("a").is_some());
        cache.put("d", remembered(2_500));
        assert!(cache.get("a").is_some(), "used a moment ago");
        assert!(cache.get("b").is_none());
        assert!(cache.get("d").is_some());
    }

    #[test]
    fn memory_stays_within_its_limit() {
        let cache = Cache::new(10_000);
        for number in 0..1_000 {
            cache.put(&format!("/{number}"), remembered(number * 7 % 3_000));
            assert!(cache.state().bytes <= 10_000);
        }
        cache.put("/999", remembered(20_000));
        assert!(
            cache.get("/999").is_none(),
            "too large to keep, and the old answer is out of date"
        );
        let state = cache.state();
        let counted: usize = state
            .entries
            .iter()
            .map(|(address, (it, _))| cost(address, it))
            .sum();
        assert_eq!(state.bytes, counted);
    }
}
