//! What is said once, when clients can come.

use std::time::Duration;

use portcullis_authorization_server::{Mint, OAuthProvider};
use portcullis_oauth::secret::BearerToken;
use portcullis_oauth::{ClientId, ResourceUrl, Subject};
use serde::Serialize;
use serde_json::Map;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::{Behind, failed_to_start};
use crate::config::{Settings, StorePlace, Upstream};
use crate::dev::{Known, Personas};
use crate::report::{Failure, Problem, Show};

/// The client of such a token.
const CLIENT: &str = "portcullis-dev";
/// How long a token lives that is made to try things out.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// One server, as clients reach it.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) name: String,
    pub(super) behind: String,
}

/// What is said once, when clients can come.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    event: &'static str,
    auth: &'static str,
    /// Where users log in, where it is not here.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    login: Option<LoginAt>,
    servers: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
    /// Where users see what they granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    /// That nobody can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    personas: Vec<Shown>,
    #[serde(skip)]
    behind: &'static str,
}

/// An identity provider.
#[derive(Debug, Serialize)]
struct LoginAt {
    provider: String,
    /// What has to be registered there.
    redirect_uri: String,
    allowed: String,
}

/// A persona, with the tokens that this command is asked for.
#[derive(Debug, Serialize)]
struct Shown {
    name: &'static str,
    role: &'static str,
    scopes: String,
    /// The one for the first server.
    token: String,
    tokens: Vec<Spare>,
}

/// A token for one server, for whoever has no client.
#[derive(Debug, Serialize)]
struct Spare {
    url: String,
    token: String,
    /// What a shell calls it.
    #[serde(skip)]
    variable: String,
}

impl Ready {
    pub(super) fn new(auth: &'static str, servers: Vec<Place>, behind: Behind) -> Self {
        Self {
            event: "ready",
            auth,
            login: None,
            servers,
            admin: None,
            account: None,
            store: None,
            users: None,
            personas: Vec::new(),
            behind: match behind {
                Behind::Demo => DEMO_CALL,
                Behind::Upstreams => LIST_CALL,
            },
        }
    }

    /// The identity provider where users log in, and who of them may come.
    pub(super) fn login_at(mut self, upstream: Option<(Upstream, &str)>) -> Self {
        self.login = upstream.map(|(upstream, allowed)| LoginAt {
            provider: upstream.name,
            redirect_uri: upstream.redirect_uri,
            allowed: allowed.to_owned(),
        });
        self
    }

    /// Where users log in, and where what they did is kept.
    pub(super) async fn issuer(
        mut self,
        provider: &OAuthProvider,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        self.account = Some(provider.base_url().join("/account"));
        self.store = Some(match settings.store_place() {
            StorePlace::Memory => "memory: it ends with this process".to_owned(),
            StorePlace::Sqlite { file, .. } => {
                let whole = std::path::absolute(file);
                whole.as_ref().unwrap_or(file).display().to_string()
            }
        });
        let accounts = provider.accounts().await.map_err(failed_to_start)?;
        // Whether there are any cannot be told by a store that fails just now.
        if let Some(accounts) = accounts
            && accounts.is_empty().await.unwrap_or(false)
        {
            self.users = Some("none yet");
        }
        Ok(self)
    }

    /// Who may be tried out, each with a token for each server.
    pub(super) async fn personas(
        mut self,
        personas: &Personas,
        provider: &OAuthProvider,
    ) -> Result<Self, Failure> {
        for known in personas.iter() {
            let mut tokens = Vec::with_capacity(self.servers.len());
            for place in &self.servers {
                let token = token(known, place, provider).await?;
                tokens.push(Spare {
                    url: place.url.clone(),
                    variable: variable(known.name, (self.servers.len() > 1).then_some(&place.name)),
                    token: token.expose().to_owned(),
                });
            }
            self.personas.push(Shown {
                name: known.name,
                role: known.role,
                scopes: known.scopes.to_string(),
                token: tokens
                    .first()
                    .map(|first| first.token.clone())
                    .unwrap_or_default(),
                tokens,
            });
        }
        Ok(self)
    }

    /// Where probes and metrics are, if not here.
    pub(super) fn admin(mut self, url: Option<String>) -> Self {
        self.admin = url;
        self
    }
}

