use portcullis_oauth::MockClock;

use super::*;
use crate::TokenParts;

fn who(subject: &str) -> SessionOwner {
    let parts = TokenParts::new("https://i.example", subject).client_id("c");
    SessionOwner::of(Some(&AccessToken::assert_verified(parts)))
}

fn sessions(clock: &Arc<MockClock>, total: usize, per_principal: usize) -> Sessions {
    let limits = SessionLimits {
        total,
        per_principal,
        ..SessionLimits::default()
    };
    Sessions::new(Arc::clone(clock) as SharedClock, limits)
}

#[test]
fn sec_rs_15_a_foreign_session_does_not_exist() {
    let sessions = sessions(&Arc::new(MockClock::at(0)), 10, 10);
    let (alice, bob) = (who("alice"), who("bob"));
    sessions.reserve(alice.clone()).unwrap().open("s");
    assert!(sessions.is_owned_by("s", &alice));
    assert!(!sessions.is_owned_by("s", &bob));
    assert!(!sessions.is_owned_by("s", &SessionOwner::Anonymous));
    assert!(!sessions.is_owned_by("t", &alice));
    sessions
        .reserve(SessionOwner::Anonymous)
        .unwrap()
        .open("open");
    assert!(
        !sessions.is_owned_by("open", &alice),
        "a token does not inherit it"
    );
    sessions.close("s");
    assert!(!sessions.is_owned_by("s", &alice));
}

#[test]
fn sec_rs_16_a_known_id_is_not_taken_over() {
    let sessions = sessions(&Arc::new(MockClock::at(0)), 10, 10);
    sessions.reserve(who("alice")).unwrap().open("s");
    sessions.reserve(who("bob")).unwrap().open("s");
    assert!(sessions.is_owned_by("s", &who("alice")));
    assert!(!sessions.is_owned_by("s", &who("bob")));
    assert_eq!(sessions.state().total, 1);
}

#[test]
fn an_idle_session_ends() {
    let clock = Arc::new(MockClock::at(0));
    let sessions = sessions(&clock, 10, 10);
    sessions.reserve(who("alice")).unwrap().open("s");
    clock.advance(Duration::from_secs(30 * 60 - 1));
    assert!(
        sessions.is_owned_by("s", &who("alice")),
        "and is used again"
    );
    clock.advance(Duration::from_secs(30 * 60 - 1));
    assert!(sessions.is_owned_by("s", &who("alice")));
    clock.set_wall(-1_000_000);
    clock.advance(Duration::from_secs(30 * 60));
    assert!(!sessions.is_owned_by("s", &who("alice")));
}

#[test]
fn sec_ds_06_a_full_server_does_not_search_at_each_knock() {
    let clock = Arc::new(MockClock::at(0));
    let limits = SessionLimits {
        total: 1,
        idle: Duration::from_millis(500),
        ..SessionLimits::default()
    };
    let sessions = Sessions::new(Arc::clone(&clock) as SharedClock, limits);
    sessions.reserve(who("alice")).unwrap().open("a");
    assert!(sessions.reserve(who("bob")).is_err());
    clock.advance(Duration::from_millis(600));
    assert!(sessions.reserve(who("bob")).is_err(), "searched at once");
    clock.advance(Duration::from_millis(400));
    assert!(sessions.reserve(who("bob")).is_ok());
}

#[test]
fn sec_ds_08_sessions_are_capped() {
    let clock = Arc::new(MockClock::at(0));
    let sessions = sessions(&clock, 3, 2);
    sessions.reserve(who("alice")).unwrap().open("a");
    let pending = sessions.reserve(who("alice")).unwrap();
    sessions.reserve(who("bob")).unwrap().open("b");
    assert_eq!(
        sessions.reserve(who("carol")).unwrap_err(),
        NoRoom::Full,
        "all together"
    );
    drop(pending);
    sessions.reserve(who("carol")).unwrap().open("c");
    clock.advance(Duration::from_secs(30 * 60));
    sessions.reserve(who("dave")).unwrap().open("d");
    assert_eq!(sessions.state().total, 1, "idle sessions made room");
    assert_eq!(sessions.state().users.len(), 1);
}

