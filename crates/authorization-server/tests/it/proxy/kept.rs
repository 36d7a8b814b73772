//! What is kept: across processes and restarts, under which key, and for which provider.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_authorization_server::{
    GrantFilter, Grants, OAuthProviderBuilder, OAuthProxyBuilder,
};
use portcullis_oauth::Subject;
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, SealingKeys, Store, StoreHandle,
};
use portcullis_testkit::{Fault, MockClock, SeededEntropy};

use super::stage::{DESK, START, World, browser, code_in, oidc, provider, redeem, refresh, serve};

fn keys() -> SealingKeys {
    SealingKeys::generate(&SeededEntropy::new(1)).unwrap()
}

async fn on(store: &Arc<dyn Store>) -> World {
    with(store, |builder| builder).await
}

async fn with(
    store: &Arc<dyn Store>,
    change: impl FnOnce(OAuthProxyBuilder) -> OAuthProxyBuilder,
) -> World {
    let clock = Arc::new(MockClock::at(START));
    let upstream = provider(&clock).await;
    let handle = StoreHandle::new(Arc::clone(store), keys());
    let site = serve((oidc(&upstream), &clock), handle, change).await;
    World {
        upstream,
        clock,
        site,
    }
}

#[tokio::test]
async fn r_17_a_record_is_good_under_its_own_key_alone() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    // A server that remembers nothing of what it read.
    let strict = |builder: OAuthProxyBuilder| {
        builder.server(|server: OAuthProviderBuilder| server.strict_revocation(true))
    };
    let world = with(&store, strict).await;
    let alice = world.tokens(DESK).await;
    let code = world.code(&world.browser(), DESK, "bob").await;
    let bob = redeem(&world.site, DESK, &code).await.tokens();
    let (before, _) = (
        world.load(&alice.access).await,
        world.load(&bob.access).await,
    );
    // Whoever can write to the database exchanges what is behind the two grants.
    let upstream = Collection::new("upstream");
    let rows = store.list(upstream, Page::first(10)).await.unwrap();
    assert_eq!(rows.len(), 2);
    let swapped = [(0, 1), (1, 0)].map(|(at, from)| {
        let mut row = rows[at].clone();
        row.value = Bytes::clone(&rows[from].value);
        Change::Put(row)
    });
    let now = portcullis_oauth::Timestamp::from_secs(START);
    let done = store.commit(swapped.to_vec(), now).await.unwrap();
    assert_eq!(done, Committed::Yes);
    let asked = world.upstream.hits("/token");
    for tokens in [&alice, &bob] {
        let loaded = world.load(&tokens.access).await;
        assert!(!loaded.starts_with("up-"), "{loaded}");
        assert_ne!(loaded, before);
        world.advance(120);
        let refused = world.refresh(DESK, tokens.refresh()).await;
        assert!(refused.page.status.is_server_error(), "{refused:?}");
        assert!(refused.body.get("access_token").is_none());
    }
    assert_eq!(
        world.upstream.hits("/token"),
        asked,
        "nothing of another's was sent"
    );
}

#[tokio::test]
async fn sec_st_06_no_state_is_in_the_store() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let world = on(&store).await;
    let browser = world.browser();
    let away = super::stage::leave(&browser, DESK).await;
    let callback = world.upstream.sign_in(&away, "alice");
    let dump = async || {
        let mut all = Vec::new();
        for name in ["transaction", "upstream", "grant", "code"] {
            let rows = store
                .list(Collection::new(name), Page::first(50))
                .await
                .unwrap();
            all.extend(rows.into_iter().map(|row| (name, row)));
        }
        all
    };
    let state = away.split_once("state=").unwrap().1;
    let state = state.split('&').next().unwrap().to_owned();
    let waiting = dump().await;
    assert!(waiting.iter().any(|(name, _)| *name == "transaction"));
    let back = super::stage::come_back(&browser, &callback).await;
    redeem(&world.site, DESK, &code_in(&back, DESK))
        .await
        .tokens();
    let kept = dump().await;
    assert!(kept.iter().any(|(name, _)| *name == "upstream"));
    let mut secrets = world.upstream.secrets();
    secrets.extend([state, "alice".to_owned()]);
    for (name, row) in waiting.iter().chain(&kept) {
        let bytes = [&row.key.digest[..], &row.value[..]].concat();
        for secret in &secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
}

