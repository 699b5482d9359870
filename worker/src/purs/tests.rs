use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;
use crate::sandbox::SandboxChoice;

/// A work directory with a compiler that behaves as told by a shell script.
struct Bench {
    dir: tempfile::TempDir,
    compiler: Compiler,
}

impl Bench {
    fn new(version: &str, behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/.registry")).unwrap();
        fs::write(dir.path().join("work/behaviour"), behaviour).unwrap();
        let path = dir.path().join(format!("purs-{}", version.replace('.', "_")));
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/purs"), &path).unwrap();
        Self {
            dir,
            compiler: Compiler {
                version: version.parse().unwrap(),
                path,
                is_stand_in: false,
            },
        }
    }

    async fn with<T>(&self, limits: Limits, ask: impl AsyncFnOnce(Purs<'_>, PathBuf) -> T) -> T {
        let sandbox = Sandbox::choose(SandboxChoice::Auto, "/usr/local/bin:/usr/bin:/bin")
            .await
            .unwrap();
        let purs = Purs {
            compiler: &self.compiler,
            sandbox: &sandbox,
            limits: &limits,
        };
        ask(purs, self.dir.path().join("work")).await
    }

    async fn compile_within(&self, limits: Limits) -> Result<Report, JobError> {
        self.with(limits, async |purs, work| {
            purs.compile(&work, &["src/**/*.purs".into()], &[".registry".into()])
                .await
        })
        .await
    }

    async fn compile(&self) -> Result<Report, JobError> {
        self.compile_within(Limits::default()).await
    }

    async fn graph(&self) -> Result<Graphed, JobError> {
        self.with(Limits::default(), async |purs, work| {
            purs.graph(&work, &["src/**/*.purs".into()]).await
        })
        .await
    }
}

fn rejection<T: std::fmt::Debug>(result: Result<T, JobError>) -> Rejection {
    match result {
        Err(JobError::Rejected(rejection)) => rejection,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

const ERROR: &str = r#"{"warnings":[],"errors":[{"position":null,"message":"no","errorCode":"X","errorLink":"","filename":"src/A.purs","moduleName":null}]}"#;

#[tokio::test]
async fn globs_reach_the_compiler_literally() {
    let bench = Bench::new("0.15.15", "echo \"$*\" > args");
    bench.compile().await.unwrap();
    let args = fs::read_to_string(bench.dir.path().join("work/args")).unwrap();
    assert_eq!(args.trim(), "compile src/**/*.purs --json-errors");
}

#[tokio::test]
async fn errors_of_the_compiler_are_shown_to_the_author() {
    let bench = Bench::new("0.15.15", &format!("echo '{ERROR}'; exit 1"));
    let Rejection::CompileFailed { report, .. } = rejection(bench.compile().await) else {
        panic!()
    };
    assert_eq!(report, "src/A.purs [X]\n  no");
}

#[tokio::test]
async fn old_compilers_report_on_standard_error() {
    let bench = Bench::new(
        "0.13.8",
        &format!("echo 'Compiling A'; echo '{ERROR}' >&2; exit 1"),
    );
    assert_eq!(rejection(bench.compile().await).code(), "compile-failed");
}

#[tokio::test]
async fn the_known_race_is_tried_three_times() {
    let race = "echo x >> tries; echo 'Unexpected end of JSON input' >&2; exit 1";
    let bench = Bench::new("0.15.15", race);
    assert_eq!(rejection(bench.compile().await).code(), "compiler-crashed");
    let tries = || fs::read_to_string(bench.dir.path().join("work/tries")).unwrap();
    assert_eq!(tries(), "x\nx\nx\n");

    let healed = "if [ -f tried ]; then :; else : > tried; echo 'Unexpected end of JSON input'; exit 1; fi";
    Bench::new("0.15.15", healed).compile().await.unwrap();
}

#[tokio::test]
async fn each_way_to_misbehave_has_its_own_code() {
    for (behaviour, code) in [
        ("kill -ABRT $$", "compiler-crashed"),
        ("echo 'heap exhausted' >&2; exit 251", "compiler-crashed"),
        ("echo garbage; exit 0", "compiler-output-garbled"),
        ("echo garbage; exit 1", "compiler-output-garbled"),
        ("while :; do echo garbage; done", "compiler-output-too-large"),
        (
            "exec dd if=/dev/zero of=output bs=65536",
            "compiler-output-too-large",
        ),
        ("sleep 1000", "compiler-timed-out"),
    ] {
        let limits = Limits {
            wall: Duration::from_secs(if code == "compiler-timed-out" { 1 } else { 60 }),
            file_bytes: 1 << 20,
            output_bytes: 1 << 20,
            ..Limits::default()
        };
        let result = Bench::new("0.15.15", behaviour).compile_within(limits).await;
        assert_eq!(rejection(result).code(), code, "{behaviour}");
    }
}

#[tokio::test]
async fn a_graph_is_read_and_its_errors_are_no_rejection() {
    let good = r#"echo '{"A":{"depends":["B"],"path":"src/A.purs"}}'; exit 0"#;
    let Ok(Graphed::Graph(graph)) = Bench::new("0.15.15", good).graph().await else {
        panic!()
    };
    assert_eq!(graph.modules["A"].depends, ["B"]);

    let failed = Bench::new("0.15.15", &format!("echo '{ERROR}'; exit 1"))
        .graph()
        .await;
    assert!(matches!(failed, Ok(Graphed::Failed(report)) if report.errors.len() == 1));

    let garbage = Bench::new("0.15.15", "echo garbage; exit 0").graph().await;
    assert_eq!(rejection(garbage).code(), "compiler-output-garbled");
}
