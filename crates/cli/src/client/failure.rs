//! Why a server gave no answer, and the way out.

use std::error::Error as _;

use axum::http::StatusCode;
use portcullis::client::{ClientError, ConnectFault, TransportError};
use portcullis_oauth::InvalidUrl;
use portcullis_oauth::challenge::Challenge;

use super::Target;
use crate::report::Problem;

/// What a user reads of a failure.
pub(super) fn problem(target: &Target, error: &ClientError) -> Problem {
    let url = target.shown();
    match error {
        ClientError::Url(fault) => of_url(target, fault),
        ClientError::Token(fault) => Problem::new("the token is no access token").because(fault),
        ClientError::Transport(error) => of_transport(&url, error),
        ClientError::Timeout(_) | ClientError::ListTimeout(_) => {
            Problem::new(format!("`{url}`: {error}")).hint("`--timeout 5m` waits for longer")
        }
        ClientError::NoCommonRevision { server } => {
            let problem = Problem::new(format!("`{url}`: {error}"));
            problem.because(format!("it speaks {}", server.join(", ")))
        }
        ClientError::Server(_) | ClientError::Cancelled | ClientError::NeedsInput => {
            Problem::new(error.to_string())
        }
        _ => Problem::new(format!("`{url}`: {error}")),
    }
}

/// A URL up to its query, which may hold a secret; nothing of one that holds a password.
pub(super) fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let shown = url.get(..end).unwrap_or_default();
    // SECURITY: a user name and a password before the host are no part of a message;
    // sec_op_01_no_error_of_a_client_shows_a_secret
    if shown.contains('@') {
        return "[redacted]".to_owned();
    }
    shown.to_owned()
}

fn of_url(target: &Target, fault: &InvalidUrl) -> Problem {
    let problem = Problem::new(format!("`{}`: {}", target.shown(), told(fault)));
    match fault {
        InvalidUrl::Insecure if target.has_token() => problem.because(
            "a token that travels without TLS is anybody's",
        )
        .hint("use the `https` URL, or reach the server through a tunnel that ends on this machine"),
        InvalidUrl::Insecure => problem
            .hint("use the `https` URL, or reach the server through a tunnel that ends on this machine"),
        InvalidUrl::Syntax => problem.hint("write it as in `https://mcp.example.com/mcp`"),
        _ => problem,
    }
}

/// The fault, without the spelling to use where that may repeat a secret.
fn told(fault: &InvalidUrl) -> String {
    match fault {
        InvalidUrl::NotCanonical { canonical } => format!("write it as `{}`", shown(canonical)),
        other => other.to_string(),
    }
}

fn of_transport(url: &str, error: &TransportError) -> Problem {
    let problem = Problem::new(format!("`{url}`: {error}"));
    match error {
        TransportError::Unauthorized {
            had_token,
            challenge,
        } => {
            let problem = explained(problem, challenge.as_deref());
            problem.hint(if *had_token {
                "`portcullis token decode -` shows for whom it is and until when; `portcullis doctor \
                 URL` shows what the server wants"
            } else {
                "give one with `--token-file FILE` or `PORTCULLIS_TOKEN`; `portcullis doctor URL` \
                 shows where to get it"
            })
        }
        TransportError::InsufficientScope { challenge } => {
            let scopes = challenge.scopes().to_string();
            let problem = problem.because(format!("it asks for the scopes `{scopes}`"));
            problem.hint("get a token with these scopes; `portcullis doctor URL` shows where")
        }
        TransportError::Redirected { location: Some(to) } => {
            let to = shown(to);
            problem.hint(format!(
                "it leads to `{to}`: name that URL, if it is the server's"
            ))
        }
        TransportError::Status(StatusCode::NOT_FOUND) => {
            problem.hint("the MCP endpoint has a path, often `/mcp`")
        }
        TransportError::Status(StatusCode::METHOD_NOT_ALLOWED) => problem.hint(
            "a server of the HTTP+SSE transport, which MCP gave up in 2025, answers like this; \
             it may have another endpoint for Streamable HTTP",
        ),
        TransportError::NotMcp { content_type } => {
            let kind = content_type
                .as_deref()
                .unwrap_or("nothing that names its kind");
            let problem = problem.because(format!("it sent {kind}"));
            problem.hint("the MCP endpoint has a path, often `/mcp`")
        }
        TransportError::Fetch(fetch) => of_connection(problem, error, fetch),
        error => caused(problem, error.source()),
    }
}

fn of_connection(
    problem: Problem,
    error: &TransportError,
    fetch: &portcullis_fetch::FetchError,
) -> Problem {
    // The innermost cause says the most; what is between repeats it.
    let mut cause = fetch.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let problem = match cause {
        Some(cause) => problem.because(cause),
        None => problem,
    };
    problem.maybe_hint(match error.connect_fault() {
        Some(ConnectFault::Refused) => Some("is the server running, and on this port?"),
        Some(ConnectFault::Unresolved) => Some("check the name"),
        Some(ConnectFault::Tls) => Some(
            "check that the server speaks TLS there, with a certificate that this machine trusts",
        ),
        Some(ConnectFault::Timeout) => Some("`--timeout 5m` waits for longer"),
        _ => None,
    })
}

/// What the server says of its refusal.
fn explained(problem: Problem, challenge: Option<&Challenge>) -> Problem {
    let get = |name| challenge.and_then(|challenge| challenge.get(name));
    match (get("error"), get("error_description")) {
        (Some(error), Some(text)) => problem.because(format!("{error}: {text}")),
        (Some(text), None) | (None, Some(text)) => problem.because(text),
        (None, None) => problem,
    }
}

fn caused(problem: Problem, cause: Option<&(dyn std::error::Error + 'static)>) -> Problem {
    match cause {
        Some(cause) => problem.because(cause),
        None => problem,
    }
}
