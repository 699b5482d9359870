//! What a blob of archived lines holds: JSON lines, as a download has them, compressed with gzip. `zcat` shows one without us.

use std::io::{self, BufRead, BufReader, Write};

use docket_core::time::Timestamp;
use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

use crate::LogLine;

/// A line as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredLine {
    seq: i64,
    timestamp: Timestamp,
    level: String,
    message: String,
}

/// Returns the bytes of a blob. Equal lines give equal bytes, so storing them again changes nothing.
pub(crate) fn encode(lines: &[LogLine]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for line in lines {
        let stored = StoredLine {
            seq: line.seq,
            timestamp: line.at,
            level: line.level.as_str().to_owned(),
            message: line.message.clone(),
        };
        serde_json::to_writer(&mut encoder, &stored).expect("numbers and strings are JSON");
        encoder.write_all(b"\n").expect("memory can be written");
    }
    encoder.finish().expect("memory can be written")
}

/// Returns the lines of a blob.
///
/// # Errors
/// When it is not one of ours.
pub(crate) fn decode(blob: &[u8]) -> io::Result<Vec<LogLine>> {
    let lines = BufReader::new(GzDecoder::new(blob)).lines();
    lines
        .map(|line| {
            let stored: StoredLine = serde_json::from_str(&line?)?;
            Ok(LogLine {
                seq: stored.seq,
                at: stored.timestamp,
                level: stored.level.parse().map_err(io::Error::other)?,
                message: stored.message,
                begins: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    fn lines() -> Vec<LogLine> {
        let messages = [
            "plain",
            "two\nlines",
            "\u{1b}[31m \u{0} \u{2028} \"quoted\"",
            "",
            "ä",
        ];
        let lines = messages.into_iter().zip(5..).map(|(message, seq)| LogLine {
            seq,
            at: Timestamp::from_millis(1_780_000_000_000 + seq),
            level: Level::ALL[seq as usize - 5],
            message: message.to_owned(),
            begins: None,
        });
        lines.collect()
    }

    #[test]
    fn lines_come_back_as_they_were() {
        assert_eq!(decode(&encode(&lines())).unwrap(), lines());
        assert_eq!(encode(&lines()), encode(&lines()));
    }

    #[test]
    fn half_a_blob_and_other_bytes_are_noticed() {
        let blob = encode(&lines());
        assert!(decode(&blob[..blob.len() - 1]).is_err());
        assert!(decode(b"{}").is_err());
    }
}
