//! A server over HTTP: what it answers beside MCP, and how it is reached.

mod options;
mod router;

use std::{fmt, sync::Arc};

use axum::{Router, routing::MethodRouter};
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{Auth, IntoAuth, env::AuthEnv};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Core, Server};
use crate::{
    Result,
    error::{ConfigError, Error},
    listener::{Limits, Listener, Shutdown},
};

const BASE_URL_HINT: &str = "say under which URL clients reach this server: \
     `.base_url(\"https://mcp.example.com\")`; `http` is for loopback addresses alone";

/// Settings of a server over HTTP, with their defaults.
#[derive(Default)]
pub(crate) struct HttpOptions {
    pub(super) auth: Option<Auth>,
    is_auth_from_env: bool,
    pub(super) base_url: Option<BaseUrl>,
    pub(super) path: Option<String>,
    pub(super) hosts: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) routes: Vec<(String, MethodRouter)>,
    pub(super) protected_routes: Vec<(String, MethodRouter)>,
    pub(super) legacy_sse: bool,
    pub(super) allow_anonymous: bool,
    pub(super) limits: Limits,
    pub(super) probes: Probes,
    /// Cancelled when streams end too.
    pub(super) stop: CancellationToken,
}

/// Where the probes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Probes {
    #[default]
    Here,
    Elsewhere,
}

impl Server {
    /// Who verifies tokens, and what clients are told about it: a provider, or an
    /// [`Auth`]. Every request but the probes and the provider's own
    /// routes then needs a token.
    ///
    /// The public URL comes from the provider, or from [`base_url`](Self::base_url).
    pub fn auth(mut self, auth: impl IntoAuth) -> Self {
        match auth.into_auth() {
            Ok(auth) => self.options.http.auth = Some(auth),
            Err(error) => {
                // Nothing is served while there is a fault, so a provider that failed to build
                // never leaves the server open.
                self.faults.push(error);
            }
        }
        self
    }

    /// The public URL of this server, without the path of MCP: `https://mcp.example.com`.
    ///
    /// Default: `http://localhost:PORT` when listening on this machine only, `https` with TLS.
    pub fn base_url(mut self, url: &str) -> Self {
        match BaseUrl::parse(url) {
            Ok(url) => self.options.http.base_url = Some(url),
            Err(error) => self
                .faults
                .push(ConfigError::new("base_url", error.to_string()).with_hint(BASE_URL_HINT)),
        }
        self
    }

    /// Where MCP is served. Default: `/mcp`. The same path with a `/` at its end answers too.
    pub fn mcp_path(mut self, path: impl Into<String>) -> Self {
        self.options.http.path = Some(path.into());
        self
    }

    /// Serves clients of revision 2024-11-05 too, which know only the HTTP+SSE transport: the stream
    /// at `/sse`, where their users point them, and their messages at `/messages`. Default: off.
    ///
    /// Everything that protects MCP protects both paths. Tokens are those of the resource
    /// `{base_url}/sse`, unless the verifier names another audience. See
    /// [`legacy_sse`](portcullis_resource_server::mcp::legacy_sse) for its limits.
    pub fn legacy_sse(mut self, on: bool) -> Self {
        self.options.http.legacy_sse = on;
        self
    }

