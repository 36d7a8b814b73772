use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{RedirectPattern, Timestamp};
use portcullis_testkit::CapturedLogs;

use super::super::{AuthenticationMethod, Client, DocumentPolicy, GrantType, RedirectCeiling};
use super::site::Site;
use super::{HOUR, ISSUER, NOW, World, client_id, uris};
use crate::limits::Standing;

pub(super) const JSON: &str = "Content-Type: application/json\r\n";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn find(world: &World, site: &Site, path: &str) -> Option<Arc<Client>> {
    world.find(&site.url(path)).await
}

/// Waits until the document is known by its new name.
pub(super) async fn renewed(world: &World, site: &Site, path: &str) {
    let is_new = async {
        while find(world, site, path).await.unwrap().name.as_deref() != Some("New") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(10 * SECOND, is_new).await.unwrap();
}

/// The client of a document with these members, if it is one.
async fn described(members: Value) -> Option<Arc<Client>> {
    let site = Site::start().await;
    site.document("/c", &members);
    find(&World::new().await, &site, "/c").await
}

#[tokio::test]
async fn c1_claudes_document_is_a_client() {
    let client = described(json!({
        "client_name": "Claude", "client_uri": "https://claude.ai",
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }))
    .await
    .unwrap();
    assert_eq!(client.name.as_deref(), Some("Claude"));
    assert_eq!(client.authentication, [AuthenticationMethod::None]);
    let world = World::new().await;
    assert!(!world.may_redirect(&client, "https://evil.example/cb"));
    assert!(world.may_redirect(&client, "https://claude.ai/api/mcp/auth_callback"));
}

#[tokio::test]
async fn c2_c6_a_loopback_uri_without_a_port_or_with_another_one_fits_any() {
    let world = World::new().await;
    let code = described(
        json!({"redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"]}),
    )
    .await
    .unwrap();
    for uri in [
        "http://localhost:3118/callback",
        "http://127.0.0.1:51234/callback",
    ] {
        assert!(world.may_redirect(&code, uri), "{uri}");
    }
    assert!(!world.may_redirect(&code, "http://[::1]:3118/callback"));
    let copilot = described(json!({"redirect_uris": ["http://127.0.0.1:33418/"]}))
        .await
        .unwrap();
    assert!(world.may_redirect(&copilot, "http://127.0.0.1:50001/"));
    assert!(!world.may_redirect(&copilot, "http://127.0.0.1:50001/x"));
}

