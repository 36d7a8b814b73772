//! GitHub.

use axum::http::StatusCode;
use portcullis_oauth::scopes;

use super::*;

const TOKEN: &str = "https://github.com/login/oauth/access_token";
const CHECK: &str = "https://api.github.com/applications/our-client/token";

async fn github() -> (Web, UpstreamClient) {
    let web = Web::start().await;
    let form = "access_token=gho_16C7e42F292c6912E7710c838347Ae178B4a\
                &scope=read%3Auser%2Cuser%3Aemail&token_type=bearer";
    web.answer(
        TOKEN,
        StatusCode::OK,
        "application/x-www-form-urlencoded",
        form,
    );
    let user =
        json!({"login": "octocat", "id": 583_231, "name": null, "email": "anybody@example.com"});
    web.json("https://api.github.com/user", &user);
    let emails = json!([
        {"email": "octocat@github.com", "verified": false, "primary": false},
        {"email": "octocat@example.com", "verified": true, "primary": true},
    ]);
    web.json("https://api.github.com/user/emails", &emails);
    let organisations = json!([{"login": "github", "id": 1}, {"login": "your-org", "id": 2}]);
    web.json(
        "https://api.github.com/user/orgs?per_page=100",
        &organisations,
    );
    let client = client(&web, GitHubProvider::upstream());
    (web, client)
}

#[tokio::test]
async fn r_35_github_separates_scopes_by_commas_in_a_form_without_an_end() {
    let (web, client) = github().await;
    let login = redeem(&client).await.unwrap();
    assert_eq!(login.tokens.scope, Some(scopes!["read:user", "user:email"]));
    assert!(login.tokens.expires_at.is_none() && login.tokens.refresh_token.is_none());
    let answer = json!({
        "access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "scope": "repo,gist", "token_type": "bearer",
    });
    web.json(TOKEN, &answer);
    let login = redeem(&client).await.unwrap();
    assert_eq!(login.tokens.scope, Some(scopes!["repo", "gist"]));
}

#[tokio::test]
async fn an_enterprise_server_has_its_api_beside_its_pages() {
    let web = Web::start().await;
    let enterprise = GitHubProvider::upstream_at("github.example.com");
    let answer = json!({"access_token": "gho_1", "scope": "", "token_type": "bearer"});
    let token = "https://github.example.com/login/oauth/access_token";
    web.json(token, &answer);
    let api = "https://github.example.com/api/v3/user";
    web.json(api, &json!({"login": "ada", "id": 7}));
    web.json(&format!("{api}/emails"), &json!([]));
    web.json(
        &format!("{api}/orgs?per_page=100"),
        &json!([{"login": "staff"}]),
    );
    let client = client(&web, enterprise);
    let login = redeem(&client).await.unwrap();
    assert_eq!(evidence(&login).subject.as_str(), "7");
    assert_eq!(evidence(&login).organisations, ["staff"]);
    assert!(!client.is_multi_tenant());
    let check = "https://github.example.com/api/v3/applications/our-client/token";
    web.json(check, &json!({"app": {"client_id": CLIENT}}));
    client.recheck(&old_tokens(), &known("7")).await.unwrap();
}

#[tokio::test]
async fn r_35_github_refuses_with_status_200() {
    let (web, client) = github().await;
    for (word, is_over) in [
        ("bad_verification_code", true),
        ("incorrect_client_credentials", false),
        ("redirect_uri_mismatch", false),
    ] {
        web.json(
            TOKEN,
            &json!({"error": word, "error_description": "The text."}),
        );
        match redeem(&client).await.unwrap_err() {
            UpstreamError::Ended if is_over => {}
            UpstreamError::OurFault if !is_over => {}
            other => panic!("{word}: {other}"),
        }
    }
}

#[tokio::test]
async fn sec_px_09_a_github_user_is_a_number_and_an_address_is_a_verified_one() {
    let (_web, client) = github().await;
    let login = redeem(&client).await.unwrap();
    let evidence = evidence(&login);
    assert_eq!(evidence.subject.as_str(), "583231");
    assert_eq!(evidence.profile["email"], "octocat@example.com");
    assert_eq!(evidence.profile["email_verified"], true);
    assert_eq!(evidence.profile["preferred_username"], "octocat");
    assert_eq!(client.display(evidence), "octocat");
}

#[tokio::test]
async fn sec_px_10_github_is_asked_for_organisations_with_the_users_token() {
    let (web, client) = github().await;
    let login = redeem(&client).await.unwrap();
    assert_eq!(evidence(&login).organisations, ["github", "your-org"]);
    let asked = web.seen("https://api.github.com/user/orgs?per_page=100");
    assert_eq!(
        asked[0].authorization,
        "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a"
    );
    let url = client
        .authorization_url(&ask(&scopes!["read:user"]))
        .await
        .unwrap();
    assert!(url.contains("read%3Aorg"), "{url}");
    let mut without = parts(web.moved(GitHubProvider::upstream()));
    without.wants = Wants::default();
    let client = UpstreamClient::new(without).unwrap();
    let url = client
        .authorization_url(&ask(&scopes!["read:user"]))
        .await
        .unwrap();
    assert!(!url.contains("read%3Aorg"), "{url}");
}

#[tokio::test]
async fn sec_px_17_github_says_whether_a_token_is_good_and_ours() {
    let (web, client) = github().await;
    let (tokens, user) = (old_tokens(), known("583231"));
    for (app, is_ours) in [(CLIENT, true), ("another-app", false)] {
        web.json(
            CHECK,
            &json!({"id": 1, "token": "", "app": {"client_id": app}}),
        );
        let checked = client.recheck(&tokens, &user).await;
        assert_eq!(checked.is_ok(), is_ours, "{app}");
        let asked = web.seen(CHECK).pop().unwrap();
        assert_eq!(asked.body, r#"{"access_token":"old-access"}"#);
        assert_eq!(asked.authorization, "Basic b3VyLWNsaWVudDpvdXItc2VjcmV0");
    }
    let gone = r#"{"message":"Not Found","status":"404"}"#;
    web.answer(CHECK, StatusCode::NOT_FOUND, "application/json", gone);
    let ended = client.recheck(&tokens, &user).await.unwrap_err();
    assert!(matches!(ended, UpstreamError::Ended), "{ended}");
}

#[tokio::test]
async fn github_takes_tokens_back_by_an_endpoint_of_its_own() {
    let (web, client) = github().await;
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        web.answer(CHECK, status, "application/json", "");
        client.revoke(&old_tokens()).await;
        let seen = web.seen(CHECK).pop().unwrap();
        assert_eq!(seen.method, "DELETE");
        assert!(
            seen.authorization.starts_with("Basic "),
            "{}",
            seen.authorization
        );
        let token = old_tokens().access_token.expose().to_owned();
        assert_eq!(seen.body, json!({ "access_token": token }).to_string());
    }
    assert_eq!(web.seen(CHECK).len(), 2, "one request each");
    assert!(!client.revocation_ends_all());
}
