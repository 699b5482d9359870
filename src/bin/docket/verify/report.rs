//! What a verification found, for people and for programs.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Counts, Finding};
use crate::failure::Failure;
use crate::print::Printer;
use crate::table::Table;

/// How many things of which the same is to be said have a row each.
const ROWS: usize = 5;

/// Says what was found, and fails when that is anything.
pub(super) fn report(findings: &[Finding], counts: &Counts, out: &Printer) -> Result<(), Failure> {
    if out.json() {
        findings.iter().try_for_each(|finding| out.object(finding))?;
        let mut summary = json!(counts);
        summary["findings"] = findings.len().into();
        out.object(&summary)?;
    } else if !findings.is_empty() {
        let mut table = Table::new(["SUBJECT", "WHAT", "PROBLEM"]);
        for [subject, what, problem] in rows(findings) {
            table.row([subject, what, problem]);
        }
        out.table(&table)?;
    }
    let Counts {
        packages,
        sets,
        tarballs,
        bytes,
        absent,
    } = counts;
    let looked_at =
        format!("looked at {packages} packages, {sets} package sets, {tarballs} tarballs ({bytes} bytes)");
    if findings.is_empty() {
        if !out.json() {
            out.text(&format!("{looked_at}: all is as it should be"))?;
        }
        return Ok(());
    }
    out.note(&looked_at);
    Err(match findings.len() - absent {
        0 => Failure::Absent { count: *absent },
        count => Failure::Differs { count },
    })
}

/// One row for each finding; where the same is to be said of many things, one for all of them.
fn rows(findings: &[Finding]) -> Vec<[String; 3]> {
    let mut alike: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        alike
            .entry((finding.what, &finding.problem))
            .or_default()
            .push(finding);
    }
    let mut rows = Vec::new();
    for ((what, problem), findings) in alike {
        if let [first, .., last] = findings.as_slice()
            && findings.len() > ROWS
        {
            let subject = format!(
                "{} of them: {} to {}",
                findings.len(),
                first.subject,
                last.subject
            );
            rows.push([subject, what.to_owned(), problem.to_owned()]);
        } else {
            let each = findings
                .iter()
                .map(|finding| [finding.subject.clone(), what.to_owned(), problem.to_owned()]);
            rows.extend(each);
        }
    }
    rows.sort();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(subject: String, problem: &str) -> Finding {
        Finding {
            subject,
            what: "tarball",
            problem: problem.to_owned(),
        }
    }

    #[test]
    fn many_things_with_one_problem_have_one_row() {
        let mut findings: Vec<_> = (0..6)
            .map(|number| finding(format!("slug@1.0.{number}"), "gone"))
            .collect();
        findings.push(finding(
            "aff@1.0.0".to_owned(),
            "it has 3 bytes, and should have 4",
        ));
        let subjects: Vec<_> = rows(&findings).into_iter().map(|[subject, ..]| subject).collect();
        assert_eq!(subjects, ["6 of them: slug@1.0.0 to slug@1.0.5", "aff@1.0.0"]);
        assert_eq!(rows(&findings[..5]).len(), 5);
    }
}
