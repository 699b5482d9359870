//! Changes as a `git fast-import` stream: the same bytes in, the same hashes out.

use std::{path::Path, process::Stdio};

use tokio::io::AsyncWriteExt;

use super::{BRANCH, Error, command::command};
use crate::Change;

/// Commits `changes`, one each, on top of the branch; `first` when the branch does not exist yet.
pub(super) async fn play(path: &Path, changes: &[Change], first: bool) -> Result<(), Error> {
    let io_error = |cause| Error::Io {
        path: path.to_owned(),
        cause,
    };
    let stream = stream(changes, first);
    // Without `done` at its end the stream counts as cut off, and git moves no branch.
    let mut child = command(path)
        .args(["fast-import", "--quiet", "--done", "--date-format=raw"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(io_error)?;
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let written = stdin.write_all(&stream).await;
    drop(stdin);
    let output = child.wait_with_output().await.map_err(io_error)?;
    if !output.status.success() {
        return Err(Error::Git {
            command: "fast-import".to_owned(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    written.map_err(io_error)
}

fn stream(changes: &[Change], first: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (position, Change { seq, change, tags }) in changes.iter().enumerate() {
        let seconds = change.at.millis().div_euclid(1000);
        out.extend(format!("commit {BRANCH}\nmark :{seq}\n").bytes());
        out.extend(format!("author {} {seconds} +0000\n", change.author).bytes());
        out.extend(format!("committer {} {seconds} +0000\n", change.author).bytes());
        data(&mut out, &change.message);
        if position == 0 && !first {
            out.extend(format!("from {BRANCH}^0\n").bytes());
        }
        for file in &change.files {
            match &file.content {
                Some(content) => {
                    out.extend(format!("M 100644 inline {}\n", file.path).bytes());
                    data(&mut out, content);
                }
                None => out.extend(format!("D {}\n", file.path).bytes()),
            }
        }
        out.push(b'\n');
        for tag in tags {
            out.extend(format!("reset refs/tags/{tag}\nfrom :{seq}\n\n").bytes());
        }
    }
    out.extend(b"done\n");
    out
}

fn data(out: &mut Vec<u8>, text: &str) {
    out.extend(format!("data {}\n{text}\n", text.len()).bytes());
}
