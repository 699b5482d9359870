//! How much one client may ask for, so that none keeps the others from being answered.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use docket_http::Problem;
use docket_jobs::Actor;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::v1;

/// How long somebody who may not watch a log now should wait, in seconds.
const WATCH_LATER_SECS: u64 = 10;

/// How long somebody whose package has too many jobs should wait, in seconds.
const QUEUE_LATER_SECS: u64 = 60;

/// How often addresses are forgotten that have not asked for anything lately.
const FORGET: Duration = Duration::from_secs(60);

/// What is allowed.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Requests that one address may send in a minute; without, there is no limit.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Of these, requests for an operation or another change (`POST` below `/api/`).
    pub changes_per_minute: Option<NonZeroU32>,
    /// Operations that one key or token may ask for in a minute, from wherever; without, there is no limit.
    pub changes_per_minute_by_key: Option<NonZeroU32>,
    /// Logs that are followed at once, by all clients together.
    pub watchers: usize,
    /// Jobs of one kind that wait or run for one package, when somebody asks for another one.
    pub active_jobs_per_package: i64,
    /// Networks of proxies before this server, which say in `X-Forwarded-For` who came to them. Nobody else is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            requests_per_minute: NonZeroU32::new(3000),
            changes_per_minute: NonZeroU32::new(60),
            changes_per_minute_by_key: NonZeroU32::new(120),
            // Fewer than connections, so that whoever does not watch finds a place.
            watchers: 8_000,
            active_jobs_per_package: 100,
            trusted_proxies: Vec::new(),
        }
    }
}

/// What was asked for lately, by those who asked.
type Lately<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Nobody has asked for anything yet.
fn lately<K: Clone + Eq + Hash>(per_minute: NonZeroU32) -> Lately<K> {
    RateLimiter::new(
        Quota::per_minute(per_minute),
        HashMapStateStore::default(),
        DefaultClock::default(),
    )
}

/// Counts one more; `whose` and `what` say in a refusal what is too much.
fn count<K: Clone + Eq + Hash>(
    lately: &Lately<K>,
    key: &K,
    whose: &str,
    what: &str,
) -> Result<Told, (Problem, Told)> {
    lately
        .check_key(key)
        .map(|state| Told::new(state.quota().burst_size().get(), state.remaining_burst_capacity()))
        .map_err(|refused| {
            let limit = refused.quota().burst_size().get();
            let wait = refused.wait_time_from(lately.clock().now()).as_secs() + 1;
            let problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
            );
            let detail = format!("{whose} may send {limit} {what} in a minute. Try again in {wait} s.");
            (problem.detail(detail).retry_after_secs(wait), Told::new(limit, 0))
        })
}

fn forget<K: Clone + Eq + Hash>(lately: Option<&Lately<K>>) {
    if let Some(lately) = lately {
        lately.retain_recent();
        lately.shrink_to_fit();
    }
}

/// The rules, and what was asked for lately.
#[derive(Debug)]
pub struct Limits {
    rules: Rules,
    requests: Option<Lately<IpAddr>>,
    changes: Option<Lately<IpAddr>>,
    changes_by_key: Option<Lately<String>>,
    watchers: Arc<Semaphore>,
}

