//! Key rings over a store: replicas, rotation, revocation, and tokens of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::json::{Map, Value, json};
use portcullis_oauth::{ClientId, Issuer, MockClock, ResourceUrl, SeededEntropy, scopes};
use portcullis_resource_server::{
    AccessToken, Caller, JwtVerifier, KeySetSource as _, Rejection, TokenParts, TokenVerifier as _,
    VerifyContext, VerifyError,
};
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, Row, RowKey, SealingKeys, Store, StoreHandle,
};

use super::*;
use crate::JwtIssuer;

const NOW: i64 = 1_800_000_000;
const RESOURCE: &str = "https://mcp.example.com/mcp";
const HOUR: Duration = Duration::from_secs(3600);
const SECRET: &str = "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u";

/// A store, and the clock of all who share it.
struct World {
    store: StoreHandle,
    clock: Arc<MockClock>,
}

impl World {
    fn new() -> Self {
        Self {
            store: MemoryStore::new().into(),
            clock: Arc::new(MockClock::at(NOW)),
        }
    }

    fn settings(&self) -> KeyringSettings {
        KeyringSettings::new()
            .clock(self.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(7)))
    }

    async fn records(&self) -> Records {
        let entropy = Arc::new(SeededEntropy::new(8));
        let store = self.store.clone();
        store.open(self.clock.clone(), entropy).await.unwrap()
    }

    async fn keyring(&self) -> Keyring {
        let records = self.records().await;
        Keyring::open(&records, self.settings()).await.unwrap()
    }

    fn now(&self) -> Timestamp {
        use portcullis_oauth::Clock as _;
        self.clock.now()
    }
}

fn issuer() -> Issuer {
    Issuer::parse("https://mcp.example.com").unwrap()
}

fn verifier(keyring: &Keyring) -> JwtVerifier {
    keyring.verifier(&issuer()).unwrap()
}

async fn sign_with(keyring: &Keyring, life: Duration, extra: &Map<String, Value>) -> BearerToken {
    try_sign(keyring, life, extra).await.unwrap()
}

async fn try_sign(
    keyring: &Keyring,
    life: Duration,
    extra: &Map<String, Value>,
) -> Result<BearerToken, KeyringError> {
    let now = keyring.clock().now();
    let claims = AccessTokenClaims {
        issuer: &issuer(),
        subject: "alice",
        client_id: &ClientId::parse("cli").unwrap(),
        audience: &ResourceUrl::parse(RESOURCE).unwrap(),
        scope: &scopes!["notes:read"],
        token_id: "grant.token",
        authenticated_at: Some(now),
        issued_at: now,
        expires_at: now.saturating_add(life),
        extra,
    };
    keyring.sign_access_token(&claims).await
}

async fn sign(keyring: &Keyring) -> BearerToken {
    sign_with(keyring, HOUR, &Map::new()).await
}

async fn present(verifier: &JwtVerifier, token: &BearerToken) -> Result<AccessToken, VerifyError> {
    let resource = ResourceUrl::parse(RESOURCE).unwrap();
    let cx = VerifyContext::new(&resource);
    if let Some(known) = verifier.cached(token, &cx) {
        return Ok(known);
    }
    verifier.verify(token, &cx).await
}

#[track_caller]
fn rejection(outcome: Result<AccessToken, VerifyError>) -> Rejection {
    match outcome {
        Err(VerifyError::Rejected(rejection)) => rejection,
        other => panic!("not a rejection: {other:?}"),
    }
}

