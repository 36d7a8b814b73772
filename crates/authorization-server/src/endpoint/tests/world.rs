//! A whole server, with users and clients that a test changes as it likes.

use std::future::ready;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::middleware::map_request;
use axum::response::Response;
use axum::routing::{get, post};
use portcullis_oauth::form::Writer;
use portcullis_oauth::{
    BaseUrl, ClientId, Issuer, MockClock, ResourceUrl, ScopeHierarchy, SecretBytes, SeededEntropy,
    SharedClock, SharedEntropy, Subject, scopes,
};
use portcullis_resource_server::{ClientAddress, Unavailable};
use portcullis_store::{MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::FaultyStore;
use portcullis_testkit::{Browser, Page};

use crate::client::{
    Client, ClientOrigin, ClientRegistry, ClientSettings, Clients, ClientsParts, ConfiguredClient,
    DocumentPolicy, RedirectCeiling, RegistrationPolicy, SharedRegistry,
};
use crate::context::{Context, Shared};
use crate::csrf::Csrf;
use crate::endpoint::browser::BrowserRequest;
use crate::endpoint::fault::Fault;
use crate::endpoint::path::{ACCOUNT, AUTHORIZE, CONSENT, LOGIN, LOGOUT, SHOWN};
use crate::endpoint::shell::visit;
use crate::endpoint::visitor::Visitor;
use crate::endpoint::{account, authorize, consent, login, logout, shown};
use crate::event::Events;
use crate::grant::Ledger;
use crate::grant::ledger::LedgerParts;
use crate::identity::Identity;
use crate::keyring::{Keyring, KeyringSettings};
use crate::limits::{Counts, Limits, RateLimits};
use crate::provider::Settings;
use crate::resources::{Known, Resources};
use crate::session::{SessionLifetimes, Sessions};
use crate::ui::cookie::CookieNames;
use crate::ui::{Pages, Theme};
use crate::users::{Attempt, Authenticate, Authentication, Persona, SharedUsers, User};

pub(super) const BASE: &str = "https://mcp.example";
pub(super) const RESOURCE: &str = "https://mcp.example/mcp";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// A client that the operator configured.
pub(super) const DESK: (&str, &str) = ("desk", "https://desk.example/cb");
/// A client that registered itself.
pub(super) const APP: (&str, &str) = ("app-1", "http://127.0.0.1/cb");

/// A server and those who use it.
pub(super) struct World {
    pub(super) context: Shared,
    pub(super) clock: Arc<MockClock>,
    pub(super) clients: Book,
    pub(super) people: People,
    /// Where requests come from; nobody knows unless a test says.
    pub(super) address: Arc<Mutex<Option<ClientAddress>>>,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(MemoryStore::new().into(), change).await
    }

    /// One whose store fails when it is told to.
    pub(super) async fn faulty() -> (Self, Arc<FaultyStore>) {
        let memory = StoreHandle::from(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(memory.store()));
        let keys = SealingKeys::generate(&SeededEntropy::new(2)).unwrap();
        let handle = StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys);
        (Self::on(handle, |_| {}).await, store)
    }

    async fn on(store: StoreHandle, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(MockClock::at(1_800_000_000));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let entropy: SharedEntropy = Arc::new(SeededEntropy::new(1));
        let base = BaseUrl::parse(BASE).unwrap();
        let mut settings = Settings::new(Issuer::parse(BASE).unwrap(), base.clone());
        settings.scopes = Some(scopes!["notes:read", "notes:write", "admin"]);
        settings.default_scopes = Some(scopes!["notes:read"]);
        change(&mut settings);
        let settings = Arc::new(settings);

        let records = store.open(shared.clone(), entropy.clone()).await.unwrap();
        let (clients, people) = (Book::default(), People::default());
        clients.put(known(DESK, ClientOrigin::Configured));
        clients.put(known(APP, ClientOrigin::Registered));
        let client_settings = ClientSettings {
            issuer: settings.issuer.clone(),
            token_endpoint: format!("{BASE}/oauth/token"),
            registry: Some(SharedRegistry::new(clients.clone())),
            configured: Vec::new(),
            registration: RegistrationPolicy::default(),
            documents: DocumentPolicy::default(),
            ceiling: RedirectCeiling::default(),
            fetcher: None,
        };
        let resources = Resources::new(&settings);
        resources.add(resource(RESOURCE));
        let events = Arc::new(Events::new(shared.clone()));
        let device_key = SecretBytes::new(records.derive("device cookie"));
        let counts = Arc::new(Counts::new(shared.clone(), &entropy).unwrap());
        let limits = Limits::new(RateLimits::default(), counts, device_key, entropy.clone());
        let key_settings = KeyringSettings::new().clock(shared.clone());
        let keyring = Keyring::open(&records, key_settings).await.unwrap();
        let context = Context {
            ledger: Arc::new(Ledger::new(LedgerParts {
                records: records.clone(),
                events: Arc::clone(&events),
                lifetimes: settings.lifetimes,
                broker: None,
                configured: std::collections::BTreeSet::new(),
                is_strict: false,
                clock: shared.clone(),
                entropy: entropy.clone(),
            })),
            clients: Clients::new(ClientsParts {
                settings: client_settings.check().unwrap(),
                records: records.clone(),
                is_strict: false,
                clock: shared.clone(),
                entropy: entropy.clone(),
            }),
            identity: Identity::Users(SharedUsers::new(people.clone())),
            sessions: Sessions::new(
                records.clone(),
                SessionLifetimes::default(),
                shared.clone(),
                entropy.clone(),
            ),
            limits,
            pages: Arc::new(Pages::new(&Theme::default(), &base).unwrap()),
            cookies: CookieNames::for_base(&base),
            csrf: Csrf::new(records.derive("csrf")),
            verifier: keyring.verifier(&settings.issuer).unwrap(),
            keyring,
            accounts: None,
            resources: Arc::new(resources),
            settings,
            records,
            events,
            clock: shared,
            entropy,
        };
        Self {
            context: Arc::new(context),
            clock,
            clients,
            people,
            address: Arc::default(),
        }
    }

    /// All requests come from there.
    pub(super) fn from(&self, address: &str) {
        let address = ClientAddress::new(address.parse().unwrap());
        *self.address.lock().unwrap() = Some(address);
    }

    /// Somebody's browser.
    pub(super) fn browser(&self) -> Browser {
        let base = BaseUrl::parse(BASE).unwrap();
        let site = site(Arc::clone(&self.context), Arc::clone(&self.address));
        Browser::new(site, &base)
    }

    /// How many decisions were written.
    pub(super) async fn decisions(&self) -> u64 {
        let codes = self
            .context
            .records
            .count::<crate::grant::record::CodeRecord>();
        codes.await.unwrap()
    }
}