#[tokio::test]
async fn c3_c4_chatgpt_may_prove_itself_or_fall_back() {
    let site = Site::start().await;
    let key = SigningKey::generate_rsa2048().unwrap();
    site.json(
        "/jwks.json",
        &json!({"keys": [key.public_jwk(Some("cimd-1")).unwrap()]}),
    );
    site.document(
        "/client.json",
        &json!({
            "client_name": "ChatGPT", "redirect_uris": ["https://chatgpt.com/connector/oauth/a"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "RS256", "jwks_uri": site.url("/jwks.json"),
        }),
    );
    let world = World::new().await;
    let id = site.url("/client.json");
    let assertion = JwtBuilder::new()
        .kid("cimd-1")
        .claim("iss", id.as_str())
        .subject(&id)
        .audience(ISSUER)
        .claim("jti", "1")
        .valid(Timestamp::from_secs(NOW), MINUTE)
        .sign(&key)
        .unwrap();
    let kind = (
        "client_assertion_type",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    );
    let proof = [
        ("client_id", id.as_str()),
        ("client_assertion", &assertion),
        kind,
    ];
    assert!(world.posted(&proof).await.is_ok());
    assert!(world.posted(&proof).await.is_err(), "replay");
    assert!(
        world.posted(&[("client_id", &id)]).await.is_ok(),
        "it may fall back to none"
    );
}

#[tokio::test]
async fn c5_grants_that_there_are_not_are_left_out() {
    let client = described(json!({
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    }))
    .await
    .unwrap();
    assert_eq!(
        client.grant_types,
        [GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN]
    );
}

#[tokio::test]
async fn sec_ci_05_c7_only_a_short_json_answer_is_a_document() {
    let site = Site::start().await;
    let world = World::new().await;
    let good = |path: &str| site.described(path, &json!({})).to_string();
    let long = site
        .described("/long", &json!({"x": "y".repeat(5 * 1024)}))
        .to_string();
    let twice = good("/twice").replacen('{', "{\"client_name\":\"x\",", 1);
    for (path, status, headers, body) in [
        (
            "/html",
            "200 OK",
            "Content-Type: text/html\r\n",
            good("/html"),
        ),
        ("/untyped", "200 OK", "", good("/untyped")),
        (
            "/text",
            "200 OK",
            "Content-Type: text/json\r\n",
            good("/text"),
        ),
        ("/created", "201 Created", JSON, good("/created")),
        ("/partial", "206 Partial Content", JSON, good("/partial")),
        ("/gone", "410 Gone", JSON, good("/gone")),
        ("/long", "200 OK", JSON, long),
        ("/array", "200 OK", JSON, "[]".to_owned()),
        ("/junk", "200 OK", JSON, "{".to_owned()),
        ("/twice", "200 OK", JSON, twice),
        ("/bom", "200 OK", JSON, format!("\u{feff}{}", good("/bom"))),
        ("/trailing", "200 OK", JSON, good("/trailing") + "x"),
    ] {
        site.answer(path, status, headers, &body);
        assert!(find(&world, &site, path).await.is_none(), "{path}");
        world.clock.advance(MINUTE);
    }
    for (path, media_type) in [
        ("/a", "application/json"),
        ("/b", "Application/JSON; charset=utf-8"),
        ("/c", "application/client-metadata+json"),
    ] {
        site.answer(
            path,
            "200 OK",
            &format!("Content-Type: {media_type}\r\n"),
            &good(path),
        );
        assert!(find(&world, &site, path).await.is_some(), "{media_type}");
    }
}

#[tokio::test]
async fn sec_ci_05_nothing_is_read_beyond_the_longest_document() {
    let site = Site::start().await;
    let world = World::new().await;
    // It announces more than a document may have, and breaks off.
    let head = format!("{JSON}Content-Length: 5121\r\n");
    site.raw(
        "/c",
        format!("HTTP/1.1 200 OK\r\n{head}\r\n{{").into_bytes(),
    );
    assert!(
        find(&world, &site, "/c").await.is_none(),
        "refused, and not unavailable"
    );
    let roomy = World::with(|settings| {
        settings.documents = DocumentPolicy::new()
            .allow_loopback(true)
            .max_bytes(10_000_000);
    })
    .await;
    let padding = "y".repeat(60 * 1024);
    site.document("/large", &json!({"x": padding}));
    assert!(find(&roomy, &site, "/large").await.is_some());
    site.document("/larger", &json!({"x": padding.repeat(2)}));
    assert!(find(&roomy, &site, "/larger").await.is_none());
}

#[tokio::test]
async fn sec_ci_03_c7_no_redirect_is_followed() {
    let site = Site::start().await;
    let world = World::new().await;
    let target = site.described("/from", &json!({}));
    site.json("/to", &target);
    for status in ["301", "302", "303", "307", "308"] {
        let location = format!("Location: {}\r\n{JSON}", site.url("/to"));
        site.answer(
            "/from",
            &format!("{status} Moved"),
            &location,
            &target.to_string(),
        );
        assert!(find(&world, &site, "/from").await.is_none(), "{status}");
        world.clock.advance(MINUTE);
    }
    assert_eq!(site.requests(), 5, "the target is never asked");
}

#[tokio::test]
async fn sec_ci_01_c7_a_document_names_its_own_url() {
    let site = Site::start().await;
    let world = World::new().await;
    let right = site.url("/c.json");
    for wrong in [
        json!("https://claude.ai/oauth/mcp-oauth-client-metadata"),
        json!(right.replace("http:", "HTTP:")),
        json!(format!("{right}/")),
        json!(format!("{right}?")),
        json!(right.replace("c.json", "%63.json")),
        json!(right.replace("127.0.0.1", "localhost")),
        json!([right]),
        json!(null),
    ] {
        site.document("/c.json", &json!({"client_id": wrong}));
        assert!(find(&world, &site, "/c.json").await.is_none(), "{wrong}");
        world.clock.advance(MINUTE);
    }
    let mut nameless = site.described("/c.json", &json!({}));
    nameless.as_object_mut().unwrap().remove("client_id");
    site.json("/c.json", &nameless);
    assert!(find(&world, &site, "/c.json").await.is_none());
}

#[tokio::test]
async fn sec_ci_04_c7_private_addresses_are_never_asked() {
    let world = World::with(|settings| settings.documents = DocumentPolicy::new()).await;
    let site = Site::start().await;
    let logs = CapturedLogs::start();
    site.document("/c", &json!({}));
    assert!(world.find(&site.url("/c")).await.is_none(), "no https");
    for id in [
        &site.url("/c").replace("http:", "https:"),
        "https://10.0.0.1/c",
        "https://169.254.169.254/latest",
        "https://[::ffff:a9fe:a9fe]/c",
        "https://192.168.1.1/c",
    ] {
        let found = world.clients.find(&client_id(id)).await;
        assert!(!matches!(found, Ok(Some(_))), "{id}");
    }
    assert_eq!(site.requests(), 0);
    assert!(logs.text().contains("outbound_refused"));
}

#[tokio::test]
async fn sec_ci_04_the_keys_of_a_document_pass_the_same_guard() {
    let site = Site::start().await;
    let world = World::new().await;
    let key = SigningKey::generate_es256().unwrap();
    let kind = (
        "client_assertion_type",
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    );
    for (number, keys) in [
        "https://10.0.0.1/jwks.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/jwks.json",
        "https://192.168.1.1/jwks.json",
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{number}");
        site.document(
            &path,
            &json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys}),
        );
        let id = site.url(&path);
        let assertion = JwtBuilder::new()
            .kid("a")
            .claim("iss", id.as_str())
            .subject(&id)
            .audience(ISSUER)
            .claim("jti", "1")
            .valid(Timestamp::from_secs(NOW), MINUTE)
            .sign(&key)
            .unwrap();
        let logs = CapturedLogs::start();
        let proof = [
            ("client_id", id.as_str()),
            ("client_assertion", &assertion),
            kind,
        ];
        assert!(world.posted(&proof).await.is_err(), "{keys}");
        assert!(logs.text().contains("outbound_refused"), "{keys}");
    }
}

