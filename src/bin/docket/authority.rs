//! On whose authority an operation is asked for: a key that signs it, or a trustee's token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use docket_client::Client;
use docket_core::operation::Signed;
use docket_core::signature::{Claims, NAMESPACE, PrivateKey, PrivateKeyError, PublicKey};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::args;
use crate::failure::Failure;
use crate::job::now;
use crate::print::Printer;

/// How often the passphrase of a key is asked for.
const PASSPHRASE_TRIES: usize = 3;

/// Who answers for an operation.
pub(crate) enum Authority {
    /// Whoever holds this key.
    Key(Box<KeyFile>),
    /// The trustee whose token the client sends.
    Token,
}

/// A key, as it was named on the command line.
pub(crate) struct KeyFile {
    file: PathBuf,
    /// The public half, where the file shows it.
    public: Option<PublicKey>,
    /// The private half. Without it, the agent, a hardware key, or a file in another format has it: `ssh-keygen` knows
    /// how to ask them.
    private: Option<PrivateKey>,
}

impl Authority {
    /// Reads what the command line names, and returns the client to ask with. `None` when it names nothing.
    ///
    /// # Errors
    ///
    /// When a file cannot be used.
    pub(crate) fn read(client: Client, args: &args::Authority) -> Result<(Client, Option<Self>), Failure> {
        if let Some(file) = &args.key {
            return Ok((client, Some(Self::Key(Box::new(KeyFile::read(file)?)))));
        }
        let Some(file) = &args.token_file else {
            return Ok((client, None));
        };
        let text = fs::read_to_string(file).map_err(|cause| Failure::Unreadable {
            file: file.clone(),
            cause,
        })?;
        match text.trim() {
            "" => Err(Failure::NoToken { file: file.clone() }),
            token => Ok((client.with_token(token)?, Some(Self::Token))),
        }
    }

    /// What people are shown: whose authority it is.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Key(key) => match &key.public {
                Some(public) => format!("{} {}", public.kind(), public.fingerprint()),
                None => key.file.display().to_string(),
            },
            Self::Token => "the token of a trustee".to_owned(),
        }
    }

    /// Returns the body that asks for `operation` at the registry that is publicly called `audience`.
    ///
    /// # Errors
    ///
    /// When the key does not sign.
    pub(crate) async fn sign(
        &self,
        operation: &impl Serialize,
        audience: &str,
        out: &Printer,
    ) -> Result<Signed, Failure> {
        let payload = Claims::new(audience, random()?, now()).payload(operation);
        let signature = match self {
            Self::Key(key) => key.sign(&payload, out).await?,
            Self::Token => String::new(),
        };
        Ok(Signed { payload, signature })
    }
}

/// Finds out which registry an operation is made out to.
///
/// # Errors
///
/// When a signature is wanted, and the server calls itself other than it was called.
pub(crate) async fn audience(
    client: &Client,
    args: &args::Authority,
    authority: &Authority,
) -> Result<String, Failure> {
    let said = client.public_url().await?;
    let expected = match (authority, &args.audience) {
        (Authority::Token, None) => true,
        (_, Some(url)) => url.trim_end_matches('/') == said,
        (Authority::Key(_), None) => client.may_be_called(&said),
    };
    if expected {
        return Ok(said);
    }
    Err(Failure::OtherRegistry {
        called: args
            .audience
            .clone()
            .unwrap_or_else(|| client.server().to_owned()),
        said,
    })
}

/// ssh-key 0.6 reads a private ECDSA key only when its number happens to have full length: every fourth of P-521 it refuses, and one in
/// 256 of the others. `ssh-keygen` signs with all of them.
const ECDSA: &str = "ecdsa-";

impl KeyFile {
    fn read(file: &Path) -> Result<Self, Failure> {
        let bad = |cause: Box<dyn std::error::Error + Send + Sync>| Failure::Key {
            file: file.to_owned(),
            cause,
        };
        let text = fs::read_to_string(file).map_err(|cause| Failure::Unreadable {
            file: file.to_owned(),
            cause,
        })?;
        let (public, private) = if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            match PrivateKey::from_openssh(&text) {
                Ok(key) => {
                    let public = key.public_key().map_err(|error| bad(error.into()))?;
                    let ours = !public.is_hardware() && !public.kind().starts_with(ECDSA);
                    (Some(public), ours.then_some(key))
                }
                Err(PrivateKeyError::Short) => (None, None),
                Err(error) => return Err(bad(error.into())),
            }
        } else if text.contains("PRIVATE KEY-----") {
            (None, None)
        } else {
            let public = text.trim().parse::<PublicKey>();
            (Some(public.map_err(|error| bad(error.into()))?), None)
        };
        Ok(Self {
            file: file.to_owned(),
            public,
            private,
        })
    }

    async fn sign(&self, payload: &str, out: &Printer) -> Result<String, Failure> {
        let Some(key) = &self.private else {
            return ssh_keygen(&self.file, payload).await;
        };
        let signature = if key.is_encrypted() {
            self.unlocked(key, out)?.sign(payload)
        } else {
            key.sign(payload)
        };
        signature.map_err(|error| Failure::Key {
            file: self.file.clone(),
            cause: error.into(),
        })
    }

    /// Asks for the passphrase until it fits.
    fn unlocked(&self, key: &PrivateKey, out: &Printer) -> Result<PrivateKey, Failure> {
        let file = self.file.clone();
        if !out.can_ask() {
            return Err(Failure::Passphrase { file, cause: None });
        }
        for _ in 0..PASSPHRASE_TRIES {
            let passphrase = rpassword::prompt_password(format!("passphrase of {}: ", file.display()))
                .map_err(|cause| Failure::Passphrase {
                    file: file.clone(),
                    cause: Some(cause),
                })?;
            match key.decrypt(&passphrase) {
                Err(PrivateKeyError::Passphrase) => out.show("that is not its passphrase"),
                other => {
                    return other.map_err(|error| Failure::Key {
                        file,
                        cause: error.into(),
                    });
                }
            }
        }
        Err(Failure::WrongPassphrase { file })
    }
}

/// Lets `ssh-keygen` sign: it talks to the agent and to hardware keys, and asks on the terminal for what they need.
async fn ssh_keygen(file: &Path, payload: &str) -> Result<String, Failure> {
    let start = |cause| Failure::NoSshKeygen { cause };
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(start)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    // One that has no such key ends without reading: its exit code says so.
    let _ = stdin.write_all(payload.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.map_err(start)?;
    if !output.status.success() {
        return Err(Failure::SshKeygen {
            file: file.to_owned(),
            status: output.status,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns random bytes of the operating system, by way of the TLS library that is here anyway.
///
/// # Errors
///
/// When it gives none.
pub(crate) fn random<const BYTES: usize>() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| Failure::Random)?;
    Ok(bytes)
}
