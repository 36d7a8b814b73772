use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::Params;
use portcullis_oauth::{Clock as _, MockClock, SecretString, SeededEntropy, scopes};
use portcullis_store::{Family, MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::{Fault, FaultyStore};

use super::change::Next;
use super::*;
use crate::users::{Attempt, Authenticate as _, Authentication, User};

const GOOD: &str = "the sea is green in winter";
const OTHER: &str = "the sea is grey in summer";

struct Bench {
    accounts: Accounts,
    records: Records,
    clock: Arc<MockClock>,
}

async fn bench() -> Bench {
    bench_on(StoreHandle::from(MemoryStore::new())).await
}

async fn bench_on(store: StoreHandle) -> Bench {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let shared: SharedClock = clock.clone();
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(21));
    let opened = store.open(SharedClock::clone(&shared), SharedEntropy::clone(&entropy));
    let records = opened.await.unwrap();
    let accounts = cheap(&records, &shared, &entropy, 1);
    Bench {
        accounts,
        records,
        clock,
    }
}

/// Accounts whose passwords cost next to nothing.
fn cheap(records: &Records, clock: &SharedClock, entropy: &SharedEntropy, passes: u32) -> Accounts {
    let pepper = SecretBytes::new(records.derive("password pepper"));
    let params = Params::new(64, passes, 1, Some(32)).unwrap();
    let inner = Inner {
        hasher: Hasher::with_params(pepper, &**entropy, params).unwrap(),
        records: records.clone(),
        policy: PasswordPolicy::default(),
        clock: SharedClock::clone(clock),
        entropy: SharedEntropy::clone(entropy),
        ended: OnceLock::new(),
    };
    Accounts {
        inner: Arc::new(inner),
    }
}

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

impl Bench {
    async fn add(&self, text: &str) -> Account {
        let new = NewAccount::new(name(text), GOOD.into());
        self.accounts.add(new).await.unwrap()
    }

    async fn change(&self, text: &str, password: &str) -> Result<(), AccountError> {
        self.accounts
            .set_password(&name(text), &password.into())
            .await
    }

    async fn log_in(&self, text: &str, password: &str) -> Option<User> {
        log_in(&self.accounts, text, password).await
    }

    async fn find(&self, account: &Account) -> Option<User> {
        let subject = Subject::parse(&account.subject).unwrap();
        self.accounts.find(&subject).await.unwrap()
    }

    async fn stored(&self, account: &Account) -> AccountRecord {
        let read = self.records.get(account.subject.as_bytes()).await;
        read.unwrap().map(Stored::into_inner).unwrap()
    }

    /// Stores what belongs to a user.
    async fn keep(&self, account: &Account) {
        let of = account.subject.clone();
        self.records.put(&Grant { of }).await.unwrap();
    }

    /// Whether that is still there.
    async fn keeps(&self, account: &Account) -> bool {
        let read = self.records.get::<Grant>(account.subject.as_bytes()).await;
        read.unwrap().is_some()
    }
}

async fn log_in(accounts: &Accounts, text: &str, password: &str) -> Option<User> {
    let password = SecretString::from(password);
    match accounts
        .authenticate(&Attempt::new(text, &password))
        .await
        .unwrap()
    {
        Authentication::Complete(user) => Some(user),
        Authentication::Refused => None,
    }
}

#[tokio::test]
async fn whoever_has_the_password_is_the_user() {
    let bench = bench().await;
    let new = NewAccount::new(name("Alice@example.com"), GOOD.into())
        .display_name("Alice Liddell")
        .role("admin")
        .scopes(scopes!["notes:read"]);
    let account = bench.accounts.add(new).await.unwrap();
    for spelling in [
        "Alice@example.com",
        "alice@EXAMPLE.com",
        " alice@example.com ",
    ] {
        let user = bench.log_in(spelling, GOOD).await.unwrap();
        assert_eq!(user.subject.as_str(), account.subject);
        assert_eq!(user.name, "Alice Liddell");
        assert_eq!(user.claims["role"], "admin");
        assert_eq!(user.scopes, Some(scopes!["notes:read"]));
    }
    let nobody = ["alice", "bob@example.com", "", "not a name", "älice"];
    for other in nobody {
        assert!(bench.log_in(other, GOOD).await.is_none(), "{other}");
    }
    let long = "a".repeat(5000);
    for wrong in [OTHER, "", "The sea is green in winter", "\n", &long] {
        assert!(bench.log_in("alice@example.com", wrong).await.is_none());
    }
}