async fn ids(keyring: &Keyring) -> Vec<String> {
    let keys = keyring.keys().await.unwrap();
    keys.into_iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_the_next_one_finds_it() {
    let world = World::new();
    let (first, second) = (world.keyring().await, world.keyring().await);
    assert_eq!(ids(&first).await, ids(&second).await);
    assert_eq!(first.keys().await.unwrap()[0].algorithm, "ES256");
    let token = sign(&first).await;
    let token = present(&verifier(&second), &token).await.unwrap();
    assert_eq!((token.subject(), token.client_id()), ("alice", Some("cli")));
    assert_eq!(token.scopes(), &scopes!["notes:read"]);
    assert_eq!(token.jwt_id(), Some("grant.token"));
    assert_eq!(token.claim::<i64>("auth_time"), Some(NOW));
}

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_the_first_key() {
    let world = World::new();
    let starts = (0..16).map(|_| world.keyring());
    let rings = futures_util::future::join_all(starts).await;
    let first = ids(&rings[0]).await;
    for ring in &rings {
        assert_eq!(ids(ring).await, first);
    }
}

#[tokio::test]
async fn sec_key_15_the_key_set_has_public_parts_alone() {
    let world = World::new();
    for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::EdDsa] {
        let settings = world.settings().algorithm(algorithm);
        let world = World::new();
        let records = world.records().await;
        let keyring = Keyring::open(&records, settings).await.unwrap();
        keyring.rotate(Rotation::Overlap).await.unwrap();
        let published = keyring.jwks().unwrap();
        let document: Value =
            portcullis_oauth::json::value(&published.json, portcullis_oauth::json::Limits::JOSE)
                .unwrap();
        let keys = document["keys"].as_array().unwrap();
        assert_eq!((keys.len(), published.set.len()), (2, 2));
        for key in keys {
            let public = ["alg", "crv", "kid", "kty", "use", "x", "y"];
            let members = key.as_object().unwrap().keys();
            assert!(
                members.clone().all(|name| public.contains(&name.as_str())),
                "{key}"
            );
            let read = portcullis_oauth::jose::jwk::Jwk::from_value(key).unwrap();
            assert_eq!(key["kid"], read.thumbprint(), "RFC 7638");
        }
    }
}

