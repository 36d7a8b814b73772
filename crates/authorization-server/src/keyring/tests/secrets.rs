//! Keys out of secrets.

use super::*;
use crate::JwtIssuer;

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
