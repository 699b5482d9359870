use super::*;

/// `name`, `version`, and dependencies as `name range`.
type Line = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// `1` is `>=1.0.0 <2.0.0`, `1-3` is `>=1.0.0 <3.0.0`.
fn range(text: &str) -> Range {
    let major = |text: &str| Version::new(text.parse().unwrap(), 0, 0);
    match text.split_once('-') {
        Some((lo, hi)) => Range::new(major(lo), major(hi)).unwrap(),
        None => Range::caret(major(text)),
    }
}

fn ranges(list: &[(&str, &str)]) -> BTreeMap<PackageName, Range> {
    list.iter()
        .map(|(package, text)| (name(package), range(text)))
        .collect()
}

fn index(lines: &[Line]) -> SolverIndex {
    let mut builder = SolverIndex::builder();
    for (package, number, dependencies) in lines {
        builder.add(&name(package), version(number), &ranges(dependencies), &[]);
    }
    builder.build()
}

fn answer(lines: &[Line], required: &[(&str, &str)]) -> String {
    match solve(&index(lines), &ranges(required)) {
        Ok(versions) => versions
            .iter()
            .map(|(name, version)| format!("{name}@{version}"))
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_highest_versions_in_range_are_taken_with_what_they_depend_on() {
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("b", "1")]),
        ("a", "1.1.0", &[("b", "1-3")]),
        ("a", "2.0.0", &[]),
        ("b", "1.0.0", &[]),
        ("b", "2.0.0", &[("c", "1")]),
        ("b", "3.0.0", &[]),
        ("c", "1.0.0", &[]),
        ("unrelated", "1.0.0", &[]),
    ];
    assert_eq!(answer(lines, &[("a", "1")]), "a@1.1.0 b@2.0.0 c@1.0.0");
    assert_eq!(answer(lines, &[("a", "1-9")]), "a@2.0.0");
    assert_eq!(answer(lines, &[("a", "1"), ("b", "1")]), "a@1.1.0 b@1.0.0");
    assert_eq!(answer(lines, &[]), "");
}

#[test]
fn what_no_chosen_version_needs_is_left_out() {
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("old", "1")]),
        ("a", "2.0.0", &[("new", "1")]),
        ("new", "1.0.0", &[]),
        ("old", "1.0.0", &[]),
    ];
    assert_eq!(answer(lines, &[("a", "1-3")]), "a@2.0.0 new@1.0.0");
}

#[test]
fn bounds_common_to_all_candidates_narrow_others() {
    // Both versions of `a` need `b` below 2, so `b` 2.0.0 is never looked at, though it comes with `c`.
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("b", "0-2")]),
        ("a", "2.0.0", &[("b", "1")]),
        ("b", "1.0.0", &[]),
        ("b", "2.0.0", &[("c", "1")]),
        ("c", "1.0.0", &[]),
    ];
    assert_eq!(answer(lines, &[("a", "1-3"), ("b", "0-9")]), "a@2.0.0 b@1.0.0");
}

#[test]
fn the_alphabetically_first_package_keeps_its_highest_version() {
    // Only one of the two can have its highest version.
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("z", "1-3")]),
        ("a", "2.0.0", &[("z", "1")]),
        ("z", "1.0.0", &[("a", "1-3")]),
        ("z", "2.0.0", &[("a", "1")]),
    ];
    assert_eq!(answer(lines, &[("a", "1-3"), ("z", "1-3")]), "a@2.0.0 z@1.0.0");
}

#[test]
fn a_failed_try_goes_on_with_the_next_lower_version() {
    let lines: &[Line] = &[
        ("a", "1.0.0", &[]),
        ("a", "2.0.0", &[("b", "1")]),
        ("a", "3.0.0", &[("c", "1")]),
        ("b", "1.0.0", &[("d", "2")]),
        ("c", "1.0.0", &[("d", "2")]),
        ("d", "1.0.0", &[]),
        ("d", "2.0.0", &[]),
    ];
    assert_eq!(answer(lines, &[("a", "1-9"), ("d", "1")]), "a@1.0.0 d@1.0.0");
}

#[test]
fn packages_may_depend_on_each_other() {
    let lines: &[Line] = &[("a", "1.0.0", &[("b", "1")]), ("b", "1.0.0", &[("a", "1")])];
    assert_eq!(answer(lines, &[("a", "1")]), "a@1.0.0 b@1.0.0");
}

#[test]
fn the_same_question_has_the_same_answer_in_whatever_order_the_index_was_made() {
    let mut lines: Vec<Line> = vec![
        ("a", "1.0.0", &[("c", "1-3")]),
        ("a", "2.0.0", &[("c", "1")]),
        ("b", "1.0.0", &[("c", "2")]),
        ("b", "2.0.0", &[("c", "1")]),
        ("c", "1.0.0", &[]),
        ("c", "2.0.0", &[]),
    ];
    let required = [("a", "1-3"), ("b", "1-3")];
    let first = answer(&lines, &required);
    lines.reverse();
    assert_eq!(answer(&lines, &required), first);
    assert_eq!(first, "a@2.0.0 b@2.0.0 c@1.0.0");
}

