use std::sync::Arc;

use portcullis_oauth::{MockClock, SeededEntropy};
use portcullis_resource_server::Network;

use super::kind::SECOND;
use super::rates::SHARED;
use super::*;

pub(super) fn limits(rates: RateLimits) -> (Limits, Arc<MockClock>) {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let shared: SharedClock = clock.clone();
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(3));
    let counts = Arc::new(Counts::new(shared, &entropy).unwrap());
    let limits = Limits::new(rates, counts, SecretBytes::new([7; 32]), entropy);
    (limits, clock)
}

#[expect(clippy::unnecessary_wraps, reason = "as what is tested takes it")]
pub(super) fn from(address: &str) -> Option<ClientAddress> {
    Some(ClientAddress::new(address.parse().unwrap()))
}

/// Somebody of the public internet.
#[expect(clippy::unnecessary_wraps, reason = "as what is tested takes it")]
pub(super) fn somebody(number: u32) -> Option<ClientAddress> {
    let address = std::net::Ipv4Addr::from_bits(0x1600_0000 + number);
    Some(ClientAddress::new(address.into()))
}

fn allowed(limits: &Limits, what: Limit, from: Option<ClientAddress>) -> usize {
    let all = (0..1_000_000).take_while(|_| limits.allow(what, from).is_ok());
    all.count()
}

#[test]
fn sec_az_14_a_source_asks_so_often_and_no_more() {
    let (limits, clock) = limits(RateLimits::default());
    for what in Limit::ALL {
        let burst = allowed(&limits, what, somebody(1));
        assert!((10..=1000).contains(&burst), "{what:?}: {burst}");
        let refused = limits.allow(what, somebody(1)).unwrap_err();
        assert!(refused.retry_after >= SECOND, "{what:?}: {refused}");
        clock.advance(refused.retry_after);
        assert_eq!(limits.allow(what, somebody(1)), Ok(()), "{what:?}");
        assert_eq!(limits.allow(what, somebody(2)), Ok(()), "{what:?}: another");
    }
}

#[test]
fn sec_az_14_a_site_is_one_source_too() {
    let (limits, _) = limits(RateLimits::default());
    let one = allowed(&limits, Limit::Login, from("2a00:1450:4001:1::1"));
    let rest = (2..0xffff).map(|network| {
        let address = format!("2a00:1450:4001:{network:x}::1");
        limits.allow(Limit::Login, from(&address))
    });
    assert_eq!(rest.flatten().count(), one * 7);
    assert_eq!(
        limits.allow(Limit::Login, from("2a00:1450:4002:1::1")),
        Ok(()),
        "another site"
    );
}

#[test]
fn sec_dr_01_registrations_have_a_bound_over_all_sources() {
    let (limits, clock) = limits(RateLimits::default());
    let flood = |from: u32, most: u32| {
        // Each of another network.
        let numbers = (from..from + most).map(|number| number * 256);
        let all = numbers.map(|number| limits.allow(Limit::Register, somebody(number)));
        all.flatten().count()
    };
    assert_eq!(flood(0, 10_000), 300);
    clock.advance(Duration::from_secs(10));
    assert_eq!(flood(20_000, 1000), 20);
    // A refusal counts nowhere: this source has all of its own.
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        allowed(&limits, Limit::Register, somebody(99_999 * 256)),
        20
    );
}

#[test]
fn sec_az_14_a_flood_leaves_room_for_those_who_come_first() {
    for what in [Limit::Register, Limit::Document] {
        let (limits, clock) = limits(RateLimits::default());
        let mut flood = 0;
        for number in 0..40 {
            for address in 0..22 {
                // Each from a network of its own, which has more than one address.
                let from = somebody(number * 256 + address % 4);
                flood += usize::from(limits.allow(what, from).is_ok());
            }
        }
        assert!((150..200).contains(&flood), "{what:?}: {flood}");
        for number in 1..60 {
            let fresh = from(&format!("2a00:{number:x}:4001::1"));
            assert_eq!(limits.allow(what, fresh), Ok(()), "{what:?} {number}");
            let again = limits.allow(what, fresh).unwrap_err();
            assert!(again.retry_after >= SECOND);
            let neighbour = from(&format!("2a00:{number:x}:4001:9::1"));
            assert!(limits.allow(what, neighbour).is_err(), "of the same site");
        }
        clock.advance(Duration::from_secs(120));
        let known = from("2a00:1:4001::1");
        assert_eq!(limits.allow(what, known), Ok(()), "as new again");
    }
}