#[test]
fn one_more_ends_the_least_recently_used() {
    let clock = Arc::new(MockClock::at(0));
    let sessions = sessions(&clock, 10, 3);
    let alice = who("alice");
    sessions.reserve(who("bob")).unwrap().open("bob's");
    for id in ["a", "b", "c"] {
        clock.advance(Duration::from_secs(1));
        sessions.reserve(alice.clone()).unwrap().open(id);
    }
    clock.advance(Duration::from_secs(1));
    assert!(sessions.is_owned_by("a", &alice));
    let held = sessions.hold("b", None);
    sessions.reserve(alice.clone()).unwrap().open("d");
    assert!(!sessions.is_owned_by("c", &alice), "`b` is in use");
    drop(held);
    for id in ["a", "b", "d"] {
        assert!(sessions.is_owned_by(id, &alice), "{id}");
    }
    assert!(sessions.is_owned_by("bob's", &who("bob")));
    assert_eq!(sessions.state().total, 4);
    let handshakes: Vec<_> = (0..3).map(|_| sessions.reserve(alice.clone())).collect();
    assert!(handshakes.iter().all(Result::is_ok));
    let full = sessions.reserve(alice).unwrap_err();
    assert_eq!(full, NoRoom::Full, "none is open");
}

#[test]
fn sec_ds_08_sessions_end_each_other_at_a_pace() {
    let clock = Arc::new(MockClock::at(0));
    let limits = SessionLimits {
        per_principal: 2,
        replaced_per_minute: 3,
        ..SessionLimits::default()
    };
    let sessions = Sessions::new(Arc::clone(&clock) as SharedClock, limits);
    let open = |who: &SessionOwner, id: &str| {
        let reserved = sessions.reserve(who.clone());
        reserved.map(|reserved| assert!(reserved.open(id)))
    };
    let (alice, bob) = (who("alice"), who("bob"));
    for id in ["a", "b", "c", "d", "e"] {
        assert_eq!(open(&alice, id), Ok(()), "{id}");
        clock.advance(Duration::from_millis(1));
    }
    let wait = Duration::from_millis(20_000 - 3);
    assert_eq!(open(&alice, "f"), Err(NoRoom::TooOften { wait }));
    for id in ["d", "e"] {
        assert!(sessions.is_owned_by(id, &alice), "{id} stays");
    }
    for id in ["p", "q", "r"] {
        assert_eq!(open(&bob, id), Ok(()), "{id} is another user's");
    }
    // Who ends sessions itself may open as many.
    for n in 0..10 {
        sessions.close(if n == 0 { "e" } else { "f" });
        assert_eq!(open(&alice, "f"), Ok(()), "{n}");
    }
    assert!(open(&alice, "g").is_err());
    clock.advance(wait);
    assert!(sessions.is_owned_by("f", &alice), "used after `d`");
    assert_eq!(open(&alice, "g"), Ok(()));
    assert!(!sessions.is_owned_by("d", &alice), "it made room");
    assert_eq!(sessions.state().total, 4);
}

#[test]
fn sec_ds_08_strangers_leave_room() {
    let sessions = sessions(&Arc::new(MockClock::at(0)), 4, 1);
    let stranger = SessionOwner::Anonymous;
    for id in ["a", "b"] {
        sessions.reserve(stranger.clone()).unwrap().open(id);
    }
    let full = sessions.reserve(stranger.clone()).unwrap_err();
    assert_eq!(full, NoRoom::Full);
    assert!(sessions.is_owned_by("a", &stranger));
    assert!(sessions.is_owned_by("b", &stranger));
    assert!(sessions.reserve(who("alice")).is_ok());
}

#[test]
fn a_session_in_use_is_not_idle() {
    let clock = Arc::new(MockClock::at(0));
    let sessions = sessions(&clock, 1, 1);
    let alice = who("alice");
    sessions.reserve(alice.clone()).unwrap().open("s");
    let held = sessions.hold("s", None).unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    assert!(sessions.reserve(who("bob")).is_err(), "the place is taken");
    drop(held);
    clock.advance(Duration::from_secs(30 * 60 - 1));
    assert!(sessions.is_owned_by("s", &alice), "used until a moment ago");
    clock.advance(Duration::from_secs(30 * 60));
    assert!(!sessions.is_owned_by("s", &alice));
}

#[test]
fn sec_ds_08_limits_count_users_not_clients() {
    let through = |client: &str| {
        let parts = TokenParts::new("https://i.example", "alice").client_id(client);
        SessionOwner::of(Some(&AccessToken::assert_verified(parts)))
    };
    let clock = Arc::new(MockClock::at(0));
    let sessions = sessions(&clock, 10, 2);
    for client in ["a", "b", "c"] {
        sessions.reserve(through(client)).unwrap().open(client);
        clock.advance(Duration::from_secs(1));
    }
    assert!(!sessions.is_owned_by("a", &through("a")), "two at most");
    assert!(sessions.is_owned_by("c", &through("c")));
    assert!(
        !sessions.is_owned_by("c", &through("b")),
        "and each client its own"
    );
}
