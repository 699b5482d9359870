//! What an audit found, in words.

/// How many examples a finding names.
const EXAMPLES: usize = 3;

/// Says how many and which things are wrong in the way `what` says, such as "3 versions have no tarball: a@1.0.0, b@1.0.0, c@1.0.0"; `None` when there are
/// none.
pub fn finding(what: &str, which: &[String]) -> Option<String> {
    if which.is_empty() {
        return None;
    }
    let examples = which[..which.len().min(EXAMPLES)].join(", ");
    let more = if which.len() > EXAMPLES { ", …" } else { "" };
    Some(format!("{} {what}: {examples}{more}", which.len()))
}

#[cfg(test)]
mod tests {
    use super::finding;

    #[test]
    fn a_finding_names_three_examples_at_most() {
        let which = |count: usize| vec!["x".to_owned(); count];
        assert_eq!(finding("are wrong", &[]), None);
        assert_eq!(finding("are wrong", &which(3)).unwrap(), "3 are wrong: x, x, x");
        assert_eq!(
            finding("are wrong", &which(4)).unwrap(),
            "4 are wrong: x, x, x, …"
        );
    }
}
