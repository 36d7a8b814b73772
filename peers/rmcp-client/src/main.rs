#![forbid(unsafe_code)]
//! rmcp as an MCP client. One JSON job a line on stdin, one JSON report a line on stdout.
//!
//! `peer-rmcp-client COMMAND..`: the command, with an authorization URL and a user behind it, walks
//! the pages and prints the URL that they lead back to.
//!
//! Jobs and reports are those of `clients/ts-client.mjs`. rmcp shows no answers of HTTP, so
//! `refused` holds the challenges that its errors carry.

mod handler;
mod job;
mod person;
mod session;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdin, stdout};

use crate::{job::Job, session::Session};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let browser: Vec<String> = std::env::args().skip(1).collect();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let job: Job = job::read(line.parse()?)?;
        let report = Session::new(&job, &browser).work().await;
        let line = format!("{}\n", serde_json::to_string(&report)?);
        stdout().write_all(line.as_bytes()).await?;
        stdout().flush().await?;
    }
    Ok(())
}
