//! The commands of `docs/tutorial.md`, as somebody who reads it types them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{DOCKET, DOCKETD, Program, Said, run};

/// Where the page lets the server listen. Here the system picks a port.
const ADDRESS: &str = "http://127.0.0.1:8080";

/// Commands of the page, with what is said of them behind the fence: `install`, `server`, `fails`, or nothing.
struct Block {
    mark: String,
    commands: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, begun)) = rest.split_once("\n```sh") {
        let (mark, inside) = begun.split_once('\n').unwrap();
        let (commands, behind) = inside.split_once("\n```").unwrap();
        blocks.push(Block {
            mark: mark.trim().to_owned(),
            commands: commands.to_owned(),
        });
        rest = behind;
    }
    blocks
}

/// Somebody at a terminal.
struct Reader {
    home: TempDir,
    /// Where they are.
    place: PathBuf,
    server: Option<Program>,
}

impl Reader {
    /// Somebody who has installed the programs.
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(DOCKETD, bin.join("docketd")).unwrap();
        symlink(DOCKET, bin.join("docket")).unwrap();
        Self {
            place: home.path().to_owned(),
            home,
            server: None,
        }
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env(
                "PATH",
                format!("{}:{path}", self.home.path().join("bin").display()),
            )
            .env("HOME", self.home.path())
            .env("DOCKET_URL", self.url())
            .current_dir(&self.place);
        command
    }

    fn url(&self) -> &str {
        let ready = self.server.as_ref().map(|server| server.ready.as_str());
        ready
            .and_then(|line| line.strip_prefix("docketd listening on "))
            .unwrap_or(ADDRESS)
    }

    /// Types the commands of a block; the shell stays where they lead.
    fn types(&mut self, commands: &str) -> Said {
        let commands = commands.replace(ADDRESS, self.url());
        let note = self.home.path().join("place");
        let script = format!("{commands}\npwd > {}", note.display());
        let mut shell = self.command("sh");
        let said = run(shell.arg("-euc").arg(script));
        if let Ok(place) = fs::read_to_string(&note) {
            self.place = place.trim().into();
        }
        said
    }
}

#[test]
fn the_commands_of_the_tutorial_publish_a_package() {
    let mut reader = Reader::new();
    let mut said = String::new();
    for block in blocks(include_str!("../../docs/tutorial.md")) {
        match block.mark.as_str() {
            // The programs are there.
            "install" => {}
            "server" => {
                assert_eq!(block.commands, "docketd");
                let mut docketd = reader.command("docketd");
                docketd.args(["--listen", "127.0.0.1:0"]);
                reader.server = Some(Program::start(&mut docketd));
            }
            "fails" => {
                let refused = reader.types(&block.commands);
                assert_ne!(refused.code, Some(0), "{}", refused.all());
                said += &refused.all();
            }
            "" => said += &reader.types(&block.commands).expect_code(0).all(),
            other => panic!("the page marks commands with {other}, which means nothing"),
        }
    }
    for part in [
        "published hello@1.0.0",
        "hello-1.0.0/src/Hello.purs",
        "\"name\":\"hello\"",
        "no tag or branch named v1.1.0",
        "published hello@1.1.0",
        "# docket.toml:5",
    ] {
        assert!(said.contains(part), "{part} in:\n{said}");
    }
}
