//! A server, from its definition to its transports.

mod core;
#[cfg(feature = "http")]
mod http;
mod options;

use std::sync::Arc;

use portcullis_oauth::{Scope, ScopeHierarchy, ScopeSet, SharedClock, SharedEntropy};
#[cfg(feature = "stdio")]
use portcullis_resource_server::{AccessToken, TokenParts};

pub(crate) use self::core::{Core, Readable, Refusal};
#[cfg(feature = "http")]
pub use self::http::Dangerous;
use self::options::Options;
use crate::{
    Prompt, Resource, ResourceTemplate, Result, ServerHandle, Tool,
    access::{Gate, Rule},
    error::{ConfigError, Error},
    model,
    registry::{Component, Registry},
    rmcp_adapter::{self, Introduction, Tasks},
};

/// The largest request body, in bytes.
#[cfg(feature = "http")]
pub(crate) const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// An MCP server: what it offers, who may have it, and where it listens.
///
/// ```no_run
/// use portcullis::{Args, Server, Tool};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Greet { /** Who to greet. */ name: String }
///
/// async fn greet(Args(Greet { name }): Args<Greet>) -> String { format!("Hello, {name}!") }
///
/// # async fn run() -> portcullis::Result<()> {
/// Server::new("hello")
///     .tool(Tool::new("greet", greet).description("Greet someone by name"))
///     .serve_http("127.0.0.1:8000")
///     .await
/// # }
/// ```
///
/// Mistakes in definitions are collected and reported, all at once, when serving starts.
#[derive(Debug)]
#[must_use = "a server does nothing until it serves"]
pub struct Server {
    info: model::Implementation,
    instructions: Option<String>,
    registry: Arc<Registry>,
    gate: Gate,
    options: Options,
    faults: Vec<ConfigError>,
}

