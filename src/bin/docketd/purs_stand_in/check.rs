//! The checks: headers, duplicates, imports, cycles.

use std::collections::{BTreeMap, BTreeSet};

use docket_core::purescript::parse_header;

use super::report::{Problem, Report};
use super::sources::Source;

/// A module that can be read.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) imports: Vec<String>,
}

/// Returns the modules by name and everything that is wrong with them.
pub(super) fn check(sources: &[Source]) -> (BTreeMap<String, Module>, Report) {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    let mut report = Report::default();
    for source in sources {
        let path = &source.path;
        match parse_header(&source.text) {
            Ok(header) => {
                if let Some(first) = modules.get(&header.name) {
                    let message = format!(
                        "Module {} has been defined multiple times: {} and {path}",
                        header.name, first.path
                    );
                    report.add(
                        Problem::new("DuplicateModule", message)
                            .in_module(&header.name)
                            .at(path, 1),
                    );
                    continue;
                }
                let imports: BTreeSet<String> = header.imports.into_iter().collect();
                let module = Module {
                    name: header.name.clone(),
                    path: path.clone(),
                    imports: imports.into_iter().collect(),
                };
                modules.insert(header.name, module);
            }
            Err(err) => {
                let message = format!("Unable to parse module:\n{}", err.message);
                report.add(Problem::new("ErrorParsingModule", message).at(path, err.line));
            }
        }
    }
    // With a module missing for another reason, every import of it would be reported too.
    if report.errors.is_empty() {
        check_imports(&modules, sources, &mut report);
    }
    if report.errors.is_empty()
        && let Some(cycle) = find_cycle(&modules)
    {
        let message = format!(
            "There is a cycle in module dependencies in these modules:\n\n    {}",
            cycle.join("\n    ")
        );
        let first = &modules[&cycle[0]];
        report.add(
            Problem::new("CycleInModules", message)
                .in_module(&first.name)
                .at(&first.path, 1),
        );
    }
    (modules, report)
}

fn check_imports(modules: &BTreeMap<String, Module>, sources: &[Source], report: &mut Report) {
    for module in modules.values() {
        for import in &module.imports {
            if is_built_in(import) || modules.contains_key(import) {
                continue;
            }
            let text = sources
                .iter()
                .find(|source| source.path == module.path)
                .map(|source| source.text.as_str());
            let line = text.and_then(|text| line_of_import(text, import)).unwrap_or(1);
            let message = format!(
                "Module {import} was not found.\nMake sure the source file exists, and that it has been provided as \
                 an input to the compiler."
            );
            report.add(
                Problem::new("ModuleNotFound", message)
                    .in_module(&module.name)
                    .at(&module.path, line),
            );
        }
    }
}

fn is_built_in(module: &str) -> bool {
    module == "Prim" || module.starts_with("Prim.")
}

fn line_of_import(text: &str, import: &str) -> Option<usize> {
    let names = |line: &str| {
        let rest = line
            .trim_start()
            .strip_prefix("import")?
            .trim_start()
            .strip_prefix(import)?;
        (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_')).then_some(())
    };
    text.lines()
        .position(|line| names(line).is_some())
        .map(|index| index + 1)
}

/// Finds modules that import each other in a ring.
fn find_cycle(modules: &BTreeMap<String, Module>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    modules.keys().find_map(|start| {
        // Depth first with a stack of our own: a long chain of modules must not overflow the thread's.
        let mut path: Vec<(&str, std::slice::Iter<'_, String>)> = Vec::new();
        let mut next = Some(start.as_str());
        loop {
            if let Some(name) = next.take() {
                if let Some(from) = path.iter().position(|(open, _)| *open == name) {
                    return Some(path[from..].iter().map(|(open, _)| (*open).to_owned()).collect());
                }
                if let (false, Some(module)) = (done.contains(name), modules.get(name)) {
                    path.push((name, module.imports.iter()));
                }
            }
            let (name, imports) = path.last_mut()?;
            match imports.next() {
                Some(import) => next = Some(import),
                None => {
                    done.insert(*name);
                    path.pop();
                }
            }
        }
    })
}