    /// One more host name under which clients reach this server.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.options.http.hosts.push(host.into());
        self
    }

    /// One more origin whose pages may call this server: `https://app.example.com`.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.options.http.origins.push(origin.into());
        self
    }

    /// Adds a route of your own that everybody can reach. `path` is axum's: `/files/{id}`.
    pub fn route(mut self, path: impl Into<String>, route: MethodRouter) -> Self {
        self.options.http.routes.push((path.into(), route));
        self
    }

    /// Adds a route of your own behind the server's auth. Its handlers can take an
    /// [`AccessToken`](crate::AccessToken) as an argument.
    pub fn protected_route(mut self, path: impl Into<String>, route: MethodRouter) -> Self {
        self.options
            .http
            .protected_routes
            .push((path.into(), route));
        self
    }

    /// How many connections, and how many requests at a time. Default: 10 000 and 1 000. More
    /// connections wait, more requests are answered with 503.
    pub fn max_connections(mut self, connections: usize, requests: usize) -> Self {
        self.options.http.limits.connections = connections;
        self.options.http.limits.requests = requests;
        self
    }

    /// Whether the probes `/livez`, `/readyz` and `/healthz` are served beside MCP. Default: yes.
    /// Without them their paths stay reserved: some other listener has them, by
    /// [`listener::probes`](crate::listener::probes).
    pub fn probes(mut self, on: bool) -> Self {
        self.options.http.probes = if on { Probes::Here } else { Probes::Elsewhere };
        self
    }

    /// How this server ends. Give it to the listener that serves its
    /// [router](Self::into_router), so that probes, calls and streams end in their order.
    pub fn shutdown(&self) -> Shutdown {
        let (draining, running) = (self.registry.draining(), &self.options.running);
        Shutdown::of(
            draining.clone(),
            running.clone(),
            self.options.http.stop.clone(),
        )
    }

    /// Switches that weaken this server. Each warns at every start.
    pub fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }

    /// The server as an axum router, to be served or merged by the caller.
    ///
    /// Who can reach it is up to the caller. So without auth, in code or in the environment, it
    /// needs one of two words: a [`base_url`](Self::base_url) on this machine, such as
    /// `http://localhost:8000`, which is then the only address that it answers to, or
    /// [`allow_anonymous`](Dangerous::allow_anonymous).
    ///
    /// # Errors
    /// When a definition or a setting cannot work, and when nothing says who may use it.
    pub fn into_router(mut self) -> Result<Router> {
        self.check()?;
        let http = &mut self.options.http;
        http.close_by(&AuthEnv::from_process())?;
        let is_local = http.base_url.as_ref().is_some_and(BaseUrl::is_loopback);
        // SECURITY: a router is served wherever its caller likes, and nobody opens it there by
        // forgetting a line; sec_a_router_without_auth_says_so
        if !http.is_closed() && !is_local && !http.allow_anonymous {
            return Err(Error::OpenRouter);
        }
        http.warn_if_open();
        let default = http.take_base_url(None)?;
        let http = std::mem::take(http);
        let core = self.finish_with(http.is_closed())?;
        router::build(&http, &core, default, http.stop.clone())
    }

    /// Listens on an address such as `127.0.0.1:8000` and serves until SIGTERM or Ctrl-C; then
    /// the calls that run get ten seconds to finish. A second signal ends them at once, and the
    /// answer is then [`Error::Interrupted`], whose signal knows the usual exit status.
    ///
    /// Without [`auth`](Self::auth) in code, the variables `FASTMCP_SERVER_AUTH*` and
    /// `PORTCULLIS_AUTH*` are applied where they are set.
    ///
    /// A loopback IPv4 address or `localhost` is also served on `[::1]`, as browsers and clients
    /// try either.
    ///
    /// # Errors
    /// When a definition or a setting cannot work, when the address cannot be bound, when other
    /// machines could reach a server without auth, and when it was told twice to stop.
    pub async fn serve_http(self, address: impl fmt::Display) -> Result<()> {
        self.check()?;
        let listener = Listener::bind(&address.to_string()).await?;
        let limits = self.options.http.limits;
        self.serve_on(listener.limited(limits)).await
    }

    /// Like [`serve_http`](Self::serve_http), on a listener that exists already.
    ///
    /// # Errors
    /// See [`serve_http`](Self::serve_http).
    pub async fn serve_with_listener(self, listener: TcpListener) -> Result<()> {
        self.check()?;
        let limits = self.options.http.limits;
        self.serve_on(Listener::on(listener)?.limited(limits)).await
    }

    /// Like [`serve_http`](Self::serve_http), on a [`Listener`] with its own settings: HTTPS, trusted
    /// proxies, bounds, the time to drain. It ends with this server's [`shutdown`](Self::shutdown), and
    /// begins to when the one that it was given begins.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use portcullis::{Server, Tool, listener::Listener};
    ///
    /// # async fn serve() -> portcullis::Result<()> {
    /// let listener = Listener::bind("127.0.0.1:8000").await?.drain(Duration::from_secs(30));
    /// Server::new("hello")
    ///     .tool(Tool::new("hello", async || "Hello!"))
    ///     .serve_on(listener)
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`serve_http`](Self::serve_http).
    pub async fn serve_on(mut self, listener: Listener) -> Result<()> {
        self.check()?;
        let http = &mut self.options.http;
        http.close_by(&AuthEnv::from_process())?;
        let closed = http.is_closed();
        if !closed && !listener.is_local() {
            // SECURITY: nobody opens a server to the network by forgetting a line;
            // sec_a_server_without_auth_stays_on_this_machine
            if !http.allow_anonymous {
                return Err(Error::OpenToTheNetwork {
                    address: listener.to_string(),
                });
            }
        }
        http.warn_if_open();
        let base = http.take_base_url(Some(&listener))?;
        let url = base.join(http.path());
        let http = std::mem::take(http);
        let core = self.finish_with(closed)?;
        let router = router::build(&http, &core, base, http.stop.clone())?;
        if let Some(auth) = &http.auth {
            auth.start().await?;
        }
        http.say_hello(&url);
        http.warm().await;
        let given = listener.shutdown();
        let shutdown = Shutdown::of(core.draining.clone(), core.running.clone(), http.stop);
        let listener = listener.with_shutdown(shutdown.clone());
        let follow = async {
            given.begun().await;
            shutdown.begin();
            std::future::pending().await
        };
        tokio::select! {
            served = listener.serve(router) => served,
            never = follow => never,
        }
    }

    fn finish_with(mut self, closed: bool) -> Result<Arc<Core>> {
        self.gate.closed = closed;
        if !closed {
            for component in self.registry.restricted() {
                tracing::warn!(
                    "{component} needs a token, and this server has no auth: nobody can use it"
                );
            }
        }
        self.finish()
    }
}

/// Switches that weaken a server.
#[derive(Debug)]
#[must_use = "a switch gives the server back"]
pub struct Dangerous(Server);

impl Dangerous {
    /// Serves other machines without asking who calls.
    ///
    /// What breaks: whoever reaches the port can use every tool. Who is hurt: everybody whose
    /// data the tools reach. When it is right: inside a network where something else has
    /// verified the caller already.
    pub fn allow_anonymous(mut self) -> Server {
        self.0.options.http.allow_anonymous = true;
        self.0
    }
}

#[cfg(test)]
mod tests;