#[tokio::test]
async fn sec_key_15_a_full_rotation_fails_no_request_and_ends_the_old_key() {
    let world = World::new();
    let (signs, checks) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&checks);
    let old = ids(&signs).await[0].clone();
    let stolen = signs.inner.seen().signing.clone();
    let next = signs.rotate(Rotation::Overlap).await.unwrap();
    let mut tokens: Vec<BearerToken> = Vec::new();
    let mut switched_at = None;
    // One token a minute, and all that are still good are presented each time.
    for minute in 0..120_u64 {
        let token = sign(&signs).await;
        if switched_at.is_none() && token.expose().contains('.') && kid(&token) == next.id {
            switched_at = Some(minute);
        }
        tokens.push(token);
        tokens.retain(|token| {
            let claims = claims(token);
            claims["exp"].as_i64().unwrap() > world.now().as_secs()
        });
        for token in &tokens {
            let outcome = present(&verifier, token).await;
            assert!(outcome.is_ok(), "minute {minute}: {outcome:?}");
        }
        world.clock.advance(Duration::from_secs(60));
        signs.tick().await.unwrap();
        checks.tick().await.unwrap();
    }
    assert_eq!(
        switched_at,
        Some(15),
        "the new key signs when everybody knows it"
    );
    assert_eq!(ids(&signs).await, [next.id]);
    assert!(!ids(&checks).await.contains(&old));
    let forged = forge(&stolen, &world);
    assert_eq!(
        rejection(present(&verifier, &forged).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_16_a_revoked_key_takes_every_token_along() {
    let world = World::new();
    let keyring = world.keyring().await;
    let verifier = verifier(&keyring);
    let before = sign(&keyring).await;
    present(&verifier, &before).await.unwrap();
    let key = keyring.rotate(Rotation::Revoke).await.unwrap();
    assert_eq!(key.state, KeyState::Active);
    assert_eq!(
        rejection(present(&verifier, &before).await),
        Rejection::UnknownKey
    );
    let after = sign(&keyring).await;
    assert_eq!(kid(&after), key.id);
    present(&verifier, &after).await.unwrap();
    assert_eq!(ids(&keyring).await, [key.id]);
}

#[tokio::test]
async fn sec_key_16_a_key_that_another_process_revoked_is_gone_within_a_minute() {
    // One store of two processes that never tells of changes: the worst there is.
    let world = World::new();
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let token = sign(&here).await;
    present(&verifier, &token).await.unwrap();
    there.rotate(Rotation::Revoke).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_16_a_key_that_another_process_revoked_is_gone_on_the_next_request() {
    let clock = Arc::new(MockClock::at(NOW));
    let telling = Telling::default();
    let store: Arc<dyn Store> = Arc::new(telling.clone());
    let world = World {
        store: StoreHandle::new(
            store,
            SealingKeys::generate(&SeededEntropy::new(9)).unwrap(),
        ),
        clock,
    };
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let token = sign(&here).await;
    present(&verifier, &token).await.unwrap();
    there.rotate(Rotation::Revoke).await.unwrap();
    telling.changes.fetch_add(1, Ordering::SeqCst);
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    assert_eq!(kid(&sign(&here).await), ids(&there).await[0]);
}

#[tokio::test]
async fn a_store_that_fails_is_no_proof_of_a_key() {
    let telling = Telling::default();
    let store: Arc<dyn Store> = Arc::new(telling.clone());
    let world = World {
        store: StoreHandle::new(
            store,
            SealingKeys::generate(&SeededEntropy::new(9)).unwrap(),
        ),
        clock: Arc::new(MockClock::at(NOW)),
    };
    let keyring = world.keyring().await;
    let verifier = verifier(&keyring);
    let token = sign(&keyring).await;
    telling.is_down.store(true, Ordering::SeqCst);
    present(&verifier, &token).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let outcome = present(&verifier, &token).await;
    assert!(
        matches!(outcome, Err(VerifyError::Unavailable(_))),
        "{outcome:?}"
    );
    let unsigned = try_sign(&keyring, HOUR, &Map::new()).await;
    assert!(
        matches!(unsigned, Err(KeyringError::Store(_))),
        "{unsigned:?}"
    );
    telling.is_down.store(false, Ordering::SeqCst);
    present(&verifier, &token).await.unwrap();
}

#[tokio::test]
async fn sec_key_01_made_up_key_ids_look_into_the_store_once_a_second() {
    let world = World::new();
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let generation = here.settled().unwrap();
    assert!(here.newer_than(generation).await.unwrap().is_none());
    there.rotate(Rotation::Revoke).await.unwrap();
    let token = sign(&there).await;
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    world.clock.advance(SECOND_LOOK);
    present(&verifier, &token).await.unwrap();
}

#[tokio::test]
async fn a_key_is_exchanged_by_its_age_by_one_of_many() {
    let world = World::new();
    let day = HOUR * 24;
    let second = Duration::from_secs(1);
    let records = world.records().await;
    let open = || Keyring::open(&records, world.settings().rotate_every(day));
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    world.clock.advance(day.saturating_sub(second));
    assert_eq!(one.tick().await.unwrap(), None);
    world.clock.advance(second);
    let ticks = futures_util::future::join(one.tick(), other.tick()).await;
    let made = [ticks.0.unwrap(), ticks.1.unwrap()];
    assert_eq!(made.iter().flatten().count(), 1, "{made:?}");
    assert_eq!(ids(&one).await.len(), 2);
    assert_eq!(ids(&one).await, ids(&other).await);
}

#[tokio::test]
async fn sec_key_15_no_token_outlives_its_key() {
    let world = World::new();
    let keyring = world.keyring().await;
    let life = HOUR + Duration::from_secs(1);
    let refused = try_sign(&keyring, life, &Map::new()).await.unwrap_err();
    assert!(matches!(
        refused,
        KeyringError::Claims(Unsigned::TooLongLived)
    ));
    // Who configures longer tokens keeps the key for as long.
    let settings = world.settings().access_token_lifetime(HOUR * 5);
    let longer = Keyring::open(&world.records().await, settings)
        .await
        .unwrap();
    longer.rotate(Rotation::Overlap).await.unwrap();
    world.clock.advance(Duration::from_secs(900));
    let until = Some(
        world
            .now()
            .saturating_add(HOUR * 5 + Duration::from_secs(300)),
    );
    assert_eq!(
        longer.keys().await.unwrap()[0].state,
        KeyState::Retired { until }
    );
}

#[tokio::test]
async fn a_claim_of_the_user_replaces_none_of_ours() {
    let world = World::new();
    let keyring = world.keyring().await;
    let Value::Object(extra) = json!({
        "iss": "https://evil.example", "sub": "mallory", "aud": "https://evil.example",
        "exp": 9_999_999_999_i64, "nbf": 0, "iat": 0, "jti": "x", "client_id": "evil", "azp": "evil",
        "scope": "admin", "scp": ["admin"], "auth_time": 0, "cnf": {"jkt": "x"}, "act": {"sub": "x"},
        "nonce": "n", "typ": "Bearer", "token_use": "access", "role": "editor", "groups": ["a", "b"],
    }) else {
        unreachable!()
    };
    let token = sign_with(&keyring, HOUR, &extra).await;
    let claims = claims(&token);
    let mut names: Vec<&str> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "aud",
            "auth_time",
            "client_id",
            "exp",
            "groups",
            "iat",
            "iss",
            "jti",
            "role",
            "scope",
            "sub"
        ]
    );
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["iss"], "https://mcp.example.com");
    assert_eq!(claims["scope"], "notes:read");
    assert_eq!(claims["auth_time"], NOW);
    let token = present(&verifier(&keyring), &token).await.unwrap();
    assert_eq!(token.claim::<&str>("role"), Some("editor"));
}

