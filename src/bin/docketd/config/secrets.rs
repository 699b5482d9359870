//! The secrets of the configuration, for whoever has to keep them out of texts.

use std::{fs, path::PathBuf};

use docket_core::redact::Redactor;

use super::Config;

impl Config {
    /// Knows all secrets that the configuration holds or names. A file that cannot be read has none; whoever needs it says so.
    pub fn redactor(&self) -> Redactor {
        let files: [&Option<PathBuf>; 7] = [
            &self.documentation.token_file,
            &self.git.token_file,
            &self.github.token_file,
            &self.github.webhook_secret_file,
            &self.storage.secret_access_key_file,
            &self.telemetry.token_file,
            &self.trustees.token_file,
        ];
        let texts = files
            .into_iter()
            .flatten()
            .filter_map(|path| fs::read_to_string(path).ok());
        let password = self
            .database_url()
            .ok()
            .and_then(|url| password(&url).map(str::to_owned));
        // Whoever knows the address of a check can keep it quiet.
        let pings = self.health.ping_url.iter().chain(self.health.tasks.values());
        let pings = pings.filter_map(|url| url.trim_end_matches('/').rsplit('/').next());
        let pings = pings
            .filter(|secret| secret.len() >= MIN_PING_BYTES)
            .map(str::to_owned);
        Redactor::new(texts.chain(password).chain(pings))
    }
}

/// The last part of a check's address is a secret from this length on, and a word that people chose below it.
const MIN_PING_BYTES: usize = 16;

/// The password in the URL of a database.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use docket_core::redact::MARK;

    use super::super::tests::load;
    use super::*;

    #[test]
    fn the_password_of_a_database_is_found() {
        assert_eq!(password("postgres://docket:geheim@db:5432/x"), Some("geheim"));
        assert_eq!(password("postgres://docket:a@b@db/x?y"), Some("a@b"));
        assert_eq!(password("postgres://docket@db/x"), None);
        assert_eq!(password("sqlite:docket.db"), None);
    }

    /// Every key of the configuration that names or holds a secret is known.
    #[test]
    fn each_secret_of_the_configuration_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, format!("geheim-{name}\n")).unwrap();
            path.display().to_string()
        };
        let text = format!(
            "[api]\npublic_url = \"https://registry.example.org\"\n[documentation]\nurl = \"https://pursuit.example.org\"\ntoken_file = \"{}\"\n\
             [git]\ntoken_file = \"{}\"\n[github]\ntoken_file = \"{}\"\nwebhook_secret_file = \"{}\"\n\
             [storage]\nkind = \"s3\"\nendpoint = \"https://s3.example.org\"\nbucket = \"b\"\naccess_key_id = \"k\"\nsecret_access_key_file = \"{}\"\n\
             [telemetry]\ntoken_file = \"{}\"\n[trustees]\ntoken_file = \"{}\"\n[database]\nurl = \"postgres://docket:geheim-database@db/x\"\n\
             [health]\nping_url = \"https://hc.example.org/geheim-ping-0123456789\"\ntasks = {{ clean-up = \"https://hc.example.org/geheim-task-0123456789\" }}\n",
            file("documentation"),
            file("git"),
            file("github"),
            file("webhook"),
            file("storage"),
            file("telemetry"),
            file("trustees"),
        );
        let redactor = load(&text).unwrap().redactor();
        for name in [
            "documentation",
            "git",
            "github",
            "webhook",
            "storage",
            "telemetry",
            "trustees",
            "database",
            "ping-0123456789",
            "task-0123456789",
        ] {
            assert_eq!(redactor.redact(&format!("<geheim-{name}>")), format!("<{MARK}>"));
        }
    }
}