/// A form of the login page, filled in.
pub(super) async fn log_in(browser: &Browser, page: &Page, name: &str) -> Page {
    let password = format!("{name}'s own password");
    let fields = [("username", name), ("password", password.as_str())];
    browser.press(page, "Sign in", &fields).await
}

/// From a request to the consent page, by way of the login page.
pub(super) async fn to_consent(browser: &Browser, ask: &Ask) -> Page {
    let page = browser.open(&ask.url()).await;
    let page = log_in(browser, &page, "alice").await;
    assert!(page.has_button("approve"), "{page:?}");
    page
}

/// A request of a client.
#[derive(Clone)]
pub(super) struct Ask(Vec<(String, String)>);

impl Ask {
    /// One without fault.
    pub(super) fn of((client, redirect_uri): (&str, &str)) -> Self {
        let ask = Self(Vec::new())
            .with("response_type", "code")
            .with("client_id", client)
            .with("redirect_uri", redirect_uri)
            .with("code_challenge", CHALLENGE)
            .with("code_challenge_method", "S256");
        ask.with("state", "a state")
            .with("scope", "notes:read notes:write")
    }

    /// With this too.
    pub(super) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this in the place of whatever was there.
    pub(super) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn query(&self) -> String {
        let query = self.0.iter().fold(Writer::new(), |query, (name, value)| {
            query.pair(name, value)
        });
        query.finish()
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.0.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    pub(super) fn url(&self) -> String {
        format!("{AUTHORIZE}?{}", self.query())
    }
}

/// The clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Vec<Client>>>);

impl Book {
    /// Adds a client, or puts it in the place of what it was.
    pub(super) fn put(&self, client: Client) {
        self.remove(client.id.as_str());
        self.0.lock().unwrap().push(client);
    }

