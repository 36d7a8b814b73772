//! The authorization server as a whole: what is configured, what it is made of, how it is mounted.

mod background;
mod builder;
mod check;
mod introspection;
mod mount;
mod operate;
mod plan;
mod settings;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;
use std::sync::{Arc, OnceLock};

use portcullis_oauth::{BaseUrl, Issuer};
use portcullis_resource_server::StartError;
use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use self::plan::UpstreamPlan;

use self::plan::Plan;
use crate::context::Shared;
use crate::event::Events;
use crate::limits::Counts;
use crate::resources::Resources;

pub use self::builder::OAuthProviderBuilder;
pub use self::introspection::Introspection;
pub use self::operate::OperationError;
pub(crate) use self::settings::{Lifetimes, Settings};

/// A complete OAuth 2.1 authorization server, inside the server that it protects.
///
/// Users log in and consent on pages of its own, clients register or bring their metadata, and get
/// tokens that are bound to this server: signed, short-lived, refreshed by rotation, and worth
/// nothing once their grant is revoked.
///
/// ```
/// use portcullis_authorization_server::{Attempt, Authenticate, Authentication, OAuthProvider, User};
/// use portcullis_oauth::{Subject, scopes};
/// use portcullis_resource_server::{Auth, IntoAuth, Unavailable};
///
/// struct Accounts;
///
/// impl Authenticate for Accounts {
///     async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
///         # let _ = attempt;
///         Ok(Authentication::Refused) // ask your database
///     }
///
///     async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
///         # let _ = subject;
///         Ok(None)
///     }
/// }
///
/// # fn auth() -> Result<Auth, portcullis_resource_server::ConfigErrors> {
/// let provider = OAuthProvider::builder()
///     .base_url("https://mcp.example.com")
///     .users(Accounts)
///     .scopes(scopes!["notes:read", "notes:write"])
///     .scope_text("notes:read", "Read your notes")
///     .build()?;
/// # Ok(
/// provider.into_auth()?
/// # )
/// # }
/// ```
///
/// Clones are the same server.
#[derive(Clone)]
pub struct OAuthProvider {
    core: Arc<Core>,
}

/// What all clones share.
pub(crate) struct Core {
    plan: Plan,
    resources: Arc<Resources>,
    events: Arc<Events>,
    running: OnceCell<Running>,
}

/// A server that has started.
struct Running {
    context: Shared,
    /// Ends what runs in the background.
    _background: DropGuard,
}

impl OAuthProvider {
    /// Settings of a provider.
    pub fn builder() -> OAuthProviderBuilder {
        OAuthProviderBuilder::new()
    }

    fn of(plan: Plan) -> Self {
        Self {
            core: Arc::new(Core {
                resources: Arc::new(Resources::new(&plan.settings)),
                events: Arc::new(Events::new(Arc::clone(&plan.clock))),
                running: OnceCell::new(),
                plan,
            }),
        }
    }

    /// The public URL of this server.
    pub fn base_url(&self) -> &BaseUrl {
        &self.core.plan.settings.base_url
    }

    /// Who issues the tokens, byte for byte: the base URL, unless another was named.
    pub fn issuer(&self) -> &Issuer {
        &self.core.plan.settings.issuer
    }

    /// Opens the store, and makes or loads the keys. Whoever serves does this by
    /// [`Auth::start`](portcullis_resource_server::Auth::start); again, it does nothing.
    ///
    /// # Errors
    /// [`StartError`]. The next call tries again.
    pub async fn start(&self) -> Result<(), StartError> {
        self.core.context().await.map(drop)
    }

    /// What it counts, now or once it has started.
    fn counts(&self) -> Arc<OnceLock<Arc<Counts>>> {
        Arc::clone(&self.core.plan.counts)
    }

    /// What a test works with.
    #[cfg(test)]
    pub(crate) async fn context(&self) -> &Shared {
        self.core.context().await.unwrap()
    }
}

impl Core {
    /// What endpoints work with. The first one who asks starts the server.
    pub(crate) async fn context(&self) -> Result<&Shared, StartError> {
        let running = self.running.get_or_try_init(|| self.open()).await?;
        Ok(&running.context)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.plan.settings
    }

    /// The same, if the server runs already.
    pub(crate) fn started(&self) -> Option<&Shared> {
        self.running.get().map(|running| &running.context)
    }

    async fn open(&self) -> Result<Running, StartError> {
        let context = Arc::new(self.plan.open(&self.resources, &self.events).await?);
        let stop = CancellationToken::new();
        background::spawn(&context, stop.clone());
        Ok(Running {
            context,
            _background: stop.drop_guard(),
        })
    }
}

impl fmt::Debug for OAuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProvider")
            .field("issuer", self.issuer())
            .finish_non_exhaustive()
    }
}
