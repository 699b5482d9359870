//! The command line of what the program tells about itself.

use std::path::PathBuf;

use clap_complete::Shell;

/// `docket explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket explain license-differs\n  \
    docket explain                   list all codes")]
pub(crate) struct Explain {
    /// The code, as a job or a refusal names it [default: all]
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `docket completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket completions bash > ~/.local/share/bash-completion/completions/docket\n  \
    docket completions zsh > ~/.zfunc/_docket\n  \
    docket completions fish > ~/.config/fish/completions/docket.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `docket man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    docket man | man -l -\n  \
    docket man ~/.local/share/man/man1     a page for each command")]
pub(crate) struct Man {
    /// Write a page for each command into this directory, instead of the page of the program to standard output
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
