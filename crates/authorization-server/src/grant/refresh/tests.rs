use portcullis_oauth::{ResourceUrl, ScopeSet, SeededEntropy};

use proptest::prelude::*;

use super::*;

const GRACE: Duration = Duration::from_secs(60);

fn keys() -> Keys {
    Keys {
        tag: SecretBytes::new([1; 32]),
        digest: SecretBytes::new([2; 32]),
    }
}

fn token(generation: u32, seed: u64) -> OfferedToken {
    let entropy = SeededEntropy::new(seed);
    OfferedToken::generate(&keys(), GrantId([5; 16]), generation, &entropy).unwrap()
}

fn grant(refresh: Option<Refreshing>) -> GrantRecord {
    let at = Timestamp::from_secs;
    GrantRecord {
        id: GrantId([5; 16]),
        client: ClientId::parse("a").unwrap(),
        is_configured: false,
        is_proxied: false,
        is_minted: false,
        owner: None,
        scope: ScopeSet::new(),
        resource: ResourceUrl::parse("https://mcp.example/mcp").unwrap(),
        reach: None,
        granted_at: at(0),
        last_used: at(0),
        ends_at: at(9000),
        expires_at: at(9000),
        refresh,
    }
}

/// The third token is good, the second was replaced at 1000.
fn third() -> (GrantRecord, [OfferedToken; 3]) {
    let tokens = [token(1, 1), token(2, 2), token(3, 3)];
    let refresh = Refreshing {
        generation: 3,
        current: tokens[2].digest,
        idle_until: Timestamp::from_secs(5000),
        previous: Some(Previous {
            digest: tokens[1].digest,
            replaced_at: Timestamp::from_secs(1000),
        }),
    };
    (grant(Some(refresh)), tokens)
}

fn verdict(grant: &GrantRecord, offered: &OfferedToken, client: &str, now: i64) -> Verdict {
    let client = ClientId::parse(client).unwrap();
    decide(grant, offered, &client, Timestamp::from_secs(now), GRACE)
}

#[test]
fn a_token_is_read_as_it_was_made() {
    let made = token(7, 1);
    let text = made.to_token();
    assert_eq!(text.expose().len(), 70);
    let read = OfferedToken::parse(&keys(), text.expose()).unwrap();
    assert_eq!((read.grant, read.generation), (made.grant, 7));
    assert!(read.digest.matches(&made.digest));
    assert_eq!(format!("{:?}", read.bytes), "[redacted]");
}

#[test]
fn sec_rt_06_a_forged_token_ends_no_grant() {
    let text = token(1, 1).to_token();
    let bytes = base64url::decode_strict(text.expose()).unwrap();
    for at in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        let forged = base64url::encode(forged);
        assert!(OfferedToken::parse(&keys(), &forged).is_none(), "{at}");
    }
    let other = Keys {
        tag: SecretBytes::new([3; 32]),
        ..keys()
    };
    assert!(OfferedToken::parse(&other, text.expose()).is_none());
    for cut in 0..bytes.len() {
        let cut = base64url::encode(&bytes[..cut]);
        assert!(OfferedToken::parse(&keys(), &cut).is_none());
    }
    let longer = base64url::encode([&bytes[..], &[0]].concat());
    assert!(OfferedToken::parse(&keys(), &longer).is_none());
}

#[test]
fn every_offer_has_one_verdict() {
    let (grant, [first, second, current]) = third();
    let stray = token(4, 9);
    for (offered, now, expected) in [
        (&current, 1000, Verdict::Current),
        (&current, 4999, Verdict::Current),
        (&current, 5000, Verdict::Refused("expired_token")),
        (&second, 1000, Verdict::Retry),
        (&second, 1059, Verdict::Retry),
        (&second, 1060, Verdict::Reused),
        (&first, 1000, Verdict::Reused),
        // From a later time than the store's, as after a backup was played back.
        (&stray, 1000, Verdict::Reused),
    ] {
        assert_eq!(verdict(&grant, offered, "a", now), expected, "{now}");
        let foreign = verdict(&grant, offered, "b", now);
        assert_eq!(foreign, Verdict::Refused("foreign_token"));
    }
}

#[test]
fn sec_rt_04_a_clock_set_back_opens_no_window_anew() {
    let (grant, [_, second, _]) = third();
    for (now, expected) in [
        (1000 - 7200, Verdict::Reused),
        (939, Verdict::Reused),
        // Two processes whose clocks differ.
        (940, Verdict::Retry),
        (999, Verdict::Retry),
    ] {
        assert_eq!(verdict(&grant, &second, "a", now), expected, "{now}");
    }
}

