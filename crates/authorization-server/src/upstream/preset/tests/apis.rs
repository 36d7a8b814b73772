//! Providers whose API tells who the user is.

use portcullis_oauth::scopes;

use super::*;

#[tokio::test]
async fn discord_says_verified_and_whose_token_it_is() {
    let web = Web::start().await;
    let answer = json!({
        "access_token": "6qrZcUqja7812RVdnEKjpzOL4CvHBFG", "token_type": "Bearer",
        "expires_in": 604_800, "refresh_token": "D43f5y0ahjqew82jZ4NViEr2YafMKhue",
        "scope": "identify email",
    });
    web.json("https://discord.com/api/oauth2/token", &answer);
    let user = json!({
        "id": "80351110224678912", "username": "nelly", "global_name": null,
        "email": "nelly@example.com", "verified": true,
    });
    web.json("https://discord.com/api/users/@me", &user);
    let guilds = json!([{"id": "197038439483310086", "name": "Testers"}]);
    web.json("https://discord.com/api/users/@me/guilds", &guilds);
    let client = client(&web, DiscordProvider::upstream());
    let login = redeem(&client).await.unwrap();
    let evidence = evidence(&login);
    assert_eq!(evidence.subject.as_str(), "80351110224678912");
    assert_eq!(evidence.profile["email_verified"], true);
    assert_eq!(evidence.organisations, ["197038439483310086"]);
    assert_eq!(client.display(evidence), "nelly");
    for (app, is_ours) in [(CLIENT, true), ("another-app", false)] {
        let check = json!({"application": {"id": app}, "scopes": ["identify"]});
        web.json("https://discord.com/api/oauth2/@me", &check);
        let checked = client.recheck(&login.tokens, evidence).await;
        assert_eq!(checked.is_ok(), is_ours, "{app}");
    }
    assert!(
        client
            .check_issuer(Some("https://discord.example"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn linear_is_asked_by_graphql_with_commas_and_a_secret_in_the_body() {
    let web = Web::start().await;
    let answer = json!({
        "access_token": "lin_oauth_1", "token_type": "Bearer", "expires_in": 86_399,
        "refresh_token": "lin_refresh_1", "scope": "read write",
    });
    web.json("https://api.linear.app/oauth/token", &answer);
    let viewer = json!({"data": {"viewer": {
        "id": "a1", "name": "Ada", "email": "ada@example.com",
        "organization": {"id": "o1", "urlKey": "your-workspace"},
    }}});
    web.json("https://api.linear.app/graphql", &viewer);
    let client = client(&web, LinearProvider::upstream());
    let url = client
        .authorization_url(&ask(&scopes!["read", "write"]))
        .await
        .unwrap();
    assert!(url.contains("scope=read%2Cwrite"), "{url}");
    let login = redeem(&client).await.unwrap();
    assert_eq!(login.tokens.scope, Some(scopes!["read", "write"]));
    assert_eq!(evidence(&login).subject.as_str(), "a1");
    assert_eq!(evidence(&login).organisations, ["your-workspace"]);
    let asked = web.seen("https://api.linear.app/oauth/token").remove(0);
    assert_eq!(asked.field("client_secret").as_deref(), Some("our-secret"));
    let asked = web.seen("https://api.linear.app/graphql").remove(0);
    assert_eq!(asked.authorization, "Bearer lin_oauth_1");
    assert!(asked.body.contains("viewer"), "{}", asked.body);
}
