use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use portcullis_fetch::{Accept, ClientAuthentication, Fetched, Fetcher, Probe};
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::crypto::{base64url, sha256};
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::jose::claims::Claims;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::jose::{Algorithm, jwks::JwkSet};
use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{
    ClientId, Clock as _, CodeVerifier, EndpointUrl, MockClock, SecretString, Timestamp,
};
use portcullis_testkit::{ClientProof, Fault, ScriptedUpstream};

const CALLBACK: &str = "http://localhost:8000/oauth/callback";
const STATE: &str = "0123456789abcdef0123456789abcdef";
const NONCE: &str = "fedcba9876543210fedcba9876543210";

/// A provider, its clock, and a client.
struct World {
    upstream: ScriptedUpstream,
    clock: Arc<MockClock>,
    fetcher: Fetcher,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(MockClock::at(1_800_000_000));
        let upstream = ScriptedUpstream::start_at(clock.clone()).await;
        upstream.user("alice", json!({ "email": "alice@example.com" }));
        let fetcher = Fetcher::trusted().allow_loopback(true).build().unwrap();
        Self {
            upstream,
            clock,
            fetcher,
        }
    }

    fn authorize(&self, change: &[(&str, &str)]) -> String {
        let challenge = verifier().challenge();
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", "proxy"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid email"),
            ("state", STATE),
            ("nonce", NONCE),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        pairs.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        pairs.extend(change.iter().filter(|(_, value)| !value.is_empty()));
        self.upstream.url("/authorize") + "?" + &form::encode(&pairs)
    }

    fn code(&self) -> String {
        let callback = self.upstream.sign_in(&self.authorize(&[]), "alice");
        query(&callback).required("code").unwrap().to_owned()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let id = ClientId::parse("proxy").unwrap();
        let secret = ClientSecret::new("the upstream secret");
        let basic = ClientAuthentication::Basic { id, secret };
        self.post_as(path, fields, Some(&basic)).await.unwrap()
    }

    async fn post_as(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        proof: Option<&ClientAuthentication>,
    ) -> Option<Answer> {
        let url = self.upstream.idp().url(path);
        let answer = self.fetcher.post_form(&url, form::encode(fields), proof);
        answer.await.ok().map(Answer)
    }

    async fn redeem(&self, code: &str) -> Answer {
        self.post("/token", &redemption(code)).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/token", &fields).await
    }

    /// Status and claims.
    async fn ask(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let bearer = ClientAuthentication::Bearer(SecretString::new(token));
        let answer = self.post_as(path, &[], Some(&bearer)).await.unwrap();
        (answer.0.status, answer.value())
    }

    async fn claims(&self, id_token: &str) -> Option<Claims> {
        let idp = self.upstream.idp();
        let keys = self.fetcher.get(&idp.jwks_url(), Accept::JwkSet).await;
        let keys = JwkSet::parse(&keys.unwrap().body).unwrap();
        let jws = CompactJws::parse(id_token).unwrap();
        let kid = jws.header().kid()?;
        let key = keys.keys().iter().find(|key| key.kid() == Some(kid))?;
        let verified = jws.verify(key.key(), Algorithm::Es256).ok()?;
        Claims::parse(verified).ok()
    }
}

struct Answer(Fetched);

impl Answer {
    fn value(&self) -> Value {
        json::value(&self.0.body, json::Limits::METADATA).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.value()[name].as_str().unwrap_or_default().to_owned()
    }
}

fn verifier() -> CodeVerifier {
    CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap()
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ]
}

fn query(url: &str) -> Form {
    let (_, query) = url.split_once('?').unwrap();
    Form::parse(query.as_bytes(), form::Limits::ENDPOINT).unwrap()
}

