//! `docket schedule`: what the registry does by itself, and doing it now.

use docket_client::Client;

use crate::args;
use crate::authority::Authority;
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;
use crate::table::Table;

/// Runs one of the sub-commands.
///
/// # Errors
///
/// When the registry cannot be asked or refuses, or a followed job fails.
pub(crate) async fn run(client: Client, command: args::Schedule, out: &Printer) -> Result<(), Failure> {
    match command {
        args::Schedule::List => list(&client, out).await,
        args::Schedule::Run(args) => run_now(client, args, out).await,
    }
}

async fn list(client: &Client, out: &Printer) -> Result<(), Failure> {
    let schedules = client.list_schedules().await?;
    if out.json() {
        return Ok(schedules.iter().try_for_each(|schedule| out.object(schedule))?);
    }
    let mut table = Table::new(["TASK", "WHEN", "NEXT", "LAST JOB"]);
    for schedule in schedules {
        let last = schedule.last_job_id.map_or("-".to_owned(), |job| job.to_string());
        table.row([
            schedule.task,
            schedule.every,
            schedule.next_tick.to_string(),
            last,
        ]);
    }
    Ok(out.table(&table)?)
}

async fn run_now(client: Client, args: args::ScheduleRun, out: &Printer) -> Result<(), Failure> {
    let authority = args::Authority {
        token_file: Some(args.token_file),
        ..args::Authority::default()
    };
    let (client, _) = Authority::read(client, &authority)?;
    let job = client.run_task(&args.task).await?;
    let submitted = Submitted {
        job,
        doing: &format!("running {}", args.task),
        more: "",
        done: &format!("ran {}", args.task),
        advice: "Its log above says why; the next tick tries again.",
    };
    see_through(&client, submitted, args.no_wait, out).await
}
