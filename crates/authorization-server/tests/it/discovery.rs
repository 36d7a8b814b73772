//! How clients find out where to go: challenges and metadata, read as each of them reads.

use axum::Router;
use http::{Method, StatusCode};
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{EndpointUrl, scopes};
use portcullis_resource_server::Auth;
use portcullis_testkit::{Browser, Page, Visit};

use crate::client::{Client, Dialect, back_channel, plain};
use crate::world::{self, BASE, RESOURCE, World, welcome};

const METADATA: &str = "/.well-known/oauth-protected-resource";

fn native() -> Dialect {
    Dialect {
        registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
        redirect_uri: "http://127.0.0.1:7000/cb",
        ..plain()
    }
}

/// The challenge that a request without a token meets.
async fn challenged(browser: &Browser, url: &str) -> String {
    let page = back_channel(browser, Visit::get(url)).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{page:?}");
    page.header("www-authenticate").to_owned()
}

async fn document(browser: &Browser, url: &str) -> Value {
    let page = back_channel(browser, Visit::get(url)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    world::json(&page)
}

#[tokio::test]
async fn d1_the_challenge_leads_to_what_is_at_the_root_too() {
    let browser = world::browser();
    let named = gemini(&challenged(&browser, "/mcp").await);
    assert_eq!(named, format!("{BASE}{METADATA}/mcp"));
    for url in [named, format!("{BASE}{METADATA}")] {
        let found = document(&browser, &url).await;
        assert_eq!(found["resource"], RESOURCE);
        assert_eq!(found["authorization_servers"], json!([BASE]));
        // It is the server's to offer, and no resource's.
        assert!(!found.to_string().contains("offline_access"), "{found}");
    }
}

#[tokio::test]
async fn d2_what_every_document_names_is_there() {
    let browser = world::browser();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        let found = document(&browser, path).await;
        assert_eq!(found["issuer"], BASE, "{path}");
        for name in ["token", "registration", "revocation"] {
            let url = found[format!("{name}_endpoint")].as_str().unwrap();
            let page = back_channel(&browser, Visit::post(url, &[])).await;
            assert!(matches!(page.status.as_u16(), 400 | 401 | 415), "{page:?}");
        }
        let authorize = found["authorization_endpoint"].as_str().unwrap();
        assert_eq!(
            browser.open(authorize).await.status,
            StatusCode::BAD_REQUEST
        );
        let keys = document(&browser, found["jwks_uri"].as_str().unwrap()).await;
        assert!(!keys["keys"].as_array().unwrap().is_empty());
    }
}

/// A URL as the WHATWG has it, which is what most clients compare.
fn href(url: &str) -> String {
    EndpointUrl::parse(url).unwrap().url().to_string()
}

#[tokio::test]
async fn d3_the_resource_is_the_url_that_was_pasted() {
    for (path, pasted) in [
        ("/", "https://mcp.example.com"),
        ("/", "https://mcp.example.com/"),
        ("/mcp", "https://mcp.example.com/mcp"),
        ("/mcp", "https://mcp.example.com/mcp/"),
    ] {
        let world = World::mounted(
            |builder| builder,
            |auth| auth.protect(path, welcome()).unwrap(),
        );
        let named = gemini(&challenged(&world.browser, pasted).await);
        let found = document(&world.browser, &named).await;
        let resource = found["resource"].as_str().unwrap();
        // Visual Studio Code compares both as URLs, Gemini CLI origin and path.
        assert_eq!(href(resource), href(pasted));
        // rmcp is content with a parent on the same origin.
        assert!(href(pasted).starts_with(href(resource).trim_end_matches('/')));
        // And whatever was pasted can be asked for.
        let dialect = Dialect {
            resource: Some(pasted),
            ..native()
        };
        let client = Client::register(world.browser, dialect).await;
        client.tokens(client.code().await).await;
    }
}

