//! How long the server of a bucket is waited for.

use std::time::Duration;

/// How patient we are with the server.
#[derive(Debug, Clone)]
pub struct S3Limits {
    /// How long it may take to accept a connection. Default 5 seconds.
    pub connect: Duration,
    /// How long it may take to begin an answer, and to go on with one beside the time that its bytes take. Default 30 seconds.
    pub answer: Duration,
    /// The slowest transfer that is waited for. Default 128 KiB per second.
    pub slowest_bytes_per_sec: u32,
    /// What is waited before each further try. Default 0.1, 0.4 and 1.2 seconds.
    pub retry_pauses: Vec<Duration>,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            slowest_bytes_per_sec: 128 << 10,
            retry_pauses: [100, 400, 1_200].map(Duration::from_millis).to_vec(),
        }
    }
}

impl S3Limits {
    /// How long a request with so many bytes may take.
    pub(super) fn patience(&self, bytes: usize) -> Duration {
        self.answer + Duration::from_secs(bytes as u64 / u64::from(self.slowest_bytes_per_sec.max(1)))
    }
}
