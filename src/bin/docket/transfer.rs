//! `docket transfer`: from now on the code of a package comes from elsewhere.

use docket_client::Client;
use docket_core::operation::Transfer;

use crate::args;
use crate::authority::{Authority, audience};
use crate::confirm::{Plan, confirm};
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;

/// Shows both locations, asks, signs, posts, then follows the job.
///
/// # Errors
///
/// When nobody agrees, the registry refuses, or the job fails.
pub(crate) async fn run(client: Client, args: args::Transfer, out: &Printer) -> Result<(), Failure> {
    let (client, authority) = Authority::read(client, &args.authority)?;
    let authority = authority.ok_or(Failure::NoAuthority)?;
    let audience = audience(&client, &args.authority, &authority).await?;
    let found = client.get_package(&args.name).await?;
    if found.location == args.to {
        return Err(Failure::SameLocation {
            name: args.name,
            location: args.to,
        });
    }
    let (name, to) = (args.name, args.to);
    let plan = Plan {
        headline: format!("The package {name} is to move at {audience}:"),
        rows: vec![
            ("from", found.location.to_string()),
            ("to", to.to_string()),
            (
                "published",
                "versions stay as they are, owners keep their rights".to_owned(),
            ),
            ("on authority of", authority.shown()),
        ],
        question: format!("Let {name} come from {to} from now on?"),
    };
    confirm(&plan, args.yes, out)?;
    let done = format!("transferred {name} to {to}");
    let doing = format!("transferring {name} to {to}");
    let operation = Transfer {
        name,
        new_location: to,
    };
    let signed = authority.sign(&operation, &audience, out).await?;
    let submitted = Submitted {
        job: client.transfer(&signed).await?,
        doing: &doing,
        more: "",
        done: &done,
        advice: "The last error in its log says why; the package stays where it was.",
    };
    see_through(&client, submitted, args.no_wait, out).await
}
