//! Whom the registry trusts: the `[trustees]` and `[github]` sections.

use std::path::PathBuf;

use docket_api::{Authority, TrustedToken};
use docket_core::signature::PublicKey;
use docket_github::{Client, Clock, Team};
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, read_file};

/// The `[trustees]` section: whom the registry trusts with other people's packages.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trustees {
    /// The registry's own public key, as in a `.pub` file: it may sign for every package and for the package sets. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
    /// The token that a trusted forwarder sends as `Authorization: Bearer`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

/// The shortest token that is taken: what is shorter can be guessed.
const MIN_TOKEN_CHARS: usize = 20;

/// The `[github]` section: whose bearer tokens count beside our own, and what the tasks that ask GitHub ask.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GitHub {
    /// Address of the API. Default `https://api.github.com`.
    pub api_url: String,
    /// The organisation of the team of trustees. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The team of trustees, as it stands in addresses. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The account of the registry's bot, which is trusted too. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// Our own token: to see the team, and for the tasks that ask GitHub, which run only with one. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The secret of a webhook that GitHub calls for issues and comments; they are answered with our own token. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret_file: Option<PathBuf>,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            api_url: docket_github::Config::default().api_url,
            org: None,
            team: None,
            bot: None,
            token_file: None,
            webhook_secret_file: None,
        }
    }
}

impl GitHub {
    pub(super) fn client_config(&self) -> Result<docket_github::Config, ConfigError> {
        let wrong = |key, rule| ConfigError::OutOfRange { key, rule };
        let team = match (&self.org, &self.team) {
            (None, None) => None,
            (Some(org), Some(team)) => Some(Team::new(org, team).map_err(|_| {
                wrong(
                    "github.org and github.team",
                    "names as they stand in GitHub's addresses",
                )
            })?),
            _ => return Err(wrong("github.org and github.team", "given both or not at all")),
        };
        let bot = self.bot.as_deref().map(str::parse).transpose();
        let token = match &self.token_file {
            None => None,
            Some(path) => Some(
                read_file(path)?
                    .parse()
                    .map_err(|_| wrong("github.token_file", "a file with one token of GitHub"))?,
            ),
        };
        Ok(docket_github::Config {
            api_url: self.api_url.clone(),
            team,
            bot: bot.map_err(|_| wrong("github.bot", "the login of an account"))?,
            token,
            ..docket_github::Config::default()
        })
    }

    /// Who else bears a token; `None` when nobody is named.
    fn trustees(&self) -> Result<Option<docket_github::Trustees>, ConfigError> {
        let config = self.client_config()?;
        if config.team.is_none() && config.bot.is_none() {
            return Ok(None);
        }
        let client = client_of(&config)?;
        let trustees = docket_github::Trustees::new(client, &config, Clock::system());
        Ok(Some(trustees))
    }

    /// Whom the scheduled tasks ask; `None` without a token.
    ///
    /// # Errors
    /// When a name is none, or the token cannot be read.
    pub fn client(&self) -> Result<Option<Client>, ConfigError> {
        if self.token_file.is_none() {
            return Ok(None);
        }
        client_of(&self.client_config()?).map(Some)
    }
}

fn client_of(config: &docket_github::Config) -> Result<Client, ConfigError> {
    Client::new(config, Clock::system()).map_err(|_| ConfigError::OutOfRange {
        key: "github.api_url",
        rule: "an http or https URL",
    })
}

impl Config {
    /// Whom the registry trusts, from wherever it is configured.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold what it should.
    pub fn authority(&self) -> Result<Authority, ConfigError> {
        let unusable = |key, rule| ConfigError::OutOfRange { key, rule };
        let bot = match &self.trustees.public_key_file {
            None => None,
            Some(path) => Some(read_file(path)?.parse::<PublicKey>().map_err(|_| {
                unusable(
                    "trustees.public_key_file",
                    "a file with the line of an OpenSSH public key, such as `ssh-ed25519 AAAA… remark`",
                )
            })?),
        };
        let token = match &self.trustees.token_file {
            None => None,
            Some(path) => {
                let token = read_file(path)?;
                let good =
                    token.len() >= MIN_TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_graphic());
                if !good {
                    return Err(unusable(
                        "trustees.token_file",
                        "a file with one token of at least 20 visible ASCII characters",
                    ));
                }
                Some(TrustedToken::new(&token))
            }
        };
        Ok(Authority {
            bot,
            token,
            trustees: self.github.trustees()?,
            raw_signatures: self.operations.raw_signatures,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::load;

    /// The registry's key and token come from files, and what is in them is checked when the program starts.
    #[test]
    fn keys_and_tokens_come_from_files_that_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let authority = |key: &str, text: &str| {
            let path = folder.path().join("file");
            fs::write(&path, text).unwrap();
            let toml = format!("[trustees]\n{key} = \"{}\"", path.display());
            load(&toml)
                .unwrap()
                .authority()
                .map_err(|error| error.to_string())
        };
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIHSHS7cso+UhBFkjlgnkCDiCvliCQiLoaSMB3G4zn4s bot@example.org\n";
        assert!(authority("public_key_file", key).unwrap().bot.is_some());
        assert!(
            authority("public_key_file", "AAAA")
                .unwrap_err()
                .contains("trustees.public_key_file")
        );
        assert!(authority("token_file", &"t".repeat(20)).unwrap().token.is_some());
        for bad in [
            "",
            &"t".repeat(19),
            &format!("{}\n{}", "t".repeat(20), "t".repeat(20)),
        ] {
            let error = authority("token_file", bad).unwrap_err();
            assert!(error.contains("trustees.token_file"), "{error}");
        }
        let missing = load("[trustees]\ntoken_file = \"/nowhere/token\"")
            .unwrap()
            .authority();
        assert!(
            missing
                .unwrap_err()
                .to_string()
                .contains("/nowhere/token cannot be read")
        );
    }

    /// A team needs its organisation, names are checked, and without any of them nobody's token is looked up.
    #[tokio::test]
    async fn a_team_needs_its_organisation() {
        assert!(load("").unwrap().authority().unwrap().trustees.is_none());
        let team = load("[github]\norg = \"lab\"\nteam = \"packaging\"").unwrap();
        assert!(team.authority().unwrap().trustees.is_some());
        for (toml, key) in [
            ("[github]\nteam = \"packaging\"", "github.org and github.team"),
            (
                "[github]\norg = \"a/b\"\nteam = \"t\"",
                "github.org and github.team",
            ),
            ("[github]\nbot = \"a b\"", "github.bot"),
        ] {
            let error = load(toml).unwrap().authority().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
