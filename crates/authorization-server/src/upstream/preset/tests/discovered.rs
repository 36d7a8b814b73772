//! Providers that are known by their configuration.

use super::*;

/// A login at a provider whose configuration is known, with an ID token of these claims.
async fn login(
    (upstream, metadata): (Upstream, metadata::Metadata),
    claims: Value,
    userinfo: Value,
) -> (Web, UpstreamClient, Result<Login, UpstreamError>) {
    let web = Web::start().await;
    let text = |member: &str| metadata.document[member].as_str().unwrap().to_owned();
    web.document(metadata.url, &metadata.document);
    with_keys(&web, &text("jwks_uri"));
    web.json(&text("userinfo_endpoint"), &userinfo);
    let id_token = id_token(&web, &text("issuer"), &claims);
    web.json(
        &text("token_endpoint"),
        &answer_with(&id_token, "openid profile email"),
    );
    let client = client(&web, upstream);
    let login = redeem(&client).await;
    (web, client, login)
}

#[tokio::test]
async fn auth0_has_a_slash_at_the_end_of_its_issuer() {
    for domain in [
        "tenant.eu.auth0.com",
        "https://tenant.eu.auth0.com/",
        "https://tenant.eu.auth0.com/.well-known/openid-configuration",
    ] {
        let auth0 = Auth0Proxy::upstream(domain, "https://api.example.com");
        let claims = json!({"sub": "auth0|1", "name": "Ada", "org_id": "org_1"});
        let (_web, client, login) = login((auth0, metadata::auth0()), claims.clone(), claims).await;
        let login = login.unwrap();
        assert_eq!(evidence(&login).organisations, ["org_1"]);
        assert!(!client.is_multi_tenant());
    }
}

#[test]
fn the_organizations_own_server_at_okta_is_refused() {
    for issuer in [
        "https://example.okta.com",
        "https://example.okta.com/",
        "https://example.okta.com/oauth2",
        "https://example.okta.com/oauth2/",
        "https://example.okta.com/oauth2/default/v1",
    ] {
        let faults = faults(OktaProvider::upstream(issuer));
        let hint = faults.iter().find_map(ConfigError::hint);
        assert!(
            hint.is_some_and(|hint| hint.contains("/oauth2/default")),
            "{issuer}"
        );
    }
    let custom = OktaProvider::upstream("https://example.okta.com/oauth2/aus1");
    assert!(faults(custom).is_empty());
}

#[tokio::test]
async fn t8_cognito_keeps_its_refresh_token_and_has_groups_of_its_own_name() {
    let cognito = CognitoProvider::upstream("eu-central-1_AbCdEf");
    let claims = json!({
        "sub": "u", "token_use": "id", "cognito:groups": ["admins"],
        "cognito:username": "ada", "email": "ada@example.com", "email_verified": true,
    });
    let userinfo = json!({"sub": "u", "email": "ada@example.com", "email_verified": "true"});
    let (web, client, login) = login((cognito, metadata::cognito()), claims, userinfo).await;
    let mut tokens = login.unwrap();
    assert_eq!(evidence(&tokens).id_token["groups"], json!(["admins"]));
    assert_eq!(evidence(&tokens).id_token["preferred_username"], "ada");
    // It answers a refresh without a refresh token and without a scope.
    let access = web
        .idp
        .token()
        .typ("JWT")
        .claim("token_use", "access")
        .sign();
    let answer = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600});
    web.json(
        "https://example.auth.eu-central-1.amazoncognito.com/oauth2/token",
        &answer,
    );
    tokens.tokens.id_token = None;
    let refreshed = client.refresh(&tokens.tokens, &subject("u")).await.unwrap();
    let kept = refreshed.tokens.refresh_token.unwrap();
    assert_eq!(kept.expose(), "upstream-refresh");
    assert_eq!(refreshed.tokens.scope, tokens.tokens.scope);
}

#[tokio::test]
async fn slack_names_the_workspace() {
    let claims = json!({"sub": "U0JM", "name": "Ada", "https://slack.com/team_id": "T0RR"});
    let slack = (SlackProvider::upstream(), metadata::slack());
    let (_web, client, login) = login(slack, claims.clone(), claims).await;
    assert_eq!(evidence(&login.unwrap()).organisations, ["T0RR"]);
    assert!(client.is_multi_tenant());
}