#[test]
fn a_conflict_names_both_bounds_and_who_set_them() {
    let lines: &[Line] = &[
        ("aff", "1.0.0", &[("effect", "1")]),
        ("effect", "1.0.0", &[("prelude", "1")]),
        ("prelude", "1.0.0", &[]),
        ("prelude", "2.0.0", &[]),
    ];
    assert_eq!(
        answer(lines, &[("aff", "1"), ("prelude", "2")]),
        "Conflict in version ranges for prelude:\n  >=2.0.0 (declared dependency)\n  <2.0.0 seen in effect@1.0.0 from \
         declared dependencies aff"
    );
}

#[test]
fn a_range_without_versions_is_told_from_a_conflict() {
    let lines: &[Line] = &[("a", "1.0.0", &[("b", "2")]), ("b", "1.0.0", &[])];
    assert_eq!(
        answer(lines, &[("a", "1")]),
        "No versions found in the registry for b in range\n  >=2.0.0 seen in a@1.0.0\n  <3.0.0 seen in a@1.0.0"
    );
    assert_eq!(
        answer(lines, &[("unknown", "1"), ("b", "5")]),
        "No versions found in the registry for unknown in range\n  >=1.0.0 (declared dependency)\n  <2.0.0 (declared \
         dependency)"
    );
}

#[test]
fn all_conflicts_are_listed() {
    let lines: &[Line] = &[("a", "1.0.0", &[]), ("b", "1.0.0", &[])];
    let SolverError::Conflicts(conflicts) =
        solve(&index(lines), &ranges(&[("a", "2"), ("b", "3")])).unwrap_err()
    else {
        panic!("not a set of conflicts");
    };
    assert_eq!(
        conflicts
            .iter()
            .map(|conflict| conflict.package.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn a_package_whose_every_version_fails_lists_each_with_its_reason() {
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("b", "2")]),
        ("a", "2.0.0", &[("c", "2")]),
        ("b", "1.0.0", &[]),
        ("c", "1.0.0", &[]),
    ];
    assert_eq!(
        answer(lines, &[("a", "1-3"), ("b", "1")]),
        "While solving a each version could not be solved:
- 2.0.0:
  No versions found in the registry for c in range
    >=2.0.0 seen in a@2.0.0
    <3.0.0 seen in a@2.0.0
- 1.0.0:
  Conflict in version ranges for b:
    >=2.0.0 seen in a@1.0.0
    <2.0.0 (declared dependency)"
    );
}

#[test]
fn a_dead_end_says_which_version_was_attempted() {
    let lines: &[Line] = &[
        ("a", "1.0.0", &[("b", "1")]),
        ("a", "2.0.0", &[("b", "2")]),
        ("b", "1.0.0", &[("c", "1")]),
        ("b", "2.0.0", &[("c", "1")]),
        ("c", "1.0.0", &[("a", "3")]),
        ("c", "1.1.0", &[("a", "4")]),
    ];
    let text = answer(lines, &[("a", "1-3")]);
    assert!(text.contains("Conflict in version ranges for a:"), "{text}");
    assert!(text.contains("(declared dependency)"), "{text}");

    let lines: &[Line] = &[
        ("a", "1.0.0", &[("b", "1")]),
        ("a", "2.0.0", &[("b", "2")]),
        ("b", "1.0.0", &[("a", "2")]),
        ("b", "2.0.0", &[("a", "1")]),
    ];
    let text = answer(lines, &[("a", "1-3")]);
    assert!(
        text.starts_with("While solving a each version could not be solved:\n- 2.0.0:\n"),
        "{text}"
    );
    assert!(text.contains("(attempted version)"), "{text}");
}

#[test]
fn a_long_explanation_is_cut() {
    let mut builder = SolverIndex::builder();
    for patch in 0..200 {
        let dependencies = ranges(&[("b", "2"), ("c", "1")]);
        builder.add(&name("a"), Version::new(1, 0, patch), &dependencies, &[]);
        builder.add(
            &name("c"),
            Version::new(1, 0, patch),
            &ranges(&[("b", "1-3")]),
            &[],
        );
    }
    builder.add(&name("b"), version("1.0.0"), &BTreeMap::new(), &[]);
    for patch in 0..200 {
        builder.add(
            &name("b"),
            Version::new(2, 0, patch),
            &ranges(&[("d", if patch % 2 == 0 { "1" } else { "2" })]),
            &[],
        );
    }
    builder.add(&name("d"), version("3.0.0"), &BTreeMap::new(), &[]);
    let error = solve(&builder.build(), &ranges(&[("a", "1")]))
        .unwrap_err()
        .to_string();
    assert!(error.lines().count() < 1000, "{} lines", error.lines().count());
    assert!(!error.is_empty());
}