/// Somebody who follows a log: until the server stops, and counted until this value is gone.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) stopping: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Limits {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            requests: rules.requests_per_minute.map(lately),
            changes: rules.changes_per_minute.map(lately),
            changes_by_key: rules.changes_per_minute_by_key.map(lately),
            watchers: Arc::new(Semaphore::new(rules.watchers)),
            rules,
        }
    }

    /// Counts somebody who follows a log.
    pub(crate) fn watch(&self, stopping: CancellationToken) -> Result<Watching, Problem> {
        match self.watchers.clone().try_acquire_owned() {
            Ok(place) => Ok(Watching {
                stopping,
                _place: place,
            }),
            Err(_none_left) => {
                let problem = Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too-many-watchers",
                    "Too many watchers",
                );
                let detail = "As many logs are followed as this server allows. Try again in a while, or read the log page by page.";
                Err(problem.detail(detail).retry_after_secs(WATCH_LATER_SECS))
            }
        }
    }

    /// How many jobs of a kind may be active for a package.
    pub(crate) fn active_jobs(&self) -> i64 {
        self.rules.active_jobs_per_package
    }

    /// Refuses another job for a package that has `active` ones of its kind.
    pub(crate) fn check_queue(&self, active: i64) -> Result<(), Problem> {
        let most = self.active_jobs();
        if active <= most {
            return Ok(());
        }
        let problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "queue-full",
            "Too many jobs for this package",
        );
        let detail = format!(
            "{most} jobs like this one wait or run for this package already. Wait until some of them have ended."
        );
        Err(problem.detail(detail).retry_after_secs(QUEUE_LATER_SECS))
    }

    /// Forgets addresses that have not asked for anything lately, until `shutdown`.
    pub(crate) async fn forget(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(FORGET) => {}
                () = shutdown.cancelled() => return,
            }
            forget(self.requests.as_ref());
            forget(self.changes.as_ref());
            forget(self.changes_by_key.as_ref());
        }
    }

    /// Who sent a request: the peer, or whoever came to the proxies that are trusted. Each proxy adds the address from which it was asked at the end.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let told = headers.get_all("x-forwarded-for").iter();
        let told: Vec<&str> = told
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let mut client = peer.to_canonical();
        for told in told.iter().rev() {
            let is_proxy = self.rules.trusted_proxies.iter().any(|net| net.contains(&client));
            let Some(next) = told.trim().parse::<IpAddr>().ok().filter(|_| is_proxy) else {
                break;
            };
            client = next.to_canonical();
        }
        client
    }

    /// Counts a request, and returns what stands in its answer.
    fn count(&self, client: IpAddr, is_change: bool) -> Result<Option<Told>, (Problem, Told)> {
        // Whoever is on this machine, and no proxy for others, is one of us.
        if client.is_loopback() {
            return Ok(None);
        }
        let key = network(client);
        let counted = |lately: &Lately<IpAddr>, what| count(lately, &key, "This address", what);
        let mut told = self
            .requests
            .as_ref()
            .map(|lately| counted(lately, "requests"))
            .transpose()?;
        if is_change && let Some(lately) = &self.changes {
            told = Some(counted(lately, "changes")?);
        }
        Ok(told)
    }

    /// Counts an operation of somebody who has proved who it is: no stranger can use up what a key may do.
    pub(crate) fn count_key(&self, actor: &Actor) -> Result<(), Problem> {
        let Some(lately) = &self.changes_by_key else {
            return Ok(());
        };
        let key = actor.key.clone().unwrap_or_else(|| actor.to_string());
        count(lately, &key, "This key or token", "operations")
            .map(drop)
            .map_err(|(problem, _)| problem)
    }
}

/// What counts as one client: providers give each customer of IPv6 a whole network.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

/// What the headers of an answer say.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    limit: u32,
    remaining: u32,
    /// Seconds until as many are allowed as ever.
    reset: u32,
}

impl Told {
    fn new(limit: u32, remaining: u32) -> Self {
        let used = u64::from(limit - remaining.min(limit));
        let reset = (used * 60).div_ceil(u64::from(limit));
        Self {
            limit,
            remaining,
            reset: u32::try_from(reset).unwrap_or(u32::MAX),
        }
    }

