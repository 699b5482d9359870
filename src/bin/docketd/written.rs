//! The pages of `docs/reference/`, and the options of the NixOS module, are what the code says.

use std::{collections::BTreeMap, fmt::Write as _};

use clap::CommandFactory as _;
use serde_json::Value;

use crate::{
    cli::Cli,
    config::keys::{Default, KEYS, Key, SECTIONS},
};

#[path = "../written.rs"]
mod pages;

use pages::{NOTE, check, commands};

#[test]
fn the_written_page_of_docketd_is_up_to_date() {
    let about = "Exit codes: 0 fine; 2 usage; 78 configuration or environment; 1 anything else, with one line on standard error that says why. \
        SIGTERM and Ctrl-C drain: no new work, and running jobs get `[worker] drain_secs` to end.";
    check(
        "docs/reference/docketd.md",
        &commands("Commands of docketd", about, Cli::command()),
    );
}

#[test]
fn the_written_page_of_the_configuration_is_up_to_date() {
    let mut text = format!(
        "# Configuration\n\n{NOTE}\n\n\
         `docketd` reads `docket.toml` in the directory where it starts, or the file named with `--config`. Every key can also stand in the environment, in \
         capitals: `[api] public_url` is `DOCKET__API__PUBLIC_URL`. Switches of the command line win over the environment, which wins over the file. A key \
         that nobody knows is an error, because a typo in a limit should not be silent.\n\n\
         `docketd config init` writes a file with all of this in it; `docketd config show` tells what is in force and where each value comes from. \
         Secrets are read from files of their own (`…_file`), so that the configuration can be shown to anyone.\n"
    );
    for (section, about) in SECTIONS {
        let title = match *section {
            "" => "Before all sections".to_owned(),
            section => format!("`[{section}]`"),
        };
        write!(
            text,
            "\n## {title}\n\n{about}.\n\n| Key | Default | |\n| --- | --- | --- |\n"
        )
        .unwrap();
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let default = match key.default {
                Default::Is(value) => format!("`{value}`"),
                Default::Depends { on, .. } => on.to_owned(),
            };
            writeln!(text, "| `{}` | {default} | {} |", key.name, key.meaning).unwrap();
        }
    }
    check("docs/reference/configuration.md", &text);
}

#[test]
fn the_written_page_of_the_metrics_is_up_to_date() {
    let mut text = format!(
        "# Metrics\n\n{NOTE}\n\n\
         `GET /metrics` of every server, in the text format of Prometheus. The numbers are read from the database, so all servers of a registry answer alike: \
         take the `max` of them, not the sum. All are gauges. Labels are kinds of jobs, states, codes of [problems](../problems.md) and the names of the three \
         repositories, never names of packages or people, so there are never many.\n\n\
         `deploy/prometheus/alerts.yaml` has rules for alerts, and `deploy/grafana/docket.json` a dashboard.\n\n\
         | Metric | Labels | |\n| --- | --- | --- |\n"
    );
    for metric in docket_api::METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(
            text,
            "| `{}` | {} | {} |",
            metric.name,
            labels.join(", "),
            metric.help
        )
        .unwrap();
    }
    check("docs/reference/metrics.md", &text);
}

/// Methods of a path, in the order in which people expect them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[test]
fn the_written_page_of_the_api_is_up_to_date() {
    let description: Value = serde_json::from_str(&docket_api::description()).unwrap();
    let mut by_tag: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let tag = operation["tags"][0].as_str().unwrap();
            let summary: Vec<_> = operation["summary"]
                .as_str()
                .unwrap()
                .split_whitespace()
                .collect();
            let summary = summary.join(" ");
            let line = format!("| `{} {path}` | {summary} |", method.to_uppercase());
            by_tag.entry(tag).or_default().push(line);
        }
    }
    let mut text = format!(
        "# API\n\n{NOTE}\n\n\
         What programs can ask. Parameters, bodies and answers of each route are in [openapi.json](../openapi.json) (OpenAPI 3.1), which every server sends as \
         `/openapi.json` and shows at `/docs`.\n\n\
         Errors are `application/problem+json` (RFC 9457); their codes are in [Problems](../problems.md). The routes below `/api/v1` that released clients know \
         answer errors as plain text unless `Accept` asks for JSON.\n"
    );
    for tag in description["tags"].as_array().unwrap() {
        let name = tag["name"].as_str().unwrap();
        let Some(lines) = by_tag.get(name) else { continue };
        let mut title = name.to_owned();
        title[..1].make_ascii_uppercase();
        write!(
            text,
            "\n## {title}\n\n{}\n\n| Route | |\n| --- | --- |\n{}\n",
            tag["description"].as_str().unwrap(),
            lines.join("\n")
        )
        .unwrap();
    }
    check("docs/reference/api.md", &text);
}

