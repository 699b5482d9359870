//! Which versions are worth trying with a compiler, now that one more is known to compile with it (registry spec, section 5.5).

use std::collections::{BTreeMap, BTreeSet};

use docket_core::manifest::Manifest;
use docket_core::name::PackageName;
use docket_core::solver::{self, SolverError, SolverIndex};
use docket_core::version::Version;

/// A version in the index and the compilers it is known to compile with.
pub(super) struct Known {
    pub(super) manifest: Manifest,
    pub(super) compilers: Vec<Version>,
}

/// A version to be tried with a compiler: the build plan, or why there is none.
pub(super) struct Trial {
    pub(super) name: PackageName,
    pub(super) version: Version,
    pub(super) compiler: Version,
    pub(super) plan: Result<BTreeMap<PackageName, Version>, SolverError>,
}

/// What is in the index, at least as far as a question goes.
pub(super) struct Catalogue(pub(super) Vec<Known>);

impl Catalogue {
    /// The trials that follow from `name@version` compiling with `compiler`: every version that depends on it, through those that list the
    /// compiler already.
    ///
    /// Each version is looked at once, so cycles of ranges end.
    pub(super) fn dependants(&self, name: &PackageName, version: Version, compiler: Version) -> Vec<Trial> {
        let index = self.index(compiler);
        let mut seen = BTreeSet::new();
        let mut open = vec![(name.clone(), version)];
        let mut trials = Vec::new();
        while let Some((name, version)) = open.pop() {
            for known in self.depending_on(&name, version) {
                let Manifest { name, version, .. } = &known.manifest;
                if !seen.insert((name.clone(), *version)) {
                    continue;
                }
                if known.compilers.contains(&compiler) {
                    open.push((name.clone(), *version));
                } else {
                    trials.push(trial(&index, &known.manifest, compiler));
                }
            }
        }
        trials
    }

    /// The trials of one version with each of `compilers` that it does not list.
    pub(super) fn others(&self, name: &PackageName, version: Version, compilers: &[Version]) -> Vec<Trial> {
        let found = |known: &&Known| known.manifest.name == *name && known.manifest.version == version;
        let Some(known) = self.0.iter().find(found) else {
            return Vec::new();
        };
        compilers
            .iter()
            .filter(|compiler| !known.compilers.contains(compiler))
            .map(|compiler| trial(&self.index(*compiler), &known.manifest, *compiler))
            .collect()
    }

    /// The trials a new compiler begins with: every version that depends on nothing.
    pub(super) fn without_dependencies(&self, compiler: Version) -> Vec<Trial> {
        let index = self.index(compiler);
        self.0
            .iter()
            .filter(|known| known.manifest.dependencies.is_empty() && !known.compilers.contains(&compiler))
            .map(|known| trial(&index, &known.manifest, compiler))
            .collect()
    }

    fn depending_on(&self, name: &PackageName, version: Version) -> impl Iterator<Item = &Known> {
        self.0.iter().filter(move |known| {
            let range = known.manifest.dependencies.get(name);
            range.is_some_and(|range| range.contains(&version))
        })
    }

    /// Only versions that are known to compile with `compiler`: what the plan holds must not be the reason why a trial fails.
    fn index(&self, compiler: Version) -> SolverIndex {
        let mut builder = SolverIndex::builder();
        for Known { manifest, compilers } in &self.0 {
            if compilers.contains(&compiler) {
                builder.add(
                    &manifest.name,
                    manifest.version,
                    &manifest.dependencies,
                    &[compiler],
                );
            }
        }
        builder.compilers([compiler]).build()
    }
}

