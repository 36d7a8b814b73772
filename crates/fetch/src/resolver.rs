//! From names to addresses that were checked.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_service::Service;

use crate::error::Refusal;
use crate::policy::Policy;

/// No honest name has more addresses.
const MAX_ADDRESSES: usize = 64;

/// The answer of a [`Lookup`].
pub type LookupFuture<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks up the addresses of a name.
///
/// The default asks the operating system. Whatever the source, its answer is checked, and the
/// connection goes to the addresses of that one answer.
pub trait Lookup: std::fmt::Debug + Send + Sync + 'static {
    /// All addresses, IPv4 and IPv6, of the host `name`, which is never an IP address itself.
    fn lookup<'a>(&'a self, name: &'a str) -> LookupFuture<'a>;
}

/// The operating system's resolver.
#[derive(Debug)]
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, name: &'a str) -> LookupFuture<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A lookup and a check: all that the HTTP client learns of addresses. The time counts as the
/// connection's.
#[derive(Debug, Clone)]
pub(crate) struct CheckedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) policy: Policy,
}

impl CheckedResolver {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let found = self.lookup.lookup(host).await;
        let addresses = found.map_err(|_| ResolveError::Failed)?;
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            return Err(ResolveError::Failed);
        }
        // SECURITY: what is checked here is what the connection uses, so a second answer of the
        // same name plays no part; sec_sf_03_a_name_that_moves_to_loopback_is_never_reached
        self.policy
            .check_addresses(host, &addresses)
            .map_err(ResolveError::Refused)?;
        Ok(addresses)
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let addresses = this.addresses(name.as_str()).await?;
            // Port 0 is replaced by the port of the URL.
            let sockets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

impl Service<dns::Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let addresses = this.addresses(name.as_str()).await?;
            let sockets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(sockets.collect::<Vec<_>>().into_iter())
        })
    }
}

/// How a lookup ended, on its way through the HTTP client's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the name has an address that is not allowed")]
    Refused(#[source] Refusal),
    #[error("the name has no address, or too many")]
    Failed,
}
