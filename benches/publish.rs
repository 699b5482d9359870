//! How long a small package takes from `POST /publish` to success, split by step, through the real `docketd` with the stand-in compiler.
//!
//! `cargo bench --bench publish`. Packages are published one after another; the steps are read off the job log's times.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, ensure};
use docket_client::{Client, Event, Level};
use docket_core::operation::Publish;

const PACKAGES: usize = 20;

/// A step ends with the first line that begins so. What follows the last line is the end of the job.
const STEPS: [(&str, &str); 9] = [
    ("accept, store, claim", "Fetching "),
    ("fetch with git", "Fetched "),
    ("manifest, licence, build plan", "Found a build plan"),
    ("file list", "Checking that "),
    ("imports against dependencies", "Checking that "),
    ("compile in the sandbox", "It compiles"),
    ("copy and prepare", "Packaging "),
    ("pack", "The tarball "),
    ("store, record, commit to git", "Successfully uploaded"),
];

/// The server under measurement; it ends with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    for number in 0..=PACKAGES {
        write_package(folder, number)?;
    }
    let (_server, url) = start(folder)?;
    let client = Client::new(&url)?;
    let mut totals = Vec::new();
    let mut steps = vec![Vec::new(); STEPS.len() + 1];
    // The first one warms up caches and is not counted.
    for number in 0..=PACKAGES {
        let (total, times) = publish(&client, number).await?;
        if number > 0 {
            totals.push(total);
            steps.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        }
    }
    println!("{PACKAGES} packages, milliseconds");
    println!("{:32} | median |   max", "step");
    let names = STEPS.iter().map(|(name, _)| *name).chain(["end of the job"]);
    for (name, times) in names.zip(&mut steps) {
        print_row(name, times);
    }
    print_row("POST to success, at the client", &mut totals);
    Ok(())
}

fn print_row(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    println!(
        "{name:32} | {:6.1} | {:5.1}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
}

/// Publishes one package; returns the time the client waited, and how long each step took, in milliseconds.
async fn publish(client: &Client, number: usize) -> anyhow::Result<(f64, Vec<f64>)> {
    let operation: Publish = serde_json::from_value(serde_json::json!({
        "name": format!("small-{number}"), "version": "1.0.0", "ref": "v1.0.0",
        "location": { "githubOwner": "lab", "githubRepo": format!("small-{number}") },
    }))?;
    let start = Instant::now();
    let job = client.publish(&operation).await?;
    let mut log = client.follow(job.clone(), 0, Level::Debug);
    let mut lines = Vec::new();
    let success = loop {
        match log.next().await.context("the log ends with the job")?? {
            Event::Line(line) => lines.push(line),
            Event::Ended(outcome) => break outcome.success,
            Event::Behind { .. } | Event::Interrupted { .. } => {}
        }
    };
    let total = start.elapsed().as_secs_f64() * 1e3;
    ensure!(success, "the publish failed: {:?}", lines.last());
    let shown = client.get_job(&job, &Default::default()).await?;
    let mut before = shown.created_at;
    let mut lines = lines.into_iter();
    let mut times = Vec::new();
    for (step, prefix) in STEPS {
        let line = lines
            .find(|line| line.message.starts_with(prefix))
            .with_context(|| {
                format!("no line `{prefix}…` ends the step `{step}`: the log's words have changed")
            })?;
        times.push((line.timestamp.millis() - before.millis()) as f64);
        before = line.timestamp;
    }
    let finished = shown
        .finished_at
        .context("a job that ended has a time of its end")?;
    times.push((finished.millis() - before.millis()) as f64);
    Ok((total, times))
}

/// Commits and tags a package without dependencies in a repository of its own.
fn write_package(folder: &Path, number: usize) -> anyhow::Result<()> {
    let repository = folder.join(format!("git/lab/small-{number}"));
    fs::create_dir_all(repository.join("src"))?;
    let manifest = serde_json::json!({
        "name": format!("small-{number}"), "version": "1.0.0", "license": "MIT", "ref": "v1.0.0",
        "location": { "githubOwner": "lab", "githubRepo": format!("small-{number}") },
        "dependencies": {},
    });
    fs::write(
        repository.join("purs.json"),
        serde_json::to_string_pretty(&manifest)?,
    )?;
    let licence = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-docket/LICENSE");
    fs::copy(licence, repository.join("LICENSE"))?;
    for module in 0..5 {
        let text = format!("module Small{number}.Part{module} where\n\nvalue :: Int\nvalue = {module}\n");
        fs::write(repository.join(format!("src/Part{module}.purs")), text)?;
    }
    let identity = ["-c", "user.name=B", "-c", "user.email=b@docket.invalid"];
    git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
    git(&repository, &["add", "."])?;
    git(
        &repository,
        &[&identity[..], &["commit", "--quiet", "-m", "small"]].concat(),
    )?;
    git(&repository, &["tag", "v1.0.0"])
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("git").current_dir(folder).args(arguments).status()?;
    ensure!(status.success(), "git {arguments:?} failed");
    Ok(())
}

/// Starts the server with the stand-in as its only compiler, and waits for its address.
fn start(folder: &Path) -> anyhow::Result<(Server, String)> {
    let compilers = folder.join("compilers");
    fs::create_dir(&compilers)?;
    fs::copy(env!("CARGO_BIN_EXE_docketd"), compilers.join("purs"))?;
    let config = format!(
        "[sources]\ngithub_url = \"file://{}\"\n[compilers]\npath = [\"{}\"]\n",
        folder.join("git").display(),
        compilers.display()
    );
    fs::write(folder.join("docket.toml"), config)?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_docketd"))
        .args([
            "--config",
            "docket.toml",
            "--data",
            "data",
            "--listen",
            "127.0.0.1:0",
        ])
        .current_dir(folder)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let server = Server(child);
    let line = BufReader::new(stdout)
        .lines()
        .next()
        .context("the server says where it listens")??;
    let url = line
        .strip_prefix("docketd listening on ")
        .context("the ready line")?;
    Ok((server, url.to_owned()))
}
