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

/// Returns the full name of `git_ref` among the `listed` full names.
pub(super) fn resolve(listed: &[String], git_ref: &str) -> Option<String> {
    [
        format!("refs/tags/{git_ref}"),
        format!("refs/heads/{git_ref}"),
        git_ref.to_owned(),
    ]
    .into_iter()
    .find(|full| full.starts_with("refs/") && listed.contains(full))
}

/// Reads the output of `git ls-remote`: full names only, without the peeled `^{}` lines.
pub(super) fn parse_list(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(_, name)| name.to_owned())
        .filter(|name| name.starts_with("refs/") && !name.ends_with("^{}"))
        .collect()
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
        assert_eq!(listed, ["refs/heads/v1", "refs/tags/v1"]);
        assert_eq!(resolve(&listed, "v1").as_deref(), Some("refs/tags/v1"));
        assert_eq!(
            resolve(&listed, "refs/heads/v1").as_deref(),
            Some("refs/heads/v1")
        );
        assert_eq!(resolve(&listed, "v2"), None);
        assert_eq!(resolve(&listed, "HEAD"), None);
    }
}