impl Show for Ready {
    fn human(&self) -> String {
        let mut lines = vec![
            "Portcullis is ready. Give this URL to an MCP client:".to_owned(),
            String::new(),
        ];
        for place in &self.servers {
            lines.push(format!("  {}", place.url));
        }
        lines.push(String::new());
        lines.push(format!("  auth    {}", self.auth));
        if let Some(login) = &self.login {
            lines.push(format!("  login   {}", login.provider));
            lines.push(format!(
                "  return  {} (register it there)",
                login.redirect_uri
            ));
            lines.push(format!("  users   {}", login.allowed));
        }
        for place in &self.servers {
            lines.push(match self.servers.len() {
                1 => format!("  behind  {}", place.behind),
                _ => format!("  behind  {}: {}", place.name, place.behind),
            });
        }
        if let Some(account) = &self.account {
            lines.push(format!("  account {account}"));
        }
        if let Some(store) = &self.store {
            lines.push(format!("  store   {store}"));
        }
        if let Some(users) = self.users {
            lines.push(format!("  users   {users}: portcullis user add NAME"));
        }
        if let Some(admin) = &self.admin {
            lines.push(format!("  admin   {admin}"));
        }
        lines.push("  stop    Ctrl-C".to_owned());
        let first = self.personas.first().and_then(|first| first.tokens.first());
        if let (Some(first), Some(place)) = (first, self.servers.first()) {
            lines.push(String::new());
            lines.push(WHO.to_owned());
            lines.push(String::new());
            for persona in &self.personas {
                let scopes = if persona.scopes.is_empty() {
                    "none"
                } else {
                    &persona.scopes
                };
                lines.push(format!(
                    "  {:6}  role {}, scopes {scopes}",
                    persona.name, persona.role
                ));
            }
            lines.push(String::new());
            lines.push(match self.servers.len() {
                1 => "Without a client, these tokens do for an hour:".to_owned(),
                _ => {
                    "Without a client, these tokens do for an hour, each for one server:".to_owned()
                }
            });
            lines.push(String::new());
            for token in self.personas.iter().flat_map(|persona| &persona.tokens) {
                lines.push(format!("  {}={}", token.variable, token.token));
            }
            lines.push(String::new());
            lines.push(
                self.behind
                    .replace("{ALICE}", &first.variable)
                    .replace("{URL}", &place.url),
            );
        }
        lines.join("\n")
    }
}

/// A token of a persona for a server.
async fn token(
    known: &Known,
    place: &Place,
    provider: &OAuthProvider,
) -> Result<BearerToken, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::from(Problem::new("no token can be made to try things out").because(error))
    };
    let resource = ResourceUrl::parse(&place.url).map_err(|error| failed(&error))?;
    let subject = Subject::parse(known.name).map_err(|error| failed(&error))?;
    let client = ClientId::parse(CLIENT).map_err(|error| failed(&error))?;
    let mut claims = Map::new();
    claims.insert("role".to_owned(), known.role.into());
    let mint = Mint::new(subject, client, resource)
        .scope(known.scopes.clone())
        .lifetime(TOKEN_LIFETIME)
        .claims(claims);
    // Whoever is shown the tokens need not be warned of them.
    let minted = provider.mint(&mint).with_subscriber(NoSubscriber::new());
    minted.await.map_err(|error| failed(&error))
}

/// `ALICE`, or `ALICE_MY_FILES` for the server `my-files`.
fn variable(persona: &str, server: Option<&String>) -> String {
    let parts = std::iter::once(persona).chain(server.map(String::as_str));
    let parts = parts.collect::<Vec<_>>().join("_");
    let word = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    parts.chars().map(word).collect()
}

const WHO: &str = "A client opens a page to log in. Anybody on this machine can click there on";

const DEMO_CALL: &str = r#"As alice this adds a note. With bob's token it is 403, with none 401:

  curl -i {URL} \
    -H "Authorization: Bearer ${ALICE}" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" \
    -H "MCP-Protocol-Version: 2026-07-28" \
    -H "Mcp-Method: tools/call" -H "Mcp-Name: add_note" \
    -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
      "name": "add_note", "arguments": {"text": "hello"}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}}}'"#;

const LIST_CALL: &str = r#"As alice this opens a session. Without the token it is 401:

  curl -i {URL} \
    -H "Authorization: Bearer ${ALICE}" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" \
    -d '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
      "protocolVersion": "2025-11-25", "capabilities": {},
      "clientInfo": {"name": "curl", "version": "0"}}}'"#;