/// CI-05: whoever sends a little and then nothing is not waited for.
#[tokio::test(start_paused = true)]
async fn sec_ci_05_a_slow_document_is_waited_for_no_longer_than_five_seconds() {
    let site = Site::start().await;
    site.stall(
        "/c",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{",
    );
    let world = World::new().await;
    let id = client_id(&site.url("/c"));
    let found = tokio::time::timeout(6 * SECOND, world.clients.find(&id)).await;
    assert!(
        found.expect("5 seconds").is_err(),
        "neither a client nor none"
    );
}

#[tokio::test]
async fn sec_ci_05_what_is_short_and_becomes_long_is_no_document() {
    let site = Site::start().await;
    let world = World::new().await;
    let document = site.described("/c", &json!({"x": "y".repeat(6 * 1024)}));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(document.to_string().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1024);
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n{JSON}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    site.raw("/c", [head.as_bytes(), &packed].concat());
    let logs = CapturedLogs::start();
    assert!(find(&world, &site, "/c").await.is_none());
    assert!(
        logs.text().contains("too_long"),
        "it was not unpacked any further"
    );
}

#[tokio::test]
async fn sec_ci_06_a_document_has_no_secret() {
    for members in [
        json!({"client_secret": "x"}),
        json!({"client_secret": null}),
        json!({"client_secret_expires_at": 0}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"token_endpoint_auth_method": "client_secret_post"}),
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"token_endpoint_auth_methods_supported": ["none", "client_secret_post"]}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
        json!({"token_endpoint_auth_signing_alg": "HS256"}),
    ] {
        assert!(described(members.clone()).await.is_none(), "{members}");
    }
}

#[tokio::test]
async fn sec_ci_06_an_unknown_method_is_not_none() {
    assert!(
        described(json!({"token_endpoint_auth_method": "tls_client_auth"}))
            .await
            .is_none()
    );
    assert!(
        described(json!({"token_endpoint_auth_methods_supported": ["tls_client_auth"]}))
            .await
            .is_none()
    );
    assert!(
        described(json!({"token_endpoint_auth_method": "private_key_jwt"}))
            .await
            .is_none(),
        "no keys"
    );
    let keys = json!({"keys": [SigningKey::generate_es256().unwrap().public_jwk(None).unwrap()]});
    let proven = described(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}))
        .await
        .unwrap();
    assert_eq!(proven.authentication, [AuthenticationMethod::PrivateKeyJwt]);
    let neither = described(json!({})).await.unwrap();
    assert_eq!(neither.authentication, [AuthenticationMethod::None]);
}

