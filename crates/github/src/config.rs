//! What the client is told.

use std::str::FromStr;
use std::time::Duration;

use crate::names::{NameError, is_slug};
use crate::{Login, Token};

/// Whom to ask, and as whom. Files and environment are read by whoever builds this.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address of the API. Default `https://api.github.com`; an Enterprise server has it at `https://HOST/api/v3`.
    pub api_url: String,
    /// The team whose members are trusted.
    pub team: Option<Team>,
    /// The account that is trusted beside the team.
    pub bot: Option<Login>,
    /// Our own token. Without one GitHub allows few calls, and shows no team.
    pub token: Option<Token>,
    /// How much patience and memory there is.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_url: "https://api.github.com".to_owned(),
            team: None,
            bot: None,
            token: None,
            limits: Limits::default(),
        }
    }
}

/// A team of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    org: String,
    slug: String,
}

impl Team {
    /// Makes a checked name of a team.
    ///
    /// # Errors
    /// When a part would not be one part of an address.
    pub fn new(org: &str, slug: &str) -> Result<Self, NameError> {
        for (what, text) in [("an organisation", org), ("a team", slug)] {
            if !is_slug(text) {
                return Err(NameError::new(what, text));
            }
        }
        Ok(Self {
            org: org.to_owned(),
            slug: slug.to_owned(),
        })
    }

    /// Returns the organisation.
    pub fn org(&self) -> &str {
        &self.org
    }

    /// Returns the team's name as it stands in addresses.
    pub fn slug(&self) -> &str {
        &self.slug
    }
}

/// Reads `ORG/TEAM`.
impl FromStr for Team {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (org, slug) = text
            .split_once('/')
            .ok_or_else(|| NameError::new("a team", text))?;
        Self::new(org, slug)
    }
}

/// How much patience and memory there is.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a connection may take to come about. Default 5 s.
    pub connect_timeout: Duration,
    /// How long one call may take, with everything that is tried again. Default 10 s.
    pub call_timeout: Duration,
    /// Pauses before a call is made again. Default 250 ms and 1 s, so there are three attempts at most.
    pub retry_pauses: Vec<Duration>,
    /// The largest answer taken. Default 8 MiB.
    pub response_bytes: usize,
    /// How much is remembered of earlier answers. Default 32 MiB.
    pub cache_bytes: usize,
    /// The most pages of one list, 100 entries each. Default 30.
    pub pages: usize,
    /// How long a trustee stays one without asking again. Default 5 minutes.
    pub trusted_for: Duration,
    /// How long a token that is not a trustee's is refused without asking again. Default 1 minute.
    pub refused_for: Duration,
    /// How many tokens unknown to GitHub are looked up within a minute: GitHub bars an address that tries too many. Default 30.
    pub unknown_tokens_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(10),
            retry_pauses: vec![Duration::from_millis(250), Duration::from_secs(1)],
            response_bytes: 8 << 20,
            cache_bytes: 32 << 20,
            pages: 30,
            trusted_for: Duration::from_secs(300),
            refused_for: Duration::from_secs(60),
            unknown_tokens_per_minute: 30,
        }
    }
}
