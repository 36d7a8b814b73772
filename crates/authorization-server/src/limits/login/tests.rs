use proptest::prelude::*;

use super::super::tests::{from, limits, somebody};
use super::*;
use crate::limits::Limits;

fn guard() -> (Limits, std::sync::Arc<portcullis_oauth::MockClock>) {
    limits(RateLimits::default())
}

fn wrong(limits: &Limits, account: &str, from: Option<ClientAddress>) -> bool {
    let permit = limits.guard().check(account, from, None);
    permit.map(Permit::failed).is_ok()
}

fn right(limits: &Limits, account: &str, from: Option<ClientAddress>) -> DeviceCookie {
    let permit = limits.guard().check(account, from, None).unwrap();
    permit.succeeded().unwrap()
}

#[test]
fn sec_op_14_guessing_is_slow() {
    let (limits, clock) = guard();
    let guess = || {
        (0..100)
            .take_while(|_| wrong(&limits, "alice", somebody(1)))
            .count()
    };
    assert_eq!(guess(), 5);
    clock.advance(15 * MINUTE);
    assert_eq!(guess(), 5);
    let mut day = 10;
    for _ in 0..96 {
        clock.advance(15 * MINUTE);
        day += guess();
    }
    assert!((20..=42).contains(&day), "{day}");
    assert!(wrong(&limits, "bob", somebody(1)), "another account");
}

#[test]
fn sec_op_14_many_attempts_at_once_are_no_more_than_one_by_one() {
    let (limits, _) = guard();
    let at_once: Vec<_> = (0..50)
        .filter_map(|_| limits.guard().check("alice", somebody(1), None).ok())
        .collect();
    assert_eq!(at_once.len(), 5);
    at_once.into_iter().for_each(Permit::undecided);
    assert!(wrong(&limits, "alice", somebody(1)), "none of them counted");
}

#[test]
fn sec_op_14_spellings_of_a_name_count_together() {
    let (limits, _) = guard();
    let spellings = ["alice", "ALICE", " alice", "\u{1d400}lice", "\u{ff41}lice"];
    for spelling in spellings {
        assert!(wrong(&limits, spelling, somebody(1)), "{spelling:?}");
    }
    for spelling in spellings {
        assert!(!wrong(&limits, spelling, somebody(1)), "{spelling:?}");
    }
}

#[test]
fn sec_ds_08_a_name_without_end_is_no_work() {
    let (limits, _) = guard();
    let long = "\u{fdfa}".repeat(10_000);
    for end in 0..5 {
        assert!(wrong(&limits, &format!("{long}{end}"), somebody(1)));
    }
    assert!(
        !wrong(&limits, &format!("{long}6"), somebody(1)),
        "one name"
    );
    assert!(folded(&long).len() < 20_000);
}

#[test]
fn sec_op_14_one_password_on_many_accounts_is_slow() {
    let (limits, _) = guard();
    let names = (0..1000).take_while(|n| wrong(&limits, &format!("user{n}"), somebody(1)));
    assert_eq!(names.count(), 40);
    assert!(wrong(&limits, "user999", somebody(2)), "another address");
}

#[test]
fn sec_op_14_an_attacked_account_stays_open_to_its_owner() {
    let (limits, _) = guard();
    let device = right(&limits, "alice", somebody(500));
    for attacker in 0..15 {
        let guess = |_: &i32| wrong(&limits, "alice", somebody(attacker));
        assert_eq!((0..100).take_while(guess).count(), 5);
    }
    assert!(
        wrong(&limits, "alice", somebody(501)),
        "a new device of hers"
    );
    for attacker in 15..5000 {
        let _ = wrong(&limits, "alice", somebody(attacker));
    }
    assert!(!wrong(&limits, "alice", somebody(501)), "one of too many");
    let known = limits
        .guard()
        .check("Alice", somebody(501), Some(device.expose()));
    assert!(known.is_ok(), "a device that was here before");
}

