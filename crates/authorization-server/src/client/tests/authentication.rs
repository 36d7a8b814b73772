use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_testkit::CapturedLogs;

use super::super::secret::SecretKey;
use super::super::{AuthenticationMethod, ConfiguredClient, Presented, SecretDigest};
use super::{World, authorization, client_id, refusal};
use portcullis_oauth::SecretBytes;
use portcullis_oauth::secret::ClientSecret;

const SECRET: &str = "3kTqm1yXw0pZ4n7cR8sUvA";
const INVALID: (&str, u16) = ("invalid_client", 401);
const KIND: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);
/// The public half of RFC 8037 appendix A.2.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn reports(methods: &[AuthenticationMethod]) -> ConfiguredClient {
    ConfiguredClient::new("reports")
        .secret(ClientSecret::new(SECRET))
        .authentication(methods.iter().copied())
        .redirect_uri("https://reports.example.com/cb")
}

async fn world(methods: &'static [AuthenticationMethod]) -> World {
    World::with(|settings| {
        let public = ConfiguredClient::new("public").redirect_uri("https://p.example/cb");
        settings.configured = vec![reports(methods), public];
    })
    .await
}

const BASIC: &[AuthenticationMethod] = &[AuthenticationMethod::ClientSecretBasic];
const POST: &[AuthenticationMethod] = &[AuthenticationMethod::ClientSecretPost];

#[tokio::test]
async fn t1_each_client_authenticates_as_it_registered() {
    let basic = world(BASIC).await;
    let client = basic.basic("reports", SECRET).await.unwrap();
    assert_eq!(client.client().id.as_str(), "reports");
    let post = world(POST).await;
    assert!(
        post.posted(&[("client_id", "reports"), ("client_secret", SECRET)])
            .await
            .is_ok()
    );
    assert!(post.posted(&[("client_id", "public")]).await.is_ok());
}

#[tokio::test]
async fn sec_ca_01_a_wrong_secret_is_refused() {
    let world = world(POST).await;
    for secret in [
        "wrong",
        "3kTqm1yXw0pZ4n7cR8sUv",
        "3kTqm1yXw0pZ4n7cR8sUvAA",
        "A",
    ] {
        let outcome = world
            .posted(&[("client_id", "reports"), ("client_secret", secret)])
            .await;
        assert_eq!(
            refusal(outcome),
            (INVALID.0, INVALID.1, "secret"),
            "{secret}"
        );
    }
}

#[tokio::test]
async fn sec_ca_02_the_registered_method_and_no_other() {
    let (basic, post) = (world(BASIC).await, world(POST).await);
    let method = (INVALID.0, INVALID.1, "method");
    assert_eq!(refusal(post.basic("reports", SECRET).await), method);
    let posted = [("client_id", "reports"), ("client_secret", SECRET)];
    assert_eq!(refusal(basic.posted(&posted).await), method);
    for world in [&basic, &post] {
        assert_eq!(
            refusal(world.posted(&[("client_id", "reports")]).await),
            method
        );
        let assertion = [
            ("client_id", "reports"),
            ("client_assertion", "a.b.c"),
            KIND,
        ];
        assert_eq!(refusal(world.posted(&assertion).await), method);
    }
    // A client that signs does not fall back on a secret, be it the right one.
    let signs = ConfiguredClient::new("signs")
        .secret(ClientSecret::new(SECRET))
        .keys(JwkSet::parse(KEYS.as_bytes()).unwrap())
        .authentication([AuthenticationMethod::PrivateKeyJwt])
        .redirect_uri("https://signs.example/cb");
    let world = World::with(|settings| settings.configured = vec![signs]).await;
    let posted = [("client_id", "signs"), ("client_secret", SECRET)];
    assert_eq!(refusal(world.posted(&posted).await), method);
    assert_eq!(refusal(world.basic("signs", SECRET).await), method);
    assert_eq!(refusal(world.posted(&posted[..1]).await), method);
}

