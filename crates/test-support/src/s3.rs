//! A real S3 server: moto, which `tests/tools.sh` installs, with signatures checked (`tests/moto/serve.py`).

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

/// An S3 server of its own with one empty bucket, on a port that the system picked. It ends when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    process: Option<Child>,
    address: String,
}

impl S3Server {
    /// The bucket that it has.
    pub const BUCKET: &str = "blobs";
    /// The access key that it takes.
    pub const ACCESS_KEY_ID: &str = "access-key-of-the-tests";
    /// The secret of that key.
    pub const SECRET_ACCESS_KEY: &str = "secret-of-the-tests";

    /// Starts a server.
    ///
    /// # Panics
    /// When moto is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut server = Self {
            process: None,
            address: "127.0.0.1:0".to_owned(),
        };
        server.resume();
        server
    }

    /// `http://ADDR:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the server and its connections. It forgets everything.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the server again at the same address, with an empty bucket.
    ///
    /// # Panics
    /// When moto is not installed or does not start.
    pub fn resume(&mut self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join(".tools/moto/bin/python");
        assert!(
            python.exists(),
            "moto, the S3 server of the tests, is not installed: run tests/tools.sh"
        );
        let (_, port) = self.address.rsplit_once(':').expect("an address has a port");
        let mut process = Command::new(python)
            .arg(root.join("tests/moto/serve.py"))
            .args([port, Self::BUCKET, Self::ACCESS_KEY_ID, Self::SECRET_ACCESS_KEY])
            // It ends with its input, so even a test that is killed leaves nothing behind.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let stdout = process.stdout.take().expect("its output is piped");
        self.process = Some(process);
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let address = line.trim().strip_prefix("http://");
        self.address = address.expect("moto says where it listens").to_owned();
    }

    /// Writes an object past everybody, whatever was there.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn overwrite(&self, key: &str, text: &str) {
        let (status, _, _) = self.operate("PUT", key, text);
        assert_eq!(status, 200, "an object can be written");
    }

    /// Makes empty objects that look a month old, many at once.
    ///
    /// # Panics
    /// When the server does not do it.
    pub fn fill(&self, keys: impl Iterator<Item = String>) {
        let keys: Vec<_> = keys.collect();
        let (status, _, _) = self.operate("POST", "", &keys.join("\n"));
        assert_eq!(status, 200, "objects can be written");
    }

    /// True when an object is as [`S3Server::overwrite`] left it: nobody has written it since, not even with the same bytes.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn is_untouched(&self, key: &str) -> bool {
        let (status, head, _) = self.operate("GET", key, "");
        status == 200 && head.to_ascii_lowercase().contains("x-amz-meta-by: operator")
    }

    /// Returns an object as it is; `None` when there is none.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<String> {
        let (status, _, body) = self.operate("GET", key, "");
        (status == 200).then_some(body)
    }

    /// Asks as the operator of the server, and returns status, head and body. One request on a connection, so that blocking tests need no client.
    fn operate(&self, method: &str, key: &str, body: &str) -> (u16, String, String) {
        let mut connection = TcpStream::connect(&self.address).expect("the S3 server runs");
        let request = format!(
            "{method} /{}/{key} HTTP/1.1\r\nhost: {}\r\nx-operator: yes\r\nx-amz-meta-by: operator\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            Self::BUCKET,
            self.address,
            body.len()
        );
        connection
            .write_all(request.as_bytes())
            .expect("the S3 server reads");
        let mut answer = Vec::new();
        connection
            .read_to_end(&mut answer)
            .expect("the S3 server answers");
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = status.expect("an answer has a status");
        (status, head.to_owned(), body.to_owned())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}
