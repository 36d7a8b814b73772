//! Clients that are known by a document, at the endpoints.

use http::StatusCode;

use super::server::Server;
use super::world::{Ask, World, known, to_consent};
use crate::client::ClientOrigin;

const DOCUMENT: &str = "https://claude.ai/oauth/claude-code-client-metadata";

#[tokio::test]
async fn sec_ci_11_a_program_under_a_known_name_is_told_from_its_website() {
    let world = World::new().await;
    let loopback = (DOCUMENT, "http://127.0.0.1:3118/callback");
    world
        .clients
        .put(known(loopback, ClientOrigin::MetadataDocument));
    let page = to_consent(&world.browser(), &Ask::of(loopback)).await;
    // Anybody's program can listen there and bring that id.
    let warning = "access goes to a program on this computer";
    assert!(page.text.contains(warning), "{}", page.text);
    assert!(page.text.contains("127.0.0.1:3118"), "{}", page.text);
    assert!(!page.text.to_lowercase().contains("verified"));

    let website = (DOCUMENT, "https://claude.ai/api/mcp/auth_callback");
    world
        .clients
        .put(known(website, ClientOrigin::MetadataDocument));
    let page = to_consent(&world.browser(), &Ask::of(website)).await;
    assert!(!page.text.contains(warning), "{}", page.text);
    assert!(page.text.contains("claude.ai"), "{}", page.text);
}

#[tokio::test]
async fn sec_ci_14_an_installation_ends_its_own_grant_alone() {
    let server = Server::new().await;
    let client = known(
        (DOCUMENT, "http://127.0.0.1/cb"),
        ClientOrigin::MetadataDocument,
    );
    server.book.put(client);
    // The same user at two machines, and at one of them once more.
    let (desk, desk_refresh) = server.tokens(DOCUMENT).await;
    let (laptop, laptop_refresh) = server.tokens(DOCUMENT).await;
    let (_, again) = server.tokens(DOCUMENT).await;
    for token in [&desk, &laptop] {
        assert_eq!(server.call(token).await, StatusCode::OK);
    }
    let fields = [("client_id", DOCUMENT), ("token", again.as_str())];
    let revoked = server.post("/oauth/revoke", &fields).await;
    assert_eq!(revoked.status, StatusCode::OK);
    // One of them loses its token to a thief, and the family with it.
    let next = server.refresh(DOCUMENT, &laptop_refresh, &[]).await;
    let next = next.text("refresh_token");
    assert_eq!(
        server.refresh(DOCUMENT, &next, &[]).await.status,
        StatusCode::OK
    );
    let reused = server.refresh(DOCUMENT, &laptop_refresh, &[]).await;
    assert_eq!(reused.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(server.call(&laptop).await, StatusCode::UNAUTHORIZED);

    assert_eq!(server.call(&desk).await, StatusCode::OK);
    let desk = server.refresh(DOCUMENT, &desk_refresh, &[]).await;
    assert_eq!(desk.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_ci_17_a_faulty_request_asks_no_host() {
    let world = World::new().await;
    world.from("192.0.2.1");
    let browser = world.browser();
    // More than an address may make us fetch.
    for number in 0..60 {
        let id = format!("https://app-{number}.invalid/client.json");
        let uri = format!("https://app-{number}.invalid/cb");
        let ask = Ask::of((&id, &uri));
        let ask = match number % 4 {
            0 => ask.with("redirect_uri", "javascript:alert(1)"),
            1 => ask.without("redirect_uri"),
            2 => ask.and("client_id", &id),
            _ => ask.with("redirect_uri", &format!("{uri}#fragment")),
        };
        let page = browser.open(&ask.url()).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
        assert_eq!(page.location(), None);
    }
}

#[tokio::test]
async fn sec_ci_08_the_token_endpoint_asks_hosts_seldom() {
    for path in ["/oauth/token", "/oauth/revoke"] {
        let server = Server::new().await;
        let ask = async |number: u8| {
            // Each on a host of its own, where the guard lets nothing through.
            let id = format!("https://10.0.{number}.1/client.json");
            let fields = [("client_id", id.as_str()), ("token", "t")];
            server.post_at(path, "192.0.2.1", &fields).await.status
        };
        let mut answers = Vec::new();
        for number in 0..30 {
            answers.push(ask(number).await);
        }
        let asked = [StatusCode::SERVICE_UNAVAILABLE; 20];
        let limited = [StatusCode::TOO_MANY_REQUESTS; 10];
        assert_eq!(answers, [&asked[..], &limited].concat(), "{path}");
    }
}
