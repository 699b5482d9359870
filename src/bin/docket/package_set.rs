//! `docket package-set`: what the sets hold, and the wish for the next one.

use std::collections::BTreeMap;

use docket_client::Client;
use docket_core::operation::{PackageSetRequest, PackageSetUpdate};
use docket_core::version::Version;

use crate::args;
use crate::authority::{Authority, audience};
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;

/// Runs one of the sub-commands.
///
/// # Errors
///
/// When the registry cannot be asked or refuses, or a followed job fails.
pub(crate) async fn run(client: Client, command: args::PackageSet, out: &Printer) -> Result<(), Failure> {
    match command {
        args::PackageSet::List => list(&client, out).await,
        args::PackageSet::Show { version } => show(&client, version, out).await,
        args::PackageSet::Update(update) => ask_for(client, update, out).await,
    }
}

async fn list(client: &Client, out: &Printer) -> Result<(), Failure> {
    let sets = client.list_package_sets().await?;
    if out.json() {
        return Ok(sets.iter().try_for_each(|set| out.object(set))?);
    }
    if sets.is_empty() {
        out.note("there are no package sets yet");
        return Ok(());
    }
    out.text(&format!("{:<12}  {:<10}  COMPILER", "VERSION", "PUBLISHED"))?;
    for set in &sets {
        out.text(&format!(
            "{:<12}  {}  {}",
            set.version.to_string(),
            set.published,
            set.compiler
        ))?;
    }
    Ok(())
}

async fn show(client: &Client, version: Option<Version>, out: &Printer) -> Result<(), Failure> {
    let set = client.get_package_set(version).await?;
    if out.json() {
        return Ok(out.object(&set)?);
    }
    out.text(&format!("version    {}", set.version))?;
    out.text(&format!("compiler   {}", set.compiler))?;
    out.text(&format!("published  {}", set.published))?;
    out.text(&format!("packages   {}", set.packages.len()))?;
    for (name, version) in &set.packages {
        out.text(&format!("  {name}@{version}"))?;
    }
    Ok(())
}

async fn ask_for(client: Client, args: args::PackageSetUpdate, out: &Printer) -> Result<(), Failure> {
    let (client, authority) = Authority::read(client, &args.authority)?;
    let no_wait = args.no_wait;
    let operation = update(&args)?;
    if operation.is_restricted() && authority.is_none() {
        return Err(Failure::Restricted);
    }
    let request = match authority {
        None => PackageSetRequest {
            payload: docket_core::json::to_compact(&operation),
            signature: None,
        },
        Some(authority) => {
            let audience = audience(&client, &args.authority, &authority).await?;
            let signed = authority.sign(&operation, &audience, out).await?;
            PackageSetRequest {
                payload: signed.payload,
                signature: Some(signed.signature).filter(|signature| !signature.is_empty()),
            }
        }
    };
    let submitted = Submitted {
        job: client.update_package_set(&request).await?,
        doing: "updating the package set",
        more: "",
        done: "updated the package set",
        advice: "The last error in its log says why; the latest set is the one before.",
    };
    see_through(&client, submitted, no_wait, out).await
}

fn update(args: &args::PackageSetUpdate) -> Result<PackageSetUpdate, Failure> {
    let raised = args
        .packages
        .iter()
        .map(|package| (package.name.clone(), Some(package.version)));
    let removed = args.remove.iter().map(|name| (name.clone(), None));
    let mut packages = BTreeMap::new();
    for (name, version) in raised.chain(removed) {
        if packages.insert(name.clone(), version).is_some() {
            return Err(Failure::NamedTwice { name });
        }
    }
    Ok(PackageSetUpdate {
        compiler: args.compiler,
        packages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(packages: &[&str], remove: &[&str]) -> Result<String, Failure> {
        let args = args::PackageSetUpdate {
            packages: packages.iter().map(|text| text.parse().unwrap()).collect(),
            remove: remove.iter().map(|text| text.parse().unwrap()).collect(),
            compiler: None,
            authority: args::Authority::default(),
            no_wait: false,
        };
        update(&args).map(|update| docket_core::json::to_compact(&update))
    }

    #[test]
    fn an_update_names_versions_and_removals() {
        assert_eq!(
            asked(&["slug@3.0.0", "aff@8.0.0"], &["argonaut"]).unwrap(),
            r#"{"packages":{"aff":"8.0.0","argonaut":null,"slug":"3.0.0"}}"#
        );
    }

    #[test]
    fn a_package_is_named_once() {
        for (packages, remove) in [
            (&["slug@3.0.0", "slug@3.0.1"][..], &[][..]),
            (&["slug@3.0.0"], &["slug"]),
            (&[], &["slug", "slug"]),
        ] {
            let failure = asked(packages, remove).unwrap_err();
            assert!(failure.to_string().contains("slug"), "{failure}");
            assert!(failure.advice().is_some());
        }
    }
}
