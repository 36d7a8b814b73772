use std::borrow::Borrow;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::base64url;
use crate::crypto::sign::SigningKey;
use crate::id::Issuer;
use crate::jose::sign::{JwtBuilder, sign_bytes, sign_compact};
use crate::scopes;
use crate::secret::SecretBytes;

const NOW: i64 = 1_700_000_000;
const ISSUER: &str = "https://auth.example.com";
const RESOURCE: &str = "https://mcp.example.com/mcp";

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate_es256().unwrap())
}

fn public() -> VerifyingKey {
    key().verifying_key().unwrap()
}

fn builder() -> AccessTokenPolicyBuilder {
    AccessTokenPolicy::builder(&Issuer::parse(ISSUER).unwrap())
}

fn strict() -> AccessTokenPolicy {
    builder().build().unwrap()
}

fn legacy() -> AccessTokenPolicy {
    builder().typ_profile(TypProfile::Legacy).build().unwrap()
}

/// The claims of a good token, with some of them changed; `null` takes one away.
fn claims(changes: impl Borrow<Value>) -> Value {
    let mut claims = json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": RESOURCE,
        "client_id": "c1",
        "scope": "notes:read",
        "iat": NOW,
        "exp": NOW + 3600,
    });
    for (name, value) in changes.borrow().as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn token(typ: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": "ES256"});
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    sign_compact(&header, claims, key(), Algorithm::Es256).unwrap()
}

fn judge(policy: &AccessTokenPolicy, token: &str) -> Result<Claims, GateFault> {
    judge_at(policy, token, NOW)
}

fn judge_at(policy: &AccessTokenPolicy, token: &str, now: i64) -> Result<Claims, GateFault> {
    let resource = ResourceUrl::parse(RESOURCE).unwrap();
    let context = CheckContext::new(Timestamp::from_secs(now)).resource(&resource);
    let jws = CompactJws::parse(token)?;
    policy.check(&jws, &public(), Algorithm::Es256, context)
}

/// The verdict on a good `at+jwt` with these changes.
fn strict_fault(changes: Value) -> Option<GateFault> {
    judge(&strict(), &token(Some("at+jwt"), &claims(changes))).err()
}

/// The same, for a payload as it is written.
fn payload_fault(payload: &[u8]) -> Option<GateFault> {
    let header = br#"{"alg":"ES256","typ":"at+jwt"}"#;
    let token = sign_bytes(header, payload, key(), Algorithm::Es256).unwrap();
    judge(&strict(), &token).err()
}

#[test]
fn a_good_token_passes() {
    let claims = judge(
        &strict(),
        &token(Some("at+jwt"), &claims(json!({"jti": "j"}))),
    )
    .unwrap();
    assert_eq!(claims.issuer(), Some(ISSUER));
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(claims.client_id(), Some("c1"));
    assert_eq!(claims.jwt_id(), Some("j"));
    assert_eq!(claims.audience(), [RESOURCE]);
    assert_eq!(claims.expires_at(), Timestamp::from_secs(NOW + 3600));
    assert_eq!(claims.issued_at(), Some(Timestamp::from_secs(NOW)));
    assert_eq!(claims.not_before(), None);
    assert_eq!(strict().scopes(&claims), scopes!["notes:read"]);
    assert!(!format!("{claims:?}").contains("alice"));
}

#[test]
fn sec_jwt_02_hmac_is_not_mixed_with_public_keys() {
    for mixed in [
        vec![Algorithm::Hs256, Algorithm::Rs256],
        vec![Algorithm::Es256, Algorithm::Hs512],
        Algorithm::ALL.to_vec(),
    ] {
        let error = builder().algorithms(mixed).build().unwrap_err();
        assert_eq!(error, PolicyError::MixedAlgorithms);
    }
    let hmac = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    assert!(builder().algorithms(hmac).build().is_ok());

    // A token under the public key's bytes as the secret: neither key nor policy takes it.
    let jwk = key().public_jwk(None).unwrap();
    let x = base64url::decode_strict(jwk["x"].as_str().unwrap()).unwrap();
    let stranger = SigningKey::hmac(SecretBytes::new(x)).unwrap();
    let header = json!({"alg": "HS256", "typ": "at+jwt"});
    let forged = sign_compact(&header, &claims(json!({})), &stranger, Algorithm::Hs256).unwrap();
    let jws = CompactJws::parse(&forged).unwrap();
    let now = Timestamp::from_secs(NOW);
    for (algorithm, fault) in [
        (Algorithm::Hs256, GateFault::AlgorithmNotAllowed),
        (Algorithm::Es256, JoseFault::WrongAlgorithm.into()),
    ] {
        let verdict = strict().check(&jws, &public(), algorithm, now);
        assert_eq!(verdict.unwrap_err(), fault);
    }
}