#[tokio::test]
async fn a_login_is_told_from_the_first_redirect_to_the_profile() {
    let world = World::new().await;
    let callback = world.upstream.sign_in(&world.authorize(&[]), "alice");
    let back = query(&callback);
    assert_eq!(back.required("state").unwrap(), STATE);
    assert_eq!(
        back.required("iss").unwrap(),
        world.upstream.issuer().as_str()
    );

    let tokens = world.redeem(back.required("code").unwrap()).await;
    assert_eq!(tokens.0.status, StatusCode::OK);
    assert_eq!(tokens.value()["expires_in"], 3600);
    assert_eq!(tokens.text("scope"), "openid email");
    let claims = world.claims(&tokens.text("id_token")).await.unwrap();
    assert_eq!(claims.issuer(), Some(world.upstream.issuer().as_str()));
    assert_eq!(
        (claims.subject(), claims.audience()),
        (Some("alice"), &["proxy".to_owned()][..])
    );
    assert_eq!(claims.get("nonce").unwrap(), NONCE);
    assert_eq!(claims.get("email").unwrap(), "alice@example.com");
    let digest = sha256(tokens.text("access_token").as_bytes());
    let half = base64url::encode(&digest[..16]);
    assert_eq!(claims.get("at_hash").unwrap(), half.as_str());

    let (status, profile) = world.ask("/userinfo", &tokens.text("access_token")).await;
    assert_eq!((status, &profile["sub"]), (StatusCode::OK, &json!("alice")));
    let secrets = world.upstream.secrets();
    for secret in ["access_token", "refresh_token", "id_token"] {
        assert!(secrets.contains(&tokens.text(secret)), "{secret}");
    }
    assert_eq!((secrets.len(), world.upstream.live_grants()), (4, 1));
    let seen = &world.upstream.requests("/token")[0];
    assert_eq!(seen.field("redirect_uri"), Some(CALLBACK));
    assert!(seen.header("authorization").starts_with("Basic "));
    let asked = &world.upstream.requests("/authorize")[0];
    assert_eq!(asked.parameter("scope"), Some("openid email"));
}

#[tokio::test]
async fn a_sign_in_without_its_protections_is_refused() {
    let world = World::new().await;
    world.upstream.redirect_uri(CALLBACK);
    for change in [
        ("client_id", "somebody"),
        ("response_type", "token"),
        ("redirect_uri", "http://localhost:8000/"),
        ("state", ""),
        ("state", "short"),
        ("nonce", ""),
        ("nonce", "short"),
        ("code_challenge", ""),
        ("code_challenge_method", "plain"),
    ] {
        let fetched = EndpointUrl::parse(&world.authorize(&[change])).unwrap();
        let answer = world.fetcher.get(&fetched, Accept::Json).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{change:?}");
    }
    let twice = world.authorize(&[]) + "&scope=email";
    let twice = EndpointUrl::parse(&twice).unwrap();
    let answer = world.fetcher.get(&twice, Accept::Json).await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        (
            world.upstream.hits("/authorize"),
            world.upstream.secrets().len()
        ),
        (10, 0)
    );
}

#[tokio::test]
#[should_panic(expected = "`nonce` is missing or short")]
async fn a_test_hears_what_a_sign_in_lacks() {
    let world = World::new().await;
    let url = world.authorize(&[("nonce", "")]);
    drop(world.upstream.sign_in(&url, "alice"));
}

#[tokio::test]
async fn a_browser_signs_in_without_a_test() {
    let world = World::new().await;
    world.upstream.user("bob", json!({}));
    for (hint, user) in [("", "alice"), ("bob", "bob")] {
        let url = EndpointUrl::parse(&world.authorize(&[("login_hint", hint)])).unwrap();
        let answer = world.fetcher.probe(&url, Probe::new(Method::GET)).await;
        let answer = answer.unwrap().answer;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let location = answer.headers["location"].to_str().unwrap();
        let tokens = world
            .redeem(query(location).required("code").unwrap())
            .await;
        let (_, profile) = world.ask("/userinfo", &tokens.text("access_token")).await;
        assert_eq!(profile["sub"], user);
    }
}

