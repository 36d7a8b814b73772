//! What the tests of clients share: a world with a store and a clock, and a host that strangers own.

mod assertion;
mod authentication;
mod documents;
mod known;
mod registration;
mod remembered;
mod site;
mod strangers;
mod tls;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::json::{self, Value};
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::register::RegistrationResponse;
use portcullis_oauth::{
    ClientId, Clock as _, Issuer, MockClock, SeededEntropy, SharedClock, SharedEntropy, Timestamp,
    scopes,
};
use portcullis_store::{Committed, MemoryStore, Records, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::FaultyStore;

use super::credentials::Presented;
use super::{
    AuthenticatedClient, Client, ClientAuthenticationError, ClientSettings, Clients, ClientsParts,
    DocumentPolicy, RedirectCeiling, RegisterError, Registration, RegistrationPolicy,
};
use crate::limits::Standing;

pub(super) const ISSUER: &str = "https://auth.example.com";
pub(super) const TOKEN_ENDPOINT: &str = "https://auth.example.com/oauth/token";
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A server's clients, with the store and the clock in the test's hands.
pub(super) struct World {
    pub(super) clients: Clients,
    pub(super) clock: Arc<MockClock>,
    pub(super) records: Records,
    /// The same store, in other hands.
    pub(super) beside: Records,
}

async fn opened(store: &StoreHandle, clock: &Arc<MockClock>) -> Records {
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(7));
    let clock = Arc::clone(clock) as SharedClock;
    store.clone().open(clock, entropy).await.unwrap()
}

pub(super) fn settings() -> ClientSettings {
    ClientSettings {
        issuer: Issuer::parse(ISSUER).unwrap(),
        token_endpoint: TOKEN_ENDPOINT.to_owned(),
        registry: None,
        configured: Vec::new(),
        registration: RegistrationPolicy::new(),
        documents: DocumentPolicy::new().allow_loopback(true),
        ceiling: RedirectCeiling::default(),
        fetcher: None,
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The client is granted something for an hour.
    pub(super) async fn use_once(&self, client: &Client) {
        self.use_until(client, self.clock.now().saturating_add(HOUR))
            .await;
    }

    /// The client is granted something until then.
    pub(super) async fn use_until(&self, client: &Client, end: Timestamp) {
        let proven = self.posted(&[("client_id", client.id.as_str())]).await;
        if let Some(used) = self.clients.use_of(&proven.unwrap(), end).await.unwrap() {
            let noted = used.with(self.records.batch()).commit().await;
            assert_eq!(noted.unwrap(), Committed::Yes);
        }
    }

    pub(super) async fn with(change: impl FnOnce(&mut ClientSettings)) -> Self {
        Self::on(MemoryStore::new().into(), change).await
    }

    /// The same on that store.
    pub(super) async fn on(store: StoreHandle, change: impl FnOnce(&mut ClientSettings)) -> Self {
        let clock = Arc::new(MockClock::at(NOW));
        let records = opened(&store, &clock).await;
        Self {
            beside: opened(&store, &clock).await,
            ..Self::over(records, clock, change)
        }
    }

    /// One whose store fails when it is told to.
    pub(super) async fn faulty(
        change: impl FnOnce(&mut ClientSettings),
    ) -> (Self, Arc<FaultyStore>) {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
        let handle = StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys);
        (Self::on(handle, change).await, store)
    }

    /// Another replica, or the same one after a restart.
    pub(super) fn replica(&self, change: impl FnOnce(&mut ClientSettings)) -> Self {
        Self::over(self.records.clone(), self.clock.clone(), change)
    }

    fn over(
        records: Records,
        clock: Arc<MockClock>,
        change: impl FnOnce(&mut ClientSettings),
    ) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let shared: SharedClock = clock.clone();
        let entropy: SharedEntropy = Arc::new(SeededEntropy::new(11));
        let checked = settings.check().unwrap();
        Self {
            clients: Clients::new(ClientsParts {
                settings: checked,
                records: records.clone(),
                is_strict: false,
                clock: shared,
                entropy,
            }),
            clock,
            beside: records.clone(),
            records,
        }
    }

    pub(super) async fn register(&self, body: &str) -> Result<RegistrationResponse, RegisterError> {
        self.register_with(body, None).await
    }

    pub(super) async fn register_with(
        &self,
        body: &str,
        token: Option<&str>,
    ) -> Result<RegistrationResponse, RegisterError> {
        let scopes = scopes!["notes:read", "notes:write"];
        let request = Registration {
            body: body.as_bytes(),
            token,
            scopes: &scopes,
        };
        self.clients.register(request).await
    }

    /// Registers, and reads the answer as a client does.
    pub(super) async fn registered(&self, body: &str) -> Value {
        let answer = self.register(body).await.unwrap().to_json().unwrap();
        json::from_str(&answer, json::Limits::METADATA).unwrap()
    }

    pub(super) async fn find(&self, id: &str) -> Option<Arc<Client>> {
        self.clients.find(&client_id(id)).await.unwrap()
    }

    pub(super) fn may_redirect(&self, client: &Client, uri: &str) -> bool {
        let uri = RedirectUri::parse(uri).unwrap();
        self.clients.may_redirect(client, &uri)
    }

    /// Authenticates with these parameters, and no header.
    pub(super) async fn posted(
        &self,
        parameters: &[(&str, &str)],
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        self.presented(&HeaderMap::new(), parameters).await
    }

    pub(super) async fn presented(
        &self,
        headers: &HeaderMap,
        parameters: &[(&str, &str)],
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        let form = form::encode(parameters);
        let form = Form::parse(form.as_bytes(), form::Limits::ENDPOINT).unwrap();
        let presented = Presented::read(headers, &form)?;
        self.clients.authenticate(&presented, Standing::First).await
    }

    /// Authenticates with `Authorization: Basic`, each half encoded already.
    pub(super) async fn basic(
        &self,
        id: &str,
        secret: &str,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        let credentials = base64::encode(format!("{id}:{secret}"));
        let headers = authorization(&format!("Basic {credentials}"));
        self.presented(&headers, &[]).await
    }
}

pub(super) fn authorization(value: &str) -> HeaderMap {
    let value = HeaderValue::from_str(value).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}

pub(super) fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

pub(super) fn uris(client: &Client) -> Vec<&str> {
    client
        .redirect_uris
        .iter()
        .map(RedirectUri::as_str)
        .collect()
}

#[track_caller]
pub(super) fn refusal(
    outcome: Result<AuthenticatedClient, ClientAuthenticationError>,
) -> (&'static str, u16, &'static str) {
    let error = outcome.expect_err("it is refused");
    let code = error.wire().code.as_str();
    (code, error.status().as_u16(), error.reason())
}
