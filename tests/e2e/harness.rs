//! A registry in a temporary directory: its sources, its compilers, its data, and the running `docketd`.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::fixture;
use crate::git::Repository;

/// How long anything may take before the test says that it never will. Generous: a busy machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const DOCKETD: &str = env!("CARGO_BIN_EXE_docketd");
pub(crate) const DOCKET: &str = env!("CARGO_BIN_EXE_docket");

/// Waits until `condition` returns something.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a program for the shell.
pub(crate) fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs `script` before each run of the compiler of the registry in `dir`; in it `$dir` is that directory.
pub(crate) fn before_the_compiler(dir: &Path, script: &str) {
    let (compiler, real) = (
        dir.join("compilers/purs-0_15_15"),
        dir.join("stand-in/purs-0_15_15"),
    );
    fs::create_dir(dir.join("stand-in")).unwrap();
    fs::rename(&compiler, &real).unwrap();
    let (dir, real) = (dir.display(), real.display());
    program(&compiler, &format!("dir={dir}\n{script}\nexec {real} \"$@\""));
}

/// Returns where tests/tools.sh puts a tool, after installing all of them if need be.
pub(crate) fn tool(name: &str) -> &'static Path {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    INSTALLED.get_or_init(|| {
        let output = Command::new(root.join("tests/tools.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "tests/tools.sh could not install what the tests need: {said}"
        );
    });
    // One for each tool, for as long as the tests run.
    Box::leak(root.join(".tools").join(name).into_boxed_path())
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    /// Everything said, for messages and for searching.
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "unexpected end of a program that said:\n{}",
            self.all()
        );
        self
    }

    /// Asserts that `text` was said.
    #[track_caller]
    pub(crate) fn expect(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "expected \"{text}\" in:\n{}",
            self.all()
        );
        self
    }
}

/// Starts a command without input, whose output we read.
fn spawn(command: &mut Command) -> Child {
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    spawned.unwrap_or_else(|cause| panic!("{command:?} does not start: {cause}"))
}

/// Runs a command to its end, without input.
pub(crate) fn run(command: &mut Command) -> Said {
    run_within(DEADLINE, command)
}

/// The same for a command that has much to do.
pub(crate) fn run_within(deadline: Duration, command: &mut Command) -> Said {
    let mut process = spawn(command);
    let out = collect(process.stdout.take().unwrap());
    let err = collect(process.stderr.take().unwrap());
    let start = Instant::now();
    let code = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status.code();
        }
        if start.elapsed() > deadline {
            let _ = process.kill();
            let said = (out.join().unwrap(), err.join().unwrap());
            panic!("{command:?} does not end; it said:\n{}\n{}", said.0, said.1);
        }
        thread::sleep(Duration::from_millis(10));
    };
    Said {
        out: out.join().unwrap(),
        err: err.join().unwrap(),
        code,
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A program of ours that runs. Dropping it ends it as a power cut would.
pub(crate) struct Program {
    process: Child,
    /// The first line it said.
    pub(crate) ready: String,
}

impl Program {
    /// Starts a program and waits for its first line. What else it says is shown when a test fails, and it never waits for us to read it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = spawn(command);
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let mut program = Self {
            process,
            ready: String::new(),
        };
        let (said, lines) = mpsc::channel();
        let pid = program.process.id();
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .for_each(|line| eprintln!("docketd {pid}: {line}"))
        });
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .all(|line| said.send(line).is_ok())
        });
        program.ready = lines
            .recv_timeout(DEADLINE)
            .expect("docketd says when it is ready");
        program
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        run(Command::new("kill").args(["-s", name, &pid])).expect_code(0);
    }

    /// Tells it to stop, as a service manager does, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        wait_for("the end of docketd", || self.process.try_wait().unwrap()).code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The test is over, or it asks for exactly this.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A registry and everything around it. Dropping it ends the server and removes the directory.
pub(crate) struct Registry {
    dir: TempDir,
    server: Option<Server>,
    docketd: PathBuf,
}

struct Server {
    program: Program,
    address: SocketAddr,
}

impl Registry {
    /// Starts a registry that holds the fixture, with the stand-in compiler.
    pub(crate) fn start() -> Self {
        Self::start_with("", |_| {})
    }

    /// Starts a registry with further lines of configuration, after `prepare` has had a look at its directory.
    pub(crate) fn start_with(configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        let mut registry = Self::prepare(configuration, prepare);
        registry.resume();
        registry
    }

    /// Makes the same registry, which does not run yet.
    pub(crate) fn prepare(configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::prepare_as(DOCKETD, configuration, prepare)
    }

