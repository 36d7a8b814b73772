//! MCP servers on stdio as upstreams: a process behind each client, spoken to in lines.
//!
//! # Rules
//!
//! * Messages go through byte for byte, but for ids and progress tokens: a process sees numbers of
//!   ours, and a client gets back what it wrote. So an answer reaches whoever asked and nobody else.
//! * Who shares a process is said by [`Isolation`]; nobody does unless asked.
//! * Clients speak Streamable HTTP of any revision: sessions up to 2025-11-25, requests that stand
//!   alone from 2026-07-28 on. A process is asked which of the two it knows, and a client of the
//!   newer era in front of a server of the older is told to start over with `initialize`.
//! * A process and all that it starts end together. It sees an environment of its own, no shell
//!   reads its command, and what it prints for people becomes log lines.
//!
//! # Failure
//!
//! A JSON-RPC error with `data.incident`, which the log has too: 502 when the process ended or
//! cannot be started, 503 with `Retry-After` when there is no room, 504 when it takes too long, 403
//! when the command needs what the caller's token does not say. A session whose process ended is
//! 404, and clients start over.
//!
//! # Deployment
//!
//! Events have no ids: a stream that breaks cannot be resumed. A server that keeps one user's data
//! must not run as [`Isolation::Shared`]. Callers without a token are all one principal.

mod builder;
mod command;
mod exchange;
mod fault;
mod frame;
mod headers;
mod limits;
mod lines;
mod mirrored;
mod outbox;
mod pool;
mod process;
mod queue;
mod reply;
mod sessions;
mod source;
mod stateful;
mod stateless;
mod template;
mod transport;
mod upstream_log;

pub use self::builder::StdioTransportBuilder;
pub use self::command::StdioCommand;
pub(crate) use self::headers::decoded;
pub use self::limits::{Isolation, StdioLimits};
pub(crate) use self::lines::{Line, LineReader};
use self::transport::Inner;
pub use self::transport::StdioTransport;
