//! Each rule is found where it is broken, and nothing else is.

mod cases;
mod site;

use std::collections::BTreeSet;

use portcullis_oauth::json::json;
use portcullis_oauth::{BearerToken, ClientId};

use self::cases::{Case, ELSEWHERE, cases};
use self::site::{Asked, Site, TOKEN};
use super::ask::{Ask, Asker};
use super::finding::Findings;
use super::rule::STEPS;
use super::seen::Trouble;
use super::target::Target;
use super::walk::{Given, Walk};
use super::{Diagnosis, Examination, examine};
use crate::report::{Format, Report};

fn report() -> Report {
    Report::new(Some(Format::Json))
}

/// What is looked at unless a case says otherwise: all of it.
fn examination(site: &Site) -> Examination {
    Examination {
        url: site.url(),
        token: Some(BearerToken::new(TOKEN)),
        claims: Some(json!({
            "iss": site.base, "aud": site.url(), "exp": 4_000_000_000_u32, "scope": "mcp:read",
        })),
        register: true,
        ..Examination::default()
    }
}

async fn examined(case: &Case) -> (Diagnosis, Vec<Asked>) {
    let site = Site::start(case.change).await;
    let mut examination = examination(&site);
    (case.given)(&mut examination);
    let diagnosis = examine(examination, report()).await.unwrap();
    (diagnosis, site.asked())
}

/// What is worth saying of the site in which all is well: it is on this machine, and some versions
/// of Goose do not know `iss`.
const WELL: [&str; 2] = ["ASM-18", "URL-02"];

#[tokio::test]
async fn a_server_in_which_all_is_well_keeps_nobody_out() {
    let (diagnosis, asked) = examined(&Case::well()).await;
    assert_eq!(diagnosis.wrong(), BTreeSet::from(WELL), "{diagnosis:#?}");
    assert!(diagnosis.errors().is_empty());
    for client in super::CLIENTS {
        assert!(diagnosis.connects(client.name), "{}", client.name);
    }
    let removed = asked.iter().filter(|one| one.is("DELETE", "/clients/1"));
    assert_eq!(removed.count(), super::CLIENTS.len());
    let opened = |one: &&Asked| one.body.contains("\"initialize\"");
    let ended = asked.iter().filter(|one| one.is("DELETE", "/mcp"));
    assert_eq!(ended.count(), 1, "{}", asked.iter().filter(opened).count());
}

