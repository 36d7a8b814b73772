use std::sync::Arc;

use portcullis_oauth::{Clock as _, MockClock, SeededEntropy};
use portcullis_resource_server::Unavailable;
use portcullis_store::{MemoryStore, StoreHandle};

use super::*;
use crate::users::{Attempt, Authenticate, Authentication, SharedUsers};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

struct Bench {
    sessions: Sessions,
    records: Records,
    clock: Arc<MockClock>,
}

async fn bench() -> Bench {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let shared: SharedClock = clock.clone();
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(11));
    let store = StoreHandle::from(MemoryStore::new());
    let opened = store.open(SharedClock::clone(&shared), SharedEntropy::clone(&entropy));
    let records = opened.await.unwrap();
    let lifetimes = SessionLifetimes::default();
    let sessions = Sessions::new(records.clone(), lifetimes, shared, entropy);
    Bench {
        sessions,
        records,
        clock,
    }
}

fn user(name: &str) -> User {
    User::new(Subject::parse(name).unwrap())
}

impl Bench {
    async fn open(&self, name: &str) -> SessionCookie {
        self.sessions.open(&user(name), None, None).await.unwrap()
    }

    async fn find(&self, cookie: &str) -> Option<Session> {
        self.sessions.find(cookie).await.unwrap()
    }
}

#[tokio::test]
async fn a_login_is_remembered_until_it_is_closed() {
    let bench = bench().await;
    let (alice, bob) = (bench.open("alice").await, bench.open("bob").await);
    let session = bench.find(alice.expose()).await.unwrap();
    assert_eq!(session.subject.as_str(), "alice");
    assert_eq!(session.authenticated_at, bench.clock.now());
    bench.sessions.close(&session).await.unwrap();
    assert!(bench.find(alice.expose()).await.is_none());
    assert!(bench.find(bob.expose()).await.is_some(), "another's");
}

#[tokio::test]
async fn sec_az_16_a_login_opens_a_new_session() {
    let bench = bench().await;
    let planted = bench.open("mallory").await;
    let before = bench.find(planted.expose()).await.unwrap();
    let alice = user("alice");
    let after = bench.sessions.open(&alice, None, Some(&before));
    let after = after.await.unwrap();
    assert_ne!(after.expose(), planted.expose());
    assert!(bench.find(planted.expose()).await.is_none());
    let session = bench.find(after.expose()).await.unwrap();
    assert_eq!(session.subject.as_str(), "alice");
}