    /// The same with another `docketd`.
    pub(crate) fn prepare_as(docketd: &str, configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        let registry = Self {
            docketd: docketd.into(),
            dir: TempDir::new().unwrap(),
            server: None,
        };
        for name in ["github", "compilers", "home", "work"] {
            fs::create_dir(registry.path(name)).unwrap();
        }
        // docketd is the stand-in compiler when it is called by such a name.
        symlink(DOCKETD, registry.path("compilers").join("purs-0_15_15")).unwrap();
        fixture::write(&registry.path("fixture"));
        let text = format!(
            "[sources]\ngithub_url = \"file://{}\"\n\n[compilers]\npath = [\"{}\"]\n\n{configuration}",
            registry.path("github").display(),
            registry.path("compilers").display(),
        );
        fs::write(registry.path("docket.toml"), text).unwrap();
        prepare(registry.dir.path());
        registry.import();
        registry
    }

    /// Returns a place in the directory of this registry.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A search path with the programs in the registry's `bin` first.
    pub(crate) fn search_path(&self) -> String {
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.path("bin").display())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("the server is running").address
    }

    /// The process of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server is running").program.pid()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Makes a repository `owner/repo` in the place where this registry looks for GitHub.
    pub(crate) fn repository(&self, owner: &str, repo: &str) -> Repository {
        let bare = self.path("github").join(owner).join(repo);
        let work = self.path("work").join(format!("{owner}-{repo}"));
        Repository::create(bare, work, self.path("home"))
    }

    /// Ends the server as a power cut would.
    pub(crate) fn kill(&mut self) -> SocketAddr {
        self.server.take().expect("the server is running").address
    }

    /// Leaves the server running, and the registry without one.
    pub(crate) fn take_server(&mut self) -> Program {
        self.server.take().expect("the server is running").program
    }

    /// Goes on with another `docketd`; what runs is not touched.
    pub(crate) fn run_as(&mut self, docketd: &str) {
        self.docketd = docketd.into();
    }

    /// Starts the server on a free port.
    pub(crate) fn resume(&mut self) {
        self.resume_at("127.0.0.1:0".parse().unwrap());
    }

    /// Starts the server on the data that is there, and waits until it answers requests.
    pub(crate) fn resume_at(&mut self, address: SocketAddr) {
        self.resume_by(self.docketd(), address);
    }

    /// Tells the server to stop, as a service manager does, and returns its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.take_server().terminate()
    }

    /// Starts the server by a command that becomes it.
    pub(crate) fn resume_by(&mut self, mut docketd: Command, address: SocketAddr) {
        let program = Program::start(docketd.args(["--listen", &address.to_string()]));
        let url = program.ready.strip_prefix("docketd listening on http://");
        let address = url.and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not the ready line: {}", program.ready));
        self.server = Some(Server { program, address });
    }

    /// Returns a `docketd` command on the data of this registry, with nothing of our own environment but the path.
    pub(crate) fn docketd(&self) -> Command {
        let mut command = self.command(&self.docketd);
        command
            .arg("--config")
            .arg(self.path("docket.toml"))
            .arg("--data")
            .arg(self.path("data"));
        command
    }

    /// Runs `docket` against this registry.
    pub(crate) fn docket(&self, args: &[&str]) -> Said {
        run(self.docket_command(args).env("DOCKET_URL", self.url("")))
    }

    /// Returns a `docket` command.
    pub(crate) fn docket_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(DOCKET);
        command.args(args);
        command
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .current_dir(self.dir.path());
        command
    }

    fn import(&self) {
        let fixture = self.path("fixture");
        let mut command = self.docketd();
        command.arg("import");
        for (option, name) in [
            ("--registry", "registry"),
            ("--index", "index"),
            ("--tarballs", "tarballs"),
        ] {
            command.arg(option).arg(fixture.join(name));
        }
        run(&mut command).expect_code(0);
    }

    /// Returns a job as `GET /api/v1/jobs/{id}` shows it.
    pub(crate) fn job(&self, id: &str) -> Value {
        crate::http::get_json(&self.url(&format!("/api/v1/jobs/{id}?level=DEBUG")))
    }

    /// Returns every line of a job log at `level` and above.
    pub(crate) fn log(&self, id: &str, level: &str) -> Vec<Value> {
        let (mut lines, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/api/v1/jobs/{id}/logs?after={after}&level={level}&limit=100");
            let page = crate::http::get_json(&self.url(&path));
            lines.extend(page["lines"].as_array().unwrap().clone());
            if page["finished"] == true {
                return lines;
            }
            assert!(
                page["next"].as_i64().unwrap() > after,
                "the log of {id} has not ended: {page}"
            );
            after = page["next"].as_i64().unwrap();
        }
    }

    /// Waits until a job has ended and returns it.
    pub(crate) fn wait_for_job(&self, id: &str) -> Value {
        wait_for(&format!("the end of job {id}"), || {
            let job = self.job(id);
            job.get("finishedAt").is_some().then_some(job)
        })
    }
}
