use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EndpointUrl, RedirectPattern};
use portcullis_resource_server::Unavailable;

use super::super::profile::PROFILES;
use super::super::{
    AuthenticationMethod, Client, ClientRegistry, ClientSettings, ConfiguredClient, GrantType,
    RedirectCeiling, SharedRegistry,
};
use super::{World, client_id, settings};

#[test]
fn each_profile_can_be_read_and_none_allows_much() {
    for profile in PROFILES {
        assert!(!profile.name.is_empty());
        for pattern in profile.redirect_uris {
            let pattern = RedirectPattern::parse(pattern).unwrap();
            for uri in [
                "https://evil.example/cb",
                "https://claude.ai/",
                "cursor://evil/cb",
            ] {
                assert!(
                    !pattern.matches(&RedirectUri::parse(uri).unwrap()),
                    "{pattern}"
                );
            }
        }
        for url in profile.urls {
            assert!(EndpointUrl::parse(url).is_ok(), "{url}");
        }
    }
}

#[test]
fn the_ceiling_knows_well_known_clients() {
    let ceiling = RedirectCeiling::default();
    let allows = |uri: &str| ceiling.allows(&RedirectUri::parse(uri).unwrap(), None);
    for uri in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "claude://claude.ai/mcp-auth-callback/sdk",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://chatgpt.com/connector/oauth/kDmjx77UnKOM",
        "https://vscode.dev/redirect",
        "cursor://anysphere.cursor-retrieval/oauth/user-abc/callback",
        "http://127.0.0.1:33418/",
        "http://[::1]:1/x",
        "http://localhost:6274/oauth/callback",
        "http://127.0.0.2:1/x",
    ] {
        assert!(allows(uri), "{uri}");
    }
    for uri in [
        "https://chatgpt.com/connector/oauth/a/b",
        "https://chatgpt.com/connector/oauth/",
        "https://chatgpt.com.evil.example/connector/oauth/a",
        "https://evil.example/",
        "com.example:/cb",
    ] {
        assert!(!allows(uri), "{uri}");
    }
}

#[test]
fn sec_ru_02_nothing_is_added_to_a_well_known_address() {
    let ceiling = RedirectCeiling::default();
    for uri in [
        "https://vscode.dev/redirect?x=https://evil.example",
        "https://vscode.dev/redirect?",
        "https://chatgpt.com/connector/oauth/a?b",
        "claude://claude.ai/mcp-auth-callback/sdk?x",
    ] {
        let uri = RedirectUri::parse(uri).unwrap();
        assert!(!ceiling.allows(&uri, None), "{uri}");
    }
}

#[test]
fn sec_ci_10_a_document_speaks_for_its_own_origin() {
    let ceiling = RedirectCeiling::default();
    let document = EndpointUrl::parse("https://app.example/client.json").unwrap();
    let allows = |uri: &str| ceiling.allows(&RedirectUri::parse(uri).unwrap(), Some(&document));
    assert!(allows("https://app.example/cb") && allows("https://app.example:443/cb"));
    for uri in [
        "https://www.app.example/cb",
        "https://app.example:8443/cb",
        "https://evil.example/cb",
    ] {
        assert!(!allows(uri), "{uri}");
    }
    let only = RedirectCeiling::only([RedirectPattern::parse("http://localhost").unwrap()]);
    let own = RedirectUri::parse("https://app.example/cb").unwrap();
    assert!(
        !only.allows(&own, Some(&document)),
        "a list replaces the rest"
    );
}

#[tokio::test]
async fn the_operators_own_redirect_uris_are_not_below_the_ceiling() {
    let world = World::with(|settings| {
        settings.ceiling = RedirectCeiling::only([]);
        settings.configured = vec![
            ConfiguredClient::new("a")
                .redirect_uri("zed:/cb")
                .redirect_uri("https://a.example/cb"),
        ];
    })
    .await;
    let client = world.find("a").await.unwrap();
    assert!(world.may_redirect(&client, "https://a.example/cb"));
    assert!(!world.may_redirect(&client, "https://a.example/cb2"));
}

#[test]
fn a_configured_client_that_cannot_work_is_a_mistake() {
    let base = || ConfiguredClient::new("a").redirect_uri("https://a.example/cb");
    assert!(base().build().is_ok());
    let secret = || ClientSecret::new("3kTqm1yXw0pZ4n7cR8sUvA");
    for (client, fault) in [
        (ConfiguredClient::new("a"), "it has no redirect URI"),
        (ConfiguredClient::new(""), "an identifier cannot be empty"),
        (
            base().redirect_uri("http://a.example/"),
            "redirect URI `http://a.example/`: `https` is required except on a loopback address",
        ),
        (
            base().redirect_uri("javascript:/x"),
            "redirect URI `javascript:/x`: this scheme is never a redirect URI's",
        ),
        (
            base().uri("http://a.example"),
            "the home page is an `https` URL",
        ),
        (base().grant_types([]), "it has no grant type"),
        (base().authentication([]), "it has no way to authenticate"),
        (
            base().authentication([AuthenticationMethod::ClientSecretPost]),
            "it has no secret",
        ),
        (
            base().authentication([AuthenticationMethod::PrivateKeyJwt]),
            "it has no keys",
        ),
        (
            base().assertion_algorithm(Algorithm::Hs256),
            "the algorithm of its assertions is a symmetric one",
        ),
    ] {
        assert_eq!(client.build().unwrap_err().fault(), fault);
    }
    let both = base().secret(secret()).build().unwrap();
    assert_eq!(
        both.authentication,
        [
            AuthenticationMethod::ClientSecretBasic,
            AuthenticationMethod::ClientSecretPost
        ]
    );
}

