use std::sync::Arc;

use http_body_util::BodyExt as _;
use portcullis_oauth::json::{Limits as JsonLimits, Value, json};
use portcullis_oauth::{
    Issuer, MockClock, SecretBytes, SecretString, SeededEntropy, SharedClock, SharedEntropy, scopes,
};
use portcullis_store::{MemoryStore, StoreHandle};

use super::*;
use crate::client::{
    ClientSettings, ClientsParts, DocumentPolicy, RedirectCeiling, RegistrationPolicy,
};
use crate::limits::{Counts, RateLimits};

struct Office {
    clients: Clients,
    limits: Limits,
    events: Events,
    scopes: ScopeSet,
}

impl Office {
    async fn with(registration: RegistrationPolicy) -> Self {
        let clock: SharedClock = Arc::new(MockClock::at(1_800_000_000));
        let entropy: SharedEntropy = Arc::new(SeededEntropy::new(3));
        let store: StoreHandle = MemoryStore::new().into();
        let records = store.open(clock.clone(), entropy.clone()).await.unwrap();
        let settings = ClientSettings {
            issuer: Issuer::parse("https://auth.example.com").unwrap(),
            token_endpoint: "https://auth.example.com/oauth/token".to_owned(),
            registry: None,
            configured: Vec::new(),
            registration,
            documents: DocumentPolicy::new(),
            ceiling: RedirectCeiling::default(),
            fetcher: None,
        };
        let key = SecretBytes::new([1; 32]);
        let counts = Arc::new(Counts::new(clock.clone(), &entropy).unwrap());
        let limits = Limits::new(RateLimits::default(), counts, key, entropy.clone());
        Self {
            clients: Clients::new(ClientsParts {
                settings: settings.check().unwrap(),
                records,
                clock: clock.clone(),
                entropy,
            }),
            limits,
            events: Events::new(clock),
            scopes: scopes!["notes:read"],
        }
    }

    async fn post(
        &self,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> (StatusCode, HeaderMap, Value) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let desk = Desk {
            clients: &self.clients,
            limits: &self.limits,
            events: &self.events,
            scopes: &self.scopes,
        };
        let request = RegisterRequest {
            headers: &headers,
            body: body.as_bytes(),
            from: Some(ClientAddress::new("198.51.100.7".parse().unwrap())),
        };
        let response = post(desk, request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = portcullis_oauth::json::value(&body, JsonLimits::METADATA).unwrap();
        (parts.status, parts.headers, body)
    }
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const BODY: &str = r#"{"redirect_uris":["http://localhost/cb"],"client_name":"A"}"#;

#[tokio::test]
async fn a_registration_is_answered_with_201_and_kept_nowhere() {
    let office = Office::with(RegistrationPolicy::new()).await;
    let (status, headers, body) = office.post(&[JSON], BODY).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["pragma"], "no-cache");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body["redirect_uris"], json!(["http://localhost/cb"]));
}

#[tokio::test]
async fn sec_dr_02_a_body_is_short_json() {
    let office = Office::with(RegistrationPolicy::new()).await;
    for (headers, body, status) in [
        (&[][..], BODY, 415),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            BODY,
            415,
        ),
        (&[("content-type", "text/plain")], BODY, 415),
        (&[JSON], "", 400),
        (&[JSON], "[]", 400),
        (&[JSON], &"x".repeat(LONGEST + 1), 413),
    ] {
        let (found, headers, body) = office.post(headers, body).await;
        assert_eq!(found.as_u16(), status);
        assert_eq!(body["error"], "invalid_client_metadata");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn r9_a_bad_redirect_uri_is_told_as_rfc_7591_says_and_not_repeated() {
    let office = Office::with(RegistrationPolicy::new()).await;
    let (status, _, body) = office
        .post(&[JSON], r#"{"redirect_uris":["javascript:canary"]}"#)
        .await;
    assert_eq!(
        (status.as_u16(), &body["error"]),
        (400, &json!("invalid_redirect_uri"))
    );
    assert!(!body.to_string().contains("canary"));
}

#[tokio::test]
async fn sec_dr_10_without_its_token_a_registration_is_401() {
    let token = SecretString::from("let-me-in");
    let office = Office::with(RegistrationPolicy::new().initial_access_token(token)).await;
    let (status, headers, body) = office.post(&[JSON], BODY).await;
    assert_eq!(
        (status.as_u16(), &body["error"]),
        (401, &json!("invalid_token"))
    );
    assert_eq!(headers["www-authenticate"], "Bearer");
    for (value, expected) in [
        ("Bearer wrong", 401),
        ("Basic let-me-in", 401),
        ("bearer let-me-in", 201),
    ] {
        let (status, ..) = office.post(&[JSON, ("authorization", value)], BODY).await;
        assert_eq!(status.as_u16(), expected, "{value}");
    }
}

#[tokio::test]
async fn where_nobody_registers_it_is_403() {
    let office = Office::with(RegistrationPolicy::disabled()).await;
    let (status, _, body) = office.post(&[JSON], BODY).await;
    assert_eq!(
        (status.as_u16(), &body["error"]),
        (403, &json!("access_denied"))
    );
}

#[tokio::test]
async fn sec_dr_01_an_address_registers_only_so_often() {
    let office = Office::with(RegistrationPolicy::new()).await;
    let mut answers = Vec::new();
    for _ in 0..500 {
        answers.push(office.post(&[JSON], BODY).await);
    }
    let refused = answers
        .iter()
        .find(|(status, ..)| *status == StatusCode::TOO_MANY_REQUESTS);
    let (_, headers, body) = refused.expect("a limit");
    assert!(
        headers["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    assert_eq!(body["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn without_room_it_is_503_with_an_incident() {
    let office = Office::with(RegistrationPolicy::new().limit(0)).await;
    let (status, headers, body) = office.post(&[JSON], BODY).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after"));
    assert_eq!(body["incident"].as_str().unwrap().len(), 16);
}
