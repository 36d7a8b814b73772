//! A server over HTTP that misbehaves as the tool says that is called.
//!
//! | tool | |
//! |---|---|
//! | `echo` | is answered as it should |
//! | `crash` | the connection ends without an answer |
//! | `cut` | the body ends before its length |
//! | `garbage` | is answered with what is no HTTP |
//! | `hang` | is never answered |
//! | `silent` | a stream begins, and nothing comes |
//! | `flood` | a stream of events without end |
//! | `endless` | a header without end |

use std::io;

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{host::Host, server::calls::TEXT};

pub(super) async fn start() -> Result<Host> {
    Host::start(async |listener: TcpListener| {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async {
                // Whoever leaves is why most of these end.
                let _ = serve(BufReader::new(stream)).await;
            });
        }
    })
    .await
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

async fn serve(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    while let Some(tool) = read(&mut stream).await? {
        match tool.as_str() {
            "crash" => return Ok(()),
            "cut" => {
                return write(&mut stream, &answer("{\"json").replace(": 6\r", ": 60\r")).await;
            }
            "garbage" => return write(&mut stream, "\0\0 this is no HTTP\r\n\r\n").await,
            "hang" => return until_it_leaves(&mut stream).await,
            "silent" => {
                write(&mut stream, STREAM).await?;
                return until_it_leaves(&mut stream).await;
            }
            "flood" => {
                write(&mut stream, STREAM).await?;
                let event = format!("data: {}\n\n", "x".repeat(16 * 1024));
                loop {
                    write(&mut stream, &event).await?;
                }
            }
            "endless" => {
                write(&mut stream, "HTTP/1.1 200 OK\r\nx: ").await?;
                loop {
                    write(&mut stream, &"x".repeat(16 * 1024)).await?;
                }
            }
            _ => write(&mut stream, &answer(&echoed())).await?,
        }
    }
    Ok(())
}

/// The tool of the next request; `None` when there is none.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let (mut tool, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line == "\r\n" {
                break;
            }
            continue;
        };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("mcp-name", value) => value.clone_into(&mut tool),
            ("content-length", value) => length = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(tool))
}

async fn write(stream: &mut BufReader<TcpStream>, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await
}

async fn until_it_leaves(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    stream.read(&mut [0]).await.map(drop)
}

fn answer(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn echoed() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{TEXT}"}}]}}}}"#
    )
}
