//! What known clients need, as data. Clients change: each row is what was seen in 2026.

use portcullis_oauth::ResourceUrl;
use portcullis_oauth::id::EndpointUrl;
use portcullis_oauth::metadata::ProtectedResourceMetadata;

use super::rule::{self, Rule};

/// A client, or a family of them on the same code.
#[derive(Debug)]
pub(crate) struct Client {
    /// As `--as` has it.
    pub(crate) name: &'static str,
    pub(super) title: &'static str,
    /// Where it runs.
    pub(super) place: Place,
    /// How it gets a client id, the preferred way first.
    pub(super) ways: &'static [Way],
    /// By what it holds `resource` against the URL that it was given.
    pub(super) resource: Compare,
    /// What keeps it out though others go on.
    minds: &'static [&'static Rule],
    /// What is worth knowing for its users alone.
    concerns: &'static [&'static Rule],
    /// What it registers.
    pub(super) registration: Registration,
}

/// Where a client runs, and so which servers it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the user's machine.
    Here,
    /// At whoever makes it.
    Elsewhere,
    /// Some of it here, as named, and the rest elsewhere.
    Both(&'static str),
}

/// A way to a client id without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The URL of a metadata document, without a secret.
    Document,
    /// The URL of a metadata document whose client signs assertions.
    SignedDocument,
    /// Dynamic registration (RFC 7591).
    Register,
}

impl Way {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Document => "metadata document",
            Self::SignedDocument => "metadata document with `private_key_jwt`",
            Self::Register => "registration",
        }
    }
}

/// How a client compares `resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    /// The very text.
    Text,
    /// As browsers write URLs: a bare origin gets a slash.
    Browser,
    /// Origin equal, path equal or above.
    Parent,
}

/// What a client puts into a registration, but for its name.
#[derive(Debug, serde::Serialize)]
pub(super) struct Registration {
    pub(super) redirect_uris: &'static [&'static str],
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    token_endpoint_auth_method: &'static str,
    /// Whether it says the scopes that it is going to ask for, or an empty text in their place.
    #[serde(skip)]
    pub(super) says_scopes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<&'static str>,
}

const fn registration(redirect_uris: &'static [&'static str]) -> Registration {
    Registration {
        redirect_uris,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
        says_scopes: true,
        application_type: None,
    }
}

pub(crate) const CLIENTS: [Client; 7] = [
    Client {
        name: "claude",
        title: "Claude: claude.ai, desktop, mobile and Claude Code",
        place: Place::Both("Claude Code"),
        ways: &[Way::Document, Way::Register],
        resource: Compare::Parent,
        minds: &[],
        concerns: &[],
        registration: Registration {
            token_endpoint_auth_method: "client_secret_post",
            ..registration(&["https://claude.ai/api/mcp/auth_callback"])
        },
    },
    Client {
        name: "chatgpt",
        title: "ChatGPT",
        place: Place::Elsewhere,
        ways: &[Way::SignedDocument, Way::Document, Way::Register],
        resource: Compare::Parent,
        minds: &[rule::REG_EMPTY],
        concerns: &[],
        registration: registration(&["https://chatgpt.com/connector_platform_oauth_redirect"]),
    },
    Client {
        name: "cursor",
        title: "Cursor",
        place: Place::Here,
        ways: &[Way::Register],
        resource: Compare::Parent,
        minds: &[],
        concerns: &[],
        registration: registration(&[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ]),
    },
    Client {
        name: "vscode",
        title: "VS Code with GitHub Copilot",
        place: Place::Here,
        ways: &[Way::Document, Way::Register],
        resource: Compare::Browser,
        minds: &[],
        concerns: &[],
        registration: Registration {
            application_type: Some("native"),
            ..registration(&[
                "https://insiders.vscode.dev/redirect",
                "https://vscode.dev/redirect",
                "http://127.0.0.1/",
                "http://127.0.0.1:33418/",
            ])
        },
    },
    Client {
        name: "gemini",
        title: "Gemini CLI",
        place: Place::Here,
        ways: &[Way::Register],
        resource: Compare::Text,
        minds: &[rule::CHL_UNQUOTED],
        concerns: &[],
        registration: Registration {
            says_scopes: false,
            ..registration(&["http://localhost:7777/oauth/callback"])
        },
    },
    Client {
        name: "goose",
        title: "Goose",
        place: Place::Here,
        ways: &[Way::Document, Way::Register],
        resource: Compare::Parent,
        minds: &[rule::CHL_GET],
        concerns: &[rule::ASM_ISS],
        registration: registration(&["http://127.0.0.1:49152/oauth_callback"]),
    },
    Client {
        name: "codex",
        title: "Codex CLI",
        place: Place::Here,
        ways: &[Way::Document, Way::Register],
        resource: Compare::Parent,
        minds: &[rule::CHL_GET, rule::ASM_MIXUP],
        concerns: &[],
        registration: registration(&["http://127.0.0.1:49152/callback"]),
    },
];

impl Client {
    /// Whether this rule keeps the client out by itself.
    pub(super) fn minds(&self, rule: &Rule) -> bool {
        self.minds.iter().any(|minded| minded.id == rule.id)
    }

    /// Whether the rule is about this client.
    pub(super) fn concerns(&self, rule: &Rule) -> bool {
        self.concerns.iter().any(|known| known.id == rule.id)
    }
}

impl Compare {
    /// Whether `resource` of a metadata document stands for `server`.
    pub(super) fn accepts(
        self,
        server: &ResourceUrl,
        document: &ProtectedResourceMetadata,
    ) -> bool {
        match self {
            Self::Text => document.resource == server.as_str(),
            Self::Browser => written_anew(&document.resource) == written_anew(server.as_str()),
            Self::Parent => document.covers(server),
        }
    }
}

/// As a browser writes the URL; nothing for what is no URL.
fn written_anew(text: &str) -> Option<String> {
    let url = EndpointUrl::parse(text).ok()?;
    Some(url.url().as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json;

    use super::*;

    #[test]
    fn clients_compare_a_resource_each_in_their_way() {
        let same = |compare: Compare, server: &str, resource: &str| {
            let server = ResourceUrl::parse(server).unwrap();
            let document = json::json!({ "resource": resource }).to_string();
            let document = ProtectedResourceMetadata::parse(document.as_bytes()).unwrap();
            compare.accepts(&server, &document)
        };
        let (bare, slash) = ("https://h.example", "https://h.example/");
        let (path, other) = ("https://h.example/mcp", "https://h.example/mcp/");
        for (compare, expected) in [
            (Compare::Text, [true, false, false, false, false]),
            (Compare::Browser, [true, true, false, false, false]),
            (Compare::Parent, [true, true, true, true, false]),
        ] {
            let found = [
                same(compare, path, path),
                same(compare, bare, slash),
                same(compare, path, other),
                same(compare, path, bare),
                same(compare, bare, path),
            ];
            assert_eq!(found, expected, "{compare:?}");
        }
    }
}
