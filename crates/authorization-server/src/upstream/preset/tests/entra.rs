//! Microsoft Entra ID and Azure AD B2C.

use portcullis_oauth::scopes;

use super::*;

const OTHER_DIRECTORY: &str = "22222222-2222-2222-2222-222222222222";
const AT: &str = "https://login.microsoftonline.com";

/// What becomes of a login at `tenant` with an ID token of `issuer` that names `directory`.
async fn login(tenant: &str, issuer: &str, directory: &str) -> Result<Login, UpstreamError> {
    let web = Web::start().await;
    with_keys(&web, &format!("{AT}/{tenant}/discovery/v2.0/keys"));
    let claims = json!({"sub": "pairwise", "oid": "object", "tid": directory, "ver": "2.0"});
    let id_token = id_token(&web, &format!("{AT}/{issuer}/v2.0"), &claims);
    let answer = answer_with(&id_token, "api://our-client/notes.read openid email");
    web.json(&format!("{AT}/{tenant}/oauth2/v2.0/token"), &answer);
    redeem(&client(&web, AzureProvider::upstream(tenant))).await
}

#[tokio::test]
async fn e1_e4_entra_never_sees_resource_and_gets_the_secret() {
    let web = Web::start().await;
    let client = client(&web, AzureProvider::upstream(DIRECTORY));
    let url = client
        .authorization_url(&ask(&scopes!["notes.read"]))
        .await
        .unwrap();
    assert!(!url.contains("resource="), "{url}");
    redeem(&client).await.unwrap_err();
    client
        .refresh(&old_tokens(), &subject("u"))
        .await
        .unwrap_err();
    let token = web.seen(&format!("{AT}/{DIRECTORY}/oauth2/v2.0/token"));
    assert_eq!(token.len(), 2);
    for request in token {
        assert_eq!(request.field("resource"), None);
        assert_eq!(request.authorization, "Basic b3VyLWNsaWVudDpvdXItc2VjcmV0");
    }
}

#[tokio::test]
async fn e2_access_tokens_of_both_versions_come_with_an_id_token_of_version_2() {
    let web = Web::start().await;
    with_keys(&web, &format!("{AT}/{DIRECTORY}/discovery/v2.0/keys"));
    let claims = json!({"sub": "pairwise", "tid": DIRECTORY});
    let id_token = id_token(&web, &format!("{AT}/{DIRECTORY}/v2.0"), &claims);
    let client = client(&web, AzureProvider::upstream(DIRECTORY));
    for (issuer, audience) in [
        (
            format!("https://sts.windows.net/{DIRECTORY}/"),
            "api://our-client",
        ),
        (format!("{AT}/{DIRECTORY}/v2.0"), CLIENT),
    ] {
        let access = web
            .idp
            .token()
            .typ("JWT")
            .issuer(&issuer)
            .audience(audience);
        let mut answer = answer_with(&id_token, "openid");
        answer["access_token"] = access.claim("scp", "notes.read").sign().into();
        web.json(&format!("{AT}/{DIRECTORY}/oauth2/v2.0/token"), &answer);
        let login = redeem(&client).await.unwrap();
        assert_eq!(evidence(&login).access_token["iss"], issuer);
        assert_eq!(evidence(&login).subject.as_str(), "pairwise");
    }
}

#[tokio::test]
async fn e3_scopes_have_a_prefix_there_and_none_here() {
    let login = login(DIRECTORY, DIRECTORY, DIRECTORY).await.unwrap();
    assert_eq!(
        login.tokens.scope,
        Some(scopes!["notes.read", "openid", "email"])
    );
    let web = Web::start().await;
    let client = client(&web, AzureProvider::upstream(DIRECTORY));
    let asked = scopes![
        "notes.read",
        "email",
        "https://graph.microsoft.com/User.Read"
    ];
    let url = client.authorization_url(&ask(&asked)).await.unwrap();
    let (_, query) = url.split_once('?').unwrap();
    let pairs = super::web::pairs(query);
    let (_, scope) = pairs.iter().find(|(name, _)| name == "scope").unwrap();
    for word in [
        "api://our-client/notes.read",
        "email",
        "https://graph.microsoft.com/User.Read",
        "openid",
        "offline_access",
    ] {
        assert!(
            scope.split(' ').any(|known| known == word),
            "{word} in {scope}"
        );
    }
}

#[tokio::test]
async fn sec_px_09_entra_tells_one_directory_from_another() {
    let person = "9188040d-6c67-4c5b-b112-36a304b66dad";
    for (tenant, issuer, directory, comes) in [
        (DIRECTORY, DIRECTORY, DIRECTORY, true),
        (DIRECTORY, OTHER_DIRECTORY, OTHER_DIRECTORY, false),
        ("common", OTHER_DIRECTORY, OTHER_DIRECTORY, true),
        ("organizations", DIRECTORY, DIRECTORY, true),
        // The issuer is another one than the token's directory.
        ("common", DIRECTORY, OTHER_DIRECTORY, false),
        ("common", "{tenantid}", "{tenantid}", false),
        ("consumers", person, person, true),
        ("consumers", DIRECTORY, DIRECTORY, false),
    ] {
        let came = login(tenant, issuer, directory).await;
        assert_eq!(
            came.is_ok(),
            comes,
            "{tenant} {issuer} {directory}: {came:?}"
        );
    }
}

#[test]
fn sec_px_09_a_shared_directory_is_everybodys() {
    let anybody = |tenant: &str| AzureProvider::upstream(tenant).multi_tenant;
    assert!(
        ["common", "organizations", "consumers", "Common"]
            .into_iter()
            .all(anybody)
    );
    assert!(!anybody(DIRECTORY));
    for tenant in [
        "",
        "contoso.onmicrosoft.com",
        "../common",
        "common/x",
        "11111111",
    ] {
        let faults = faults(AzureProvider::upstream(tenant));
        assert!(
            faults.iter().any(|fault| fault.field() == "tenant_id"),
            "{tenant}"
        );
    }
}

#[tokio::test]
async fn a_national_cloud_has_its_own_hosts() {
    let web = Web::start().await;
    let upstream = AzureProvider::upstream_at("login.microsoftonline.us", DIRECTORY);
    let url = client(&web, upstream)
        .authorization_url(&ask(&scopes!["a"]))
        .await
        .unwrap();
    let there = format!("https://login.microsoftonline.us/{DIRECTORY}/oauth2/v2.0/authorize?");
    assert!(web.there(&url).starts_with(&there), "{url}");
}

#[tokio::test]
async fn b2c_has_an_issuer_that_names_the_directory() {
    let flow = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_signin";
    for (issuer, is_right) in [(DIRECTORY, true), (OTHER_DIRECTORY, false)] {
        let web = Web::start().await;
        with_keys(&web, &format!("{flow}/discovery/v2.0/keys"));
        let issuer = format!("https://contoso.b2clogin.com/{issuer}/v2.0/");
        let id_token = id_token(&web, &issuer, &json!({"sub": "u", "tfp": "B2C_1_signin"}));
        let scope = "https://contoso.onmicrosoft.com/our-client/notes.read";
        web.json(
            &format!("{flow}/oauth2/v2.0/token"),
            &answer_with(&id_token, scope),
        );
        let b2c = AzureB2cProvider::upstream("contoso", DIRECTORY, "B2C_1_signin");
        let login = redeem(&client(&web, b2c)).await;
        assert_eq!(login.is_ok(), is_right, "{issuer}");
        if let Ok(login) = login {
            assert_eq!(login.tokens.scope, Some(scopes!["notes.read"]));
        }
    }
}