#[tokio::test]
async fn sec_op_03_an_unknown_name_costs_what_a_wrong_password_costs() {
    let bench = bench().await;
    bench.add("alice").await;
    let runs = || bench.accounts.inner.hasher.runs.load(Ordering::Relaxed);
    let long = "a".repeat(5000);
    for (account, password) in [
        ("alice", OTHER),
        ("nobody", OTHER),
        ("no name at all", OTHER),
        ("", ""),
        ("alice", ""),
        ("alice", &long),
        ("nobody", &long),
    ] {
        let before = runs();
        assert!(bench.log_in(account, password).await.is_none());
        assert_eq!(runs() - before, 1, "{account}");
    }
}

#[tokio::test]
async fn a_name_is_taken_once_and_a_subject_never_again() {
    let bench = bench().await;
    let first = bench.add("alice").await;
    let again = NewAccount::new(name("ALICE"), OTHER.into());
    let again = bench.accounts.add(again).await;
    assert!(matches!(again, Err(AccountError::Taken)));
    bench.accounts.remove(&name("Alice")).await.unwrap();
    assert!(bench.log_in("alice", GOOD).await.is_none());
    assert!(bench.find(&first).await.is_none());
    let second = bench.add("alice").await;
    assert_ne!(first.subject, second.subject);
    assert!(bench.find(&first).await.is_none());
    assert!(!second.subject.contains("alice"));
}

#[tokio::test]
async fn of_many_who_want_a_name_one_gets_it() {
    let bench = bench().await;
    let all = (0..32).map(|_| {
        bench
            .accounts
            .add(NewAccount::new(name("alice"), GOOD.into()))
    });
    let all = futures_util::future::join_all(all).await;
    let won: Vec<_> = all.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let user = bench.log_in("alice", GOOD).await.unwrap();
    assert_eq!(user.subject.as_str(), won[0].subject);
}

#[tokio::test]
async fn accounts_are_listed_by_name() {
    let bench = bench().await;
    assert!(bench.accounts.is_empty().await.unwrap());
    for text in ["bob", "Carol", "alice"] {
        bench.add(text).await;
    }
    bench.clock.advance(Duration::from_secs(60));
    assert!(bench.log_in("bob", GOOD).await.is_some());
    let listed = bench.accounts.list().await.unwrap();
    let names: Vec<_> = listed.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "Carol"]);
    assert!(!bench.accounts.is_empty().await.unwrap());
    assert_eq!(listed[0].last_login_at, None);
    assert_eq!(listed[1].last_login_at, Some(bench.clock.now()));
    let got = bench.accounts.get(&name("CAROL")).await.unwrap().unwrap();
    assert_eq!(got.subject, listed[2].subject);
    assert!(
        !format!("{listed:?}").contains("argon2"),
        "no hash is shown"
    );
}

/// What else belongs to a user: a grant, say.
#[derive(serde::Serialize, serde::Deserialize)]
struct Grant {
    of: String,
}

impl portcullis_store::Record for Grant {
    const COLLECTION: portcullis_store::Collection = portcullis_store::Collection::new("grant");

    fn key(&self) -> std::borrow::Cow<'_, [u8]> {
        self.of.as_bytes().into()
    }

    fn expires_at(&self) -> Option<portcullis_oauth::Timestamp> {
        None
    }

    fn families(&self) -> Vec<Family> {
        vec![Family::new("user", self.of.clone())]
    }
}

#[tokio::test]
async fn sec_rt_11_a_new_password_ends_sessions_and_grants() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let bob = bench.add("bob").await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    bench
        .accounts
        .on_end(move |subject| tell.lock().unwrap().push(subject.to_string()));
    let alices = || Grant {
        of: alice.subject.clone(),
    };
    let bobs = Grant {
        of: bob.subject.clone(),
    };
    bench.records.put(&bobs).await.unwrap();
    let stands = async |of: &Account| {
        let read = bench.records.get::<Grant>(of.subject.as_bytes()).await;
        read.unwrap().is_some()
    };
    let generation = async || bench.stored(&alice).await.generation;

    bench.records.put(&alices()).await.unwrap();
    bench.change("alice", OTHER).await.unwrap();
    assert!(!stands(&alice).await && generation().await == 1);
    assert!(bench.log_in("alice", GOOD).await.is_none());
    assert_eq!(bench.log_in("alice", OTHER).await.unwrap().generation, 1);

    bench.records.put(&alices()).await.unwrap();
    let called = name("alice");
    let disable = |disabled| bench.accounts.set_disabled(&called, disabled);
    disable(true).await.unwrap();
    assert!(!stands(&alice).await && generation().await == 2);
    bench.records.put(&alices()).await.unwrap();
    disable(false).await.unwrap();
    assert!(!stands(&alice).await && generation().await == 3);

    bench.records.put(&alices()).await.unwrap();
    bench.accounts.remove(&name("alice")).await.unwrap();
    assert!(!stands(&alice).await);
    assert!(stands(&bob).await, "another's");
    assert_eq!(*told.lock().unwrap(), vec![alice.subject.clone(); 4]);

    let weak = bench.change("bob", "short").await;
    assert!(matches!(weak, Err(AccountError::Weak(_))));
    assert!(stands(&bob).await, "nothing changed");
}