#[test]
fn sec_jwt_03_the_algorithm_is_not_the_tokens_choice() {
    let rsa = SigningKey::generate_rsa2048().unwrap();
    let public = rsa.verifying_key().unwrap();
    let now = Timestamp::from_secs(NOW);
    let only = builder()
        .algorithms([Algorithm::Rs256])
        .audience(RESOURCE)
        .build()
        .unwrap();
    for (signed, named) in [
        (Algorithm::Ps256, "PS256"),
        (Algorithm::Rs384, "RS384"),
        (Algorithm::Rs256, "PS256"),
        (Algorithm::Ps256, "RS256"),
    ] {
        let header = json!({"alg": named, "typ": "at+jwt"});
        let token = sign_compact(&header, &claims(json!({})), &rsa, signed).unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        for algorithm in Algorithm::ALL {
            let fault = only.check(&jws, &public, algorithm, now).unwrap_err();
            let expected = match algorithm {
                Algorithm::Rs256 if named == "RS256" => JoseFault::Signature.into(),
                Algorithm::Rs256 => JoseFault::WrongAlgorithm.into(),
                _ => GateFault::AlgorithmNotAllowed,
            };
            assert_eq!(
                fault, expected,
                "{signed} as {named}, checked as {algorithm}"
            );
        }
    }
    assert!(
        strict()
            .algorithms()
            .iter()
            .all(|algorithm| !algorithm.is_symmetric())
    );
    assert_eq!(
        builder().algorithms([]).build().unwrap_err(),
        PolicyError::NoAlgorithm
    );
}

