use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A work directory and a compiler with a name of its own that behaves as told by a shell script.
struct Bench {
    dir: tempfile::TempDir,
    limits: Limits,
}

impl Bench {
    fn new(behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/deps")).unwrap();
        fs::write(dir.path().join("work/behaviour"), behaviour).unwrap();
        let real = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs");
        symlink(real, dir.path().join("purs-0_15_15")).unwrap();
        let limits = Limits {
            wall: Duration::from_secs(60),
            ..Limits::default()
        };
        Self { dir, limits }
    }

    async fn run_in(&self, sandbox: &Sandbox) -> Result<Output, RunError> {
        let invocation = Invocation {
            program: &self.dir.path().join("purs-0_15_15"),
            args: vec!["compile".into(), "src/**/*.purs".into()],
            work_dir: &self.dir.path().join("work"),
            read_only: vec!["deps".into()],
        };
        sandbox.run(invocation, &self.limits).await
    }
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Every way of running a compiler.
async fn sandboxes() -> Vec<Sandbox> {
    let mut all = vec![Sandbox::choose(SandboxChoice::None, PATH).await.unwrap()];
    all.extend(isolating().await);
    all
}

/// The sandbox that isolates. None only where whoever runs the tests says that the system allows none, as `tests/run` finds out.
async fn isolating() -> Option<Sandbox> {
    if std::env::var_os("DOCKET_TEST_WITHOUT_SANDBOX").is_some() {
        return None;
    }
    Some(
        Sandbox::choose(SandboxChoice::Bubblewrap, PATH)
            .await
            .expect("bubblewrap works, or DOCKET_TEST_WITHOUT_SANDBOX=1 says that it cannot"),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[tokio::test]
async fn a_program_sees_its_own_name_its_arguments_and_an_empty_environment() {
    for sandbox in sandboxes().await {
        let bench = Bench::new("echo \"$version|$*|${CARGO_MANIFEST_DIR:-unset}|$LC_ALL\"; exit 3");
        let output = bench.run_in(&sandbox).await.unwrap();
        assert_eq!(output.exit_code, 3);
        assert_eq!(
            text(&output.stdout),
            "0.15.15|compile src/**/*.purs|unset|C.UTF-8",
            "{sandbox:?}"
        );
    }
}

#[tokio::test]
async fn a_crash_names_its_signal() {
    for sandbox in sandboxes().await {
        let result = Bench::new("kill -SEGV $$").run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::Crashed(11))),
            "{sandbox:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_hang_ends_at_the_wall_time() {
    for sandbox in sandboxes().await {
        let mut bench = Bench::new("sleep 1000");
        bench.limits.wall = Duration::from_millis(300);
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::TimedOut(_))),
            "{sandbox:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_busy_loop_ends_at_the_cpu_time() {
    for sandbox in sandboxes().await {
        let mut bench = Bench::new("while :; do :; done");
        bench.limits.cpu = Duration::from_secs(1);
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::TimedOut(_))),
            "{sandbox:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn endless_output_and_endless_files_are_cut_off() {
    for sandbox in sandboxes().await {
        let mut bench = Bench::new("while :; do echo garbage; done");
        bench.limits.output_bytes = 100_000;
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::OutputTooLarge(100_000))),
            "{sandbox:?}: {result:?}"
        );

        let mut bench = Bench::new("exec dd if=/dev/zero of=big bs=65536");
        bench.limits.file_bytes = 1 << 20;
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::FileTooLarge(_))),
            "{sandbox:?}: {result:?}"
        );
        assert!(fs::metadata(bench.dir.path().join("work/big")).unwrap().len() <= 1 << 20);
    }
}