#[test]
fn a_device_that_guesses_is_slow_too() {
    let (limits, _) = guard();
    let device = right(&limits, "alice", somebody(1));
    let guess = || {
        let permit = limits
            .guard()
            .check("alice", somebody(1), Some(device.expose()));
        permit.map(Permit::failed).is_ok()
    };
    // Its own ten, and then as one who is not known.
    assert_eq!((0..100).take_while(|_| guess()).count(), 15);
}

#[test]
fn sec_op_14_no_device_keeps_another_out() {
    let (limits, _) = guard();
    let [lost, kept] = [1, 2].map(|at| right(&limits, "alice", somebody(at)));
    let check = |device: &DeviceCookie| {
        let guard = limits.guard();
        guard.check("alice", somebody(1), Some(device.expose()))
    };
    // Whoever found one of hers guesses, and uses up what its address may.
    for _ in 0..100 {
        let _ = check(&lost).map(Permit::failed);
    }
    assert!(check(&lost).is_err());
    assert!(check(&kept).is_ok());
}

#[test]
fn sec_op_14_a_device_cookie_is_for_one_account() {
    let (limits, clock) = guard();
    let cookie = right(&limits, "alice", somebody(1));
    let name = |cookie: &str, account: &str| {
        let guard = limits.guard();
        guard
            .devices
            .name(cookie, account, guard.counts.clock.now())
    };
    let text = cookie.expose();
    assert!(name(text, "alice").is_some());
    assert_eq!(name(text, "bob"), None);
    for at in 0..text.len() {
        let mut other = text.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(name(&other, "alice"), None, "changed at {at}");
        assert_eq!(name(text.get(..at).unwrap(), "alice"), None, "cut at {at}");
    }
    assert_eq!(name(&"A".repeat(100_000), "alice"), None);
    clock.advance(DeviceCookie::LIFETIME);
    assert_eq!(name(text, "alice"), None, "too old");
    assert!(!format!("{cookie:?}").contains(text));
}

#[test]
fn a_login_gives_back_what_it_took() {
    let (limits, _) = guard();
    for _ in 0..1000 {
        let _ = right(&limits, "alice", somebody(1));
    }
}

#[test]
fn whoever_comes_through_an_unknown_proxy_is_not_one_person() {
    let (limits, _) = guard();
    let names = (0..1000).filter(|n| wrong(&limits, &format!("user{n}"), from("127.0.0.1")));
    assert_eq!(names.count(), 1000);
    let guesses = (0..1000).take_while(|_| wrong(&limits, "alice", from("127.0.0.1")));
    assert_eq!(guesses.count(), 100, "the account is guarded all the same");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever strangers do, and whenever: the owner gets in with the device that was here before.
    #[test]
    fn sec_op_14_no_flood_keeps_a_known_device_out(
        floods in proptest::collection::vec(
            (0_u32..100_000, 1_u32..200, 0_usize..3, 0_u64..60),
            1..20,
        ),
    ) {
        let (limits, clock) = guard();
        let home = somebody(200_000);
        let device = right(&limits, "alice", home);
        let cookies = [None, Some("AAAA"), Some(device.expose())];
        // From the start there is more than the account's bucket has room for.
        for (first, addresses, cookie, wait) in [(0, 200, 0, 0)].into_iter().chain(floods) {
            // Only she has the right cookie; to strangers it is one of another account.
            let account = if cookie == 2 { "bob" } else { "alice" };
            for stranger in first..first + addresses {
                let permit = limits.guard().check(account, somebody(stranger), cookies[cookie]);
                let _ = permit.map(Permit::failed);
            }
            let owner = limits.guard().check("alice", home, Some(device.expose()));
            prop_assert!(owner.is_ok());
            let _ = owner.unwrap().succeeded();
            clock.advance(Duration::from_secs(wait));
        }
    }

    /// Fewer addresses than the account's bucket has room for: the owner gets in from his own.
    #[test]
    fn sec_op_14_few_addresses_keep_nobody_out(
        strangers in proptest::collection::vec(0_u32..15, 1..600),
    ) {
        let (limits, _) = guard();
        for address in strangers {
            let _ = wrong(&limits, "alice", somebody(address));
        }
        prop_assert!(limits.guard().check("alice", somebody(77), None).is_ok());
    }
}