/// Nobody knows whether the sessions and grants ended, so nothing goes on to say that they stand.
#[tokio::test]
async fn sec_rv_02_a_change_of_an_account_whose_answer_is_lost_counts() {
    let mut lost = 0;
    for nth in 0..6 {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
        let bench = bench_on(StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys)).await;
        let alice = bench.add("alice").await;
        let told = Arc::new(AtomicUsize::new(0));
        let tell = Arc::clone(&told);
        bench.accounts.on_end(move |_| {
            tell.fetch_add(1, Ordering::SeqCst);
        });
        store.fail(nth, Fault::AnswerLost);
        let disabled = bench.accounts.set_disabled(&name("alice"), true).await;
        store.heal();
        if disabled.is_err() && bench.stored(&alice).await.disabled {
            assert_eq!(told.load(Ordering::SeqCst), 1, "{nth}");
            lost += 1;
        }
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn sec_az_16_a_disabled_account_is_refused() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    assert!(bench.find(&alice).await.is_some());
    bench
        .accounts
        .set_disabled(&name("alice"), true)
        .await
        .unwrap();
    assert!(bench.log_in("alice", GOOD).await.is_none());
    assert!(bench.find(&alice).await.is_none());
    bench
        .accounts
        .set_disabled(&name("alice"), false)
        .await
        .unwrap();
    assert!(bench.log_in("alice", GOOD).await.is_some());
    assert!(bench.find(&alice).await.is_some());
}

#[tokio::test]
async fn sec_az_16_a_login_beside_a_new_password_is_refused() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let read = || async { bench.accounts.read(&name("alice")).await.unwrap().unwrap() };
    let password = || Password::typed(&GOOD.into()).unwrap();

    // The password was compared; before the login is noted, another login is.
    let compared = read().await;
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.log_in("alice", GOOD).await.is_some());
    let beside = bench.accounts.log_in(compared, password()).await;
    assert!(beside.unwrap().is_some());

    // Or the password changes, or the account is disabled, or it is gone.
    let compared = read().await;
    bench.change("alice", OTHER).await.unwrap();
    let beside = bench.accounts.log_in(compared, password()).await;
    assert!(beside.unwrap().is_none());

    let compared = read().await;
    let mut disabled = bench.stored(&alice).await;
    disabled.disabled = true;
    bench.records.put(&disabled).await.unwrap();
    let beside = bench.accounts.log_in(compared, password()).await;
    assert!(beside.unwrap().is_none());

    let compared = read().await;
    bench.accounts.remove(&name("alice")).await.unwrap();
    let beside = bench.accounts.log_in(compared, password()).await;
    assert!(beside.unwrap().is_none());
}

/// 64 logins that never stop, and an account that changes beside them.
async fn beside_logins(
    accounts: &Accounts,
    change: impl AsyncFnOnce() -> Result<(), AccountError>,
) -> Result<(), AccountError> {
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let accounts = accounts.clone();
        logins.spawn(async move {
            let password = SecretString::from(GOOD);
            loop {
                // Some are told to come back in a moment.
                let _ = accounts
                    .authenticate(&Attempt::new("alice", &password))
                    .await;
                tokio::task::yield_now().await;
            }
        });
    }
    // They are under way.
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    let changed = tokio::time::timeout(Duration::from_secs(30), change()).await;
    logins.abort_all();
    changed.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_rt_11_logins_do_not_keep_an_account_from_being_changed() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let called = name("alice");
    // The server logs in; whoever changes is another process.
    let server = &bench.accounts;
    let inner = &server.inner;
    let accounts = cheap(&bench.records, &inner.clock, &inner.entropy, 1);
    for _ in 0..8 {
        let new = async || accounts.set_password(&called, &OTHER.into()).await;
        beside_logins(server, new).await.unwrap();
        // The next round logs in with the password that there is.
        accounts.set_password(&called, &GOOD.into()).await.unwrap();
    }
    let less = async || {
        let few = Some(scopes!["notes:read"]);
        accounts.set_rights(&called, None, few).await
    };
    beside_logins(server, less).await.unwrap();
    let disable = async || accounts.set_disabled(&called, true).await;
    beside_logins(server, disable).await.unwrap();
    accounts.set_disabled(&called, false).await.unwrap();
    let remove = async || accounts.remove(&called).await;
    beside_logins(server, remove).await.unwrap();
    assert!(bench.find(&alice).await.is_none());
}

