//! How long a small package takes from `POST /publish` to success, split by step, through the real `docketd` with the stand-in compiler:
//! into an empty registry and into the real one.
//!
//! `cargo bench --bench publish`. Packages are published one after another; the steps are read off the job log's times.

#[path = "harness/docketd.rs"]
mod docketd;
#[path = "harness/real_registry.rs"]
mod real_registry;

use std::{fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, ensure};
use docket_client::{Client, Event, Level};
use docket_core::operation::Publish;
use docketd::Docketd;

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

fn main() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> anyhow::Result<()> {
    let (empty, full) = (tempfile::tempdir()?, tempfile::tempdir()?);
    import_real_registry(full.path())?;
    let mut empty = publish_all(empty.path()).await?;
    let mut full = publish_all(full.path()).await?;
    println!("{PACKAGES} packages, milliseconds, into an empty registry and into the real one");
    println!("{:32} | median |   max | median |   max", "step");
    let names = STEPS.iter().map(|(name, _)| *name);
    let names = names.chain(["end of the job", "POST to success, at the client"]);
    for ((name, empty), full) in names.zip(&mut empty).zip(&mut full) {
        println!("{name:32} | {} | {}", median_and_max(empty), median_and_max(full));
    }
    Ok(())
}

/// Gives the server in `folder` the packages, versions and sets that the real one has.
fn import_real_registry(folder: &Path) -> anyhow::Result<()> {
    let source = tempfile::tempdir()?;
    real_registry::unpack(source.path())?;
    let status = Command::new(docketd::program())
        .current_dir(folder)
        .args(["import", "--data", "data", "--registry"])
        .arg(source.path())
        .arg("--index")
        .arg(source.path().join("index"))
        .status()?;
    ensure!(status.success(), "docketd import failed");
    Ok(())
}

/// Publishes all packages with a server in `folder`; returns how long each step took, and last the whole, for each of them.
async fn publish_all(folder: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    for number in 0..=PACKAGES {
        write_package(folder, number)?;
    }
    let server = Docketd::start(folder, "")?;
    let client = Client::new(&server.url)?;
    let mut steps = vec![Vec::new(); STEPS.len() + 2];
    // The first one warms up caches and is not counted.
    for number in 0..=PACKAGES {
        let (total, times) = publish(&client, number).await?;
        if number > 0 {
            let times = times.into_iter().chain([total]);
            steps.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        }
    }
    Ok(steps)
}

fn median_and_max(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    format!("{:6.1} | {:5.1}", times[times.len() / 2], times[times.len() - 1])
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
