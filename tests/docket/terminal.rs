//! With somebody at the keyboard: `script` gives the program a terminal of its own.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Key, docket};
use crate::stand_in::StandIn;

const DEADLINE: Duration = Duration::from_secs(30);

/// `docket` on a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
    written: Vec<u8>,
}

impl Terminal {
    fn transfer(server: &StandIn, key: &Key, more: &str) -> Self {
        let args = format!("transfer slug --to guild/slug --key {} {more}", key.path());
        Self::start(server, &args)
    }

    /// `docket` with these arguments, on a terminal that can do nothing special.
    pub(crate) fn start(server: &StandIn, args: &str) -> Self {
        Self::of_kind("dumb", server, args)
    }

    /// `docket` with these arguments, on a terminal of this kind.
    pub(crate) fn of_kind(kind: &str, server: &StandIn, args: &str) -> Self {
        let program = docket(server, &[]);
        let line = format!("{} {args}", program.get_program().to_str().unwrap());
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", kind)
            .env("DOCKET_URL", &server.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is installed");
        let mut screen = child.stdout.take().unwrap();
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard: child.stdin.take().unwrap(),
            child,
            screen: receiver,
            seen: String::new(),
            written: Vec::new(),
        }
    }

    /// Waits until `text` stands on the screen, below what was seen before.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) -> &mut Self {
        let start = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return self;
            }
            let left = DEADLINE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("waited in vain for \"{text}\"; last seen:\n{}", self.seen),
            }
        }
    }

    pub(crate) fn types(&mut self, line: &str) -> &mut Self {
        writeln!(self.keyboard, "{line}").unwrap();
        self
    }

    fn take(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.seen.push_str(&String::from_utf8_lossy(bytes));
    }

    pub(crate) fn code(self) -> Option<i32> {
        self.ends().1
    }

    /// Waits for the end, and returns everything that was written, with the exit code.
    pub(crate) fn ends(mut self) -> (String, Option<i32>) {
        // Whatever is still to come has to go somewhere.
        while let Ok(bytes) = self.screen.recv() {
            self.take(&bytes);
        }
        let written = String::from_utf8(self.written).unwrap();
        (written, self.child.wait().unwrap().code())
    }
}

#[test]
fn a_yes_is_asked_for_and_acted_upon() {
    let (server, key) = (StandIn::start(), Key::new());
    let mut terminal = Terminal::transfer(&server, &key, "");
    terminal
        .sees("from           lab/slug")
        .sees("Let slug come from guild/slug from now on? [y/N]")
        .types("y")
        .sees("transferred slug to guild/slug");
    assert_eq!(terminal.code(), Some(0));
    key.signed(&server);
}

#[test]
fn every_other_answer_is_a_no() {
    let (server, key) = (StandIn::start(), Key::new());
    for answer in ["n", "", "yep"] {
        let mut terminal = Terminal::transfer(&server, &key, "");
        terminal.sees("[y/N]").types(answer).sees("nothing was sent");
        assert_eq!(terminal.code(), Some(1), "{answer}");
    }
    assert!(server.requests("POST").is_empty());
}

#[test]
fn the_passphrase_of_a_key_is_asked_for_until_it_fits() {
    let (server, key) = (StandIn::start(), Key::with(&["-t", "ed25519", "-N", "sesame"]));
    let mut terminal = Terminal::transfer(&server, &key, "--yes");
    terminal
        .sees("passphrase of")
        .types("barley")
        .sees("that is not its passphrase")
        .sees("passphrase of")
        .types("sesame")
        .sees("transferred slug to guild/slug");
    assert_eq!(terminal.code(), Some(0));
    key.signed(&server);
}

#[test]
fn three_wrong_passphrases_are_enough() {
    let (server, key) = (StandIn::start(), Key::with(&["-t", "ed25519", "-N", "sesame"]));
    let mut terminal = Terminal::transfer(&server, &key, "--yes");
    for _ in 0..3 {
        terminal
            .sees("passphrase of")
            .types("barley")
            .sees("that is not its passphrase");
    }
    terminal.sees("error: that is not the passphrase of");
    assert_eq!(terminal.code(), Some(1));
    assert!(server.requests("POST").is_empty());
}
