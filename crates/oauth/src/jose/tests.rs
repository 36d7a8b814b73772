use proptest::prelude::*;
use serde_json::{Value, json};

use super::Algorithm;
use super::compact::{CompactJws, JoseFault, MAX_HEADER, MAX_TOKEN};
use super::jwk::{Jwk, JwkError};
use super::jwks::{JwkSet, JwksError};
use crate::crypto::{KeyError, VerifyingKey, base64url};
use crate::fuzz;
use crate::json::{self, Limits};
use crate::secret::SecretBytes;

const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn document(text: &str) -> Value {
    json::value(text.as_bytes(), Limits::METADATA).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn key_of(jwk: &Value) -> VerifyingKey {
    if jwk["kty"] == "oct" {
        let secret = base64url::decode_strict(text(jwk, "k")).unwrap();
        return VerifyingKey::hmac(SecretBytes::new(secret)).unwrap();
    }
    Jwk::from_value(jwk).unwrap().key().clone()
}

/// RFC 7515 appendix A.1 to A.4, RFC 7520 sections 4.1 to 4.4, RFC 8037 appendix A.4.
#[test]
fn tokens_of_the_rfcs_verify() {
    let vectors = document(include_str!("testdata/jws.json"));
    assert_eq!(vectors.as_array().unwrap().len(), 9);
    for vector in vectors.as_array().unwrap() {
        let (source, token) = (text(vector, "source"), text(vector, "token"));
        let algorithm = Algorithm::parse(text(vector, "alg")).unwrap();
        let jws = CompactJws::parse(token).unwrap();
        assert_eq!(jws.header().algorithm(), algorithm, "{source}");
        let key = key_of(&vector["key"]);
        let payload = jws.verify(&key, algorithm).unwrap().payload();
        assert_eq!(
            base64url::encode(payload),
            token.split('.').nth(1).unwrap(),
            "{source}"
        );
        for other in Algorithm::ALL.into_iter().filter(|a| *a != algorithm) {
            assert_eq!(
                jws.verify(&key, other).unwrap_err(),
                JoseFault::WrongAlgorithm,
                "{source}"
            );
        }
    }
}

#[cfg(feature = "sign")]
mod sign {
    use super::*;
    use crate::crypto::sign::SigningKey;
    use crate::jose::sign::sign_bytes;

    /// RFC 8037 appendix A: the same seed gives the same key and the same token.
    #[test]
    fn ed25519_signs_as_in_rfc_8037() {
        let seed = base64url::decode_strict("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::ed25519_from_seed(&seed.try_into().unwrap()).unwrap();
        let jwk = key.public_jwk(None).unwrap();
        assert_eq!(jwk["x"], ED25519_X);
        assert_eq!(jwk["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let header = br#"{"alg":"EdDSA"}"#;
        let payload = b"Example of Ed25519 signing";
        let token = sign_bytes(header, payload, &key, Algorithm::EdDsa).unwrap();
        let vectors = document(include_str!("testdata/jws.json"));
        assert_eq!(token, text(&vectors[8], "token"));
    }

    /// Tokens of npm fastmcp 4.20.16 and of Python fastmcp 4.1.2.
    #[test]
    fn hs256_signs_as_the_originals() {
        for (secret, payload, signature) in [
            (
                "Xza6lqurLLoMIoHXo/Us4T1jXehT1yhK5ccLvtNGL0c=",
                r#"{"aud":"https://mcp.example.com","client_id":"c0ffee","exp":4102444800,"iat":1700000000,"iss":"https://mcp.example.com","jti":"AAECAwQFBgcICQoLDA0ODw","scope":["openid","email"]}"#,
                "buf3Y_7gSl8ACI8q4bIThoYTTamzSH11vJeBw_pLRvY",
            ),
            (
                "mDusPzt0pgHJnNoduqor68Llleimv_qHiRQVGK1SM5c=",
                r#"{"iss":"https://mcp.example.com/","aud":"https://mcp.example.com/mcp","client_id":"c0ffee","scope":"read write","exp":4102444800,"iat":1700000000,"jti":"J"}"#,
                "Mz7hhiOxxUhu4k4RydnAzzomiaykjUF1yOVMWWR7vmE",
            ),
        ] {
            let key = SigningKey::hmac(SecretBytes::new(secret)).unwrap();
            let header = br#"{"alg":"HS256","typ":"JWT"}"#;
            let token = sign_bytes(header, payload.as_bytes(), &key, Algorithm::Hs256).unwrap();
            assert_eq!(token.rsplit('.').next(), Some(signature));
        }
    }

    /// What we publish can be read by whoever checks our tokens, and holds nothing private.
    #[test]
    fn sec_key_15_published_keys_are_public_and_readable() {
        for key in [
            SigningKey::generate_rsa2048().unwrap(),
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es384().unwrap(),
            SigningKey::generate_es512().unwrap(),
            SigningKey::generate_ed25519().unwrap(),
        ] {
            let set = json!({"keys": [key.public_jwk(None).unwrap(), key.public_jwk(Some("k"))]});
            let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
            assert_eq!((set.len(), set.skipped()), (2, &[][..]));
            let algorithm = key.default_algorithm();
            let thumbprint = set.keys()[0].thumbprint();
            assert_eq!(set.keys()[0].kid(), Some(thumbprint.as_str()));
            let token = sign_bytes(
                json!({"alg": algorithm.as_str(), "kid": "k"})
                    .to_string()
                    .as_bytes(),
                b"{}",
                &key,
                algorithm,
            )
            .unwrap();
            let jws = CompactJws::parse(&token).unwrap();
            let found = set
                .candidates(jws.header().kid(), algorithm)
                .next()
                .unwrap();
            assert!(jws.verify(found.key(), algorithm).is_ok());
        }
        let secret = SigningKey::hmac(SecretBytes::new([7; 32])).unwrap();
        assert_eq!(secret.public_jwk(None), None);
        assert_eq!(secret.public_pem(), None);
    }
}

/// The same token, with one bit changed anywhere.
#[test]
fn no_flipped_bit_is_accepted() {
    let vectors = document(include_str!("testdata/jws.json"));
    for vector in vectors.as_array().unwrap() {
        let algorithm = Algorithm::parse(text(vector, "alg")).unwrap();
        let key = key_of(&vector["key"]);
        let token = text(vector, "token").as_bytes();
        for (at, bit) in (0..token.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = token.to_vec();
            flipped[at] ^= 1 << bit;
            let accepted = str::from_utf8(&flipped)
                .ok()
                .and_then(|token| CompactJws::parse(token).ok())
                .is_some_and(|jws| jws.verify(&key, algorithm).is_ok());
            assert!(!accepted, "{}: bit {bit} of byte {at}", vector["source"]);
        }
    }
}

#[test]
fn keys_of_rfc_7517_are_read_or_left_out() {
    let set = JwkSet::parse(include_bytes!("testdata/rfc7517.json")).unwrap();
    assert_eq!(set.len(), 1);
    let rsa = set.candidates(Some("2011-04-29"), Algorithm::Rs256).next();
    // RFC 7638 section 3.1.
    assert_eq!(
        rsa.unwrap().thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let reasons: Vec<_> = set
        .skipped()
        .iter()
        .map(|key| (key.index, key.error))
        .collect();
    assert_eq!(
        reasons,
        [
            (0, JwkError::NotForSignatures),
            (2, JwkError::Private),
            (3, JwkError::Private),
            (4, JwkError::Private),
        ]
    );
}

#[test]
fn thumbprints() {
    // RFC 8037 appendix A.3.
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "kid": "any"});
    assert_eq!(
        Jwk::from_value(&okp).unwrap().thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    // The key of RFC 7517 appendix A.1, computed with Python's hashlib and json.
    let ec = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "use": "sig",
    });
    assert_eq!(
        Jwk::from_value(&ec).unwrap().thumbprint(),
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
    );
}

fn ec_with(members: &Value) -> Value {
    let mut jwk = json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y});
    for (name, value) in members.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

#[test]
fn sec_key_05_one_bad_key_spoils_nothing_but_itself() {
    let rsa_1024 = base64url::encode([0xff; 128]);
    let bad = [
        (json!("no object"), JwkError::NotAnObject),
        (json!({}), JwkError::Missing("kty")),
        (json!({"kty": "EC2"}), JwkError::UnknownType),
        (json!({"kty": "oct", "k": "AA"}), JwkError::Private),
        (json!({"kty": 1}), JwkError::Malformed("kty")),
        (ec_with(&json!({"d": "AA"})), JwkError::Private),
        (ec_with(&json!({"crv": "P-224"})), JwkError::UnknownCurve),
        (ec_with(&json!({"x": "A+/="})), JwkError::Malformed("x")),
        (ec_with(&json!({"x": "AA"})), JwkError::Malformed("x")),
        (ec_with(&json!({"y": "AA"})), JwkError::Malformed("y")),
        (ec_with(&json!({"y": P256_X})), KeyError::Invalid.into()),
        (ec_with(&json!({"kid": 7})), JwkError::Malformed("kid")),
        (ec_with(&json!({"alg": "none"})), JwkError::UnknownAlgorithm),
        (
            ec_with(&json!({"alg": "HS256"})),
            JwkError::UnknownAlgorithm,
        ),
        (
            ec_with(&json!({"alg": "ES384"})),
            JwkError::UnknownAlgorithm,
        ),
        (ec_with(&json!({"use": "enc"})), JwkError::NotForSignatures),
        (ec_with(&json!({"use": null})), JwkError::Malformed("use")),
        (ec_with(&json!({"key_ops": []})), JwkError::NotForVerifying),
        (
            ec_with(&json!({"key_ops": "verify"})),
            JwkError::Malformed("key_ops"),
        ),
        (
            json!({"kty": "RSA", "n": rsa_1024, "e": "AQAB"}),
            KeyError::RsaSize { bits: 1024 }.into(),
        ),
        (json!({"kty": "RSA", "n": rsa_1024}), JwkError::Missing("e")),
        (
            json!({"kty": "OKP", "crv": "X25519", "x": ED25519_X}),
            JwkError::UnknownCurve,
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            JwkError::Malformed("x"),
        ),
    ];
    let mut keys = vec![ec_with(&json!({"kid": "good"}))];
    keys.extend(bad.iter().map(|(key, _)| key.clone()));
    keys.push(ec_with(
        &json!({"kid": "also", "use": "sig", "key_ops": ["verify"]}),
    ));
    let set = JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
    assert_eq!(set.len(), 2);
    assert!(set.contains_kid("good") && set.contains_kid("also"));
    for (skipped, (key, error)) in set.skipped().iter().zip(&bad) {
        assert_eq!(skipped.error, *error, "{key}");
    }
    assert_eq!(set.skipped().len(), bad.len());
}

#[test]
fn private_members_of_every_kind_are_noticed() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let jwk = ec_with(&json!({name: null}));
        assert_eq!(
            Jwk::from_value(&jwk).unwrap_err(),
            JwkError::Private,
            "{name}"
        );
    }
}

