//! Several verifiers for one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_oauth::{BearerToken, Issuer, ScopeSet, scopes};
use portcullis_resource_server::{
    AccessToken, DebugTokenVerifier, IntrospectionVerifier, JwtVerifier, MultiAuth,
    MultiAuthBuilder, Rejection, SharedVerifier, StaticToken, StaticTokenVerifier, TokenParts,
    TokenVerifier, Unavailable, VerifyContext, VerifyError,
};

use crate::world::{RESOURCE, World, cached, is_unavailable, present, rejection};

const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A source that gives one answer and counts the questions.
#[derive(Clone, Default)]
struct Stub {
    issuers: Vec<Issuer>,
    answer: Answer,
    required: ScopeSet,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Default)]
enum Answer {
    Accept(&'static str),
    Reject(Rejection),
    #[default]
    Silence,
}

impl Stub {
    fn new(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::default()
        }
    }

    fn of(mut self, issuer: &Issuer) -> Self {
        self.issuers.push(issuer.clone());
        self
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl TokenVerifier for Stub {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.answer {
            Answer::Accept(issuer) => Ok(AccessToken::assert_verified(
                TokenParts::new(issuer, "alice").client_id("cli"),
            )),
            Answer::Reject(rejection) => Err(rejection.into()),
            Answer::Silence => Err(Unavailable::new("the stub is silent").into()),
        }
    }

    fn issuers(&self) -> Vec<Issuer> {
        self.issuers.clone()
    }

    fn required_scopes(&self) -> ScopeSet {
        self.required.clone()
    }
}

fn multi<const N: usize>(sources: [&Stub; N]) -> MultiAuth {
    sources
        .into_iter()
        .enumerate()
        .fold(MultiAuth::builder(), |builder, (n, source)| {
            builder.source(n.to_string(), source.clone())
        })
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_jwt_is_seen_by_its_issuers_source_alone() {
    let world = World::new().await;
    let opaque = Stub::new(Answer::Accept("urn:opaque"));
    let other =
        Stub::new(Answer::Accept("urn:other")).of(&Issuer::parse("https://o.example").unwrap());
    let owner = Stub::new(Answer::Reject(Rejection::Expired)).of(world.idp.issuer());
    let verifier = multi([&opaque, &other, &owner]);
    assert_eq!(
        rejection(present(&verifier, &world.token()).await),
        Rejection::Expired
    );
    assert_eq!((opaque.asked(), other.asked(), owner.asked()), (0, 0, 1));

    // What nobody's issuer made is for those who take opaque tokens.
    for token in [
        "opaque",
        &world.idp.token().issuer("https://unknown.example").sign(),
    ] {
        assert_eq!(
            present(&verifier, token).await.unwrap().issuer(),
            "urn:opaque"
        );
    }
    assert_eq!((opaque.asked(), other.asked(), owner.asked()), (2, 0, 1));
}

#[tokio::test]
async fn sec_jwt_32_a_lie_about_the_issuer_leads_to_its_verifier() {
    let (a, b) = (World::new().await, World::new().await);
    let verifier = MultiAuth::builder()
        .source("a", a.verifier())
        .source("b", b.verifier())
        .build()
        .unwrap();
    let forged = b
        .idp
        .token()
        .issuer(a.idp.issuer().as_str())
        .audience(RESOURCE)
        .sign();
    assert_eq!(
        rejection(present(&verifier, &forged).await),
        Rejection::BadSignature
    );
    let of_a = present(&verifier, &a.token()).await.unwrap();
    let of_b = present(&verifier, &b.token()).await.unwrap();
    // The same user and client names, and two principals.
    assert_eq!(of_a.subject(), of_b.subject());
    assert_eq!(of_a.client_id(), of_b.client_id());
    assert_ne!(of_a.principal(), of_b.principal());
    assert_eq!(
        verifier.issuers(),
        [a.idp.issuer().clone(), b.idp.issuer().clone()]
    );
}

#[tokio::test]
async fn a_source_that_cannot_tell_is_no_refusal() {
    let silent = Stub::new(Answer::Silence);
    let refusing = Stub::new(Answer::Reject(Rejection::Unknown));
    let accepting = Stub::new(Answer::Accept("urn:x"));
    for sources in [[&silent, &refusing], [&refusing, &silent]] {
        assert!(is_unavailable(&present(&multi(sources), "opaque").await));
    }
    for sources in [[&silent, &accepting], [&refusing, &accepting]] {
        present(&multi(sources), "opaque").await.unwrap();
    }
    assert_eq!(
        rejection(present(&multi([&refusing]), "opaque").await),
        Rejection::Unknown
    );
}

#[tokio::test]
async fn an_outage_of_the_owner_is_an_outage() {
    let world = World::new().await;
    world.idp.jwks_down(true);
    let opaque = Stub::new(Answer::Reject(Rejection::Unknown));
    let verifier = MultiAuth::builder()
        .source("opaque", opaque)
        .source("jwt", world.verifier())
        .build()
        .unwrap();
    assert!(is_unavailable(&present(&verifier, &world.token()).await));
    assert!(is_unavailable(&verifier.warm().await));
}

#[tokio::test]
async fn the_first_to_accept_decides_and_is_the_last_to_be_asked() {
    let first = Stub::new(Answer::Accept("urn:first"));
    let second = Stub::new(Answer::Accept("urn:second"));
    let verifier = multi([&first, &second]);
    assert_eq!(
        present(&verifier, "opaque").await.unwrap().issuer(),
        "urn:first"
    );
    assert_eq!(second.asked(), 0);
}

#[tokio::test]
async fn the_rejection_that_knew_the_token_is_told() {
    let unknown = Stub::new(Answer::Reject(Rejection::Unknown));
    let expired = Stub::new(Answer::Reject(Rejection::Expired));
    for sources in [[&unknown, &expired], [&expired, &unknown]] {
        assert_eq!(
            rejection(present(&multi(sources), "opaque").await),
            Rejection::Expired
        );
    }
    let issuer = Issuer::parse("https://o.example").unwrap();
    let only_jwt = multi([&expired.clone().of(&issuer)]);
    assert_eq!(
        rejection(present(&only_jwt, "opaque").await),
        Rejection::WrongIssuer
    );
}

#[tokio::test]
async fn remembered_tokens_need_no_routing() {
    let world = World::new().await;
    let keys = StaticTokenVerifier::builder().token(KEY.into(), StaticToken::new("ci"));
    let verifier = MultiAuth::builder()
        .source("machines", keys.build().unwrap())
        .source("people", world.verifier())
        .build()
        .unwrap();
    let token = world.token();
    assert!(cached(&verifier, &token).is_none());
    present(&verifier, &token).await.unwrap();
    assert!(cached(&verifier, &token).is_some());
    assert_eq!(present(&verifier, KEY).await.unwrap().subject(), "ci");
}

#[test]
fn every_sources_duties_hold() {
    let mut a = Stub::new(Answer::Silence);
    let mut b = a.clone();
    a.required = scopes!["a", "c"];
    b.required = scopes!["b", "c"];
    let verifier = MultiAuth::builder()
        .source("a", a)
        .source("b", b)
        .required_scopes(scopes!["x"]);
    assert_eq!(
        verifier.build().unwrap().required_scopes(),
        scopes!["x", "a", "c", "b"]
    );
}

#[test]
fn sources_have_names_of_their_own() {
    let stub = || Stub::new(Answer::Silence);
    let fault =
        |builder: MultiAuthBuilder| builder.build().expect_err("wrong settings").to_string();
    assert_eq!(fault(MultiAuth::builder()), "`sources`: there is no source");
    for name in ["", " ", " a"] {
        assert!(fault(MultiAuth::builder().source(name, stub())).contains("blank"));
    }
    let twice = MultiAuth::builder().source("a", stub()).source("a", stub());
    assert_eq!(fault(twice), "`sources`: `a` is the name of two sources");
}

/// Never answers.
struct Hanging;

impl TokenVerifier for Hanging {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn sec_key_04_a_source_that_hangs_leaves_time_for_the_next() {
    let good = StaticTokenVerifier::builder().token(KEY.into(), StaticToken::new("ci"));
    let verifier = MultiAuth::builder()
        .source("hangs", Hanging)
        .source("hangs too", Hanging)
        .source("answers", good.build().unwrap())
        .build()
        .unwrap();
    let within = std::time::Duration::from_secs(10);
    let verdict = tokio::time::timeout(within, present(&verifier, KEY)).await;
    assert_eq!(verdict.expect("in time").unwrap().subject(), "ci");
    // What the first sources could not tell is not the last one's to refuse.
    let unknown = format!("{KEY}0");
    assert!(is_unavailable(&present(&verifier, &unknown).await));
}

#[test]
fn required_scopes_add_up_on_every_builder() {
    let (a, b) = (|| scopes!["a"], || scopes!["b"]);
    let jwt = JwtVerifier::builder("https://auth.example.com");
    let fixed = StaticTokenVerifier::builder().token(KEY.into(), StaticToken::new("ci"));
    let asked = IntrospectionVerifier::builder("https://auth.example.com/introspect");
    let debug = DebugTokenVerifier::dangerous().accept_any();
    let verifiers = [
        SharedVerifier::new(
            jwt.required_scopes(a())
                .required_scopes(b())
                .build()
                .unwrap(),
        ),
        SharedVerifier::new(
            fixed
                .required_scopes(a())
                .required_scopes(b())
                .build()
                .unwrap(),
        ),
        SharedVerifier::new(
            asked
                .bearer("token".into())
                .required_scopes(a())
                .required_scopes(b())
                .build()
                .unwrap(),
        ),
        SharedVerifier::new(debug.required_scopes(a()).required_scopes(b())),
    ];
    for verifier in verifiers {
        assert_eq!(
            verifier.required_scopes(),
            scopes!["a", "b"],
            "{verifier:?}"
        );
        let multi = MultiAuth::builder().source("one", verifier);
        let multi = multi
            .required_scopes(scopes!["c"])
            .required_scopes(scopes!["d"]);
        assert_eq!(
            multi.build().unwrap().required_scopes(),
            scopes!["a", "b", "c", "d"]
        );
    }
}
