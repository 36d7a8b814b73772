//! The smallest server: one tool, for whoever is on this machine.
//!
//! `cargo run -p portcullis --example hello`, then point a client at `http://localhost:8000/mcp`.

use portcullis::{Args, Server, Tool};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    /// Who to greet.
    name: String,
}

async fn greet(Args(Greet { name }): Args<Greet>) -> String {
    format!("Hello, {name}!")
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    tracing_subscriber::fmt().init(); // shows what the server says
    Server::new("hello")
        .tool(Tool::new("greet", greet).description("Greet someone by name"))
        .serve_http("127.0.0.1:8000")
        .await
}
