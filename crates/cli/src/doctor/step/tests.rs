//! What no server on this machine shows: names that are none, time that passes, https.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method};
use portcullis_fetch::Refusal;
use portcullis_oauth::Issuer;

use super::call::Calls;
use super::challenge::Anonymous;
use super::place::Kind;
use super::{call, challenge, place, server};
use crate::doctor::finding::Findings;
use crate::doctor::rule::Level;
use crate::doctor::seen::{Answer, Seen, Trouble};
use crate::doctor::target::Target;

const URL: &str = "https://mcp.example.com/mcp";

fn seen(result: Result<Answer, Trouble>, took: Duration) -> Seen {
    Seen {
        method: Method::POST,
        url: URL.to_owned(),
        result,
        took,
    }
}

fn answer(status: u16, header: Option<&'static str>, body: &'static str) -> Seen {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(header) = header {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(header));
    }
    let body = Bytes::from_static(body.as_bytes());
    let answer = Answer {
        status,
        headers,
        body,
    };
    seen(Ok(answer), Duration::from_millis(5))
}

const RESULT: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

fn wrong(findings: &Findings) -> BTreeSet<&'static str> {
    let list = findings.list().iter();
    let wrong = list.filter(|finding| finding.level != Level::Fine);
    wrong.map(|finding| finding.rule.id).collect()
}

#[test]
fn what_does_not_answer_is_named() {
    for (trouble, expected) in [
        (Trouble::NoName, "NET-01"),
        (Trouble::NoConnection("no".to_owned()), "NET-02"),
        (Trouble::Silent, "NET-03"),
        (Trouble::Refused(Refusal::Insecure), "NET-09"),
    ] {
        let mut findings = Findings::new(Vec::new(), None);
        let kind = place::judge(&seen(Err(trouble), Duration::ZERO), &mut findings);
        assert_eq!(kind, Kind::Nothing);
        assert_eq!(wrong(&findings), BTreeSet::from([expected]));
    }
}

#[test]
fn a_slow_answer_is_a_note() {
    let mut slow = answer(401, None, "{}");
    slow.took = Duration::from_millis(2001);
    let mut findings = Findings::new(Vec::new(), None);
    assert_eq!(place::judge(&slow, &mut findings), Kind::Protected);
    assert_eq!(wrong(&findings), BTreeSet::from(["NET-08"]));

    let fine = || answer(200, None, RESULT);
    let mut calls = Calls {
        initialize: fine(),
        list: Some(fine()),
        modern: fine(),
        stream: None,
        foreign_origin: answer(403, None, ""),
        foreign_host: None,
        preflight: answer(403, None, ""),
    };
    for (took, expected) in [(1999, vec!["CAL-12"]), (2001, vec!["CAL-12", "CAL-13"])] {
        calls.modern.took = Duration::from_millis(took);
        let mut findings = Findings::new(Vec::new(), None);
        call::judge(&calls, true, &mut findings);
        assert_eq!(wrong(&findings), expected.into_iter().collect(), "{took}");
    }
}

#[test]
fn a_server_that_thinks_it_is_http_says_so_in_its_challenge() {
    let judged = |header| {
        let refusal = || answer(401, Some(header), "{}");
        let anonymous = Anonymous {
            first: refusal(),
            modern: refusal(),
            get: refusal(),
            garbage: refusal(),
        };
        let target = Target::parse(URL, &[]).unwrap();
        let mut findings = Findings::new(Vec::new(), None);
        challenge::judge(&target, &anonymous, &mut findings);
        wrong(&findings)
    };
    let own = "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"a\"";
    assert_eq!(judged(own), BTreeSet::new());
    let down = "Bearer resource_metadata=\"http://mcp.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"a\"";
    assert_eq!(judged(down), BTreeSet::from(["CHL-09"]));
    let look_alike =
        "Bearer resource_metadata=\"https://mcp.example.com.evil.example/x\", scope=\"a\"";
    assert_eq!(judged(look_alike), BTreeSet::from(["CHL-08"]));
}

#[test]
fn a_server_that_was_not_asked_is_not_called_broken() {
    let issuer = Issuer::parse("https://auth.internal").unwrap();
    let refused = Trouble::Refused(Refusal::Port(8443));
    let documents = server::Documents {
        places: vec![seen(Err(refused), Duration::ZERO), answer(404, None, "")],
        elsewhere: Vec::new(),
    };
    let mut findings = Findings::new(Vec::new(), None);
    assert!(server::judge(&issuer, &documents, &mut findings).is_none());
    assert_eq!(wrong(&findings), BTreeSet::from(["ASM-03"]));
}