#[test]
fn sec_rt_10_idle_and_absolute_ends_hold() {
    let (mut grant, [.., current]) = third();
    let expired = Verdict::Refused("expired_token");
    assert_eq!(verdict(&grant, &current, "a", 4999), Verdict::Current);
    assert_eq!(verdict(&grant, &current, "a", 5000), expired, "idle");
    grant.ends_at = Timestamp::from_secs(4000);
    assert_eq!(verdict(&grant, &current, "a", 3999), Verdict::Current);
    assert_eq!(verdict(&grant, &current, "a", 4000), expired);
    let refresh = grant.refresh.unwrap();
    let next = replaced(
        &refresh,
        &token(4, 4),
        Timestamp::from_secs(3000),
        Timestamp::from_secs(7000),
    );
    assert_eq!(next.idle_until, Timestamp::from_secs(7000));
    assert_eq!(grant.ends_at, Timestamp::from_secs(4000));
}

#[test]
fn a_grant_without_refresh_tokens_takes_none() {
    let verdict = verdict(&grant(None), &token(1, 1), "a", 0);
    assert_eq!(verdict, Verdict::Refused("no_refresh"));
}

#[test]
fn sec_st_06_an_answer_opens_for_its_token_alone() {
    let answer = Answer {
        access_token: "the access token".to_owned(),
        expires_at: Timestamp::from_secs(60),
        refresh_token: "the next".to_owned(),
        scope: "read".to_owned(),
    };
    let (token, other) = (token(1, 1), token(1, 2));
    let sealed = token.seal(&answer, &SeededEntropy::new(3)).unwrap();
    let bytes = base64url::decode_strict(&sealed).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"access"));
    let opened = token.open(&sealed).unwrap();
    assert_eq!(opened.access_token, answer.access_token);
    assert_eq!(opened.expires_at, answer.expires_at);
    assert!(other.open(&sealed).is_none());
    for bad in ["", "AA", sealed.get(1..).unwrap()] {
        assert!(token.open(bad).is_none());
    }
}

/// One of several who have the same token and offer it at once: it reads, decides, and changes what it
/// read if nobody else did.
#[derive(Clone)]
enum Tab {
    Waiting,
    Read(Box<GrantRecord>, u32),
    Done(Verdict, u32),
}

proptest! {
    /// RT-05: in whatever order the steps of many follow each other, within a minute: one replaces the
    /// token, the others are given what it got, and nobody is logged out.
    #[test]
    fn sec_rt_05_whoever_offers_the_same_token_at_once_stays_logged_in(
        steps in prop::collection::vec((0_usize..6, 0_i64..10), 1..200),
    ) {
        let first = token(0, 1);
        let client = ClientId::parse("a").unwrap();
        let mut stored = grant(Some(Refreshing {
            generation: 0,
            current: first.digest,
            idle_until: Timestamp::from_secs(5000),
            previous: None,
        }));
        let mut version = 0;
        let mut tabs = vec![Tab::Waiting; 6];
        let mut now = 1000;
        // At last each one comes to its end.
        let all = steps.into_iter().chain((0..6).cycle().take(24).map(|tab| (tab, 0)));
        for (tab, seconds) in all {
            now = (now + seconds).min(1059);
            let at = Timestamp::from_secs(now);
            let next = match tabs[tab].clone() {
                Tab::Waiting => Tab::Read(Box::new(stored.clone()), version),
                Tab::Read(read, seen) => match decide(&read, &first, &client, at, GRACE) {
                    Verdict::Current if seen != version => Tab::Waiting,
                    Verdict::Current => {
                        let refresh = read.refresh.as_ref().unwrap();
                        let next = token(refresh.generation + 1, 100);
                        let idle = Timestamp::from_secs(6000);
                        stored.refresh = Some(replaced(refresh, &next, at, idle));
                        version += 1;
                        Tab::Done(Verdict::Current, next.generation)
                    }
                    verdict => Tab::Done(verdict, stored.refresh.as_ref().unwrap().generation),
                },
                done @ Tab::Done(..) => done,
            };
            tabs[tab] = next;
        }
        let mut replacements = 0;
        for tab in tabs {
            let Tab::Done(verdict, generation) = tab else {
                panic!("a tab waits for ever");
            };
            prop_assert!(matches!(verdict, Verdict::Current | Verdict::Retry), "{verdict:?}");
            prop_assert_eq!(generation, 1);
            replacements += usize::from(verdict == Verdict::Current);
        }
        prop_assert_eq!(replacements, 1);
    }
}
