//! Google.

use portcullis_oauth::scopes;

use super::*;

const TOKEN: &str = "https://oauth2.googleapis.com/token";

fn claims() -> Value {
    json!({
        "sub": "110169484474386276334", "azp": CLIENT, "hd": "example.com",
        "email": "ada@example.com", "email_verified": true, "name": "Ada",
    })
}

async fn google(claims: &Value) -> (Web, UpstreamClient) {
    let web = Web::start().await;
    with_keys(&web, "https://www.googleapis.com/oauth2/v3/certs");
    let id_token = id_token(&web, "https://accounts.google.com", claims);
    let scope = "openid https://www.googleapis.com/auth/userinfo.email \
                 https://www.googleapis.com/auth/userinfo.profile";
    web.json(TOKEN, &answer_with(&id_token, scope));
    web.json(
        "https://openidconnect.googleapis.com/v1/userinfo",
        &self::claims(),
    );
    let client = client(&web, GoogleProvider::upstream());
    (web, client)
}

#[tokio::test]
async fn t9_google_is_asked_for_a_refresh_token_in_its_own_way() {
    let (web, client) = google(&claims()).await;
    let scope = scopes!["openid", "email", "offline_access"];
    let url = client.authorization_url(&ask(&scope)).await.unwrap();
    assert!(url.contains("access_type=offline"), "{url}");
    assert!(url.contains("prompt=consent"), "{url}");
    assert!(!url.contains("offline_access"), "{url}");
    drop(web);
}

#[tokio::test]
async fn google_writes_scopes_as_urls_and_its_domain_as_hd() {
    let (_web, client) = google(&claims()).await;
    let login = redeem(&client).await.unwrap();
    assert_eq!(
        login.tokens.scope,
        Some(scopes!["openid", "email", "profile"])
    );
    assert_eq!(
        login.tokens.refresh_token.as_ref().unwrap().expose(),
        "upstream-refresh"
    );
    let evidence = evidence(&login);
    assert_eq!(evidence.subject.as_str(), "110169484474386276334");
    assert_eq!(evidence.id_token["hd"], "example.com");
    assert_eq!(client.domain_claim(), Some("hd"));
    assert!(client.is_multi_tenant());
}

#[tokio::test]
async fn sec_px_17_a_google_token_of_another_app_is_no_login() {
    for (claim, value) in [("aud", "another-app"), ("iss", "https://accounts.example")] {
        let mut claims = claims();
        claims[claim] = value.into();
        let (_web, client) = google(&claims).await;
        let refused = redeem(&client).await.unwrap_err();
        assert!(
            matches!(refused, UpstreamError::Invalid(_)),
            "{claim}: {refused}"
        );
    }
}
