//! The program in front of an identity provider: a real process, and users who log in elsewhere.

use portcullis_oauth::json::{self, json};
use portcullis_testkit::{Page, ScriptedUpstream};

use crate::login::{Client, Tokens};
use crate::support::{Ended, Program, Serving, upstream};

/// The configuration in front of a provider, with who may come.
fn toml(provider: &ScriptedUpstream, allow: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"oidc\"\nissuer = \"{}\"\nclient_id = \"proxy\"\n\
         client_secret = \"the upstream secret\"\nscopes = [\"openid\", \"email\"]\n\
         own_scopes = [\"read\", \"write\"]\n{allow}\n[[upstream]]\nurl = \"{}\"\n",
        provider.issuer(),
        upstream()
    )
}

const STAFF: &str = "[auth.allow]\ndomains = [\"example.com\"]";

async fn provider() -> ScriptedUpstream {
    let provider = ScriptedUpstream::start().await;
    for (name, domain) in [("alice", "example.com"), ("mallory", "evil.example")] {
        let email = format!("{name}@{domain}");
        provider.user(name, json!({ "email": email, "email_verified": true }));
    }
    provider
}

fn serve(toml: &str) -> Serving {
    Program::new(&["run", "--json"]).toml(toml).serve()
}

/// Approves here, signs in there, and comes back.
async fn come_back(client: &Client<'_>, provider: &ScriptedUpstream, user: &str) -> Page {
    let browser = client.browser();
    let page = client.ask(&browser).await;
    let away = browser.press(&page, "approve", &[]).await;
    let callback = provider.sign_in(away.location().unwrap(), user);
    let at = callback.find("/oauth/callback").unwrap();
    browser.open(callback.get(at..).unwrap()).await
}

