//! `docket info`: what the registry knows about a package, or about one of its versions.

use docket_client::{Client, PackageVersion};
use docket_core::manifest::Manifest;
use docket_core::metadata::Metadata;
use docket_core::name::PackageName;
use docket_core::version::Version;

use crate::args;
use crate::failure::Failure;
use crate::print::Printer;

/// How many things of a kind are named; the rest is counted.
const NAMED: usize = 10;

/// Shows the package.
///
/// # Errors
///
/// When the registry cannot be asked, or does not know it.
pub(crate) async fn run(client: &Client, args: args::Info, out: &Printer) -> Result<(), Failure> {
    let args::NameMaybeVersion { name, version } = args.package;
    match version {
        Some(version) => show_version(client, &name, version, out).await,
        None => show_package(client, &name, out).await,
    }
}

async fn show_version(
    client: &Client,
    name: &PackageName,
    version: Version,
    out: &Printer,
) -> Result<(), Failure> {
    let found = client.get_package_version(name, version).await?;
    if out.json() {
        return Ok(out.object(&found)?);
    }
    out.heading(&format!("{name}@{version}"))?;
    describe(&found, out)?;
    let mut rows = of_version(&found);
    if let Some(manifest) = &found.manifest {
        rows.push((
            "location",
            format!("{} at {}", manifest.location, manifest.git_ref),
        ));
    }
    let dependants = found.dependants.iter();
    let dependants = dependants.map(|one| format!("{}@{} needs {}", one.name, one.version, one.range));
    rows.push(("dependants", lines(dependants)));
    rows.push(("page", client.package_page(name)));
    present(rows, out)
}

async fn show_package(client: &Client, name: &PackageName, out: &Printer) -> Result<(), Failure> {
    if out.json() {
        return Ok(out.object(&client.get_package(name).await?)?);
    }
    let metadata = client.get_metadata(name).await?;
    let mut rows = vec![("location", metadata.location.to_string())];
    match metadata.latest() {
        Some(latest) => {
            let found = client.get_package_version(name, latest).await?;
            out.heading(&format!("{name}@{latest}"))?;
            describe(&found, out)?;
            rows.extend(of_version(&found));
            rows.push(("dependants", counted(found.dependants.len(), "version")));
        }
        None => out.heading(name.as_str())?,
    }
    rows.extend(of_package(&metadata));
    rows.push(("page", client.package_page(name)));
    present(rows, out)?;
    if metadata.latest().is_some() {
        out.note(&format!("install it with `spago install {name}`"));
    }
    Ok(())
}

fn describe(found: &PackageVersion, out: &Printer) -> Result<(), Failure> {
    let description = found
        .manifest
        .as_ref()
        .and_then(|manifest| manifest.description.as_ref());
    match description {
        Some(description) => Ok(out.text(&description.to_string())?),
        None => Ok(()),
    }
}

/// Leaves out what has no value.
fn present(mut rows: Vec<(&'static str, String)>, out: &Printer) -> Result<(), Failure> {
    rows.retain(|(_, value)| !value.is_empty());
    Ok(out.rows(&rows)?)
}

fn of_version(found: &PackageVersion) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(unpublished) = found.unpublished_time {
        let reason = found.reason.as_deref().unwrap_or("no reason is given");
        rows.push(("unpublished", format!("{unpublished}: {reason}")));
    }
    rows.push(("published", found.published_time.to_string()));
    if let Some(manifest) = &found.manifest {
        rows.push(("licence", manifest.license.to_string()));
        rows.push(("depends on", dependencies(manifest)));
    }
    if let (Some(bytes), Some(hash)) = (found.bytes, found.hash) {
        rows.push(("tarball", format!("{bytes} bytes, {hash}")));
    }
    rows.push(("compilers", some(found.compilers.iter().rev())));
    rows.push(("package sets", some(found.package_sets.iter())));
    rows
}

fn of_package(metadata: &Metadata) -> Vec<(&'static str, String)> {
    let owners: Vec<String> = metadata
        .owners
        .iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    vec![
        ("owners", lines(owners.into_iter())),
        ("versions", some(metadata.published.keys().rev())),
        ("unpublished", some(metadata.unpublished.keys().rev())),
    ]
}

fn dependencies(manifest: &Manifest) -> String {
    let dependencies = manifest.dependencies.iter();
    let all: Vec<String> = dependencies
        .map(|(name, range)| format!("{name} {range}"))
        .collect();
    if all.is_empty() {
        return "nothing".to_owned();
    }
    all.join("\n")
}

/// Names the first of them in one line, and counts the others.
fn some(all: impl ExactSizeIterator<Item = impl ToString>) -> String {
    let others = all.len().saturating_sub(NAMED);
    let named: Vec<String> = all.take(NAMED).map(|one| one.to_string()).collect();
    let mut text = named.join(", ");
    if others > 0 {
        text.push_str(&format!(" and {others} more"));
    }
    text
}

/// The same, each on a line of its own.
fn lines(all: impl ExactSizeIterator<Item = String>) -> String {
    let others = all.len().saturating_sub(NAMED);
    let mut named: Vec<String> = all.take(NAMED).collect();
    if others > 0 {
        named.push(format!("and {others} more"));
    }
    named.join("\n")
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let versions: Vec<Version> = (0..12).map(|patch| Version::new(1, 0, patch)).collect();
        assert_eq!(some(versions[..2].iter()), "1.0.0, 1.0.1");
        assert!(some(versions.iter()).ends_with("1.0.9 and 2 more"));
        assert_eq!(
            lines(versions.iter().map(ToString::to_string)).lines().count(),
            11
        );
        assert_eq!(some(versions[..0].iter()), "");
    }
}
