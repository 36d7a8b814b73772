use serde_json::json;

use super::*;
use crate::crypto::sign::SigningKey;
use crate::jose::sign::JwtBuilder;
use crate::secret::SecretBytes;

const ISSUER: &str = "https://idp.example";
const CLIENT: &str = "our-client";
const NONCE: &str = "n-0S6_WzA2Mj";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn token() -> JwtBuilder {
    JwtBuilder::new()
        .claim("iss", ISSUER)
        .subject("alice")
        .audience(CLIENT)
        .claim("nonce", NONCE)
        .valid(NOW, Duration::from_secs(300))
}

fn policy() -> IdTokenPolicy {
    IdTokenPolicy::new([IssuerRule::parse(ISSUER)], CLIENT)
}

fn judged(token: JwtBuilder, context: &IdTokenContext<'_>) -> Result<Claims, IdTokenFault> {
    let key = SigningKey::ed25519_from_seed(&[7; 32]).unwrap();
    let token = token.sign(&key).unwrap();
    let jws = CompactJws::parse(&token).unwrap();
    let direct = policy().check_received_directly(&jws, context);
    let signed = policy().check(
        &jws,
        &key.verifying_key().unwrap(),
        Algorithm::EdDsa,
        context,
    );
    assert_eq!(
        direct, signed,
        "the way it came changes nothing but the signature"
    );
    signed
}

fn verdict(token: JwtBuilder) -> Result<(), IdTokenFault> {
    judged(token, &IdTokenContext::new(NOW).nonce(NONCE)).map(|_| ())
}

#[test]
fn a_good_token_says_who_signed_in() {
    let claims = judged(token(), &IdTokenContext::new(NOW).nonce(NONCE)).unwrap();
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(verdict(token().typ("jwt")), Ok(()));
}

#[test]
fn sec_jwt_02_an_id_token_is_signed_with_a_public_key() {
    let secret = || SecretBytes::new([7; 32]);
    let key = SigningKey::hmac(secret()).unwrap();
    let text = token().sign(&key).unwrap();
    let jws = CompactJws::parse(&text).unwrap();
    let context = IdTokenContext::new(NOW).nonce(NONCE);
    let key = VerifyingKey::hmac(secret()).unwrap();
    let verdict = policy().check(&jws, &key, Algorithm::Hs256, &context);
    assert_eq!(verdict, Err(IdTokenFault::AlgorithmNotAllowed));
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let text = token()
        .sign(&SigningKey::generate_ed25519().unwrap())
        .unwrap();
    let jws = CompactJws::parse(&text).unwrap();
    let key = SigningKey::ed25519_from_seed(&[7; 32])
        .unwrap()
        .verifying_key()
        .unwrap();
    let verdict = policy().check(&jws, &key, Algorithm::EdDsa, &IdTokenContext::new(NOW));
    assert_eq!(verdict, Err(IdTokenFault::Token(JoseFault::Signature)));
}

#[test]
fn sec_jwt_32_keys_without_an_issuer_vouch_for_nobody() {
    let key = SigningKey::generate_ed25519().unwrap();
    let text = token().sign(&key).unwrap();
    let jws = CompactJws::parse(&text).unwrap();
    let context = IdTokenContext::new(NOW).nonce(NONCE);
    let policy = IdTokenPolicy::new([], CLIENT);
    let key = key.verifying_key().unwrap();
    let verdict = policy.check(&jws, &key, Algorithm::EdDsa, &context);
    assert_eq!(verdict, Err(IdTokenFault::WrongIssuer));
    assert!(policy.check_received_directly(&jws, &context).is_ok());
}

#[test]
fn sec_jwt_10_another_kind_of_token_is_no_id_token() {
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", ""] {
        assert_eq!(
            verdict(token().typ(typ)),
            Err(IdTokenFault::WrongTyp),
            "{typ}"
        );
    }
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    assert_eq!(
        verdict(token().claim("events", logout)),
        Err(IdTokenFault::WrongTyp)
    );
}

#[test]
fn sec_px_02_an_id_token_of_another_issuer_is_refused() {
    for issuer in [
        "https://idp.example/",
        "https://IDP.example",
        "http://idp.example",
        "https://idp.example.evil",
        "",
    ] {
        let verdict = verdict(token().claim("iss", issuer));
        assert_eq!(verdict, Err(IdTokenFault::WrongIssuer), "{issuer}");
    }
}