#[test]
fn sec_jwt_04_a_key_is_used_for_what_its_owner_says() {
    let n = base64url::encode([0xff; 256]);
    let keys = json!({"keys": [
        {"kty": "RSA", "n": n, "e": "AQAB", "kid": "any"},
        {"kty": "RSA", "n": n, "e": "AQAB", "kid": "one", "alg": "PS256"},
        {"kty": "RSA", "n": n, "e": "AQAB", "kid": "enc", "use": "enc"},
        {"kty": "RSA", "n": n, "e": "AQAB", "kid": "ops", "key_ops": ["sign", "encrypt"]},
        {"kty": "RSA", "n": n, "e": "AQAB", "kid": "oaep", "alg": "RSA-OAEP"},
    ]});
    let set = JwkSet::parse(keys.to_string().as_bytes()).unwrap();
    let kids = |algorithm| -> Vec<_> {
        set.candidates(None, algorithm)
            .filter_map(Jwk::kid)
            .collect()
    };
    assert_eq!(kids(Algorithm::Rs256), ["any"]);
    assert_eq!(kids(Algorithm::Ps256), ["any", "one"]);
    assert_eq!(kids(Algorithm::Ps384), ["any"]);
    assert!(kids(Algorithm::Es256).is_empty());
    assert!(kids(Algorithm::Hs256).is_empty());
    assert_eq!(set.candidates(Some("one"), Algorithm::Rs256).count(), 0);
    assert_eq!(set.candidates(Some("one"), Algorithm::Ps256).count(), 1);
}

