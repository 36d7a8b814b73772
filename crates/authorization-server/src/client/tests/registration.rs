use std::time::Duration;

use portcullis_oauth::json::{Value, json};
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::{Clock as _, RedirectPattern, ScopeSet, SecretString};
use portcullis_testkit::CapturedLogs;

use super::super::{
    AuthenticationMethod, ClientRecord, GrantType, RedirectCeiling, RegisterError,
    RegistrationPolicy, Registrations,
};
use super::site::Site;
use super::{HOUR, World, client_id, uris};

fn code(
    outcome: Result<portcullis_oauth::register::RegistrationResponse, RegisterError>,
) -> String {
    match outcome {
        Err(RegisterError::Refused(error)) => error.code.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

/// A body with one loopback URI, and these members.
fn body(members: &Value) -> String {
    let mut body = json!({"redirect_uris": ["http://127.0.0.1:3000/callback"]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[tokio::test]
async fn r1_the_three_uris_of_cursor_are_all_registered() {
    let world = World::new().await;
    let uris = json!([
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]);
    let answer = world
        .registered(&body(&json!({
            "redirect_uris": uris, "token_endpoint_auth_method": "none", "client_name": "Cursor",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        })))
        .await;
    assert_eq!(answer["redirect_uris"], uris);
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    for uri in uris.as_array().unwrap() {
        assert!(world.may_redirect(&client, uri.as_str().unwrap()), "{uri}");
    }
}

#[tokio::test]
async fn r1_a_uri_beyond_the_ceiling_is_left_out_and_the_others_stay() {
    let world = World::with(|settings| {
        settings.ceiling = RedirectCeiling::only([
            RedirectPattern::parse("http://localhost").unwrap(),
            RedirectPattern::parse("zed:/oauth").unwrap(),
        ]);
    })
    .await;
    let uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "zed:/oauth",
        "http://localhost:8787/callback",
    ];
    let answer = world
        .registered(&body(&json!({"redirect_uris": uris})))
        .await;
    assert_eq!(answer["redirect_uris"], json!(uris[1..]));
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    let zed = RedirectUri::parse_allowing("zed:/oauth", &["zed"]).unwrap();
    assert!(world.clients.may_redirect(&client, &zed));
}

#[tokio::test]
async fn r2_visual_studio_code_registers_without_its_device_grant() {
    let world = World::new().await;
    let answer = world
        .registered(&body(&json!({
            "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"],
            "redirect_uris": ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect",
                "http://127.0.0.1/", "http://127.0.0.1:33418/"],
            "token_endpoint_auth_method": "none", "application_type": "native",
        })))
        .await;
    assert_eq!(
        answer["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(answer["redirect_uris"].as_array().unwrap().len(), 4);
    assert_eq!(answer["client_uri"], "https://code.visualstudio.com");
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    assert!(world.may_redirect(&client, "http://127.0.0.1:50123/"));
    assert!(!world.may_redirect(&client, "http://127.0.0.1:50123"));
}

#[tokio::test]
async fn r3_r4_an_empty_scope_and_none_are_the_same() {
    let world = World::new().await;
    for scope in [json!({"scope": ""}), json!({})] {
        let answer = world.registered(&body(&scope)).await;
        assert!(answer.get("scope").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn r5_claude_gets_the_secret_that_it_asks_for_and_proves_it_by_post() {
    let world = World::new().await;
    let answer = world
        .registered(&body(&json!({
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "client_name": "Claude",
            "token_endpoint_auth_method": "client_secret_post", "scope": " offline_access",
        })))
        .await;
    let id = answer["client_id"].as_str().unwrap();
    let secret = answer["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 43);
    assert_eq!(answer["client_secret_expires_at"], 0);
    assert_eq!(answer["scope"], "offline_access");
    let client = world
        .posted(&[("client_id", id), ("client_secret", secret)])
        .await;
    assert!(client.unwrap().client().is_confidential());
}

#[tokio::test]
async fn r6_r7_what_lm_studio_leaves_out_comes_back_as_defaults() {
    let world = World::new().await;
    let answer = world
        .registered(
            r#"{"client_name":"LM Studio","redirect_uris":["http://localhost:1234/callback"]}"#,
        )
        .await;
    assert_eq!(
        answer["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(answer["response_types"], json!(["code"]));
    assert_eq!(answer["token_endpoint_auth_method"], "none");
    assert_eq!(answer["application_type"], "native");
    assert_eq!(answer["client_id_issued_at"], super::NOW);
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert!(
        !names.iter().any(|name| name.starts_with("client_secret")),
        "{names:?}"
    );
    assert!(!answer.to_string().contains("null") && !answer.to_string().contains("\"\""));
}

#[tokio::test]
async fn r8_scopes_that_there_are_not_are_left_out() {
    let world = World::new().await;
    let answer = world
        .registered(&body(&json!({"scope": "openid  notes:read email profile"})))
        .await;
    assert_eq!(answer["scope"], "notes:read");
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(client.scope, Some(ScopeSet::parse("notes:read").unwrap()));
}

#[tokio::test]
async fn sec_dr_05_r9_a_redirect_uri_that_is_none_is_refused() {
    let world = World::new().await;
    for uri in [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://evil.example/cb",
        "https://h/cb#f",
        "cb",
    ] {
        let outcome = world
            .register(&body(&json!({"redirect_uris": [uri]})))
            .await;
        assert_eq!(code(outcome), "invalid_redirect_uri", "{uri}");
    }
    assert_eq!(code(world.register("{}").await), "invalid_redirect_uri");
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 0);
}

#[tokio::test]
async fn sec_ru_21_r10_r11_the_application_type_binds_and_the_list_is_short() {
    let world = World::new().await;
    let web = json!({"application_type": "web"});
    assert_eq!(
        code(world.register(&body(&web)).await),
        "invalid_redirect_uri"
    );
    let web = json!({"application_type": "web", "redirect_uris": ["https://vscode.dev/redirect"]});
    assert_eq!(
        world.registered(&body(&web)).await["application_type"],
        "web"
    );
    let many: Vec<String> = (1..=11).map(|n| format!("http://localhost/{n}")).collect();
    let many = body(&json!({"redirect_uris": many}));
    assert_eq!(code(world.register(&many).await), "invalid_redirect_uri");
    let long = body(&json!({"client_name": "x".repeat(64 * 1024)}));
    assert_eq!(code(world.register(&long).await), "invalid_client_metadata");
}

#[tokio::test]
async fn r12_a_registration_works_after_a_restart_and_on_another_replica() {
    let world = World::new().await;
    let answer = world
        .registered(&body(
            &json!({"token_endpoint_auth_method": "client_secret_basic"}),
        ))
        .await;
    let (id, secret) = (
        answer["client_id"].as_str().unwrap(),
        answer["client_secret"].as_str().unwrap(),
    );
    let other = world.replica(|_| ());
    assert!(other.find(id).await.is_some());
    assert!(other.basic(id, secret).await.is_ok());
    assert_eq!(
        other.basic(id, "wrong").await.unwrap_err().reason(),
        "secret"
    );
}

#[tokio::test]
async fn sec_ru_13_a_stranger_registers_nothing_beyond_the_ceiling() {
    let world = World::new().await;
    for uri in [
        "https://evil.example/cb",
        "https://claude.ai/other",
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "com.example.app:/cb",
    ] {
        let outcome = world
            .register(&body(&json!({"redirect_uris": [uri]})))
            .await;
        assert_eq!(code(outcome), "invalid_redirect_uri", "{uri}");
    }
    let none = World::with(|settings| settings.ceiling = RedirectCeiling::only([])).await;
    assert_eq!(
        code(none.register(&body(&json!({}))).await),
        "invalid_redirect_uri"
    );
}

#[tokio::test]
async fn sec_ru_18_the_ceiling_is_asked_before_each_redirect() {
    let world = World::new().await;
    let answer = world.registered(&body(&json!({}))).await;
    let id = answer["client_id"].as_str().unwrap();
    let client = world.find(id).await.unwrap();
    assert!(world.may_redirect(&client, "http://127.0.0.1:9/callback"));
    let lowered = world.replica(|settings| settings.ceiling = RedirectCeiling::only([]));
    let client = lowered.find(id).await.unwrap();
    assert!(!lowered.may_redirect(&client, "http://127.0.0.1:9/callback"));
}

#[tokio::test]
async fn sec_ru_01_a_uri_that_nobody_registered_gets_nothing() {
    let world = World::new().await;
    let answer = world.registered(&body(&json!({}))).await;
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    for uri in [
        "http://127.0.0.1:3000/callback/",
        "http://localhost:3000/callback",
        "https://claude.ai/api/mcp/auth_callback",
    ] {
        assert!(!world.may_redirect(&client, uri), "{uri}");
    }
}

#[tokio::test]
async fn sec_dr_01_a_used_registration_is_never_evicted() {
    let world = World::with(|settings| {
        settings.registration = RegistrationPolicy::new().limit(3);
    })
    .await;
    let register = || async {
        world.registered(&body(&json!({}))).await["client_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let used = register().await;
    let used_client = world.find(&used).await.unwrap();
    world.use_once(&used_client).await;
    for _ in 0..50 {
        world.clock.advance(Duration::from_secs(1));
        register().await;
    }
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 3);
    assert!(world.find(&used).await.is_some());
    // All in use: no room, and nobody loses anything.
    for record in Registrations::new(world.records.clone())
        .list()
        .await
        .unwrap()
    {
        let client = world.find(record.id.as_str()).await.unwrap();
        world.use_once(&client).await;
    }
    assert!(matches!(
        world.register(&body(&json!({}))).await,
        Err(RegisterError::Full)
    ));
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 3);
}

#[tokio::test]
async fn sec_dr_01_the_oldest_unused_registration_makes_room() {
    let world = World::with(|settings| {
        settings.registration = RegistrationPolicy::new().limit(2);
    })
    .await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = world.registered(&body(&json!({}))).await;
        ids.push(answer["client_id"].as_str().unwrap().to_owned());
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(world.find(&ids[0]).await.is_none());
    assert!(world.find(&ids[1]).await.is_some() && world.find(&ids[2]).await.is_some());
}

#[tokio::test]
async fn sec_dr_01_an_unused_registration_ends_after_a_day_and_a_used_one_after_ninety() {
    let world = World::new().await;
    let ids: Vec<String> = {
        let (unused, used) = (
            world.registered(&body(&json!({}))).await,
            world.registered(&body(&json!({}))).await,
        );
        [unused, used]
            .iter()
            .map(|answer| answer["client_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let used = world.find(&ids[1]).await.unwrap();
    world.use_once(&used).await;
    world.clock.advance(HOUR * 24);
    assert!(world.find(&ids[0]).await.is_none());
    assert!(world.find(&ids[1]).await.is_some());
    world.clock.advance(HOUR * 24 * 88);
    world.use_once(&used).await;
    world.clock.advance(HOUR * 24 * 90);
    assert!(world.find(&ids[1]).await.is_some(), "a use renews it");
    world.clock.advance(HOUR * 24);
    assert!(world.find(&ids[1]).await.is_none());
}

#[tokio::test]
async fn sec_dr_01_a_registration_outlives_its_last_grant() {
    let day = HOUR * 24;
    let world = World::new().await;
    let answer = world.registered(&body(&json!({}))).await;
    let id = answer["client_id"].as_str().unwrap();
    let client = world.find(id).await.unwrap();
    let end = |world: &World| world.clock.now().saturating_add(day * 365);
    // Two grants of a day, each for a year: the second one ends later, and is not written down.
    world.use_until(&client, end(&world)).await;
    world.clock.advance(HOUR * 23);
    let proven = world.posted(&[("client_id", id)]).await.unwrap();
    let again = world.clients.use_of(&proven, end(&world)).await.unwrap();
    assert!(again.is_none(), "one note a day");
    world.clock.advance(HOUR * (24 * 365 - 1));
    assert!(world.find(id).await.is_some(), "the second grant stands");
    // What ends sooner shortens nothing, and what lasts longer is written down at once.
    world.use_once(&client).await;
    let end = world.clock.now().saturating_add(day * 400);
    world.use_until(&client, end).await;
    world.use_once(&client).await;
    world.clock.advance(HOUR * (24 * 400 - 1));
    assert!(world.find(id).await.is_some());
    world.clock.advance(day * 2);
    assert!(world.find(id).await.is_none());
}

#[tokio::test]
async fn sec_dr_03_the_server_chooses_id_and_secret() {
    let world = World::new().await;
    let asked = json!({
        "client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata", "client_secret": "mine",
        "registration_access_token": "x", "software_statement": "a.b.c", "x": "y".repeat(1000),
        "token_endpoint_auth_method": "client_secret_post",
    });
    let (first, second) = (
        world.registered(&body(&asked)).await,
        world.registered(&body(&asked)).await,
    );
    let id = first["client_id"].as_str().unwrap();
    assert_eq!(id.len(), 32, "128 bits");
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for chosen in ["client_id", "client_secret"] {
        assert_ne!(first[chosen], second[chosen], "{chosen}");
    }
    let secret = first["client_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 43, "256 bits");
    let text = first.to_string();
    for foreign in [
        "claude",
        "mine",
        "registration_access_token",
        "software_statement",
        "yyy",
    ] {
        assert!(!text.contains(foreign), "{text}");
    }
}

#[tokio::test]
async fn sec_dr_16_no_two_registrations_share_an_id() {
    let world = World::new().await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let answer = world
            .registered(&body(&json!({"client_name": "The same"})))
            .await;
        let id = answer["client_id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 32, "128 bits");
        // Neither half counts on from one that is known.
        for half in [id.split_at(16).0, id.split_at(16).1] {
            assert!(ids.insert(half.to_owned()), "{id}");
        }
    }
}

#[tokio::test]
async fn sec_dr_03_an_id_that_is_a_url_is_never_looked_up_among_registrations() {
    let world =
        World::with(|settings| settings.documents = super::DocumentPolicy::disabled()).await;
    assert!(
        world
            .find("https://claude.ai/oauth/mcp-oauth-client-metadata")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn sec_dr_06_what_is_answered_is_what_is_stored() {
    let world = World::new().await;
    let answer = world
        .registered(&body(&json!({
            "client_name": " My\u{202e}Client\n ", "contacts": ["a@example.com"], "software_id": "s",
            "grant_types": ["authorization_code", "password", "client_credentials"],
        })))
        .await;
    assert_eq!(answer["client_name"], "MyClient");
    assert_eq!(answer["grant_types"], json!(["authorization_code"]));
    let client = world
        .find(answer["client_id"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(client.name.as_deref(), Some("MyClient"));
    assert_eq!(client.grant_types, [GrantType::AUTHORIZATION_CODE]);
    assert_eq!(client.authentication, [AuthenticationMethod::None]);
    assert_eq!(uris(&client), ["http://127.0.0.1:3000/callback"]);
}

#[tokio::test]
async fn sec_dr_06_what_cannot_be_narrowed_is_refused() {
    let world = World::new().await;
    for members in [
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"token_endpoint_auth_method": "tls_client_auth"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"token_endpoint_auth_signing_alg": "HS256"}),
        json!({"token_endpoint_auth_signing_alg": "none"}),
        json!({"grant_types": ["client_credentials"]}),
        json!({"grant_types": ["refresh_token"]}),
        json!({"grant_types": ["implicit"], "response_types": ["token"]}),
        json!({"response_types": ["token", "id_token"]}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks_uri": "http://keys.example/jwks"}),
    ] {
        let outcome = world.register(&body(&members)).await;
        assert_eq!(code(outcome), "invalid_client_metadata", "{members}");
    }
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 0);
}

#[tokio::test]
async fn sec_dr_07_urls_to_be_shown_are_https() {
    let world = World::new().await;
    let bad = json!({
        "client_uri": "javascript:alert(1)", "logo_uri": "http://h.example/l.png",
        "tos_uri": "data:,x", "policy_uri": "https://user:pw@h.example/", "client_uri#de": "javascript:1",
    });
    let answer = world.registered(&body(&bad)).await;
    for name in [
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "client_uri#de",
    ] {
        assert!(answer.get(name).is_none(), "{name}");
    }
    for plain in ["http://localhost:1/", "http://127.0.0.1/"] {
        let asked = json!({"client_uri": plain, "logo_uri": plain});
        let answer = world.registered(&body(&asked)).await;
        assert!(answer.get("client_uri").is_none(), "{plain}");
        assert!(answer.get("logo_uri").is_none(), "{plain}");
    }
    let long = format!("https://h.example/{}", "x".repeat(10_000));
    let long = json!({"client_uri": long, "logo_uri": long, "tos_uri": long, "policy_uri": long});
    let answer = world.registered(&body(&long)).await;
    for name in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
        assert!(answer.get(name).is_none(), "{name}");
    }
    let good = world
        .registered(&body(&json!({"client_uri": "https://h.example/"})))
        .await;
    assert_eq!(good["client_uri"], "https://h.example/");
}

#[tokio::test]
async fn sec_dr_07_a_registration_fetches_nothing() {
    let site = Site::start().await;
    let world = World::new().await;
    let urls: Value = [
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "jwks_uri",
    ]
    .into_iter()
    .map(|name| {
        (
            name.to_owned(),
            Value::from(site.url(&format!("/{name}")).replace("http:", "https:")),
        )
    })
    .collect::<portcullis_oauth::json::Map<_, _>>()
    .into();
    let mut asked = urls;
    asked["token_endpoint_auth_method"] = json!("private_key_jwt");
    let _answer = world.register(&body(&asked)).await;
    let plain =
        json!({"jwks_uri": site.url("/keys"), "token_endpoint_auth_method": "private_key_jwt"});
    assert_eq!(
        code(world.register(&body(&plain)).await),
        "invalid_client_metadata"
    );
    assert_eq!(site.requests(), 0);
}

#[tokio::test]
async fn sec_cn_19_a_name_reads_as_it_is_written() {
    let world = World::new().await;
    for (said, shown) in [
        ("Cl\u{200b}au\u{ad}de", Some("Claude")),
        ("\u{202e}edualC", Some("edualC")),
        ("a\r\nb", Some("ab")),
        ("\u{200b} \u{feff}", None),
        ("Cl\u{180f}au\u{e000}de\u{fffc}", Some("Claude")),
        ("a\u{2028}b\u{2029}", Some("ab")),
    ] {
        let answer = world.registered(&body(&json!({"client_name": said}))).await;
        assert_eq!(
            answer.get("client_name").and_then(Value::as_str),
            shown,
            "{said:?}"
        );
    }
    let long = world
        .registered(&body(&json!({"client_name": "x".repeat(1000)})))
        .await;
    assert_eq!(long["client_name"].as_str().unwrap().len(), 100);
}

#[tokio::test]
async fn sec_dr_10_a_registration_needs_its_token() {
    let world = World::with(|settings| {
        settings.registration = RegistrationPolicy::new()
            .initial_access_token(SecretString::from("first"))
            .initial_access_token(SecretString::from("second"));
    })
    .await;
    for token in [
        None,
        Some(""),
        Some("third"),
        Some("firs"),
        Some("firstsecond"),
    ] {
        let outcome = world.register_with(&body(&json!({})), token).await;
        assert!(matches!(outcome, Err(RegisterError::Token)), "{token:?}");
    }
    for token in ["first", "second"] {
        assert!(
            world
                .register_with(&body(&json!({})), Some(token))
                .await
                .is_ok()
        );
    }
    let empty = World::with(|settings| {
        settings.registration =
            RegistrationPolicy::new().initial_access_token(SecretString::from(""));
    })
    .await;
    assert!(matches!(
        empty.register_with("{}", Some("")).await,
        Err(RegisterError::Token)
    ));
    assert!(matches!(
        empty.register_with("{}", None).await,
        Err(RegisterError::Token)
    ));
}

#[tokio::test]
async fn sec_dr_10_a_token_registers_so_many_clients_and_no_more() {
    let policy = || {
        RegistrationPolicy::new()
            .initial_access_token_for(SecretString::from("three"), 3)
            .initial_access_token_for(SecretString::from("none"), 0)
            .initial_access_token(SecretString::from("any"))
    };
    let world = World::with(|settings| settings.registration = policy()).await;
    let body = body(&json!({}));
    // What is refused for another reason is not counted.
    for _ in 0..5 {
        let refused = world.register_with("{}", Some("three")).await;
        assert!(matches!(refused, Err(RegisterError::Refused(_))));
    }
    let all = (0..40).map(|_| world.register_with(&body, Some("three")));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 3);
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 3);
    // Nor after a restart, or at another process, or once those clients are gone.
    let replica = world.replica(|settings| settings.registration = policy());
    for token in ["three", "none"] {
        let refused = replica.register_with(&body, Some(token)).await;
        assert!(matches!(refused, Err(RegisterError::Token)), "{token}");
    }
    world.clock.advance(HOUR * 48);
    let refused = replica.register_with(&body, Some("three")).await;
    assert!(matches!(refused, Err(RegisterError::Token)));
    assert!(replica.register_with(&body, Some("any")).await.is_ok());
}

#[tokio::test]
async fn nobody_registers_where_registration_is_off() {
    let world =
        World::with(|settings| settings.registration = RegistrationPolicy::disabled()).await;
    assert!(matches!(
        world.register(&body(&json!({}))).await,
        Err(RegisterError::Disabled)
    ));
}

#[tokio::test]
async fn sec_op_01_an_issued_secret_is_nowhere_but_in_the_answer() {
    let logs = CapturedLogs::start();
    let world = World::new().await;
    let answer = world
        .register(&body(
            &json!({"token_endpoint_auth_method": "client_secret_post"}),
        ))
        .await
        .unwrap();
    let secret = answer.secret.as_ref().unwrap().secret.expose().to_owned();
    let record = world
        .records
        .get::<ClientRecord>(answer.client_id.as_str().as_bytes())
        .await
        .unwrap()
        .unwrap();
    let stored = portcullis_oauth::json::to_string(&*record).unwrap();
    assert!(!stored.contains(&secret) && stored.contains("\"secret\""));
    let client = world.find(answer.client_id.as_str()).await.unwrap();
    assert!(!format!("{answer:?} {client:?} {record:?} {:?}", world.clients).contains(&secret));
    logs.assert_free_of(&secret);
}

#[tokio::test]
async fn a_client_that_is_revoked_is_forgotten() {
    let world = World::new().await;
    let registrations = Registrations::new(world.beside.clone());
    let mut ids = Vec::new();
    for name in ["first", "second"] {
        let answer = world.registered(&body(&json!({"client_name": name}))).await;
        ids.push(client_id(answer["client_id"].as_str().unwrap()));
        world.clock.advance(HOUR);
    }
    let used = world.find(ids[1].as_str()).await.unwrap();
    world.use_once(&used).await;
    let listed = registrations.list().await.unwrap();
    let seen: Vec<_> = listed
        .iter()
        .map(|client| (&client.id, client.name.as_deref(), client.used_at.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (&ids[0], Some("first"), false),
            (&ids[1], Some("second"), true)
        ]
    );
    assert!(registrations.revoke(&ids[0]).await.unwrap());
    assert!(
        !registrations.revoke(&ids[0]).await.unwrap(),
        "there is nothing left"
    );
    assert!(world.find(ids[0].as_str()).await.is_none());
    assert!(world.find(ids[1].as_str()).await.is_some());
}