#[tokio::test]
async fn what_a_document_must_have() {
    for members in [
        json!({"client_name": ""}),
        json!({"redirect_uris": []}),
        json!({"redirect_uris": "http://localhost/"}),
        json!({"redirect_uris": ["javascript:alert(1)"]}),
        json!({"redirect_uris": (0..11).map(|n| format!("http://localhost/{n}")).collect::<Vec<_>>()}),
        json!({"response_types": ["token"]}),
    ] {
        assert!(described(members.clone()).await.is_none(), "{members}");
    }
    let mixed = described(json!({"redirect_uris": ["zed:/cb", "http://localhost/cb"], "client_uri": "javascript:alert(1)"})).await.unwrap();
    assert_eq!(uris(&mixed), ["http://localhost/cb"]);
    assert_eq!(mixed.uri, None);
}

#[tokio::test]
async fn sec_ru_18_a_documents_uris_are_below_the_ceiling_too() {
    let site = Site::start().await;
    site.document(
        "/c",
        &json!({"redirect_uris": ["https://app.example/cb", "http://localhost/cb"]}),
    );
    let world = World::new().await;
    let client = find(&world, &site, "/c").await.unwrap();
    assert!(
        !world.may_redirect(&client, "https://app.example/cb"),
        "another origin"
    );
    assert!(world.may_redirect(&client, "http://localhost:1/cb"));
    let listed = World::with(|settings| {
        settings.ceiling =
            RedirectCeiling::only([RedirectPattern::parse("https://app.example/cb").unwrap()]);
    })
    .await;
    let client = find(&listed, &site, "/c").await.unwrap();
    assert!(listed.may_redirect(&client, "https://app.example/cb"));
    assert!(!listed.may_redirect(&client, "http://localhost:1/cb"));
}

#[tokio::test]
async fn sec_ci_17_a_url_is_judged_before_it_is_fetched() {
    let world = World::with(|settings| settings.documents = DocumentPolicy::new()).await;
    for id in [
        "https://client.example",
        "https://client.example/",
        "https://client.example/c#f",
        "https://user@client.example/c",
        "https://user:pw@client.example/c",
        "https://client.example/a/../c",
        "https://client.example/./c",
        "https://client.example/%2e%2e/c",
        "https://client.example:443/c",
        "https://Client.example/c",
        "https://client.example./c",
        "https://client.example\\c",
        "https://client.example/a b",
        "http://client.example/c",
        "http://127.0.0.1:1/c",
        "https://localhost/c",
        "ftp://client.example/c",
        "urn:client",
    ] {
        assert!(!world.clients.would_fetch(&client_id(id)), "{id}");
        assert!(world.find(id).await.is_none(), "{id}");
    }
    assert!(
        world
            .clients
            .would_fetch(&client_id("https://client.example/c?v=1"))
    );
    let off = World::with(|settings| settings.documents = DocumentPolicy::disabled()).await;
    assert!(
        !off.clients
            .would_fetch(&client_id("https://client.example/c"))
    );
}

#[tokio::test]
async fn sec_ci_17_what_is_known_is_not_fetched_again_for_a_token() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    assert!(find(&world, &site, "/c").await.is_some());
    let id = site.url("/c");
    for _ in 0..20 {
        assert!(world.posted(&[("client_id", &id)]).await.is_ok());
    }
    assert_eq!(site.requests(), 1);
    // What is no document is not asked for by whoever asks again.
    for _ in 0..20 {
        let unknown = site.url("/unknown");
        assert!(world.posted(&[("client_id", &unknown)]).await.is_err());
    }
    assert_eq!(site.requests(), 2);
}

#[tokio::test]
async fn sec_ci_12_hosts_are_compared_label_by_label() {
    let believed = |policy: DocumentPolicy, id: &'static str| async move {
        let world = World::with(|settings| settings.documents = policy).await;
        world.clients.would_fetch(&client_id(id))
    };
    let policy = || {
        DocumentPolicy::new()
            .allow_hosts(["claude.ai", "*.example.com"])
            .deny_hosts(["evil.example.com"])
    };
    for (id, expected) in [
        ("https://claude.ai/c", true),
        ("https://evilclaude.ai/c", false),
        ("https://claude.ai.evil.com/c", false),
        ("https://www.claude.ai/c", false),
        ("https://a.example.com/c", true),
        ("https://a.b.example.com/c", true),
        ("https://example.com/c", false),
        ("https://badexample.com/c", false),
        ("https://evil.example.com/c", false),
        ("https://other.org/c", false),
    ] {
        assert_eq!(believed(policy(), id).await, expected, "{id}");
    }
    let denied = || DocumentPolicy::new().deny_hosts(["*.evil.org"]);
    assert!(!believed(denied(), "https://a.evil.org/c").await);
    // A host by its absolute name (RFC 1034 section 3.1) is the same host.
    assert!(!believed(denied(), "https://a.evil.org./c").await);
    assert!(believed(denied(), "https://evil.org/c").await);
}

