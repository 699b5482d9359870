//! What a build leaves behind: the graph as JSON, and files where tools look for them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use super::check::Module;

/// The answer of `purs graph`.
pub(super) fn graph(modules: &BTreeMap<String, Module>) -> String {
    let nodes: BTreeMap<&str, _> = modules
        .values()
        .map(|module| {
            let depends: Vec<_> = module
                .imports
                .iter()
                .filter(|import| modules.contains_key(*import))
                .collect();
            (
                module.name.as_str(),
                json!({ "depends": depends, "path": module.path }),
            )
        })
        .collect();
    serde_json::to_string(&nodes).expect("a graph has only text")
}

/// Writes the files of one module for each code generator asked for.
pub(super) fn write(output: &Path, module: &Module, codegen: &[String]) -> io::Result<()> {
    let dir = output.join(&module.name);
    fs::create_dir_all(&dir)?;
    // An empty CBOR map: there is an externs file, and it says nothing.
    fs::write(dir.join("externs.cbor"), [0xa0])?;
    let asked = |target: &str| codegen.iter().any(|given| given == target);
    if asked("js") {
        let main = if module.name.ends_with("Main") {
            "export const main = () => {};\n"
        } else {
            "export {};\n"
        };
        fs::write(
            dir.join("index.js"),
            format!("// Written by docket's stand-in for purs.\n{main}"),
        )?;
    }
    if asked("corefn") {
        let corefn = json!({
            "moduleName": module.name.split('.').collect::<Vec<_>>(),
            "modulePath": module.path,
            "builtWith": "docket stand-in",
            "imports": [], "exports": [], "reExports": {}, "foreign": [], "decls": [], "comments": [],
        });
        fs::write(dir.join("corefn.json"), corefn.to_string())?;
    }
    if asked("docs") {
        let docs = json!({ "name": module.name, "comments": null, "declarations": [], "reExports": [] });
        fs::write(dir.join("docs.json"), docs.to_string())?;
    }
    Ok(())
}
