//! `docket key`: keys that own packages. They are ordinary SSH keys, so everything that knows those can use them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use docket_client::Client;
use docket_core::owner::Owner;
use docket_core::signature::{PrivateKey, PublicKey};
use serde_json::json;
use tokio::process::Command;

use crate::args;
use crate::authority::random;
use crate::failure::Failure;
use crate::print::Printer;
use crate::table::Table;

/// How often a passphrase is asked for until it was typed twice in the same way.
const TRIES: usize = 3;

/// Makes a key.
///
/// # Errors
///
/// When there is a file already, or it cannot be written.
pub(crate) fn generate(args: args::KeyGenerate, out: &Printer) -> Result<(), Failure> {
    let file = match args.file {
        Some(file) => file,
        None => ssh_folder()?.join("id_ed25519"),
    };
    let public_file = beside(&file);
    for file in [&file, &public_file] {
        if fs::symlink_metadata(file).is_ok() {
            return Err(Failure::Exists { file: file.clone() });
        }
    }
    let comment = args.comment.unwrap_or_else(account);
    let broken = |cause: docket_core::signature::PrivateKeyError| Failure::Key {
        file: file.clone(),
        cause: cause.into(),
    };
    let key = PrivateKey::ed25519(&random()?, &comment).map_err(broken)?;
    let public = key.public_key().map_err(|cause| broken(cause.into()))?;
    let passphrase = match args.no_passphrase {
        true => String::new(),
        false => new_passphrase(&file, out)?,
    };
    let text = match passphrase.as_str() {
        "" => key.to_openssh(),
        passphrase => key
            .encrypt(passphrase, random()?, random()?)
            .and_then(|key| key.to_openssh()),
    }
    .map_err(broken)?;
    if let Some(folder) = file.parent() {
        make_private_folder(folder)?;
    }
    write_new(&file, &text, 0o600)?;
    write_new(&public_file, &format!("{}\n", line(&public)), 0o644)?;
    if out.json() {
        let files = json!({ "file": file, "publicFile": public_file, "fingerprint": public.fingerprint() });
        return Ok(out.object(&files)?);
    }
    out.rows(&[
        ("private key", file.display().to_string()),
        ("public key", public_file.display().to_string()),
        ("fingerprint", public.fingerprint()),
    ])?;
    out.note(&format!(
        "keep the private key to yourself; name the public one in a manifest with `docket owner add NAME {}`",
        public_file.display()
    ));
    Ok(())
}

/// A key of this account.
struct Known {
    key: PublicKey,
    /// Files, and `ssh-agent`.
    places: Vec<String>,
}

/// Lists the keys in `~/.ssh` and in the agent, and which of them own `package`.
///
/// # Errors
///
/// When the registry does not know the package.
pub(crate) async fn list(
    client: &Client,
    package: Option<docket_core::name::PackageName>,
    out: &Printer,
) -> Result<(), Failure> {
    let owners = match &package {
        Some(name) => Some(client.get_metadata(name).await?.owners.unwrap_or_default()),
        None => None,
    };
    let owns = |key: &PublicKey| owners.as_ref().map(|owners| owners.contains(&Owner::from(key)));
    let mut known = Vec::new();
    for (file, text) in public_files(&ssh_folder()?) {
        add(&mut known, &text, &file.display().to_string());
    }
    for text in agent_keys().await {
        add(&mut known, &text, "ssh-agent");
    }
    if out.json() {
        return Ok(known.iter().try_for_each(|Known { key, places }| {
            let mut object = json!({
                "fingerprint": key.fingerprint(), "kind": key.kind(), "comment": key.comment(), "places": places,
            });
            if let Some(owns) = owns(key) {
                object["owns"] = owns.into();
            }
            out.object(&object)
        })?);
    }
    if known.is_empty() {
        out.note("there is no key in ~/.ssh and none in the ssh-agent; `docket key generate` makes one");
        return Ok(());
    }
    let owned = package
        .as_ref()
        .map_or(String::new(), |name| format!("owns {name}"));
    let mut table = Table::new(["FINGERPRINT", "KIND", "PACKAGE", "REMARK", "PLACE"]);
    for Known { key, places } in &known {
        table.row([
            key.fingerprint(),
            key.kind(),
            if owns(key) == Some(true) {
                owned.clone()
            } else {
                String::new()
            },
            key.comment().unwrap_or_default().to_owned(),
            places.join(", "),
        ]);
    }
    if package.is_none() {
        table.remove("PACKAGE");
    }
    Ok(out.table(&table)?)
}

/// Adds a key, or one more place of it. What is not a key that can own packages is passed over.
fn add(known: &mut Vec<Known>, text: &str, place: &str) {
    let Ok(key) = text.parse::<PublicKey>() else {
        return;
    };
    match known.iter_mut().find(|known| known.key == key) {
        Some(known) => known.places.push(place.to_owned()),
        None => known.push(Known {
            key,
            places: vec![place.to_owned()],
        }),
    }
}

/// The texts of the `.pub` files in a folder, by name.
fn public_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "pub"))
        .collect();
    files.sort();
    files
        .into_iter()
        .filter_map(|file| fs::read_to_string(&file).ok().map(|text| (file, text)))
        .collect()
}

/// The keys that the agent holds; none when there is no agent.
async fn agent_keys() -> Vec<String> {
    let listed = Command::new("ssh-add")
        .arg("-L")
        .kill_on_drop(true)
        .output()
        .await;
    let text = listed
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Asks for a passphrase until the same one was typed twice.
fn new_passphrase(file: &Path, out: &Printer) -> Result<String, Failure> {
    if !out.can_ask() {
        return Err(Failure::NobodyAnswers {
            what: "a passphrase for the key",
            advice: "Make a key without one with --no-passphrase.",
        });
    }
    let ask = |what: &str| {
        rpassword::prompt_password(format!("{what}: ")).map_err(|cause| Failure::Passphrase {
            file: file.to_owned(),
            cause: Some(cause),
        })
    };
    for _ in 0..TRIES {
        let first = ask(&format!("passphrase for {} (empty for none)", file.display()))?;
        if ask("the same again")? == first {
            return Ok(first);
        }
        out.show("these were not the same");
    }
    Err(Failure::NobodyAnswers {
        what: "a passphrase for the key",
        advice: "Try again when you have decided on one.",
    })
}

/// The line of a `.pub` file.
fn line(key: &PublicKey) -> String {
    let owner = Owner::from(key);
    let comment = key.comment().unwrap_or_default();
    format!("{} {} {comment}", owner.keytype, owner.public)
        .trim_end()
        .to_owned()
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn ssh_folder() -> Result<PathBuf, Failure> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home.ok_or(Failure::NoHome)?.join(".ssh"))
}

/// The name of this account, which is what stands behind a key unless something else is wanted.
fn account() -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    name.unwrap_or_else(|| "docket".to_owned())
}

/// Makes a folder that only its owner can look into; one that is there stays as it is.
fn make_private_folder(folder: &Path) -> Result<(), Failure> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|cause| Failure::Unwritable {
        file: folder.to_owned(),
        cause,
    })
}

/// Writes a file that must not be there yet, and that nobody else can read before it has this mode.
fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options
        .open(file)
        .and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|cause| Failure::Unwritable {
        file: file.to_owned(),
        cause,
    })
}