#[tokio::test]
async fn each_rule_is_found_where_it_is_broken() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (diagnosis, _) = examined(case).await;
        let mut expected = BTreeSet::from([case.id]);
        expected.extend(case.also);
        let mut found = diagnosis.wrong();
        found.retain(|id| !WELL.contains(id));
        if found != expected {
            wrong.push(format!("{}: {found:?} for {expected:?}", case.id));
        }
        let kept_out: Vec<_> = super::CLIENTS
            .iter()
            .map(|client| client.name)
            .filter(|name| !diagnosis.connects(name))
            .collect();
        if kept_out != case.keeps_out {
            wrong.push(format!("{}: keeps out {kept_out:?}", case.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_test() {
    let tested = cases().map(|case| case.id).chain(ELSEWHERE.iter().copied());
    let tested: BTreeSet<_> = tested.collect();
    let rules = STEPS.iter().flat_map(|step| step.rules);
    let rules: BTreeSet<_> = rules.map(|rule| rule.id).collect();
    assert_eq!(tested, rules);
}

#[tokio::test]
async fn sec_cl_16_a_server_elsewhere_cannot_send_the_doctor_to_this_machine() {
    let site = Site::start(|_, _| {}).await;
    let elsewhere = Target::parse("https://mcp.example.com/mcp", &[]).unwrap();
    let asker = Asker::new(elsewhere, report()).unwrap();
    let port = site.base.rsplit(':').next().unwrap();
    for url in [
        site.url(),
        format!("https://127.0.0.1:{port}/jwks"),
        format!("https://localhost:{port}/jwks"),
        format!("https://[::ffff:7f00:1]:{port}/jwks"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/jwks".to_owned(),
        "https://example.com:6379/".to_owned(),
    ] {
        let seen = asker.ask(Ask::get(&url)).await;
        assert!(matches!(seen.result, Err(Trouble::Refused(_))), "{seen:?}");
    }
    assert!(site.asked().is_empty());
    // A host that the user vouches for is another matter.
    let hosts = ["127.0.0.1".to_owned()];
    let vouched = Target::parse("http://localhost:1/mcp", &hosts).unwrap();
    let asker = Asker::new(vouched, report()).unwrap();
    assert!(asker.ask(Ask::get(site.url())).await.result.is_ok());
}

#[tokio::test]
async fn sec_cl_10_the_token_goes_to_the_server_alone() {
    let (diagnosis, asked) = examined(&Case::well()).await;
    assert!(diagnosis.errors().is_empty());
    for one in &asked {
        let carried = format!("{:?}{}{}", one.headers, one.query, one.body);
        let told = one
            .header("authorization")
            .is_some_and(|value| value.contains(TOKEN));
        assert!(!(told && one.path != "/mcp"), "{one:?}");
        assert!(!(carried.contains(TOKEN) && one.path != "/mcp"), "{one:?}");
    }
    // By its own rule, too: whatever is asked elsewhere goes without.
    let site = Site::start(|_, _| {}).await;
    let target = Target::parse(&site.url(), &[]).unwrap();
    let out = Asker::new(target, report()).unwrap();
    let token = BearerToken::new(TOKEN);
    for url in [format!("{}/token", site.base), site.url()] {
        out.ask_with(Some(&token), Ask::get(url)).await;
    }
    let [token_endpoint, mcp] = site.asked().try_into().unwrap();
    let (token_endpoint, mcp): (Asked, Asked) = (token_endpoint, mcp);
    assert_eq!(token_endpoint.header("authorization"), None);
    assert!(mcp.header("authorization").is_some());
}

#[tokio::test]
async fn sec_cl_10_the_token_is_in_no_url_beyond_this_machine() {
    let token = BearerToken::new(TOKEN);
    let site = Site::start(|_, _| {}).await;
    for (url, is_tried) in [
        ("https://192.0.2.1/mcp", false),
        (site.url().as_str(), true),
    ] {
        let target = Target::parse(url, &[]).unwrap();
        let out = Asker::new(target.clone(), report()).unwrap();
        let findings = Findings::new(Vec::new(), Some(&token));
        let walk = Walk::new(target, Given::default(), out, findings);
        assert_eq!(
            walk.token_in_query(&token).await.is_some(),
            is_tried,
            "{url}"
        );
    }
}

#[tokio::test]
async fn sec_cl_08_the_management_token_stays_on_its_origin() {
    let case = Case {
        change: |asked, reply| {
            if asked.is("POST", "/register") {
                // The same machine by another name: its host is asked, its token is not for it.
                let other = asked.base.replace("127.0.0.1", "localhost");
                reply.edit(|document| {
                    let url = format!("{other}/clients/1");
                    document.insert("registration_client_uri".to_owned(), json!(url));
                });
            }
        },
        ..Case::well()
    };
    let (diagnosis, asked) = examined(&case).await;
    assert!(diagnosis.wrong().contains("REG-10"), "{diagnosis:#?}");
    assert!(!asked.iter().any(|one| one.path == "/clients/1"));
}

#[tokio::test]
async fn sec_cl_16_the_doctor_agrees_nowhere_else() {
    let case = Case {
        change: |asked, reply| {
            if asked.is("GET", "/login") {
                let other = asked.base.replace("127.0.0.1", "localhost");
                reply.status(200);
                reply.body = format!(
                    "<form method=\"post\" action=\"{other}/agree\"><input name=\"request\" \
                     value=\"r\"><input name=\"csrf\" value=\"c\"><button name=\"action\" \
                     value=\"approve\"></form>"
                );
            }
        },
        ..Case::well()
    };
    let (_, asked) = examined(&case).await;
    assert!(asked.iter().any(|one| one.is("GET", "/login")));
    assert!(!asked.iter().any(|one| one.path == "/agree"));
}

#[tokio::test]
async fn without_leave_nothing_is_written() {
    let case = Case {
        given: |examination| {
            examination.register = false;
            examination.token = None;
            examination.claims = None;
        },
        ..Case::well()
    };
    let (diagnosis, asked) = examined(&case).await;
    assert!(diagnosis.errors().is_empty(), "{diagnosis:#?}");
    assert!(
        !asked
            .iter()
            .any(|one| matches!(one.path.as_str(), "/register" | "/authorize"))
    );
}

#[tokio::test]
async fn a_client_that_exists_tries_the_authorization_endpoint() {
    let case = Case {
        given: |examination| {
            examination.register = false;
            let id = ClientId::parse("mine").unwrap();
            examination.client_id = Some(id.as_str().to_owned());
            examination.redirect_uri = Some("https://claude.ai/api/mcp/auth_callback".to_owned());
        },
        ..Case::well()
    };
    let (diagnosis, asked) = examined(&case).await;
    assert_eq!(diagnosis.wrong(), BTreeSet::from(WELL));
    let asked: Vec<_> = asked
        .iter()
        .filter(|one| one.path == "/authorize")
        .collect();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.query.contains("client_id=mine")));
}

#[tokio::test]
async fn only_the_clients_that_were_asked_for_count() {
    let case = |given| Case {
        change: |asked, reply| {
            if asked.is_anonymous() {
                reply.challenge(|said| said.replace('"', "").replace("mcp:read", "\"mcp:read\""));
            }
        },
        given,
        ..Case::well()
    };
    let (all, _) = examined(&case(|_| {})).await;
    assert_eq!(all.errors(), ["CHL-07"]);
    let others = case(|examination| examination.clients = vec!["claude".into(), "vscode".into()]);
    let (others, _) = examined(&others).await;
    assert!(others.errors().is_empty(), "{others:#?}");
    assert!(others.wrong().contains("CHL-07"));
}
