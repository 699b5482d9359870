//! `docket owner`: who may take versions of a package back, and move it.
//!
//! Owners stand in the manifest, so whoever may change the source decides who owns the package: the registry takes them over with each
//! version that is published. Nothing is sent from here.

use std::path::Path;

use docket_client::Client;
use docket_core::manifest::Manifest;
use docket_core::name::PackageName;
use docket_core::owner::Owner;
use docket_core::signature::PublicKey;
use serde_json::{Value, json};

use crate::args;
use crate::failure::Failure;
use crate::manifest::{self, Found};
use crate::print::Printer;
use crate::table::Table;

/// Runs one of the sub-commands.
///
/// # Errors
///
/// When the registry cannot be asked, or the manifest cannot be changed.
pub(crate) async fn run(
    registry: impl FnOnce() -> Result<Client, docket_client::Error>,
    command: args::Owner,
    out: &Printer,
) -> Result<(), Failure> {
    match command {
        args::Owner::List { name } => list(&registry()?, &name, out).await,
        args::Owner::Add(change) => add(&change, out),
        args::Owner::Remove(change) => remove(&change, out),
    }
}

async fn list(client: &Client, name: &PackageName, out: &Printer) -> Result<(), Failure> {
    let owners = client.get_metadata(name).await?.owners.unwrap_or_default();
    if out.json() {
        return Ok(owners.iter().try_for_each(|owner| {
            let mut object = json!(owner);
            if let Ok(key) = PublicKey::try_from(owner) {
                object["fingerprint"] = key.fingerprint().into();
            }
            out.object(&object)
        })?);
    }
    if owners.is_empty() {
        out.note(&format!(
            "nobody owns {name}: only trustees can take its versions back or move it"
        ));
        return Ok(());
    }
    let mut table = Table::new(["FINGERPRINT", "KIND", "REMARK"]);
    for owner in &owners {
        let fingerprint = match PublicKey::try_from(owner) {
            Ok(key) => key.fingerprint(),
            Err(_) => "(not a key that can sign)".to_owned(),
        };
        table.row([
            fingerprint,
            owner.keytype.clone(),
            owner.id.clone().unwrap_or_default(),
        ]);
    }
    Ok(out.table(&table)?)
}

fn add(args: &args::OwnerChange, out: &Printer) -> Result<(), Failure> {
    let found = find(args)?;
    let key = read_key(Path::new(&args.key))?;
    let mut owners = found.manifest.owners.clone().unwrap_or_default();
    let owner = Owner::from(&key);
    if owners.contains(&owner) {
        return Err(Failure::OwnerAlready {
            name: args.name.clone(),
            key: key.fingerprint(),
        });
    }
    owners.push(owner);
    write(found, owners, out)
}

fn remove(args: &args::OwnerChange, out: &Printer) -> Result<(), Failure> {
    let found = find(args)?;
    let file = Path::new(&args.key);
    let key = match file.is_file() {
        true => Some(read_key(file)?),
        false => None,
    };
    let is_meant = |owner: &Owner| match (&key, PublicKey::try_from(owner)) {
        (Some(key), Ok(own)) => own == *key,
        (Some(_), Err(_)) => false,
        (None, own) => {
            owner.id.as_ref() == Some(&args.key) || own.is_ok_and(|own| own.fingerprint() == args.key)
        }
    };
    let before = found.manifest.owners.clone().unwrap_or_default();
    let owners: Vec<Owner> = before.iter().filter(|owner| !is_meant(owner)).cloned().collect();
    if owners.len() == before.len() {
        return Err(Failure::NoSuchOwner {
            key: args.key.clone(),
            file: found.file,
        });
    }
    write(found, owners, out)
}

/// Reads the manifest, which must be that of the package that was named.
fn find(args: &args::OwnerChange) -> Result<Found, Failure> {
    let found = manifest::read(&args.dir, None)?;
    if found.manifest.name == args.name {
        return Ok(found);
    }
    Err(Failure::OtherPackage {
        file: found.file,
        found: found.manifest.name,
        wanted: args.name.clone(),
    })
}

fn read_key(file: &Path) -> Result<PublicKey, Failure> {
    let text = std::fs::read_to_string(file).map_err(|cause| Failure::Unreadable {
        file: file.to_owned(),
        cause,
    })?;
    text.trim()
        .parse::<PublicKey>()
        .map_err(|cause| Failure::PublicKey {
            file: file.to_owned(),
            cause,
        })
}

/// Writes the owners into the manifest where that is ours to write, or says what to write.
fn write(found: Found, owners: Vec<Owner>, out: &Printer) -> Result<(), Failure> {
    let manifest = Manifest {
        owners: Some(owners.clone()).filter(|owners| !owners.is_empty()),
        ..found.manifest.clone()
    };
    let is_written = found.is_purs_json() && has_only_known_fields(&found);
    if is_written {
        manifest::replace_file(&found.file, &manifest.to_pretty())?;
    }
    if out.json() {
        return Ok(out.object(&json!({ "file": found.file, "written": is_written, "owners": owners }))?);
    }
    let file = found.file.display();
    if is_written {
        out.text(&format!("{file} names {} now", counted(owners.len())))?;
    } else {
        out.note(&format!("{file} is yours to write; let it say"));
        out.text(&match found.is_purs_json() {
            true => format!("  \"owners\": {}", json!(owners)),
            false => yaml(&owners),
        })?;
    }
    if owners.is_empty() {
        out.note(&format!(
            "then nobody owns {}: only trustees can take its versions back or move it",
            manifest.name
        ));
    }
    out.note("commit it; the next version that is published carries it to the registry");
    Ok(())
}

/// Whether nothing is lost when the file is written anew.
fn has_only_known_fields(found: &Found) -> bool {
    let keys = |text: &str| {
        let object: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        object.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    keys(&found.text) == keys(&found.manifest.to_pretty())
}

/// The part of a `spago.yaml`. Its values are words of a key file, in quotes as JSON has them, which YAML reads as well.
fn yaml(owners: &[Owner]) -> String {
    let mut text = String::from("package:\n  publish:\n    owners:");
    if owners.is_empty() {
        text.push_str(" []");
    }
    for owner in owners {
        text.push_str(&format!(
            "\n      - keytype: {}\n        public: {}",
            json!(owner.keytype),
            json!(owner.public)
        ));
        if let Some(id) = &owner.id {
            text.push_str(&format!("\n        id: {}", json!(id)));
        }
    }
    text
}

fn counted(count: usize) -> String {
    match count {
        0 => "no owner".to_owned(),
        1 => "1 owner".to_owned(),
        count => format!("{count} owners"),
    }
}
