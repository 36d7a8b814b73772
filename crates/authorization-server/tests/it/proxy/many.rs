//! Many at once.

use axum::Router;
use futures_util::future::join_all;
use portcullis_authorization_server::OAuthProxyBuilder;

use super::stage::{DESK, Pair, come_back, leave, load, redeem, refresh};

const CALLERS: usize = 64;

/// All of them do it at once, by turns on the two servers.
async fn at_once<T, F>(sites: &[Router; 2], act: impl Fn(Router) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let all = (0..CALLERS).map(|caller| tokio::spawn(act(sites[caller % 2].clone())));
    let all = join_all(all.collect::<Vec<_>>()).await;
    all.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cn_08_one_of_64_callbacks_counts() {
    let Pair { world, .. } = Pair::new().await;
    for round in 0..4 {
        let browser = world.browser();
        let callback = world
            .upstream
            .sign_in(&leave(&browser, DESK).await, "alice");
        let all = (0..CALLERS).map(|_| {
            let (browser, callback) = (browser.clone(), callback.clone());
            tokio::spawn(async move { come_back(&browser, &callback).await })
        });
        let pages = join_all(all.collect::<Vec<_>>()).await;
        let pages: Vec<_> = pages.into_iter().map(Result::unwrap).collect();
        let codes: Vec<_> = pages
            .iter()
            .filter(|page| page.location().is_some())
            .collect();
        assert_eq!(codes.len(), 1, "round {round}");
        assert!(pages.iter().filter(|page| page.status == 400).count() == CALLERS - 1);
        assert_eq!(
            world.upstream.hits("/token"),
            round + 1,
            "one exchange for all of them"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r_05_one_of_64_redemptions_wins() {
    let Pair { world, sites, .. } = Pair::new().await;
    let code = world.code(&world.browser(), DESK, "alice").await;
    let answers = at_once(&sites, |site| {
        let code = code.clone();
        async move { redeem(&site, DESK, &code).await }
    });
    let answers = answers.await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|one| one.page.status == 200);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|one| one.refusal() == (400, "invalid_grant"))
    );
    // Two have had it, so what came of it is worth nothing.
    let tokens = won[0].tokens();
    assert_eq!(world.call(&tokens.access).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_px_12_one_exchange_for_many() {
    let Pair { world, sites, .. } = Pair::new().await;
    // A second exchange of the same token ends the grant.
    world.upstream.rotates(true);
    let mut tokens = world.tokens(DESK).await;
    for round in 1..=3 {
        world.advance(120);
        let token = tokens.refresh().to_owned();
        let answers = at_once(&sites, |site| {
            let token = token.clone();
            async move { refresh(&site, DESK, &token).await }
        });
        let mut all: Vec<_> = answers
            .await
            .iter()
            .map(super::stage::Answer::tokens)
            .collect();
        // the same pair for all, and one exchange behind it.
        for tokens in &mut all {
            tokens.expires_in = 0;
        }
        all.dedup();
        assert_eq!(all.len(), 1, "round {round}");
        assert_eq!(world.upstream_refreshes(), round);
        tokens = all.remove(0);
    }
    assert_eq!(world.upstream.live_grants(), 1);
}

#[tokio::test]
async fn sec_px_12_a_strict_server_asks_each_time_whether_tokens_were_exchanged() {
    // Nobody tells the one what the other has changed.
    let strict =
        |builder: OAuthProxyBuilder| builder.server(|server| server.strict_revocation(true));
    let Pair { world, sites, .. } = Pair::with(strict).await;
    let tokens = world.tokens(DESK).await;
    let first = world.load(&tokens.access).await;
    world.advance(120);
    let tokens = refresh(&sites[1], DESK, tokens.refresh()).await.tokens();
    let fresh = world.load(&tokens.access).await;
    assert!(fresh.starts_with("up-access"), "{fresh}");
    assert_ne!(fresh, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rt_15_one_exchange_for_64_handlers() {
    let Pair { world, sites, .. } = Pair::new().await;
    world.upstream.rotates(true);
    world
        .upstream
        .access_lifetime(std::time::Duration::from_secs(300));
    let tokens = world.tokens(DESK).await;
    for round in 1..=3 {
        world.advance(300);
        let loaded = at_once(&sites, |site| {
            let access = tokens.access.clone();
            async move { load(&site, &access).await }
        });
        let mut loaded = loaded.await;
        loaded.dedup();
        assert_eq!(loaded.len(), 1, "{loaded:?}");
        assert!(loaded[0].starts_with("up-access"), "{loaded:?}");
        assert_eq!(world.upstream_refreshes(), round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_px_12_refreshes_and_handlers_share_one_exchange() {
    let Pair { world, sites, .. } = Pair::new().await;
    world.upstream.rotates(true);
    world
        .upstream
        .access_lifetime(std::time::Duration::from_secs(300));
    let tokens = world.tokens(DESK).await;
    world.advance(300);
    let (token, access) = (tokens.refresh().to_owned(), tokens.access.clone());
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let all = at_once(&sites, |site| {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (token, access) = (token.clone(), access.clone());
        async move {
            if turn.is_multiple_of(3) {
                refresh(&site, DESK, &token).await.page.status == 200
            } else {
                load(&site, &access).await.starts_with("up-access")
            }
        }
    });
    assert!(all.await.into_iter().all(|fine| fine));
    assert!(
        (1..=2).contains(&world.upstream_refreshes()),
        "{}",
        world.upstream_refreshes()
    );
    assert_eq!(world.upstream.live_grants(), 1);
}