#[tokio::test]
async fn a_token_is_an_access_token_of_rfc_9068_and_fits_a_header() {
    let world = World::new();
    let keyring = world.keyring().await;
    let token = sign(&keyring).await;
    let header = part(&token, 0);
    let id = &ids(&keyring).await[0];
    assert_eq!(header, json!({"alg": "ES256", "kid": id, "typ": "at+jwt"}));
    assert_eq!(claims(&token)["aud"], RESOURCE, "one text");
    let Value::Object(long) = json!({"about": "x".repeat(7000)}) else {
        unreachable!()
    };
    let refused = try_sign(&keyring, HOUR, &long).await.unwrap_err();
    assert!(matches!(refused, KeyringError::Claims(Unsigned::TooLong)));
}

#[tokio::test]
async fn secrets_give_the_same_keys_everywhere_and_the_first_one_signs() {
    let world = World::new();
    let records = world.records().await;
    let other = "a second, quite different secret: 8471-qpxm";
    let open = |secrets: &[&str]| {
        let secrets = secrets.iter().map(|secret| SigningSecret::from(*secret));
        Keyring::open(&records, world.settings().secrets(secrets))
    };
    let one = open(&[SECRET]).await.unwrap();
    let token = sign(&one).await;
    let two = open(&[other, SECRET]).await.unwrap();
    assert_eq!(ids(&two).await[1], ids(&one).await[0]);
    present(&verifier(&two), &token).await.unwrap();
    let newer = sign(&two).await;
    assert_eq!(kid(&newer), ids(&two).await[0]);
    let refused = present(&verifier(&one), &newer).await;
    assert_eq!(rejection(refused), Rejection::UnknownKey);
    assert_eq!(part(&newer, 0)["alg"], "EdDSA");
    let unchanged = two.rotate(Rotation::Overlap).await.unwrap_err();
    assert!(matches!(unchanged, KeyringError::Derived));
    assert_eq!(two.tick().await.unwrap(), None);
    assert!(
        records.get::<Ring>(Ring::KEY).await.unwrap().is_none(),
        "no key is kept"
    );
}

#[test]
fn a_key_of_a_secret_is_the_same_for_ever() {
    let key = SigningSecret::from(SECRET).key().unwrap();
    let jwk = key.public_jwk(None).unwrap();
    // Computed by a program of its own: HKDF of RFC 5869, then RFC 8032 and RFC 7638.
    assert_eq!(jwk["kid"], "Dmp_LHzWUZEbW3vfh1Gd3taAX_zkYLzcGyc2PsUPiOs");
}

#[test]
fn sec_key_17_weak_signing_secrets_are_refused() {
    let derived = |secret: &str| SigningSecret::from(JwtIssuer::derive_key(secret, 1).unwrap());
    for weak in [
        SigningSecret::from("secret"),
        SigningSecret::from("kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2"),
        SigningSecret::from("00000000000000000000000000000000000"),
        SigningSecret::from("your-256-bit-secret-your-256-bit!"),
        derived("secret"),
        derived("kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2"),
        derived("CHANGE_ME_to-something-very-long-please"),
    ] {
        let settings = KeyringSettings::new().secrets([SigningSecret::from(SECRET), weak]);
        let fault = settings.check().unwrap_err();
        assert_eq!(fault.field(), "jwt_signing_key");
        assert!(fault.hint().is_some());
    }
    for good in [SigningSecret::from(SECRET), derived(SECRET)] {
        assert!(KeyringSettings::new().secrets([good]).check().is_ok());
    }
}

#[test]
fn keys_are_derived_as_the_original_does() {
    for (secret, iterations, key) in [
        (
            "secret",
            100_000,
            "Xza6lqurLLoMIoHXo/Us4T1jXehT1yhK5ccLvtNGL0c=",
        ),
        ("secret", 1, "oqIl3Uija1rrE/kdNTA0ec4ZE+mlKAI6EHBLpff+YAA="),
        (
            "correct horse battery staple:jwt",
            100_000,
            "a83XFXPzvZVlT3cestns4vq6YovR70oyMaXhRNlhEQY=",
        ),
        (
            "correct horse battery staple:storage",
            100_000,
            "FigmmTleBQc1YWKtbsYOWZw1WvxQBlzvHeY8GaUr3zY=",
        ),
        (
            "pässwörd",
            1000,
            "caR44qz97+dR/0IVJqv2gsCmA4hMGKOKVEOre/XsgsM=",
        ),
    ] {
        let derived = JwtIssuer::derive_key(secret, iterations).unwrap();
        assert_eq!(derived.expose(), key, "{secret} {iterations}");
    }
    assert!(JwtIssuer::derive_key("", 1).is_err());
    assert!(JwtIssuer::derive_key("secret", 0).is_err());
    let derived = JwtIssuer::derive_key("secret", 1).unwrap();
    assert_eq!(derived.weakness(), Some("is shorter than 32 bytes"));
    assert!(!format!("{derived:?}").contains("oqIl3"));
}