#[test]
fn sec_px_09_issuer_and_tenant_are_one() {
    let (ours, other) = (
        "9188040d-6c67-4c5b-b112-36a304b66dad",
        "00000000-0000-0000-0000-000000000001",
    );
    let rule = IssuerRule::parse("https://login.example/{tenantid}/v2.0");
    let issuer = |tenant: &str| format!("https://login.example/{tenant}/v2.0");
    assert!(rule.admits(&issuer(ours)) && rule.admits(&issuer(other)));
    for tenant in ["", "common", "a/b", "9188040D-6C67-4C5B-B112-36A304B66DAD"] {
        assert!(!rule.admits(&issuer(tenant)), "{tenant}");
    }
    let policy = IdTokenPolicy::new([rule], CLIENT);
    let key = SigningKey::generate_ed25519().unwrap();
    let verdict = |iss: &str, tid: Value| {
        let text = token()
            .claim("iss", iss)
            .claim("tid", tid)
            .sign(&key)
            .unwrap();
        let jws = CompactJws::parse(&text).unwrap();
        let context = IdTokenContext::new(NOW).nonce(NONCE);
        policy
            .check(
                &jws,
                &key.verifying_key().unwrap(),
                Algorithm::EdDsa,
                &context,
            )
            .map(|_| ())
    };
    assert_eq!(verdict(&issuer(ours), ours.into()), Ok(()));
    for (iss, tid) in [
        (issuer(ours), json!(other)),
        (issuer(ours), Value::Null),
        (issuer(""), json!("")),
        (issuer("common"), json!("common")),
        (
            "https://login.example/{tenantid}/v2.0".to_owned(),
            json!("{tenantid}"),
        ),
    ] {
        assert_eq!(verdict(&iss, tid), Err(IdTokenFault::WrongIssuer), "{iss}");
    }
}

#[test]
fn sec_jwt_13_an_id_token_for_another_client_is_refused() {
    for audience in [
        json!("other"),
        json!(["other"]),
        json!(["our-client2", "our-clien"]),
    ] {
        let verdict = verdict(token().claim("aud", audience.clone()));
        assert_eq!(verdict, Err(IdTokenFault::WrongAudience), "{audience}");
    }
    assert_eq!(verdict(token().claim("aud", json!([CLIENT]))), Ok(()));
}

#[test]
fn sec_jwt_13_the_authorized_party_is_this_client() {
    let many = || token().claim("aud", json!([CLIENT, "api"]));
    assert_eq!(verdict(many()), Err(IdTokenFault::WrongParty));
    assert_eq!(verdict(many().claim("azp", CLIENT)), Ok(()));
    assert_eq!(verdict(token().claim("azp", CLIENT)), Ok(()));
    assert_eq!(
        verdict(many().claim("azp", "api")),
        Err(IdTokenFault::WrongParty)
    );
    assert_eq!(
        verdict(token().claim("azp", "api")),
        Err(IdTokenFault::WrongParty)
    );
}

#[test]
fn sec_jwt_20_an_id_token_has_exact_bounds() {
    let at = |claim: &str, offset: i64| verdict(token().claim(claim, NOW.as_secs() + offset));
    assert_eq!(at("exp", -29), Ok(()));
    assert_eq!(at("exp", -30), Err(TimeFault::Expired.into()));
    assert_eq!(at("nbf", 30), Ok(()));
    assert_eq!(at("nbf", 31), Err(TimeFault::NotYetValid.into()));
}

#[test]
fn sec_jwt_19_an_id_token_from_the_future_is_refused() {
    let at = |offset: i64| verdict(token().claim("iat", NOW.as_secs() + offset));
    assert_eq!(at(30), Ok(()));
    assert_eq!(at(31), Err(TimeFault::IssuedInFuture.into()));
    let never = JwtBuilder::new()
        .claim("iss", ISSUER)
        .subject("alice")
        .audience(CLIENT)
        .claim("nonce", NONCE)
        .claim("exp", NOW.as_secs() + 300);
    assert_eq!(verdict(never), Err(IdTokenFault::Undated));
}

#[test]
fn sec_px_01_an_id_token_of_another_login_is_refused() {
    for nonce in [json!("other"), json!(""), json!(1), Value::Null] {
        let verdict = verdict(token().claim("nonce", nonce.clone()));
        assert_eq!(verdict, Err(IdTokenFault::WrongNonce), "{nonce}");
    }
    assert!(
        judged(token(), &IdTokenContext::new(NOW)).is_ok(),
        "after a refresh"
    );
}

#[test]
fn sec_px_01_an_access_token_of_another_login_is_refused() {
    let hash = access_token_hash(Algorithm::EdDsa, "the access token");
    let with = |hash: Value, token_text: &str| {
        let context = IdTokenContext::new(NOW)
            .nonce(NONCE)
            .access_token(token_text);
        judged(token().claim("at_hash", hash), &context).map(|_| ())
    };
    assert_eq!(with(json!(hash), "the access token"), Ok(()));
    for (hash, token) in [
        (json!(hash), "another"),
        (json!(""), "the access token"),
        (json!(1), "the access token"),
        (Value::Null, "the access token"),
    ] {
        let refused = Err(IdTokenFault::WrongAccessToken);
        assert_eq!(with(hash.clone(), token), refused, "{hash} {token}");
    }
}

#[test]
fn the_hash_of_an_access_token_is_the_standards() {
    // OpenID Connect Core appendix A.3 and A.4: RS256.
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    assert_eq!(
        access_token_hash(Algorithm::Rs256, token),
        "77QmUPtjPfzWtF2AnpK9RQ"
    );
    assert_eq!(access_token_hash(Algorithm::Es384, token).len(), 32);
    assert_eq!(access_token_hash(Algorithm::EdDsa, token).len(), 43);
}

#[test]
fn a_token_without_a_usable_subject_names_nobody() {
    for subject in ["", "a\nb"] {
        assert_eq!(
            verdict(token().subject(subject)),
            Err(IdTokenFault::NoSubject)
        );
    }
}
