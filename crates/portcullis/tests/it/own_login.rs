//! A server of ours at which users log in, from the first request of a client to the revocation.

use std::sync::Arc;

use axum::http::StatusCode;
use portcullis::auth::{
    Attempt, Authenticate, Authentication, BaseUrl, ConfiguredClient, MemoryStore, OAuthProvider,
    Subject, Unavailable, User,
};
use portcullis::{AccessToken, Error, Server, Tool, scopes};
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{form, pkce::CodeVerifier};
use portcullis_testkit::{Browser, MockClock, Page, SeededEntropy, Visit};

use crate::support::{BASE, Mcp};

const CALLBACK: &str = "http://127.0.0.1:4711/callback";
const PASSWORD: &str = "correct horse battery staple";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// `alice`, by the one password.
struct Household;

impl Authenticate for Household {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let is_right = attempt.password.ct_eq(PASSWORD.as_bytes());
        let user = Subject::parse(attempt.username).ok().filter(|_| is_right);
        Ok(user.filter(is_alice).map(alice).into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        Ok(Some(subject.clone()).filter(is_alice).map(alice))
    }
}

fn is_alice(subject: &Subject) -> bool {
    subject.as_str() == "alice"
}

fn alice(subject: Subject) -> User {
    User::new(subject).name("Alice").claim("role", "editor")
}

fn server() -> Server {
    let provider = OAuthProvider::builder()
        .base_url(BASE)
        .users(Household)
        .store(MemoryStore::new())
        .scope_text("notes:write", "Write notes in your name")
        .client(ConfiguredClient::new("notebook").redirect_uri(CALLBACK))
        .clock(Arc::new(MockClock::at(1_790_000_000)))
        .entropy(Arc::new(SeededEntropy::new(11)))
        .build()
        .unwrap();
    let whoami = async |user: AccessToken| {
        let role = user.claim::<String>("role").unwrap_or_default();
        format!("{}, {role}, {}", user.subject(), user.scopes())
    };
    Server::new("notes")
        .tool(Tool::new("whoami", whoami))
        .tool(Tool::new("add_note", async || "noted").require_scopes(scopes!["notes:write"]))
        .auth(provider)
}

/// From the authorization request to the way back.
async fn code(browser: &Browser) -> String {
    let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
    let query = form::encode(&[
        ("response_type", "code"),
        ("client_id", "notebook"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("state", "abc"),
    ]);
    let page = browser.open(&format!("/oauth/authorize?{query}")).await;
    let fields = [("username", "alice"), ("password", PASSWORD)];
    let page = browser.press(&page, "Sign in", &fields).await;
    // The scopes that can be granted are those of the tools, in the words for users.
    assert!(page.text.contains("Write notes in your name"), "{page:?}");
    let back = browser.press(&page, "approve", &[]).await;
    back.answer().required("code").unwrap().to_owned()
}

async fn back_channel(browser: &Browser, path: &str, fields: &[(&str, &str)]) -> Page {
    let mut fields = fields.to_vec();
    fields.push(("client_id", "notebook"));
    let request = Visit::post(path, &fields).without_header("origin");
    let answer = browser.visit(request.without_cookies()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

#[tokio::test]
async fn users_log_in_at_a_server_that_issues_its_own_tokens() {
    let router = server().into_router().unwrap();
    let browser = Browser::new(router.clone(), &BaseUrl::parse(BASE).unwrap());
    let mcp = Mcp(router);
    let refused = mcp.post(None, "tools/list", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    assert!(refused.challenge().contains(metadata), "{refused:?}");

    let code = code(&browser).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = back_channel(&browser, "/oauth/token", &fields).await;
    let tokens: Value = crate::support::parsed(&tokens.text);
    let token = tokens["access_token"].as_str().unwrap();

    let answer = mcp.call(Some(token), "whoami", json!({})).await.json();
    let said = &answer["result"]["content"][0]["text"];
    assert_eq!(said, "alice, editor, notes:write");

    back_channel(&browser, "/oauth/revoke", &[("token", token)]).await;
    let refused = mcp.call(Some(token), "whoami", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.challenge().contains("invalid_token"), "{refused:?}");
}

#[cfg(all(feature = "sqlite", unix))]
#[tokio::test]
async fn a_folder_that_others_can_read_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.join(format!("own-login-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let opened = portcullis::auth::DiskStore::open(&folder).await;
    let error = Error::from(opened.unwrap_err());
    std::fs::remove_dir_all(&folder).unwrap();
    let shown = format!("{error:?}");
    assert!(shown.contains("own-login-"), "{shown}");
    assert!(shown.contains("hint: "), "{shown}");
}