#[tokio::test]
async fn sec_op_14_a_session_ends() {
    let bench = bench().await;
    let idle = bench.open("alice").await;
    bench.clock.advance((12 * HOUR).saturating_sub(SECOND));
    assert!(bench.find(idle.expose()).await.is_some(), "and is touched");
    bench.clock.advance((12 * HOUR).saturating_sub(SECOND));
    assert!(bench.find(idle.expose()).await.is_some(), "so it lives on");
    bench.clock.advance(12 * HOUR);
    assert!(bench.find(idle.expose()).await.is_none(), "without use");

    let busy = bench.open("alice").await;
    for hour in 0..7 * 24 {
        assert!(bench.find(busy.expose()).await.is_some(), "hour {hour}");
        bench.clock.advance(HOUR);
    }
    assert!(bench.find(busy.expose()).await.is_none(), "after a week");

    let before = bench.open("alice").await;
    let shorter = Sessions {
        lifetimes: SessionLifetimes {
            idle: HOUR,
            absolute: HOUR,
        },
        ..bench.sessions.clone()
    };
    bench.clock.advance(HOUR);
    assert!(shorter.find(before.expose()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_page_is_not_a_write() {
    let bench = bench().await;
    let cookie = bench.open("alice").await;
    let opened = bench.find(cookie.expose()).await.unwrap().seen_at;
    bench.clock.advance(TOUCH.saturating_sub(SECOND));
    assert_eq!(bench.find(cookie.expose()).await.unwrap().seen_at, opened);
    bench.clock.advance(SECOND);
    let touched = bench.find(cookie.expose()).await.unwrap().seen_at;
    assert_eq!(touched, bench.clock.now());
}

#[tokio::test]
async fn sec_st_06_no_cookie_is_in_the_store() {
    let bench = bench().await;
    let cookie = bench.open("alice").await;
    let value = base64url::decode_strict(cookie.expose()).unwrap();
    let bare = portcullis_oauth::crypto::sha256(&value);
    for key in [value.as_slice(), cookie.expose().as_bytes(), &bare] {
        let found = bench.records.get::<SessionRecord>(key).await.unwrap();
        assert!(found.is_none());
    }
    let listed = bench.records.list::<SessionRecord>(None, 10).await.unwrap();
    let kept = portcullis_oauth::json::to_string(&listed.items[0]).unwrap();
    assert!(!kept.contains(cookie.expose()), "{kept}");
    let id = base64url::encode(listed.items[0].id);
    assert!(bench.find(&id).await.is_none(), "its digest opens nothing");
    assert!(!format!("{cookie:?}").contains(cookie.expose()));
}

#[tokio::test]
async fn what_is_no_cookie_of_ours_opens_nothing() {
    let bench = bench().await;
    let cookie = bench.open("alice").await;
    let text = cookie.expose();
    let long = "A".repeat(100_000);
    let padded = format!("{text}=");
    for other in ["", "A", &long, &padded, text.get(1..).unwrap(), "ä"] {
        assert!(bench.find(other).await.is_none());
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_end_at_once() {
    let bench = bench().await;
    let mut hers = Vec::new();
    for _ in 0..3 {
        hers.push(bench.open("alice").await);
        bench.clock.advance(HOUR);
    }
    let bob = bench.open("bob").await;
    let alice = Subject::parse("alice").unwrap();
    let listed = bench.sessions.list(&alice).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed[0].seen_at > listed[2].seen_at, "the last one first");
    // As a new password does, together with grants.
    let family = Family::new("user", "alice");
    bench.records.delete_family(&family).await.unwrap();
    for cookie in &hers {
        assert!(bench.find(cookie.expose()).await.is_none());
    }
    assert!(bench.find(bob.expose()).await.is_some());
}

/// The one that was used longest ago makes room, in the commit of the login.
#[tokio::test]
async fn sec_ds_08_a_user_has_so_many_sessions_and_no_more() {
    let bench = bench().await;
    let alice = Subject::parse("alice").unwrap();
    let (first, bobs) = (bench.open("alice").await, bench.open("bob").await);
    let mut all = Vec::new();
    for n in 1..3 * MOST {
        bench.clock.advance(SECOND);
        all.push(bench.open("alice").await);
        let open = bench.sessions.list(&alice).await.unwrap().len();
        assert_eq!(open, MOST.min(n + 1), "{n}");
    }
    assert!(bench.find(first.expose()).await.is_none());
    assert!(bench.find(bobs.expose()).await.is_some());
    let latest = all.split_off(all.len() - MOST);
    for cookie in &latest {
        assert!(bench.find(cookie.expose()).await.is_some());
    }
    // What is used stays, however old it is.
    bench.clock.advance(TOUCH);
    let (used, _) = latest.split_first().unwrap();
    assert!(bench.find(used.expose()).await.is_some());
    for _ in 1..MOST {
        let _ = bench.open("alice").await;
    }
    assert!(bench.find(used.expose()).await.is_some());
    // With what is in the place of another there are no more than before.
    let old = bench.find(used.expose()).await.unwrap();
    let next = bench.sessions.open(&user("alice"), None, Some(&old)).await;
    assert!(bench.find(next.unwrap().expose()).await.is_some());
    assert_eq!(bench.sessions.list(&alice).await.unwrap().len(), MOST - 1);
}

/// One that cannot be read among them would be noticed.
#[tokio::test]
async fn a_login_reads_no_other_session() {
    let bench = bench().await;
    let family = of_user(&Subject::parse("alice").unwrap());
    let odd = Odd {
        family: family.clone(),
    };
    assert!(bench.records.insert_new(&odd).await.unwrap());
    let listed = bench
        .records
        .list_family::<SessionRecord>(&family, None, 10);
    assert!(listed.await.is_err(), "it cannot be read");
    let cookie = bench.open("alice").await;
    assert!(bench.find(cookie.expose()).await.is_some());
}

/// No session, in the place of one.
#[derive(Serialize, Deserialize)]
struct Odd {
    #[serde(skip, default = "nobody")]
    family: Family,
}

fn nobody() -> Family {
    Family::new("nobody", "")
}

impl Record for Odd {
    const COLLECTION: Collection = SessionRecord::COLLECTION;

    fn key(&self) -> Cow<'_, [u8]> {
        b"odd".into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }

    fn families(&self) -> Vec<Family> {
        vec![self.family.clone()]
    }
}

/// One user, whose generation can be raised.
struct Raised(u64);

impl Authenticate for Raised {
    async fn authenticate(&self, _: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        Ok(Authentication::Refused)
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        Ok(Some(User::new(subject.clone()).generation(self.0)))
    }
}

#[tokio::test]
async fn sec_rt_11_a_new_password_ends_sessions() {
    let bench = bench().await;
    let cookie = bench.open("alice").await;
    let session = bench.find(cookie.expose()).await.unwrap();
    let before = SharedUsers::new(Raised(0)).of_session(&session).await;
    assert!(before.unwrap().is_some());
    let after = SharedUsers::new(Raised(1)).of_session(&session).await;
    assert!(after.unwrap().is_none());
}
