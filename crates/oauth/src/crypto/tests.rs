use std::num::NonZeroU32;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use proptest::prelude::*;

use super::*;
use crate::secret::SecretBytes;

fn unhex(text: &str) -> Vec<u8> {
    hex::decode_strict(text).unwrap()
}

#[test]
fn sha_2_matches_rfc_6234() {
    assert_eq!(
        hex::encode(sha256(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex::encode(sha256(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
        )),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
    let mut million = Sha256::new();
    for _ in 0..1000 {
        million.update(&[b'a'; 1000]);
    }
    assert_eq!(
        hex::encode(million.finish()),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
    assert_eq!(
        hex::encode(sha384(b"abc")),
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
         8086072ba1e7cc2358baeca134c825a7"
    );
    assert_eq!(
        hex::encode(sha512(b"abc")),
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    );
}

#[test]
fn hmac_matches_rfc_4231() {
    for (key, message, tag) in [
        (
            vec![0x0b; 20],
            b"Hi There".to_vec(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            vec![0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        assert_eq!(hex::encode(hmac_sha256(&key, &message)), tag);
        let mut tag = unhex(tag);
        assert!(hmac_sha256_verify(&key, &message, &tag));
        assert!(!hmac_sha256_verify(&key, &message, &tag[..31]));
        assert!(!hmac_sha256_verify(&key, &message, b""));
        tag[31] ^= 1;
        assert!(!hmac_sha256_verify(&key, &message, &tag));
    }
}

#[test]
fn hkdf_matches_rfc_5869() {
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<_>>();
    for (secret, salt, info, expected) in [
        (
            vec![0x0b; 22],
            range(0x00, 0x0c),
            range(0xf0, 0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            range(0x00, 0x4f),
            range(0x60, 0xaf),
            range(0xb0, 0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ] {
        let mut out = vec![0; expected.len() / 2];
        hkdf_sha256(&secret, &salt, &info, &mut out).unwrap();
        assert_eq!(hex::encode(out), expected);
    }
    let mut longest = vec![0; 255 * 32];
    assert!(hkdf_sha256(b"s", b"", b"", &mut longest).is_ok());
    longest.push(0);
    assert_eq!(hkdf_sha256(b"s", b"", b"", &mut longest), Err(KdfError));
}

/// Vectors of npm fastmcp 4.20.16 (`JWTIssuer.deriveKey`), salt `fastmcp-oauth-proxy`.
#[test]
fn pbkdf2_matches_the_original() {
    for (secret, iterations, expected) in [
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
            "pässwörd",
            1000,
            "caR44qz97+dR/0IVJqv2gsCmA4hMGKOKVEOre/XsgsM=",
        ),
        ("", 1, "CGEGJeYt3Es6XO6w8uiDn+SCCoVzEprzwz0r9NkUC10="),
    ] {
        let mut out = [0; 32];
        let iterations = NonZeroU32::new(iterations).unwrap();
        pbkdf2_hmac_sha256(
            secret.as_bytes(),
            b"fastmcp-oauth-proxy",
            iterations,
            &mut out,
        )
        .unwrap();
        assert_eq!(base64::encode(out), expected);
    }
    let once = NonZeroU32::MIN;
    let mut long = vec![0; 255 * 32 + 1];
    assert_eq!(
        pbkdf2_hmac_sha256(b"s", b"", once, &mut long),
        Err(KdfError)
    );
}

/// Cases 13, 14 and 16 of the GCM specification by `McGrew` and Viega.
#[test]
fn aes_256_gcm_matches_its_specification() {
    let key = "feffe9928665731c6d6a8f9467308308";
    for (key, nonce, plain, associated, sealed) in [
        (
            "0".repeat(64),
            "0".repeat(24),
            String::new(),
            "",
            "530f8afbc74536b9a963b4f1c4cb738b",
        ),
        (
            "0".repeat(64),
            "0".repeat(24),
            "0".repeat(32),
            "",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            key.repeat(2),
            "cafebabefacedbaddecaf888".to_owned(),
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
                .to_owned(),
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
             76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ] {
        let key = unhex(&key).try_into().unwrap();
        let nonce = unhex(&nonce).try_into().unwrap();
        let (plain, associated) = (unhex(&plain), unhex(associated));
        let text = aead::seal(&key, &nonce, &associated, &plain).unwrap();
        assert_eq!(hex::encode(&text), sealed);
        assert_eq!(aead::open(&key, &nonce, &associated, &text).unwrap(), plain);
        for at in 0..text.len() {
            let mut bad = text.clone();
            bad[at] ^= 1;
            assert!(aead::open(&key, &nonce, &associated, &bad).is_err());
        }
        assert!(aead::open(&key, &nonce, &associated, &text[..15]).is_err());
    }
}

#[test]
fn base64_has_one_form_for_each_text() {
    // RFC 4648 section 10.
    for (plain, standard, url) in [
        ("", "", ""),
        ("f", "Zg==", "Zg"),
        ("fo", "Zm8=", "Zm8"),
        ("foo", "Zm9v", "Zm9v"),
        ("foob", "Zm9vYg==", "Zm9vYg"),
        ("fooba", "Zm9vYmE=", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy", "Zm9vYmFy"),
    ] {
        assert_eq!(base64::encode(plain), standard);
        assert_eq!(base64url::encode(plain), url);
        assert_eq!(base64::decode_strict(standard).unwrap(), plain.as_bytes());
        assert_eq!(base64url::decode_strict(url).unwrap(), plain.as_bytes());
    }
    assert_eq!(base64url::encode([0xfb, 0xff]), "-_8");
    assert_eq!(base64::encode([0xfb, 0xff]), "+/8=");
    for bad in [
        "Zh", "Zg==", "Zg=", "Z", "Zm 9v", "Zm9v\n", "+/8", "Zm9vYh", "é", "Zg.",
    ] {
        assert!(base64url::decode_strict(bad).is_err(), "{bad:?}");
    }
    for bad in ["Zg", "Zh==", "Zg=", "Zg===", "-_8=", "Zm9v\n", " Zm9v"] {
        assert!(base64::decode_strict(bad).is_err(), "{bad:?}");
    }
    for bad in ["0", "0G", "AB", "0x", " 0"] {
        assert!(hex::decode_strict(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn encodings_are_bijective(text in "[A-Za-z0-9_=+/-]{0,12}", bytes: Vec<u8>) {
        if let Ok(decoded) = base64url::decode_strict(&text) {
            prop_assert_eq!(base64url::encode(decoded), text.as_str());
        }
        if let Ok(decoded) = base64::decode_strict(&text) {
            prop_assert_eq!(base64::encode(decoded), text.as_str());
        }
        prop_assert_eq!(base64url::decode_strict(base64url::encode(&bytes)).unwrap(), bytes.as_slice());
        prop_assert_eq!(hex::decode_strict(hex::encode(&bytes)).unwrap(), bytes.as_slice());
    }

    #[test]
    fn no_text_panics_the_reader_of_keys(text in ".{0,80}", der: Vec<u8>) {
        let _ = VerifyingKey::from_pem(&text);
        let body = base64::encode(&der);
        for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY"] {
            let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            prop_assert!(VerifyingKey::from_pem(&pem).is_err());
        }
    }
}

/// Vectors of Python fastmcp 4.1.2, which derives its keys so.
#[test]
fn keys_match_those_of_the_python_original() {
    let salt = b"fastmcp-jwt-signing-key";
    let mut key = [0; 32];
    hkdf_sha256(b"upstream-client-secret", salt, b"Fernet", &mut key).unwrap();
    assert_eq!(
        base64url::encode(key),
        "mDusPzt0pgHJnNoduqor68Llleimv_qHiRQVGK1SM5c"
    );
    let iterations = NonZeroU32::new(1_000_000).unwrap();
    pbkdf2_hmac_sha256(b"my-signing-passphrase", salt, iterations, &mut key).unwrap();
    assert_eq!(
        base64url::encode(key),
        "kkvoLbVpse7WUa5Kmv-_wSFYIL1ECFsHcRnayab0zaM"
    );
}

#[test]
fn comparison_is_by_value() {
    assert!(ct_eq(b"abc", b"abc"));
    assert!(!ct_eq(b"abc", b"abd"));
    assert!(!ct_eq(b"abc", b"ab"));
}

fn rsa_pem(bits: usize, exponent: &[u8]) -> String {
    let mut modulus = vec![0xff; bits / 8];
    if let Some(top) = modulus.first_mut() {
        *top = 0x80;
    }
    let der: PublicKeyX509Der<'_> = RsaPublicKeyComponents {
        n: modulus.as_slice(),
        e: exponent,
    }
    .as_der()
    .unwrap();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::encode(der.as_ref())
    )
}

#[test]
fn short_rsa_keys_are_refused() {
    for bits in [512, 1024, 2040] {
        assert_eq!(
            VerifyingKey::from_pem(&rsa_pem(bits, &[1, 0, 1])).unwrap_err(),
            KeyError::RsaSize { bits }
        );
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0x80;
        assert_eq!(
            VerifyingKey::rsa(&modulus, &[1, 0, 1]).unwrap_err(),
            KeyError::RsaSize { bits }
        );
    }
    assert_eq!(
        VerifyingKey::rsa(&vec![0xff; 1025], &[1, 0, 1]).unwrap_err(),
        KeyError::RsaSize { bits: 8200 }
    );
    assert!(VerifyingKey::from_pem(&rsa_pem(2048, &[1, 0, 1])).is_ok());
    assert!(VerifyingKey::rsa(&[0xff; 256], &[3]).is_ok());
    for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0xff; 16]] {
        assert!(
            VerifyingKey::rsa(&[0xff; 256], exponent).is_err(),
            "{exponent:?}"
        );
    }
    assert!(VerifyingKey::rsa(&[], &[3]).is_err());
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    assert!(VerifyingKey::rsa(&even, &[1, 0, 1]).is_err());
}

#[test]
fn points_must_be_on_their_curve() {
    for (kind, length) in [
        (KeyKind::P256, 32),
        (KeyKind::P384, 48),
        (KeyKind::P521, 66),
    ] {
        for byte in [0, 1, 0xff] {
            assert!(VerifyingKey::ec(kind, &vec![byte; length], &vec![byte; length]).is_err());
        }
    }
    // The point of RFC 7515 appendix A.3, then with one bit changed.
    let x = base64url::decode_strict("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
    let mut y = base64url::decode_strict("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
    assert!(VerifyingKey::ec(KeyKind::P256, &x, &y).is_ok());
    assert!(VerifyingKey::ec(KeyKind::P384, &x, &y).is_err());
    y[31] ^= 1;
    assert!(VerifyingKey::ec(KeyKind::P256, &x, &y).is_err());
}

#[test]
fn sec_jwt_02_public_key_text_is_no_shared_secret() {
    let pem = rsa_pem(2048, &[1, 0, 1]);
    let der = base64::decode_strict(pem.lines().nth(1).unwrap()).unwrap();
    let jwk = br#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#;
    for secret in [
        pem.as_bytes(),
        pem.trim().as_bytes(),
        &[b"\n", pem.as_bytes()].concat(),
        jwk,
        &der,
    ] {
        assert_eq!(
            VerifyingKey::hmac(SecretBytes::new(secret)).unwrap_err(),
            KeyError::PublicSecret
        );
    }
    assert_eq!(
        VerifyingKey::hmac(SecretBytes::new([7; 31])).unwrap_err(),
        KeyError::ShortSecret { bytes: 31 }
    );
    // Secrets that begin like one of these.
    for byte in [b'{', b'0', b'-'] {
        assert!(VerifyingKey::hmac(SecretBytes::new([byte; 32])).is_ok());
        assert!(VerifyingKey::hmac(SecretBytes::new([byte; 64])).is_ok());
    }
}

#[test]
fn a_private_key_is_not_taken_for_a_public_one() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_eq!(VerifyingKey::from_pem(pem).unwrap_err(), KeyError::Private);
    for unreadable in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ] {
        assert_eq!(
            VerifyingKey::from_pem(unreadable).unwrap_err(),
            KeyError::Unreadable,
            "{unreadable}"
        );
    }
    // The bare bytes of a key are not its PEM, even where the library would take them.
    for byte in [9, 0x30] {
        let body = base64::encode([byte; 32]);
        let bare = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        let error = VerifyingKey::from_pem(&bare).unwrap_err();
        assert_eq!(error, KeyError::Unreadable);
    }
}

#[test]
fn sec_op_01_keys_do_not_print() {
    let secret =
        VerifyingKey::hmac(SecretBytes::new(*b"canary-4f1c-canary-4f1c-canary-4f1c")).unwrap();
    assert_eq!(format!("{secret:?}"), "VerifyingKey(Hmac)");
    let mut digest = Sha256::new();
    digest.update(b"canary");
    assert!(!format!("{digest:?}").contains("canary"));
}

#[cfg(feature = "sign")]
mod sign {
    use super::*;
    use crate::crypto::sign::{SignError, SigningKey};
    use crate::jose::Algorithm;

    fn one_of_each() -> Vec<SigningKey> {
        vec![
            SigningKey::generate_rsa2048().unwrap(),
            SigningKey::generate_es256().unwrap(),
            SigningKey::generate_es384().unwrap(),
            SigningKey::generate_es512().unwrap(),
            SigningKey::generate_ed25519().unwrap(),
            SigningKey::hmac(SecretBytes::new([7; 64])).unwrap(),
        ]
    }

    /// Also shows that every algorithm signs and verifies with a key of its kind.
    #[test]
    fn sec_jwt_03_a_key_answers_only_for_its_own_algorithms() {
        let mut round_trips = 0;
        for key in one_of_each() {
            let public = key.verifying_key().unwrap();
            assert_eq!(public.kind(), key.kind());
            for algorithm in Algorithm::ALL {
                let signed = key.sign(algorithm, b"message");
                if !algorithm.fits(key.kind()) {
                    assert!(matches!(signed, Err(SignError::WrongAlgorithm { .. })));
                    assert!(!public.supports(algorithm));
                    continue;
                }
                let signature = signed.unwrap();
                for other in Algorithm::ALL {
                    let expected = other == algorithm;
                    assert_eq!(public.verify(other, b"message", &signature), expected);
                }
                assert!(!public.verify(algorithm, b"massage", &signature));
                assert!(!public.verify(algorithm, b"message", &[]));
                let mut longer = signature.clone();
                longer.push(0);
                assert!(!public.verify(algorithm, b"message", &longer));
                round_trips += 1;
            }
        }
        assert_eq!(round_trips, Algorithm::ALL.len());
    }

    #[test]
    fn a_secret_is_as_long_as_the_digest() {
        let secret = SecretBytes::new([7; 47]);
        let (key, public) = (
            SigningKey::hmac(secret.clone()).unwrap(),
            VerifyingKey::hmac(secret).unwrap(),
        );
        assert!(key.sign(Algorithm::Hs256, b"m").is_ok());
        assert!(key.sign(Algorithm::Hs384, b"m").is_err());
        assert!(public.supports(Algorithm::Hs256));
        assert!(!public.supports(Algorithm::Hs384));
        assert!(SigningKey::hmac(SecretBytes::new([7; 31])).is_err());
    }

    #[test]
    fn a_p256_key_is_that_of_rfc_6979() {
        let scalar = |text| <[u8; 32]>::try_from(unhex(text)).unwrap();
        // Appendix A.2.5.
        let key = SigningKey::p256_from_scalar(&scalar(
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
        ));
        let key = key.unwrap();
        let public = key.public_jwk(None).unwrap();
        let point = ["x", "y"].map(|of| base64url::decode_strict(public[of].as_str().unwrap()));
        let [x, y] = point.map(|bytes| hex::encode(bytes.unwrap()));
        assert_eq!(
            x,
            "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        );
        assert_eq!(
            y,
            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
        );
        let stored = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(stored.kind(), KeyKind::P256);
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        for bad in [&"00".repeat(32), order, &"ff".repeat(32)] {
            assert!(SigningKey::p256_from_scalar(&scalar(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_survive_storage() {
        for key in one_of_each() {
            let algorithm = key.default_algorithm();
            let Some(der) = key.to_pkcs8_der() else {
                assert_eq!(key.kind(), KeyKind::Hmac);
                continue;
            };
            let again = SigningKey::from_pkcs8_der(&der).unwrap();
            assert_eq!(again.public_pem(), key.public_pem());
            let pem = super::super::pem::encode("PRIVATE KEY", der.expose());
            let again = SigningKey::from_pkcs8_pem(&pem).unwrap();
            let signature = again.sign(algorithm, b"message").unwrap();
            let public = key.verifying_key().unwrap();
            assert!(public.verify(algorithm, b"message", &signature));
        }
        assert!(SigningKey::from_pkcs8_pem("nothing").is_err());
        assert!(SigningKey::from_pkcs8_der(&SecretBytes::new([0x30, 0])).is_err());
    }

    #[test]
    fn sec_op_01_signing_keys_do_not_print() {
        for key in one_of_each() {
            let shown = format!("{key:?}");
            assert_eq!(shown, format!("SigningKey({:?})", key.kind()));
        }
    }
}
