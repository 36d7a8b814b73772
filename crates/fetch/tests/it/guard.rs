use std::future::pending;
use std::net::IpAddr;
use std::time::Duration;

use portcullis_fetch::address::Verdict;
use portcullis_fetch::{Accept, FetchError, Fetcher, Lookup, LookupFuture, Refusal};
use portcullis_testkit::CapturedLogs;
use tokio::time::timeout;

use crate::server::{Answer, Names, Server, url};

#[tokio::test]
async fn sec_sf_02_literals_are_checked_before_connecting() {
    let server = Server::start([Answer::ok("secret")]).await;
    let names = Names::answering(&[&["127.0.0.1"]]);
    let guarded = Fetcher::guarded()
        .extra_ports([server.port()])
        .lookup(names.clone())
        .build()
        .unwrap();
    for (host, verdict) in [
        ("127.0.0.1", Verdict::Loopback),
        ("[::1]", Verdict::Loopback),
        ("[::ffff:7f00:1]", Verdict::Loopback),
        ("[64:ff9b::7f00:1]", Verdict::Loopback),
        ("localhost", Verdict::Loopback),
        ("0.0.0.0", Verdict::Reserved),
        ("10.0.0.1", Verdict::Private),
        ("169.254.169.254", Verdict::LinkLocal),
        ("[::ffff:a9fe:a9fe]", Verdict::LinkLocal),
        ("[fd00:ec2::254]", Verdict::LinkLocal),
    ] {
        let target = server.https(host, "/");
        let error = guarded.get(&target, Accept::Any).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Refused(Refusal::Address(v)) if v == verdict),
            "{host}: {error:?}"
        );
        let error = guarded.post_form(&target, String::new(), None).await;
        assert!(matches!(error, Err(FetchError::Refused(_))), "{host}");
        assert!(guarded.check(&target).is_err(), "{host}");
    }
    assert_eq!(server.connections(), 0);
    assert!(names.asked().is_empty());
}

/// A URL parser reads all of these as an address or as `localhost`.
#[tokio::test]
async fn sec_sf_02_disguised_literals_reach_nothing() {
    for disguise in [
        "0x7f.1",
        "017700000001",
        "2130706433",
        "127.1",
        "0",
        "①②⑦.⓪.⓪.①",
        "[::ffff:169.254.169.254]",
        "127.0.0.1.",
        "LOCALHOST",
    ] {
        let text = format!("https://{disguise}/");
        assert!(
            portcullis_oauth::EndpointUrl::parse(&text).is_err(),
            "{text}"
        );
    }
    // A name of its own, which resolves to loopback.
    let guarded = Fetcher::guarded()
        .allow_loopback(true)
        .lookup(Names::answering(&[&["127.0.0.1"]]))
        .build()
        .unwrap();
    let error = guarded.get(&url("https://localhost./"), Accept::Any).await;
    assert!(matches!(
        error,
        Err(FetchError::Refused(Refusal::Address(Verdict::Loopback)))
    ));
}

