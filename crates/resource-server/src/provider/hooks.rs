//! What a provider is told of where it is mounted, and what it does before the first request.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use axum::routing::MethodRouter;
use futures_util::future::BoxFuture;
use portcullis_oauth::{ResourceUrl, ScopeHierarchy, ScopeSet};

use super::Auth;
use crate::mcp::guard::Guard;
use crate::observe::Observers;

type OnMount = Arc<dyn Fn(&MountedResource) + Send + Sync>;
type OnStart = Arc<dyn Fn() -> BoxFuture<'static, Result<(), StartError>> + Send + Sync>;

/// What a provider wants to be asked and told.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    on_mount: Vec<OnMount>,
    on_start: Vec<OnStart>,
}

/// A resource that is protected from now on, for a provider that issues the tokens for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MountedResource {
    /// The audience of its tokens.
    pub resource: ResourceUrl,
    /// Its name for users.
    pub name: Option<String>,
    /// The scopes that something of it needs, as far as they are known.
    pub scopes: ScopeSet,
    /// Those of them that every request needs.
    pub required: ScopeSet,
    /// Which scopes stand for others.
    pub hierarchy: ScopeHierarchy,
    /// Whether it stands for itself. The stream of the HTTP+SSE transport stands beside another.
    pub is_main: bool,
    /// Who is told of what happens at it.
    pub observers: Observers,
}

/// A provider could not start.
#[derive(Debug, Clone)]
pub struct StartError {
    what: Arc<str>,
    hint: Option<&'static str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StartError {
    /// What could not be done, as a sentence without a full stop: "the store cannot be opened".
    pub fn new(what: impl Into<Arc<str>>) -> Self {
        Self {
            what: what.into(),
            hint: None,
            source: None,
        }
    }

    /// What caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<&'static str>) -> Self {
        self.hint = hint;
        self
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl Auth {
    /// Tells `hook` of each resource that is mounted with this, at the time when it is.
    pub fn on_mount(mut self, hook: impl Fn(&MountedResource) + Send + Sync + 'static) -> Self {
        self.hooks.on_mount.push(Arc::new(hook));
        self
    }

    /// Runs `hook` at the [start](Self::start), before the first request.
    pub fn on_start<F>(mut self, hook: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StartError>> + Send + 'static,
    {
        self.hooks.on_start.push(Arc::new(move || Box::pin(hook())));
        self
    }

    /// Does what has to be done before the first request: a provider opens its store, and makes or
    /// loads its keys. Whoever serves calls this, so that what is wrong is said at once; without it
    /// the first request starts the provider, and is answered with 503 if that fails.
    ///
    /// # Errors
    /// [`StartError`] of the first provider that cannot start.
    pub async fn start(&self) -> Result<(), StartError> {
        for hook in &self.hooks.on_start {
            hook().await?;
        }
        Ok(())
    }

    /// A [route](Self::route) that answers only to hosts of ours, as MCP itself.
    pub fn guarded_route(mut self, path: impl Into<String>, route: MethodRouter) -> Self {
        self.routes.push(OwnRoute {
            path: path.into(),
            route,
            is_guarded: true,
        });
        self
    }

    pub(super) fn tell_mounted(&self, resource: ResourceUrl, is_main: bool) {
        if self.hooks.on_mount.is_empty() {
            return;
        }
        let gate = self.gate.as_ref();
        let required = gate.map_or_else(ScopeSet::new, |gate| gate.required_scopes.clone());
        let known = self.access.as_ref().map(|policy| policy.known_scopes());
        let mounted = MountedResource {
            resource,
            name: gate.and_then(|gate| gate.resource_name.clone()),
            scopes: required.union(&known.unwrap_or_default()),
            required,
            hierarchy: gate.map_or_else(ScopeHierarchy::new, |gate| gate.hierarchy.clone()),
            is_main,
            observers: Observers::new(self.observers.iter().cloned()),
        };
        for hook in &self.hooks.on_mount {
            hook(&mounted);
        }
    }
}

/// A route that comes with the provider.
#[derive(Clone)]
pub(super) struct OwnRoute {
    pub(super) path: String,
    pub(super) route: MethodRouter,
    pub(super) is_guarded: bool,
}

impl OwnRoute {
    /// The route, behind the guard where it wants that.
    pub(super) fn behind(&self, guard: &Arc<Guard>) -> MethodRouter {
        let route = self.route.clone();
        if !self.is_guarded {
            return route;
        }
        let guard = Arc::clone(guard);
        let check = move |request: Request, next: Next| {
            let stray = guard.check_host(&request).err();
            async move {
                // SECURITY: under a name that somebody else can point here, a page would look like
                // ours to the browser, cookies and all (MCP Streamable HTTP, security warning);
                // sec_rs_10_guarded_routes_have_the_same_hosts
                match stray {
                    Some(stray) => stray.into_response(),
                    None => next.run(request).await,
                }
            }
        };
        route.layer(middleware::from_fn(check))
    }
}