#[test]
fn sec_jwt_30_kid_is_looked_up_as_it_is() {
    let mut keys: Vec<_> = (0..9).map(|_| ec_with(&json!({}))).collect();
    keys.push(ec_with(&json!({"kid": "k"})));
    let set = JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();
    assert_eq!(set.candidates(None, Algorithm::Es256).count(), 4);
    assert_eq!(set.candidates(Some("k"), Algorithm::Es256).count(), 1);
    let long = "k".repeat(64 * 1024);
    for kid in [
        "",
        "K",
        "k ",
        "../../dev/null",
        "' OR 1=1--",
        "k\0",
        "%00",
        "__proto__",
        &long,
    ] {
        assert_eq!(set.candidates(Some(kid), Algorithm::Es256).count(), 0);
        assert!(!set.contains_kid(kid));
    }
    for kid in [
        json!(1),
        json!(["k"]),
        json!({"k": 1}),
        json!(null),
        json!(true),
    ] {
        let header = json!({"alg": "ES256", "kid": kid});
        assert_eq!(parse_header(&header.to_string()), Err(JoseFault::Header));
    }
    let header = json!({"alg": "ES256", "kid": long});
    assert_eq!(parse_header(&header.to_string()), Err(JoseFault::TooLarge));
}

#[test]
fn sec_key_07_key_sets_have_limits() {
    let keys = |n: usize| json!({"keys": vec![ec_with(&json!({})); n]}).to_string();
    assert_eq!(JwkSet::parse(keys(100).as_bytes()).unwrap().len(), 100);
    assert_eq!(
        JwkSet::parse(keys(101).as_bytes()).unwrap_err(),
        JwksError::TooManyKeys
    );
    let padded = format!("{}{}", keys(1), " ".repeat(256 * 1024));
    for bad in [&padded, "", "[]", "{", "nul", &"[".repeat(1000)] {
        let error = JwkSet::parse(bad.as_bytes()).unwrap_err();
        assert!(
            matches!(error, JwksError::Json(_) | JwksError::NotASet),
            "{error}"
        );
    }
    for bad in ["{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "7"] {
        assert_eq!(
            JwkSet::parse(bad.as_bytes()).unwrap_err(),
            JwksError::NotASet
        );
    }
    let repeated = r#"{"keys":[{"kty":"EC","kty":"RSA"}]}"#;
    assert!(matches!(
        JwkSet::parse(repeated.as_bytes()),
        Err(JwksError::Json(_))
    ));
}

