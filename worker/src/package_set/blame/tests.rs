use super::*;

/// Says no to a group that holds all of one of `conflicts`, and counts the questions.
struct Counting {
    conflicts: Vec<Group>,
    /// Whether errors point to the conflict's last candidate, as those of a compiler do.
    hints: bool,
    compiles: usize,
}

impl Counting {
    fn new(conflicts: &[&[usize]]) -> Self {
        Self {
            conflicts: conflicts
                .iter()
                .map(|group| group.iter().copied().collect())
                .collect(),
            hints: false,
            compiles: 0,
        }
    }

    fn hinting(conflicts: &[&[usize]]) -> Self {
        Self {
            hints: true,
            ..Self::new(conflicts)
        }
    }

    fn judge(&self, group: &Group) -> Result<(), Complaint> {
        let broken: Vec<&Group> = self
            .conflicts
            .iter()
            .filter(|conflict| conflict.is_subset(group))
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        let named = broken.iter().filter_map(|conflict| conflict.last().copied());
        Err(Complaint {
            suspects: named.filter(|_| self.hints).collect(),
            text: format!("{broken:?}"),
        })
    }
}

impl Oracle for Counting {
    type Error = &'static str;

    async fn compile(&mut self, group: &Group) -> Result<Result<(), Complaint>, Self::Error> {
        self.compiles += 1;
        Ok(self.judge(group))
    }
}

async fn sort<const N: usize>(
    oracle: &mut Counting,
    count: usize,
    requires: [(usize, &[usize]); N],
) -> Outcome {
    let mut all = vec![Group::new(); count];
    for (candidate, needed) in requires {
        all[candidate] = needed.iter().copied().collect();
    }
    let complaint = oracle.judge(&(0..count).collect()).unwrap_err();
    search(oracle, &all, complaint).await.unwrap()
}

fn blamed(outcome: &Outcome) -> Vec<(usize, Vec<usize>)> {
    let told = outcome.blamed.iter();
    told.map(|blamed| (blamed.candidate, blamed.with.iter().copied().collect()))
        .collect()
}

#[tokio::test]
async fn one_bad_candidate_among_64_costs_its_logarithm_without_hints_and_two_compilations_with() {
    for culprit in 0..64 {
        let conflict: &[usize] = &[culprit];
        let mut oracle = Counting::new(&[conflict]);
        let outcome = sort(&mut oracle, 64, []).await;
        assert_eq!(blamed(&outcome), [(culprit, vec![])]);
        assert_eq!(outcome.kept.len(), 63);
        assert!(oracle.compiles <= 6 + 2, "{culprit}: {}", oracle.compiles);

        let mut oracle = Counting::hinting(&[conflict]);
        let hinted = sort(&mut oracle, 64, []).await;
        assert_eq!((blamed(&hinted), &hinted.kept), (blamed(&outcome), &outcome.kept));
        assert!(oracle.compiles <= 2, "{culprit}: {}", oracle.compiles);
    }
}

#[tokio::test]
async fn of_two_that_only_conflict_together_one_is_kept_and_the_other_told_with_it() {
    for hints in [false, true] {
        let mut oracle = Counting {
            hints,
            ..Counting::new(&[&[9, 40]])
        };
        let outcome = sort(&mut oracle, 64, []).await;
        assert_eq!(blamed(&outcome), [(40, vec![9])]);
        assert_eq!(outcome.kept.len(), 63);
        assert!(oracle.compiles <= 2 * 6 + 4, "{}", oracle.compiles);
    }
}

#[tokio::test]
async fn many_bad_candidates_never_cost_much_more_than_one_by_one() {
    let singles: Vec<[usize; 1]> = (0..64).map(|candidate| [candidate]).collect();
    let all: Vec<&[usize]> = singles.iter().map(|single| &single[..]).collect();
    for hints in [false, true] {
        let mut oracle = Counting {
            hints,
            ..Counting::new(&all)
        };
        let outcome = sort(&mut oracle, 64, []).await;
        assert_eq!((outcome.kept.len(), outcome.blamed.len()), (0, 64));
        assert!(oracle.compiles <= 64 + 2 * 6, "{}", oracle.compiles);

        let mut oracle = Counting {
            hints,
            ..Counting::new(&[&[3], &[17], &[18], &[40], &[63]])
        };
        let outcome = sort(&mut oracle, 64, []).await;
        assert_eq!((outcome.kept.len(), outcome.blamed.len()), (59, 5));
        let limit = if hints { 20 } else { 55 };
        assert!(oracle.compiles <= limit, "{}", oracle.compiles);
    }
}