async fn log_in(client: &Client<'_>, provider: &ScriptedUpstream, user: &str) -> Tokens {
    let done = come_back(client, provider, user).await;
    client.tokens(&done)
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_provider_log_in_and_are_known_to_the_commands() {
    let provider = provider().await;
    let serving = serve(&toml(&provider, STAFF));
    assert_eq!(serving.ready["auth"], "oidc");
    let redirect = serving.ready["redirect_uri"].as_str().unwrap();
    assert!(redirect.ends_with("/oauth/callback"), "{redirect}");
    assert_eq!(serving.ready["allowed"], "domains example.com");
    let client = Client::register(&serving, "Notes");
    let tokens = log_in(&client, &provider, "alice").await;
    assert_eq!(client.call(&tokens), 200);
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    let grants = client.command(&["grant", "list"]);
    assert_eq!(grants["grants"][0]["subject"], "alice", "{grants}");
    let clients = client.command(&["client", "list"]);
    assert!(clients.to_string().contains(&client.id), "{clients}");
    client.command(&["grant", "revoke", "--client", &client.id, "--yes"]);
    assert_eq!(client.call(&tokens), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_px_10_strangers_to_the_list_do_not_come_in() {
    let provider = provider().await;
    let serving = serve(&toml(&provider, STAFF));
    let client = Client::register(&serving, "Notes");
    let done = come_back(&client, &provider, "mallory").await;
    assert_eq!(
        (done.status.as_u16(), done.location()),
        (403, None),
        "{done:?}"
    );
    assert!(done.text.contains("error=access_denied"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_px_10_a_reload_takes_off_the_list() {
    let provider = provider().await;
    let mut serving = serve(&toml(&provider, STAFF));
    let mine = toml(&provider, STAFF);
    let (tokens, id) = {
        let client = Client::register(&serving, "Notes");
        (log_in(&client, &provider, "alice").await, client.id.clone())
    };
    let others = mine.replace("example.com", "other.example");
    serving.rewrite("portcullis.toml", &others);
    serving.reload();
    let client = Client::of(&serving, &id);
    assert_eq!(client.call(&tokens), 401);
    assert_eq!(client.refresh(&tokens.refresh).status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_granted_outlives_the_process() {
    let provider = provider().await;
    let file = toml(&provider, STAFF);
    let serving = serve(&file);
    let client = Client::register(&serving, "Notes");
    let tokens = log_in(&client, &provider, "alice").await;
    let id = client.id.clone();
    let port = serving.url();
    let port = port.rsplit(':').next().unwrap().trim_end_matches("/mcp");
    let same = file.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let serving = serving.again(&same);
    let client = Client::of(&serving, &id);
    assert_eq!(client.call(&tokens), 200);
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_for_users_of_a_provider() {
    let provider = provider().await;
    let file = toml(&provider, STAFF);
    let serving = serve(&file);
    let port = serving.url();
    let port = port.rsplit(':').next().unwrap().trim_end_matches("/mcp");
    let same = file.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let mut serving = serving.again(&same);
    let tokens = {
        let client = Client::register(&serving, "Notes");
        let made = client.command(&["token", "mint", "carol", "--scope", "read"]);
        let tokens = Tokens {
            access: made["access_token"].as_str().unwrap().to_owned(),
            refresh: String::new(),
        };
        assert_eq!(client.call(&tokens), 200);
        let grants = client.command(&["grant", "list"]);
        assert_eq!(grants["grants"][0]["subject"], "carol", "{grants}");
        tokens
    };
    serving.rewrite(
        "portcullis.toml",
        &same.replace("client_id = \"proxy\"", "client_id = \"x\""),
    );
    serving.reload();
    let client = Client::of(&serving, "x");
    assert_eq!(client.call(&tokens), 401, "for another provider");
    serving.rewrite("portcullis.toml", &same);
    serving.reload();
    let client = Client::of(&serving, "x");
    assert_eq!(client.call(&tokens), 200);
    client.command(&["grant", "revoke", "--user", "carol", "--yes"]);
    assert_eq!(client.call(&tokens), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_behind() {
    let provider = provider().await;
    let serving = serve(&toml(&provider, STAFF));
    let url = serving.url();
    let told = |serving: &Serving| {
        let ended = Program::beside(serving, &["doctor", &url, "--register", "--json"]);
        json::value(ended.stdout.trim().as_bytes(), json::Limits::METADATA).unwrap()
    };
    let seen = |told: &json::Value, id: &str| {
        let findings = told["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["id"] == id);
        found.map(|finding| finding["seen"].as_str().unwrap().to_owned())
    };
    let found = told(&serving);
    let behind = seen(&found, "IDP-01").unwrap();
    assert!(behind.contains(provider.issuer().as_str()), "{behind}");
    let redirect = serving.ready["redirect_uri"].as_str().unwrap();
    assert!(behind.contains(redirect), "{behind}");
    assert_eq!(found["healthy"], true, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_out_of_reach_is_told_at_the_start_and_by_the_doctor() {
    let provider = provider().await;
    let nowhere = toml(&provider, STAFF).replace(provider.issuer().as_str(), "http://127.0.0.1:1");
    let mut serving = serve(&nowhere);
    let said = serving.said_until("upstream_unavailable");
    assert!(said.contains("no usable answer"), "{said}");
    let ended = Program::beside(
        &serving,
        &["doctor", &serving.url(), "--register", "--human"],
    );
    assert_eq!(ended.code, 1, "{ended:?}");
    for expected in ["IDP-02", "the server's log says why"] {
        assert!(ended.stdout.contains(expected), "{ended:?}");
    }
}

#[test]
fn users_do_not_come_back_to_where_mcp_is() {
    let toml = format!("{GITHUB}redirect_path = \"mcp\"\nallow = \"anyone\"\n{BEHIND}");
    let ended = validated(&toml);
    assert!(
        ended
            .stderr
            .contains("`auth.redirect_path` is where MCP is served"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("defined twice"), "{ended:?}");
}

#[test]
fn users_do_not_come_back_to_where_probes_are() {
    let toml = format!("{GITHUB}redirect_path = \"/healthz\"\nallow = \"anyone\"\n{BEHIND}");
    let ended = validated(&toml);
    assert!(ended.stderr.contains("is where probes are"), "{ended:?}");
}

#[test]
fn a_mistake_is_told_once_and_where_it_is() {
    let toml = format!(
        "{GITHUB}allow = \"anyone\"\n[tokens]\naccess_lifetime = \"2d\"\n[clients]\n\
         redirect_uris = [\"foo\"]\n{BEHIND}"
    );
    for toml in [toml.clone(), toml.replace("\"github\"", "\"server\"")] {
        let ended = validated(&toml);
        for (key, count) in [("access", 1), ("redirect_uris", 1)] {
            let lines = ended.stderr.lines();
            let lines = lines.filter(|line| line.starts_with("error: ") && line.contains(key));
            assert_eq!(lines.count(), count, "{key}: {ended:?}");
        }
    }
}

#[test]
fn accounts_open_nothing_where_a_provider_has_the_users() {
    let toml = format!("{GITHUB}allow = \"anyone\"\n{BEHIND}");
    let command = ["user", "add", "zed", "--generate", "--human"];
    let ended = Program::new(&command).toml(&toml).end();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("identity provider"), "{ended:?}");
}

#[test]
fn what_nobody_reads_is_told_once() {
    let toml = format!("{GITHUB}allow = \"anyone\"\n{BEHIND}");
    let program = Program::new(&["config", "validate", "--human"]).toml(&toml);
    let name = "FASTMCP_SERVER_AUTH_GITHUB_ACCESS_TOKEN_TTL";
    let ended = program.env(name, "5").end();
    assert_eq!(
        ended.stderr.trim(),
        format!("warning: nobody reads `{name}`")
    );
}

/// What `run` says of a configuration.
fn validated(toml: &str) -> Ended {
    Program::new(&["config", "validate", "--human"])
        .toml(toml)
        .end()
}

const GITHUB: &str = "base_url = \"https://mcp.example.com\"\n[auth]\nmode = \"github\"\n\
                      client_id = \"Iv1.0123456789abcdef\"\nclient_secret = \"a secret there\"\n";
const BEHIND: &str = "[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n";

#[test]
fn sec_px_10_strangers_are_let_in_by_name_alone() {
    let ended = validated(&format!("{GITHUB}{BEHIND}"));
    insta::assert_snapshot!("nobody_said_who_may_come", ended.seen());
    for allow in [
        "allow = \"anyone\"\n",
        "[auth.allow]\norgs = [\"example\"]\n",
    ] {
        let ended = validated(&format!("{GITHUB}{allow}{BEHIND}"));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{allow}");
    }
    let here = GITHUB.replace("https://mcp.example.com", "http://localhost:8000");
    let ended = validated(&format!("{here}{BEHIND}"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let unknown = GITHUB.replace("github\"", "oauth\"\nauthorization_endpoint = \"https://github.com/login/oauth/authorize\"\ntoken_endpoint = \"https://github.com/login/oauth/access_token\"\nuserinfo_endpoint = \"https://api.github.com/user\"\nsubject = \"id\"\nscopes = [\"read:user\"]");
    let ended = validated(&format!("{unknown}{BEHIND}"));
    assert!(ended.stderr.contains("could come in"), "{ended:?}");
}

#[test]
fn all_mistakes_of_a_proxy_are_told_at_once_and_where_they_are() {
    let toml = "base_url = \"https://mcp.example.com\"\n[auth]\nmode = \"azure\"\n\
         client_id = \"app\"\ntenant = \"contoso\"\nclient_secrt = \"x\"\n\
         redirect_path = \"/oauth/token\"\ntoken_endpoint_auth_method = \"magic\"\n\
         [auth.extra_authorize_params]\nstate = \"mine\"\n[auth.claims_passthrough]\nprefx = \"u_\"\n\
         [tokens]\ncode_lifetime = \"1h\"\n[login]\ntransaction_lifetime = \"1d\"\n";
    let ended = validated(&format!("{toml}{BEHIND}"));
    insta::assert_snapshot!("mistakes_of_a_proxy", ended.seen());
    let toml = "[auth]\nmode = \"google\"\nclient_id = \"app\"\nclient_secret = \"x\"\n\
         redirect_path = \"/oauth/token\"\n[auth.extra_authorize_params]\nstate = \"mine\"\n\
         [auth.claims_passthrough]\nallowed = [\"sub\"]\n";
    let ended = validated(&format!("{toml}{BEHIND}"));
    insta::assert_snapshot!("what_building_a_proxy_finds", ended.seen());
}

#[test]
fn a_scope_that_nobody_can_be_granted_is_a_mistake() {
    let rules = "[[upstream.tool]]\nmatch = \"*\"\nscopes = [\"notes:write\"]\n";
    let allow = "allow = \"anyone\"\n";
    let ended = validated(&format!("{GITHUB}{allow}{BEHIND}{rules}"));
    insta::assert_snapshot!("scope_of_nobody", ended.seen());
    let own = "own_scopes = [\"notes:write\"]\n";
    let ended = validated(&format!("{GITHUB}{allow}{own}{BEHIND}{rules}"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn what_is_about_a_provider_has_no_effect_elsewhere() {
    let toml = "[auth]\nmode = \"server\"\nclaims_passthrough = false\n[login]\n\
                transaction_lifetime = \"5m\"\n";
    let ended = validated(&format!("{toml}{BEHIND}"));
    for key in ["auth.claims_passthrough", "login.transaction_lifetime"] {
        let expected = format!("`{key}` has no effect");
        assert!(ended.stderr.contains(&expected), "{ended:?}");
    }
}

#[test]
fn a_provider_is_chosen_by_the_variables_of_fastmcp() {
    let program = || {
        Program::new(&["config", "validate", "--human"])
            .toml(BEHIND)
            .env(
                "FASTMCP_SERVER_AUTH",
                "fastmcp.server.auth.providers.github.GitHubProvider",
            )
            .env("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_ID", "app")
            .env(
                "FASTMCP_SERVER_AUTH_GITHUB_BASE_URL",
                "https://mcp.example.com",
            )
    };
    let ended = program().end();
    insta::assert_snapshot!("github_by_variables", ended.seen());
    let whole = || program().env("FASTMCP_SERVER_AUTH_GITHUB_CLIENT_SECRET", "a secret there");
    let ended = whole().env("PORTCULLIS_AUTH_ALLOW", "example.com").end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    // The public URL is in a variable, too.
    let ended = whole().end();
    assert!(ended.stderr.contains("could come in"), "{ended:?}");
}

#[test]
fn sec_op_09_the_secret_at_the_provider_is_not_shown() {
    let toml = format!(
        "{GITHUB}allow = \"anyone\"\n[auth.extra_token_params]\nkey = \"canary\"\n{BEHIND}"
    );
    let ended = Program::new(&["config", "show", "--human"])
        .toml(&toml)
        .end();
    assert!(ended.stdout.contains("auth.client_secret"), "{ended:?}");
    assert!(
        ended.stdout.contains("auth.extra_token_params.key"),
        "{ended:?}"
    );
    for secret in ["a secret there", "canary"] {
        assert!(!ended.stdout.contains(secret), "{ended:?}");
    }
}

#[test]
fn sec_gw_09_the_environment_opens_no_proxy() {
    let toml = format!("{GITHUB}[auth.allow]\norgs = [\"example\"]\n{BEHIND}");
    for (name, value) in [
        ("PORTCULLIS_AUTH_ALLOW", "anyone"),
        ("PORTCULLIS_AUTH_ALLOW_DOMAINS", "evil.example"),
        ("PORTCULLIS_AUTH_DANGER_SKIP_CONSENT", "true"),
        (
            "PORTCULLIS_AUTH_DANGER_PASS_UPSTREAM_TOKENS_THROUGH",
            "true",
        ),
    ] {
        let program = Program::new(&["config", "validate", "--human"]).toml(&toml);
        let ended = program.env(name, value).end();
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
        assert!(ended.stderr.contains("say it in the file"), "{ended:?}");
    }
}

#[test]
fn the_start_says_where_users_log_in() {
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"google\"\nclient_id = \"app\"\n\
         client_secret = \"x\"\n[auth.allow]\ndomains = [\"example.com\"]\nemails = \
         [\"auditor@partner.example\"]\n[store]\nurl = \"memory:\"\n{BEHIND}"
    );
    let shown = Program::new(&["run", "--human"])
        .toml(&toml)
        .lines_until("stop");
    let filters = [(r"localhost:\d+", "localhost:PORT")];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!(shown);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dangerous_is_done_where_the_file_says_so() {
    let provider = provider().await;
    let danger = format!(
        "danger_pass_upstream_tokens_through = true\n{STAFF}\n[store]\nurl = \"sqlite:state.db\"\n\
         danger_no_encryption = true"
    );
    let serving = serve(&toml(&provider, &danger));
    let client = Client::register(&serving, "Notes");
    let tokens = log_in(&client, &provider, "alice").await;
    assert!(provider.secrets().contains(&tokens.access));
    assert!(!provider.secrets().contains(&tokens.refresh));
    assert_eq!(client.call(&tokens), 200);
    let in_store = |text: &str| {
        let line = format!("cat state.db state.db-wal | grep -a -c -- '{text}' || true");
        Program::shell_beside(&serving, &line).trim() != "0"
    };
    assert!(
        in_store(&tokens.access),
        "what the provider gave can be read"
    );
    assert!(
        !in_store(&tokens.refresh),
        "of ours there is a digest alone"
    );
    let keys = Program::shell_beside(&serving, "ls");
    assert!(!keys.contains(".key"), "{keys}");
    // Commands beside the server read the same store.
    let grants = client.command(&["grant", "list"]);
    assert_eq!(grants["grants"][0]["subject"], "alice", "{grants}");
    client.command(&["grant", "revoke", "--client", &client.id, "--yes"]);
    assert_eq!(client.call(&tokens), 401);
    // It does not become another kind of store by a line less.
    let sealed = toml(
        &provider,
        &danger.replace("danger_no_encryption = true", ""),
    );
    serving.rewrite("portcullis.toml", &sealed);
    let ended = Program::beside(&serving, &["grant", "list", "--human"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("the store is not encrypted"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("hint: "), "{ended:?}");
    let ended = serving.stop();
    for setting in ["pass_upstream_tokens_through", "without_encryption"] {
        assert!(ended.stderr.contains(setting), "{ended:?}");
    }
}

#[test]
fn an_issuer_of_another_name_is_for_a_server_of_ones_own() {
    let validate = |toml: &str| {
        let program = Program::new(&["config", "validate", "--human"]);
        program.toml(toml).end()
    };
    let named =
        format!("issuer_url = \"https://example.com\"\n{GITHUB}allow = \"anyone\"\n{BEHIND}");
    let ended = validate(&named);
    assert_eq!(ended.code, 0, "{ended:?}");
    let wrong = named.replace("https://example.com\"", "example.com\"");
    let ended = validate(&wrong);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("`issuer_url`"), "{ended:?}");
    let jwt = "issuer_url = \"https://example.com\"\n[auth]\nmode = \"jwt\"\nissuer = \
               \"https://idp.example\"\n";
    let ended = validate(&format!("{jwt}{BEHIND}"));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("`issuer_url` has no effect"),
        "{ended:?}"
    );
}