#[tokio::test]
async fn sec_ci_07_a_document_is_kept_as_its_headers_say_between_a_minute_and_a_day() {
    for (headers, good_for) in [
        ("Cache-Control: max-age=600\r\n", 10 * MINUTE),
        ("Cache-Control: max-age=1\r\n", MINUTE),
        ("Cache-Control: no-store\r\n", MINUTE),
        ("Cache-Control: no-cache, max-age=600\r\n", MINUTE),
        ("Cache-Control: max-age=31536000\r\n", 24 * HOUR),
        ("Cache-Control: max-age=900\r\nAge: 300\r\n", 10 * MINUTE),
        (
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 08:59:37 GMT\r\n",
            10 * MINUTE,
        ),
        ("Expires: 0\r\n", MINUTE),
        ("", HOUR),
    ] {
        let site = Site::start().await;
        let body = site.described("/c", &json!({})).to_string();
        site.answer("/c", "200 OK", &format!("{JSON}{headers}"), &body);
        let world = World::new().await;
        assert!(find(&world, &site, "/c").await.is_some());
        // Before the next one is fetched, which begins while this one is good.
        let most = good_for / 4 * 3;
        world.clock.advance(most.saturating_sub(SECOND));
        assert!(find(&world, &site, "/c").await.is_some());
        assert_eq!(site.requests(), 1, "{headers}");
        site.document("/c", &json!({"client_name": "New"}));
        world.clock.advance((good_for / 4).saturating_sub(SECOND));
        assert!(!world.clients.would_fetch(&client_id(&site.url("/c"))));
        world.clock.advance(SECOND * 2);
        let client = find(&world, &site, "/c").await.unwrap();
        assert_eq!(client.name.as_deref(), Some("New"), "{headers}");
        assert_eq!(site.requests(), 2, "{headers}");
    }
}

#[tokio::test]
async fn sec_ci_09_c8_a_change_counts_after_its_time() {
    let site = Site::start().await;
    site.document(
        "/c",
        &json!({"redirect_uris": ["http://localhost/a", "http://localhost/b"]}),
    );
    let world = World::new().await;
    let before = find(&world, &site, "/c").await.unwrap();
    assert!(world.may_redirect(&before, "http://localhost:1/b"));
    site.document("/c", &json!({"redirect_uris": ["http://localhost/a"]}));
    world.clock.advance(HOUR);
    let after = find(&world, &site, "/c").await.unwrap();
    assert!(!world.may_redirect(&after, "http://localhost:1/b"));
    assert_ne!(before.digest(), after.digest(), "consent is asked for anew");
    // A document that is no longer valid ends its client, in the same request.
    site.document("/c", &json!({"client_id": "https://other.example/c"}));
    world.clock.advance(HOUR);
    assert!(find(&world, &site, "/c").await.is_none());
}

#[tokio::test]
async fn sec_ci_09_a_document_that_is_gone_ends_its_client() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    assert!(find(&world, &site, "/c").await.is_some());
    site.forget("/c");
    world.clock.advance(HOUR);
    assert!(find(&world, &site, "/c").await.is_none());
    // Not asked for again within a minute, and not forgotten after it.
    site.document("/c", &json!({}));
    let requests = site.requests();
    assert!(find(&world, &site, "/c").await.is_none());
    assert_eq!(site.requests(), requests);
    world.clock.advance(MINUTE);
    assert!(find(&world, &site, "/c").await.is_some());
}

