//! What metadata says is so, and what it does not say is not.

use http::StatusCode;
use portcullis_authorization_server::{DocumentPolicy, RegistrationPolicy};
use portcullis_oauth::form;
use portcullis_oauth::json::{Value, json};
use portcullis_testkit::{Browser, Page, Visit};

use crate::client::{Client, Dialect, back_channel, plain};
use crate::world::{self, World};

async fn metadata(browser: &Browser) -> Value {
    let path = "/.well-known/oauth-authorization-server";
    world::json(&browser.open(path).await)
}

fn listed(metadata: &Value, name: &str) -> Vec<String> {
    let words = metadata[name]
        .as_array()
        .unwrap_or_else(|| panic!("{name}"));
    let words = words.iter().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

async fn register(browser: &Browser, members: Value) -> Page {
    let mut body = json!({"redirect_uris": ["http://127.0.0.1/cb"]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = Visit::post("/oauth/register", &[])
        .header("content-type", "application/json")
        .body(body.to_string());
    back_channel(browser, request).await
}

/// A key of nobody's, so that a client which proves itself by keys can register.
fn keys() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": "a",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]})
}

#[tokio::test]
async fn sec_md_03_grant_types_that_are_listed_work_and_no_others() {
    let world = World::new();
    let browser = &world.browser;
    let metadata = metadata(browser).await;
    let has = |name: &str, word: &str| listed(&metadata, name).contains(&word.to_owned());
    let registered = world::json(&register(browser, json!({})).await);
    let id = registered["client_id"].as_str().unwrap();

    for grant_type in [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let fields = [("client_id", id), ("grant_type", grant_type)];
        let page = back_channel(browser, Visit::post("/oauth/token", &fields)).await;
        let is_unknown = world::json(&page)["error"] == "unsupported_grant_type";
        assert_eq!(
            has("grant_types_supported", grant_type),
            !is_unknown,
            "{grant_type}"
        );
    }
}

#[tokio::test]
async fn sec_md_03_clients_prove_themselves_as_is_listed() {
    let world = World::new();
    let browser = &world.browser;
    let metadata = metadata(browser).await;
    let has = |name: &str, word: &str| listed(&metadata, name).contains(&word.to_owned());
    for method in [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "client_secret_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "attest_jwt_client_auth",
    ] {
        let mut members = json!({"token_endpoint_auth_method": method});
        if method == "private_key_jwt" {
            members["jwks"] = keys();
        }
        let works = register(browser, members).await.status == StatusCode::CREATED;
        let name = "token_endpoint_auth_methods_supported";
        assert_eq!(has(name, method), works, "{method}");
    }
    for algorithm in [
        "ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "HS256", "HS384", "HS512", "none", "ES256K", "RS1",
    ] {
        let members = json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks": keys(),
            "token_endpoint_auth_signing_alg": algorithm,
        });
        let works = register(browser, members).await.status == StatusCode::CREATED;
        let name = "token_endpoint_auth_signing_alg_values_supported";
        assert_eq!(has(name, algorithm), works, "{algorithm}");
    }
}

#[tokio::test]
async fn sec_md_03_requests_are_made_as_is_listed() {
    let world = World::new();
    let browser = &world.browser;
    let metadata = metadata(browser).await;
    let has = |name: &str, word: &str| listed(&metadata, name).contains(&word.to_owned());
    let registered = world::json(&register(browser, json!({})).await);
    let id = registered["client_id"].as_str().unwrap();
    for (name, parameter, words) in [
        (
            "response_types_supported",
            "response_type",
            &[
                "code",
                "token",
                "id_token",
                "none",
                "code token",
                "code id_token",
            ][..],
        ),
        (
            "code_challenge_methods_supported",
            "code_challenge_method",
            &["S256", "plain", "S512"],
        ),
        (
            "response_modes_supported",
            "response_mode",
            &["query", "fragment", "form_post", "query.jwt", "web_message"],
        ),
    ] {
        for word in words {
            let mut fields = vec![
                ("response_type", "code"),
                ("client_id", id),
                ("redirect_uri", "http://127.0.0.1/cb"),
                (
                    "code_challenge",
                    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                ),
                ("code_challenge_method", "S256"),
            ];
            fields.retain(|(known, _)| *known != parameter);
            fields.push((parameter, word));
            let address = format!("/oauth/authorize?{}", form::encode(&fields));
            let page = browser.open(&address).await;
            assert_eq!(
                has(name, word),
                page.has_button("Sign in"),
                "{word} {page:?}"
            );
        }
    }
}

#[tokio::test]
async fn sec_md_05_metadata_says_what_the_server_does() {
    for (registration, documents) in [(true, true), (true, false), (false, true), (false, false)] {
        let world = World::with(|builder| {
            let builder = if registration {
                builder
            } else {
                builder.registration(RegistrationPolicy::disabled())
            };
            if documents {
                builder
            } else {
                builder.documents(DocumentPolicy::disabled())
            }
        });
        let browser = &world.browser;
        let said = metadata(browser).await;
        assert_eq!(said.get("registration_endpoint").is_some(), registration);
        let registered = register(browser, json!({})).await;
        assert_eq!(registered.status == StatusCode::CREATED, registration);
        let says = said["client_id_metadata_document_supported"] == true;
        assert_eq!(says, documents);
        // A host that no resolver knows (RFC 6761 section 6.4): asked for, or refused at once.
        let fields = [
            ("client_id", "https://client.invalid/c.json"),
            ("redirect_uri", "https://client.invalid/cb"),
        ];
        let address = format!("/oauth/authorize?{}", form::encode(&fields));
        let page = browser.open(&address).await;
        let is_asked_for = page.status == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(is_asked_for, documents, "{page:?}");
        assert!(
            said.get("introspection_endpoint").is_none(),
            "nobody may ask"
        );
        assert!(said.get("userinfo_endpoint").is_none());
        assert!(said.get("pushed_authorization_request_endpoint").is_none());
        assert!(said.get("dpop_signing_alg_values_supported").is_none());
        assert_eq!(said["authorization_response_iss_parameter_supported"], true);
    }
    // It says that there is `offline_access`, and whoever asks for it has it.
    let world = World::new();
    let said = metadata(&world.browser).await;
    assert_eq!(
        listed(&said, "scopes_supported"),
        ["notes:read", "notes:write", "offline_access"]
    );
    let dialect = Dialect {
        registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
        redirect_uri: "http://127.0.0.1:7000/cb",
        query: "scope=notes%3Aread+notes%3Awrite+offline_access&state=abc",
        ..plain()
    };
    let client = Client::register(world.browser, dialect).await;
    let tokens = client.tokens(client.code().await).await;
    assert_eq!(tokens["scope"], "notes:read notes:write offline_access");
}
