//! A stand-in for the PureScript compiler, for demonstrations and tests on machines without one.
//!
//! It is NOT a compiler: it reads the header of every module, checks that imported modules exist, that no module is
//! there twice and that no imports form a cycle, and answers in the compiler's own formats. Types, exports and bodies
//! are not looked at, and the JavaScript it writes is empty. `--version` has to be plain, because tools parse it, so
//! the stand-in gives itself away by answering `--stand-in`, which a real `purs` refuses; the worker asks that and
//! says so in the job log.
//!
//! It runs when `docketd` is called by a name that starts with `purs`, such as the link `purs-0_15_15` (whose name
//! tells the version), or as the hidden sub-command `docketd purs-stand-in`.

mod check;
mod output;
mod publish;
mod report;
mod sources;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use docket_core::version::Version;
use report::Report;

/// The version when the name does not tell one.
pub const VERSION: Version = Version {
    major: 0,
    minor: 15,
    patch: 15,
};

const HELP: &str = "\
A stand-in for the PureScript compiler, built into docketd. It checks module headers and imports only.

Usage: purs --version
       purs graph [--json-errors] GLOB...
       purs compile [--json-errors] [-o DIR] [-g TARGETS] GLOB...
       purs publish --manifest FILE --resolutions FILE
       purs --stand-in      prints `docket stand-in`
";

/// Whether a program called `argv0` is meant to be the compiler.
pub(crate) fn is_called_as(argv0: &OsStr) -> bool {
    Path::new(argv0)
        .file_name()
        .and_then(OsStr::to_str)
        .is_some_and(|name| name.starts_with("purs"))
}

/// Links this program into `dir` under the name of a compiler, and returns the link.
///
/// # Errors
///
/// When the link cannot be made.
pub(crate) fn link_into(dir: &Path) -> io::Result<PathBuf> {
    let link = dir.join(format!("purs-{}", VERSION.to_string().replace('.', "_")));
    std::fs::create_dir_all(dir)?;
    match std::fs::remove_file(&link) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => std::os::unix::fs::symlink(std::env::current_exe()?, &link)?,
    }
    Ok(link)
}

/// Runs the stand-in: `argv` is the name it was called by, then its arguments.
pub(crate) fn run(argv: &[String]) -> ExitCode {
    let mut streams = (io::stdout().lock(), io::stderr().lock());
    let code = execute(argv, Path::new(""), &mut streams.0, &mut streams.1).unwrap_or_else(|error| {
        // Where it is the reader that went away, this is no use either.
        let _ = writeln!(streams.1, "{error}");
        1
    });
    ExitCode::from(code)
}

fn execute(argv: &[String], root: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let name = argv.first().map(String::as_str).unwrap_or_default();
    match argv.get(1).map(String::as_str) {
        Some("--version") => writeln!(out, "{}", version(name)).map(|()| 0),
        Some("--stand-in") => writeln!(out, "{}", docket_worker::compiler::STAND_IN).map(|()| 0),
        Some("--help" | "-h") | None => write!(out, "{HELP}").map(|()| 0),
        Some("graph") => graph(&Options::parse(&argv[2..]), root, out, err),
        Some("compile") => compile(&Options::parse(&argv[2..]), root, out, err),
        Some("publish") => publish::publish(&argv[2..], &version(name), root, out, err),
        Some(other) => writeln!(
            err,
            "{other}: not something the stand-in for purs can do\n\n{HELP}"
        )
        .map(|()| 1),
    }
}

/// `purs-0_15_15` → `0.15.15`
fn version(name: &str) -> String {
    let name = Path::new(name)
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let named = name.strip_prefix("purs-").map(|text| text.replace('_', "."));
    named
        .filter(|text| text.parse::<docket_core::version::Version>().is_ok())
        .unwrap_or_else(|| VERSION.to_string())
}

/// The options that tools pass; those without a meaning here are skipped with their value.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    json_errors: bool,
    output: String,
    codegen: Vec<String>,
    globs: Vec<String>,
}

impl Options {
    fn parse(args: &[String]) -> Self {
        let mut options = Self {
            json_errors: false,
            output: "output".into(),
            codegen: vec!["js".into()],
            globs: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (flag, attached) = match arg.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || {
                attached
                    .clone()
                    .or_else(|| args.next().cloned())
                    .unwrap_or_default()
            };
            match flag {
                "--json-errors" => options.json_errors = true,
                "-o" | "--output" => options.output = value(),
                "-g" | "--codegen" => options.codegen = value().split(',').map(str::to_owned).collect(),
                "--source-globs-file" => {
                    let listed = std::fs::read_to_string(value()).unwrap_or_default();
                    options
                        .globs
                        .extend(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned));
                }
                "-x" | "--exclude-file" => drop(value()),
                flag if flag.starts_with('-') && flag.len() > 1 => {}
                glob => options.globs.push(glob.to_owned()),
            }
        }
        options
    }
}

fn graph(options: &Options, root: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let (modules, report) = check::check(&sources::read(root, &options.globs, err)?);
    if !report.errors.is_empty() {
        return fail(&report, options, out, err);
    }
    writeln!(out, "{}", output::graph(&modules))?;
    Ok(0)
}

fn compile(options: &Options, root: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let (modules, report) = check::check(&sources::read(root, &options.globs, err)?);
    if !report.errors.is_empty() {
        return fail(&report, options, out, err);
    }
    let count = modules.len();
    for (number, module) in modules.values().enumerate() {
        writeln!(
            err,
            "[{} of {count}] Checking {} (stand-in, not compiled)",
            number + 1,
            module.name
        )?;
        output::write(&root.join(&options.output), module, &options.codegen)?;
    }
    if options.json_errors {
        writeln!(out, "{}", report.to_json())?;
    }
    Ok(0)
}

fn fail(report: &Report, options: &Options, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    if options.json_errors {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(err, "{}", report.to_text())?;
    }
    Ok(1)
}

#[cfg(test)]
mod tests;
