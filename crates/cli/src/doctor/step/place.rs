//! Is there an MCP server?

use crate::doctor::finding::Findings;
use crate::doctor::rule;
use crate::doctor::seen::{Seen, Trouble};

/// What answers at the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) enum Kind {
    /// A server that wants a token.
    Protected,
    /// A server that wants none.
    Open,
    /// Nothing that a client could talk to.
    Nothing,
}

/// Judges the first answer: to `initialize`, without a token.
pub(in crate::doctor) fn judge(first: &Seen, findings: &mut Findings) -> Kind {
    let at = first.at();
    let broken = match &first.result {
        Err(trouble) => Some(match trouble {
            Trouble::NoName => rule::NET_NAME,
            Trouble::Silent => rule::NET_SILENT,
            Trouble::Refused(_) => rule::NET_REFUSED,
            Trouble::NoConnection(_) | Trouble::Url(_) => rule::NET_CONNECT,
        }),
        Ok(answer) if answer.rpc().is_some() || answer.status == 401 => None,
        Ok(answer) if answer.is_redirect() => Some(rule::NET_REDIRECT),
        Ok(answer) if answer.content_type() == "text/html" => Some(rule::NET_HTML),
        Ok(answer) if answer.status >= 500 => Some(rule::NET_BROKEN),
        Ok(answer) if answer.status == 403 => None,
        Ok(answer) if answer.status == 400 && answer.header("www-authenticate").is_some() => None,
        Ok(_) => Some(rule::NET_OTHER),
    };
    if let Some(rule) = broken {
        findings.found(rule, &at, &first.brief());
        return Kind::Nothing;
    }
    for rule in [rule::NET_NAME, rule::NET_CONNECT, rule::NET_OTHER] {
        findings.fine(rule, &at);
    }
    findings.check(rule::NET_SLOW, !first.is_slow(), &at, || {
        format!("{} ms", first.took.as_millis())
    });
    match first.answer() {
        Some(answer) if answer.rpc().is_some() && answer.status < 401 => Kind::Open,
        _ => Kind::Protected,
    }
}
