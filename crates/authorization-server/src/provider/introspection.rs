//! Who may ask about tokens.

use std::collections::BTreeMap;

use portcullis_oauth::{ClientId, ResourceUrl};

/// Which resource servers may ask about tokens (RFC 7662), and about which.
///
/// Nobody may, unless it is said here. A resource server is a configured client with a secret or
/// keys; it learns of tokens for its own resources, and of no others that there are any.
///
/// ```
/// use portcullis_authorization_server::Introspection;
/// use portcullis_oauth::{ClientId, ResourceUrl};
///
/// let who = Introspection::nobody().allow(
///     ClientId::parse("files-server")?,
///     [ResourceUrl::parse("https://files.example.com/mcp")?],
/// );
/// # let _ = who;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Introspection(BTreeMap<ClientId, Scope>);

#[derive(Debug, Clone)]
enum Scope {
    All,
    Some(Vec<ResourceUrl>),
}

impl Introspection {
    /// Nobody may ask: there is no such endpoint.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// This client may ask about tokens for these resources.
    pub fn allow(
        mut self,
        client: ClientId,
        resources: impl IntoIterator<Item = ResourceUrl>,
    ) -> Self {
        let resources = resources.into_iter().collect();
        self.0.insert(client, Scope::Some(resources));
        self
    }

    /// This client may ask about all tokens of this server.
    pub fn allow_all(mut self, client: ClientId) -> Self {
        self.0.insert(client, Scope::All);
        self
    }

    pub(crate) fn is_offered(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a client may ask about anything.
    pub(crate) fn knows(&self, client: &ClientId) -> bool {
        self.0.contains_key(client)
    }

    /// Whether a client may learn of tokens for a resource.
    pub(crate) fn covers(&self, client: &ClientId, resource: &ResourceUrl) -> bool {
        match self.0.get(client) {
            Some(Scope::All) => true,
            Some(Scope::Some(resources)) => resources.contains(resource),
            None => false,
        }
    }
}