#[tokio::test]
async fn a_code_is_redeemed_once_by_its_client() {
    let world = World::new().await;
    let code = world.code();
    for wrong in [
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
        ),
        ("code_verifier", ""),
        ("redirect_uri", "http://localhost:8000/"),
    ] {
        let mut fields = redemption(&code);
        fields
            .iter_mut()
            .filter(|field| field.0 == wrong.0)
            .for_each(|field| *field = wrong);
        let answer = world.post("/token", &fields).await;
        assert_eq!(answer.text("error"), "invalid_grant", "{wrong:?}");
    }
    let tokens = world.redeem(&code).await;
    assert_eq!(tokens.0.status, StatusCode::OK);
    assert_eq!(world.redeem(&code).await.text("error"), "invalid_grant");
    // Whoever comes twice is a thief or has met one.
    let (status, _) = world.ask("/userinfo", &tokens.text("access_token")).await;
    assert_eq!(
        (status, world.upstream.live_grants()),
        (StatusCode::UNAUTHORIZED, 0)
    );

    let late = world.code();
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(world.redeem(&late).await.text("error"), "invalid_grant");
}

#[tokio::test]
async fn refresh_tokens_stay_or_rotate() {
    let world = World::new().await;
    let first = world.redeem(&world.code()).await.text("refresh_token");
    for _ in 0..2 {
        let again = world.refresh(&first).await;
        assert_eq!(again.0.status, StatusCode::OK);
        assert_eq!(again.text("refresh_token"), "");
        let claims = world.claims(&again.text("id_token")).await.unwrap();
        assert!(claims.get("nonce").is_none() && claims.get("at_hash").is_some());
    }
    world.upstream.rotates(true);
    let second = world.refresh(&first).await.text("refresh_token");
    assert_ne!(second, first);
    let third = world.refresh(&second).await.text("refresh_token");
    assert_eq!(world.refresh(&second).await.text("error"), "invalid_grant");
    assert_eq!(world.refresh(&third).await.text("error"), "invalid_grant");

    world.upstream.refresh_tokens(false);
    assert_eq!(world.redeem(&world.code()).await.text("refresh_token"), "");
}

#[tokio::test]
async fn access_tokens_expire_and_grants_end() {
    let world = World::new().await;
    world.upstream.access_lifetime(Duration::from_secs(60));
    world
        .upstream
        .api("/user", |claims| json!({ "id": 7, "login": claims["sub"] }));
    let tokens = world.redeem(&world.code()).await;
    let access = tokens.text("access_token");
    let (status, user) = world.ask("/user", &access).await;
    assert_eq!(
        (status, user),
        (StatusCode::OK, json!({ "id": 7, "login": "alice" }))
    );
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(
        world.ask("/user", &access).await.0,
        StatusCode::UNAUTHORIZED
    );

    let next = world.refresh(&tokens.text("refresh_token")).await;
    let access = next.text("access_token");
    assert_eq!(world.ask("/user", &access).await.0, StatusCode::OK);
    let answer = world.post("/revoke", &[("token", &access)]).await;
    assert_eq!(answer.0.status, StatusCode::OK);
    assert_eq!(
        world.ask("/user", &access).await.0,
        StatusCode::UNAUTHORIZED
    );

    let tokens = world.redeem(&world.code()).await;
    world.upstream.end("alice");
    let refused = world.refresh(&tokens.text("refresh_token")).await;
    assert_eq!(refused.text("error"), "invalid_grant");
}