/// A text of Nix.
fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "\\${");
    format!("\"{text}\"")
}

/// A value of TOML in Nix, and the type of the option that takes it.
fn nix(value: &toml::Value) -> (String, &'static str) {
    match value {
        toml::Value::String(text) => (quoted(text), "str"),
        toml::Value::Integer(number) => (number.to_string(), "int"),
        toml::Value::Boolean(value) => (value.to_string(), "bool"),
        toml::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| nix(item).0).collect();
            (
                format!("[ {} ]", items.join(" ")).replace("[  ]", "[ ]"),
                "(listOf str)",
            )
        }
        toml::Value::Table(table) => {
            let items: Vec<_> = table
                .iter()
                .map(|(key, value)| format!("{} = {};", quoted(key), nix(value).0))
                .collect();
            (format!("{{ {} }}", items.join(" ")), "(attrsOf str)")
        }
        other => panic!("no key is of the type of {other}"),
    }
}

fn option(text: &mut String, indent: &str, key: &Key) {
    let value: toml::Table = toml::from_str(&format!("value = {}", key.value())).unwrap();
    let (example, kind) = nix(&value["value"]);
    let default = match key.default {
        Default::Is(value) => format!("`{value}`"),
        Default::Depends { on, .. } => on.to_owned(),
    };
    let description = quoted(&format!("{} Default: {default}.", key.meaning));
    writeln!(
        text,
        "{indent}{} = option {kind} ({example}) {description};",
        key.name
    )
    .unwrap();
}

#[test]
fn the_written_options_of_the_nixos_module_are_up_to_date() {
    let mut text = String::from(
        "# The keys of docket.toml as options. Written from src/bin/docketd/config/keys.rs by\n\
         # `DOCKET_UPDATE_DOCS=1 cargo test --workspace --bins written`. Do not change it here.\n\
         { lib }:\n\
         with lib.types;\n\
         let\n  option = type: example: description: lib.mkOption {\n    \
         type = nullOr type;\n    default = null;\n    inherit example description;\n  };\n\
         in\n{\n",
    );
    for (section, _) in SECTIONS {
        let keys = KEYS.iter().filter(|key| key.section == *section);
        if section.is_empty() {
            keys.for_each(|key| option(&mut text, "  ", key));
            continue;
        }
        writeln!(text, "\n  {section} = {{").unwrap();
        keys.for_each(|key| option(&mut text, "    ", key));
        text.push_str("  };\n");
    }
    text.push_str("}\n");
    check("nix/settings.nix", &text);
}

/// The dashboard and the rules for alerts ask only for what there is.
#[test]
fn what_watches_a_registry_asks_only_for_metrics_and_codes_that_exist() {
    let problems = include_str!("../../../docs/problems.md");
    let watchers = [
        include_str!("../../../deploy/grafana/docket.json"),
        include_str!("../../../deploy/prometheus/alerts.yaml"),
    ];
    for text in watchers {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("docket_")) {
            let exists = docket_api::METRICS.iter().any(|metric| metric.name == word);
            assert!(exists, "there is no metric {word}");
        }
        for codes in text.split("code=~").skip(1) {
            let codes = codes.trim_start_matches(['\\', '"']).split(['\\', '"']).next();
            for code in codes.unwrap_or_default().split('|') {
                assert!(
                    problems.contains(&format!("### `{code}`")),
                    "there is no code {code}"
                );
            }
        }
    }
}

/// Files whose contents everybody may know.
const PUBLIC: [&str; 3] = [
    "api.tls_certificate_file",
    "legal.takedown_text_file",
    "trustees.public_key_file",
];

#[test]
fn every_secret_can_be_handed_over_as_a_credential() {
    let units = include_str!("../../../deploy/systemd/secrets.conf");
    let module = include_str!("../../../nix/module.nix");
    let files = KEYS.iter().filter(|key| key.name.ends_with("_file"));
    let paths = files
        .map(Key::path)
        .filter(|path| !PUBLIC.contains(&path.as_str()));
    for path in paths {
        let variable = format!("DOCKET__{}=%d/", path.to_uppercase().replace('.', "__"));
        assert!(
            units.contains(&variable),
            "deploy/systemd/secrets.conf lacks {path}"
        );
        assert!(
            module.contains(&format!("{path} = secret;")),
            "nix/module.nix lacks {path}"
        );
    }
}
