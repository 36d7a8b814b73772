//! The whole way of clients that many people use, in the words that each of them was heard to say:
//! registration, authorization, token, a call, refresh, revocation.

use http::StatusCode;
use portcullis_oauth::json::{Value, json};

use crate::client::{Client, Dialect, plain, sorted, text};
use crate::world;

#[tokio::test]
async fn a1_a4_a10_r5_claude_leads_its_scope_with_a_space_and_keeps_a_secret() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Claude",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": "notes:read notes:write offline_access",
        }),
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
        query: "scope=+offline_access+notes%3Aread+notes%3Awrite&prompt=consent&state=x7-Jp0Wm3A9wSv8iTqQ2mYbq0Wm1pJ0f9c3Zb4v5n6M",
        granted: "notes:read notes:write offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a5_claude_code_names_the_origin_and_another_port() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Claude Code (notes)",
            "redirect_uris": ["http://localhost:3118/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://localhost:61234/callback",
        resource: Some("https://mcp.example.com/"),
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn d2_an_old_claude_calls_the_endpoints_at_the_root() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "claudeai",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
        query: "scope=notes%3Aread&state=abc",
        resource: None,
        old_paths: true,
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a10_chatgpt_asks_for_scopes_of_openid_too() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "ChatGPT",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "https://chatgpt.com/connector_platform_oauth_redirect",
        query: "scope=openid+email+offline_access+notes%3Aread&state=oauth_s_1",
        granted: "notes:read offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r1_cursor_registers_three_uris_and_uses_its_own_scheme() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Cursor",
            "redirect_uris": [
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback",
                "http://localhost:8787/callback",
            ],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "cursor://anysphere.cursor-mcp/oauth/callback",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r2_a5_visual_studio_code_uses_a_port_that_it_did_not_register() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Visual Studio Code",
            "client_uri": "https://code.visualstudio.com",
            "redirect_uris": [
                "https://insiders.vscode.dev/redirect",
                "https://vscode.dev/redirect",
                "http://127.0.0.1/",
                "http://127.0.0.1:33418/",
            ],
            "grant_types": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }),
        redirect_uri: "http://127.0.0.1:51423/",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r3_gemini_registers_an_empty_scope() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Gemini CLI MCP Client",
            "redirect_uris": ["http://localhost:7777/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "",
        }),
        redirect_uri: "http://localhost:7777/oauth/callback",
        query: "scope=notes%3Aread+notes%3Awrite+offline_access&state=abc",
        granted: "notes:read notes:write offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r4_a1_copilot_asks_for_no_scope_and_gets_the_default() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "GitHub Copilot CLI",
            "redirect_uris": ["http://127.0.0.1:33418/"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://127.0.0.1:40022/",
        query: "state=abc",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r6_lm_studio_registers_two_members() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "LM Studio",
            "redirect_uris": ["http://localhost:1234/callback"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://localhost:1234/callback",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a10_mcp_remote_knows_no_scope_but_those_of_openid() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "MCP CLI Proxy",
            "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
            "software_version": "0.15.1",
            "redirect_uris": ["http://localhost:3334/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "openid email profile",
        }),
        redirect_uri: "http://localhost:3334/oauth/callback",
        query: "scope=openid+email+profile&state=abc",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a3_an_old_inspector_sends_no_state() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "MCP Inspector",
            "client_uri": "https://github.com/modelcontextprotocol/inspector",
            "redirect_uris": ["http://localhost:6274/oauth/callback/debug"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "notes:read",
        }),
        redirect_uri: "http://localhost:6274/oauth/callback/debug",
        query: "scope=notes%3Aread",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a5_goose_listens_wherever_it_can() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "goose",
            "redirect_uris": ["http://127.0.0.1:54321/oauth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }),
        redirect_uri: "http://127.0.0.1:54321/oauth_callback",
        ..plain()
    };
    walk(dialect).await;
}

/// From the registration to the revocation.
async fn walk(dialect: Dialect) {
    let client = Client::register(world::browser(), dialect).await;
    let first = client.tokens(client.code().await).await;
    assert_eq!(text(&first, "token_type"), "Bearer");
    assert!(first.get("expires_in").is_some_and(Value::is_u64));
    assert_eq!(
        sorted(text(&first, "scope")),
        sorted(client.dialect.granted)
    );
    assert_eq!(client.call(&first).await, StatusCode::OK);

    let second = client.refresh(&first).await;
    assert_eq!(client.call(&second).await, StatusCode::OK);
    assert_ne!(
        text(&first, "refresh_token"),
        text(&second, "refresh_token")
    );
    // What got lost on its way comes once more.
    assert_eq!(client.refresh(&first).await, second);

    client.revoke(&second).await;
    assert_eq!(client.call(&second).await, StatusCode::UNAUTHORIZED);
}
