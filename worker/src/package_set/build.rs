//! Compiles the starting set with groups of candidates in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use docket_core::digest::Sha256;
use docket_core::name::PackageName;
use docket_core::package_set::candidates::Candidate;
use docket_core::version::Version;
use docket_jobs::Run;

use super::blame::{Complaint, Group, Oracle};
use super::start::Start;
use super::workshop::{PACKAGES, Workshop};
use crate::outcome::JobError;
use crate::publish::{blocking, find_tarball};
use crate::purs::{Compiled, Purs, Report};
use crate::rejection::{Rejection, join};
use crate::sandbox::Limits;
use crate::state::WorkerState;

/// A set is hundreds of packages, so it may use up several times what one package may.
const TIMES_THE_LIMITS: u32 = 8;

/// How a compilation ended.
pub(super) enum Tried {
    /// Without errors.
    Compiled,
    /// With errors.
    Failed {
        /// All of them.
        report: String,
        /// The first one, and whom they point to.
        complaint: Complaint,
    },
}

/// The packages of the set and of the candidates, installed and ready to be compiled in any combination.
pub(super) struct Build<'a> {
    state: &'a WorkerState,
    run: &'a Run,
    start: &'a Start,
    candidates: &'a [Candidate],
    workshop: Workshop,
    limits: Limits,
    /// The group whose output is kept; the next compilation begins with it.
    settled: Group,
    compilations: u32,
}

impl<'a> Build<'a> {
    /// Opens the workshop and installs every package that is not there yet.
    pub(super) async fn prepare(
        state: &'a WorkerState,
        run: &'a Run,
        start: &'a Start,
        candidates: &'a [Candidate],
    ) -> Result<Self, JobError> {
        let (dir, elsewhere) = (state.package_set_dir.clone(), state.work_dir.clone());
        let workshop = blocking(move || {
            Workshop::open(&dir, &elsewhere).map_err(JobError::local("open its package set directory"))
        })
        .await?;
        if !workshop.is_kept() {
            run.log.info(
                "Another process of this machine is compiling a package set, so this one is compiled from the beginning.",
            );
        }
        let times = TIMES_THE_LIMITS;
        let build = Self {
            limits: Limits {
                wall: state.limits.wall * times,
                // Of all its threads together.
                cpu: state.limits.cpu * times * 4,
                output_bytes: state.limits.output_bytes * times as usize,
                ..(*state.limits).clone()
            },
            state,
            run,
            start,
            candidates,
            workshop,
            settled: Group::new(),
            compilations: 0,
        };
        build.install().await?;
        Ok(build)
    }

    async fn install(&self) -> Result<(), JobError> {
        let wanted = self.tarballs().await?;
        let (workshop, compiler) = (self.workshop.clone(), self.start.compiler.clone());
        let digests = wanted
            .iter()
            .map(|(key, entry)| (key.clone(), entry.hash))
            .collect::<BTreeMap<_, Sha256>>();
        let in_place = blocking(move || {
            workshop
                .tidy(&digests, &compiler)
                .map_err(JobError::local("tidy its package set directory"))
        })
        .await?;
        let in_place: BTreeSet<_> = in_place.into_iter().collect();
        let mut installed = 0_usize;
        for ((name, version), entry) in &wanted {
            if in_place.contains(&(name.clone(), *version)) {
                continue;
            }
            let bytes = find_tarball(self.state, name, *version, entry).await?;
            let (workshop, sizes, digest) = (self.workshop.clone(), self.state.sizes, entry.hash);
            let (package, number) = (name.clone(), *version);
            blocking(move || {
                workshop
                    .install(&bytes, &package, number, digest, &sizes)
                    .map_err(JobError::local("unpack the packages"))
            })
            .await?;
            installed += 1;
            self.run.log.debug(format!("Installed {name}@{version}."));
        }
        self.run.log.info(format!(
            "Packages unpacked: {installed}; {} were there from before.",
            wanted.len() - installed
        ));
        Ok(())
    }

    /// The tarball of every version that any compilation needs.
    async fn tarballs(
        &self,
    ) -> Result<BTreeMap<(PackageName, Version), docket_core::metadata::PublishedVersion>, JobError> {
        let members = self.start.set.packages.clone().into_iter();
        let candidates = self.candidates.iter();
        let candidates =
            candidates.filter_map(|candidate| Some((candidate.name.clone(), candidate.version?)));
        let mut found = BTreeMap::new();
        let mut tx = self.run.jobs().db().read().await?;
        for (name, version) in members.chain(candidates) {
            let metadata = docket_index::find_metadata(&mut tx, &name).await?;
            let entry = metadata.and_then(|mut metadata| metadata.published.remove(&version));
            let Some(entry) = entry else {
                return Err(Rejection::DependencyNotPublished { name, version }.into());
            };
            found.insert((name, version), entry);
        }
        Ok(found)
    }

