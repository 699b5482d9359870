//! `docket unpublish`: withdraw a version for good.

use docket_client::{Client, Dependant, PackageVersion};
use docket_core::operation::Unpublish;

use crate::args;
use crate::authority::{Authority, audience};
use crate::confirm::{Plan, confirm};
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;

/// How many dependants are named; the rest is counted.
const NAMED: usize = 10;

/// Shows what is affected, asks, signs, posts, then follows the job.
///
/// # Errors
///
/// When nobody agrees, the registry refuses, or the job fails.
pub(crate) async fn run(client: Client, args: args::Unpublish, out: &Printer) -> Result<(), Failure> {
    let (client, authority) = Authority::read(client, &args.authority)?;
    let authority = authority.ok_or(Failure::NoAuthority)?;
    let audience = audience(&client, &args.authority, &authority).await?;
    let found = client
        .get_package_version(&args.package.name, args.package.version)
        .await?;
    let title = args.package.to_string();
    let plan = Plan {
        headline: format!("{title} is to be withdrawn from {audience}:"),
        rows: rows(&found, &args.reason.to_string(), &authority.shown()),
        question: format!("Unpublish {title} for good?"),
    };
    confirm(&plan, args.yes, out)?;
    let operation = Unpublish {
        name: args.package.name,
        reason: args.reason,
        version: args.package.version,
    };
    let signed = authority.sign(&operation, &audience, out).await?;
    let submitted = Submitted {
        job: client.unpublish(&signed).await?,
        doing: &format!("unpublishing {title}"),
        more: "",
        done: &format!("unpublished {title}"),
        advice: "The last error in its log says why; nothing was withdrawn.",
    };
    see_through(&client, submitted, args.no_wait, out).await
}

/// What is affected.
fn rows(found: &PackageVersion, reason: &str, signer: &str) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("reason", reason.to_owned()),
        (
            "state",
            format!("{} since {}", found.status, found.published_time),
        ),
    ];
    let (breaking, others): (Vec<&Dependant>, Vec<&Dependant>) =
        found.dependants.iter().partition(|dependant| dependant.breaks);
    if found.dependants.is_empty() {
        rows.push(("dependants", "none".to_owned()));
    }
    list(
        &mut rows,
        "would break",
        &breaking,
        "and so the registry will refuse",
    );
    list(&mut rows, "dependants", &others, "for which others remain");
    let sets: Vec<String> = found.package_sets.iter().map(ToString::to_string).collect();
    rows.push(match sets.as_slice() {
        [] => ("package sets", "none".to_owned()),
        [newest, ..] => (
            "package sets",
            format!(
                "{}, such as {newest}: the registry refuses owners, and trustees while the latest set has it",
                sets.len()
            ),
        ),
    });
    rows.push(("on authority of", signer.to_owned()));
    rows
}

fn list(
    rows: &mut Vec<(&'static str, String)>,
    title: &'static str,
    dependants: &[&Dependant],
    remark: &str,
) {
    if dependants.is_empty() {
        return;
    }
    let count = match dependants.len() {
        1 => "1 version".to_owned(),
        count => format!("{count} versions"),
    };
    rows.push((title, format!("{count}, {remark}:")));
    for dependant in dependants.iter().take(NAMED) {
        let Dependant {
            name, version, range, ..
        } = dependant;
        rows.push(("", format!("{name}@{version} needs {range}")));
    }
    if dependants.len() > NAMED {
        rows.push(("", format!("and {} more", dependants.len() - NAMED)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(found: &str) -> String {
        rows(&serde_json::from_str(found).unwrap(), "a mistake", "me")
            .into_iter()
            .map(|(title, text)| format!("{title}: {text}\n"))
            .collect()
    }

    #[test]
    fn people_see_who_breaks_who_does_not_and_which_sets_hold_it() {
        let found = r#"{"name":"slug","version":"1.2.0","status":"published","publishedTime":"2026-08-18T07:02:11.004Z",
            "compilers":["0.15.15"],"packageSets":["80.8.0","80.7.0"],"dependants":[
            {"name":"blog","version":"2.0.0","range":">=1.0.0 <2.0.0","breaks":false},
            {"name":"wiki","version":"1.0.0","range":">=1.2.0 <1.2.1","breaks":true}]}"#;
        assert_eq!(
            text(found),
            "reason: a mistake\n\
             state: published since 2026-08-18T07:02:11.004Z\n\
             would break: 1 version, and so the registry will refuse:\n\
             : wiki@1.0.0 needs >=1.2.0 <1.2.1\n\
             dependants: 1 version, for which others remain:\n\
             : blog@2.0.0 needs >=1.0.0 <2.0.0\n\
             package sets: 2, such as 80.8.0: the registry refuses owners, and trustees while the latest set has it\n\
             on authority of: me\n"
        );
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let dependant = r#"{"name":"wiki","version":"1.0.0","range":">=1.2.0 <1.2.1","breaks":true}"#;
        let found = format!(
            r#"{{"name":"slug","version":"1.2.0","status":"published","publishedTime":"2026-08-18T07:02:11.004Z",
            "dependants":[{}]}}"#,
            [dependant; 25].join(",")
        );
        let text = text(&found);
        assert_eq!(text.matches("wiki@1.0.0").count(), NAMED);
        assert!(
            text.contains("25 versions") && text.contains("and 15 more"),
            "{text}"
        );
        assert!(text.contains("package sets: none"), "{text}");
    }
}
