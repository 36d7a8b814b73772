//! Who waits for a document, for how long, and who does not.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_fetch::{Fetcher, Lookup, LookupFuture};
use portcullis_oauth::ClientId;
use portcullis_oauth::json::json;

use super::super::DocumentPolicy;
use super::documents::{JSON, find, renewed};
use super::site::Site;
use super::{HOUR, World, client_id};
use crate::limits::Standing;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const CLAUDE: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";

/// No name is ever found, and none is ever said to be nobody's.
#[derive(Debug)]
struct Silent;

impl Lookup for Silent {
    fn lookup<'a>(&'a self, _: &'a str) -> LookupFuture<'a> {
        Box::pin(std::future::pending())
    }
}

/// A world in which no host ever answers.
async fn silent() -> World {
    World::with(|settings| {
        settings.documents = DocumentPolicy::new();
        settings.fetcher = Some(Fetcher::guarded().lookup(Silent).build().unwrap());
    })
    .await
}

/// Begins a request, or goes on with it, as far as it comes at once.
async fn begin<F: Future + Unpin>(request: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *request).poll(cx))).await
}

/// How many of these wait, once each of them has begun.
async fn waiting<F: Future + Unpin>(requests: &mut [F]) -> usize {
    let mut waiting = 0;
    for request in requests {
        waiting += usize::from(begin(request).await.is_pending());
    }
    waiting
}

#[tokio::test]
async fn sec_ci_08_few_requests_wait_for_a_document() {
    let world = silent().await;
    let id = client_id("https://client.example/c");
    let request = || Box::pin(world.clients.find(&id));
    let mut all: Vec<_> = (0..100).map(|_| request()).collect();
    assert_eq!(waiting(&mut all).await, 16);
    assert!(request().await.is_err(), "told at once");
    let other = client_id("https://other.example/c");
    let mut other = pin!(world.clients.find(&other));
    assert!(
        begin(&mut other).await.is_pending(),
        "there is room for another"
    );
}

#[tokio::test]
async fn sec_ci_08_few_requests_wait_for_documents() {
    let world = silent().await;
    let ids: Vec<ClientId> = (0..60)
        .map(|n| client_id(&format!("https://client-{n}.example/c")))
        .collect();
    let requests = ids.iter().flat_map(|id| std::iter::repeat_n(id, 16));
    let mut all: Vec<_> = requests
        .map(|id| Box::pin(world.clients.find_for(id, Standing::First)))
        .collect();
    assert_eq!(waiting(&mut all).await, 512);
}

#[tokio::test]
async fn sec_ci_08_well_known_clients_have_places_of_their_own() {
    let world = silent().await;
    let ids: Vec<ClientId> = (0..200)
        .flat_map(|n| {
            [
                format!("https://client-{n}.example/c"),
                format!("https://claude.ai/{n}"),
            ]
        })
        .map(|id| client_id(&id))
        .collect();
    let requests = ids.iter().flat_map(|id| std::iter::repeat_n(id, 16));
    let mut strangers: Vec<_> = requests
        .map(|id| Box::pin(world.clients.find_for(id, Standing::First)))
        .collect();
    assert_eq!(waiting(&mut strangers).await, 512, "no place is left");
    let claude = client_id(CLAUDE);
    assert_eq!(
        world.clients.host_to_ask(&claude),
        None,
        "and nobody is limited"
    );
    let mut all: Vec<_> = (0..300)
        .map(|_| Box::pin(world.clients.find(&claude)))
        .collect();
    assert_eq!(waiting(&mut all).await, 256);
}

#[tokio::test]
async fn sec_ci_08_nobody_waits_long_for_a_host_that_hangs() {
    let world = silent().await;
    tokio::time::pause();
    // Two are asked for at a time, and each of them takes five seconds.
    let ids: Vec<ClientId> = (0..10)
        .map(|n| client_id(&format!("https://client.example/{n}")))
        .collect();
    let all = join_all(
        ids.iter()
            .map(|id| world.clients.find_for(id, Standing::First)),
    );
    let all = tokio::time::timeout(Duration::from_secs(11), all).await;
    assert!(all.unwrap().iter().all(Result::is_err));
}

