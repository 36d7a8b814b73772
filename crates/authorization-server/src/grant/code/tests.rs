use portcullis_oauth::{ResourceUrl, ScopeSet, Subject};

use super::super::record::{Owner, Used};
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1000);

fn verifier() -> CodeVerifier {
    CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap()
}

fn keys() -> Keys {
    Keys {
        secret: SecretBytes::new([6; 32]),
        digest: SecretBytes::new([7; 32]),
    }
}

fn client(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn issued(digest: Digest) -> Issued {
    Issued {
        digest,
        until: Timestamp::from_secs(1300),
        wrong: 0,
        client: client("a"),
        redirect_uri: "http://127.0.0.1:1234/cb".to_owned(),
        code_challenge: verifier().challenge(),
        scope: ScopeSet::new(),
        resource: ResourceUrl::parse("https://mcp.example/mcp").unwrap(),
        owner: Owner {
            subject: Subject::parse("alice").unwrap(),
            generation: 0,
            authenticated_at: NOW,
        },
        refresh: true,
        login: None,
    }
}

/// A state and the code that belongs to it.
fn fresh() -> (CodeState, OfferedCode) {
    let (code, digest) = of_approval(&keys(), [9; 16], &[1; 32]);
    let offered = OfferedCode::parse(&keys(), &code).unwrap();
    (CodeState::Issued(Box::new(issued(digest))), offered)
}

fn word(state: &CodeState, proof: &Proof<'_>, now: Timestamp) -> &'static str {
    match decide(state, proof, now) {
        Verdict::Live(_) => "live",
        Verdict::Unknown(why) | Verdict::Refused(why) => why,
        Verdict::WrongProof { .. } => "wrong_proof",
        Verdict::Replayed(_) => "replayed",
    }
}

#[test]
fn a_code_is_read_as_it_was_made() {
    let (code, digest) = of_approval(&keys(), [9; 16], &[1; 32]);
    assert_eq!(code.expose().len(), 64);
    let offered = OfferedCode::parse(&keys(), &code).unwrap();
    assert_eq!(offered.interaction, [9; 16]);
    assert!(offered.digest.matches(&digest));
    let text = code.expose();
    for bad in [
        "",
        text.get(1..).unwrap(),
        &format!("{text}A"),
        &format!("{text}="),
        "!".repeat(64).as_str(),
    ] {
        assert!(OfferedCode::parse(&keys(), &AuthorizationCode::new(bad)).is_none());
    }
}

#[test]
fn sec_cd_09_nobody_makes_a_code_of_what_was_approved() {
    let with = |secret, interaction, approval| {
        let keys = Keys {
            secret: SecretBytes::new([secret; 32]),
            ..keys()
        };
        let (code, _) = of_approval(&keys, [interaction; 16], &[approval; 32]);
        base64url::decode_strict(code.expose()).unwrap()
    };
    let one = with(6, 9, 1);
    assert_eq!(with(6, 9, 1), one, "the same approval");
    let others = [with(5, 9, 1), with(6, 8, 1), with(6, 9, 2)];
    for (other, what) in others.iter().zip(["key", "interaction", "approval"]) {
        // 256 bits: no 32 of them are ever the same.
        let pairs = one[ID..].chunks(4).zip(other[ID..].chunks(4));
        assert!(pairs.into_iter().all(|(one, other)| one != other), "{what}");
    }
    assert!(one[ID..].chunks(4).all(|some| some != [0; 4]));
}

/// Every combination of what can be right or wrong about an offer.
#[test]
fn every_offer_has_one_verdict() {
    let (state, offered) = fresh();
    let (_, other) = of_approval(&keys(), [9; 16], &[2; 32]);
    let wrong = CodeVerifier::parse(&"a".repeat(43)).unwrap();
    let right = verifier();
    let uris = [
        (None, true),
        (Some("http://127.0.0.1:1234/cb"), true),
        (Some("http://127.0.0.1:4321/cb"), false),
        (Some("http://127.0.0.1:1234/cb/"), false),
    ];
    for (digest, is_digest) in [(&offered.digest, true), (&other, false)] {
        for (id, is_client) in [("a", true), ("b", false)] {
            for (redirect_uri, is_uri) in uris {
                for (verifier, is_verifier) in [(&right, true), (&wrong, false)] {
                    for (now, is_time) in [(NOW, true), (Timestamp::from_secs(1300), false)] {
                        let client = client(id);
                        let proof = Proof {
                            digest,
                            client: &client,
                            redirect_uri,
                            verifier,
                        };
                        let expected = match (is_digest, is_client, is_time, is_uri, is_verifier) {
                            (false, ..) => "unknown_code",
                            (_, false, ..) => "foreign_code",
                            (_, _, false, ..) => "expired_code",
                            (_, _, _, false, _) => "other_redirect_uri",
                            (.., false) => "wrong_proof",
                            _ => "live",
                        };
                        assert_eq!(word(&state, &proof, now), expected);
                    }
                }
            }
        }
    }
}

#[test]
fn sec_pk_05_a_wrong_verifier_is_refused_and_the_fifth_burns_the_code() {
    let (mut state, offered) = fresh();
    let wrong = CodeVerifier::parse(&"a".repeat(43)).unwrap();
    let (client, right) = (client("a"), verifier());
    let proof = |verifier| Proof {
        digest: &offered.digest,
        client: &client,
        redirect_uri: None,
        verifier,
    };
    for _ in 0..5 {
        assert_eq!(word(&state, &proof(&right), NOW), "live");
        let Verdict::WrongProof { next } = decide(&state, &proof(&wrong), NOW) else {
            panic!("a wrong verifier");
        };
        state = next;
    }
    assert_eq!(word(&state, &proof(&right), NOW), "no_code");
}

#[test]
fn sec_cd_01_a_code_lives_five_minutes() {
    let (state, offered) = fresh();
    let (client, verifier) = (client("a"), verifier());
    let proof = Proof {
        digest: &offered.digest,
        client: &client,
        redirect_uri: None,
        verifier: &verifier,
    };
    assert_eq!(word(&state, &proof, Timestamp::from_secs(1299)), "live");
    assert_eq!(
        word(&state, &proof, Timestamp::from_secs(1300)),
        "expired_code"
    );
}

#[test]
fn sec_cd_03_a_forged_replay_ends_no_grant() {
    let (_, offered) = fresh();
    let (_, other) = of_approval(&keys(), [9; 16], &[2; 32]);
    let used = CodeState::Used(Used {
        digest: offered.digest,
        client: client("a"),
        grant: GrantId([1; 16]),
    });
    let verifier = CodeVerifier::parse(&"a".repeat(43)).unwrap();
    for (digest, id, expected) in [
        (&offered.digest, "a", "replayed"),
        (&offered.digest, "b", "foreign_code"),
        (&other, "a", "unknown_code"),
    ] {
        let client = client(id);
        let proof = Proof {
            digest,
            client: &client,
            redirect_uri: Some("http://evil.example/"),
            verifier: &verifier,
        };
        assert_eq!(word(&used, &proof, NOW), expected);
    }
}

#[test]
fn what_was_denied_or_burned_is_no_code() {
    let (_, offered) = fresh();
    let (client, verifier) = (client("a"), verifier());
    let proof = Proof {
        digest: &offered.digest,
        client: &client,
        redirect_uri: None,
        verifier: &verifier,
    };
    for state in [CodeState::Denied, CodeState::Burned] {
        assert_eq!(word(&state, &proof, NOW), "no_code");
    }
}
