//! Where a client looks for a challenge: in the status of an answer, or inside of it.

use http::HeaderMap;
use http::header::USER_AGENT;

use super::peek::Message;
use crate::AccessToken;

/// How a client is told that a tool needs a token, or more scopes than its token has.
///
/// Only a call of a tool (`tools/call`) can be told inside its answer. A token that is missing or not
/// valid where every request needs one is 401 in each style: nobody read the body yet. In every style
/// the call goes no further, so a client that passes for another one gets nothing but other words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeStyle {
    /// As the client understands it: [`InBand`](Self::InBand) for ChatGPT, [`Http`](Self::Http) for
    /// all others.
    ///
    /// ChatGPT is known by the client id of its metadata document
    /// (`https://chatgpt.com/oauth/../client.json`), or by the name under which it introduces itself,
    /// `openai-mcp`, in the handshake, the request or `User-Agent`.
    #[default]
    Auto,
    /// Status 401 or 403 with `WWW-Authenticate` (RFC 6750 section 3; MCP authorization), for all.
    Http,
    /// Status 200 and a result with `isError`, whose `_meta` holds the same challenge under
    /// `mcp/www_authenticate`, for all.
    InBand,
}

/// What is known of a client beside its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) token: Option<&'a AccessToken>,
    pub(super) headers: &'a HeaderMap,
    /// The client that opened this request's session is told in band.
    pub(super) has_such_session: bool,
}

impl ChallengeStyle {
    /// Whether whoever sent `message` is told in band.
    pub(super) fn is_in_band(self, asker: Asker<'_>, message: &Message<'_>) -> bool {
        match self {
            Self::Http => false,
            Self::InBand => true,
            Self::Auto => asker.is_chatgpt(message),
        }
    }
}

impl Asker<'_> {
    /// By what anybody can say of itself: it decides how a refusal is put, and never whether.
    fn is_chatgpt(self, message: &Message<'_>) -> bool {
        let agent = self.headers.get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        self.has_such_session
            || self
                .token
                .and_then(AccessToken::client_id)
                .is_some_and(is_id_of_chatgpt)
            || message.client_name().is_some_and(is_name_of_chatgpt)
            || agent.is_some_and(is_name_of_chatgpt)
    }
}

/// A client id metadata document of ChatGPT. Codex has one beside it, and is another client.
fn is_id_of_chatgpt(id: &str) -> bool {
    let Some(path) = id.strip_prefix("https://chatgpt.com/oauth/") else {
        return false;
    };
    match path.strip_suffix("client.json") {
        Some("") => true,
        Some(folder) => folder
            .strip_suffix('/')
            .is_some_and(|folder| folder != "codex" && !folder.is_empty() && !folder.contains('/')),
        None => false,
    }
}

/// `openai-mcp`, alone or as a product with what is known of it behind.
fn is_name_of_chatgpt(name: &str) -> bool {
    let rest = name.strip_prefix("openai-mcp").map(str::trim_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '(']))
}

/// A call that is told in band what it lacks.
#[derive(Debug, Clone)]
pub(crate) struct InBandCall {
    /// Its id as JSON text.
    pub(crate) id: Box<str>,
    /// The message names its revision, so an answer says what kind of result it is.
    pub(crate) names_revision: bool,
}

impl InBandCall {
    /// `message`, where it calls a tool and somebody waits for the answer.
    pub(super) fn of(message: &Message<'_>) -> Option<Self> {
        match message {
            Message::Request {
                id,
                operation,
                revision,
                ..
            } if operation.method() == "tools/call" => Some(Self {
                id: (*id).into(),
                names_revision: revision.is_some(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m2_chatgpt_is_known_by_its_document_and_codex_is_another_client() {
        for (id, is) in [
            ("https://chatgpt.com/oauth/client.json", true),
            ("https://chatgpt.com/oauth/asdk_app_1/client.json", true),
            ("https://chatgpt.com/oauth/codex/client.json", false),
            ("https://chatgpt.com/oauth//client.json", false),
            ("https://chatgpt.com/oauth/a/b/client.json", false),
            ("https://chatgpt.com/oauth/notclient.json", false),
            ("https://chatgpt.com/client.json", false),
            ("https://chatgpt.com.evil.example/oauth/client.json", false),
            ("http://chatgpt.com/oauth/client.json", false),
            ("openai-mcp", false),
        ] {
            assert_eq!(is_id_of_chatgpt(id), is, "{id}");
        }
    }

    #[test]
    fn m2_chatgpt_is_known_by_its_name() {
        for (name, is) in [
            ("openai-mcp", true),
            ("openai-mcp(ChatGPT)", true),
            ("openai-mcp/1.0.0 (ChatGPT)", true),
            ("openai-mcp-inspector", false),
            ("openai", false),
            ("codex-mcp-client", false),
            ("claude-ai", false),
            ("", false),
        ] {
            assert_eq!(is_name_of_chatgpt(name), is, "{name}");
        }
    }
}