#[tokio::test]
async fn r_35_an_error_with_status_200_ends_a_login_at_slack() {
    let claims = json!({"sub": "U0JM", "name": "Ada"});
    let slack = (SlackProvider::upstream(), metadata::slack());
    let (web, client, login) = login(slack, claims.clone(), claims).await;
    login.unwrap();
    let token = "https://slack.com/api/openid.connect.token";
    web.json(token, &json!({"ok": false, "error": "invalid_code"}));
    let refused = redeem(&client).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Ended), "{refused}");
    let user = "https://slack.com/api/openid.connect.userInfo";
    web.json(user, &json!({"ok": false, "error": "token_revoked"}));
    let ended = client
        .recheck(&old_tokens(), &known("U0JM"))
        .await
        .unwrap_err();
    assert!(matches!(ended, UpstreamError::Ended), "{ended}");
    web.json(user, &json!({"ok": false, "error": "ratelimited"}));
    let busy = client
        .recheck(&old_tokens(), &known("U0JM"))
        .await
        .unwrap_err();
    assert!(matches!(busy, UpstreamError::Unavailable(_)), "{busy}");
}

#[tokio::test]
async fn hugging_face_lists_organisations_in_userinfo_and_takes_public_apps() {
    let claims = json!({"sub": "6", "name": "Ada", "preferred_username": "ada"});
    let mut userinfo = claims.clone();
    userinfo["orgs"] = json!([
        {"sub": "1", "preferred_username": "your-org"}, {"sub": "2", "preferred_username": "b"},
    ]);
    let hugging_face = (HuggingFaceProvider::upstream(), metadata::hugging_face());
    let (web, _, login) = login(hugging_face, claims, userinfo).await;
    assert_eq!(evidence(&login.unwrap()).organisations, ["b", "your-org"]);
    let mut public = parts(web.moved(HuggingFaceProvider::upstream()));
    public.authentication = UpstreamAuthentication::None;
    redeem(&UpstreamClient::new(public).unwrap()).await.unwrap();
    let asked = web.posts().pop().unwrap();
    assert_eq!(asked.field("client_id").as_deref(), Some(CLIENT));
    assert_eq!(asked.field("code_verifier").as_deref(), Some(VERIFIER));
    assert_eq!(asked.authorization, "");
}

#[tokio::test]
async fn all_of_oracles_domains_have_one_issuer() {
    let at = "https://idcs-0123.identity.oraclecloud.com";
    let claims = json!({
        "sub": "Ada - Dev Domain", "user_displayname": "Ada", "tok_type": "IT", "azp": CLIENT,
        "aud": ["https://identity.oraclecloud.com/", CLIENT],
    });
    let oci = (OciProvider::upstream(at), metadata::oci());
    let (_web, client, login) = login(oci, claims.clone(), claims.clone()).await;
    assert_eq!(client.display(evidence(&login.unwrap())), "Ada");
    let mut other = metadata::oci();
    other.document["issuer"] = at.into();
    let (_web, _, login) =
        self::login((OciProvider::upstream(at), other), claims.clone(), claims).await;
    assert!(login.is_err());
}

#[tokio::test]
async fn keycloaks_realm_roles_are_roles() {
    let keycloak = KeycloakProxy::upstream("https://sso.example.com/realms/staff/");
    let claims = json!({
        "sub": "f:1", "name": "Ada", "realm_access": {"roles": ["admin", "staff"]},
    });
    let keycloak = (keycloak, metadata::keycloak());
    let (_web, _, login) = login(keycloak, claims.clone(), claims).await;
    let login = login.unwrap();
    assert_eq!(
        evidence(&login).id_token["roles"],
        json!(["admin", "staff"])
    );
}

#[tokio::test]
async fn work_os_and_clerk_are_plain_openid_providers() {
    let claims = json!({"sub": "user_01", "name": "Ada", "org_id": "org_01"});
    let work_os = WorkOSProvider::upstream("example.authkit.app");
    let (web, _, came) = login(
        (work_os, metadata::workos()),
        claims.clone(),
        claims.clone(),
    )
    .await;
    assert_eq!(evidence(&came.unwrap()).organisations, ["org_01"]);
    let asked = web.posts().pop().unwrap();
    assert_eq!(asked.field("client_secret").as_deref(), Some("our-secret"));
    let clerk = ClerkProvider::upstream("https://example.clerk.accounts.dev/");
    let (_web, _, came) = login((clerk, metadata::clerk()), claims.clone(), claims).await;
    assert_eq!(evidence(&came.unwrap()).subject.as_str(), "user_01");
}

#[tokio::test]
async fn gitlab_tells_all_groups_in_userinfo() {
    let claims = json!({"sub": "7", "name": "Ada", "groups_direct": ["a/b"]});
    let userinfo = json!({"sub": "7", "name": "Ada", "groups": ["a", "a/b"]});
    let gitlab = (GitLabProvider::upstream(), metadata::gitlab());
    let (_web, client, login) = login(gitlab, claims, userinfo).await;
    assert_eq!(
        evidence(&login.unwrap()).profile["groups"],
        json!(["a", "a/b"])
    );
    assert!(client.is_multi_tenant());
    assert!(!GitLabProvider::upstream_at("https://gitlab.example.com").multi_tenant);
    assert!(GitLabProvider::upstream_at("gitlab.com/").multi_tenant);
}