    /// Compiles the starting set with `group`, and keeps the output if it is good and goes beyond what is kept.
    pub(super) async fn compile(&mut self, group: &Group) -> Result<Tried, JobError> {
        let packages = self.packages(group);
        if packages.is_empty() {
            // The compiler would complain that there is nothing to compile.
            return Ok(Tried::Compiled);
        }
        let (workshop, laid_out) = (self.workshop.clone(), packages.clone());
        blocking(move || {
            workshop
                .lay_out(&laid_out)
                .map_err(JobError::local("lay out the packages"))
        })
        .await?;
        let purs = Purs {
            compiler: &self.start.compiler,
            sandbox: &self.state.sandbox,
            limits: &self.limits,
        };
        let began = Instant::now();
        // Clients compile what lies below `src` of each package, and nothing else.
        let globs = [format!("{PACKAGES}/*/src/**/*.purs")];
        let compiled = purs
            .try_compile(&self.workshop.build_dir(), &globs, &[PathBuf::from(PACKAGES)])
            .await?;
        self.compilations += 1;
        let what = self.describe(group, &packages);
        let took_secs = began.elapsed().as_secs_f64();
        match compiled {
            Compiled::Done(report) => {
                self.run.log.info(format!(
                    "Compiled {what} in {took_secs:.1} s; warnings: {}.",
                    report.warnings.len()
                ));
                if group.is_superset(&self.settled) {
                    self.keep_output(group).await?;
                }
                Ok(Tried::Compiled)
            }
            Compiled::Failed(report) => {
                self.run.log.info(format!(
                    "Errors after {took_secs:.1} s when compiling {what}: {}.",
                    report.errors.len()
                ));
                let rendered = report.render_errors();
                self.run.log.debug(rendered.clone());
                let complaint = self.complain(&report, &packages);
                Ok(Tried::Failed {
                    report: rendered,
                    complaint,
                })
            }
        }
    }

    async fn keep_output(&mut self, group: &Group) -> Result<(), JobError> {
        let (workshop, compiler) = (self.workshop.clone(), self.start.compiler.clone());
        blocking(move || {
            workshop
                .keep_output(&compiler)
                .map_err(JobError::local("keep the compiler's output"))
        })
        .await?;
        self.settled = group.clone();
        Ok(())
    }

    /// Makes sure that exactly `kept` has compiled, whatever was tried since: this is what is released.
    pub(super) async fn settle(&mut self, kept: &Group) -> Result<(), JobError> {
        if self.settled == *kept {
            return Ok(());
        }
        match self.compile(kept).await? {
            Tried::Compiled => Ok(()),
            Tried::Failed { report, .. } => Err(JobError::local("compile again what had compiled")(report)),
        }
    }

    /// How often the compiler was run.
    pub(super) fn compilations(&self) -> u32 {
        self.compilations
    }

    fn packages(&self, group: &Group) -> BTreeMap<PackageName, Version> {
        let mut packages = self.start.set.packages.clone();
        for place in group {
            let Candidate { name, version, .. } = &self.candidates[*place];
            match version {
                Some(version) => packages.insert(name.clone(), *version),
                None => packages.remove(name),
            };
        }
        packages
    }

    fn describe(&self, group: &Group, packages: &BTreeMap<PackageName, Version>) -> String {
        let changes = group.iter().map(|place| &self.candidates[*place]);
        let with = match group.len() {
            0 => String::new(),
            1..=5 => format!(" with {}", join(changes)),
            count => format!(" with {count} of {} changes", self.candidates.len()),
        };
        format!(
            "{} packages{with} with purs {}",
            packages.len(),
            self.start.compiler.version
        )
    }

    /// Reads whom the errors point to. The package with the error is first among suspects if it changed; if it did not,
    /// something that it depends on and that changed has broken it.
    fn complain(&self, report: &Report, packages: &BTreeMap<PackageName, Version>) -> Complaint {
        let mut suspects = Group::new();
        for error in &report.errors {
            let texts = [error.filename.as_deref().unwrap_or_default(), &error.message];
            for name in texts.into_iter().flat_map(named_packages) {
                let Some((name, _)) = packages.get_key_value(name) else {
                    continue;
                };
                match self.place(name) {
                    Some(place) => suspects.extend([place]),
                    None => {
                        let below = self.start.dependencies.closure(name, packages);
                        suspects.extend(below.into_iter().filter_map(|name| self.place(name)));
                    }
                }
            }
        }
        let accused = |file: &str| {
            named_packages(file).any(|name| name.parse().is_ok_and(|name| self.place(&name).is_some()))
        };
        let first = report
            .errors
            .iter()
            .find(|error| error.filename.as_deref().is_some_and(accused))
            .or(report.errors.first());
        let first = Report {
            warnings: Vec::new(),
            errors: first.cloned().into_iter().collect(),
        };
        Complaint {
            suspects,
            text: first.render_errors(),
        }
    }

    fn place(&self, name: &PackageName) -> Option<usize> {
        self.candidates
            .iter()
            .position(|candidate| candidate.name == *name)
    }
}

impl Oracle for Build<'_> {
    type Error = JobError;

    async fn compile(&mut self, group: &Group) -> Result<Result<(), Complaint>, JobError> {
        Ok(match Build::compile(self, group).await? {
            Tried::Compiled => Ok(()),
            Tried::Failed { complaint, .. } => Err(complaint),
        })
    }
}

/// The packages whose files a text names: `packages/NAME@VERSION/`.
fn named_packages(text: &str) -> impl Iterator<Item = &str> {
    text.split("packages/")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('@')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_the_files_that_errors_name() {
        let named = |text| named_packages(text).collect::<Vec<_>>();
        assert_eq!(named("packages/effect@4.0.0/src/Effect.purs"), ["effect"]);
        assert_eq!(
            named("defined in /work/packages/a@1.0.0/src/M.purs and packages/b-c@2.0.0/src/M.purs"),
            ["a", "b-c"]
        );
        assert!(named("src/Effect.purs and packages/").is_empty());
    }
}
