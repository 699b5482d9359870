//! Many who want little, and TLS: what the door of a server does for everybody behind it.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::harness::{Program, Registry, run, wait_for};
use crate::publish::demo;

/// Connections that say nothing, that never finish the head of a request, and that have asked once and wait.
const SILENT: usize = 400;
const HALF: usize = 300;
const IDLE: usize = 300;

/// Connections that say a little again and again.
const SLOW: usize = 100;

/// How long a slow client waits between two bytes.
const PAUSE: Duration = Duration::from_millis(50);

#[test]
fn a_thousand_idle_and_a_hundred_slow_connections_do_not_stop_a_publish() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let registry = Registry::start();
    let connect = |count: usize, words: &'static str| {
        let connected = (0..count).map(|_| {
            let mut stream = TcpStream::connect(registry.address()).unwrap();
            stream.write_all(words.as_bytes()).unwrap();
            stream
        });
        connected.collect::<Vec<_>>()
    };
    let quiet = [
        connect(SILENT, ""),
        connect(HALF, "POST /api/v1/publish HTTP/1.1\r\nhost: x\r\ncontent-le"),
        connect(IDLE, "GET /healthz/live HTTP/1.1\r\nhost: x\r\n\r\n"),
    ];
    let mut slow = connect(SLOW, "GET / HTTP/1.1\r\nx-slow: ");
    let (stop, stopped) = mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        while stopped.recv_timeout(PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
            // One that the server has closed is no longer slow.
            slow.retain_mut(|stream| stream.write_all(b"a").is_ok());
        }
    });
    let files = format!("/proc/{}/fd", registry.pid());
    wait_for("the server to have them all", || {
        (fs::read_dir(&files).unwrap().count() > SILENT + HALF + IDLE + SLOW).then_some(())
    });

    let demo = demo(&registry);
    demo.push();
    registry
        .docket(&["publish", demo.work().to_str().unwrap()])
        .expect_code(0)
        .expect("published demo@1.0.0");
    drop(stop);
    writer.join().unwrap();
    drop(quiet);
}

#[test]
fn a_server_with_a_certificate_is_published_to_and_followed_by_tls() {
    let registry = Registry::prepare(
        "[api]\ntls_certificate_file = \"tls.pem\"\ntls_key_file = \"tls.key\"\n",
        |folder| {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            fs::write(folder.join("tls.pem"), made.cert.pem()).unwrap();
            fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
        },
    );
    let server = Program::start(registry.docketd().args(["--listen", "127.0.0.1:0"]));
    let port = server
        .ready
        .strip_prefix("docketd listening on https://127.0.0.1:");
    let port = port.unwrap_or_else(|| panic!("not the ready line: {}", server.ready));
    let demo = demo(&registry);
    demo.push();
    let mut publish = registry.docket_command(&["publish", demo.work().to_str().unwrap()]);
    publish.env("DOCKET_URL", format!("https://localhost:{port}"));
    run(&mut publish).expect_code(1).expect("certificate");
    publish.env("SSL_CERT_FILE", registry.path("tls.pem"));
    run(&mut publish).expect_code(0).expect("published demo@1.0.0");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_at_the_start() {
    let registry = Registry::prepare(
        "[api]\ntls_certificate_file = \"tls.pem\"\ntls_key_file = \"tls.key\"\n",
        |_| {},
    );
    run(registry.docketd().args(["--listen", "127.0.0.1:0"]))
        .expect_code(78)
        .expect("tls.pem cannot be read");
}
