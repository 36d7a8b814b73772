//! What is known of clients that many people use. Data: a row a client, confirmed in
//! November 2026, in the field or in the client's own source.

/// A client that is known by name.
pub(super) struct ClientProfile {
    /// Its name, for whoever reads this table.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader of the table"))]
    pub(super) name: &'static str,
    /// Its metadata documents and keys, which are fetched whatever else is asked of their hosts.
    pub(super) urls: &'static [&'static str],
    /// Where it may be sent codes, besides loopback: [patterns](portcullis_oauth::RedirectPattern).
    pub(super) redirect_uris: &'static [&'static str],
    /// Client ids that begin so sign their assertions for our token endpoint instead of our issuer.
    pub(super) audience_is_token_endpoint: Option<&'static str>,
}

/// A client without anything particular.
const PLAIN: ClientProfile = ClientProfile {
    name: "",
    urls: &[],
    redirect_uris: &[],
    audience_is_token_endpoint: None,
};

/// The table.
pub(super) const PROFILES: [ClientProfile; 10] = [
    ClientProfile {
        name: "Claude",
        urls: &["https://claude.ai/oauth/mcp-oauth-client-metadata"],
        redirect_uris: &[
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "claude://claude.ai/mcp-auth-callback/sdk",
        ],
        ..PLAIN
    },
    ClientProfile {
        name: "Claude Code",
        urls: &["https://claude.ai/oauth/claude-code-client-metadata"],
        ..PLAIN
    },
    ClientProfile {
        name: "ChatGPT",
        urls: &[
            "https://chatgpt.com/oauth/client.json",
            "https://chatgpt.com/oauth/jwks.json",
        ],
        redirect_uris: &[
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector/oauth/*",
        ],
        audience_is_token_endpoint: Some("https://chatgpt.com/oauth/"),
    },
    ClientProfile {
        name: "Codex",
        urls: &["https://chatgpt.com/oauth/codex/client.json"],
        ..PLAIN
    },
    ClientProfile {
        name: "Cursor",
        redirect_uris: &[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "cursor://anysphere.cursor-retrieval/oauth/*/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
        ],
        ..PLAIN
    },
    ClientProfile {
        name: "Visual Studio Code",
        urls: &["https://vscode.dev/oauth/client-metadata.json"],
        redirect_uris: &[
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
        ],
        ..PLAIN
    },
    ClientProfile {
        name: "GitHub Copilot CLI",
        urls: &["https://github.com/copilot/cli/client-metadata.json"],
        ..PLAIN
    },
    ClientProfile {
        name: "Goose",
        urls: &["https://goose-docs.ai/oauth/client-metadata.json"],
        ..PLAIN
    },
    ClientProfile {
        name: "opencode",
        urls: &["https://opencode.ai/oauth/opencode/client.json"],
        ..PLAIN
    },
    ClientProfile {
        name: "Grok",
        redirect_uris: &["https://grok.com/connectors-oauth-exchange-code/"],
        ..PLAIN
    },
];

/// Whether a client in the table has its metadata document or its keys there.
pub(super) fn is_known_url(url: &str) -> bool {
    PROFILES.iter().any(|profile| profile.urls.contains(&url))
}

/// Whether that client's assertions may name our token endpoint as their audience.
pub(super) fn may_name_token_endpoint(client_id: &str) -> bool {
    PROFILES
        .iter()
        .filter_map(|profile| profile.audience_is_token_endpoint)
        .any(|prefix| client_id.starts_with(prefix))
}