#[test]
fn sec_ex_01_client_credentials_need_credentials() {
    let machine = || ConfiguredClient::new("m").grant_types([GrantType::CLIENT_CREDENTIALS]);
    assert_eq!(
        machine().build().unwrap_err().fault(),
        "`client_credentials` needs a secret or keys"
    );
    let with_secret = machine()
        .secret(ClientSecret::new("3kTqm1yXw0pZ4n7cR8sUvA"))
        .build()
        .unwrap();
    assert!(with_secret.may_use(GrantType::CLIENT_CREDENTIALS));
    assert!(!with_secret.may_use(GrantType::AUTHORIZATION_CODE));
}

#[test]
fn settings_with_a_mistake_are_refused_before_anything_starts() {
    let mut twice = settings();
    twice.configured = (0..2)
        .map(|_| ConfiguredClient::new("a").redirect_uri("https://a.example/"))
        .collect();
    let faults = |settings: ClientSettings| settings.check().unwrap_err().to_string();
    assert_eq!(faults(twice), "client `a`: it is configured twice");
    for host in [
        "",
        "*",
        "*.",
        "https://a.example",
        "A.example",
        "a.example/x",
        "*.*.example",
        "client.example.",
    ] {
        let mut bad = settings();
        bad.documents = super::DocumentPolicy::new().allow_hosts([host]);
        assert!(faults(bad).starts_with("`documents`: "), "{host:?}");
    }
}

struct Mine;

impl ClientRegistry for Mine {
    async fn find(&self, id: &ClientId) -> Result<Option<Client>, Unavailable> {
        let client = |id: &str| {
            ConfiguredClient::new(id)
                .redirect_uri("https://mine.example/cb")
                .build()
                .ok()
        };
        match id.as_str() {
            "mine" | "confused" => Ok(client("mine")),
            "down" => Err(Unavailable::new("the database is down")),
            "hangs" => std::future::pending().await,
            _ => Ok(None),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sec_dr_03_a_registry_answers_for_the_id_it_was_asked_for() {
    let world = World::with(|settings| {
        settings.registry = Some(SharedRegistry::new(Mine));
        settings.configured = ["mine", "other"]
            .map(|id| ConfiguredClient::new(id).redirect_uri("https://configured.example/cb"))
            .into();
    })
    .await;
    let mine = world.find("mine").await.unwrap();
    assert!(
        world.may_redirect(&mine, "https://mine.example/cb"),
        "it is asked first"
    );
    let other = world.find("other").await.unwrap();
    assert!(world.may_redirect(&other, "https://configured.example/cb"));
    assert!(world.find("confused").await.is_none());
    for id in ["down", "hangs"] {
        assert!(world.clients.find(&client_id(id)).await.is_err(), "{id}");
    }
}

#[test]
fn sec_key_17_a_guessable_client_secret_is_refused() {
    let build = |secret: &str| {
        let client = ConfiguredClient::new("a").redirect_uri("https://a.example/cb");
        client.secret(ClientSecret::new(secret)).build()
    };
    for guessable in [
        "",
        "secret",
        "3kTqm1yXw0pZ4n7cR8sUv",
        "0123456789abcdef0123456789abcde",
        "change-me-before-you-go-live-please",
    ] {
        let error = build(guessable).unwrap_err();
        assert!(error.hint().is_some() && !error.to_string().contains("go-live"));
    }
    assert!(build("3kTqm1yXw0pZ4n7cR8sUvA").is_ok());
}

#[test]
fn a_digest_covers_all_that_a_user_decides_upon() {
    let base = || {
        ConfiguredClient::new("a")
            .name("A")
            .redirect_uri("https://a.example/cb")
    };
    let digest = |client: ConfiguredClient| client.build().unwrap().digest();
    let first = digest(base());
    assert_eq!(first, digest(base()));
    for other in [
        base().name("B"),
        base().uri("https://a.example/"),
        base().redirect_uri("https://a.example/cb2"),
        base().secret(ClientSecret::new("3kTqm1yXw0pZ4n7cR8sUvA")),
        base().assertion_algorithm(Algorithm::Es256),
        base().grant_types([GrantType::AUTHORIZATION_CODE]),
        base().keys_at(EndpointUrl::parse("https://a.example/jwks").unwrap()),
        ConfiguredClient::new("b")
            .name("A")
            .redirect_uri("https://a.example/cb"),
    ] {
        assert_ne!(first, digest(other.clone()), "{other:?}");
    }
}
