//! One server behind the gateway.

use std::sync::Arc;

use portcullis_oauth::ScopeSet;
use portcullis_resource_server::ConfigError;

use crate::http::HttpServer;
use crate::http_sse::HttpSseServer;
use crate::legacy_sse::LegacyPaths;
use crate::rules::Rules;
use crate::stdio::StdioTransportBuilder;

/// A server behind the gateway: where it is, under which path it is reached, and who may do what.
///
/// ```
/// use portcullis_gateway::stdio::{Isolation, StdioCommand, StdioTransport};
/// use portcullis_gateway::{Needs, Rules, Upstream};
/// use portcullis_oauth::{EndpointUrl, scopes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = Upstream::http("files", EndpointUrl::parse("http://127.0.0.1:3001/mcp")?)
///     .path("/files")
///     .required_scopes(scopes!["files"])
///     .rules(Rules::new().tool("write_*", Needs::scopes(scopes!["files:write"]))?);
///
/// let memory = StdioCommand::new("npx").args(["-y", "@modelcontextprotocol/server-memory"]);
/// let notes = Upstream::stdio(StdioTransport::builder("notes", memory).isolation(Isolation::User))
///     .path("/notes");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Upstream {
    pub(crate) name: Arc<str>,
    pub(crate) path: String,
    pub(crate) required_scopes: ScopeSet,
    pub(crate) resource_name: Option<String>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) legacy: Option<LegacyPaths>,
    pub(crate) place: Place,
}

/// Where a server is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Http(Box<HttpServer>),
    HttpSse(Box<HttpSseServer>),
    Stdio(Box<StdioTransportBuilder>),
}

impl Upstream {
    /// A server that speaks Streamable HTTP: its URL, or an [`HttpServer`] with settings. `name` is
    /// for logs and metrics.
    pub fn http(name: impl Into<Arc<str>>, server: impl Into<HttpServer>) -> Self {
        Self::new(name.into(), Place::Http(Box::new(server.into())))
    }

    /// A server that speaks HTTP+SSE, the transport of revision 2024-11-05: the URL of its stream, or
    /// an [`HttpSseServer`] with settings. Clients reach it by Streamable HTTP all the same.
    pub fn http_sse(name: impl Into<Arc<str>>, server: impl Into<HttpSseServer>) -> Self {
        Self::new(name.into(), Place::HttpSse(Box::new(server.into())))
    }

    /// A server that is started by a command and speaks on stdin and stdout.
    pub fn stdio(server: StdioTransportBuilder) -> Self {
        let name = server.name().into();
        Self::new(name, Place::Stdio(Box::new(server)))
    }

    fn new(name: Arc<str>, place: Place) -> Self {
        Self {
            name,
            path: "/mcp".to_owned(),
            required_scopes: ScopeSet::new(),
            resource_name: None,
            rules: Arc::default(),
            legacy: None,
            place,
        }
    }

    /// Where clients reach it. Default: `/mcp`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Scopes that every request to it needs, beside those of the gateway. Each call adds to them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// Also serves clients that speak HTTP+SSE, the transport of revision 2024-11-05: their stream is
    /// at `stream`, such as `/sse`, and their messages go to `messages`. It is a resource of its own,
    /// with all that protects the other.
    pub fn legacy_sse(mut self, stream: impl Into<String>, messages: impl Into<String>) -> Self {
        self.legacy = Some(LegacyPaths {
            stream: stream.into(),
            messages: messages.into(),
        });
        self
    }

    /// Its name for users, in its metadata.
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.resource_name = Some(name.into());
        self
    }

    /// Whether both are one server at one place, so that its sessions go on. Who may use it, and
    /// what it is told, may differ.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        let is_same_place = match (&self.place, &other.place) {
            (Place::Http(one), Place::Http(other)) => one.url().as_str() == other.url().as_str(),
            // What a connection tells is told when it begins, so all of it has to be as it was.
            (Place::HttpSse(one), Place::HttpSse(other)) => one == other,
            (Place::Stdio(one), Place::Stdio(other)) => one.is_same(other),
            _ => false,
        };
        is_same_place && self.name == other.name && self.path == other.path
    }

    /// Who may use which of its tools, prompts and resources: all rules there are, in the place of
    /// those said before.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = Arc::new(rules);
        self
    }
}

/// Checks that a server may be reached at `path`: that neither a probe nor metadata is there. The
/// gateway does so itself; this is for programs that can say where the path was written.
///
/// # Errors
/// [`ConfigError`] of the field `path`.
pub fn check_path(path: &str) -> Result<(), ConfigError> {
    let plain = path.trim_end_matches('/').to_ascii_lowercase();
    let (fault, hint) = if !path.starts_with('/') {
        ("does not begin with `/`", format!("write `/{path}`"))
    } else if PROBES.contains(&&*plain) {
        ("is the path of a probe", ELSEWHERE.to_owned())
    // SECURITY: a server there could speak for another's metadata (RFC 9728 section 3);
    // sec_mt_08_no_server_stands_where_metadata_is
    } else if plain == "/.well-known" || plain.starts_with("/.well-known/") {
        ("is where metadata is", ELSEWHERE.to_owned())
    } else {
        return Ok(());
    };
    Err(ConfigError::new("path", fault).with_hint(hint))
}

const PROBES: [&str; 3] = ["/livez", "/readyz", "/healthz"];
const ELSEWHERE: &str = "choose another, such as `/mcp`";