#[tokio::test]
async fn sec_px_09_what_began_under_another_provider_ends() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let world = on(&store).await;
    let tokens = world.tokens(DESK).await;
    assert!(world.load(&tokens.access).await.starts_with("up-access"));
    // The operator changes the provider. There is an alice there too.
    let other = on(&store).await;
    other.advance(120);
    let refused = refresh(&other.site, DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    assert_eq!(
        other.upstream.hits("/token"),
        0,
        "no token of one went to the other"
    );
    let loaded = super::stage::load(&other.site, &tokens.access).await;
    assert!(!loaded.starts_with("up-"), "{loaded}");
}

#[tokio::test]
async fn a_login_ends_for_its_user_and_no_other() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let world = on(&store).await;
    let alice = world.tokens(DESK).await;
    let code = world.code(&world.browser(), DESK, "bob").await;
    let bob = world.redeem(DESK, &code).await.tokens();
    world.upstream.end("alice");
    world.advance(120);
    let refused = world.refresh(DESK, alice.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    world.refresh(DESK, bob.refresh()).await.tokens();
    let upstream = Collection::new("upstream");
    let left = store.list(upstream, Page::first(10)).await.unwrap();
    assert_eq!(left.len(), 1, "what was kept of alice is gone");
}

#[cfg(feature = "sqlite")]
mod on_disk {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use portcullis_store::DiskStore;
    use portcullis_testkit::ScriptedUpstream;

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("proxy-{}-{count}", std::process::id());
            Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
        }

        /// A server on it.
        async fn server(&self, upstream: &ScriptedUpstream, clock: &Arc<MockClock>) -> Router {
            let store = DiskStore::open(&self.0).await.unwrap();
            serve((oidc(upstream), clock), store.into(), |builder| builder).await
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn sec_px_19_two_servers_are_one() {
        let (folder, clock) = (Folder::new(), Arc::new(MockClock::at(START)));
        let upstream = provider(&clock).await;
        upstream.rotates(true);
        let a = folder.server(&upstream, &clock).await;
        let b = folder.server(&upstream, &clock).await;
        // One browser, whose requests go to one server or to the other.
        let mut turn = 0_usize;
        let mut site = || {
            turn += 1;
            if turn % 2 == 1 { a.clone() } else { b.clone() }
        };
        let turns = Arc::new(AtomicUsize::new(0));
        let balanced = {
            let (a, b, turns) = (a.clone(), b.clone(), Arc::clone(&turns));
            Router::new().fallback(move |request: axum::extract::Request| {
                let turn = turns.fetch_add(1, Ordering::SeqCst);
                let site = if turn % 2 == 0 { a.clone() } else { b.clone() };
                async move { tower::ServiceExt::oneshot(site, request).await }
            })
        };
        let world = World {
            upstream,
            clock,
            site: balanced.clone(),
        };
        let browser = browser(&balanced);
        let code = world.code(&browser, DESK, "alice").await;
        assert!(
            turns.load(Ordering::SeqCst) >= 4,
            "authorize, consent, approve, callback"
        );
        let mut tokens = redeem(&site(), DESK, &code).await.tokens();
        for _ in 0..4 {
            world.advance(120);
            tokens = refresh(&site(), DESK, tokens.refresh()).await.tokens();
            for site in [&a, &b] {
                let theirs = super::super::stage::load(site, &tokens.access).await;
                assert!(theirs.starts_with("up-access"), "{theirs}");
            }
        }
        assert_eq!(
            (world.upstream_refreshes(), world.upstream.live_grants()),
            (4, 1)
        );
        // What one of them ends is over on both.
        world.upstream.end("alice");
        world.advance(120);
        let refused = refresh(&a, DESK, tokens.refresh()).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant"));
        for site in [&a, &b] {
            let page = super::super::stage::call(site, &tokens.access).await;
            assert_eq!(page.status, 401);
        }
    }

    /// Two servers on one file, the first of which is the world's.
    async fn two(folder: &Folder) -> (World, Router) {
        let clock = Arc::new(MockClock::at(START));
        let upstream = provider(&clock).await;
        let site = folder.server(&upstream, &clock).await;
        let other = folder.server(&upstream, &clock).await;
        let world = World {
            upstream,
            clock,
            site,
        };
        (world, other)
    }

    #[tokio::test]
    async fn sec_px_12_nobody_gets_a_token_from_before_the_exchange_of_another_process() {
        let folder = Folder::new();
        let (world, other) = two(&folder).await;
        let mut tokens = world.tokens(DESK).await;
        let mut last = world.load(&tokens.access).await;
        for round in 0..4 {
            assert_eq!(world.load(&tokens.access).await, last, "round {round}");
            world.advance(120);
            tokens = refresh(&other, DESK, tokens.refresh()).await.tokens();
            let fresh = world.load(&tokens.access).await;
            assert!(fresh.starts_with("up-access"), "{fresh}");
            assert_ne!(fresh, last, "round {round}");
            assert_eq!(
                super::super::stage::load(&other, &tokens.access).await,
                fresh
            );
            last = fresh;
        }
    }

    #[tokio::test]
    async fn sec_px_18_a_grant_that_another_process_ended_has_no_tokens_upstream() {
        let folder = Folder::new();
        let (world, other) = two(&folder).await;
        let tokens = world.tokens(DESK).await;
        assert!(world.load(&tokens.access).await.starts_with("up-access"));
        let revoked = super::super::tokens::revoked_meanwhile(&world, &other, &tokens).await;
        assert_eq!(revoked, "ended");
    }

    #[tokio::test]
    async fn r_19_a_restart_loses_nothing() {
        let (folder, clock) = (Folder::new(), Arc::new(MockClock::at(START)));
        let upstream = provider(&clock).await;
        upstream.rotates(true);
        let first = folder.server(&upstream, &clock).await;
        let world = World {
            upstream,
            clock,
            site: first,
        };
        let tokens = world.tokens(DESK).await;
        let theirs = world.load(&tokens.access).await;
        let code = world.code(&world.browser(), DESK, "bob").await;
        // A browser is at the provider while the server is started anew.
        let waiting = world.browser();
        let away = super::super::stage::leave(&waiting, DESK).await;
        let callback = world.upstream.sign_in(&away, "alice");
        let cookies: Vec<_> = waiting
            .cookie_names()
            .into_iter()
            .map(|name| (waiting.cookie(&name).unwrap(), name))
            .collect();
        let World {
            upstream,
            clock,
            site,
        } = world;
        drop((site, waiting));
        let site = folder.server(&upstream, &clock).await;
        let world = World {
            upstream,
            clock,
            site,
        };
        assert_eq!(world.load(&tokens.access).await, theirs);
        world.redeem(DESK, &code).await.tokens();
        world.advance(120);
        world.refresh(DESK, tokens.refresh()).await.tokens();
        let browser = browser(&world.site);
        for (value, name) in cookies {
            browser.plant_cookie(&name, &value);
        }
        let back = super::super::stage::come_back(&browser, &callback).await;
        code_in(&back, DESK);
    }

    #[tokio::test]
    async fn sec_px_05_nothing_of_the_provider_is_in_the_files() {
        let (folder, clock) = (Folder::new(), Arc::new(MockClock::at(START)));
        let upstream = provider(&clock).await;
        let site = folder.server(&upstream, &clock).await;
        let world = World {
            upstream,
            clock,
            site,
        };
        let tokens = world.tokens(DESK).await;
        world.advance(120);
        world.upstream.fault("/token", 1, Fault::lost());
        world.refresh(DESK, tokens.refresh()).await;
        world.refresh(DESK, tokens.refresh()).await.tokens();
        let mut files = 0;
        for file in std::fs::read_dir(&folder.0).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            files += 1;
            for secret in world.upstream.secrets() {
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{secret}");
            }
        }
        assert!(files >= 2, "a database and a key");
    }
}

#[tokio::test]
async fn an_operator_sees_what_the_provider_calls_a_user() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let world = on(&store).await;
    world.tokens(DESK).await;
    let entropy = Arc::new(SeededEntropy::new(2));
    let handle = StoreHandle::new(Arc::clone(&store), keys());
    let records = handle.open(world.clock.clone(), entropy).await.unwrap();
    let grants = Grants::new(records);
    let subject = Subject::parse("alice").unwrap();
    for filter in [GrantFilter::All, GrantFilter::User(subject)] {
        let listed = grants.list(&filter).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].user_name.as_deref(), Some("alice"), "{filter:?}");
    }
}