#[tokio::test]
async fn sec_ca_15_a_public_client_with_a_secret_is_refused() {
    let world = world(POST).await;
    let posted = [("client_id", "public"), ("client_secret", "x")];
    assert_eq!(
        refusal(world.posted(&posted).await),
        (INVALID.0, INVALID.1, "method")
    );
    assert_eq!(
        refusal(world.basic("public", "x").await),
        (INVALID.0, INVALID.1, "method")
    );
}

#[tokio::test]
async fn sec_ca_03_two_methods_at_once_are_refused() {
    let world = world(POST).await;
    let header = authorization(&format!(
        "Basic {}",
        base64::encode(format!("reports:{SECRET}"))
    ));
    let kind = KIND;
    let id = ("client_id", "reports");
    for (headers, parameters) in [
        (&header, vec![id, ("client_secret", SECRET)]),
        (&header, vec![("client_assertion", "a.b.c"), kind]),
        (
            &HeaderMap::new(),
            vec![
                id,
                ("client_secret", SECRET),
                ("client_assertion", "a.b.c"),
                kind,
            ],
        ),
    ] {
        let outcome = world.presented(headers, &parameters).await;
        assert_eq!(refusal(outcome), ("invalid_request", 400, "malformed"));
    }
    let mut twice = header.clone();
    twice.append(AUTHORIZATION, HeaderValue::from_static("Basic eDp5"));
    assert_eq!(
        refusal(world.presented(&twice, &[]).await).0,
        "invalid_request"
    );
    let other = world.presented(&header, &[("client_id", "public")]).await;
    assert_eq!(refusal(other).0, "invalid_request");
    let repeated = world.posted(&[id, id]).await;
    assert_eq!(refusal(repeated).0, "invalid_request");
}

#[tokio::test]
async fn sec_ca_04_basic_is_read_strictly() {
    let world = world(BASIC).await;
    let encoded = |text: &str| base64::encode(text);
    for value in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic ????".to_owned(),
        "Basic cmVwb3J0cw".to_owned(),
        format!("Basic {}", encoded("no-colon")),
        format!("Basic {}", encoded(":secret")),
        format!("Basic {}", encoded("reports:")),
        format!("Basic {}", encoded("reports:50%")),
        format!("Basic {}", encoded("rep%zzorts:x")),
        format!("Basic {}", encoded("reports:a\0b")),
        format!("Basic {}", encoded("reports:a%00b")),
        format!("Basic {}", base64::encode(b"reports:\xff")),
        format!("Bearer {}", encoded(&format!("reports:{SECRET}"))),
    ] {
        let outcome = world.presented(&authorization(&value), &[]).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.wire().code.as_str(), error.status().as_u16()),
            INVALID,
            "{value}"
        );
        assert!(error.needs_challenge(), "{value}");
        // It is not even looked up.
        assert_eq!(error.reason(), "basic", "{value}");
    }
    let mut bytes = HeaderMap::new();
    bytes.insert(
        AUTHORIZATION,
        HeaderValue::from_bytes(b"Basic \xff").unwrap(),
    );
    let error = world.presented(&bytes, &[]).await.unwrap_err();
    assert_eq!(
        (error.wire().code.as_str(), error.status().as_u16()),
        INVALID
    );
    for scheme in ["basic", "BASIC", "Basic"] {
        let value = format!("{scheme} {}", encoded(&format!("%72eports:{SECRET}")));
        assert!(
            world.presented(&authorization(&value), &[]).await.is_ok(),
            "{scheme}"
        );
    }
}

/// As the standard has it, and as curl and many others do: base64 secrets have a `+`.
#[tokio::test]
async fn basic_is_read_encoded_and_as_it_is() {
    let world = World::with(|settings| {
        let secret = ClientSecret::new("more+more/than=plenty+of+it==");
        settings.configured = vec![reports(BASIC).secret(secret)];
    })
    .await;
    for (sent, is_it) in [
        ("more%2Bmore%2Fthan%3Dplenty%2Bof%2Bit%3D%3D", true),
        ("more%2bmore/than=plenty%2bof%2bit==", true),
        ("more+more/than=plenty+of+it==", true),
        ("more%2Bmore/than=plenty+of+it==", false),
        ("more more/than=plenty of it==", false),
    ] {
        let header = format!("Basic {}", base64::encode(format!("reports:{sent}")));
        let outcome = world.presented(&authorization(&header), &[]).await;
        assert_eq!(outcome.is_ok(), is_it, "{sent}");
    }
}

