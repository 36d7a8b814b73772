//! `list`, `call`, `inspect`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use portcullis_oauth::SecretString;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConnectArgs {
    /// The MCP endpoint, as in `https://mcp.example.com/mcp`
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Show this access token; `-` reads it from stdin. `PORTCULLIS_TOKEN` keeps it out of the
    /// shell's history
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub(crate) token: Option<SecretString>,
    /// Read the access token from this file; `PORTCULLIS_TOKEN_FILE` names one, too
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long the server may be silent: `500ms`, `30s`, `5m`; 60 s unless set
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
}

/// List what a server offers: its tools, unless said otherwise.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  portcullis list http://localhost:8000/mcp
  portcullis list https://mcp.example.com/mcp --token-file token --all")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// List resources, and the templates of resources
    #[arg(long)]
    pub(crate) resources: bool,
    /// List prompts
    #[arg(long)]
    pub(crate) prompts: bool,
    /// List everything
    #[arg(long, conflicts_with_all = ["resources", "prompts"])]
    pub(crate) all: bool,
}

/// Call a tool and print what it answers.
///
/// An argument `name=value` has the type that the tool's schema says: a text as it is, everything
/// else as JSON. `name:=json` is JSON in any case. A tool that reports an error ends this program
/// with 1.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "`--json '{..}'` and `--json -` say the same as `--arguments`; any other \
`--json` is about the output.

Examples:
  portcullis call http://localhost:8000/mcp add_note text='buy milk'
  portcullis call http://localhost:8000/mcp add_note --json '{\"text\":\"milk\"}'
  portcullis call http://localhost:3001/mcp add a=1 b=2"
)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    /// The tool
    #[arg(value_name = "TOOL")]
    pub(crate) tool: String,
    /// Arguments: `name=value`, or `name:=json`
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) pairs: Vec<String>,
    /// All arguments as one JSON object; `-` reads it from stdin
    #[arg(
        long,
        value_name = "JSON",
        conflicts_with = "pairs",
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Option<String>,
    /// Write an image, audio or other data of the answer to this file; what follows the first goes
    /// to a file of its own, numbered
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Show what a server is, what it speaks, and who may use it.
///
/// It looks at the server as a stranger first, so it works without a token.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example:
  portcullis inspect https://mcp.example.com/mcp")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// The words of a command line, where `--json ARGS` of `call` says `--arguments ARGS`: what follows
/// begins as a JSON object, or is `-`. Any other `--json` is about the output, as everywhere.
pub(crate) fn words(line: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = line.into_iter().collect();
    let command = words.iter().skip(1).find(|word| !is_flag(word));
    if command.is_none_or(|command| command != "call") {
        return words;
    }
    let line = words.clone();
    let end = line
        .iter()
        .position(|word| word == "--")
        .unwrap_or(line.len());
    for (at, word) in words.iter_mut().enumerate().take(end) {
        let next = line.get(at + 1).map(OsString::as_os_str);
        if word == "--json" && next_is_arguments(next) {
            *word = "--arguments".into();
        } else if let Some(value) = word.to_str().and_then(|word| word.strip_prefix("--json=")) {
            *word = format!("--arguments={value}").into();
        }
    }
    words
}

fn is_flag(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.starts_with('-'))
}

fn next_is_arguments(next: Option<&OsStr>) -> bool {
    let next = next.and_then(OsStr::to_str).map(str::trim_start);
    next.is_some_and(|next| next == "-" || next.starts_with(['{', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> String {
        let words = words(line.split(' ').map(OsString::from));
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        words.join(" ")
    }

    #[test]
    fn json_of_call_is_arguments_where_arguments_follow() {
        for (line, expected) in [
            ("p call U T --json {}", "p call U T --arguments {}"),
            ("p call U T --json -", "p call U T --arguments -"),
            ("p call U T --json={}", "p call U T --arguments={}"),
            (
                "p --json call U T --json {}",
                "p --json call U T --arguments {}",
            ),
            ("p call --json U T a=1", "p call --json U T a=1"),
            ("p call U T a=1 --json", "p call U T a=1 --json"),
            ("p call U T --json a=1", "p call U T --json a=1"),
            ("p list U --json {}", "p list U --json {}"),
            ("p call U T -- --json {}", "p call U T -- --json {}"),
        ] {
            assert_eq!(after(line), expected);
        }
    }

    #[test]
    fn sec_op_01_the_arguments_do_not_print_the_token() {
        use clap::Parser as _;

        let line = [
            "p",
            "list",
            "http://localhost/mcp",
            "--token",
            "canary-7f3a9c",
        ];
        let printed = format!("{:?}", crate::args::Cli::parse_from(line));
        assert!(
            printed.contains("[redacted]") && !printed.contains("canary"),
            "{printed}"
        );
    }
}
