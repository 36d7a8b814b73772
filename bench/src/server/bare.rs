//! What we are measured against: the tool on rmcp's own service, with nothing in front.

use std::sync::Arc;

use anyhow::Result;
use axum::{Router, serve::ListenerExt as _};
use rmcp::{
    ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{ServerCapabilities, ServerConfig},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};

use super::calls::Echo;
use crate::host::Host;

/// What becomes of the table of tools.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    /// Built anew for every call, as the macros do unless told otherwise.
    Rebuilt,
    /// Built once.
    Kept,
}

pub(crate) async fn start(table: Table) -> Result<Host> {
    Host::start(async move |listener| {
        let config = StreamableHttpServerConfig::default().with_json_response(true);
        let bare = Bare::new(table);
        let service = StreamableHttpService::<_, LocalSessionManager>::new(
            move || Ok(bare.clone()),
            Arc::default(),
            config,
        );
        let listener = listener.tap_io(|stream| {
            // As ours does: a stream's answer waits 40 ms without it.
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().nest_service("/mcp", service);
        Ok(axum::serve(listener, router).await?)
    })
    .await
}

#[derive(Clone)]
struct Bare {
    kept: Option<Arc<ToolRouter<Self>>>,
}

#[tool_router]
impl Bare {
    fn new(table: Table) -> Self {
        let kept = match table {
            Table::Rebuilt => None,
            Table::Kept => Some(Arc::new(Self::tool_router())),
        };
        Self { kept }
    }

    fn table(&self) -> Arc<ToolRouter<Self>> {
        let kept = self.kept.clone();
        kept.unwrap_or_else(|| Arc::new(Self::tool_router()))
    }

    #[tool(description = "Say it again")]
    async fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }
}

#[tool_handler(router = self.table())]
impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