#[tokio::test]
async fn sec_ci_07_an_outage_is_no_document_and_ends_none() {
    let site = Site::start().await;
    let world = World::new().await;
    let id = client_id(&site.url("/c"));
    site.answer("/c", "503 Busy", JSON, "{}");
    assert!(
        world.clients.find(&id).await.is_err(),
        "neither a client nor none"
    );
    assert!(world.clients.find(&id).await.is_err());
    assert_eq!(site.requests(), 1, "not asked for again at once");
    site.document("/c", &json!({}));
    world.clock.advance(Duration::from_secs(5));
    assert!(world.clients.find(&id).await.unwrap().is_some());
    site.answer("/c", "500 Oops", JSON, "{}");
    world.clock.advance(HOUR);
    for _ in 0..3 {
        assert!(
            world.clients.find(&id).await.unwrap().is_some(),
            "the last one serves on"
        );
    }
    assert_eq!(site.requests(), 3);
    site.document("/c", &json!({"client_name": "New"}));
    world.clock.advance(Duration::from_secs(30));
    renewed(&world, &site, "/c").await;
    assert_eq!(site.requests(), 4);
}

#[tokio::test]
async fn sec_ci_07_an_old_document_ends_after_a_day() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    let id = client_id(&site.url("/c"));
    assert!(world.clients.find(&id).await.unwrap().is_some());
    site.stop();
    world.clock.advance((24 * HOUR).saturating_sub(SECOND));
    assert!(world.clients.find(&id).await.unwrap().is_some());
    world.clock.advance(MINUTE);
    assert!(world.clients.find(&id).await.is_err());
}

#[tokio::test]
async fn sec_ci_08_many_requests_for_one_document_are_one_fetch() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    let id = client_id(&site.url("/c"));
    let all = futures_util::future::join_all((0..16).map(|_| world.clients.find(&id))).await;
    assert!(all.into_iter().all(|found| found.unwrap().is_some()));
    assert_eq!(site.requests(), 1);
}

#[tokio::test]
async fn sec_ci_08_one_host_is_asked_seldom() {
    let site = Site::start().await;
    let world = World::new().await;
    let ask = |n: usize| {
        let id = client_id(&site.url(&format!("/{n}")));
        let clients = &world.clients;
        async move { clients.find_for(&id, Standing::First).await }
    };
    for n in 0..1000 {
        assert_eq!(ask(n).await.is_ok(), n < 10, "{n}");
    }
    assert_eq!(site.requests(), 10);
    for minute in 1..=3 {
        world.clock.advance(MINUTE);
        for n in 0..1000 {
            let _found = ask(minute * 1000 + n).await;
        }
    }
    assert_eq!(
        site.requests(),
        40,
        "at most ten at once and twenty a minute"
    );
}

#[tokio::test]
async fn sec_ci_08_a_flood_leaves_room_for_those_who_come_first() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    let flood = async |round: usize| {
        for n in 0..20 {
            let junk = client_id(&site.url(&format!("/{round}/{n}")));
            let _refused = world.clients.find_for(&junk, Standing::Again).await;
        }
    };
    flood(0).await;
    assert_eq!(site.requests(), 5);
    let good = client_id(&site.url("/c"));
    assert!(
        world
            .clients
            .find_for(&good, Standing::Again)
            .await
            .is_err()
    );
    let found = world.clients.find_for(&good, Standing::First).await;
    assert!(found.unwrap().is_some());
    // However long it goes on.
    for round in 1..100 {
        world.clock.advance(MINUTE);
        flood(round).await;
    }
    let fresh = client_id(&site.url("/fresh"));
    assert!(
        world
            .clients
            .find_for(&fresh, Standing::First)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn sec_ci_08_one_host_has_two_requests_at_a_time() {
    let site = Site::start().await;
    let world = World::new().await;
    site.hang(true);
    let ids: Vec<_> = (0..8)
        .map(|n| client_id(&site.url(&format!("/{n}"))))
        .collect();
    let all = futures_util::future::join_all(
        ids.iter()
            .map(|id| world.clients.find_for(id, Standing::First)),
    );
    let watch = async {
        for _ in 0..20_000 {
            tokio::task::yield_now().await;
        }
        let at_once = site.requests();
        site.hang(false);
        at_once
    };
    let (_, at_once) = tokio::join!(all, watch);
    assert_eq!(at_once, 2);
    assert_eq!(site.requests(), 8);
}

#[tokio::test]
async fn sec_ci_18_a_request_says_who_we_are_and_nothing_else() {
    let site = Site::start().await;
    site.document("/c", &json!({}));
    let world = World::new().await;
    assert!(find(&world, &site, "/c").await.is_some());
    let request = site.texts().remove(0).to_ascii_lowercase();
    assert!(
        request.contains("user-agent: portcullis/") && request.contains("accept: application/json")
    );
    for foreign in ["cookie", "authorization", "referer"] {
        assert!(!request.contains(foreign), "{request}");
    }
}
