//! Every key of the configuration: what `docketd config init` and `config show` print, and what the documentation is made of.
//!
//! A key that is missing here, or one too many, fails a test, and so does a default that is not the one in force.

/// A key of `docket.toml`.
#[derive(Debug)]
pub struct Key {
    /// The section; empty for what stands before all sections.
    pub section: &'static str,
    pub name: &'static str,
    pub default: Default,
    /// What it means, with its unit and range, in Markdown.
    pub meaning: &'static str,
}

/// What holds when a key is not given.
#[derive(Debug)]
pub enum Default {
    /// This value, in TOML.
    Is(&'static str),
    /// No value, or one that depends on others.
    Depends {
        /// What holds, in words.
        on: &'static str,
        /// A value that could be given, in TOML.
        example: &'static str,
    },
}

impl Key {
    /// `section.name`, as in errors.
    pub fn path(&self) -> String {
        if self.section.is_empty() {
            return self.name.to_owned();
        }
        format!("{}.{}", self.section, self.name)
    }

    /// A value that it takes, in TOML: the default, where there is one.
    pub fn value(&self) -> &'static str {
        match self.default {
            Default::Is(value) => value,
            Default::Depends { example, .. } => example,
        }
    }

    /// Whether its value is one that nobody else should read, so that it is not shown.
    pub fn is_secret(&self) -> bool {
        SECRET.contains(&(self.section, self.name))
    }
}

/// Values that may hold a password, or that whoever knows them may use.
const SECRET: [(&str, &str); 3] = [("database", "url"), ("health", "ping_url"), ("health", "tasks")];

const fn is(section: &'static str, name: &'static str, value: &'static str, meaning: &'static str) -> Key {
    Key {
        section,
        name,
        default: Default::Is(value),
        meaning,
    }
}

const fn depends(
    section: &'static str,
    name: &'static str,
    on: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        default: Default::Depends { on, example },
        meaning,
    }
}

/// What each section is about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("", "The whole registry"),
    ("api", "Where requests are answered"),
    ("limits", "How much one client may ask for, and all together"),
    ("database", "What is stored: packages, jobs, newer logs"),
    ("storage", "Blobs: tarballs, imported git history, older logs"),
    ("worker", "How jobs are run"),
    ("compilers", "The compilers that packages are tried with"),
    ("sources", "Where packages come from"),
    ("operations", "What those who may change a package may do"),
    ("trustees", "Whom the registry trusts with the packages of others"),
    (
        "github",
        "GitHub: who else is trusted, and whose issues are answered",
    ),
    ("git", "Where the repositories are pushed"),
    ("package_sets", "Package sets"),
    ("schedules", "What the registry does by itself"),
    (
        "documentation",
        "Where the documentation of published versions is uploaded: both keys, or neither",
    ),
    (
        "logs",
        "For how long job logs are kept, and where; days are counted from the end of a job",
    ),
    (
        "log",
        "What the server tells on standard error; the logs of jobs are something else",
    ),
    (
        "telemetry",
        "Where traces are sent, by the protocol of OpenTelemetry",
    ),
    (
        "health",
        "Watchers that hear that work goes on, by the protocol of healthchecks.io",
    ),
    ("legal", "What the page about copyright says"),
];

