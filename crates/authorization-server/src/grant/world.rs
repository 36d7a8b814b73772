//! What tests of grants begin with.

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::{
    ClientId, CodeVerifier, MockClock, RedirectUri, ResourceUrl, SeededEntropy, SharedClock,
    SharedEntropy, Subject, Timestamp, scopes,
};
use portcullis_resource_server::{AccessToken, TokenParts};
use portcullis_store::{MemoryStore, Records, StoreHandle};

use super::ledger::LedgerParts;
use super::record::{GrantRecord, Owner};
use super::{Approval, GrantId, Ledger};
use crate::event::Events;
use crate::provider::Lifetimes;

pub(super) const START: i64 = 1_800_000_000;

/// A ledger, and what it works with.
pub(super) struct World {
    pub(super) ledger: Arc<Ledger>,
    pub(super) records: Records,
    /// The same store, in other hands.
    pub(super) beside: Records,
    pub(super) events: Arc<Events>,
    pub(super) clock: Arc<MockClock>,
}

pub(super) async fn world() -> World {
    world_on(StoreHandle::from(MemoryStore::new())).await
}

pub(super) async fn world_on(store: StoreHandle) -> World {
    let clock = Arc::new(MockClock::at(START));
    let shared: SharedClock = clock.clone();
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(1));
    let open = || store.clone().open(shared.clone(), entropy.clone());
    let (records, beside) = (open().await.unwrap(), open().await.unwrap());
    let events = Arc::new(Events::new(shared.clone()));
    let ledger = Arc::new(Ledger::new(LedgerParts {
        records: records.clone(),
        events: Arc::clone(&events),
        lifetimes: Lifetimes::default(),
        broker: None,
        configured: std::collections::BTreeSet::new(),
        is_strict: false,
        clock: shared,
        entropy,
    }));
    World {
        ledger,
        records,
        beside,
        events,
        clock,
    }
}

pub(super) fn verifier() -> CodeVerifier {
    CodeVerifier::parse(&"v".repeat(43)).unwrap()
}

pub(super) fn approval(interaction: [u8; 16]) -> Approval {
    Approval {
        interaction,
        session: [7; 32],
        client: ClientId::parse("client").unwrap(),
        redirect_uri: RedirectUri::parse("http://127.0.0.1/cb").unwrap(),
        code_challenge: verifier().challenge(),
        scope: scopes!["read"],
        resource: ResourceUrl::parse("https://mcp.example/mcp").unwrap(),
        subject: Subject::parse("alice").unwrap(),
        generation: 3,
        authenticated_at: Timestamp::from_secs(START),
        refresh: true,
        address: None,
    }
}

pub(super) fn grant(id: GrantId, granted_at: i64) -> GrantRecord {
    let approval = approval([0; 16]);
    let at = Timestamp::from_secs(granted_at);
    let end = at.saturating_add(Duration::from_secs(3600));
    GrantRecord {
        id,
        client: approval.client,
        is_configured: false,
        is_proxied: false,
        is_minted: false,
        owner: Some(Owner {
            subject: approval.subject,
            generation: 3,
            authenticated_at: at,
        }),
        scope: approval.scope,
        resource: approval.resource,
        reach: None,
        granted_at: at,
        last_used: at,
        ends_at: end,
        expires_at: end,
        refresh: None,
    }
}

pub(super) fn token_of(id: GrantId) -> AccessToken {
    let parts = TokenParts::new("https://mcp.example", "alice")
        .client_id("client")
        .audience(["https://mcp.example/mcp"]);
    let id = format!("{id}.abc");
    let mut claims = portcullis_oauth::json::Map::new();
    claims.insert("jti".to_owned(), id.into());
    AccessToken::assert_verified(parts.claims(claims))
}