#[tokio::test]
async fn sec_ci_08_who_has_a_document_waits_for_no_host_that_hangs() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    let id = client_id(&site.url("/c"));
    assert!(world.clients.find(&id).await.unwrap().is_some());
    site.stall("/c", b"HTTP/1.1 200 OK\r\n");
    world.clock.advance(HOUR);
    // Where there is no place to wait, at once; else after a second.
    tokio::time::pause();
    let mut all: Vec<_> = (0..40).map(|_| Box::pin(world.clients.find(&id))).collect();
    let mut late = Vec::new();
    for mut request in all.drain(..) {
        match begin(&mut request).await {
            Poll::Ready(found) => assert!(found.unwrap().is_some()),
            Poll::Pending => late.push(request),
        }
    }
    assert_eq!(late.len(), 16);
    let late = tokio::time::timeout(SECOND * 2, join_all(late)).await;
    let late = late.expect("nobody waits for the host");
    assert!(late.into_iter().all(|found| found.unwrap().is_some()));
}

#[tokio::test]
async fn sec_ci_08_nobody_waits_in_an_outage_that_is_known() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    assert!(find(&world, &site, "/c").await.is_some());
    site.answer("/c", "503 Busy", JSON, "{}");
    world.clock.advance(HOUR);
    assert!(find(&world, &site, "/c").await.is_some());
    assert_eq!(site.requests(), 2);
    site.stall("/c", b"");
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        let mut request = pin!(find(&world, &site, "/c"));
        assert!(matches!(begin(&mut request).await, Poll::Ready(Some(_))));
    }
}

#[tokio::test]
async fn sec_ci_07_the_next_document_comes_while_the_last_one_is_good() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    assert!(find(&world, &site, "/c").await.is_some());
    site.document("/c", &json!({"client_name": "New"}));
    world.clock.advance(HOUR / 4 * 3);
    {
        let mut request = pin!(find(&world, &site, "/c"));
        let Poll::Ready(Some(client)) = begin(&mut request).await else {
            panic!("somebody waits for the next one");
        };
        assert_eq!(client.name.as_deref(), Some("Example"));
    }
    renewed(&world, &site, "/c").await;
    assert_eq!(site.requests(), 2);
    // Where it cannot be had, it is asked for again now and then, and the last one stays good.
    site.answer("/c", "503 Busy", JSON, "{}");
    world.clock.advance(HOUR / 4 * 3);
    for _ in 0..20 {
        assert!(find(&world, &site, "/c").await.is_some());
        world.clock.advance(SECOND);
        tokio::task::yield_now().await;
    }
    assert!(site.requests() <= 3, "{}", site.requests());
}

#[tokio::test]
async fn sec_ci_07_what_must_be_revalidated_is_not_used_for_long() {
    for headers in [
        "Cache-Control: max-age=600, must-revalidate\r\n",
        "Cache-Control: max-age=600, proxy-revalidate\r\n",
        "Cache-Control: no-cache\r\n",
        "Cache-Control: no-store\r\n",
    ] {
        let site = Site::start().await;
        let body = site.described("/c", &json!({})).to_string();
        site.answer("/c", "200 OK", &format!("{JSON}{headers}"), &body);
        let world = World::new().await;
        let id = client_id(&site.url("/c"));
        assert!(world.clients.find(&id).await.unwrap().is_some());
        site.stop();
        let good_for = if headers.contains("600") { 10 } else { 1 };
        let usable = MINUTE * (good_for + 5);
        world.clock.advance(usable.saturating_sub(SECOND));
        let short = world.clients.find(&id).await;
        assert!(short.unwrap().is_some(), "{headers}: a short outage");
        world.clock.advance(SECOND);
        assert!(world.clients.find(&id).await.is_err(), "{headers}");
    }
}
