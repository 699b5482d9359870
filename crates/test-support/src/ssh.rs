//! Keys for signing, made by the real `ssh-keygen`.

use std::process::Command;

/// The texts of the two files of a key.
pub struct SshKey {
    /// The private half.
    pub private: String,
    /// The line of the `.pub` file.
    pub public: String,
}

/// Makes a key of `kind` with a comment.
///
/// # Panics
/// Without `ssh-keygen`.
pub fn ssh_key(kind: &str, comment: &str) -> SshKey {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let path = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", comment, "-f"])
        .arg(&path)
        .output()
        .expect("ssh-keygen is installed (package openssh-client; tests/run installs it)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |path| std::fs::read_to_string(path).expect("ssh-keygen writes both files");
    SshKey {
        private: read(path.clone()),
        public: read(path.with_extension("pub")),
    }
}
