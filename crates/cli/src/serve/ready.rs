//! What is said once, when clients can come.

use serde::Serialize;

use super::Behind;
use crate::dev::Personas;
use crate::report::Show;

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
    servers: Vec<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    personas: Vec<Shown>,
    #[serde(skip)]
    behind: &'static str,
}

/// A persona, with the token that this command is asked for.
#[derive(Debug, Serialize)]
struct Shown {
    name: &'static str,
    role: &'static str,
    scopes: String,
    token: String,
}

impl Ready {
    pub(super) fn new(auth: &'static str, servers: Vec<Place>, behind: Behind) -> Self {
        Self {
            event: "ready",
            auth,
            servers,
            admin: None,
            personas: Vec::new(),
            behind: match behind {
                Behind::Demo => DEMO_CALL,
                Behind::Upstreams => LIST_CALL,
            },
        }
    }

    pub(super) fn personas(mut self, personas: Option<&Personas>) -> Self {
        let all = personas.into_iter().flat_map(Personas::iter);
        let shown = all.map(|persona| Shown {
            name: persona.name,
            role: persona.role,
            scopes: persona.scopes.to_string(),
            token: persona.token.expose().to_owned(),
        });
        self.personas = shown.collect();
        self
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
        for place in &self.servers {
            lines.push(format!("  behind  {}", place.behind));
        }
        if let Some(admin) = &self.admin {
            lines.push(format!("  admin   {admin}"));
        }
        lines.push("  stop    Ctrl-C".to_owned());
        if let (Some(first), Some(place)) = (self.personas.first(), self.servers.first()) {
            lines.push(String::new());
            for persona in &self.personas {
                lines.push(format!("  {:6}  {}", persona.name, persona.token));
                let scopes = if persona.scopes.is_empty() {
                    "none"
                } else {
                    &persona.scopes
                };
                lines.push(format!("          role {}, scopes {scopes}", persona.role));
            }
            lines.push(String::new());
            lines.push(
                self.behind
                    .replace("{TOKEN}", &first.token)
                    .replace("{URL}", &place.url),
            );
        }
        lines.join("\n")
    }
}

const DEMO_CALL: &str = r#"As alice this adds a note. With bob's token it is 403, with none 401:

  TOKEN={TOKEN}
  curl -i {URL} \
    -H "Authorization: Bearer $TOKEN" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" \
    -H "MCP-Protocol-Version: 2026-07-28" \
    -H "Mcp-Method: tools/call" -H "Mcp-Name: add_note" \
    -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
      "name": "add_note", "arguments": {"text": "hello"}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}}}'"#;

const LIST_CALL: &str = r#"As alice this opens a session. Without the token it is 401:

  TOKEN={TOKEN}
  curl -i {URL} \
    -H "Authorization: Bearer $TOKEN" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" \
    -d '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
      "protocolVersion": "2025-11-25", "capabilities": {},
      "clientInfo": {"name": "curl", "version": "0"}}}'"#;