#[test]
fn sec_jwt_09_repeated_members_are_refused() {
    let rest = format!(r#""sub":"a","iss":"{ISSUER}","exp":{}"#, NOW + 60);
    assert_eq!(
        payload_fault(format!(r#"{{"aud":"{RESOURCE}",{rest}}}"#).as_bytes()),
        None
    );
    for members in [
        format!(r#""aud":"https://evil.example","aud":"{RESOURCE}""#),
        format!(r#""aud":"{RESOURCE}","\u0061ud":"{RESOURCE}""#),
        format!(r#""aud":"{RESOURCE}","sub":"root""#),
        format!(r#""aud":"{RESOURCE}","exp":9"#),
        format!(r#""aud":"{RESOURCE}","x":{{"y":1,"y":1}}"#),
    ] {
        let fault = payload_fault(format!("{{{members},{rest}}}").as_bytes());
        assert_eq!(fault, Some(ClaimFault::NotJson.into()), "{members}");
    }
}

#[test]
fn sec_jwt_10_other_kinds_of_token_are_refused() {
    let good = claims(json!({}));
    for typ in ["at+jwt", "AT+jwt", "application/at+jwt"] {
        assert!(judge(&strict(), &token(Some(typ), &good)).is_ok(), "{typ}");
        assert!(judge(&legacy(), &token(Some(typ), &good)).is_ok(), "{typ}");
    }
    for typ in [Some("JWT"), Some("jwt"), Some("application/jwt"), None] {
        let token = token(typ, &good);
        assert_eq!(
            judge(&strict(), &token).unwrap_err(),
            GateFault::WrongTyp,
            "{typ:?}"
        );
        assert!(judge(&legacy(), &token).is_ok(), "{typ:?}");
    }
    for typ in [
        "logout+jwt",
        "oauth-id-jag+jwt",
        "dpop+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "entity-statement+jwt",
        "id_token+jwt",
        "client-authentication+jwt",
        "jose",
        "JOSE+JSON",
        "",
        "at+jwt\0",
        "xat+jwt",
    ] {
        let token = token(Some(typ), &good);
        assert_eq!(
            judge(&strict(), &token).unwrap_err(),
            GateFault::WrongTyp,
            "{typ}"
        );
        assert_eq!(
            judge(&legacy(), &token).unwrap_err(),
            GateFault::WrongTyp,
            "{typ}"
        );
    }
}

#[test]
fn sec_jwt_11_id_tokens_are_refused() {
    for mark in ["nonce", "at_hash", "c_hash", "s_hash"] {
        for value in [json!("x"), json!(""), json!(7), json!([])] {
            let marked = claims(json!({mark: value}));
            for typ in [Some("JWT"), None] {
                let fault = judge(&legacy(), &token(typ, &marked)).unwrap_err();
                assert_eq!(fault, GateFault::IdToken, "{mark}");
            }
        }
    }
    // When somebody logged in says nothing about what the token is.
    let dated = claims(json!({"auth_time": NOW}));
    assert!(judge(&legacy(), &token(Some("JWT"), &dated)).is_ok());
}

#[test]
fn sec_jwt_11_a_foreign_audience_needs_a_mark() {
    let plain = json!({"client_id": null, "scope": null});
    // In front of the resource that the token names, nothing more is needed.
    assert!(judge(&legacy(), &token(Some("JWT"), &claims(plain.clone()))).is_ok());

    let accepts = |marks: &[PositiveMark], change: Value| {
        let policy = builder()
            .typ_profile(TypProfile::Legacy)
            .audience("api://notes")
            .positive_marks(marks.iter().copied())
            .build()
            .unwrap();
        let mut changes = plain.clone();
        changes["aud"] = "api://notes".into();
        for (name, value) in change.as_object().unwrap() {
            changes[name] = value.clone();
        }
        match judge(&policy, &token(Some("JWT"), &claims(changes))) {
            Ok(_) => true,
            Err(fault) => {
                assert_eq!(fault, GateFault::Unmarked);
                false
            }
        }
    };
    assert!(!accepts(&PositiveMark::ALL, json!({})));
    for (mark, change) in [
        (PositiveMark::Scope, json!({"scope": "a"})),
        (PositiveMark::Scope, json!({"scp": "a"})),
        (PositiveMark::Scope, json!({"scp": ["a"]})),
        (PositiveMark::ClientId, json!({"client_id": "c"})),
        (PositiveMark::ClientId, json!({"cid": "c"})),
        (PositiveMark::TokenUse, json!({"token_use": "access"})),
        (PositiveMark::PayloadTyp, json!({"typ": "Bearer"})),
    ] {
        assert!(accepts(&PositiveMark::ALL, change.clone()), "{change}");
        assert!(accepts(&[mark], change.clone()), "{change}");
        let others: Vec<_> = PositiveMark::ALL
            .into_iter()
            .filter(|m| *m != mark)
            .collect();
        assert!(!accepts(&others, change.clone()), "{change}");
        assert!(!accepts(&[], change.clone()), "{change}");
    }
    for change in [
        json!({"auth_time": NOW}),
        json!({"scope": ""}),
        json!({"scope": ["a"]}),
        json!({"scp": []}),
        json!({"token_use": "id"}),
        json!({"typ": "ID"}),
        json!({"typ": "bearer"}),
        json!({"azp": "c"}),
    ] {
        assert!(!accepts(&PositiveMark::ALL, change.clone()), "{change}");
    }
}

#[test]
fn sec_jwt_13_a_client_in_place_of_an_audience() {
    let policy = builder().client("c1").client("c2").build().unwrap();
    let fault = |changes: Value| judge(&policy, &token(Some("at+jwt"), &claims(changes))).err();
    for good in [
        json!({"aud": null}),
        json!({"aud": null, "client_id": "c2"}),
        json!({"aud": RESOURCE}),
        json!({"aud": ["c1"]}),
    ] {
        assert_eq!(fault(good.clone()), None, "{good}");
    }
    for bad in [
        json!({"aud": null, "client_id": "c3"}),
        json!({"aud": null, "client_id": null}),
        json!({"aud": null, "client_id": null, "azp": "c1"}),
        json!({"aud": "https://other.example/mcp"}),
        json!({"client_id": "c3"}),
    ] {
        assert_eq!(fault(bad.clone()), Some(GateFault::WrongAudience), "{bad}");
    }
    let list = fault(json!({"aud": null, "client_id": ["c1"]}));
    assert_eq!(list, Some(ClaimFault::Malformed("client_id").into()));
    assert_eq!(
        builder().client("").build().err(),
        Some(PolicyError::EmptyName)
    );
}

#[test]
fn sec_jwt_13_the_audience_is_compared_byte_for_byte() {
    for aud in [
        json!(RESOURCE),
        json!([RESOURCE]),
        json!(["https://b", RESOURCE]),
    ] {
        assert_eq!(strict_fault(json!({"aud": aud})), None);
    }
    for aud in [
        json!(null),
        json!("https://other.example/mcp"),
        json!(["https://other.example/mcp"]),
        json!(""),
        json!([""]),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/"),
        json!("https://mcp.example.com/mcp2"),
        json!("https://mcp.example.com/mc"),
        json!("https://MCP.example.com/mcp"),
        json!("https://mcp.example.com:443/mcp"),
        json!(" https://mcp.example.com/mcp"),
        json!("https://mcp.example.com/mcp https://b"),
    ] {
        let fault = strict_fault(json!({"aud": aud.clone()}));
        assert_eq!(fault, Some(GateFault::WrongAudience), "{aud}");
    }
    for aud in [
        json!([]),
        json!({}),
        json!({"0": RESOURCE}),
        json!(1),
        json!([RESOURCE, 1]),
        json!([[RESOURCE]]),
        json!(true),
    ] {
        let fault = strict_fault(json!({"aud": aud.clone()}));
        assert_eq!(fault, Some(ClaimFault::Malformed("aud").into()), "{aud}");
    }
    let null = format!(
        r#"{{"iss":"{ISSUER}","sub":"a","exp":{},"aud":null}}"#,
        NOW + 60
    );
    assert_eq!(
        payload_fault(null.as_bytes()),
        Some(ClaimFault::Malformed("aud").into())
    );
}

#[test]
fn sec_jwt_13_exact_mode_refuses_further_audiences() {
    let exact = builder()
        .audience_mode(AudienceMode::Exact)
        .build()
        .unwrap();
    let verdict = |policy: &AccessTokenPolicy, aud: Value| {
        judge(policy, &token(Some("at+jwt"), &claims(json!({"aud": aud})))).err()
    };
    assert_eq!(verdict(&exact, json!(RESOURCE)), None);
    assert_eq!(verdict(&exact, json!([RESOURCE])), None);
    assert_eq!(
        verdict(&exact, json!([RESOURCE, "https://b"])),
        Some(GateFault::WrongAudience)
    );
    assert_eq!(verdict(&exact, json!(null)), Some(GateFault::WrongAudience));

    let listed = builder()
        .audience("api://a")
        .audience("api://b")
        .build()
        .unwrap();
    assert_eq!(verdict(&listed, json!("api://a")), None);
    assert_eq!(verdict(&listed, json!(["x", "api://b"])), None);
    assert_eq!(
        verdict(&listed, json!(RESOURCE)),
        Some(GateFault::WrongAudience)
    );
}

#[test]
fn sec_jwt_14_there_is_no_policy_without_issuer_and_audience() {
    // Nothing said about the audience means the resource, and without one nobody passes.
    let good = token(Some("at+jwt"), &claims(json!({})));
    let jws = CompactJws::parse(&good).unwrap();
    let nowhere = Timestamp::from_secs(NOW);
    let fault = strict()
        .check(&jws, &public(), Algorithm::Es256, nowhere)
        .unwrap_err();
    assert_eq!(fault, GateFault::WrongAudience);
    assert_eq!(
        builder().audience("").build().unwrap_err(),
        PolicyError::EmptyName
    );
    assert_eq!(
        builder().issuer_alias("").build().unwrap_err(),
        PolicyError::EmptyName
    );

    let any = builder().dangerous().accept_any_audience().build().unwrap();
    assert!(any.is_any_audience() && !strict().is_any_audience());
    assert!(
        any.check(&jws, &public(), Algorithm::Es256, nowhere)
            .is_ok()
    );
    assert!(
        !builder()
            .dangerous()
            .accept_any_audience()
            .audience("a")
            .build()
            .unwrap()
            .is_any_audience()
    );
}

#[test]
fn sec_jwt_15_exp_is_required() {
    let missing = Some(ClaimFault::Missing("exp").into());
    assert_eq!(strict_fault(json!({"exp": null})), missing);
}

#[test]
fn sec_jwt_16_dates_are_numbers_in_range() {
    let rest = format!(r#""sub":"a","iss":"{ISSUER}","aud":"{RESOURCE}""#);
    let verdict = |exp: &str| payload_fault(format!(r#"{{{rest},"exp":{exp}}}"#).as_bytes());
    let malformed = Some(ClaimFault::Malformed("exp").into());
    for exp in [
        "\"1700003600\"",
        "\"\"",
        "true",
        "null",
        "{}",
        "[]",
        "[1700003600]",
        "-1",
        "-0.5",
        "-1e9",
        "1e25",
        "1e18",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e300",
        "253402300800",
        "253402300800.5",
    ] {
        assert_eq!(verdict(exp), malformed, "{exp}");
    }
    for exp in [
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "0x7fffffff",
        "01700003600",
        "+1",
        "1.",
        ".5",
    ] {
        assert_eq!(verdict(exp), Some(ClaimFault::NotJson.into()), "{exp}");
    }
    for exp in ["0", "-0", "-0.0", "0.9", "1E3", "1700000000.9", "1.7e9"] {
        let leeway_used = builder().leeway(Duration::ZERO).build().unwrap();
        let payload = format!(r#"{{{rest},"exp":{exp}}}"#);
        let header = br#"{"alg":"ES256","typ":"at+jwt"}"#;
        let token = sign_bytes(header, payload.as_bytes(), key(), Algorithm::Es256).unwrap();
        assert_eq!(
            judge(&leeway_used, &token).unwrap_err(),
            GateFault::Time(TimeFault::Expired),
            "{exp}"
        );
    }
    for exp in ["1700003600", "1700003600.5", "1.7000036e9"] {
        assert_eq!(verdict(exp), None, "{exp}");
    }
    for name in ["nbf", "iat"] {
        for value in [json!("1"), json!([]), json!(-1), json!(1e25), json!(true)] {
            let fault = strict_fault(json!({name: value.clone()}));
            assert_eq!(
                fault,
                Some(ClaimFault::Malformed(name).into()),
                "{name} {value}"
            );
        }
        let null = format!(r#"{{{rest},"exp":1700003600,"{name}":null}}"#);
        assert_eq!(
            payload_fault(null.as_bytes()),
            Some(ClaimFault::Malformed(name).into())
        );
    }
}

#[test]
fn sec_jwt_17_lifetime_has_a_limit() {
    let day = 24 * 60 * 60;
    assert_eq!(strict_fault(json!({"exp": NOW + day})), None);
    assert_eq!(
        strict_fault(json!({"exp": NOW + day + 1})),
        Some(GateFault::Lifetime)
    );
    assert_eq!(strict_fault(json!({"iat": 0})), Some(GateFault::Lifetime));
    // Without `iat` the time that is left counts.
    assert_eq!(
        strict_fault(json!({"iat": null, "exp": NOW + day + 30})),
        None
    );
    let fault = strict_fault(json!({"iat": null, "exp": NOW + day + 31}));
    assert_eq!(fault, Some(GateFault::Lifetime));

    let short = builder()
        .max_lifetime(Duration::from_secs(60))
        .build()
        .unwrap();
    let judge_short = |exp| judge(&short, &token(Some("at+jwt"), &claims(json!({"exp": exp}))));
    assert!(judge_short(NOW + 60).is_ok());
    assert_eq!(judge_short(NOW + 61).unwrap_err(), GateFault::Lifetime);
    let zero = builder().max_lifetime(Duration::ZERO).build();
    assert_eq!(zero.unwrap_err(), PolicyError::Lifetime);
}

#[test]
fn sec_jwt_19_tokens_from_the_future_are_refused() {
    assert_eq!(strict_fault(json!({"iat": NOW + 30})), None);
    assert_eq!(
        strict_fault(json!({"iat": NOW + 31})),
        Some(GateFault::Time(TimeFault::IssuedInFuture))
    );
    let fault = strict_fault(json!({"iat": NOW + 20, "exp": NOW + 10}));
    assert_eq!(fault, Some(GateFault::Lifetime), "issued after its end");
}

#[test]
fn sec_jwt_20_leeway_has_exact_bounds() {
    for leeway in [0, 1, 30, 300] {
        let policy = builder()
            .leeway(Duration::from_secs(leeway))
            .build()
            .unwrap();
        let leeway = i64::try_from(leeway).unwrap();
        let at = |change: Value| judge(&policy, &token(Some("at+jwt"), &claims(change))).err();
        let ended = |exp| json!({"exp": exp, "iat": NOW - 600});
        assert_eq!(
            at(ended(NOW - leeway)),
            Some(GateFault::Time(TimeFault::Expired))
        );
        assert_eq!(at(ended(NOW - leeway + 1)), None);
        assert_eq!(at(json!({"nbf": NOW + leeway})), None);
        assert_eq!(
            at(json!({"nbf": NOW + leeway + 1})),
            Some(GateFault::Time(TimeFault::NotYetValid))
        );
    }
    assert_eq!(strict().leeway(), Duration::from_secs(30));
    let long = builder().leeway(Duration::from_secs(301)).build();
    assert_eq!(long.unwrap_err(), PolicyError::Leeway);
    // No clock makes the arithmetic overflow.
    let good = token(Some("at+jwt"), &claims(json!({"nbf": NOW})));
    for now in [i64::MIN, -1, 0, i64::MAX] {
        assert!(judge_at(&strict(), &good, now).is_err());
    }
}

#[test]
fn sec_jwt_24_only_text_grants_scopes() {
    let policy = builder().scope_claims(["scope", "scp"]).build().unwrap();
    let granted = |policy: &AccessTokenPolicy, change: Value| {
        let claims = judge(&strict(), &token(Some("at+jwt"), &claims(change))).unwrap();
        policy.scopes(&claims)
    };
    assert_eq!(granted(&policy, json!({"scope": "a b"})), scopes!["a", "b"]);
    for scope in [
        json!(["a"]),
        json!({"a": 1}),
        json!(1),
        json!(true),
        json!(""),
        json!("a\tb"),
        json!("a,b"),
        json!("a\u{a0}b"),
    ] {
        assert!(
            !granted(&policy, json!({"scope": scope.clone()})).contains_str("a"),
            "{scope}"
        );
    }
    assert_eq!(granted(&policy, json!({"scope": "A *"})), scopes!["A", "*"]);
    // `scp` counts only where it is configured, and may be a list.
    let scp = json!({"scope": "a", "scp": ["b", "c d", "a"]});
    assert_eq!(granted(&strict(), scp.clone()), scopes!["a"]);
    assert_eq!(granted(&policy, scp), scopes!["a", "b"]);
    assert_eq!(
        granted(&policy, json!({"scope": null, "scp": "b c"})),
        scopes!["b", "c"]
    );
    for scp in [json!(["b", 1]), json!([["b"]]), json!({"b": 1}), json!(7)] {
        assert!(granted(&policy, json!({"scope": null, "scp": scp})).is_empty());
    }
}

#[test]
fn sec_jwt_25_bound_tokens_are_no_bearer_tokens() {
    for cnf in [
        json!({"jkt": "AA"}),
        json!({"x5t#S256": "AA"}),
        json!({}),
        json!("x"),
        json!(false),
    ] {
        let fault = strict_fault(json!({"cnf": cnf}));
        assert_eq!(fault, Some(GateFault::SenderConstrained));
    }
    let rest = format!(
        r#""sub":"a","iss":"{ISSUER}","aud":"{RESOURCE}","exp":{}"#,
        NOW + 60
    );
    let fault = payload_fault(format!(r#"{{{rest},"cnf":null}}"#).as_bytes());
    assert_eq!(fault, Some(GateFault::SenderConstrained));
}

#[test]
fn sec_jwt_26_only_a_json_object_is_a_set_of_claims() {
    for payload in [&b"[]"[..], b"\"x\"", b"7", b"null", b"[{}]"] {
        assert_eq!(payload_fault(payload), Some(ClaimFault::NotAnObject.into()));
    }
    for payload in [
        &b"x"[..],
        b"{",
        b"{}x",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":\"\xff\"}",
        b"\xff",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"\0",
    ] {
        assert_eq!(
            payload_fault(payload),
            Some(ClaimFault::NotJson.into()),
            "{payload:?}"
        );
    }
}

#[test]
fn sec_jwt_27_claims_have_limits() {
    let many = |n: usize| -> Value { (0..n).map(|n| (format!("x{n}"), json!(0))).collect() };
    assert_eq!(
        strict_fault(many(193)),
        None,
        "200 members with those of a good token"
    );
    assert_eq!(strict_fault(many(194)), Some(ClaimFault::NotJson.into()));
    let nested = |depth: usize| -> Value {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        crate::json::value(text.as_bytes(), crate::json::Limits::MCP).unwrap()
    };
    assert_eq!(strict_fault(json!({"x": nested(15)})), None);
    assert_eq!(
        strict_fault(json!({"x": nested(16)})),
        Some(ClaimFault::NotJson.into())
    );
    let large = token(Some("at+jwt"), &claims(json!({"x": "y".repeat(16 * 1024)})));
    assert_eq!(
        judge(&strict(), &large).unwrap_err(),
        JoseFault::TooLarge.into()
    );
}

#[test]
fn sec_jwt_32_the_issuer_is_compared_byte_for_byte() {
    for iss in [
        json!(null),
        json!(""),
        json!("https://auth.example.com/"),
        json!("https://AUTH.example.com"),
        json!("http://auth.example.com"),
        json!("https://evil.example"),
        json!("https://auth.example.com.evil.example"),
    ] {
        let fault = strict_fault(json!({"iss": iss.clone()}));
        assert_eq!(fault, Some(GateFault::WrongIssuer), "{iss}");
    }
    for iss in [json!([ISSUER]), json!({"0": ISSUER}), json!(1)] {
        let fault = strict_fault(json!({"iss": iss}));
        assert_eq!(fault, Some(ClaimFault::Malformed("iss").into()));
    }
    let aliased = builder().issuer_alias("auth.example.com").build().unwrap();
    assert!(aliased.trusts_issuer("auth.example.com") && aliased.trusts_issuer(ISSUER));
    let alias = token(Some("at+jwt"), &claims(json!({"iss": "auth.example.com"})));
    assert!(judge(&aliased, &alias).is_ok());
    assert!(judge(&strict(), &alias).is_err());
}

#[test]
fn sec_jwt_33_the_signature_comes_before_every_claim() {
    let stranger = SigningKey::generate_es256().unwrap();
    for change in [
        json!({}),
        json!({"exp": 1}),
        json!({"exp": null}),
        json!({"aud": "https://other.example"}),
        json!({"iss": "https://evil.example"}),
        json!({"cnf": {"jkt": "AA"}}),
        json!({"nonce": "n"}),
    ] {
        for typ in ["at+jwt", "JWT", "logout+jwt"] {
            let header = json!({"alg": "ES256", "typ": typ});
            let claims = claims(change.clone());
            let forged = sign_compact(&header, &claims, &stranger, Algorithm::Es256).unwrap();
            let fault = judge(&strict(), &forged).unwrap_err();
            assert_eq!(fault, JoseFault::Signature.into(), "{change}");
            assert_eq!(fault.reason(), "signature");
        }
    }
    let header = br#"{"alg":"ES256","typ":"at+jwt"}"#;
    let forged = sign_bytes(header, b"no JSON", &stranger, Algorithm::Es256).unwrap();
    assert_eq!(
        judge(&strict(), &forged).unwrap_err(),
        JoseFault::Signature.into()
    );
}

#[test]
fn a_subject_is_required() {
    for sub in [
        json!(null),
        json!(""),
        json!("a\nb"),
        json!("a".repeat(256)),
    ] {
        assert_eq!(
            strict_fault(json!({"sub": sub})),
            Some(GateFault::NoSubject)
        );
    }
    let fault = strict_fault(json!({"sub": 7}));
    assert_eq!(fault, Some(ClaimFault::Malformed("sub").into()));
    assert_eq!(strict_fault(json!({"sub": "a".repeat(255)})), None);
}

#[test]
fn no_fault_repeats_the_token() {
    let canary = json!({"iss": "canary", "sub": "canary", "aud": "canary", "scope": "canary"});
    for change in [
        json!({"exp": "canary"}),
        json!({"exp": 1}),
        json!({"exp": NOW + 60}),
        json!({"cnf": "canary"}),
    ] {
        let mut changes = canary.clone();
        changes["exp"] = change.get("exp").cloned().unwrap_or(json!(NOW + 60));
        let fault = strict_fault(changes).unwrap();
        let shown = format!("{fault} {fault:?} {}", fault.reason());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn one_flipped_bit_is_refused() {
    let signed = JwtBuilder::access_token(ISSUER)
        .subject("alice")
        .audience(RESOURCE)
        .valid(Timestamp::from_secs(NOW), Duration::from_secs(60))
        .sign(key())
        .unwrap();
    assert!(judge(&strict(), &signed).is_ok());
    for (at, bit) in (0..signed.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut flipped = signed.clone().into_bytes();
        flipped[at] ^= 1 << bit;
        if let Ok(flipped) = str::from_utf8(&flipped) {
            assert!(judge(&strict(), flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_signed_payload_panics(
        payload: Vec<u8>,
        exp in "-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        now: i64,
    ) {
        let header = br#"{"alg":"ES256","typ":"at+jwt"}"#;
        let dated = format!(r#"{{"exp":{exp},"nbf":{exp},"iat":{exp}}}"#);
        for payload in [payload.as_slice(), dated.as_bytes()] {
            let token = sign_bytes(header, payload, key(), Algorithm::Es256).unwrap();
            prop_assert!(judge_at(&strict(), &token, now).is_err());
        }
    }
}

#[test]
fn sec_jwt_30_names_in_claims_are_well_formed() {
    let fault = |changes: Value| judge(&strict(), &token(Some("at+jwt"), &claims(changes))).err();
    let hostile = [
        "",
        "a\0",
        "a\r\nb",
        "a\tb",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
    ];
    for bad in hostile.into_iter().chain([&*"x".repeat(256)]) {
        assert_eq!(
            fault(json!({"sub": bad})),
            Some(GateFault::NoSubject),
            "{bad:?}"
        );
        assert_eq!(
            fault(json!({"jti": bad})),
            Some(GateFault::BadTokenId),
            "{bad:?}"
        );
    }
    for bad in hostile.into_iter().chain(["\u{fc}", &*"x".repeat(2049)]) {
        for changes in [
            json!({"client_id": bad}),
            json!({"client_id": null, "azp": bad}),
            json!({"client_id": "fine", "azp": bad}),
            json!({"client_id": null, "cid": bad}),
        ] {
            assert_eq!(fault(changes), Some(GateFault::BadClientId), "{bad:?}");
        }
    }
    // A claim of another name is the issuer's own business.
    assert_eq!(fault(json!({"cid": 42, "name": "a\nb"})), None);
    for name in ["azp", "jti", "client_id", "sub"] {
        let malformed = GateFault::Claims(ClaimFault::Malformed(name));
        assert_eq!(fault(json!({name: 7})), Some(malformed));
    }
    let longest =
        json!({"sub": "s".repeat(255), "jti": "j".repeat(255), "client_id": "c".repeat(2048)});
    assert_eq!(fault(longest), None);
}

#[test]
fn what_an_issuer_may_leave_out() {
    for name in ["client_id", "iat", "jti", "scope"] {
        let token = token(Some("at+jwt"), &claims(json!({name: null})));
        assert!(judge(&strict(), &token).is_ok(), "{name}");
    }
    for name in ["iss", "exp", "aud", "sub"] {
        let token = token(Some("at+jwt"), &claims(json!({name: null})));
        assert!(judge(&strict(), &token).is_err(), "{name}");
    }
}
