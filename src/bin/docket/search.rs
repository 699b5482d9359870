//! `docket search`: packages by words in their names and descriptions.

use docket_client::Client;

use crate::args;
use crate::failure::Failure;
use crate::print::Printer;
use crate::table::Table;

/// How many packages are asked for at once.
const PAGE_PACKAGES: usize = 1_000;

/// Lists what is found, the best match first.
///
/// # Errors
///
/// When the registry cannot be asked, or the text cannot be searched for.
pub(crate) async fn run(client: &Client, args: args::Search, out: &Printer) -> Result<(), Failure> {
    let (text, limit) = (args.text.join(" "), args.limit.get());
    let (mut packages, mut cursor) = (Vec::new(), None);
    loop {
        let asked = (limit - packages.len()).min(PAGE_PACKAGES);
        let page = client.search_packages(&text, cursor.as_deref(), asked).await?;
        let is_empty = page.packages.is_empty();
        packages.extend(page.packages);
        packages.truncate(limit);
        cursor = page.next;
        if cursor.is_none() || is_empty || packages.len() == limit {
            break;
        }
    }
    if out.json() {
        return Ok(packages.iter().try_for_each(|package| out.object(package))?);
    }
    if packages.is_empty() {
        out.note("no package has these words");
        return Ok(());
    }
    let mut table = Table::new(["NAME", "VERSION", "PUBLISHED", "LICENCE", "DESCRIPTION"]);
    for package in &packages {
        table.row([
            package.name.to_string(),
            package.version.to_string(),
            package.published_time.date().to_string(),
            package.license.clone(),
            package.description.clone(),
        ]);
    }
    out.table(&table)?;
    if cursor.is_some() {
        out.note(&format!("there are more than {limit}; show more with --limit N"));
    }
    Ok(())
}