#[tokio::test]
async fn sec_ca_04_a_challenge_goes_to_those_who_used_the_header() {
    let world = world(BASIC).await;
    assert!(
        world
            .basic("reports", "wrong")
            .await
            .unwrap_err()
            .needs_challenge()
    );
    assert!(
        world
            .basic("nobody", "wrong")
            .await
            .unwrap_err()
            .needs_challenge()
    );
    let posted = world
        .posted(&[("client_id", "reports"), ("client_secret", "x")])
        .await;
    assert!(!posted.unwrap_err().needs_challenge());
}

#[tokio::test]
async fn sec_op_03_an_unknown_client_and_a_wrong_secret_look_the_same() {
    let world = world(POST).await;
    let answer = |outcome: Result<_, super::ClientAuthenticationError>| {
        let error = outcome.map(|_: super::AuthenticatedClient| ()).unwrap_err();
        (error.wire(), error.status(), error.needs_challenge())
    };
    let unknown = world
        .posted(&[("client_id", "nobody"), ("client_secret", "x")])
        .await;
    let wrong = world
        .posted(&[("client_id", "reports"), ("client_secret", "x")])
        .await;
    let method = world.posted(&[("client_id", "reports")]).await;
    let wrong = answer(wrong);
    assert_eq!(answer(unknown), wrong);
    assert_eq!(answer(method), wrong);
}

#[test]
fn sec_op_03_an_unknown_client_costs_as_much_as_a_wrong_secret() {
    let key = SecretKey::new(SecretBytes::new([1; 32]));
    let (id, secret) = (client_id("a"), ClientSecret::new("s"));
    let stored = SecretKey::stored(key.digest(&id, &secret));
    assert!(key.matches(&id, Some(stored), &secret));
    assert!(key.matches(&id, Some(SecretDigest::of(&secret)), &secret));
    // The digest belongs to its client and to its key.
    assert!(!key.matches(&client_id("b"), Some(stored), &secret));
    let other = SecretKey::new(SecretBytes::new([2; 32]));
    assert!(!other.matches(&id, Some(stored), &secret));
    // Without one nothing matches, whatever it is compared with.
    assert!(!key.matches(&id, None, &secret));
    assert!(!key.matches(&id, None, &ClientSecret::new("")));
}

#[test]
fn nobody_without_a_client_id_is_a_client() {
    let read = |text: &str| {
        let form = Form::parse(text.as_bytes(), form::Limits::ENDPOINT).unwrap();
        Presented::read(&HeaderMap::new(), &form).map(|presented| presented.client_id().to_string())
    };
    assert_eq!(read("client_id=a").unwrap(), "a");
    for (text, code) in [
        ("", "invalid_client"),
        ("client_id=", "invalid_client"),
        ("client_secret=x", "invalid_client"),
        ("client_id=a&client_assertion=a.b.c", "invalid_request"),
        ("client_id=a&client_assertion_type=x", "invalid_request"),
        (
            "client_id=a&client_assertion=a.b.c&client_assertion_type=saml",
            "invalid_client",
        ),
        (
            "client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            "invalid_client",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().wire().code.as_str(), code, "{text}");
    }
}

#[tokio::test]
async fn sec_op_01_a_presented_secret_is_in_no_log() {
    let logs = CapturedLogs::start();
    let world = world(BASIC).await;
    let canary = "canary-77ab";
    let outcome = world.basic("reports", canary).await;
    assert!(!format!("{outcome:?}").contains(canary));
    let form = Form::parse(
        b"client_id=a&client_secret=canary-77ab",
        form::Limits::ENDPOINT,
    )
    .unwrap();
    let presented = Presented::read(&HeaderMap::new(), &form).unwrap();
    assert!(!format!("{presented:?}").contains(canary));
    assert!(logs.text().contains("client_authentication_failed"));
    logs.assert_free_of(canary);
}
