//! What each preset sends: the browser away, and to the token endpoint at a login and at a refresh.

use std::fmt::Write as _;

use portcullis_oauth::crypto::base64;
use portcullis_oauth::scopes;

use super::metadata::{self, Metadata};
use super::web::{Web, pairs};
use super::*;

/// All requests of a login and a refresh, as on the real web.
async fn requests(upstream: Upstream, metadata: Option<Metadata>, scope: ScopeSet) -> String {
    let web = Web::start().await;
    if let Some(metadata) = metadata {
        web.document(metadata.url, &metadata.document);
    }
    let client = client(&web, upstream);
    let url = client.authorization_url(&ask(&scope)).await.unwrap();
    let url = web.there(&url);
    let (page, query) = url.split_once('?').unwrap();
    let mut text = format!("GET {page}\n");
    write(&mut text, &pairs(query));
    client.redeem(&code(), &proof()).await.unwrap_err();
    client
        .refresh(&old_tokens(), &subject("u"))
        .await
        .unwrap_err();
    for seen in web.posts() {
        writeln!(text, "{} {}", seen.method, seen.url).unwrap();
        if let Some(basic) = seen.authorization.strip_prefix("Basic ") {
            assert_eq!(basic, base64::encode("our-client:our-secret"));
            writeln!(text, "    Authorization: Basic our-client:our-secret").unwrap();
        }
        write(&mut text, &seen.form());
    }
    web.there(&text)
}

fn write(text: &mut String, pairs: &[(String, String)]) {
    for (name, value) in pairs {
        writeln!(text, "    {name} = {value}").unwrap();
    }
}

macro_rules! sends {
    ($name:ident, $upstream:expr, $metadata:expr, $scope:expr) => {
        #[tokio::test]
        async fn $name() {
            let text = requests($upstream, $metadata, $scope).await;
            insta::with_settings!({
                snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true,
            }, {
                insta::assert_snapshot!(stringify!($name), text);
            });
        }
    };
}

fn openid() -> ScopeSet {
    scopes!["openid", "profile", "email"]
}

sends!(google, GoogleProvider::upstream(), None, openid());
sends!(
    github,
    GitHubProvider::upstream(),
    None,
    scopes!["read:user", "user:email"]
);
sends!(
    azure,
    AzureProvider::upstream(DIRECTORY),
    None,
    scopes!["notes.read", "email"]
);
sends!(
    azure_b2c,
    AzureB2cProvider::upstream("contoso", DIRECTORY, "B2C_1_signin"),
    None,
    scopes!["notes.read"]
);
sends!(
    auth0,
    Auth0Proxy::upstream("tenant.eu.auth0.com", "https://api.example.com"),
    Some(metadata::auth0()),
    openid()
);
sends!(
    okta,
    OktaProvider::upstream("https://example.okta.com/oauth2/default"),
    Some(metadata::okta()),
    openid()
);
sends!(
    keycloak,
    KeycloakProxy::upstream("https://sso.example.com/realms/staff"),
    Some(metadata::keycloak()),
    openid()
);
sends!(
    workos,
    WorkOSProvider::upstream("https://example.authkit.app"),
    Some(metadata::workos()),
    openid()
);
sends!(
    cognito,
    CognitoProvider::upstream("eu-central-1_AbCdEf"),
    Some(metadata::cognito()),
    scopes!["openid"]
);
sends!(
    clerk,
    ClerkProvider::upstream("example.clerk.accounts.dev"),
    Some(metadata::clerk()),
    openid()
);
sends!(
    gitlab,
    GitLabProvider::upstream(),
    Some(metadata::gitlab()),
    openid()
);
sends!(
    discord,
    DiscordProvider::upstream(),
    None,
    scopes!["identify"]
);
sends!(
    slack,
    SlackProvider::upstream(),
    Some(metadata::slack()),
    openid()
);
sends!(
    linear,
    LinearProvider::upstream(),
    None,
    scopes!["read", "write"]
);
sends!(
    hugging_face,
    HuggingFaceProvider::upstream(),
    Some(metadata::hugging_face()),
    scopes!["openid", "profile"]
);
sends!(
    oci,
    OciProvider::upstream("https://idcs-0123.identity.oraclecloud.com"),
    Some(metadata::oci()),
    scopes!["openid"]
);
