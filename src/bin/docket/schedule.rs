//! `docket schedule`: what the registry does by itself, and doing it now.

use docket_client::Client;

use crate::args;
use crate::authority::Authority;
use crate::failure::Failure;
use crate::follow::{Submitted, see_through};
use crate::print::Printer;

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
    out.text(&format!(
        "{:<20}  {:<24}  {:<24}  LAST JOB",
        "TASK", "WHEN", "NEXT"
    ))?;
    for schedule in &schedules {
        let last = schedule.last_job_id.as_ref().map_or("-", |job| job.as_str());
        out.text(&format!(
            "{:<20}  {:<24}  {:<24}  {last}",
            schedule.task,
            schedule.every,
            schedule.next_tick.to_string(),
        ))?;
    }
    Ok(())
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
