//! An rmcp server that was there before: its macros stay as they are, the auth stands in front of
//! it, and its tools can take the caller's token as an argument.
//!
//! `cargo run -p portcullis --example existing_rmcp_server`

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use portcullis::auth::{
    AccessToken, Auth, BaseUrl, SecretString, StaticToken, StaticTokenVerifier,
};
use portcullis::listener::Listener;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{CacheScope, ListToolsResult, PaginatedRequestParams, ProtocolVersion},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};

#[derive(Clone)]
struct Existing;

#[tool_router]
impl Existing {
    #[tool(description = "Who am I?")]
    async fn whoami(&self, token: AccessToken) -> String {
        token.subject().to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Existing {
    /// As the macro makes it, but for one word: what is listed to one user is in no shared cache.
    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ListToolsResult::with_all_items(Self::tool_router().list_all());
        let version = context.protocol_version();
        Ok(
            if version.is_some_and(|v| v >= ProtocolVersion::V_2026_07_28) {
                tools.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
            } else {
                tools
            },
        )
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let verifier = StaticTokenVerifier::builder()
        .token(SecretString::from(TOKEN), StaticToken::new("alice"))
        .build()?;
    let mcp = StreamableHttpService::new(
        || Ok(Existing),
        LocalSessionManager::default().into(),
        // The guard of `Auth` stands before it, and knows the public URL; rmcp's own would let only
        // `localhost` through.
        StreamableHttpServerConfig::default().disable_allowed_hosts(),
    );
    let auth = Auth::new(verifier).base_url(BaseUrl::parse("http://localhost:8000")?);
    let app = auth.protect("/mcp", mcp)?;
    println!("http://localhost:8000/mcp\n\n  alice: {TOKEN}");
    // With bounds on what strangers can hold open, which `axum::serve` has not.
    let listener = Listener::bind("127.0.0.1:8000").await?;
    Ok(listener.serve(app).await?)
}

/// A token for a try-out. A real one is random, and not in the source.
const TOKEN: &str = "alice-with-a-token-0123456789abcdef0123456789";