#[tokio::test]
async fn sec_sf_03_a_name_that_moves_to_loopback_is_never_reached() {
    let server = Server::start([Answer::ok("secret")]).await;
    // The first address is a public one that nobody has been given; the second is the attack.
    // Also where loopback is allowed: the name is another's.
    for allow_loopback in [false, true] {
        let names = Names::answering(&[&["2000::1"], &["127.0.0.1"]]);
        let guarded = Fetcher::guarded()
            .extra_ports([server.port()])
            .allow_loopback(allow_loopback)
            .connect_timeout(Duration::from_millis(50))
            .lookup(names.clone())
            .build()
            .unwrap();
        let target = server.https("rebind.example", "/");
        let first = guarded.get(&target, Accept::Any).await.unwrap_err();
        assert!(
            matches!(first, FetchError::Connect(_) | FetchError::Timeout),
            "{first:?}"
        );
        // One answer serves both the check and the connection.
        assert_eq!(names.asked(), ["rebind.example"]);
        let second = guarded.get(&target, Accept::Any).await.unwrap_err();
        assert!(
            matches!(
                second,
                FetchError::Refused(Refusal::Address(Verdict::Loopback))
            ),
            "{second:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn sec_sf_03_one_forbidden_address_refuses_the_name() {
    let server = Server::start([Answer::ok("secret")]).await;
    for answer in [
        ["198.41.0.4", "127.0.0.1"],
        ["127.0.0.1", "198.41.0.4"],
        ["2606:4700::1", "::ffff:127.0.0.1"],
    ] {
        let guarded = Fetcher::guarded()
            .extra_ports([server.port()])
            .lookup(Names::answering(&[&answer]))
            .build()
            .unwrap();
        let target = server.https("mixed.example", "/");
        let error = guarded.get(&target, Accept::Any).await.unwrap_err();
        assert!(
            matches!(
                error,
                FetchError::Refused(Refusal::Address(Verdict::Loopback))
            ),
            "{error:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn sec_sf_06_localhost_is_always_loopback() {
    let server = Server::start([Answer::ok("here")]).await;
    let local = url(&format!("http://localhost:{}/", server.port()));
    for builder in [Fetcher::guarded(), Fetcher::trusted()] {
        let builder = builder.allow_loopback(true);
        for elsewhere in ["198.41.0.4", "10.0.0.1"] {
            let names = Names::answering(&[&[elsewhere]]);
            let fetcher = builder.clone().lookup(names).build().unwrap();
            let error = fetcher.get(&local, Accept::Any).await.unwrap_err();
            assert!(
                matches!(error, FetchError::Refused(Refusal::Address(_))),
                "{error:?}"
            );
        }
        let names = Names::answering(&[&["127.0.0.1"]]);
        let fetcher = builder.lookup(names).build().unwrap();
        assert_eq!(fetcher.get(&local, Accept::Any).await.unwrap().body, "here");
    }
}

#[tokio::test]
async fn sec_sf_06_http_needs_the_switch_in_both_profiles() {
    let server = Server::start([Answer::ok("here")]).await;
    for builder in [Fetcher::guarded(), Fetcher::trusted()] {
        let closed = builder.clone().build().unwrap();
        for target in [
            server.http("/"),
            url(&format!("http://localhost:{}/", server.port())),
        ] {
            let error = closed.get(&target, Accept::Any).await.unwrap_err();
            assert!(
                matches!(error, FetchError::Refused(Refusal::Insecure)),
                "{error:?}"
            );
        }
        let open = builder.allow_loopback(true).build().unwrap();
        assert!(open.get(&server.http("/"), Accept::Any).await.is_ok());
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn sec_sf_07_only_configured_ports_are_reached() {
    let guarded = Fetcher::guarded().extra_ports([8443]).build().unwrap();
    for port in [1, 22, 25, 80, 2375, 6379, 8080, 9200, 65535] {
        let target = url(&format!("https://a.example:{port}/"));
        assert_eq!(guarded.check(&target), Err(Refusal::Port(port)));
    }
    assert_eq!(guarded.check(&url("https://a.example/")), Ok(()));
    assert_eq!(guarded.check(&url("https://a.example:8443/")), Ok(()));
    let trusted = Fetcher::trusted().build().unwrap();
    assert_eq!(trusted.check(&url("https://a.example:8080/")), Ok(()));
}

#[test]
fn a_trusted_client_reaches_private_addresses_and_no_metadata_service() {
    let trusted = Fetcher::trusted().build().unwrap();
    for host in [
        "10.0.0.1",
        "192.168.1.1",
        "[fd12::1]",
        "127.0.0.1",
        "1.1.1.1",
    ] {
        assert_eq!(trusted.check(&url(&format!("https://{host}/"))), Ok(()));
    }
    for host in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[::ffff:a9fe:a9fe]",
    ] {
        let refused = trusted.check(&url(&format!("https://{host}/")));
        assert!(matches!(refused, Err(Refusal::Address(_))), "{host}");
    }
}

#[derive(Debug)]
struct Silence;

impl Lookup for Silence {
    fn lookup<'a>(&'a self, _: &'a str) -> LookupFuture<'a> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn sec_sf_12_a_lookup_that_never_ends_is_ended() {
    let guarded = Fetcher::guarded()
        .lookup(Silence)
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let target = url("https://slow.example/");
    let answer = guarded.get(&target, Accept::Any);
    let answer = timeout(Duration::from_secs(2), answer).await;
    let error = answer.expect("the lookup counts as connecting");
    assert!(matches!(error, Err(FetchError::Timeout)), "{error:?}");
}

#[derive(Debug)]
struct Flood(usize);

impl Lookup for Flood {
    fn lookup<'a>(&'a self, _: &'a str) -> LookupFuture<'a> {
        let address: IpAddr = [198, 41, 0, 4].into();
        Box::pin(async move { Ok(vec![address; self.0]) })
    }
}

#[tokio::test]
async fn sec_sf_12_no_address_and_too_many_are_refused() {
    for count in [0, 65, 100_000] {
        let guarded = Fetcher::guarded().lookup(Flood(count)).build().unwrap();
        let error = guarded.get(&url("https://a.example/"), Accept::Any).await;
        assert!(matches!(error, Err(FetchError::Unresolved)), "{error:?}");
    }
    let missing = Fetcher::guarded().lookup(Names::answering(&[])).build();
    let error = missing
        .unwrap()
        .get(&url("https://missing.example/"), Accept::Any)
        .await;
    assert!(matches!(error, Err(FetchError::Unresolved)), "{error:?}");
}

#[tokio::test]
async fn sec_op_05_a_refusal_is_an_event_without_path_or_query() {
    let logs = CapturedLogs::start();
    let guarded = Fetcher::guarded()
        .lookup(Names::answering(&[&["10.0.0.1"]]))
        .build()
        .unwrap();
    for target in [
        "https://inner.example/CANARY?token=CANARY",
        "https://169.254.169.254/CANARY?token=CANARY",
        "https://a.example:22/CANARY?token=CANARY",
    ] {
        let target = url(target);
        assert!(guarded.get(&target, Accept::Any).await.is_err());
    }
    let events = logs.security_events();
    for part in [
        ["outbound_refused", "reason=\"address\"", "inner.example"],
        ["outbound_refused", "reason=\"address\"", "169.254.169.254"],
        ["outbound_refused", "reason=\"port\"", "a.example"],
    ] {
        let found = events.iter().filter(|e| part.iter().all(|p| e.contains(p)));
        assert_eq!(found.count(), 1, "{part:?} in {events:#?}");
    }
    assert!(!events.concat().contains("CANARY"), "{events:#?}");
}