impl Server {
    /// A server with nothing on offer yet. The name is for programs: letters, digits, dashes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            info: model::Implementation::new(name, "0.0.0"),
            instructions: None,
            registry: Registry::new(),
            gate: Gate::default(),
            options: Options::default(),
            faults: Vec::new(),
        }
    }

    /// The server's version, for example `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.info.version = version.into();
        self
    }

    /// The name to show to people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.info.title = Some(title.into());
        self
    }

    /// How to use this server, for the model.
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.instructions = Some(text.into());
        self
    }

    /// Adds a tool.
    pub fn tool(self, tool: Tool) -> Self {
        self.add(tool)
    }

    /// Adds a prompt.
    pub fn prompt(self, prompt: Prompt) -> Self {
        self.add(prompt)
    }

    /// Adds a resource.
    pub fn resource(self, resource: Resource) -> Self {
        self.add(resource)
    }

    /// Adds a family of resources.
    pub fn resource_template(self, template: ResourceTemplate) -> Self {
        self.add(template)
    }

    /// Shows everything of another server under a prefix: its tool `greet` becomes
    /// `prefix_greet`, its resource `notes://motd` becomes `notes://prefix/motd`.
    ///
    /// The other server's own rules still hold, for its components and as a whole. If it has
    /// auth, its components need a verified caller here too; only this server's auth verifies.
    /// What changes there later changes here.
    ///
    /// Components are mounted, and nothing else: the other server's title, instructions, auth and
    /// settings of HTTP have no effect here. If it has routes of its own, that is a fault, as they
    /// would be gone: add them to this server.
    pub fn mount(mut self, prefix: &str, other: Self) -> Self {
        #[cfg(feature = "http")]
        if !other.options.http.routes.is_empty() || !other.options.http.protected_routes.is_empty()
        {
            let fault = "has routes of its own, and routes are not mounted";
            let fault = ConfigError::new(format!("mount `{prefix}`"), fault);
            self.faults
                .push(fault.with_hint("add the routes to the outer server"));
        }
        let mut gate = other.gate;
        if other.options.is_closed() {
            gate.rules.insert(0, crate::access::require_auth());
        }
        self.faults.extend(other.faults);
        let mounted = self.registry.mount(prefix, other.registry, Arc::new(gate));
        self.faults.extend(mounted.err());
        self
    }

    /// Adds a rule that holds for every component of this server, also where it is mounted.
    pub fn authorize(mut self, rule: Rule) -> Self {
        let fault = rule.fault().map(|fault| ConfigError::new("server", fault));
        self.faults.extend(fault);
        self.gate.rules.push(rule);
        self
    }

    /// Needs these scopes for every component of this server. See
    /// [`Tool::require_scopes`].
    pub fn require_scopes(self, scopes: ScopeSet) -> Self {
        self.authorize(crate::access::require_scopes(scopes))
    }

    /// Who holds `scope` holds these too, wherever scopes are compared.
    pub fn scope_implies(mut self, scope: Scope, implied: ScopeSet) -> Self {
        let hierarchy: ScopeHierarchy = std::mem::take(&mut self.gate.hierarchy);
        self.gate.hierarchy = hierarchy.implies(scope, implied);
        self
    }

    /// The key that protects what travels through clients between two rounds of a call, and
    /// between two pages of a list: at least 32 bytes, the same on every replica. Default: one of
    /// this process, so that a client must come back to the process that it asked first.
    pub fn state_key(mut self, key: portcullis_oauth::SecretBytes) -> Self {
        self.options.state_key = Some(key);
        self
    }

    /// The clock and the randomness that this server uses. For tests; the system's otherwise.
    pub fn clock_and_entropy(mut self, clock: SharedClock, entropy: SharedEntropy) -> Self {
        self.options.clock = clock;
        self.options.entropy = entropy;
        self
    }

    /// How long each client may keep the lists of this server. Default: not at all.
    pub fn cache_lists(mut self, fresh: std::time::Duration) -> Self {
        self.options.list_freshness = fresh;
        self
    }

    /// How many components one answer to `tools/list`, `prompts/list`, `resources/list` or
    /// `resources/templates/list` holds at most; the rest follows by `nextCursor`. Default: 1000,
    /// as some clients read the first page alone.
    ///
    /// A cursor is good for its caller, its list and ten minutes, and for every replica that
    /// shares a [`state_key`](Self::state_key).
    pub fn list_page_size(mut self, most: usize) -> Self {
        if most == 0 {
            let fault = "`.list_page_size(0)` would show nothing";
            self.faults.push(ConfigError::new("server", fault));
        }
        self.options.list_page = most;
        self
    }

    /// What changes a running server. Take it before serving; it stays valid.
    pub fn handle(&self) -> ServerHandle {
        self.registry.set_live();
        ServerHandle::new(Arc::clone(&self.registry))
    }

    /// Serves the process that started this one, over stdin and stdout, until it is gone.
    ///
    /// There is no OAuth on stdio: whoever starts the process is its user. That user passes
    /// `require_auth` and holds neither scopes nor roles; tools that need some stay hidden.
    /// Nothing else may write to stdout.
    ///
    /// # Errors
    /// When a definition cannot work, or the peer does not speak MCP.
    #[cfg(feature = "stdio")]
    pub async fn serve_stdio(self) -> Result<()> {
        let core = self.finish()?;
        tracing::info!("serving MCP on stdin and stdout, to whoever started this process");
        rmcp_adapter::serve_stdio(core, local_user()).await
    }

    /// Serves one peer on a byte stream until it is gone: a socket, a pipe, a test. Like
    /// [`serve_stdio`](Self::serve_stdio), with nobody as its user.
    ///
    /// # Errors
    /// When a definition cannot work, or the peer does not speak MCP.
    pub async fn serve_stream<R, W>(self, read: R, write: W) -> Result<()>
    where
        R: tokio::io::AsyncRead + Send + Unpin + 'static,
        W: tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let core = self.finish()?;
        rmcp_adapter::serve_stream(core, None, read, write).await
    }

    /// Whether every definition can work.
    #[cfg(feature = "http")]
    fn check(&self) -> Result<()> {
        let mut faults = self.faults.clone();
        let auth = self.options.http.auth.as_ref();
        // Auth of the environment closes what code leaves open, so only auth in code is asked.
        if auth.is_some_and(|auth| auth.is_protected() && !auth.is_anonymous_per_component()) {
            faults.extend(self.registry.anonymous().into_iter().map(|component| {
                let fault = "is anonymous, and the server's auth admits nobody without a token";
                ConfigError::new(component, fault)
                    .with_hint("say `.anonymous_per_component()` on the `Auth`")
            }));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Config(faults))
        }
    }

    /// The server as its transports need it.
    pub(crate) fn finish(self) -> Result<Arc<Core>> {
        if !self.faults.is_empty() {
            return Err(Error::Config(self.faults));
        }
        let states = self.options.state_codec()?;
        let fresh = self.options.list_freshness.as_millis();
        let draining = self.registry.draining().clone();
        Ok(Arc::new(Core {
            info: self.info,
            instructions: self.instructions,
            registry: self.registry,
            gate: self.gate,
            introduction: Introduction::default(),
            list_page: self.options.list_page,
            list_freshness: u64::try_from(fresh).unwrap_or(u64::MAX),
            states,
            #[cfg(feature = "http")]
            entropy: self.options.entropy,
            tasks: Arc::new(Tasks::default()),
            draining,
            running: self.options.running,
        }))
    }

    fn add<C: Component>(mut self, component: C) -> Self {
        self.faults.extend(self.registry.add(component).err());
        self
    }
}

/// The user of this machine, as the owner of the process on stdio.
#[cfg(feature = "stdio")]
fn local_user() -> AccessToken {
    // Nobody issued this token: whoever can start the process already has the user's rights
    // (MCP authorization, "Protocol Requirements"). It grants no scope and carries no claim.
    AccessToken::assert_verified(TokenParts::new("urn:portcullis:local", "local"))
}

#[cfg(test)]
mod tests;
