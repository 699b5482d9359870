//! `docket completions` and `docket man`: made of the command line itself, so they cannot be out of date.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{self, Args};
use crate::failure::Failure;
use crate::print::Printer;

/// Prints what a shell reads to complete command lines.
///
/// # Errors
///
/// When standard output does not take it.
pub(crate) fn completions(args: &args::Completions, out: &Printer) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "docket", &mut script);
    Ok(out.bytes(&script)?)
}

/// Prints the manual page, or writes one for each command into a directory.
///
/// # Errors
///
/// When a page cannot be written.
pub(crate) fn pages(args: &args::Man, out: &Printer) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(Args::command()).render(&mut page)?;
        return Ok(out.bytes(&page)?);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Args::command(), dir))
        .map_err(|cause| Failure::Unwritable {
            file: dir.clone(),
            cause,
        })?;
    out.note(&format!("wrote the pages to {}", dir.display()));
    Ok(())
}