/// A job that is cancelled, or a worker that stops, must not leave compilers behind.
#[tokio::test]
async fn dropping_a_run_kills_the_program_wherever_it_runs() {
    for sandbox in sandboxes().await {
        // A command line of its own, to be found from outside.
        let unique = format!("{}", 1_000_000 + std::process::id());
        let bench = Bench::new(&format!("exec sleep {unique}"));
        let is_running = || {
            let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let mut lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
            lines.any(|line| line == format!("sleep\0{unique}\0").into_bytes())
        };
        let mut run = Box::pin(bench.run_in(&sandbox));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !is_running() {
            assert!(std::time::Instant::now() < deadline, "it never started");
            let turn = tokio::time::timeout(Duration::from_millis(5), &mut run).await;
            assert!(turn.is_err(), "it ended early: {turn:?}");
        }
        drop(run);
        while is_running() {
            assert!(
                std::time::Instant::now() < deadline,
                "{sandbox:?}: it is still running"
            );
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn memory_is_limited() {
    for sandbox in sandboxes().await {
        let mut bench = Bench::new("exec dd if=/dev/zero of=/dev/null bs=128M count=1");
        bench.limits.memory_bytes = 512 << 20;
        let output = bench.run_in(&sandbox).await.unwrap();
        assert_eq!(output.exit_code, 0, "{sandbox:?}: {output:?}");
        bench.limits.memory_bytes = 64 << 20;
        let output = bench.run_in(&sandbox).await.unwrap();
        assert_ne!(output.exit_code, 0, "{sandbox:?}");
    }
}

/// Where the system does not count processes, the description says so: both sides of it, by whoever runs the tests.
#[tokio::test]
async fn processes_are_limited_or_the_description_says_that_they_are_not() {
    let Some(sandbox) = isolating().await else { return };
    let mut bench = Bench::new("for n in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all; exit 0");
    bench.limits.processes = 6;
    let output = bench.run_in(&sandbox).await.unwrap();
    let is_unlimited = text(&output.stdout) == "all";
    let says_so = sandbox.describe().contains("without a limit on processes");
    assert_eq!(is_unlimited, says_so, "{}: {output:?}", sandbox.describe());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    for sandbox in sandboxes().await {
        let bench = Bench::new("");
        fs::remove_file(bench.dir.path().join("purs-0_15_15")).unwrap();
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::NotFound { .. })),
            "{sandbox:?}: {result:?}"
        );
        // A file that is no program.
        fs::write(bench.dir.path().join("purs-0_15_15"), "").unwrap();
        let result = bench.run_in(&sandbox).await;
        assert!(
            matches!(result, Err(RunError::NotFound { .. })),
            "{sandbox:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn the_sandbox_writes_only_to_the_work_directory() {
    let Some(sandbox) = isolating().await else { return };
    let bench = Bench::new(
        "for place in ./mine deps/theirs /outside /tmp/x /dev/shm/x /usr/x /compiler/x \"$1\"; do
           if (: > \"$place\") 2>/dev/null; then echo \"$place\"; fi
         done; exit 0",
    );
    let output = bench.run_in(&sandbox).await.unwrap();
    // `$1` is the literal argument `compile`, a file name in the work directory.
    assert_eq!(text(&output.stdout), "./mine\ncompile");
    assert!(bench.dir.path().join("work/mine").exists());
}

#[tokio::test]
async fn the_sandbox_reads_neither_homes_nor_the_data_directory_and_has_no_network() {
    let Some(sandbox) = isolating().await else { return };
    let bench = Bench::new(&format!(
        "ls {outside} /root /home /var /etc/passwd /work/../data 2>/dev/null; echo ---
         ls /sys 2>/dev/null; tail -n +3 /proc/net/dev 2>/dev/null | cut -d: -f1 | tr -d ' '; exit 0",
        outside = env!("CARGO_MANIFEST_DIR"),
    ));
    let output = bench.run_in(&sandbox).await.unwrap();
    let seen = text(&output.stdout);
    assert!(seen == "---\nlo" || seen == "---", "{seen}");
}

#[tokio::test]
async fn the_description_says_when_there_is_no_sandbox() {
    let none = Sandbox::choose(SandboxChoice::None, PATH).await.unwrap();
    assert!(!none.isolates());
    assert!(
        none.describe().contains("WITHOUT a sandbox"),
        "{}",
        none.describe()
    );
    let nowhere = Sandbox::choose(SandboxChoice::Auto, "/nonexistent")
        .await
        .unwrap();
    assert!(
        nowhere.describe().contains("bwrap is not installed"),
        "{}",
        nowhere.describe()
    );
    let missing = Sandbox::choose(SandboxChoice::Bubblewrap, "/nonexistent")
        .await
        .unwrap_err();
    assert!(
        missing.to_string().contains("bwrap is not installed"),
        "{missing}"
    );
}
