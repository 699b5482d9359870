//! Refs: which texts may be one, and which ref of a repository a short name means.

use crate::rejection::Rejection;

/// Refuses what git could take for an option or a pattern (rules of `git check-ref-format`).
pub(super) fn check(git_ref: &str) -> Result<(), Rejection> {
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let bad = git_ref.is_empty()
        || git_ref.len() > 255
        || git_ref.starts_with(['-', '/', '.'])
        || git_ref.ends_with(['/', '.'])
        || git_ref.contains(bad_char)
        || ["..", "@{", "//", "/."].iter().any(|part| git_ref.contains(part))
        || git_ref.split('/').any(|part| part.ends_with(".lock"))
        || git_ref == "@";
    if bad {
        Err(Rejection::RefInvalid(git_ref.to_owned()))
    } else {
        Ok(())
    }
}

/// A ref of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ref {
    /// The full name, such as `refs/tags/v1.0.0`.
    pub(super) name: String,
    /// The commit that it names, through an annotated tag if it is one.
    pub(super) commit: String,
}

/// Finds the ref among those `listed` that `git_ref` means.
pub(super) fn resolve<'a>(listed: &'a [Ref], git_ref: &str) -> Option<&'a Ref> {
    [
        format!("refs/tags/{git_ref}"),
        format!("refs/heads/{git_ref}"),
        git_ref.to_owned(),
    ]
    .iter()
    .filter(|full| full.starts_with("refs/"))
    .find_map(|full| listed.iter().find(|listed| listed.name == *full))
}

/// Reads the output of `git ls-remote`. An annotated tag has a line of its own, and behind it one with `^{}` for the commit.
pub(super) fn parse_list(output: &str) -> Vec<Ref> {
    let mut listed: Vec<Ref> = Vec::new();
    for (commit, name) in output.lines().filter_map(|line| line.split_once('\t')) {
        match name.strip_suffix("^{}") {
            Some(tag) => {
                if let Some(last) = listed.last_mut().filter(|last| last.name == tag) {
                    commit.clone_into(&mut last.commit);
                }
            }
            None if name.starts_with("refs/") => listed.push(Ref {
                name: name.to_owned(),
                commit: commit.to_owned(),
            }),
            None => {}
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_that_git_could_misread_are_refused() {
        for bad in [
            "",
            "-u",
            "--upload-pack=x",
            "a b",
            "a..b",
            "v1\n",
            "a:b",
            "/a",
            "a/",
            "x.lock",
            "@",
            "a@{1}",
            "v*",
            ".a",
        ] {
            assert_eq!(check(bad), Err(Rejection::RefInvalid(bad.into())), "{bad:?}");
        }
        for good in ["v1.0.0", "main", "feature/x", "refs/tags/v1", "ünï"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn a_tag_wins_over_a_branch_of_the_same_name() {
        let listed = parse_list("1\tHEAD\n1\trefs/heads/v1\n2\trefs/tags/v1\n3\trefs/tags/v1^{}\n");
        let found =
            |git_ref| resolve(&listed, git_ref).map(|found| (found.name.as_str(), found.commit.as_str()));
        assert_eq!(listed.len(), 2);
        assert_eq!(
            found("v1"),
            Some(("refs/tags/v1", "3")),
            "what an annotated tag names counts"
        );
        assert_eq!(found("refs/heads/v1"), Some(("refs/heads/v1", "1")));
        assert_eq!(found("v2"), None);
        assert_eq!(found("HEAD"), None);
    }
}
