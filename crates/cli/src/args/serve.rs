//! `run` and `dev`.

use std::path::PathBuf;

use serde_json::json;

use crate::config::{Flag, Request, allowed};

/// Serve MCP servers behind auth.
///
/// Each flag is also a key of the configuration file and a variable `PORTCULLIS_<KEY>`. A flag
/// wins over a variable, a variable over the file.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  portcullis run --auth jwt --issuer https://auth.example.com \\
      --upstream http://127.0.0.1:3001/mcp
  portcullis run --auth github --client-id ID --client-secret-file secret.txt \\
      --upstream http://127.0.0.1:3001/mcp
  portcullis run --config portcullis.toml
  portcullis run --auth server -- npx -y @modelcontextprotocol/server-everything
  portcullis run --auth none -- npx -y @modelcontextprotocol/server-everything")]
pub(crate) struct RunArgs {
    /// Read this file; `portcullis.toml` unless set, where there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    behind: BehindArgs,
}

/// Try it out with two users, alice and bob, on this machine.
///
/// Without a server behind, a demo server answers that keeps notes.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  portcullis dev
  portcullis dev --upstream http://127.0.0.1:3001/mcp
  portcullis dev -- npx -y @modelcontextprotocol/server-everything")]
pub(crate) struct DevArgs {
    /// Try out the servers and rules of this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(flatten)]
    behind: BehindArgs,
}

/// Where clients come in.
#[derive(Debug, Default, clap::Args)]
struct ServeArgs {
    /// Listen here; 127.0.0.1:8000 unless set
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The public URL, without the path of MCP
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Serve MCP here; /mcp unless set
    #[arg(long, value_name = "PATH")]
    mcp_path: Option<String>,
    /// Answer to this host name, too
    #[arg(long, value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Let pages of this origin call
    #[arg(long, value_name = "ORIGIN")]
    allowed_origins: Vec<String>,
    /// Log this: error, warn, info, debug, trace, or a filter
    #[arg(long, value_name = "FILTER")]
    log_level: Option<String>,
    /// Log lines for people (text) or machines (json)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Who verifies callers.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Auth")]
struct AuthArgs {
    /// Where users log in: google, github, azure, oidc, .., or server (a login of
    /// its own); or who verifies tokens: jwt, remote, authkit, .., none
    #[arg(long, value_name = "MODE")]
    auth: Option<String>,
    /// Who issues tokens (jwt), or where users log in (oidc)
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Where users log in: the issuer of their tokens (remote)
    #[arg(long, value_name = "URL")]
    authorization_server: Option<String>,
    /// Where the issuer's keys are; found by discovery unless set (jwt, remote)
    #[arg(long, value_name = "URL", alias = "jwks-url")]
    jwks_uri: Option<String>,
    /// Whom tokens are for; the MCP URL unless set
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// Scopes that every token needs, separated by commas
    #[arg(long, value_name = "SCOPES")]
    required_scopes: Option<String>,
    /// The AuthKit domain of the project (authkit)
    #[arg(long, value_name = "DOMAIN")]
    authkit_domain: Option<String>,
    /// Where tokens are asked about (introspection)
    #[arg(long, value_name = "URL")]
    introspection_url: Option<String>,
    /// The id of this server at the provider, or the client that tokens are for
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A file with the secret of that client
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<String>,
    /// What users grant at the provider; its usual scopes unless set
    #[arg(long, value_name = "SCOPES")]
    scopes: Option<String>,
    /// The directory at Microsoft (azure)
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// Who may come: domains and addresses of e-mail, separated by commas, or anyone
    #[arg(long, value_name = "WHO")]
    allow: Option<String>,
}

/// The servers behind.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Behind")]
struct BehindArgs {
    /// The server behind, by its URL
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    upstream: Option<String>,
    /// A file with `mcpServers`, as other programs keep it
    #[arg(long, value_name = "FILE")]
    mcp_servers: Option<String>,
    /// The server behind, as a program that speaks MCP on stdin and stdout
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl RunArgs {
    pub(crate) fn request(self) -> Request {
        let mut flags = self.serve.flags();
        flags.extend(self.auth.flags());
        flags.extend(self.behind.flags());
        Request {
            file: self.config,
            flags,
            for_trying: false,
        }
    }
}

impl DevArgs {
    /// The request, with the mode that this command stands for.
    pub(crate) fn request(self) -> Request {
        let mut flags = self.serve.flags();
        flags.extend(self.behind.flags());
        flags.push(Flag::mode_of("dev", "dev"));
        Request {
            file: self.config,
            flags,
            for_trying: true,
        }
    }
}

impl ServeArgs {
    fn flags(self) -> Vec<Flag> {
        let flags = [
            Flag::text("--listen", self.listen),
            Flag::text("--base-url", self.base_url),
            Flag::text("--mcp-path", self.mcp_path),
            Flag::list("--allowed-hosts", self.allowed_hosts),
            Flag::list("--allowed-origins", self.allowed_origins),
            Flag::text("--log-level", self.log_level),
            Flag::text("--log-format", self.log_format),
        ];
        flags.into_iter().flatten().collect()
    }
}

impl AuthArgs {
    fn flags(self) -> Vec<Flag> {
        let flags = [
            Flag::text("--auth", self.auth),
            Flag::text("--issuer", self.issuer),
            Flag::text("--authorization-server", self.authorization_server),
            Flag::text("--jwks-uri", self.jwks_uri),
            Flag::text("--audience", self.audience),
            Flag::text("--required-scopes", self.required_scopes),
            Flag::text("--authkit-domain", self.authkit_domain),
            Flag::text("--introspection-url", self.introspection_url),
            Flag::text("--client-id", self.client_id),
            Flag::text("--client-secret-file", self.client_secret_file),
            Flag::text("--scopes", self.scopes),
            Flag::text("--tenant-id", self.tenant_id),
            self.allow
                .and_then(|who| Flag::value("--allow", allowed(&who))),
        ];
        flags.into_iter().flatten().collect()
    }
}

impl BehindArgs {
    fn flags(self) -> Vec<Flag> {
        let url = self.upstream;
        let url = url.and_then(|url| Flag::value("--upstream", json!([{ "url": url }])));
        let command = Some(self.command).filter(|command| !command.is_empty());
        let command =
            command.and_then(|command| Flag::value("--", json!([{ "command": command }])));
        let servers = Flag::text("--mcp-servers", self.mcp_servers);
        [url, command, servers].into_iter().flatten().collect()
    }
}
