//! What a webhook of GitHub needs to be believed, and its issues to be answered.

use docket_api::Webhook;
use docket_github::{Client, Forwarder, webhook::Secret};

use super::{Config, ConfigError, GitHub, read_file};

impl GitHub {
    /// Who tells us of issues; `None` where nobody does.
    ///
    /// # Errors
    /// When the secret cannot be read, or is none.
    pub fn webhook(&self) -> Result<Option<Webhook>, ConfigError> {
        let Some(path) = &self.webhook_secret_file else {
            return Ok(None);
        };
        let secret = Secret::new(&read_file(path)?).map_err(|_| ConfigError::OutOfRange {
            key: "github.webhook_secret_file",
            rule: "a file with one secret of at least 16 characters",
        })?;
        Ok(Some(Webhook {
            secret,
            bot: self.client_config()?.bot,
        }))
    }
}

impl Config {
    /// What carries the requests of issues to the registry, if GitHub tells of any. `github` is seen with our own token.
    ///
    /// # Errors
    /// When a file cannot be read, or does not hold what it should.
    pub fn forwarder(&self, github: Option<&Client>) -> Result<Option<Forwarder>, ConfigError> {
        let (Some(webhook), Some(url), Some(github)) = (self.github.webhook()?, &self.api.public_url, github)
        else {
            return Ok(None);
        };
        let unusable = |key, rule| move |_| ConfigError::OutOfRange { key, rule };
        let registry = docket_client::Client::new(url).map_err(unusable(
            "api.public_url",
            "an address such as `https://registry.example.org`",
        ))?;
        let trusted = match &self.trustees.token_file {
            None => None,
            Some(path) => {
                let client = registry.clone().with_token(&read_file(path)?);
                Some(client.map_err(unusable("trustees.token_file", "a file with one token"))?)
            }
        };
        Ok(Some(Forwarder {
            registry,
            trusted,
            github: github.clone(),
            bot: webhook.bot,
        }))
    }

    /// A webhook needs what its issues are answered with.
    pub(super) fn check_webhook(&self) -> Result<(), ConfigError> {
        if self.github.webhook_secret_file.is_none() {
            return Ok(());
        }
        if self.github.token_file.is_none() {
            return Err(ConfigError::OutOfRange {
                key: "github.token_file",
                rule: "given where github.webhook_secret_file is: issues are answered with it",
            });
        }
        if self.api.public_url.is_none() {
            return Err(ConfigError::OutOfRange {
                key: "api.public_url",
                rule: "given where github.webhook_secret_file is: answers to issues link to it",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::load;

    const URL: &str = "[api]\npublic_url = \"https://registry.example.org\"\n";

    /// Issues are answered with our token and a link to us, so a webhook needs both.
    #[test]
    fn a_webhook_needs_a_token_and_a_public_address() {
        let secret = "webhook_secret_file = \"secret\"\n";
        for (toml, missing) in [
            (format!("{URL}[github]\n{secret}"), "github.token_file"),
            (
                format!("[github]\n{secret}token_file = \"token\""),
                "api.public_url",
            ),
        ] {
            let error = load(&toml).unwrap_err().to_string();
            assert!(error.starts_with(missing), "{error}");
        }
    }

    /// The secret comes from a file, is long, and is not shown.
    #[tokio::test]
    async fn the_secret_of_a_webhook_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, token) = (folder.path().join("secret"), folder.path().join("token"));
        fs::write(&token, "a-token\n").unwrap();
        let toml = format!(
            "{URL}[github]\nwebhook_secret_file = {secret:?}\ntoken_file = {token:?}\nbot = \"lab-bot\""
        );
        fs::write(&secret, "too-short\n").unwrap();
        let config = load(&toml).unwrap();
        let error = config.github.webhook().unwrap_err().to_string();
        assert!(
            error.contains("at least 16") && !error.contains("too-short"),
            "{error}"
        );
        fs::write(&secret, "a-secret-of-some-length\n").unwrap();
        assert!(config.github.webhook().unwrap().is_some());
        let github = config.github.client().unwrap();
        let forwarder = config.forwarder(github.as_ref()).unwrap().unwrap();
        assert_eq!(forwarder.registry.server(), "https://registry.example.org");
        assert!(forwarder.trusted.is_none(), "nobody lends a token");
        let none = load("").unwrap();
        assert!(none.github.webhook().unwrap().is_none() && none.forwarder(None).unwrap().is_none());
    }
}