/// An index in which the search must try all combinations: pigeons that fit no hole.
#[test]
fn the_solver_gives_up_rather_than_run_for_ever() {
    let mut builder = SolverIndex::builder();
    let pigeons = 10;
    for pigeon in 0..pigeons {
        for hole in 0..pigeons - 1 {
            // Sitting in a hole asks every lower pigeon's flag for that hole to be off, and sets the own one.
            let dependencies = (0..pigeons)
                .map(|other| {
                    let value = if other == pigeon { 2 } else { 1 };
                    (
                        name(&format!("z{other}-{hole}")),
                        Range::caret(Version::new(value, 0, 0)),
                    )
                })
                .collect();
            builder.add(
                &name(&format!("p{pigeon}")),
                Version::new(1, 0, hole),
                &dependencies,
                &[],
            );
            let flag = name(&format!("z{pigeon}-{hole}"));
            builder.add(&flag, version("1.0.0"), &BTreeMap::new(), &[]);
            builder.add(&flag, version("2.0.0"), &BTreeMap::new(), &[]);
        }
    }
    let required = (0..pigeons)
        .map(|pigeon| (name(&format!("p{pigeon}")), range("1")))
        .collect();
    let error = solve(&builder.build(), &required).unwrap_err();
    assert!(matches!(error, SolverError::GaveUp { .. }), "{error}");
}

mod compilers {
    use super::*;

    fn index() -> SolverIndex {
        let purs = |patches: &[u32]| {
            patches
                .iter()
                .map(|&patch| Version::new(0, 15, patch))
                .collect::<Vec<_>>()
        };
        let mut builder = SolverIndex::builder().compilers(purs(&[10, 12, 16]));
        builder.add(&name("a"), version("1.0.0"), &BTreeMap::new(), &purs(&[10]));
        builder.add(&name("a"), version("1.1.0"), &BTreeMap::new(), &purs(&[10, 16]));
        builder.add(&name("a"), version("1.2.0"), &BTreeMap::new(), &purs(&[16]));
        builder.add(&name("b"), version("1.0.0"), &BTreeMap::new(), &purs(&[10, 12]));
        builder.build()
    }

    fn planned(dependencies: &[(&str, &str)], compiler: Option<&str>) -> String {
        match plan(&index(), &ranges(dependencies), compiler.map(version)) {
            Ok(plan) => plan
                .versions
                .iter()
                .fold(plan.compiler.to_string(), |text, (name, version)| {
                    format!("{text} {name}@{version}")
                }),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_plan_keeps_to_the_given_compiler() {
        assert_eq!(planned(&[("a", "1")], Some("0.15.10")), "0.15.10 a@1.1.0");
        assert_eq!(planned(&[("a", "1")], Some("0.15.16")), "0.15.16 a@1.2.0");
        // Gaps in the list of compilers are not represented.
        assert_eq!(planned(&[("a", "1")], Some("0.15.12")), "0.15.12 a@1.1.0");
    }

    #[test]
    fn without_a_compiler_the_highest_that_works_is_found() {
        assert_eq!(planned(&[], None), "0.15.16");
        assert_eq!(planned(&[("b", "1")], None), "0.15.12 b@1.0.0");
        assert_eq!(planned(&[("a", "1")], None), "0.15.16 a@1.2.0");
    }

    #[test]
    fn a_compiler_that_nothing_compiles_with_is_a_conflict() {
        assert_eq!(
            planned(&[("b", "1")], Some("0.15.16")),
            "Conflict in version ranges for purs:\n  >=0.15.16 (declared dependency)\n  <0.15.13 seen in b@1.0.0"
        );
        assert_eq!(
            planned(&[], Some("0.15.11")),
            "No versions found in the registry for purs in range\n  >=0.15.11 (declared dependency)\n  <0.15.12 (declared \
             dependency)"
        );
        let nothing = plan(&SolverIndex::builder().build(), &BTreeMap::new(), None);
        assert_eq!(nothing, Err(SolverError::NoCompilers));
    }
}

mod against_trying_everything {
    //! Small registries made from a seed, compared with a search that has no ideas.

    use super::*;

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }

        fn range(&mut self) -> Range {
            let lo = u32::try_from(self.roll(5) / 2).unwrap() + 1;
            let hi = lo + 1 + u32::try_from(self.roll(3)).unwrap();
            Range::new(Version::new(lo, 0, 0), Version::new(hi, 0, 0)).unwrap()
        }
    }

