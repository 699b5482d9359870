//! The real server, with the stand-in as its only compiler.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// The server under measurement; it ends with this value.
pub(crate) struct Docketd {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

/// The `docketd` that is measured: the one that was built with the benchmark, or the one that DOCKET_BENCH_PROGRAM names.
pub(crate) fn program() -> OsString {
    std::env::var_os("DOCKET_BENCH_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_docketd").into())
}

impl Docketd {
    /// Starts it in `folder`, where packages come from `git/OWNER/REPO`, and waits for its address. `configuration` is added to what it needs.
    pub(crate) fn start(folder: &Path, configuration: &str) -> anyhow::Result<Self> {
        let program = program();
        let compilers = folder.join("compilers");
        fs::create_dir_all(&compilers)?;
        fs::copy(&program, compilers.join("purs"))?;
        let needed = format!(
            "[sources]\ngithub_url = \"file://{}\"\n[compilers]\npath = [\"{}\"]\n",
            folder.join("git").display(),
            compilers.display()
        );
        fs::write(folder.join("docket.toml"), needed + configuration)?;
        let mut child = Command::new(&program)
            .args([
                "--config",
                "docket.toml",
                "--data",
                "data",
                "--listen",
                "127.0.0.1:0",
            ])
            .current_dir(folder)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut server = Self {
            child,
            url: String::new(),
        };
        let line = BufReader::new(stdout).lines().next();
        let line = line.context("the server says where it listens")??;
        let url = line.strip_prefix("docketd listening on ");
        server.url = url.context("the ready line")?.to_owned();
        Ok(server)
    }

    /// Its process id.
    #[allow(dead_code, reason = "not every benchmark looks at the process")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Docketd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
