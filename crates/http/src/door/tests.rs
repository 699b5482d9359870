use std::{fs, path::Path};

use axum::routing::get;
use rustls::crypto::ring;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};
use tokio_util::sync::DropGuard;

use super::*;
use crate::serve;

/// How long anything may take. Generous: a busy machine is no failure.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server whose door is tested. It stops with this value.
struct Served {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    stop: Option<DropGuard>,
}

/// Serves a router that says which HTTP it was asked by.
async fn start(door: Door) -> Served {
    start_router(door, Router::new()).await
}

async fn start_router(door: Door, router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let version = get(|request: Request| async move { format!("{:?}", request.version()) });
    let peer = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let router = router.route("/version", version).route("/peer", peer);
    let task = tokio::spawn(serve(listener, router, door, stop.clone()));
    Served {
        address,
        task,
        stop: Some(stop.drop_guard()),
    }
}

/// A client that believes `certificate` alone.
fn client(certificate: Option<&str>) -> reqwest::ClientBuilder {
    // reqwest is built without a TLS provider; the first test of the process installs one.
    let _ = ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().timeout(DEADLINE);
    match certificate {
        Some(pem) => builder.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]),
        None => builder,
    }
}

async fn text(client: reqwest::ClientBuilder, url: &str) -> Result<String, reqwest::Error> {
    client.build()?.get(url).send().await?.text().await
}

/// Writes a new certificate for `localhost` and its key, and returns it.
fn certify(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    fs::write(folder.join("tls.pem"), &certificate).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    certificate
}

fn load(folder: &Path) -> Result<Tls, crate::TlsError> {
    Tls::load(&folder.join("tls.pem"), &folder.join("tls.key"))
}

fn impatient() -> Door {
    Door {
        head_timeout: Duration::from_millis(200),
        ..Door::default()
    }
}

/// Waits until the server has closed a connection, and returns what it said before.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut said)).await;
    // A reset ends it as well.
    let _ = read.expect("the server closes the connection");
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_without_tls() {
    let served = start(Door::default()).await;
    let url = format!("http://{}/version", served.address);
    assert_eq!(text(client(None), &url).await.unwrap(), "HTTP/1.1");
    assert_eq!(
        text(client(None).http2_prior_knowledge(), &url).await.unwrap(),
        "HTTP/2.0"
    );
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_with_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let tls = Some(load(folder.path()).unwrap());
    let served = start(Door {
        tls,
        ..Door::default()
    })
    .await;
    let url = format!("https://localhost:{}/version", served.address.port());
    assert_eq!(text(client(Some(&certificate)), &url).await.unwrap(), "HTTP/2.0");
    assert_eq!(
        text(client(Some(&certificate)).http1_only(), &url).await.unwrap(),
        "HTTP/1.1"
    );
    let other = certify(tempfile::tempdir().unwrap().path());
    assert!(text(client(Some(&other)), &url).await.is_err(), "it is checked");
}

/// Whoever renews a certificate need not tell the server, and what is half written does no harm.
#[tokio::test]
async fn a_renewed_certificate_is_in_force_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let tls = Some(load(folder.path()).unwrap());
    let served = start(Door {
        tls,
        ..Door::default()
    })
    .await;
    let url = format!("https://localhost:{}/version", served.address.port());
    fs::write(folder.path().join("tls.key"), "half a key").unwrap();
    assert!(text(client(Some(&first)), &url).await.is_ok());
    let second = certify(folder.path());
    let renewed = async {
        while text(client(Some(&second)), &url).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, renewed)
        .await
        .expect("the second certificate is in force");
    assert!(text(client(Some(&first)), &url).await.is_err());
}

#[test]
fn what_is_no_certificate_is_refused_by_the_name_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["tls.pem", "tls.key"].map(|name| folder.path().join(name));
    let refused = || load(folder.path()).unwrap_err().to_string();
    assert!(refused().contains("tls.pem cannot be read"), "{}", refused());
    certify(folder.path());
    let good = fs::read(&key).unwrap();
    fs::write(&key, "secret").unwrap();
    assert!(
        refused().contains("tls.key holds no private key"),
        "{}",
        refused()
    );
    assert!(!refused().contains("secret"), "{}", refused());
    fs::write(&key, good).unwrap();
    assert!(load(folder.path()).is_ok());
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    fs::copy(other.path().join("tls.key"), &key).unwrap();
    assert!(refused().contains("cannot be used with its key"), "{}", refused());
    fs::write(&certificate, "").unwrap();
    assert!(
        refused().contains("tls.pem holds no certificate"),
        "{}",
        refused()
    );
}

#[tokio::test]
async fn whoever_says_too_little_loses_its_place() {
    let served = start(impatient()).await;
    for beginning in ["", "P", "GET /vers", "GET /version HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let said = until_closed(&mut stream).await;
        assert!(!said.contains("200 OK"), "{beginning:?}: {said}");
    }
}

#[tokio::test]
async fn whoever_asks_for_nothing_more_loses_its_place() {
    let served = start(impatient()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let said = until_closed(&mut stream).await;
    assert!(said.contains("200 OK") && said.ends_with("HTTP/1.1"), "{said}");
}

#[tokio::test]
async fn whoever_does_not_finish_a_handshake_loses_its_place() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let tls = Some(load(folder.path()).unwrap());
    let served = start(Door { tls, ..impatient() }).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    until_closed(&mut stream).await;
}

/// Sends a request and reads the answer, of which the last word is known.
async fn ask(stream: &mut TcpStream) {
    stream
        .write_all(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\nHTTP/1.1") {
        let read = timeout(DEADLINE, stream.read_buf(&mut said))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "the server answers");
    }
}

#[tokio::test]
async fn there_are_so_many_places_and_no_more() {
    let served = start(Door {
        max_connections: 2,
        ..Door::default()
    })
    .await;
    let [mut first, mut second, mut third] = [
        TcpStream::connect(served.address).await.unwrap(),
        TcpStream::connect(served.address).await.unwrap(),
        TcpStream::connect(served.address).await.unwrap(),
    ];
    ask(&mut first).await;
    ask(&mut second).await;
    third
        .write_all(b"GET /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    // Both others are answered again while the third waits.
    ask(&mut first).await;
    ask(&mut second).await;
    let early = third.try_read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(early, Err(io::ErrorKind::WouldBlock));
    drop(first);
    let said = until_closed(&mut third).await;
    assert!(said.contains("200 OK"), "{said}");
}

#[tokio::test]
async fn handlers_hear_who_asks() {
    let served = start(Door::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let own = stream.local_addr().unwrap().to_string();
    let said = until_closed(&mut stream).await;
    assert!(said.ends_with(&own), "{own} in {said}");
}

/// What is under way when the server stops is answered, and nobody else is let in.
#[tokio::test]
async fn a_server_that_stops_answers_first() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        get(async move || {
            begun.notify_one();
            go_on.notified().await;
            "at last"
        })
    };
    let mut served = start_router(Door::default(), Router::new().route("/slow", slow)).await;
    let url = format!("http://{}/slow", served.address);
    let answer = tokio::spawn(async move { text(client(None), &url).await });
    begun.notified().await;
    served.stop.take();
    let refused = async { while TcpStream::connect(served.address).await.is_ok() {} };
    timeout(DEADLINE, refused)
        .await
        .expect("nobody is let in any more");
    go_on.notify_one();
    assert_eq!(answer.await.unwrap().unwrap(), "at last");
    timeout(DEADLINE, served.task)
        .await
        .expect("the server ends")
        .unwrap();
}
