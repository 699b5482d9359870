//! PostgreSQL for tests with many processes: a database on the server of the test run, a server of one test's own that can be restarted, and a proxy
//! that cuts connections.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use docket_db::sqlx::{self, Connection, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::{Said, run};

/// A connection of the test to a database.
pub(crate) struct Psql {
    runtime: Runtime,
    connection: PgConnection,
}

impl Psql {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let connection = runtime.block_on(PgConnection::connect(url)).unwrap();
        Self { runtime, connection }
    }

    /// Runs statements that return nothing of interest.
    pub(crate) fn run(&mut self, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(&mut self.connection);
        self.runtime.block_on(done).unwrap();
    }

    /// Returns the number that a query returns.
    pub(crate) fn number(&mut self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql).fetch_one(&mut self.connection);
        self.runtime.block_on(number).unwrap()
    }
}

/// Makes an empty database on the server of the test run, and returns its URL.
pub(crate) fn new_database() -> String {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(docket_test_support::postgres()).url
}

/// A PostgreSQL server of one test's own.
pub(crate) struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Server {
    /// Starts a server on a port that the system picked.
    pub(crate) fn start() -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").expect("tests/run installs PostgreSQL");
        let newest = versions.map(|entry| entry.unwrap().path()).max();
        let server = Self {
            folder: TempDir::new().unwrap(),
            programs: newest.expect("tests/run installs PostgreSQL").join("bin"),
            port: free_port(),
        };
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(server.folder.path())).expect_code(0);
        }
        let data = server.data();
        let initdb = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", &data];
        server.program("initdb", &initdb).expect_code(0);
        server.go_on();
        server
    }

    /// The URL of its database.
    pub(crate) fn url(&self) -> String {
        url(self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Stops it as a power cut would.
    pub(crate) fn crash(&self) {
        self.program("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"])
            .expect_code(0);
    }

    /// Starts it again on what it wrote.
    pub(crate) fn go_on(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={folder}",
            self.port
        );
        let log = self.folder.path().join("log");
        let log = log.to_str().unwrap();
        self.program(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-l", log, "-o", &options, "start"],
        )
        .expect_code(0);
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn program(&self, name: &str, args: &[&str]) -> Said {
        let program = self.programs.join(name);
        let command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        // A server that goes on must not hold the pipes that we read to their end.
        let said = self.folder.path().join("said");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "said=$1; shift; exec \"$@\" >\"$said\" 2>&1", "sh"])
            .arg(&said)
            .arg(command.get_program())
            .args(command.get_args())
            .args(args)
            .current_dir("/");
        let mut ended = run(&mut shell);
        ended.out = fs::read_to_string(&said).unwrap_or_default();
        ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.program("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }
}

fn url(address: SocketAddr) -> String {
    format!("postgres://postgres@{address}/postgres")
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).out.trim() == "0"
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Passes connections on to a server, until they are cut.
pub(crate) struct Proxy {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let kept = open.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let ends = [&client, &server].map(|end| end.try_clone().unwrap());
                kept.lock().unwrap().extend(ends);
                pass(&client, &server);
                pass(&server, &client);
            }
        });
        Self { address, open }
    }

    /// The URL of the database behind it.
    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// Cuts every connection, in the middle of whatever is on its way.
    pub(crate) fn cut(&self) {
        for connection in self.open.lock().unwrap().drain(..) {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        // Errors are the end of the connection.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// A library that makes a program's clock show another time.
pub(crate) fn clock_library() -> PathBuf {
    let architectures = fs::read_dir("/usr/lib").unwrap();
    architectures
        .map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("tests/run installs libfaketime")
}