    type Registry = BTreeMap<PackageName, BTreeMap<Version, BTreeMap<PackageName, Range>>>;

    fn registry(dice: &mut Dice) -> Registry {
        let names = ["a", "b", "c", "d", "e"].map(name);
        let mut registry = Registry::new();
        for package in &names {
            for major in 1..=1 + dice.roll(3) {
                let dependencies = names
                    .iter()
                    .filter(|other| *other != package)
                    .filter_map(|other| {
                        if dice.roll(4) == 0 {
                            Some((other.clone(), dice.range()))
                        } else {
                            None
                        }
                    })
                    .collect();
                let number = Version::new(u32::try_from(major).unwrap(), 0, 0);
                registry
                    .entry(package.clone())
                    .or_default()
                    .insert(number, dependencies);
            }
        }
        registry
    }

    /// Is there any choice that fits? Each package is left out or has one of its versions.
    fn is_solvable(registry: &Registry, required: &BTreeMap<PackageName, Range>) -> bool {
        fn fits(
            registry: &Registry,
            required: &BTreeMap<PackageName, Range>,
            chosen: &BTreeMap<PackageName, Version>,
        ) -> bool {
            let holds = |ranges: &BTreeMap<PackageName, Range>| {
                ranges
                    .iter()
                    .all(|(name, range)| chosen.get(name).is_some_and(|version| range.contains(version)))
            };
            holds(required)
                && chosen
                    .iter()
                    .all(|(name, version)| holds(&registry[name][version]))
        }
        fn choose(
            registry: &Registry,
            left: &[&PackageName],
            required: &BTreeMap<PackageName, Range>,
            chosen: &mut BTreeMap<PackageName, Version>,
        ) -> bool {
            let Some((package, left)) = left.split_first() else {
                return fits(registry, required, chosen);
            };
            if choose(registry, left, required, chosen) {
                return true;
            }
            for version in registry[*package].keys() {
                chosen.insert((*package).clone(), *version);
                if choose(registry, left, required, chosen) {
                    return true;
                }
            }
            chosen.remove(*package);
            false
        }
        choose(
            registry,
            &registry.keys().collect::<Vec<_>>(),
            required,
            &mut BTreeMap::new(),
        )
    }

    #[test]
    fn an_answer_is_found_exactly_when_there_is_one_and_it_is_closed_and_small() {
        let mut dice = Dice(7);
        let (mut solved, mut failed) = (0, 0);
        for _ in 0..600 {
            let registry = registry(&mut dice);
            let required: BTreeMap<_, _> = registry
                .keys()
                .filter_map(|name| {
                    if dice.roll(2) == 0 {
                        Some((name.clone(), dice.range()))
                    } else {
                        None
                    }
                })
                .collect();
            let mut builder = SolverIndex::builder();
            for (package, versions) in &registry {
                for (number, dependencies) in versions {
                    builder.add(package, *number, dependencies, &[]);
                }
            }
            match solve(&builder.build(), &required) {
                Ok(answer) => {
                    solved += 1;
                    let fits = |ranges: &BTreeMap<PackageName, Range>| {
                        ranges.iter().all(|(name, range)| range.contains(&answer[name]))
                    };
                    assert!(fits(&required));
                    let mut reached = std::collections::BTreeSet::new();
                    let mut open: Vec<_> = required.keys().collect();
                    while let Some(package) = open.pop() {
                        if reached.insert(package) {
                            let dependencies = &registry[package][&answer[package]];
                            assert!(fits(dependencies));
                            open.extend(dependencies.keys());
                        }
                    }
                    assert!(answer.keys().eq(reached), "nothing is there without a reason");
                }
                Err(error) => {
                    failed += 1;
                    assert!(
                        !is_solvable(&registry, &required),
                        "{registry:?}\n{required:?}\n{error}"
                    );
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        assert!(
            solved > 100 && failed > 100,
            "{solved} solved, {failed} failed: both must be common"
        );
    }
}

#[test]
fn resolutions_must_hold_each_direct_dependency_in_range() {
    let dependencies = ranges(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let resolutions = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(package, text)| (name(package), version(text)))
            .collect()
    };
    assert_eq!(
        check_resolutions(
            &dependencies,
            &resolutions(&[("a", "1.0.0"), ("b", "1.9.9"), ("c", "1.0.0"), ("d", "9.0.0")])
        ),
        Ok(())
    );
    assert_eq!(
        check_resolutions(&dependencies, &resolutions(&[("a", "1.0.0"), ("b", "2.0.0")]))
            .unwrap_err()
            .to_string(),
        "the resolutions do not go with the dependencies of the manifest:\n  - c is missing: add a version in range \
         >=1.0.0 <2.0.0\n  - b@2.0.0 is not in range >=1.0.0 <2.0.0"
    );
}
