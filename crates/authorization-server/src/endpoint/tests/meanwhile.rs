//! What ends while something is made of it: whichever comes first, nothing lives on.

use std::sync::Arc;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use portcullis_oauth::{
    ClientId, SeededEntropy, SharedClock, SharedEntropy, Subject, Timestamp, scopes,
};
use portcullis_resource_server::Unavailable;
use portcullis_store::{MemoryStore, Records, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::FaultyStore;

use super::server::{Answer, REDIRECT, START, Server, verifier};
use super::world::RESOURCE;
use crate::client::Registrations;
use crate::grant::Approval;
use crate::grant::record::GrantRecord;
use crate::users::accounts::{AccountName, NewAccount};
use crate::users::{Accounts, Attempt, Authenticate, Authentication, User};

/// How long a redemption looks for its user, in turns of others.
const TURNS: usize = 12;
/// It is over after fewer.
const LATEST: usize = 3 * TURNS;

/// Users who are found slowly, so that all may happen while one redeems.
struct Slowly(Accounts);

impl Authenticate for Slowly {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        self.0.authenticate(attempt).await
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        let found = self.0.find(subject).await;
        turns(TURNS).await;
        found
    }
}

async fn turns(some: usize) {
    for _ in 0..some {
        tokio::task::yield_now().await;
    }
}

/// A server on a store that lets others run at each operation, and the same store in other hands.
async fn server() -> (Server, Records) {
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(3));
    let clock: SharedClock = Arc::new(portcullis_oauth::MockClock::at(START));
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&*entropy).unwrap();
    let handle = StoreHandle::new(store as Arc<dyn Store>, keys);
    let beside = handle.clone().open(clock.clone(), entropy.clone());
    let beside = beside.await.unwrap();
    let users = Accounts::new(beside.clone(), clock, entropy).unwrap();
    let server = Server::with(|builder| builder.store(handle).users(Slowly(users))).await;
    (server, beside)
}

/// A client that registers itself, and has been used today: its next use writes nothing of it.
async fn client(server: &Server, subject: &Subject) -> String {
    let body = format!(r#"{{"redirect_uris":["{REDIRECT}"],"token_endpoint_auth_method":"none"}}"#);
    let request = Request::post("/oauth/register")
        .header(HOST, "mcp.example")
        .header(CONTENT_TYPE, "application/json");
    let answer = server.send(request.body(Body::from(body)).unwrap()).await;
    let id = answer.text("client_id");
    let code = code(server, &id, subject).await;
    let used = server.redeem(&id, &code, &[]).await;
    assert_eq!(used.status, StatusCode::OK, "{used:?}");
    id
}

async fn code(server: &Server, client: &str, subject: &Subject) -> String {
    let mut interaction = [0; 16];
    server.context.entropy.fill(&mut interaction).unwrap();
    let approval = Approval {
        interaction,
        session: [7; 32],
        client: ClientId::parse(client).unwrap(),
        redirect_uri: portcullis_oauth::RedirectUri::parse(REDIRECT).unwrap(),
        code_challenge: verifier().challenge(),
        scope: scopes!["read"],
        resource: portcullis_oauth::ResourceUrl::parse(RESOURCE).unwrap(),
        subject: subject.clone(),
        generation: 0,
        authenticated_at: Timestamp::from_secs(START),
        refresh: true,
        address: None,
    };
    let code = server
        .context
        .ledger
        .approve(&approval, None)
        .await
        .unwrap();
    code.expose().to_owned()
}

async fn user(beside: &Records, at: usize) -> (Accounts, AccountName, Subject) {
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(100 + u64::try_from(at).unwrap()));
    let clock: SharedClock = Arc::new(portcullis_oauth::MockClock::at(START));
    let accounts = Accounts::new(beside.clone(), clock, entropy).unwrap();
    let name = AccountName::parse(&format!("user-{at}")).unwrap();
    let password = "four words nobody guesses".into();
    let account = accounts.add(NewAccount::new(name.clone(), password)).await;
    let subject = Subject::parse(account.unwrap().subject.as_str()).unwrap();
    (accounts, name, subject)
}

/// What was answered may be worth something only for as long as nothing has ended.
async fn nothing_lives(server: &Server, answer: &Answer, at: usize) {
    if answer.status == StatusCode::OK {
        let token = answer.text("access_token");
        assert_eq!(server.call(&token).await, StatusCode::UNAUTHORIZED, "{at}");
    }
    let left = server.context.records.count::<GrantRecord>().await.unwrap();
    assert_eq!(left, 0, "{at}");
}

#[tokio::test]
async fn sec_rv_02_a_client_that_is_revoked_meanwhile_keeps_no_grant() {
    let (server, beside) = server().await;
    let (_, _, subject) = user(&beside, 0).await;
    let mut answered = 0;
    for later in 0..LATEST {
        let id = client(&server, &subject).await;
        let code = code(&server, &id, &subject).await;
        let revoke = async {
            turns(later).await;
            let id = ClientId::parse(&id).unwrap();
            Registrations::new(beside.clone()).revoke(&id).await
        };
        let (answer, revoked) = tokio::join!(server.redeem(&id, &code, &[]), revoke);
        assert!(revoked.unwrap(), "{later}");
        answered += usize::from(answer.status == StatusCode::OK);
        nothing_lives(&server, &answer, later).await;
    }
    assert!(
        (1..LATEST).contains(&answered),
        "{answered}: no race was run"
    );
}

#[tokio::test]
async fn sec_rt_11_a_user_who_is_disabled_meanwhile_keeps_no_grant() {
    let (server, beside) = server().await;
    let mut answered = 0;
    for later in 0..LATEST {
        let (accounts, name, subject) = user(&beside, later).await;
        let id = client(&server, &subject).await;
        let code = code(&server, &id, &subject).await;
        let disable = async {
            turns(later).await;
            accounts.set_disabled(&name, true).await
        };
        let (answer, disabled) = tokio::join!(server.redeem(&id, &code, &[]), disable);
        disabled.unwrap();
        answered += usize::from(answer.status == StatusCode::OK);
        nothing_lives(&server, &answer, later).await;
    }
    assert!(
        (1..LATEST).contains(&answered),
        "{answered}: no race was run"
    );
}