/// The fault of a token with this header, and a payload and signature of one byte.
fn parse_header(header: &str) -> Result<(), JoseFault> {
    let token = format!("{}.AA.AA", base64url::encode(header));
    CompactJws::parse(&token).map(|_| ())
}

#[test]
fn sec_jwt_03_none_is_no_algorithm() {
    for name in [
        "none", "None", "NONE", "nOnE", "", "RS1", "HS1", "rs256", "ES256K", "RS256 ",
    ] {
        let header = json!({"alg": name}).to_string();
        assert_eq!(Algorithm::parse(name), None);
        assert_eq!(
            parse_header(&header),
            Err(JoseFault::UnknownAlgorithm),
            "{name}"
        );
    }
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":1}"#,
        r#"{"alg":["RS256"]}"#,
    ] {
        assert_eq!(parse_header(header), Err(JoseFault::Header), "{header}");
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        assert_eq!(
            parse_header(&json!({"alg": algorithm.as_str()}).to_string()),
            Ok(())
        );
    }
    assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDsa));
}

#[test]
fn sec_jwt_07_extensions_are_refused() {
    for members in [
        r#""crit":["x"],"x":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""crit":"x""#,
        r#""crit":null"#,
        r#""crit":["alg"]"#,
        r#""crit":["x","x"],"x":1"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""b64":null"#,
        r#""cr\u0069t":["x"]"#,
    ] {
        let header = format!(r#"{{"alg":"ES256",{members}}}"#);
        assert_eq!(parse_header(&header), Err(JoseFault::Critical), "{members}");
    }
}

#[test]
fn sec_jwt_08_keys_in_the_header_are_refused() {
    for members in [
        r#""jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#""jwk":null"#,
        r#""jku":"http://169.254.169.254/keys""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["MAA="]"#,
        r#""x5c":null"#,
    ] {
        let header = format!(r#"{{"alg":"ES256",{members}}}"#);
        assert_eq!(
            parse_header(&header),
            Err(JoseFault::EmbeddedKey),
            "{members}"
        );
    }
    // A thumbprint is no key; Microsoft's tokens have one. It picks nothing.
    assert_eq!(
        parse_header(r#"{"alg":"RS256","x5t":"AA","x5t#S256":"AA"}"#),
        Ok(())
    );
}

#[test]
fn sec_jwt_09_repeated_header_members_are_refused() {
    for header in [
        r#"{"alg":"ES256","alg":"none"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"a","kid":"b"}"#,
        r#"{"alg":"ES256","x":{"y":1,"y":2}}"#,
    ] {
        assert_eq!(parse_header(header), Err(JoseFault::Header), "{header}");
    }
}

#[test]
fn sec_jwt_26_only_three_canonical_segments_are_a_token() {
    let (header, payload, signature) = ("eyJhbGciOiJFUzI1NiJ9", "e30", "AAAA");
    let good = format!("{header}.{payload}.{signature}");
    assert!(CompactJws::parse(&good).is_ok());
    for (bad, fault) in [
        (String::new(), JoseFault::Segments),
        (".".to_owned(), JoseFault::Segments),
        ("..".to_owned(), JoseFault::Segments),
        (header.to_owned(), JoseFault::Segments),
        (format!("{header}.{payload}"), JoseFault::Segments),
        (format!("{header}.{payload}."), JoseFault::Segments),
        (format!("{header}..{signature}"), JoseFault::Segments),
        (format!(".{payload}.{signature}"), JoseFault::Segments),
        (format!(".{good}"), JoseFault::Segments),
        (format!("{good}."), JoseFault::Segments),
        (format!("{good}.{payload}"), JoseFault::Segments),
        (format!("{good}.a.b.c"), JoseFault::Segments),
        (format!(" {good}"), JoseFault::Encoding),
        (format!("{good}\n"), JoseFault::Encoding),
        (
            format!("{header}.{payload}=.{signature}"),
            JoseFault::Encoding,
        ),
        (format!("{header}.e31.{signature}"), JoseFault::Encoding),
        (format!("{header}.{payload}.+/AA"), JoseFault::Encoding),
        (format!("{header}.{payload}.AAB"), JoseFault::Encoding),
        (format!("\u{feff}{good}"), JoseFault::Encoding),
        (format!("{header}.{payload}.Ä"), JoseFault::Encoding),
    ] {
        assert_eq!(CompactJws::parse(&bad).unwrap_err(), fault, "{bad:?}");
    }
    for header in [
        "",
        "[]",
        r#"["ES256"]"#,
        r#"["ES256","at+jwt","kid"]"#,
        "\"ES256\"",
        "null",
        r#"{"alg":"ES256"} "#,
        r#"{"alg":"ES256"}x"#,
        "\u{feff}{\"alg\":\"ES256\"}",
    ] {
        let expected = match header {
            "" => Err(JoseFault::Segments),
            r#"{"alg":"ES256"} "# => Ok(()),
            _ => Err(JoseFault::Header),
        };
        assert_eq!(parse_header(header), expected, "{header:?}");
    }
    let token = format!(
        "{}.e30.AAAA",
        base64url::encode(b"{\"alg\":\"ES256\",\"\xff\":1}")
    );
    assert_eq!(CompactJws::parse(&token).unwrap_err(), JoseFault::Header);
}

#[test]
fn sec_jwt_27_size_comes_first() {
    // Not base64, not JSON, not three segments: only its size is seen.
    assert_eq!(
        CompactJws::parse(&"!".repeat(MAX_TOKEN + 1)).unwrap_err(),
        JoseFault::TooLarge
    );
    assert_eq!(
        CompactJws::parse(&"!".repeat(MAX_TOKEN)).unwrap_err(),
        JoseFault::Segments
    );
    let long_header = format!("{}.AA.AA", "!".repeat(MAX_HEADER / 3 * 4 + 8));
    assert_eq!(
        CompactJws::parse(&long_header).unwrap_err(),
        JoseFault::TooLarge
    );
    let header_of = |size: usize| {
        let padding = "x".repeat(size - r#"{"alg":"ES256","kid":""}"#.len());
        format!(r#"{{"alg":"ES256","kid":"{padding}"}}"#)
    };
    assert_eq!(parse_header(&header_of(MAX_HEADER)), Ok(()));
    assert_eq!(
        parse_header(&header_of(MAX_HEADER + 1)),
        Err(JoseFault::TooLarge)
    );
    let deep = format!(
        r#"{{"alg":"ES256","x":{}{}}}"#,
        "[".repeat(16),
        "]".repeat(16)
    );
    assert_eq!(parse_header(&deep), Err(JoseFault::Header));
    let many = (0..200)
        .map(|n| format!(r#","x{n}":0"#))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(
        parse_header(&format!(r#"{{"alg":"ES256"{many}}}"#)),
        Err(JoseFault::Header)
    );
}

#[test]
fn sec_jwt_28_encrypted_tokens_are_refused() {
    assert_eq!(
        CompactJws::parse("a.b.c.d.e").unwrap_err(),
        JoseFault::Encrypted
    );
    assert_eq!(CompactJws::parse("....").unwrap_err(), JoseFault::Encrypted);
    for header in [
        r#"{"alg":"ES256","enc":"A256GCM"}"#,
        r#"{"alg":"RS256","enc":null}"#,
    ] {
        assert_eq!(parse_header(header), Err(JoseFault::Encrypted));
    }
    for alg in ["RSA1_5", "PBES2-HS256+A128KW", "dir", "RSA-OAEP"] {
        let header = json!({"alg": alg}).to_string();
        assert_eq!(parse_header(&header), Err(JoseFault::UnknownAlgorithm));
    }
}

#[test]
fn sec_jwt_29_nested_and_compressed_tokens_are_refused() {
    for members in [
        r#""cty":"JWT""#,
        r#""cty":"jwt""#,
        r#""cty":null"#,
        r#""zip":"DEF""#,
    ] {
        let header = format!(r#"{{"alg":"ES256",{members}}}"#);
        assert_eq!(parse_header(&header), Err(JoseFault::Nested), "{members}");
    }
}

#[test]
fn typ_is_a_media_type() {
    let is_typ = |typ: &str| {
        let header = base64url::encode(json!({"alg": "ES256", "typ": typ}).to_string());
        let token = format!("{header}.AA.AA");
        CompactJws::parse(&token).unwrap().header().is_typ("at+jwt")
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "APPLICATION/At+Jwt",
    ] {
        assert!(is_typ(typ), "{typ}");
    }
    for typ in [
        "",
        "at",
        "at+jwt ",
        " at+jwt",
        "text/at+jwt",
        "application/application/at+jwt",
        "ät+jwt",
    ] {
        assert!(!is_typ(typ), "{typ}");
    }
    for typ in ["null", "1", "[\"at+jwt\"]"] {
        let header = format!(r#"{{"alg":"ES256","typ":{typ}}}"#);
        assert_eq!(parse_header(&header), Err(JoseFault::Header));
    }
}

#[test]
fn the_unverified_issuer_is_strict_too() {
    let issuer = |payload: &[u8]| {
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{}.AA", base64url::encode(payload));
        CompactJws::parse(&token).unwrap().unverified_issuer()
    };
    assert_eq!(
        issuer(br#"{"iss":"https://a","x":1}"#).as_deref(),
        Some("https://a")
    );
    for payload in [
        &br#"{"iss":"https://a","iss":"https://b"}"#[..],
        br#"{"iss":["https://a"]}"#,
        br#"{"iss":null}"#,
        br#"["iss"]"#,
        b"{}",
        b"\xff",
        b"no JSON",
    ] {
        assert_eq!(issuer(payload), None);
    }
}

#[test]
fn nothing_prints_a_token() {
    let header = json!({"alg": "ES256", "kid": "canary-kid", "typ": "canary"}).to_string();
    let token = format!(
        "{}.{}.AA",
        base64url::encode(header),
        base64url::encode("canary")
    );
    let jws = CompactJws::parse(&token).unwrap();
    let shown = format!("{jws:?} {:?}", jws.header());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains("Y2FuYXJ5"), "{shown}");
}

#[test]
fn the_fuzz_corpus_is_read_with_every_byte_changed() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
    for (folder, target) in [
        ("compact", fuzz::compact as fn(&[u8])),
        ("jwks", fuzz::jwks as fn(&[u8])),
    ] {
        for entry in std::fs::read_dir(format!("{corpus}/{folder}")).unwrap() {
            let data = std::fs::read(entry.unwrap().path()).unwrap();
            for at in 0..data.len() {
                target(&data[..at]);
                let mut changed = data.clone();
                changed[at] = changed[at].wrapping_add(1);
                target(&changed);
                changed.remove(at);
                target(&changed);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_the_token_reader(
        any in ".{0,200}",
        shaped in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}",
        header in "\\{(\"(alg|typ|kid|crit|x)\":(\"ES256\"|null|1|\\[\\]|\\{\\}),?){0,4}\\}",
    ) {
        fuzz::compact(any.as_bytes());
        fuzz::compact(shaped.as_bytes());
        let token = format!("{}.{}.AA", base64url::encode(&header), base64url::encode(&any));
        fuzz::compact(token.as_bytes());
    }

    #[test]
    fn no_bytes_panic_the_key_set_reader(
        any: Vec<u8>,
        kty in "RSA|EC|OKP|oct|x",
        crv in "P-256|P-384|P-521|Ed25519|x",
        number: Vec<u8>,
    ) {
        fuzz::jwks(&any);
        let number = base64url::encode(number);
        let key = json!({"kty": kty, "crv": crv, "n": number, "e": number, "x": number, "y": number});
        fuzz::jwks(json!({"keys": [key]}).to_string().as_bytes());
    }
}
