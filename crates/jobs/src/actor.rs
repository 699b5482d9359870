//! Who asked for a job: recorded with it and shown, so that a decision can be traced to whoever made it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// In which capacity somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds a key that the package's metadata names.
    Owner,
    /// Is trusted by the registry: the forwarder's token, or a member of the GitHub team.
    Trustee,
    /// Holds the registry's own key.
    Bot,
    /// Nobody: the registry's own timetable.
    Schedule,
}

/// Who asked for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// In which capacity.
    pub role: Role,
    /// A name for people: a GitHub login, the remark of a key, the name of a schedule. Never a token.
    pub name: String,
    /// The fingerprint of the key that signed, `SHA256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Actor {
    /// True for those whom the registry trusts with other people's packages.
    pub fn is_trusted(&self) -> bool {
        matches!(self.role, Role::Trustee | Role::Bot)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Trustee => "trustee",
            Self::Bot => "bot",
            Self::Schedule => "schedule",
        })
    }
}

/// As a sentence names them: `owner me@example.org (SHA256:…)`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.name)?;
        match &self.key {
            Some(key) => write!(f, " ({key})"),
            None => Ok(()),
        }
    }
}