    pub(super) fn remove(&self, id: &str) {
        self.0
            .lock()
            .unwrap()
            .retain(|client| client.id.as_str() != id);
    }
}

impl ClientRegistry for Book {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Unavailable> {
        let clients = self.0.lock().unwrap();
        Ok(clients.iter().find(|client| client.id == *id).cloned())
    }
}

/// A client of that id and redirect URI.
pub(super) fn known((id, redirect_uri): (&str, &str), origin: ClientOrigin) -> Client {
    let client = ConfiguredClient::new(id).redirect_uri(redirect_uri);
    let mut client = client.name(format!("The {id}")).build().unwrap();
    client.origin = origin;
    client
}

/// The users: alice and bob, whose passwords name them.
#[derive(Clone, Debug, Default)]
pub(super) struct People(Arc<Mutex<Moods>>);

/// What is the matter with users.
#[derive(Debug, Default)]
pub(super) struct Moods {
    pub(super) gone: Vec<String>,
    pub(super) generation: u64,
    pub(super) scopes: Option<portcullis_oauth::ScopeSet>,
    pub(super) personas: Vec<Persona>,
    pub(super) unavailable: bool,
    pub(super) asked: usize,
}

impl People {
    pub(super) fn set(&self, change: impl FnOnce(&mut Moods)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(super) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    fn user(&self, name: &str) -> Option<User> {
        let moods = self.0.lock().unwrap();
        if moods.gone.iter().any(|gone| gone == name) || !["alice", "bob"].contains(&name) {
            return None;
        }
        let mut user = User::new(Subject::parse(name).unwrap()).generation(moods.generation);
        user.scopes = moods.scopes.clone();
        Some(user)
    }
}

impl Authenticate for People {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        self.set(|moods| moods.asked += 1);
        if self.0.lock().unwrap().unavailable {
            return Err(Unavailable::new("the database sleeps"));
        }
        let name = attempt.username;
        let is_persona = self.personas().iter().any(|persona| persona.name == name);
        let right = attempt
            .password
            .ct_eq(format!("{name}'s own password").as_bytes())
            || (is_persona && attempt.password.ct_eq(name.as_bytes()));
        Ok(self.user(name).filter(|_| right).into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        Ok(self.user(subject.as_str()))
    }

    fn personas(&self) -> Vec<Persona> {
        self.0.lock().unwrap().personas.clone()
    }
}

pub(super) fn resource(url: &str) -> Known {
    Known {
        resource: ResourceUrl::parse(url).unwrap(),
        name: Some("Notes".to_owned()),
        scopes: scopes![],
        required: scopes![],
        hierarchy: ScopeHierarchy::new(),
        is_main: true,
    }
}

async fn begin(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    authorize::post(visitor)
}

async fn look(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    shown::get(visitor)
}

fn site(context: Shared, address: Arc<Mutex<Option<ClientAddress>>>) -> Router {
    macro_rules! to {
        ($handler:path) => {
            async |State(context): State<Shared>, request: Request| -> Response {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 64 * 1024).await.unwrap();
                let request = BrowserRequest::new(parts, body);
                visit(context, request, |visitor| Box::pin($handler(visitor))).await
            }
        };
    }
    Router::new()
        .route(AUTHORIZE, get(to!(authorize::get)).post(to!(begin)))
        .route(LOGIN, get(to!(login::get)).post(to!(login::post)))
        .route(CONSENT, get(to!(consent::get)).post(to!(consent::post)))
        .route(ACCOUNT, get(to!(account::get)).post(to!(account::post)))
        .route(LOGOUT, post(to!(logout::post)))
        .route(SHOWN, get(to!(look)))
        .layer(map_request(move |mut request: Request| {
            if let Some(address) = *address.lock().unwrap() {
                request.extensions_mut().insert(address);
            }
            ready(request)
        }))
        .with_state(context)
}
