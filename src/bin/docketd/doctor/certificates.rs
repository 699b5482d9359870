//! The certificates of the servers that this one calls: when they run out.

use std::{sync::Arc, time::Duration};

use docket_core::time::Timestamp;
use docket_jobs::Clock;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::Verdict;
use crate::config::Config;

/// How long a server may take to show its certificate.
const PATIENCE: Duration = Duration::from_secs(10);

/// With how many days left a certificate should have been renewed.
const SOON_DAYS: i64 = 14;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Looks at the certificate of each server that the configuration names by `https`.
pub async fn check(config: &Config) -> Vec<(String, Verdict)> {
    let tls = Arc::new(docket_client::tls::config());
    let now = Clock::system().now();
    let through_proxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let mut verdicts = Vec::new();
    for (whose, host, port) in servers(config) {
        let verdict = if through_proxy {
            Verdict::Ok(format!(
                "{host} is called through a proxy, so it was not looked at"
            ))
        } else {
            match timeout(PATIENCE, read(&host, port, tls.clone())).await {
                Ok(Ok(not_after)) => judge(&host, not_after, now),
                Ok(Err(error)) => broken(&host, &error),
                Err(_) => broken(&host, "it does not answer"),
            }
        };
        verdicts.push((whose.to_owned(), verdict));
    }
    verdicts
}

fn broken(host: &str, why: &str) -> Verdict {
    Verdict::broken(
        format!("{host}: {why}"),
        "let its operator renew it, or add who signed it to the certificates of this system",
    )
}

/// Who is called over TLS, each server once.
fn servers(config: &Config) -> Vec<(&'static str, String, u16)> {
    let git = &config.git;
    let github = (config.github.token_file.is_some() || config.github.team.is_some())
        .then(|| config.github.api_url.clone());
    let candidates = [
        ("the remote of the registry", git.registry_remote.clone()),
        ("the remote of the index", git.index_remote.clone()),
        ("the remote of the package sets", git.package_sets_remote.clone()),
        ("the bucket's server", config.storage.endpoint.clone()),
        ("GitHub", github),
        ("the watcher of health", config.health.ping_url.clone()),
        ("the documentation's server", config.documentation.url.clone()),
    ];
    let mut servers: Vec<(&'static str, String, u16)> = Vec::new();
    for (whose, url) in candidates {
        let Some((host, port)) = url.as_deref().and_then(host_and_port) else {
            continue;
        };
        if !servers.iter().any(|(_, known, at)| *known == host && *at == port) {
            servers.push((whose, host, port));
        }
    }
    servers
}

/// The server of an `https` URL.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    // An address of IPv6 stands in brackets.
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Ok(443), str::parse).ok()?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// Returns when the certificate of a server runs out, if it is believed now.
async fn read(host: &str, port: u16, tls: Arc<ClientConfig>) -> Result<Timestamp, String> {
    let told = |error: std::io::Error| error.to_string();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect((host, port)).await.map_err(told)?;
    let stream = TlsConnector::from(tls)
        .connect(name, stream)
        .await
        .map_err(told)?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().ok_or("it has none")?;
    not_after(certificate).ok_or_else(|| "its end does not decode".to_owned())
}

fn judge(host: &str, not_after: Timestamp, now: Timestamp) -> Verdict {
    let days = (not_after.millis() - now.millis()).div_euclid(DAY_MILLIS);
    let text = format!("that of {host} runs out on {}, in {days} days", not_after.date());
    if days < SOON_DAYS {
        return Verdict::warning(text, "see that it is renewed");
    }
    Verdict::Ok(text)
}

/// When a certificate runs out (RFC 5280, section 4.1): the second time of its validity.
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    // Its version, which may be absent, then its serial number, algorithm and issuer.
    if element(rest)?.0 == 0xa0 {
        rest = element(rest)?.2;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    let text = std::str::from_utf8(time).ok()?;
    // A year of two digits is one from 1950 to 2049.
    let text = match tag {
        0x17 if text.get(..2)? < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        _ => text.to_owned(),
    };
    let part = |from: usize| text.get(from..from + 2);
    let (century, year, month, day) = (part(0)?, part(2)?, part(4)?, part(6)?);
    let (hour, minute, second) = (part(8)?, part(10)?, part(12)?);
    format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}Z")
        .parse()
        .ok()
}

/// The tag and the content of the first element of DER (ITU-T X.690), and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::{RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[test]
    fn the_server_of_an_address_is_found() {
        let found = |url: &str| host_and_port(url).map(|(host, port)| format!("{host} {port}"));
        for (url, server) in [
            ("https://example.org", Some("example.org 443")),
            ("https://example.org:8443/a/b", Some("example.org 8443")),
            ("https://user@example.org/?x", Some("example.org 443")),
            ("https://[::1]:8443/", Some("::1 8443")),
            ("https://[::1]", Some("::1 443")),
            ("http://example.org", None),
            ("file:///srv/a.git", None),
            ("https://", None),
            ("https://example.org:port", None),
        ] {
            assert_eq!(found(url).as_deref(), server, "{url}");
        }
    }

    #[test]
    fn a_certificate_that_runs_out_soon_is_told() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let in_days = |days: i64| judge("example.org", now.plus_millis(days * DAY_MILLIS), now);
        assert!(matches!(in_days(14), Verdict::Ok(text) if text.ends_with("in 14 days")));
        assert!(matches!(in_days(13), Verdict::Warning(text, _) if text.ends_with("in 13 days")));
        assert!(matches!(in_days(-1), Verdict::Warning(..)));
    }

    #[test]
    fn bytes_that_are_no_certificate_have_no_end() {
        let key = KeyPair::generate().unwrap();
        let whole = CertificateParams::default().self_signed(&key).unwrap();
        assert!(not_after(whole.der()).is_some());
        for end in 0..whole.der().len() {
            let _ = not_after(&whole.der()[..end]);
        }
        for bytes in [
            &b""[..],
            b"\x30",
            b"\x30\x85\xff\xff\xff\xff\xff",
            b"\x30\x80\x00\x00",
        ] {
            assert_eq!(not_after(bytes), None);
        }
    }

    /// A server with a certificate that ends on this day, and what believes it.
    async fn server(year: i32, believe: bool) -> (u16, Arc<ClientConfig>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let provider = Arc::new(ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        });
        let mut roots = RootCertStore::empty();
        if believe {
            roots.add(certificate).unwrap();
        }
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (port, Arc::new(client))
    }

    /// The year is written with two digits up to 2049, with four from then on.
    #[tokio::test]
    async fn a_server_is_asked_for_its_certificate() {
        for year in [2048, 2055] {
            let (port, tls) = server(year, true).await;
            let end = read("localhost", port, tls).await.unwrap();
            assert_eq!(end.to_string(), format!("{year}-12-31T00:00:00.000Z"));
        }
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_believed_is_broken() {
        let (port, tls) = server(2048, false).await;
        let said = read("localhost", port, tls).await.unwrap_err();
        assert!(said.contains("certificate"), "{said}");
        let (port, tls) = server(2021, true).await;
        let said = read("localhost", port, tls).await.unwrap_err();
        assert!(said.to_lowercase().contains("expired"), "{said}");
    }
}
