use std::sync::Arc;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{MockClock, SeededEntropy, scopes};
use portcullis_store::{MemoryStore, Records, StoreHandle};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const TEN_MINUTES: Duration = Duration::from_secs(600);

async fn records(seed: u64) -> Records {
    let clock = Arc::new(MockClock::at(NOW.as_secs()));
    let store = StoreHandle::from(MemoryStore::new());
    let opened = store.open(clock, Arc::new(SeededEntropy::new(seed))).await;
    opened.unwrap()
}

fn asked() -> Asked {
    Asked {
        client_id: ClientId::parse("https://app.example/client.json").unwrap(),
        redirect_uri: RedirectUri::parse_allowing("zed://cb?x=%41", &["zed"]).unwrap(),
        state: Some("s t\u{e4}te".into()),
        code_challenge: CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
            .unwrap(),
        scope: scopes!["notes:read", "offline_access"],
        resource: ResourceUrl::parse("https://mcp.example/mcp").unwrap(),
        login_hint: Some("alice".to_owned()),
        ui_locales: Some("de en".to_owned()),
    }
}

fn begun(errand: Errand, login: Login, entropy: &SeededEntropy) -> (Interaction, Browser) {
    let browser = Browser::generate(entropy).unwrap();
    let begun = Interaction::begin(errand, login, &browser, NOW, entropy);
    (begun.unwrap(), browser)
}

fn open(text: &str, browser: &Browser, records: &Records) -> Result<Interaction, InteractionError> {
    Interaction::open(text, Some(browser), records, NOW, TEN_MINUTES)
}

#[tokio::test]
async fn what_is_sealed_comes_back() {
    let (records, entropy) = (records(1).await, SeededEntropy::new(2));
    let errand = Errand::Authorization(Box::new(asked()));
    for login in [
        Login::Any,
        Login::Within(Duration::from_secs(60)),
        Login::Anew,
        Login::Made([9; 32]),
    ] {
        let (begun, browser) = begun(errand.clone(), login, &entropy);
        let sealed = begun.seal(&records).unwrap();
        assert!(base64url::decode_strict(&sealed).is_ok());
        let opened = open(&sealed, &browser, &records).unwrap();
        assert!(opened.id() == begun.id() && opened.login == login);
        // A secret has no other equality than what it exposes.
        let (left, right) = (opened.asked().unwrap(), asked());
        let state = |asked: &Asked| asked.state.as_ref().map(|state| state.expose().to_owned());
        assert_eq!(state(left), state(&right));
        assert_eq!(format!("{left:?}"), format!("{right:?}"));
        assert_ne!(begun.seal(&records).unwrap(), sealed, "no two are alike");
    }
    let (begun, browser) = begun(Errand::Account, Login::Any, &entropy);
    let sealed = begun.seal(&records).unwrap();
    assert!(open(&sealed, &browser, &records).unwrap().asked().is_none());
}

/// It is in an address, twice in a form, and in each of them a line of somebody's log.
#[tokio::test]
async fn what_travels_is_short() {
    let (records, entropy) = (records(1).await, SeededEntropy::new(2));
    let errand = Errand::Authorization(Box::new(asked()));
    let (begun, _) = begun(errand, Login::Made([255; 32]), &entropy);
    let length = begun.seal(&records).unwrap().len();
    assert!(length < 700, "{length}");
}

/// A page that the version before has made says to begin anew.
#[tokio::test]
async fn what_was_sealed_in_another_form_has_ended() {
    let (records, entropy) = (records(1).await, SeededEntropy::new(2));
    let (_, browser) = begun(Errand::Account, Login::Any, &entropy);
    let before = br#"{"id":[0],"browser":[0],"began":1800000000,"login":"any"}"#;
    for purpose in ["interaction", "interaction 2"] {
        let sealed = base64url::encode(records.seal(purpose, &[], before).unwrap());
        let opened = open(&sealed, &browser, &records);
        assert!(matches!(opened, Err(InteractionError::Malformed)));
    }
}

#[tokio::test]
async fn sec_cn_25_another_browser_cannot_go_on() {
    let (records, entropy) = (records(1).await, SeededEntropy::new(2));
    let (begun, _) = begun(Errand::Account, Login::Any, &entropy);
    let sealed = begun.seal(&records).unwrap();
    let another = Browser::generate(&entropy).unwrap();
    for browser in [None, Some(&another)] {
        let opened = Interaction::open(&sealed, browser, &records, NOW, TEN_MINUTES);
        assert!(matches!(opened, Err(InteractionError::OtherBrowser)));
    }
}

#[tokio::test]
async fn sec_az_14_an_interaction_ends_after_ten_minutes() {
    let (records, entropy) = (records(1).await, SeededEntropy::new(2));
    let (begun, browser) = begun(Errand::Account, Login::Any, &entropy);
    let sealed = begun.seal(&records).unwrap();
    let at = |seconds| {
        let now = NOW.saturating_add(Duration::from_secs(seconds));
        Interaction::open(&sealed, Some(&browser), &records, now, TEN_MINUTES)
    };
    assert!(at(599).is_ok());
    assert!(matches!(at(600), Err(InteractionError::Expired)));
}

#[tokio::test]
async fn sec_ru_18_nobody_makes_or_changes_an_interaction() {
    let (ours, others, entropy) = (records(1).await, records(3).await, SeededEntropy::new(2));
    let (begun, browser) = begun(Errand::Account, Login::Any, &entropy);
    let sealed = begun.seal(&ours).unwrap();
    let mut flipped = base64url::decode_strict(&sealed).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    let for_another_use = ours.seal("answer", &[], b"{}").unwrap();
    for bad in [
        String::new(),
        "AAAA".to_owned(),
        "not base64url".to_owned(),
        format!("{sealed}="),
        sealed.split_at(sealed.len() - 4).0.to_owned(),
        base64url::encode(flipped),
        base64url::encode(for_another_use),
        begun.seal(&others).unwrap(),
        "A".repeat(64 * 1024),
    ] {
        let opened = open(&bad, &browser, &ours);
        assert!(matches!(opened, Err(InteractionError::Malformed)), "{bad}");
    }
}

#[test]
fn sec_az_11_prompt_login_asks_who_is_logged_in_already() {
    let entropy = SeededEntropy::new(2);
    let (old, new) = ([1; 32], [2; 32]);
    let ago = |seconds| NOW.saturating_sub(Duration::from_secs(seconds));
    let (any, _) = begun(Errand::Account, Login::Any, &entropy);
    assert!(any.accepts(&old, ago(80_000)));

    let (anew, _) = begun(Errand::Account, Login::Anew, &entropy);
    assert!(!anew.accepts(&old, ago(1)) && !anew.accepts(&old, NOW));
    let made = anew.logged_in(&new);
    assert!(made.accepts(&new, NOW) && !made.accepts(&old, NOW));

    let minute = Login::Within(Duration::from_secs(60));
    let (within, _) = begun(Errand::Account, minute, &entropy);
    assert!(within.accepts(&old, ago(60)) && !within.accepts(&old, ago(61)));
}

#[test]
fn a_browser_is_named_by_128_bits() {
    let browser = Browser::generate(&SeededEntropy::new(1)).unwrap();
    assert_eq!(browser.expose().len(), 22);
    assert!(Browser::parse(browser.expose()).is_some());
    for bad in [
        "",
        "a",
        browser.expose().split_at(21).0,
        &format!("{}A", browser.expose()),
    ] {
        assert!(Browser::parse(bad).is_none(), "{bad}");
    }
    assert!(!format!("{browser:?}").contains(browser.expose()));
}