/// Every key, section by section in the order of [`SECTIONS`].
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    is("", "data_dir", r#""docket-data""#,
        "Where everything is kept that is in no database server and no bucket: the SQLite database, blobs, bare repositories, and what jobs need while they run."),

    is("api", "listen", r#""127.0.0.1:8080""#,
        "Where to listen; port 0 picks a free one."),
    depends("api", "public_url", "`http://` and the address that is listened on", r#""https://registry.example.org""#,
        "The address under which people reach the server. Links lead there, and signatures hold for it."),
    depends("api", "tls_certificate_file", "none: plain HTTP", r#""/etc/docket/tls.pem""#,
        "The certificate with which the server speaks TLS itself, in PEM, with those behind it that lead to an authority. A renewed one is in force within seconds."),
    depends("api", "tls_key_file", "none", r#""/etc/docket/tls.key""#,
        "The key of the certificate, in PEM."),
    is("api", "trusted_proxies", "[]",
        "Addresses or networks of proxies before the server, such as `10.0.0.0/8`. They are believed when they say in `X-Forwarded-For` for whom they ask; nobody else is."),

    is("limits", "connections", "10000",
        "Connections at once; who comes then waits until another one goes."),
    is("limits", "watchers", "8000",
        "Logs that are followed at once, by all clients together. Fewer than `connections`, so that whoever does not watch finds a place."),
    is("limits", "requests_per_minute", "3000",
        "Requests of one address in a minute, or of one network of the size /64; 0 for no limit. This machine itself has none."),
    is("limits", "changes_per_minute", "60",
        "Of these, requests that ask for an operation or another change; 0 for no limit."),
    is("limits", "changes_per_minute_by_key", "120",
        "Operations that one key or token asks for in a minute, from wherever; 0 for no limit."),
    is("limits", "active_jobs_per_package", "100",
        "Jobs of one kind that wait or run for one package, when somebody asks for another one."),

    depends("database", "url", "`sqlite:` and `docket.db` in `data_dir`", r#""postgres://docket@localhost/docket""#,
        "`sqlite:PATH`, for one process, or `postgres://user:password@host:port/name`, for any number."),
    depends("database", "url_file", "none", r#""/etc/docket/database-url""#,
        "A file that holds the URL, for URLs with a password. Given instead of `url`, never beside it."),

    depends("storage", "kind", "`local`", r#""s3""#,
        "`local` for the folder `blobs` of `data_dir`, or `s3` for a bucket, which takes the keys below."),
    depends("storage", "endpoint", "none", r#""https://s3.example.org""#,
        "The server of the bucket."),
    depends("storage", "bucket", "none", r#""docket""#,
        "The bucket. It must exist, and belong to one registry only."),
    is("storage", "region", r#""us-east-1""#,
        "The region that requests are signed for; most servers outside AWS want the default."),
    depends("storage", "access_key_id", "none", r#""docket""#,
        "The name of the access key."),
    depends("storage", "secret_access_key_file", "none", r#""/etc/docket/s3-secret""#,
        "A file that holds the secret of the access key."),
    is("storage", "path_style", "true",
        "Whether URLs name the bucket in their path rather than in their host."),
    is("storage", "allow_http", "false",
        "Whether the endpoint may be `http`: for servers on the same machine or network."),
    depends("storage", "public_url", "none: downloads pass through `docketd`", r#""https://blobs.example.org""#,
        "Where anybody can read the bucket; downloads are then sent there."),

    depends("worker", "concurrency", "the number of CPUs", "4",
        "How many jobs at once."),
    is("worker", "background_concurrency", "1",
        "How many background jobs (matrix builds, chores) at once, beside the others; 0 leaves them to other workers."),
    is("worker", "lease_secs", "60",
        "Seconds without a heartbeat after which another worker may take a job, from 3 to 3600."),
    is("worker", "drain_secs", "30",
        "Seconds that running jobs get to end when the server stops; then they are given back to the queue."),
    is("worker", "sandbox", r#""auto""#,
        "What compilers are shut into: `bubblewrap`, `none`, or `auto`, which takes bubblewrap where it works and warns where it does not."),
    is("worker", "compile_timeout_secs", "600",
        "Seconds that one run of a compiler may take, from 1 to 600."),

    is("compilers", "path", "[]",
        "Directories searched, before `PATH`, for executables `purs-X_Y_Z` or `purs`. In the environment they are separated by `:`."),

    is("sources", "github_url", r#""https://github.com""#,
        "What stands before `/OWNER/REPO` in the address of a package on GitHub; a `file://` URL works, too."),
    is("sources", "allow_git_locations", "false",
        "Whether plain git locations and packages in a folder of their repository are taken."),
    is("sources", "git_hosts", "[]",
        "Hosts that plain git locations may name; none means any. In the environment they are separated by `:`."),
    is("sources", "follow_redirects", "false",
        "Whether a host may send git to another address, as GitHub does for renamed repositories."),
    is("sources", "max_bytes", "200000000",
        "The largest checkout, in bytes."),
    is("sources", "max_files", "20000",
        "The most files of a checkout."),

    is("operations", "unpublish_hours", "48",
        "Hours after its publication for which owners can unpublish a version."),
    depends("operations", "trustee_unpublish_hours", "trustees can at any time", "720",
        "The same for trustees."),
    is("operations", "keep_checks_hours", "168",
        "Hours for which what `docket publish --dry-run` found is kept, so that publishing the same is done at once; 0 keeps nothing."),
    is("operations", "raw_signatures", "true",
        "Whether the signatures of released clients are taken, which do not say for which registry and until when they are meant."),

    depends("trustees", "public_key_file", "none", r#""/etc/docket/bot.pub""#,
        "The registry's own public key, as in a `.pub` file: it may sign for every package and for the package sets."),
    depends("trustees", "token_file", "none", r#""/etc/docket/token""#,
        "A file with the token that a trusted forwarder sends as `Authorization: Bearer`, of at least 20 characters."),

    is("github", "api_url", r#""https://api.github.com""#,
        "The address of GitHub's API."),
    depends("github", "org", "none", r#""my-org""#,
        "The organisation of the team of trustees. Given with `team`, or not at all."),
    depends("github", "team", "none", r#""packaging""#,
        "The team of trustees, as it stands in addresses: the tokens of its members count beside the registry's own."),
    depends("github", "bot", "none", r#""my-bot""#,
        "The account of the registry's bot, which is trusted, too."),
    depends("github", "token_file", "none", r#""/etc/docket/github-token""#,
        "A file with our own token: to see the team, and for the tasks that ask GitHub, which run only with one."),
    depends("github", "webhook_secret_file", "none", r#""/etc/docket/webhook-secret""#,
        "A file with the secret of a webhook that GitHub calls for issues and comments, of at least 16 characters. It needs `token_file` and `api.public_url`."),

    depends("git", "registry_remote", "nowhere", r#""https://github.com/my-org/registry.git""#,
        "Where the registry is pushed, an address without user and password."),
    depends("git", "index_remote", "nowhere", r#""https://github.com/my-org/registry-index.git""#,
        "Where the manifest index is pushed, likewise."),
    depends("git", "package_sets_remote", "nowhere", r#""https://github.com/my-org/package-sets.git""#,
        "Where the package sets for older clients are pushed with their tags, likewise; there are some with `package_sets.legacy_mirror`."),
    depends("git", "token_file", "none", r#""/etc/docket/git-token""#,
        "A file with the token that allows all of these."),

    is("package_sets", "legacy_mirror", "false",
        "Whether each released set is also written in the form of older clients, to the repository `package-sets`."),

    is("schedules", "enabled", "true",
        "Whether tasks run by themselves; `docket schedule run` works all the same."),

    depends("documentation", "url", "nowhere", r#""https://pursuit.purescript.org""#,
        "A Pursuit server."),
    depends("documentation", "token_file", "none", r#""/etc/docket/pursuit-token""#,
        "A file with the token with which Pursuit takes uploads: that of a GitHub account."),

    is("logs", "archive_after_days", "30",
        "Days after which a log moves from the database to the storage, where it is read as before; 0 leaves logs in the database."),
    is("logs", "remove_after_days", "0",
        "Days after which an archived log is removed; 0 keeps it for ever."),

    is("log", "format", r#""pretty""#,
        "`pretty` for people, or `json` for programs: one object on each line."),
    is("log", "level", r#""info""#,
        "The least that is told: `error`, `warn`, `info`, `debug` or `trace`; or one for each part, such as `info,docket_worker=debug`. `RUST_LOG` wins."),

    depends("telemetry", "url", "nowhere", r#""http://collector.internal:4318""#,
        "A collector of OpenTelemetry, which takes OTLP over HTTP as JSON; traces go to `/v1/traces` there. Only for a `docketd` built with the feature `otel`."),
    depends("telemetry", "token_file", "none", r#""/etc/docket/collector-token""#,
        "A file with the token that the collector wants as `Authorization: Bearer`."),

    depends("health", "ping_url", "none", r#""https://hc-ping.com/worker""#,
        "The check of the worker loop, pinged while it makes progress."),
    is("health", "ping_secs", "300",
        "Seconds between two of its pings, from 10 to 86400."),
    depends("health", "tasks", "none", r#"{ package-set-update = "https://hc-ping.com/package-set-update" }"#,
        "The check of each scheduled task, by its name."),

    depends("legal", "takedown_text_file", "a text that fits most registries", r#""/etc/docket/takedown.md""#,
        "A file with what `/legal/takedown` says above its form, in Markdown, of at most 100,000 bytes."),
    depends("legal", "contact", "none", r#""legal@registry.example.org""#,
        "A mail address for notices, shown beside the form."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::Config, *};

    /// What may stand in a section, as the refusal of a key that nobody knows lists it.
    fn known_in(section: &str) -> BTreeSet<String> {
        let head = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        let refusal = toml::from_str::<Config>(&format!("{head}nobody_knows = 1")).unwrap_err();
        let refusal = refusal.to_string();
        let (_, known) = refusal
            .split_once("expected ")
            .expect("the refusal lists what is known");
        known
            .split('`')
            .skip(1)
            .step_by(2)
            .map(ToOwned::to_owned)
            .collect()
    }

    fn listed_in(section: &str) -> BTreeSet<String> {
        let keys = KEYS.iter().filter(|key| key.section == section);
        keys.map(|key| key.name.to_owned()).collect()
    }

    #[test]
    fn every_key_and_every_section_is_listed_and_nothing_else() {
        let mut top = listed_in("");
        for (section, _) in SECTIONS.iter().filter(|(section, _)| !section.is_empty()) {
            assert_eq!(listed_in(section), known_in(section), "[{section}] in keys.rs");
            top.insert((*section).to_owned());
        }
        assert_eq!(top, known_in(""), "sections in keys.rs");
        let order: Vec<_> = SECTIONS.iter().map(|(section, _)| *section).collect();
        let place = |key: &Key| order.iter().position(|section| *section == key.section);
        assert!(KEYS.is_sorted_by_key(place), "section by section");
    }

    #[test]
    fn the_listed_defaults_are_those_in_force() {
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        for key in KEYS {
            let section = match key.section {
                "" => Some(&defaults),
                section => defaults[section].as_table(),
            };
            let in_force = section.and_then(|section| section.get(key.name));
            match key.default {
                Default::Is(value) => {
                    let listed = toml::from_str::<toml::Table>(&format!("value = {value}")).unwrap();
                    assert_eq!(in_force, listed.get("value"), "{}", key.path());
                }
                // These depend on the machine, or on what they are given for.
                Default::Depends { .. } => assert!(
                    in_force.is_none() || ["concurrency", "kind"].contains(&key.name),
                    "{} has a default",
                    key.path()
                ),
            }
        }
    }
}
