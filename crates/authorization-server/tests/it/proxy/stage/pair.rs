//! Two servers on one store.

use std::sync::Arc;

use axum::Router;
use portcullis_authorization_server::OAuthProxyBuilder;
use portcullis_store::{MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::FaultyStore;
use portcullis_testkit::{MockClock, SeededEntropy};

use super::{START, World, oidc, provider, serve};

/// Two servers on one store, each as if in a process of its own. The first is the world's.
pub(in crate::proxy) struct Pair {
    pub(in crate::proxy) world: World,
    pub(in crate::proxy) sites: [Router; 2],
    /// The store as each of them has it.
    pub(in crate::proxy) stores: [Arc<FaultyStore>; 2],
    /// The store itself.
    pub(in crate::proxy) store: Arc<dyn Store>,
}

impl Pair {
    pub(in crate::proxy) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// Two that are built otherwise.
    pub(in crate::proxy) async fn with(
        change: impl Fn(OAuthProxyBuilder) -> OAuthProxyBuilder,
    ) -> Self {
        let clock = Arc::new(MockClock::at(START));
        let upstream = provider(&clock).await;
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let stores = [0, 1].map(|_| Arc::new(FaultyStore::new(Arc::clone(&store))));
        let site = async |own: &Arc<FaultyStore>| {
            let keys = SealingKeys::generate(&SeededEntropy::new(1)).unwrap();
            let handle = StoreHandle::new(Arc::clone(own) as Arc<dyn Store>, keys);
            serve((oidc(&upstream), &clock), handle, |builder| {
                let key = "a secret that two servers share, of 32 bytes";
                change(builder.jwt_signing_key(key))
            })
            .await
        };
        let sites = [site(&stores[0]).await, site(&stores[1]).await];
        let world = World {
            site: sites[0].clone(),
            upstream,
            clock,
        };
        Self {
            world,
            sites,
            stores,
            store,
        }
    }
}
