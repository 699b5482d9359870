//! Runs `docket`, and makes keys for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use docket_core::operation::Signed;
use docket_core::signature::{Candidates, Form, Policy, PublicKey, authorise};
use docket_core::time::Timestamp;
use tempfile::TempDir;

use crate::stand_in::{PUBLIC_URL, StandIn};

/// What the program said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Asserts that `text` stands on standard error.
    #[track_caller]
    pub(crate) fn explains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "expected \"{text}\" in:\n{}", self.err);
        self
    }
}

/// A `docket` command with nothing of our own environment but the path.
pub(crate) fn docket(server: &StandIn, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docket"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DOCKET_URL", &server.url)
        .stdin(Stdio::null())
        .args(args);
    command
}

pub(crate) fn run(mut command: Command) -> Said {
    let output = command.output().unwrap();
    Said {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// A folder with a key pair.
pub(crate) struct Key {
    pub(crate) folder: TempDir,
}

impl Key {
    /// A key without passphrase.
    pub(crate) fn new() -> Self {
        Self::with(&["-t", "ed25519", "-N", ""])
    }

    /// What `ssh-keygen` makes with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-C", "me@example.org", "-f"])
            .arg(folder.path().join("key"))
            .args(options)
            .stdin(Stdio::null())
            .status()
            .expect("ssh-keygen is installed");
        assert!(made.success());
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of the private key, for a command line.
    pub(crate) fn path(&self) -> String {
        self.file("key").to_str().unwrap().to_owned()
    }

    pub(crate) fn public(&self) -> PublicKey {
        read(&self.file("key.pub")).parse().unwrap()
    }

    /// Asserts that the only operation posted is signed with this key for the stand-in, and returns its payload.
    #[track_caller]
    pub(crate) fn signed(&self, server: &StandIn) -> serde_json::Value {
        let signed: Signed = serde_json::from_str(&server.posted().body).unwrap();
        let policy = Policy {
            audience: PUBLIC_URL,
            now: now(),
            raw_signatures: false,
        };
        let candidates = Candidates::of_registry(Some(&self.public()));
        let signer = authorise(&signed, &candidates, &policy).unwrap();
        assert_eq!(signer.form, Form::Sshsig);
        let mut payload: serde_json::Value = serde_json::from_str(&signed.payload).unwrap();
        let fields = payload.as_object_mut().unwrap();
        for claim in ["audience", "expires", "nonce"] {
            assert!(fields.remove(claim).is_some(), "{claim}");
        }
        payload
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap())
}
