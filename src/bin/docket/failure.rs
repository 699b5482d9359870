//! Why a command did not do what was asked: what failed, why, and what to do about it.

use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use docket_client::{Error, JobError, JobId};
use docket_core::location::Location;
use docket_core::name::PackageName;
use docket_core::signature::KeyError;
use docket_package::{CheckError, Rejection};

use crate::explain;

/// The end of a command that went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The registry could not be asked, or refused.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The registry is an older one, or another program.
    #[error("this registry knows no dry runs")]
    NoDryRuns,
    /// There is no manifest where we looked.
    #[error("there is no purs.json and no spago.yaml in {}", .dir.display())]
    NoManifest {
        /// Where we looked.
        dir: PathBuf,
    },
    /// The package is described only in a way that does not say enough.
    #[error("{} does not say which version to publish", .file.display())]
    BowerOnly {
        /// What was found.
        file: PathBuf,
    },
    /// A manifest, a key or a token cannot be read.
    #[error("{} cannot be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The manifest says something that cannot be published.
    #[error("{} cannot be published as it is", .file.display())]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Neither key nor token.
    #[error("nobody answers for this")]
    NoAuthority,
    /// What only the registry's own people may ask for.
    #[error("only the registry's own key or a trustee may remove packages or choose the compiler")]
    Restricted,
    /// The key does not sign.
    #[error("the key {} cannot sign", .file.display())]
    Key {
        /// The key.
        file: PathBuf,
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The passphrase of the key cannot be asked for.
    #[error("the key {} is encrypted, and nobody is there to ask for its passphrase", .file.display())]
    Passphrase {
        /// The key.
        file: PathBuf,
        /// What the terminal said.
        #[source]
        cause: Option<std::io::Error>,
    },
    /// Nobody knows the passphrase of the key.
    #[error("that is not the passphrase of {}", .file.display())]
    WrongPassphrase {
        /// The key.
        file: PathBuf,
    },
    /// The program that talks to the agent and to hardware keys does not start.
    #[error("ssh-keygen could not be started, which signs with keys that are not in a file")]
    NoSshKeygen {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The program that talks to the agent and to hardware keys did not sign.
    #[error("ssh-keygen did not sign with {} ({status})", .file.display())]
    SshKeygen {
        /// The key.
        file: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// The file of the token holds none.
    #[error("there is no token in {}", .file.display())]
    NoToken {
        /// The file.
        file: PathBuf,
    },
    /// The server wants signatures for another registry.
    #[error("the registry at {called} calls itself {said}, and a signature for that would hold there")]
    OtherRegistry {
        /// What we took it for.
        called: String,
        /// What it says it is.
        said: String,
    },
    /// No terminal, and no `--yes`.
    #[error("nobody is there to ask; nothing was sent")]
    NobodyToAsk,
    /// The answer was no.
    #[error("nothing was sent")]
    Declined,
    /// The package is there already.
    #[error("{name} comes from {location} already")]
    SameLocation {
        /// The package.
        name: PackageName,
        /// Where it is.
        location: Location,
    },
    /// Two wishes for one package.
    #[error("{name} is named twice")]
    NamedTwice {
        /// The package.
        name: PackageName,
    },
    /// Nothing has this code.
    #[error("no problem has the code {code:?}")]
    NoSuchCode {
        /// The code asked for.
        code: String,
        /// Codes that are much like it.
        close: Vec<&'static str>,
    },
    /// A file is there that must not be overwritten.
    #[error("{} is there already", .file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// Something has to be asked, and nobody answers.
    #[error("nobody is there to say {what}")]
    NobodyAnswers {
        /// What is asked.
        what: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// Something of a manifest cannot be guessed.
    #[error("the {what} cannot be guessed{}", because(.problem))]
    Unguessed {
        /// The field.
        what: &'static str,
        /// What is wrong with the guess, if there was one.
        problem: Option<String>,
    },
    /// A dependency has no version that could be depended on.
    #[error("no version of {name} can be installed")]
    NoVersion {
        /// The dependency.
        name: PackageName,
    },
    /// This account has no home.
    #[error("this account has no home directory")]
    NoHome,
    /// What should be a public key is none.
    #[error("{} is not a public key that can own packages", .file.display())]
    PublicKey {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        cause: KeyError,
    },
    /// The manifest names the owner already.
    #[error("the manifest of {name} names {key} already")]
    OwnerAlready {
        /// The package.
        name: PackageName,
        /// The fingerprint.
        key: String,
    },
    /// The manifest does not name the owner.
    #[error("{} names no owner {key:?}", .file.display())]
    NoSuchOwner {
        /// As it was named.
        key: String,
        /// The manifest.
        file: PathBuf,
    },
    /// The manifest is that of another package.
    #[error("{} is the manifest of {found}, not of {wanted}", .file.display())]
    OtherPackage {
        /// The manifest.
        file: PathBuf,
        /// Whose it is.
        found: PackageName,
        /// Whose was wanted.
        wanted: PackageName,
    },
    /// There is no git.
    #[error("git could not be started, which fetches the repositories of the registry")]
    NoGit {
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A repository could not be cloned.
    #[error("{address} could not be cloned: {said}")]
    Clone {
        /// The repository.
        address: String,
        /// What git said.
        said: String,
    },
    /// The registry would refuse the package.
    #[error("the registry would refuse {package}")]
    WouldRefuse {
        /// Name and version.
        package: String,
        /// Everything that is to be changed.
        refused: Vec<Rejection>,
    },
    /// The package could not be looked at.
    #[error("the package could not be looked at")]
    Check(#[from] CheckError),
    /// Tarballs were never brought to the server; nothing else is wrong.
    #[error("{count} tarballs are not on this server")]
    Absent {
        /// How many.
        count: usize,
    },
    /// The registry does not hold what it says.
    #[error("{count} {} not as it should be", if *.count == 1 { "thing is" } else { "things are" })]
    Differs {
        /// How many findings there are.
        count: usize,
    },
    /// A file cannot be written.
    #[error("{} cannot be written", .file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The job ended without success.
    #[error("job {job} failed{}; the log above says why", with(.error))]
    JobFailed {
        /// The job.
        job: JobId,
        /// Why, as far as the server says it.
        error: Option<JobError>,
        /// What to do now.
        advice: &'static str,
    },
    /// Someone pressed Ctrl-C while a job was being followed.
    #[error("interrupted; job {job} goes on")]
    Interrupted {
        /// The job.
        job: JobId,
    },
    /// An issue could not be forwarded.
    #[cfg(feature = "forward-issue")]
    #[error(transparent)]
    Issue(#[from] crate::forward_issue::Trouble),
    /// Standard output does not take what we write.
    #[error("standard output cannot be written")]
    Output(#[from] std::io::Error),
}

fn with(error: &Option<JobError>) -> String {
    error
        .as_ref()
        .map(|error| format!(" with {}", error.code))
        .unwrap_or_default()
}

fn because(problem: &Option<String>) -> String {
    problem
        .as_ref()
        .map(|problem| format!(": {problem}"))
        .unwrap_or_default()
}

impl Failure {
    /// Returns what ends the process: see the help text of `docket`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Registry(Error::Address { .. })
            | Failure::NoSuchCode { .. }
            | Failure::NamedTwice { .. }
            | Failure::NoAuthority
            | Failure::Restricted => ExitCode::from(2),
            Failure::Interrupted { .. } => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }

    /// Returns everything that is to be changed, where there is more than one thing.
    pub(crate) fn refused(&self) -> &[Rejection] {
        match self {
            Failure::WouldRefuse { refused, .. } => refused,
            _ => &[],
        }
    }

    /// Returns the code under which `docket explain` tells more.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Failure::Registry(Error::Refused { code, .. }) => code.as_deref(),
            Failure::JobFailed { error, .. } => error.as_ref().map(|error| error.code.as_str()),
            Failure::WouldRefuse { refused, .. } => refused.first().map(Rejection::code),
            Failure::NoManifest { .. } => Some("manifest-missing"),
            Failure::Manifest { .. } => Some("manifest-invalid"),
            _ => None,
        }
        .filter(|code| explain::knows(code))
    }

    /// Returns what the person at the keyboard can do, where we know it.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Failure::Registry(Error::Unreachable { .. }) => {
                Some("Is the address right? Set it with --server URL or DOCKET_URL.".to_owned())
            }
            Failure::Registry(Error::NoSuchJob { .. }) => {
                Some("`docket job list` shows the jobs this registry knows.".to_owned())
            }
            Failure::Registry(Error::NotFound { .. }) => {
                Some("Check the spelling, and the address of the registry (--server URL or DOCKET_URL).".to_owned())
            }
            Failure::Registry(Error::Token) => {
                Some("The file must hold the token alone, in plain text.".to_owned())
            }
            Failure::Registry(Error::Refused { status, .. }) if matches!(status.as_u16(), 401 | 403) => Some(
                "Nothing was done. Sign with the key of an owner (--key FILE), or act as a trustee (--token-file FILE)."
                    .to_owned(),
            ),
            // What stands in the way is there by now: there is nothing to correct.
            Failure::Registry(Error::Refused { status, .. }) if status.as_u16() == 409 => {
                Some("Nothing was done. `docket job show ID` shows how it stands.".to_owned())
            }
            Failure::Registry(error @ Error::Refused { .. }) if error.is_temporary() => {
                Some("Try again in a while: asking twice is harmless.".to_owned())
            }
            Failure::Registry(Error::Refused { .. }) => {
                Some("Nothing was done. Change what the registry names, then ask again.".to_owned())
            }
            Failure::Registry(Error::Undecodable { .. }) => {
                Some("Check the address of the registry (--server URL or DOCKET_URL).".to_owned())
            }
            Failure::Registry(Error::GaveUp { job, .. }) | Failure::Interrupted { job } => {
                Some(format!("Go on watching with `docket job logs {job} --follow`."))
            }
            Failure::NoDryRuns => Some(
                "Without --dry-run, much is looked at before the registry is asked; but then it is asked.".to_owned(),
            ),
            Failure::NoManifest { .. } => Some(
                "Run this in the directory of the package, or name it: docket publish DIR. A new package needs a purs.json \
                 or a spago.yaml with a publish section."
                    .to_owned(),
            ),
            Failure::BowerOnly { .. } => {
                Some("Add a purs.json or a spago.yaml; they hold name, version and location.".to_owned())
            }
            Failure::NoSuchCode { close, .. } if close.is_empty() => {
                Some("`docket explain` lists all codes.".to_owned())
            }
            Failure::NoSuchCode { close, .. } => Some(format!(
                "Is it {}? `docket explain` lists all codes.",
                close.join(", or ")
            )),
            Failure::Exists { .. } => Some("Remove it first, or name another place.".to_owned()),
            Failure::NobodyAnswers { advice, .. } => Some((*advice).to_owned()),
            Failure::Unguessed { .. } => Some("Without --yes you are asked for it.".to_owned()),
            Failure::NoVersion { .. } => {
                Some("Take it out of the dependencies, or give it a range of your own in spago.yaml.".to_owned())
            }
            Failure::NoHome => Some("Set HOME, or name a file.".to_owned()),
            Failure::PublicKey { .. } => {
                Some("Name the `.pub` file of a key; `docket key list` shows yours.".to_owned())
            }
            Failure::OwnerAlready { .. } => Some("There is nothing to do.".to_owned()),
            Failure::NoSuchOwner { .. } => Some(
                "Name a public key file, a fingerprint (SHA256:…) or the remark behind the key, as the manifest has it."
                    .to_owned(),
            ),
            Failure::OtherPackage { .. } => Some("Name the directory of the package with --dir DIR.".to_owned()),
            Failure::NoGit { .. } => Some("Install git, or leave the repositories out with --no-git.".to_owned()),
            Failure::Clone { .. } => {
                Some("Name another place with --git URL, or leave the repositories out with --no-git.".to_owned())
            }
            Failure::WouldRefuse { .. } => Some(
                "Nothing was sent. Change it, commit, move the tag and push it; --no-check asks all the same.".to_owned(),
            ),
            Failure::Absent { .. } => Some(
                "Everything else is as it should be. `docketd import --tarballs DIR-or-URL` brings them.".to_owned(),
            ),
            Failure::Differs { .. } => Some(
                "Tell the operator of the registry, who sees more with `docketd doctor`; do not use what differs.".to_owned(),
            ),
            Failure::Unwritable { .. } => Some("Is the path right, and may you write there?".to_owned()),
            Failure::Manifest { .. } => Some("Change it, commit, tag and push, then publish again.".to_owned()),
            Failure::JobFailed { advice, .. } => Some((*advice).to_owned()),
            #[cfg(feature = "forward-issue")]
            Failure::Issue(crate::forward_issue::Trouble::NoToken) => {
                Some("Set GITHUB_TOKEN, or name a file with --github-token-file FILE.".to_owned())
            }
            Failure::Unreadable { .. } => Some("Is the path right, and may you read it?".to_owned()),
            Failure::NoAuthority => {
                Some("Name a key with --key FILE, or a trustee's token with --token-file FILE.".to_owned())
            }
            Failure::Restricted => Some("Name it with --key FILE, or the token with --token-file FILE.".to_owned()),
            Failure::Key { .. } => {
                Some("`ssh-keygen -t ed25519` makes a key; an owner adds it to the manifest, and publishes.".to_owned())
            }
            Failure::Passphrase { .. } => Some(
                "Put the key into the ssh-agent (`ssh-add FILE`) and name its public half: --key FILE.pub.".to_owned(),
            ),
            Failure::WrongPassphrase { .. } => {
                Some("Ask again when you have found it; `ssh-keygen -y -f FILE` tries it out.".to_owned())
            }
            Failure::NoSshKeygen { .. } => Some("Install OpenSSH, or name a private key file with --key.".to_owned()),
            Failure::SshKeygen { .. } => Some(
                "What it said stands above. Is the key in the ssh-agent (`ssh-add -l`), or its device plugged in?"
                    .to_owned(),
            ),
            Failure::Random => Some("Try again; if it stays like this, restart the machine.".to_owned()),
            Failure::NoToken { .. } => Some("Write the token into it, alone, in plain text.".to_owned()),
            Failure::OtherRegistry { said, .. } => Some(format!(
                "If that is the registry you mean, call it so: --server {said}, or --audience {said}. If not, do not sign."
            )),
            Failure::NobodyToAsk => Some("Say yes beforehand, with --yes.".to_owned()),
            Failure::Declined => Some("Ask again when you are sure; --yes does not ask.".to_owned()),
            Failure::SameLocation { .. } => Some("There is nothing to do; is --to the new repository?".to_owned()),
            Failure::NamedTwice { .. } => Some("Name each package once: with its new version, or to be removed.".to_owned()),
            _ => None,
        }
    }
}