fn two_servers(auth: Auth) -> Router {
    let auth = auth.one_of_several();
    let mut routes = auth.shared_routes().unwrap();
    for path in ["/a/mcp", "/b/mcp"] {
        let endpoint = auth.protected_routes(path, welcome()).unwrap();
        routes.merge(endpoint).unwrap();
    }
    routes.into_router()
}

#[tokio::test]
async fn d4_two_servers_on_one_host_are_two_resources() {
    let world = World::mounted(|builder| builder, two_servers);
    for path in ["/a/mcp", "/b/mcp"] {
        let named = gemini(&challenged(&world.browser, path).await);
        assert_eq!(named, format!("{BASE}{METADATA}{path}"));
        let found = document(&world.browser, &named).await;
        assert_eq!(found["resource"], format!("{BASE}{path}"));
        let server = format!("/.well-known/oauth-authorization-server{path}");
        assert_eq!(document(&world.browser, &server).await["issuer"], BASE);
    }
    // Nothing speaks for both.
    let root = back_channel(&world.browser, Visit::get(METADATA)).await;
    assert_eq!(root.status, StatusCode::NOT_FOUND);

    let asking = |resource| Dialect {
        resource: Some(resource),
        ..native()
    };
    let a = Client::register(
        world.browser.clone(),
        asking("https://mcp.example.com/a/mcp"),
    )
    .await;
    let tokens = a.tokens(a.code().await).await;
    assert_eq!(a.call(&tokens).await, StatusCode::OK);
    let b = Client::register(
        world.browser.another(),
        asking("https://mcp.example.com/b/mcp"),
    )
    .await;
    assert_eq!(b.call(&tokens).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn d5_no_header_of_a_proxy_names_another_host() {
    let browser = world::browser();
    let client = Client::register(browser.clone(), native()).await;
    let authorize = client.authorize_url();
    for path in [
        "/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        authorize.as_str(),
    ] {
        let hostile = Visit::get(path)
            .header("x-forwarded-host", "evil.example\"><script>")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-prefix", "/evil.example")
            .header("forwarded", "host=evil.example;proto=http")
            .header("x-original-url", "https://evil.example/")
            .stay();
        let page = browser.visit(hostile).await;
        let said = format!("{} {:?}", page.text, page.headers);
        assert!(!said.contains("evil.example"), "{said}");
        assert!(!said.contains("http://mcp.example.com"), "{said}");
    }
    let foreign = Visit::get("/mcp").header("host", "evil.example");
    let page = back_channel(&browser, foreign).await;
    assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn d6_a_probe_without_a_token_is_challenged() {
    let browser = world::browser();
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        for accept in ["*/*", "text/event-stream", "text/html"] {
            let probe = Visit::get("/mcp").method(method.clone());
            let page = back_channel(&browser, probe.header("accept", accept)).await;
            assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{method} {accept}");
            let challenge = page.header("www-authenticate");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert!(
                !challenge.contains("error"),
                "no token, no error: {challenge}"
            );
        }
    }
}

/// Gemini CLI looks for quotes.
fn gemini(challenge: &str) -> String {
    let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// The TypeScript SDK splits off the scheme, and takes a value with or without quotes.
fn typescript(challenge: &str, name: &str) -> Option<String> {
    let (scheme, rest) = challenge.split_once(' ')?;
    assert!(scheme.eq_ignore_ascii_case("bearer"));
    let (_, value) = rest.split_once(&format!("{name}="))?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => value.split([',', ' ']).next()?,
    };
    Some(value.to_owned())
}

/// Visual Studio Code reads character by character, and knows quotes.
fn visual_studio_code(challenge: &str) -> (String, Vec<(String, String)>) {
    let (scheme, rest) = challenge.split_once(' ').unwrap();
    let (mut parameters, mut name, mut value) = (Vec::new(), String::new(), None::<String>);
    let mut is_quoted = false;
    for c in rest.chars().chain([',']) {
        match (c, &mut value) {
            ('"', _) => is_quoted = !is_quoted,
            (',', Some(_)) if !is_quoted => {
                parameters.push((name.trim().to_owned(), value.take().unwrap()));
                name.clear();
            }
            ('=', None) => value = Some(String::new()),
            (c, None) => name.push(c),
            (c, Some(value)) => value.push(c),
        }
    }
    (scheme.to_owned(), parameters)
}

fn read_by_all(page: &Page) -> (String, Option<String>, Option<String>) {
    assert_eq!(page.headers.get_all("www-authenticate").iter().count(), 1);
    let challenge = page.header("www-authenticate");
    let (scheme, parameters) = visual_studio_code(challenge);
    assert_eq!(scheme, "Bearer");
    let parameter = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    for name in ["resource_metadata", "scope", "error"] {
        assert_eq!(parameter(name), typescript(challenge, name), "{challenge}");
    }
    assert_eq!(parameter("resource_metadata"), Some(gemini(challenge)));
    (gemini(challenge), parameter("scope"), parameter("error"))
}

#[tokio::test]
async fn d7_each_client_reads_the_same_in_a_challenge() {
    let world =
        World::with(|builder| builder.required_scopes(scopes!["notes:read", "notes:write"]));
    let client = Client::register(world.browser.clone(), native()).await;
    let tokens = client.tokens(client.code().await).await;
    let bearer =
        |token: &str| Visit::get("/mcp").header("authorization", &format!("Bearer {token}"));
    let metadata = format!("{BASE}{METADATA}/mcp");
    let both = Some("notes:read notes:write".to_owned());

    let page = back_channel(&world.browser, Visit::get("/mcp")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(read_by_all(&page), (metadata.clone(), both.clone(), None));

    let page = back_channel(&world.browser, bearer("junk")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let error = Some("invalid_token".to_owned());
    assert_eq!(read_by_all(&page), (metadata.clone(), both.clone(), error));

    let token = tokens["access_token"].as_str().unwrap();
    let page = back_channel(&world.browser, bearer(token)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
    let error = Some("insufficient_scope".to_owned());
    assert_eq!(read_by_all(&page), (metadata, both, error));
}

/// What a client does that brings a document only where that will do (Claude, opencode).
fn brings_its_document(metadata: &Value) -> bool {
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array();
    metadata["client_id_metadata_document_supported"] == true
        && methods.is_some_and(|methods| methods.contains(&json!("none")))
}

#[tokio::test]
async fn c9_metadata_says_whether_a_client_registers_or_brings_its_document() {
    use portcullis_authorization_server::{DocumentPolicy, RegistrationPolicy};

    let path = "/.well-known/oauth-authorization-server";
    let both = World::new();
    let metadata = document(&both.browser, path).await;
    assert!(brings_its_document(&metadata));

    let registers = World::with(|builder| builder.documents(DocumentPolicy::disabled()));
    let metadata = document(&registers.browser, path).await;
    assert!(!brings_its_document(&metadata));
    assert!(metadata["registration_endpoint"].is_string());
    let client = Client::register(registers.browser, native()).await;
    client.tokens(client.code().await).await;

    let brings = World::with(|builder| builder.registration(RegistrationPolicy::disabled()));
    let metadata = document(&brings.browser, path).await;
    assert!(brings_its_document(&metadata));
    assert!(metadata.get("registration_endpoint").is_none());
}

#[test]
fn readers_of_challenges_differ_where_they_may() {
    let odd = r#"Bearer realm="a, b=c", scope=one, resource_metadata="https://h/x""#;
    let (_, parameters) = visual_studio_code(odd);
    assert_eq!(parameters[0], ("realm".to_owned(), "a, b=c".to_owned()));
    assert_eq!(typescript(odd, "scope").as_deref(), Some("one"));
    assert_eq!(gemini(odd), "https://h/x");
}