#[tokio::test]
async fn what_requires_a_blamed_candidate_goes_with_it() {
    for hints in [false, true] {
        let mut oracle = Counting {
            hints,
            ..Counting::new(&[&[1]])
        };
        let outcome = sort(&mut oracle, 5, [(2, &[1]), (3, &[2]), (4, &[0])]).await;
        assert_eq!(blamed(&outcome), [(1, vec![])]);
        assert_eq!(outcome.kept, Group::from([0, 4]));
        assert_eq!(outcome.stranded, BTreeMap::from([(2, 1), (3, 2)]));
    }
}

/// Candidates 3 and 4 are removals of packages, 4 of one that the package of 3 depends on.
#[tokio::test]
async fn a_removal_waits_for_those_of_its_dependants() {
    let mut oracle = Counting::new(&[&[3]]);
    let outcome = sort(&mut oracle, 5, [(4, &[3])]).await;
    assert_eq!(outcome.kept, Group::from([0, 1, 2]));
    assert_eq!(outcome.stranded, BTreeMap::from([(4, 3)]));
}

/// An update that breaks a member which another candidate mends: only the two together compile.
struct Mended;

impl Oracle for Mended {
    type Error = &'static str;

    async fn compile(&mut self, group: &Group) -> Result<Result<(), Complaint>, Self::Error> {
        let broken = group.contains(&1) || group.contains(&0) && !group.contains(&2);
        let suspects = if group.contains(&1) { [1] } else { [0] };
        Ok(if broken {
            Err(Complaint {
                suspects: suspects.into(),
                text: String::new(),
            })
        } else {
            Ok(())
        })
    }
}

#[tokio::test]
async fn candidates_that_mend_each_other_are_kept_together() {
    let complaint = Mended.compile(&(0..3).collect()).await.unwrap().unwrap_err();
    let outcome = search(&mut Mended, &vec![Group::new(); 3], complaint)
        .await
        .unwrap();
    assert_eq!(outcome.kept, Group::from([0, 2]));
    assert_eq!(blamed(&outcome), [(1, vec![])]);
}

/// Whatever conflicts and requires there are: what is kept compiles, and nothing that was left out could be added.
#[tokio::test]
async fn what_is_kept_compiles_and_cannot_be_extended() {
    let mut seed = 1_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    for _ in 0..300 {
        let count = 1 + random(20);
        let mut conflicts = vec![];
        for _ in 0..=random(4) {
            let conflict: Vec<usize> = (0..=random(3)).map(|_| random(count)).collect();
            conflicts.push(conflict);
        }
        let conflicts: Vec<&[usize]> = conflicts.iter().map(|conflict| &conflict[..]).collect();
        let mut oracle = Counting {
            hints: random(2) == 0,
            ..Counting::new(&conflicts)
        };
        let requires: Vec<Group> = (0..count)
            .map(|candidate| {
                let needed = (0..random(3)).map(|_| random(count));
                needed.filter(|needed| *needed < candidate).collect()
            })
            .collect();
        let complaint = oracle.judge(&(0..count).collect()).unwrap_err();
        let outcome = search(&mut oracle, &requires, complaint).await.unwrap();
        let kept = &outcome.kept;
        assert_eq!(oracle.judge(kept), Ok(()));
        assert!(kept.iter().all(|candidate| requires[*candidate].is_subset(kept)));
        assert_eq!(kept.len() + outcome.blamed.len() + outcome.stranded.len(), count);
        for Blamed { candidate, with, .. } in &outcome.blamed {
            assert!(with.is_subset(kept));
            let mut more = kept.clone();
            more.insert(*candidate);
            assert!(oracle.judge(&more).is_err(), "{candidate} could be kept");
        }
    }
}

struct Broken;

impl Oracle for Broken {
    type Error = &'static str;

    async fn compile(&mut self, _group: &Group) -> Result<Result<(), Complaint>, Self::Error> {
        Err("the disk is full")
    }
}

#[tokio::test]
async fn our_own_failure_ends_the_search() {
    let complaint = Complaint {
        suspects: Group::new(),
        text: String::new(),
    };
    let ended = search(&mut Broken, &vec![Group::new(); 4], complaint).await;
    assert_eq!(ended, Err("the disk is full"));
}
