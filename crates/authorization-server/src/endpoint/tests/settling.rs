//! What a server does behind its answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::StatusCode;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{SeededEntropy, Timestamp};
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, Row, RowKey, SealingKeys, Siblings, Store,
    StoreError, StoreHandle,
};
use tokio::sync::Semaphore;

use super::server::{APP, DAEMON, SECRET, Server};
use crate::client::{ConfiguredClient, GrantType};
use crate::grant::record::GrantRecord;

/// A store that looks at families when it is let, and counts how often one was read.
#[derive(Debug)]
struct Slow {
    inner: MemoryStore,
    gate: Semaphore,
    counted: AtomicUsize,
    listed: AtomicUsize,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            gate: Semaphore::new(0),
            counted: AtomicUsize::new(0),
            listed: AtomicUsize::new(0),
        })
    }

    fn let_all(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn server(self: &Arc<Self>) -> Server {
        let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
        let handle = StoreHandle::new(Arc::clone(self) as Arc<dyn Store>, keys);
        Server::with(|builder| builder.store(handle)).await
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Store for Slow {
    fn count_family(&self, collection: Collection, family: [u8; 32]) -> Answer<'_, u64> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            self.counted.fetch_add(1, Ordering::SeqCst);
            self.inner.count_family(collection, family).await
        })
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> Answer<'_, Vec<Row>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            self.listed.fetch_add(1, Ordering::SeqCst);
            self.inner.list_family(collection, family, page).await
        })
    }

    fn get(&self, key: RowKey) -> Answer<'_, Option<Row>> {
        self.inner.get(key)
    }

    fn take(&self, key: RowKey) -> Answer<'_, Option<Row>> {
        self.inner.take(key)
    }

    fn commit(&self, changes: Vec<Change>, now: Timestamp) -> Answer<'_, Committed> {
        self.inner.commit(changes, now)
    }

    fn list(&self, collection: Collection, page: Page) -> Answer<'_, Vec<Row>> {
        self.inner.list(collection, page)
    }

    fn count(&self, collection: Collection) -> Answer<'_, u64> {
        self.inner.count(collection)
    }

    fn list_ending(&self, collection: Collection, limit: usize) -> Answer<'_, Vec<Row>> {
        self.inner.list_ending(collection, limit)
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> Answer<'_, u64> {
        self.inner.sweep(now, limit)
    }

    fn siblings(&self) -> &Siblings {
        self.inner.siblings()
    }

    fn foreign_changes(&self) -> u64 {
        self.inner.foreign_changes()
    }
}

/// As after a reload: another server on the same store, whose configuration has the client or not.
#[tokio::test]
async fn sec_rv_02_a_client_that_is_taken_out_loses_its_tokens() {
    let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
    let handle = StoreHandle::new(Arc::new(MemoryStore::new()), keys);
    let server = async |has_job: bool| {
        let job = ConfiguredClient::new("job").secret(ClientSecret::new(SECRET));
        let job = job.grant_types([GrantType::CLIENT_CREDENTIALS]);
        let handle = handle.clone();
        Server::with(|builder| {
            let builder = builder.store(handle);
            if has_job {
                builder.client(job)
            } else {
                builder
            }
        })
        .await
    };
    let before = server(true).await;
    let fields = [("grant_type", "client_credentials")];
    let token = async |client| {
        let answer = before.post_as((client, SECRET), "/oauth/token", &fields);
        answer.await.text("access_token")
    };
    let (job, other) = (token("job").await, token(DAEMON).await);
    let (user, _) = before.tokens(APP).await;
    let (without, again) = (server(false).await, server(true).await);
    for (server, expected) in [
        (&before, StatusCode::OK),
        (&without, StatusCode::UNAUTHORIZED),
        (&again, StatusCode::OK),
    ] {
        // Once it is read, and once it is remembered.
        for _ in 0..2 {
            assert_eq!(server.call(&job).await, expected);
            assert_eq!(server.call(&other).await, StatusCode::OK);
            assert_eq!(server.call(&user).await, StatusCode::OK);
        }
    }
}

/// Lets what is behind answers go on, until that is true.
async fn until(mut is_true: impl AsyncFnMut() -> bool) {
    for _ in 0..10_000 {
        if is_true().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never becomes true");
}

#[tokio::test]
async fn nobody_waits_for_a_look_at_the_users_other_grants() {
    let store = Slow::new();
    let server = store.server().await;
    for _ in 0..3 {
        let code = server.code(APP).await;
        let answer = server.redeem(APP, &code, &[]);
        let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
        assert_eq!(answer.unwrap().status, StatusCode::OK);
    }
    assert_eq!(store.counted.load(Ordering::SeqCst), 0);
    store.let_all();
    until(async || store.counted.load(Ordering::SeqCst) > 0).await;
    assert_eq!(store.listed.load(Ordering::SeqCst), 0, "none is read");
}

#[tokio::test]
async fn sec_cd_12_what_is_too_much_ends_behind_the_answer() {
    let store = Slow::new();
    let server = store.server().await;
    store.let_all();
    let (first, _) = server.tokens(APP).await;
    for _ in 0..50 {
        assert_eq!(server.call(&first).await, StatusCode::OK);
        server.clock.advance(Duration::from_secs(1));
        server.tokens(APP).await;
    }
    let records = &server.context.records;
    until(async || records.count::<GrantRecord>().await.unwrap() == 50).await;
    assert_eq!(server.call(&first).await, StatusCode::UNAUTHORIZED);
}