#[tokio::test]
async fn a_change_is_written_though_the_account_was_hashed_anew() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let read = || async { bench.accounts.read(&name("alice")).await.unwrap().unwrap() };
    let touch = || async {
        let mut touched = bench.stored(&alice).await;
        touched.display_name = Some("Alice".to_owned());
        bench.records.put(&touched).await.unwrap();
    };
    let before = read().await;
    touch().await;
    let gone = bench.accounts.try_change(&before, Next::Gone).await;
    assert!(!gone.unwrap(), "it is not what was read");
    bench.accounts.change(before, |_| Next::Gone).await.unwrap();
    assert!(bench.find(&alice).await.is_none());
}

#[tokio::test]
async fn of_two_new_passwords_at_once_one_is_told_to_look_again() {
    let bench = bench().await;
    bench.add("alice").await;
    let before = bench.accounts.read(&name("alice")).await.unwrap().unwrap();
    bench.change("alice", OTHER).await.unwrap();
    let again = |account: &AccountRecord| Next::Anew(account.clone());
    let second = bench.accounts.change(before, again).await;
    assert!(matches!(second, Err(AccountError::Raced)), "{second:?}");
    assert!(bench.log_in("alice", OTHER).await.is_some());
}

#[tokio::test]
async fn the_last_login_is_known_to_a_minute() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let last = || async {
        let account = bench.accounts.get(&name("alice")).await.unwrap().unwrap();
        let listed = bench.accounts.list().await.unwrap();
        assert_eq!(listed[0].last_login_at, account.last_login_at);
        account.last_login_at.map(|at| at.as_secs() - 1_800_000_000)
    };
    assert_eq!(last().await, None);
    for (pass, expected) in [(0, 0), (59, 0), (1, 60), (60, 120)] {
        bench.clock.advance(Duration::from_secs(pass));
        assert!(bench.log_in("alice", GOOD).await.is_some());
        assert_eq!(last().await, Some(expected), "after {pass} more seconds");
    }
    // One that an earlier version noted in the account is read too.
    let mut older = bench.stored(&alice).await;
    older.last_login_at = Some(1_800_000_000 + 500);
    bench.records.put(&older).await.unwrap();
    assert_eq!(last().await, Some(500));
}

#[tokio::test]
async fn more_rights_come_without_a_new_login() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let (called, role) = (name("alice"), Some("user".to_owned()));
    let given = bench.accounts.set_rights(&called, role, None);
    given.await.unwrap();
    let user = bench.find(&alice).await.unwrap();
    assert_eq!(user.claims["role"], "user");
    assert_eq!(user.generation, 0);
    let unknown = bench.accounts.set_rights(&name("bob"), None, None).await;
    assert!(matches!(unknown, Err(AccountError::Unknown)));
}

#[tokio::test]
async fn sec_rt_11_less_rights_end_sessions_and_grants() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let other = bench.add("bob").await;
    bench.keep(&alice).await;
    bench.keep(&other).await;
    let called = name("alice");
    let give = |scopes| bench.accounts.set_rights(&called, None, scopes);
    give(Some(scopes!["notes:read"])).await.unwrap();
    assert!(!bench.keeps(&alice).await, "sessions and grants are gone");
    assert!(bench.keeps(&other).await, "nobody else's are");
    let user = bench.find(&alice).await.unwrap();
    assert_eq!(user.generation, 1, "nor does what is under way go on");
    bench.keep(&alice).await;
    give(None).await.unwrap();
    assert!(bench.keeps(&alice).await, "all is more");
}

#[tokio::test]
async fn a_login_makes_a_hash_of_todays_costs() {
    let bench = bench().await;
    let alice = bench.add("alice").await;
    let before = bench.stored(&alice).await.password;
    assert!(bench.log_in("alice", GOOD).await.is_some());
    assert_eq!(bench.stored(&alice).await.password, before);

    let inner = &bench.accounts.inner;
    let dearer = cheap(&bench.records, &inner.clock, &inner.entropy, 2);
    assert!(log_in(&dearer, "alice", OTHER).await.is_none());
    assert_eq!(bench.stored(&alice).await.password, before);
    let user = log_in(&dearer, "alice", GOOD).await.unwrap();
    assert_eq!(user.generation, 0, "no session ends");
    let after = bench.stored(&alice).await.password;
    assert!(after.contains("t=2"), "{after}");
    assert!(bench.log_in("alice", GOOD).await.is_some(), "and back");
}

#[tokio::test]
async fn what_is_shown_is_checked() {
    let bench = bench().await;
    let new = || NewAccount::new(name("alice"), GOOD.into());
    for bad in [new().role("a\nb"), new().display_name("\u{202e}nimda")] {
        let refused = bench.accounts.add(bad).await;
        assert!(matches!(refused, Err(AccountError::Text(_))));
    }
    let secret = format!("{:?}", new());
    assert!(!secret.contains(GOOD), "{secret}");
}