#[tokio::test]
async fn the_client_proves_itself_as_it_is_registered() {
    let world = World::new().await;
    let key = SigningKey::generate_es256().unwrap();
    let secret = || ClientSecret::new("s3cret");
    let id = || ClientId::parse("other").unwrap();
    let assertion = |audience: &str| {
        let jwt = JwtBuilder::new().claim("iss", "other").subject("other");
        let jwt = jwt.audience(audience).claim("jti", "1");
        let jwt = jwt.valid(world.clock.now(), Duration::from_secs(60));
        jwt.sign(&key).unwrap()
    };
    let ours = assertion(&world.upstream.url("/token"));
    let foreign = assertion("https://idp.example/token");
    let basic = ClientAuthentication::Basic {
        id: id(),
        secret: secret(),
    };
    let post = ClientAuthentication::Post {
        id: id(),
        secret: secret(),
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let public = vec![("client_id", "other")];
    let signed = |assertion| {
        vec![
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
        ]
    };
    let ways = [
        (vec![], Some(&basic)),
        (vec![], Some(&post)),
        (signed(ours.as_str()), None),
        (public, None),
        (signed(foreign.as_str()), None),
        (vec![], None),
    ];
    let proofs = [
        ClientProof::Basic("s3cret".to_owned()),
        ClientProof::Post("s3cret".to_owned()),
        ClientProof::PrivateKeyJwt(key.verifying_key().unwrap()),
        ClientProof::None,
    ];
    for (expected, proof) in proofs.into_iter().enumerate() {
        world.upstream.client("other", proof);
        for (way, (fields, authentication)) in ways.iter().enumerate() {
            let mut fields = fields.clone();
            fields.push(("grant_type", "refresh_token"));
            let answer = world
                .post_as("/token", &fields, *authentication)
                .await
                .unwrap();
            let error = if way == expected {
                "invalid_grant"
            } else {
                "invalid_client"
            };
            assert_eq!(answer.text("error"), error, "{expected} {way}");
        }
    }
}

#[tokio::test]
async fn answers_are_odd_as_often_as_they_are_told_to_be() {
    let world = World::new().await;
    let token = world.redeem(&world.code()).await.text("refresh_token");
    let upstream = &world.upstream;
    upstream.fault("/token", 1, Fault::with("scope", "openid,email,admin"));
    upstream.fault("/token", 1, Fault::without("expires_in"));
    upstream.fault("/token", 1, Fault::form());
    let answer = world.refresh(&token).await;
    assert_eq!(
        answer.0.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let form = Form::parse(&answer.0.body, form::Limits::ENDPOINT).unwrap();
    assert_eq!(form.one("scope"), Ok(Some("openid,email,admin")));
    assert_eq!(form.one("expires_in"), Ok(None));
    assert_eq!(world.refresh(&token).await.text("scope"), "openid email");

    upstream.fault("/token", 2, Fault::error_in_200("bad_verification_code"));
    for _ in 0..2 {
        let answer = world.refresh(&token).await;
        assert_eq!(answer.0.status, StatusCode::OK);
        assert_eq!(answer.text("error"), "bad_verification_code");
    }
    let faults = [
        (Fault::status(StatusCode::BAD_GATEWAY), 502),
        (Fault::busy(7), 429),
        (Fault::error("invalid_grant"), 400),
        (Fault::error("invalid_client"), 401),
        (Fault::body("application/json", "{"), 200),
        (Fault::huge(200_000), 200),
    ];
    for (fault, status) in faults {
        upstream.fault("/token", 1, fault.clone());
        let answer = world.refresh(&token).await;
        assert_eq!(answer.0.status, status, "{fault:?}");
        assert_eq!(answer.text("refresh_token"), "");
    }
    // The client refuses to be redirected, and says no more.
    upstream.fault("/token", 1, Fault::redirect("https://evil.example/token"));
    let fields = [("grant_type", "refresh_token")];
    assert!(world.post_as("/token", &fields, None).await.is_none());

    upstream.always("/token", Fault::error("invalid_scope"));
    for _ in 0..3 {
        assert_eq!(world.refresh(&token).await.text("error"), "invalid_scope");
    }
    upstream.mend("/token");
    assert_eq!(world.refresh(&token).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn a_lost_answer_was_given_and_a_cut_one_was_not() {
    let world = World::new().await;
    world.upstream.rotates(true);
    let token = world.redeem(&world.code()).await.text("refresh_token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
    ];
    let id = ClientId::parse("proxy").unwrap();
    let secret = ClientSecret::new("the upstream secret");
    let basic = ClientAuthentication::Basic { id, secret };
    let before = world.upstream.secrets().len();
    world.upstream.fault("/token", 1, Fault::cut());
    assert!(
        world
            .post_as("/token", &fields, Some(&basic))
            .await
            .is_none()
    );
    assert_eq!(world.upstream.secrets().len(), before);
    world.upstream.fault("/token", 1, Fault::lost());
    assert!(
        world
            .post_as("/token", &fields, Some(&basic))
            .await
            .is_none()
    );
    let secrets = world.upstream.secrets();
    assert_eq!(secrets.len(), before + 3);
    let new = secrets
        .iter()
        .rfind(|secret| secret.contains("refresh"))
        .unwrap();
    assert_eq!(world.refresh(new).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn id_tokens_are_odd_as_told() {
    let world = World::new().await;
    let odd = async |fault| {
        world.upstream.fault("/token", 1, fault);
        let tokens = world.redeem(&world.code()).await;
        world.claims(&tokens.text("id_token")).await
    };
    let claims = odd(Fault::claim("nonce", "another")).await.unwrap();
    assert_eq!(claims.get("nonce").unwrap(), "another");
    let claims = odd(Fault::without_claim("at_hash")).await.unwrap();
    assert!(claims.get("at_hash").is_none());
    let late = Fault::id_token(|token| token.expires_at(Timestamp::from_secs(1)));
    assert_eq!(odd(late).await.unwrap().expires_at().as_secs(), 1);
    assert!(odd(Fault::foreign_signature()).await.is_none());

    world.upstream.jwt_access_tokens(true);
    let tokens = world.redeem(&world.code()).await;
    let claims = world.claims(&tokens.text("access_token")).await.unwrap();
    assert_eq!(claims.get("email").unwrap(), "alice@example.com");
    assert!(
        world
            .upstream
            .secrets()
            .contains(&tokens.text("access_token"))
    );
}

#[tokio::test]
async fn a_sign_in_leads_where_it_is_told() {
    let world = World::new().await;
    let upstream = &world.upstream;
    upstream.fault("/authorize", 1, Fault::with("iss", "https://evil.example"));
    let callback = upstream.sign_in(&world.authorize(&[]), "alice");
    assert_eq!(
        query(&callback).one("iss"),
        Ok(Some("https://evil.example"))
    );
    let callback = upstream.refuse(&world.authorize(&[]), "access_denied");
    let back = query(&callback);
    assert_eq!(back.one("error"), Ok(Some("access_denied")));
    assert_eq!(
        (back.one("state"), back.one("code")),
        (Ok(Some(STATE)), Ok(None))
    );
    upstream.pkce(false);
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let callback = upstream.sign_in(&world.authorize(&without), "alice");
    let code = query(&callback).required("code").unwrap().to_owned();
    let answer = world.redeem(&code).await;
    assert_eq!(
        answer.text("error"),
        "invalid_grant",
        "it never heard of a verifier"
    );
}

#[tokio::test]
async fn openid_is_a_scope_as_any_other_where_it_is_not_spoken() {
    let world = World::new().await;
    world.upstream.openid(false);
    let url = world.authorize(&[("nonce", "")]);
    let callback = world.upstream.sign_in(&url, "alice");
    let code = query(&callback).required("code").unwrap().to_owned();
    let tokens = world.redeem(&code).await;
    assert_eq!(tokens.text("scope"), "openid email");
    assert_eq!(tokens.text("id_token"), "");
}

#[tokio::test]
async fn a_held_path_answers_once_it_is_let_go() {
    let world = Arc::new(World::new().await);
    let held = world.upstream.hold("/token");
    let theirs = Arc::clone(&world);
    let waiting = tokio::spawn(async move { theirs.redeem(&theirs.code()).await.0.status });
    world.upstream.wait_for_hits("/token", 1).await;
    assert!(!waiting.is_finished());
    drop(held);
    assert_eq!(waiting.await.unwrap(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "`/token` had 0 of 1 requests after 10s")]
async fn waiting_for_a_request_that_never_comes_ends() {
    ScriptedUpstream::start()
        .await
        .wait_for_hits("/token", 1)
        .await;
}
