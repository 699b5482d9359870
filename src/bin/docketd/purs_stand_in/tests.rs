use std::fs;

use serde_json::{Value, json};

use super::*;

fn sources(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn call(dir: &tempfile::TempDir, args: &[&str]) -> (u8, String, String) {
    let argv: Vec<String> = std::iter::once("/x/purs-0_15_10")
        .chain(args.iter().copied())
        .map(Into::into)
        .collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = execute(&argv, dir.path(), &mut out, &mut err).unwrap();
    (
        code,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

fn errors(dir: &tempfile::TempDir) -> Vec<(String, String, u64)> {
    let (code, out, _) = call(dir, &["compile", "src/**/*.purs", "--json-errors"]);
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&out).unwrap();
    let errors = report["errors"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors
        .map(|error| {
            (
                text(&error["errorCode"]),
                text(&error["filename"]),
                error["position"]["startLine"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn it_says_the_version_in_its_name_and_that_it_is_a_stand_in() {
    let dir = sources(&[]);
    assert_eq!(call(&dir, &["--version"]), (0, "0.15.10\n".into(), String::new()));
    assert_eq!(
        call(&dir, &["--stand-in"]),
        (0, "docket stand-in\n".into(), String::new())
    );
    assert_eq!(version("docketd"), "0.15.15");
    assert!(is_called_as(OsStr::new("/usr/bin/purs")) && !is_called_as(OsStr::new("/purs/docketd")));
    assert_eq!(call(&dir, &["bundle"]).0, 1);
}

#[test]
fn a_graph_names_modules_by_the_paths_of_their_globs() {
    let dir = sources(&[
        (
            "src/Demo.purs",
            "module Demo where\nimport Prelude\nimport Prim.Row\nimport Demo.Inner as I\n",
        ),
        ("src/Demo/Inner.purs", "module Demo.Inner (x) where\nx = 1\n"),
        (
            ".registry/prelude-6.0.1/src/Prelude.purs",
            "module Prelude where\n",
        ),
        (".registry/prelude-6.0.1/test/Main.purs", "not a module"),
    ]);
    let (code, out, _) = call(
        &dir,
        &[
            "graph",
            "src/**/*.purs",
            ".registry/*/src/**/*.purs",
            "--json-errors",
        ],
    );
    assert_eq!(code, 0);
    let expected = json!({
        "Demo": {"depends": ["Demo.Inner", "Prelude"], "path": "src/Demo.purs"},
        "Demo.Inner": {"depends": [], "path": "src/Demo/Inner.purs"},
        "Prelude": {"depends": [], "path": ".registry/prelude-6.0.1/src/Prelude.purs"},
    });
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
}

#[test]
fn a_build_writes_what_tools_look_for() {
    let dir = sources(&[
        ("src/Demo/A.purs", "module Demo.A where\n"),
        ("one.purs", "module One where"),
    ]);
    let args = [
        "compile",
        "--output",
        "out",
        "--codegen",
        "corefn,docs,js,sourcemaps",
        "src/**/*.purs",
        "one.purs",
        "--json-errors",
    ];
    let (code, out, _) = call(&dir, &args);
    assert_eq!((code, out.as_str()), (0, "{\"warnings\":[],\"errors\":[]}\n"));
    for file in ["externs.cbor", "index.js", "corefn.json", "docs.json"] {
        assert!(dir.path().join("out/Demo.A").join(file).exists(), "{file}");
    }
    assert!(dir.path().join("out/One/index.js").exists());
}

#[test]
fn each_error_has_the_compilers_code_and_a_place() {
    let dir = sources(&[(
        "src/A.purs",
        "module A where\n\nimport Nowhere (x)\nimport NowhereElse\n",
    )]);
    let expected = [
        ("ModuleNotFound".to_owned(), "src/A.purs".to_owned(), 3),
        ("ModuleNotFound".into(), "src/A.purs".into(), 4),
    ];
    assert_eq!(errors(&dir), expected);

    let dir = sources(&[("src/A.purs", "module A where"), ("src/B.purs", "module A where")]);
    assert_eq!(
        errors(&dir),
        [("DuplicateModule".to_owned(), "src/B.purs".to_owned(), 1)]
    );

    let dir = sources(&[("src/A.purs", "modul A where")]);
    assert_eq!(
        errors(&dir),
        [("ErrorParsingModule".to_owned(), "src/A.purs".to_owned(), 1)]
    );

    let dir = sources(&[
        ("src/A.purs", "module A where\nimport B\nimport D"),
        ("src/B.purs", "module B where\nimport C"),
        ("src/C.purs", "module C where\nimport B"),
        ("src/D.purs", "module D where"),
    ]);
    assert_eq!(
        errors(&dir),
        [("CycleInModules".to_owned(), "src/B.purs".to_owned(), 1)]
    );
}

#[test]
fn errors_for_people_go_to_standard_error() {
    let dir = sources(&[("src/A.purs", "module A where\nimport Nowhere")]);
    let (code, out, err) = call(&dir, &["compile", "src/**/*.purs"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("src/A.purs:2") && err.contains("Module Nowhere was not found."),
        "{err}"
    );
}

#[test]
fn a_long_chain_of_modules_is_no_problem() {
    let files: Vec<(String, String)> = (0..5000)
        .map(|number| {
            (
                format!("src/M{number}.purs"),
                format!("module M{number} where\nimport M{}\n", number + 1),
            )
        })
        .chain([("src/M5000.purs".to_owned(), "module M5000 where".to_owned())])
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    assert_eq!(call(&sources(&files), &["graph", "src/*.purs"]).0, 0);
}

/// As the compiler does, it wants a clean tree with one tagged version; and it says who made what it prints.
#[test]
fn publish_wants_a_clean_tree_and_one_version_and_says_that_it_is_a_stand_in() {
    let manifest = r#"{"name":"demo","version":"1.0.0","license":"MIT","location":{"githubOwner":"lab","githubRepo":"demo"},"ref":"v1.0.0","dependencies":{"prelude":">=6.0.0 <7.0.0"}}"#;
    let dir = sources(&[
        ("purs.json", manifest),
        (
            "resolutions.json",
            r#"{"purescript-prelude":{"version":"6.0.1","path":"deps/prelude-6.0.1"}}"#,
        ),
        ("src/Demo.purs", "module Demo where\nimport Prelude\n"),
        ("deps/prelude-6.0.1/src/Prelude.purs", "module Prelude where\n"),
    ]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let mut command = std::process::Command::new("git");
        command.args(identity).args(args).current_dir(dir.path());
        assert!(command.status().unwrap().success(), "{args:?}");
    };
    let publish = || {
        call(
            &dir,
            &[
                "publish",
                "--manifest",
                "purs.json",
                "--resolutions",
                "resolutions.json",
            ],
        )
    };
    git(&["init", "--quiet"]);
    let (code, _, err) = publish();
    assert!(code == 1 && err.contains("dirty"), "{err}");
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "all"]);
    let (code, _, err) = publish();
    assert!(code == 1 && err.contains("Exactly one version"), "{err}");
    git(&["tag", "v1.0.0"]);
    git(&["tag", "latest"]);
    let (code, out, err) = publish();
    assert_eq!(code, 0, "{err}");
    let package: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(package["standIn"], "docket stand-in");
    assert_eq!(package["packageMeta"]["name"], "purescript-demo");
    assert_eq!(
        (&package["version"], &package["versionTag"]),
        (&json!("1.0.0"), &json!("v1.0.0"))
    );
    assert_eq!(
        package["resolvedDependencies"],
        json!({ "purescript-prelude": "6.0.1" })
    );
    assert_eq!(
        package["modules"],
        json!([{ "name": "Demo", "declarations": [] }])
    );
}