fn trial(index: &SolverIndex, manifest: &Manifest, compiler: Version) -> Trial {
    Trial {
        name: manifest.name.clone(),
        version: manifest.version,
        compiler,
        plan: solver::plan(index, &manifest.dependencies, Some(compiler)).map(|plan| plan.versions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn name(text: &str) -> PackageName {
        text.parse().unwrap()
    }

    /// `name version [dependency range]… : compiler…`
    fn known(package: &str, number: &str, dependencies: &[(&str, &str)], compilers: &[&str]) -> Known {
        let dependencies: BTreeMap<_, _> = dependencies.iter().copied().collect();
        let text = format!(
            r#"{{"name":"{package}","version":"{number}","license":"MIT","location":{{"githubOwner":"o","githubRepo":"r"}},"ref":"v","dependencies":{}}}"#,
            serde_json::to_string(&dependencies).unwrap()
        );
        Known {
            manifest: Manifest::from_stored(&text).unwrap(),
            compilers: compilers.iter().copied().map(version).collect(),
        }
    }

    fn told(trials: &[Trial]) -> Vec<String> {
        let mut told: Vec<_> = trials
            .iter()
            .map(|trial| {
                let plan = trial
                    .plan
                    .as_ref()
                    .map_or("no plan".to_owned(), |plan| format!("{plan:?}"));
                format!("{}@{} {}: {plan}", trial.name, trial.version, trial.compiler)
            })
            .collect();
        told.sort();
        told
    }

    const ANY: &str = ">=1.0.0 <2.0.0";

    #[test]
    fn dependants_are_found_through_those_that_compile_already() {
        let catalogue = Catalogue(vec![
            known("a", "1.0.0", &[], &["0.15.15"]),
            known("b", "1.0.0", &[("a", ANY)], &["0.15.15"]),
            known("c", "1.0.0", &[("b", ANY)], &["0.15.10"]),
            known("d", "1.0.0", &[("c", ANY)], &["0.15.10"]),
            known("e", "1.0.0", &[("a", ">=2.0.0 <3.0.0")], &["0.15.10"]),
        ]);
        let trials = catalogue.dependants(&name("a"), version("1.0.0"), version("0.15.15"));
        assert_eq!(
            told(&trials),
            [
                r#"c@1.0.0 0.15.15: {"a": Version { major: 1, minor: 0, patch: 0 }, "b": Version { major: 1, minor: 0, patch: 0 }}"#
            ],
            "d waits for c, and e wants another a"
        );
    }

    #[test]
    fn a_cycle_of_ranges_ends() {
        let catalogue = Catalogue(vec![
            known("a", "1.0.0", &[("b", ANY)], &["0.15.15"]),
            known("b", "1.0.0", &[("a", ANY)], &["0.15.15"]),
        ]);
        assert!(
            catalogue
                .dependants(&name("a"), version("1.0.0"), version("0.15.15"))
                .is_empty()
        );
    }

    #[test]
    fn a_dependant_whose_other_dependencies_do_not_compile_yet_has_no_plan() {
        let catalogue = Catalogue(vec![
            known("a", "1.0.0", &[], &["0.15.15"]),
            known("b", "1.0.0", &[], &["0.15.10"]),
            known("c", "1.0.0", &[("a", ANY), ("b", ANY)], &["0.15.10"]),
        ]);
        let trials = catalogue.dependants(&name("a"), version("1.0.0"), version("0.15.15"));
        assert_eq!(told(&trials), ["c@1.0.0 0.15.15: no plan"]);
    }

    #[test]
    fn a_version_is_tried_with_every_compiler_it_does_not_list() {
        let catalogue = Catalogue(vec![known("a", "1.0.0", &[], &["0.15.10"])]);
        let compilers = ["0.15.9", "0.15.10", "0.15.11"].map(version);
        let trials = catalogue.others(&name("a"), version("1.0.0"), &compilers);
        assert_eq!(told(&trials), ["a@1.0.0 0.15.11: {}", "a@1.0.0 0.15.9: {}"]);
        assert!(
            catalogue
                .others(&name("z"), version("1.0.0"), &compilers)
                .is_empty()
        );
    }

    #[test]
    fn a_new_compiler_begins_with_what_depends_on_nothing() {
        let catalogue = Catalogue(vec![
            known("a", "1.0.0", &[], &["0.15.10"]),
            known("b", "1.0.0", &[("a", ANY)], &["0.15.10"]),
        ]);
        assert_eq!(
            told(&catalogue.without_dependencies(version("0.15.11"))),
            ["a@1.0.0 0.15.11: {}"]
        );
    }
}
