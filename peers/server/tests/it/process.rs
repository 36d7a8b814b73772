//! The program, what it prints, and raw requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The program while it runs, logging all that it can.
pub(crate) struct Process {
    child: Child,
    logs: Option<JoinHandle<String>>,
    /// Host and port.
    pub(crate) address: String,
}

impl Process {
    pub(crate) fn start(issuer: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peer-server"))
            .args(["--issuer", issuer])
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = child.stderr.take().unwrap();
        // A full pipe would stop the program, so somebody reads on.
        let logs = thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut ready = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut ready).unwrap();
        let address = ready.trim().strip_prefix(r#"{"url":"http://"#).unwrap();
        let address = address.strip_suffix(r#"/mcp"}"#).unwrap().to_owned();
        Self {
            child,
            logs: Some(logs),
            address,
        }
    }

    /// The URL that tokens are for.
    pub(crate) fn resource(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Sends one request, with a length and without anything else that `head` does not say.
    pub(crate) fn send(&self, line: &str, head: &[(&str, &str)], body: &str) -> String {
        let address = &self.address;
        let fields = head
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let fields: String = fields.collect();
        let length = body.len();
        let text = format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A server that refuses early may reset what it did not read.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends the program and returns all that it logged.
    pub(crate) fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.logs.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
