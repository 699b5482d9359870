//! The stable codes of refusals: each enum lists its own (`docket_package::codes!`), and `docs/problems.md` explains them all, in this order.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        documentation::DocumentationRefusal, package_set::SetRefusal, refusal::Refusal, rejection::Rejection,
    };

    fn catalogue() -> Vec<&'static str> {
        [
            Rejection::CATALOGUE,
            Refusal::CATALOGUE,
            SetRefusal::CATALOGUE,
            DocumentationRefusal::CATALOGUE,
        ]
        .concat()
    }

    #[test]
    fn the_catalogues_have_every_code_once() {
        let unique: BTreeSet<_> = catalogue().into_iter().collect();
        assert_eq!(unique.len(), catalogue().len());
        for code in unique {
            assert!(
                code.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{code} is not kebab-case"
            );
        }
    }

    #[test]
    fn the_page_of_problems_lists_exactly_the_catalogues() {
        let page = include_str!("../../docs/problems.md");
        let (refusals, _) = page
            .split_once("## Ended by the queue")
            .expect("the page tells apart who refuses");
        let listed: Vec<&str> = refusals
            .lines()
            .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
            .collect();
        assert_eq!(listed, catalogue());
    }
}
