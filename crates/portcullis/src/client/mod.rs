//! MCP servers, called.
//!
//! ```no_run
//! use portcullis::Client;
//! use portcullis::model::JsonObject;
//!
//! # async fn call() -> Result<(), portcullis::client::ClientError> {
//! let client = Client::connect("http://localhost:8000/mcp").bearer("the-users-token").await?;
//! for tool in client.tools().await? {
//!     println!("{}: {}", tool.name, tool.description.unwrap_or_default());
//! }
//! let arguments = serde_json::json!({ "name": "World" });
//! let answer = client.call("greet", arguments).on_progress(|so_far| eprintln!("{}", so_far.progress)).await?;
//! println!("{:?}", answer.content);
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//!
//! * The newest revision first: a server that does not know 2026-07-28 gets a session of 2025-11-25 or
//!   older. [`ServerInfo::revision`] says what was agreed.
//! * A token goes to the URL that was named, over `https` or to this machine; no redirect is followed.
//! * Every wait has an end ([`Connect::timeout`]), every answer and every list a bound.
//! * This client declares no capability of its own: no sampling, no roots, no elicitation. A server
//!   that needs one of these says so by an error, or answers
//!   [`NeedsInput`](ClientError::NeedsInput).
//!
//! # Failure
//!
//! [`ClientError::Transport`] is what HTTP says, with the challenge of a server that wants a token;
//! [`ClientError::Server`] is what the server says in JSON-RPC. A tool that fails is neither: its
//! result has `is_error`.

mod call;
mod connect;
mod error;

use serde::Serialize;

pub use portcullis_client::{ConnectFault, TransportError};

pub use self::call::{Call, Message};
pub use self::connect::Connect;
pub use self::error::ClientError;
use crate::model;
use crate::rmcp_adapter::client::Connection;

/// A connection to an MCP server over HTTP. See the [module](self).
///
/// [`close`](Self::close) ends it; a client that is dropped ends it in the background.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    server: ServerInfo,
}

/// What a server says about itself. All of it is untrusted text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its name, title and version, if it tells.
    pub implementation: Option<model::Implementation>,
    /// The revision of MCP that is spoken, such as `2026-07-28`.
    pub revision: String,
    /// Whether there is a session, as up to revision 2025-11-25; from 2026-07-28 on each request
    /// stands alone.
    pub has_session: bool,
    /// What it can do.
    pub capabilities: model::ServerCapabilities,
    /// How to use it, for a model.
    pub instructions: Option<String>,
}

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// The settings of a connection to `url`, the MCP endpoint as its users paste it. `.await` it.
    pub fn connect(url: impl Into<String>) -> Connect {
        Connect::new(url.into())
    }

    pub(crate) fn new(connection: Connection) -> Result<Self> {
        let server = connection.server().ok_or(ClientError::Closed)?;
        Ok(Self { connection, server })
    }

    /// What the server said about itself.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// All its tools; none where it declares none.
    ///
    /// # Errors
    /// [`ClientError`]; [`TooMuch`](ClientError::TooMuch) beyond 10 000 items or 1000 pages.
    pub async fn tools(&self) -> Result<Vec<model::Tool>> {
        match self.server.capabilities.tools {
            Some(_) => self.connection.tools().await,
            None => Ok(Vec::new()),
        }
    }

    /// All its resources that have an URI of their own; none where it declares none.
    ///
    /// # Errors
    /// As [`tools`](Self::tools).
    pub async fn resources(&self) -> Result<Vec<model::Resource>> {
        match self.server.capabilities.resources {
            Some(_) => self.connection.resources().await,
            None => Ok(Vec::new()),
        }
    }

    /// All its resources with parameters in their URI; none where it declares none.
    ///
    /// # Errors
    /// As [`tools`](Self::tools).
    pub async fn resource_templates(&self) -> Result<Vec<model::ResourceTemplate>> {
        match self.server.capabilities.resources {
            Some(_) => self.connection.resource_templates().await,
            None => Ok(Vec::new()),
        }
    }

    /// All its prompts; none where it declares none.
    ///
    /// # Errors
    /// As [`tools`](Self::tools).
    pub async fn prompts(&self) -> Result<Vec<model::Prompt>> {
        match self.server.capabilities.prompts {
            Some(_) => self.connection.prompts().await,
            None => Ok(Vec::new()),
        }
    }

    /// A call of a tool. `.await` it. `arguments` is whatever serializes to a JSON object; `()` is
    /// none.
    ///
    /// A tool some of whose arguments go into headers (`x-mcp-header`, revision 2026-07-28) is
    /// called rightly once [`tools`](Self::tools) has shown it.
    pub fn call(&self, tool: impl Into<String>, arguments: impl Serialize) -> Call<'_> {
        Call::new(&self.connection, tool.into(), call::object(&arguments))
    }

    /// The contents of a resource.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn read_resource(&self, uri: impl Into<String>) -> Result<model::ReadResourceResult> {
        self.connection.read_resource(uri.into()).await
    }

    /// A prompt, filled in. `arguments` as for [`call`](Self::call).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_prompt(
        &self,
        name: impl Into<String>,
        arguments: impl Serialize,
    ) -> Result<model::GetPromptResult> {
        let arguments = call::object(&arguments)?;
        self.connection.get_prompt(name.into(), arguments).await
    }

    /// Ends the connection, and the session if there is one; waits for that for 5 seconds.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
