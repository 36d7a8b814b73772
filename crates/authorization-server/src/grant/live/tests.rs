use portcullis_oauth::{ClientId, ResourceUrl, ScopeSet, Subject};
use portcullis_resource_server::TokenParts;

use super::super::record::Owner;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1000);

fn grant(first: u8) -> GrantRecord {
    let mut id = [7; 16];
    id[0] = first;
    GrantRecord {
        id: GrantId(id),
        client: ClientId::parse("c").unwrap(),
        is_configured: false,
        is_proxied: false,
        is_minted: false,
        owner: Some(Owner {
            subject: Subject::parse("alice").unwrap(),
            generation: 0,
            authenticated_at: NOW,
        }),
        scope: ScopeSet::new(),
        resource: ResourceUrl::parse("https://mcp.example/mcp").unwrap(),
        reach: None,
        granted_at: NOW,
        last_used: NOW,
        ends_at: Timestamp::from_secs(2000),
        expires_at: Timestamp::from_secs(2000),
        refresh: None,
    }
}

fn token(subject: &str, client: &str, audience: &str) -> AccessToken {
    let parts = TokenParts::new("https://mcp.example", subject)
        .client_id(client)
        .audience([audience]);
    AccessToken::assert_verified(parts)
}

fn alices() -> AccessToken {
    token("alice", "c", "https://mcp.example/mcp")
}

#[test]
fn what_was_found_stands_until_something_changes() {
    let (live, grant) = (Live::new(), grant(1));
    let stands = |foreign, now| live.stands(grant.id, &alices(), foreign, now);
    assert!(!stands(5, NOW));
    assert!(live.keep(&grant, &alices(), live.moment(grant.id, 5)));
    assert!(stands(5, NOW));
    assert!(!stands(6, NOW));
    assert!(!stands(5, Timestamp::from_secs(2000)));
    live.ended(grant.id);
    assert!(!stands(5, NOW));
    assert!(live.keep(&grant, &alices(), live.moment(grant.id, 5)));
    live.some_ended();
    assert!(!stands(5, NOW));
}

#[test]
fn sec_rv_02_an_end_is_not_missed_by_whoever_reads() {
    let (live, grant) = (Live::new(), grant(1));
    let before = live.moment(grant.id, 0);
    // It is read, and ends before what was read is kept.
    live.ended(grant.id);
    assert!(live.keep(&grant, &alices(), before));
    assert!(!live.stands(grant.id, &alices(), 0, NOW));
    // The same where nobody says which grants have ended.
    let before = live.moment(grant.id, 0);
    live.some_ended();
    assert!(live.keep(&grant, &alices(), before));
    assert!(!live.stands(grant.id, &alices(), 0, NOW));
}

#[test]
fn the_end_of_one_leaves_most_others() {
    let (live, one, other) = (Live::new(), grant(1), grant(2));
    for grant in [&one, &other] {
        live.keep(grant, &alices(), live.moment(grant.id, 0));
    }
    live.ended(one.id);
    assert!(live.stands(other.id, &alices(), 0, NOW));
}

#[test]
fn sec_jwt_37_a_signing_key_alone_makes_nobody() {
    let (live, grant) = (Live::new(), grant(1));
    live.keep(&grant, &alices(), live.moment(grant.id, 0));
    for (subject, client, audience) in [
        ("mallory", "c", "https://mcp.example/mcp"),
        ("alice", "d", "https://mcp.example/mcp"),
        ("alice", "c", "https://mcp.example/other"),
    ] {
        let forged = token(subject, client, audience);
        assert!(!live.stands(grant.id, &forged, 0, NOW));
        assert!(!live.keep(&grant, &forged, live.moment(grant.id, 0)));
    }
}
