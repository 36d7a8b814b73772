//! Clients of your own.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use portcullis_oauth::ClientId;
use portcullis_resource_server::Unavailable;

use super::Client;
use super::event::Journal;

/// Where clients are looked up. The server has its own, of configured clients, metadata documents
/// and registrations; one of yours is asked before it.
pub trait ClientRegistry: Send + Sync + 'static {
    /// The client of that id, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said.
    fn find(
        &self,
        id: &ClientId,
    ) -> impl Future<Output = Result<Option<Client>, Unavailable>> + Send;
}

/// A registry of whatever type, asked within bounds.
#[derive(Clone)]
pub(crate) struct SharedRegistry(Arc<dyn Erased>);

/// The longest time that a registry may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl SharedRegistry {
    pub(crate) fn new(registry: impl ClientRegistry) -> Self {
        Self(Arc::new(registry))
    }

    pub(super) async fn find(
        &self,
        id: &ClientId,
        journal: &Journal,
    ) -> Result<Option<Client>, Unavailable> {
        let answer = tokio::time::timeout(PATIENCE, self.0.find(id)).await;
        let found = answer
            .unwrap_or_else(|_| Err(Unavailable::new("the client registry takes too long")))?;
        // SECURITY: another client than the one that was asked for would get its codes (CWE-863);
        // sec_dr_03_a_registry_answers_for_the_id_it_was_asked_for
        if found.as_ref().is_some_and(|client| client.id != *id) {
            journal.registry_confused(id);
            return Ok(None);
        }
        Ok(found)
    }
}

impl fmt::Debug for SharedRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedRegistry(..)")
    }
}

trait Erased: Send + Sync {
    fn find<'a>(&'a self, id: &'a ClientId) -> BoxFuture<'a, Result<Option<Client>, Unavailable>>;
}

impl<R: ClientRegistry> Erased for R {
    fn find<'a>(&'a self, id: &'a ClientId) -> BoxFuture<'a, Result<Option<Client>, Unavailable>> {
        Box::pin(ClientRegistry::find(self, id))
    }
}
