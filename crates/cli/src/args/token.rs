//! `token`.

use std::path::PathBuf;

use clap::Subcommand;

use super::FileArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show what a JWT says, without checking anything
    Decode(DecodeArgs),
    /// Check a JWT as a server would
    Verify(VerifyArgs),
    /// Make an access token without a login, for tests
    Mint(Box<MintArgs>),
}

/// Where the token is. An argument stays in the shell's history: prefer `-` or a file.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenSource {
    /// The token; `-` reads it from stdin
    #[arg(value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) token: Option<String>,
    /// Read the token from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Show what a JWT says, without checking anything.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DecodeArgs {
    #[command(flatten)]
    pub(crate) source: TokenSource,
}

/// Check a JWT as a server would: with `--issuer` and `--audience`, or by a configuration file.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:
  portcullis token verify --issuer https://auth.example.com \\
      --audience https://mcp.example.com/mcp -")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) source: TokenSource,
    /// Who has to have issued it
    #[arg(long, value_name = "URL", requires = "audience")]
    pub(crate) issuer: Option<String>,
    /// Where the issuer's keys are; found by discovery unless set
    #[arg(long, value_name = "URL", requires = "issuer", alias = "jwks-uri")]
    pub(crate) jwks_url: Option<String>,
    /// For whom it has to be: the MCP URL
    #[arg(long, value_name = "NAME", requires = "issuer")]
    pub(crate) audience: Option<String>,
    /// Accept tokens from before RFC 9068, whose `typ` is `JWT` or absent
    #[arg(long, requires = "issuer")]
    pub(crate) legacy: bool,
    /// Check as the server of this file would; `portcullis.toml` unless set
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    pub(crate) config: Option<PathBuf>,
}

/// Make an access token without a login, for tests.
///
/// It is made with the keys of the configured store, and the server that runs on them takes it: it
/// stands among the user's connections until it ends. Whoever reads the store and its key can do so.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:
  portcullis token mint alice --scope notes:read --claim role=editor")]
pub(crate) struct MintArgs {
    /// Whose token it is (`sub`)
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: String,
    /// The client that it was issued to
    #[arg(long, value_name = "ID", default_value = "portcullis-token-mint")]
    pub(crate) client_id: String,
    /// What it allows, separated by commas or spaces
    #[arg(long, value_name = "SCOPES", alias = "scopes")]
    pub(crate) scope: Option<String>,
    /// For whom it is; the MCP URL of the only server behind unless set
    #[arg(long, value_name = "URL", alias = "resource")]
    pub(crate) audience: Option<String>,
    /// How long it lasts, at most a day; 10m unless set
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) lifetime: Option<std::time::Duration>,
    /// What else it says of its user, as text or JSON
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) claim: Vec<String>,
    #[command(flatten)]
    pub(crate) file: FileArgs,
}

fn length(text: &str) -> Result<std::time::Duration, &'static str> {
    crate::config::duration(text).ok_or("write a number with `s`, `m` or `h`, as in `10m`")
}
