//! Which packages a package really uses, by the modules it imports.

use std::collections::{BTreeMap, BTreeSet};

use docket_core::name::PackageName;

use super::ModuleGraph;
use crate::rejection::Rejection;

/// Which directory of the work directory belongs to which package.
#[derive(Debug, Clone)]
pub struct PackageDirs {
    /// The directory of the package itself, such as `demo-1.0.0`.
    pub own: String,
    /// The directories of its dependencies, such as `.registry/prelude-6.0.1`.
    pub dependencies: BTreeMap<String, PackageName>,
}

impl PackageDirs {
    fn is_own(&self, path: &str) -> bool {
        below(path, &self.own)
    }

    fn package_of(&self, path: &str) -> Option<&PackageName> {
        self.dependencies
            .iter()
            .find(|(dir, _)| below(path, dir))
            .map(|(_, name)| name)
    }
}

/// Compares the packages that own modules import from with those that the manifest lists.
///
/// Only direct imports count. Modules that are built in (`Prim`) belong to no package.
///
/// # Errors
///
/// One of the three rejections that name unused and missing packages.
pub fn check_dependencies<'a>(
    graph: &ModuleGraph,
    dirs: &PackageDirs,
    listed: impl IntoIterator<Item = &'a PackageName>,
) -> Result<(), Rejection> {
    let own = graph.modules.values().filter(|node| dirs.is_own(&node.path));
    let used: BTreeSet<PackageName> = own
        .flat_map(|node| &node.depends)
        .filter_map(|module| graph.modules.get(module))
        .filter(|imported| !dirs.is_own(&imported.path))
        .filter_map(|imported| dirs.package_of(&imported.path).cloned())
        .collect();
    let listed: BTreeSet<PackageName> = listed.into_iter().cloned().collect();
    let unused: BTreeSet<_> = listed.difference(&used).cloned().collect();
    let missing: BTreeSet<_> = used.difference(&listed).cloned().collect();
    match (unused.is_empty(), missing.is_empty()) {
        (true, true) => Ok(()),
        (false, true) => Err(Rejection::UnusedDependencies(unused)),
        (true, false) => Err(Rejection::MissingDependencies(missing)),
        (false, false) => Err(Rejection::UnusedAndMissingDependencies { unused, missing }),
    }
}

/// Whether `path`, with or without `./` before it, lies below `dir`.
fn below(path: &str, dir: &str) -> bool {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    fn names(list: &[&str]) -> BTreeSet<PackageName> {
        list.iter().map(|text| name(text)).collect()
    }

    /// `Demo` imports prelude and its own `Demo.Inner`; prelude imports effect; nobody imports console.
    fn check(listed: &[&str]) -> Result<(), Rejection> {
        let graph = r#"{
            "Demo": {"depends": ["Prelude", "Demo.Inner", "Prim.Row"], "path": "demo-1.0.0/src/Demo.purs"},
            "Demo.Inner": {"depends": [], "path": "./demo-1.0.0/src/Demo/Inner.purs"},
            "Prelude": {"depends": ["Effect"], "path": ".registry/prelude-6.0.1/src/Prelude.purs"},
            "Effect": {"depends": [], "path": ".registry/effect-4.0.0/src/Effect.purs"},
            "Effect.Console": {"depends": ["Effect"], "path": ".registry/effect-console-4.0.0/src/C.purs"}
        }"#;
        let dirs = PackageDirs {
            own: "demo-1.0.0".into(),
            dependencies: [
                (".registry/prelude-6.0.1", "prelude"),
                (".registry/effect-4.0.0", "effect"),
                (".registry/effect-console-4.0.0", "effect-console"),
            ]
            .map(|(dir, package)| (dir.to_owned(), name(package)))
            .into(),
        };
        check_dependencies(
            &ModuleGraph::parse(graph.as_bytes()).unwrap(),
            &dirs,
            &names(listed),
        )
    }

    #[test]
    fn exactly_the_packages_imported_from_must_be_listed() {
        assert_eq!(check(&["prelude"]), Ok(()));
        assert_eq!(
            check(&["prelude", "effect"]),
            Err(Rejection::UnusedDependencies(names(&["effect"])))
        );
        assert_eq!(
            check(&[]),
            Err(Rejection::MissingDependencies(names(&["prelude"])))
        );
        let both = Rejection::UnusedAndMissingDependencies {
            unused: names(&["effect", "effect-console"]),
            missing: names(&["prelude"]),
        };
        assert_eq!(check(&["effect", "effect-console"]), Err(both));
    }
}