#[test]
fn sec_ci_08_one_source_does_not_use_up_a_host() {
    let (limits, clock) = limits(RateLimits::default());
    let flood = |address: &str, host: &str| {
        let all = (0..100).map_while(|_| limits.allow_document(host, from(address)).ok());
        all.collect::<Vec<_>>()
    };
    let again = Standing::Again;
    let first = [Standing::First, again, again, again, again];
    assert_eq!(flood("93.184.215.14", "victim.example"), first);
    assert_eq!(flood("93.184.215.15", "victim.example"), [again; 5]);
    assert_eq!(flood("2a00:1450:4001:1::1", "victim.example"), first);
    assert_eq!(flood("2a00:1450:4001:2::1", "victim.example"), [again; 5]);
    assert_eq!(flood("93.184.215.14", "other.example"), first);
    assert_eq!(flood("198.41.0.4", "victim.example"), first);
    clock.advance(Duration::from_secs(60));
    assert_eq!(flood("93.184.215.14", "victim.example"), first);
}

#[test]
fn shared_addresses_count_for_many() {
    let office: Network = "93.184.215.0/24".parse().unwrap();
    let (limits, _) = limits(RateLimits::default().shared(office, 10));
    let one = allowed(&limits, Limit::Login, somebody(1));
    assert_eq!(
        allowed(&limits, Limit::Login, from("93.184.215.14")),
        10 * one
    );
    assert_eq!(
        allowed(&limits, Limit::Login, from("160.79.104.10")),
        64 * one
    );
    assert_eq!(SHARED.len(), RateLimits::default().shared.len());
}

#[test]
fn all_of_it_can_be_raised() {
    let (limits, _) = limits(RateLimits::default().times(50));
    assert_eq!(allowed(&limits, Limit::Register, somebody(1)), 1000);
    assert_eq!(allowed(&limits, Limit::Register, None), 14_000);
}

#[test]
fn sec_ca_08_a_client_guesses_so_often_and_no_more() {
    let (limits, clock) = limits(RateLimits::default());
    let failures = (0..1000).take_while(|_| {
        limits.count_guess("client", somebody(1));
        limits.check_failures("client", somebody(1)).is_ok()
    });
    assert_eq!(failures.count(), 19, "the twentieth is the last");
    assert_eq!(limits.check_failures("other", somebody(1)), Ok(()));
    for _ in 0..1000 {
        limits.count_guess("other", somebody(1));
    }
    let refused = limits.check_failures("third", somebody(1)).unwrap_err();
    assert_eq!(refused.retry_after, SECOND, "the source, with any client");
    clock.advance(Duration::from_secs(60));
    assert_eq!(limits.check_failures("client", somebody(1)), Ok(()));
}

#[test]
fn sec_ca_08_nobody_locks_a_client_out_from_elsewhere() {
    let (limits, _) = limits(RateLimits::default());
    for attacker in 0..1000 {
        for _ in 0..100 {
            limits.count_guess("client", somebody(attacker));
        }
    }
    assert!(limits.check_failures("client", somebody(7)).is_err());
    assert_eq!(limits.check_failures("client", somebody(5000)), Ok(()));
}

#[test]
fn sec_ca_08_what_is_no_guess_at_a_client_counts_for_its_source_alone() {
    let (limits, _) = limits(RateLimits::default());
    let refused = (0..1000).take_while(|_| {
        limits.count_refusal(somebody(1));
        limits.check_failures("client", somebody(1)).is_ok()
    });
    assert_eq!(refused.count(), 59, "the sixtieth is the last");
    assert!(limits.check_failures("other", somebody(1)).is_err());
    assert_eq!(limits.check_failures("client", somebody(2)), Ok(()));
}

#[test]
fn sec_ds_08_a_flood_from_everywhere_takes_no_more_memory() {
    let (limits, _) = limits(RateLimits::default());
    for source in 0..200_000 {
        limits.allow(Limit::Authorize, somebody(source)).unwrap();
    }
    let room = limits.kind(Limit::Authorize).each.len();
    assert_eq!(room, SOURCES);
}

#[test]
fn sec_op_14_a_server_in_the_place_of_another_counts_on() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(3));
    let counts = Arc::new(Counts::new(clock.clone(), &entropy).unwrap());
    let server = |rates| {
        let key = SecretBytes::new([7; 32]);
        Limits::new(rates, Arc::clone(&counts), key, Arc::clone(&entropy))
    };
    let before = server(RateLimits::default());
    let login = |limits: &Limits| {
        let permit = limits.guard().check("alice", somebody(1), None);
        permit.map(login::Permit::failed).is_ok()
    };
    assert_eq!((0..100).take_while(|_| login(&before)).count(), 5);
    assert_eq!(allowed(&before, Limit::Register, somebody(2)), 20);
    let after = server(RateLimits::default());
    assert!(!login(&after));
    assert_eq!(allowed(&after, Limit::Register, somebody(2)), 0);
    // Whoever allows more sooner allows the next, and the next guess as late.
    let generous = server(RateLimits::default().times(3));
    assert!(!login(&generous));
    clock.advance(Duration::from_secs(30));
    assert!(!login(&generous));
    assert_eq!(allowed(&generous, Limit::Register, somebody(2)), 3);
    clock.advance(Duration::from_secs(120));
    assert!(!login(&generous), "the next guess is three minutes later");
}
