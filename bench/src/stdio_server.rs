//! A server on stdio that costs next to nothing, so that what is measured stands in front of it;
//! `portcullis-bench stdio-server` is this server.
//!
//! It speaks both eras. Its tool `echo` says again what it is told; the others misbehave:
//!
//! | tool | |
//! |---|---|
//! | `crash` | ends the server |
//! | `hang` | is never answered |
//! | `flood` | sends 8 MB of notifications before the answer |
//! | `garbage` | prints what is no message before the answer |
//! | `endless` | prints a line without an end |
//! | `fork` | leaves a process behind, then ends the server |

use std::{
    io::{self, BufRead as _, BufReader, BufWriter, Write},
    process::{Command, Stdio},
};

use anyhow::Result;
use portcullis_oauth::json::{self, Limits, Value, json};

/// The word on the command line that starts it.
pub(crate) const NAME: &str = "stdio-server";

/// Serves until its input ends, or a tool ends it.
pub(crate) fn serve() -> Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let message = json::value(&line, Limits::MCP)?;
        let Some(id) = message.get("id") else {
            continue;
        };
        let tool = message.pointer("/params/name").and_then(Value::as_str);
        match tool {
            Some("crash") => return Ok(()),
            Some("fork") => return leave_a_process(),
            Some("hang") => continue,
            Some("flood") => flood(&mut output)?,
            Some("garbage") => output.write_all(b"starting up ..\n{\"jsonrpc\":\n\n\xff\xfe\n")?,
            Some("endless") => output.write_all(&vec![b'x'; 8 * 1024 * 1024])?,
            _ => {}
        }
        let result = result(&message);
        writeln!(
            output,
            "{}",
            json!({"jsonrpc": "2.0", "id": id, "result": result})
        )?;
    }
}

fn result(message: &Value) -> Value {
    let info = json!({"name": "stdio", "version": "1"});
    match message.get("method").and_then(Value::as_str) {
        Some("initialize") => json!({
            "protocolVersion": message.pointer("/params/protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": info,
        }),
        Some("server/discover") => json!({
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo": info},
        }),
        Some("tools/list") => {
            let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
            json!({
                "resultType": "complete",
                "tools": [{"name": "echo", "inputSchema": schema}],
                "ttlMs": 0,
                "cacheScope": "private",
            })
        }
        Some("tools/call") => {
            let text = message.pointer("/params/arguments/text");
            json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
        }
        _ => json!({"resultType": "complete"}),
    }
}

fn flood(output: &mut impl Write) -> Result<()> {
    let data = "x".repeat(4096);
    let message = json!({
        "jsonrpc": "2.0",
        "method": "notifications/message",
        "params": {"level": "info", "data": data},
    });
    for _ in 0..2000 {
        writeln!(output, "{message}")?;
    }
    Ok(())
}

/// Somebody has to end what was started here.
fn leave_a_process() -> Result<()> {
    let mut child = Command::new("sleep");
    child
        .arg("600")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    drop(child.spawn()?);
    Ok(())
}
