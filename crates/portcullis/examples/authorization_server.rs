//! A server at which users log in: no identity provider, no other process.
//!
//! ```sh
//! cargo run -p portcullis --features sqlite --example authorization_server          # forgets at its end
//! cargo run -p portcullis --features sqlite --example authorization_server ./notes  # keeps its state there
//! ```
//!
//! Give `http://localhost:8000/mcp` to any MCP client: it opens a browser, and whoever logs in as
//! `alice` decides what it may do.

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::error::Error;

use portcullis::{
    AccessToken, Args, Server, Tool,
    auth::{Accounts, DiskStore, MemoryStore, OAuthProvider, StoreHandle, SystemEntropy, Theme},
    authorization_server::users::accounts::{AccountName, NewAccount, generate_password},
    scopes,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Note {
    /// What to remember.
    text: String,
}

async fn whoami(user: AccessToken) -> String {
    format!("{} with the scopes: {}", user.subject(), user.scopes())
}

async fn add_note(user: AccessToken, Args(note): Args<Note>) -> String {
    format!("noted for {}: {}", user.subject(), note.text)
}

/// In a folder, or in memory.
async fn store(folder: Option<String>) -> portcullis::Result<StoreHandle> {
    Ok(match folder {
        Some(folder) => DiskStore::open(folder).await?.into(),
        None => MemoryStore::new().into(),
    })
}

/// Somebody has to be the first one. `portcullis user` does this for a server in operation.
async fn first_user(accounts: &Accounts) -> Result<(), Box<dyn Error>> {
    if accounts.list().await?.is_empty() {
        let password = generate_password(&SystemEntropy::new())?;
        println!("log in as `alice` with the password {}", password.expose());
        let alice = NewAccount::new(AccountName::parse("alice")?, password);
        accounts.add(alice.role("admin")).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init(); // shows what the server says
    let provider = OAuthProvider::builder()
        .base_url("http://localhost:8000")
        .store(store(std::env::args().nth(1)).await?)
        .scopes(scopes!["notes:read", "notes:write"])
        .scope_text("notes:read", "Read your notes")
        .scope_text("notes:write", "Write notes in your name")
        .theme(Theme::new().service_name("Notes"))
        .build()?;
    if let Some(accounts) = provider.accounts().await? {
        first_user(&accounts).await?;
    }
    Server::new("notes")
        .tool(Tool::new("whoami", whoami).description("Who am I?"))
        .tool(
            Tool::new("add_note", add_note)
                .description("Remember something")
                .require_scopes(scopes!["notes:write"]),
        )
        .auth(provider)
        .serve_http("127.0.0.1:8000")
        .await?;
    Ok(())
}