    fn write(&self, response: &mut Response) {
        for (name, value) in [
            ("ratelimit-limit", self.limit),
            ("ratelimit-remaining", self.remaining),
            ("ratelimit-reset", self.reset),
        ] {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

/// Counts each request, and refuses what is too much.
pub(crate) async fn limit(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let Some(ConnectInfo(peer)) = peer else {
        // Only tests call a router without a connection.
        return next.run(request).await;
    };
    let client = limits.client(peer.ip(), request.headers());
    let is_change = request.method() == Method::POST && request.uri().path().starts_with("/api/");
    let (mut response, told) = match limits.count(client, is_change) {
        Ok(told) => (next.run(request).await, told),
        Err((problem, told)) => {
            let response = if v1::is_of_released_clients(request.uri().path()) {
                v1::V1Error::new(request.headers(), problem).into_response()
            } else {
                problem.into_response()
            };
            (response, Some(told))
        }
    };
    if let Some(told) = told {
        told.write(&mut response);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(proxies: &[&str]) -> Limits {
        Limits::new(Rules {
            requests_per_minute: NonZeroU32::new(3),
            changes_per_minute: NonZeroU32::new(2),
            trusted_proxies: proxies.iter().map(|net| net.parse().unwrap()).collect(),
            ..Rules::default()
        })
    }

    fn client(limits: &Limits, peer: &str, told: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for told in told {
            headers.append("x-forwarded-for", HeaderValue::from_static(told));
        }
        limits.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let nobody = limits(&[]);
        assert_eq!(client(&nobody, "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        let one = limits(&["192.0.2.0/24", "::1/128"]);
        assert_eq!(client(&one, "192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client(&one, "192.0.2.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            client(&one, "::ffff:192.0.2.1", &["198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(client(&one, "::1", &["2001:db8::1"]), "2001:db8::1");
        // What a client says of itself stands before what the proxy adds.
        assert_eq!(
            client(&one, "192.0.2.1", &["10.0.0.1, 198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            client(&one, "192.0.2.1", &["10.0.0.1", "198.51.100.7"]),
            "198.51.100.7"
        );
        // Two proxies, one after the other.
        assert_eq!(
            client(&one, "192.0.2.1", &["198.51.100.7, 192.0.2.2"]),
            "198.51.100.7"
        );
        assert_eq!(client(&one, "192.0.2.1", &["nonsense"]), "192.0.2.1");
    }

    #[test]
    fn so_many_requests_are_answered_and_no_more() {
        let limits = limits(&[]);
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        for remaining in [2, 1, 0] {
            let told = limits.count(here, false).unwrap().unwrap();
            assert_eq!((told.limit, told.remaining), (3, remaining));
        }
        let (problem, told) = limits.count(here, false).unwrap_err();
        assert_eq!(problem.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!((told.remaining, told.reset), (0, 60));
        assert!(
            problem.text().contains("3 requests in a minute"),
            "{}",
            problem.text()
        );
        let neighbour: IpAddr = "192.0.2.2".parse().unwrap();
        assert!(
            limits.count(neighbour, false).is_ok(),
            "another address is not meant"
        );
    }

    #[test]
    fn changes_have_a_limit_of_their_own() {
        let limits = limits(&[]);
        let here: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert!(limits.count(here, true).is_ok());
        assert!(limits.count(here, true).is_ok());
        assert!(limits.count(here, true).is_err());
        let same_customer: IpAddr = "2001:db8:0:1:ffff::1".parse().unwrap();
        assert!(limits.count(same_customer, true).is_err());
        let other: IpAddr = "2001:db8:0:2::1".parse().unwrap();
        assert!(limits.count(other, true).is_ok());
    }

    /// Wherever it asks from; another key, and a token, have limits of their own.
    #[test]
    fn a_key_does_so_much_and_no_more() {
        let limits = Limits::new(Rules {
            changes_per_minute_by_key: NonZeroU32::new(2),
            ..Rules::default()
        });
        let owner = |key: Option<&str>| Actor {
            role: docket_jobs::Role::Owner,
            name: "me@example.org".to_owned(),
            key: key.map(str::to_owned),
        };
        for _ in 0..2 {
            limits.count_key(&owner(Some("SHA256:one"))).unwrap();
        }
        let problem = limits.count_key(&owner(Some("SHA256:one"))).unwrap_err();
        assert!(
            problem.text().contains("2 operations in a minute"),
            "{}",
            problem.text()
        );
        assert!(limits.count_key(&owner(Some("SHA256:two"))).is_ok());
        assert!(limits.count_key(&owner(None)).is_ok());
    }

    #[test]
    fn this_machine_has_no_limit() {
        let limits = limits(&[]);
        for _ in 0..10 {
            assert_eq!(limits.count("127.0.0.1".parse().unwrap(), true).unwrap(), None);
        }
    }

    #[test]
    fn a_package_has_so_many_jobs_and_no_more() {
        let limits = Limits::new(Rules::default());
        assert!(limits.check_queue(100).is_ok());
        assert!(limits.check_queue(101).is_err());
    }

    #[test]
    fn so_many_logs_are_followed_and_no_more() {
        let limits = Limits::new(Rules {
            watchers: 1,
            ..Rules::default()
        });
        let stopping = CancellationToken::new();
        let first = limits.watch(stopping.clone()).unwrap();
        let refused = limits.watch(stopping.clone()).unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        assert!(limits.watch(stopping).is_ok());
    }
}