#[tokio::test]
async fn a_statement_on_a_caller_says_who_and_for_whom() {
    let world = World::new();
    let keyring = world.keyring().await;
    let signer = keyring.identity_signer(issuer());
    let caller = AccessToken::assert_verified(
        TokenParts::new("https://idp.example", "alice")
            .client_id("cli")
            .scopes(scopes!["read", "write"]),
    );
    let caller = Caller::new(&caller, &["admin", "ops"], "https://files.internal/mcp");
    let statement = signer.sign(&caller).unwrap();
    assert_eq!(statement.lifetime, Duration::from_secs(60));
    let jwt = BearerToken::new(statement.jwt.expose());
    let header = part(&jwt, 0);
    assert_eq!(header["typ"], "portcullis-identity+jwt");
    assert_eq!(header["kid"], ids(&keyring).await[0]);
    let mut said = claims(&jwt);
    let id = said.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 22);
    assert_eq!(
        said,
        json!({
            "iss": "https://mcp.example.com", "aud": "https://files.internal/mcp", "sub": "alice",
            "sub_id": {"format": "iss_sub", "iss": "https://idp.example", "sub": "alice"},
            "client_id": "cli", "scope": "read write", "roles": ["admin", "ops"],
            "iat": NOW, "exp": NOW + 60,
        })
    );
    let another = signer.sign(&caller).unwrap();
    assert_ne!(
        another.jwt.expose(),
        jwt.expose(),
        "each has an id of its own"
    );
    let jws = CompactJws::parse(jwt.expose()).unwrap();
    let published = keyring.jwks().unwrap();
    let key = published.set.keys()[0].key();
    assert!(jws.verify(key, jws.header().algorithm()).is_ok());
}

#[tokio::test]
async fn sec_jwt_10_a_statement_on_a_caller_is_no_access_token() {
    let world = World::new();
    let keyring = world.keyring().await;
    let caller = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
    let caller = Caller::new(&caller, &[], RESOURCE);
    let signed = keyring.identity_signer(issuer()).sign(&caller).unwrap();
    let presented = BearerToken::new(signed.jwt.expose());
    let refused = present(&verifier(&keyring), &presented).await;
    assert_eq!(rejection(refused), Rejection::WrongType);
}

#[tokio::test]
async fn sec_key_16_no_statement_is_signed_with_a_key_that_may_be_gone() {
    let world = World::new();
    let keyring = world.keyring().await;
    let signer = keyring.identity_signer(issuer());
    let caller = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
    let caller = Caller::new(&caller, &[], RESOURCE);
    world.clock.advance(Duration::from_secs(59));
    assert!(signer.sign(&caller).is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert!(signer.sign(&caller).is_err());
    keyring.tick().await.unwrap();
    assert!(signer.sign(&caller).is_ok());
}

/// A store of several processes, which tells of changes and fails as it is told to.
#[derive(Clone, Debug, Default)]
struct Telling {
    rows: MemoryStore,
    changes: Arc<AtomicU64>,
    is_down: Arc<AtomicBool>,
}

impl Telling {
    fn up(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        Ok(())
    }
}

impl Store for Telling {
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        match self.up() {
            Ok(()) => self.rows.get(key),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.rows.take(key)
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>> {
        self.rows.commit(changes, now)
    }

    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.rows.list(collection, page)
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.rows.list_family(collection, family, page)
    }

    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.rows.count(collection)
    }

    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.rows.list_ending(collection, limit)
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.rows.sweep(now, limit)
    }

    fn foreign_changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

/// A token that whoever has the key makes for himself.
fn forge(key: &view::Held, world: &World) -> BearerToken {
    let token = portcullis_oauth::jose::sign::JwtBuilder::access_token(issuer().as_str())
        .kid(&key.id)
        .subject("mallory")
        .audience(RESOURCE)
        .valid(world.now(), HOUR);
    BearerToken::new(token.sign(&key.key).unwrap())
}

fn part(token: &BearerToken, at: usize) -> Value {
    let part = token.expose().split('.').nth(at).unwrap();
    let bytes = portcullis_oauth::crypto::base64url::decode_strict(part).unwrap();
    portcullis_oauth::json::value(&bytes, portcullis_oauth::json::Limits::JOSE).unwrap()
}

fn claims(token: &BearerToken) -> Value {
    part(token, 1)
}

fn kid(token: &BearerToken) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}
