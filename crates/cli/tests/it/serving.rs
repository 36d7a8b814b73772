//! The program as a server: who comes in, who does not, and how it ends.

use portcullis_testkit::FakeIdp;

use crate::support::{Program, call, send, upstream};

#[test]
fn dev_lets_each_persona_do_what_it_may() {
    let serving = Program::dev().serve();
    assert_eq!(serving.ready["auth"], "dev");
    let (url, alice, bob) = (serving.url(), serving.token("alice"), serving.token("bob"));
    for (token, tool, status, said) in [
        (Some(&alice), "whoami", 200, "alice (role admin)"),
        (Some(&alice), "add_note", 200, "noted for alice"),
        (Some(&alice), "list_notes", 200, "- hello"),
        (Some(&alice), "admin_stats", 200, "1 notes"),
        (Some(&bob), "list_notes", 200, "no notes"),
        (Some(&bob), "add_note", 403, "insufficient_scope"),
        (Some(&bob), "admin_stats", 200, "unknown tool"),
        (
            Some(&"dev-alice-0".to_owned()),
            "whoami",
            401,
            "invalid_token",
        ),
        (None, "whoami", 401, "WWW-Authenticate"),
    ] {
        let answer = call(&url, token.map(String::as_str), tool);
        assert_eq!(answer.status, status, "{tool}: {answer:?}");
        let text = answer.text.to_lowercase();
        assert!(text.contains(&said.to_lowercase()), "{tool}: {answer:?}");
    }
    let probe = url.replace("/mcp", "/readyz");
    assert_eq!(send(&probe, &[], None).status, 200);
    let ended = serving.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        !ended.stderr.contains(&alice) && !ended.stderr.contains(&bob),
        "{ended:?}"
    );
}

#[test]
fn each_persona_has_a_token_for_each_server() {
    let toml = format!(
        "[[upstream]]\nname = \"files\"\npath = \"/files\"\nurl = \"{}\"\n\
         [[upstream]]\nname = \"my-notes\"\npath = \"/notes\"\nurl = \"{}\"\n",
        upstream(),
        upstream()
    );
    let serving = Program::dev_by(&toml).serve();
    for persona in serving.ready["personas"].as_array().unwrap() {
        let tokens = persona["tokens"].as_array().unwrap();
        assert_eq!((tokens.len(), &tokens[0]["token"]), (2, &persona["token"]));
        for (at, own) in tokens.iter().enumerate() {
            let url = own["url"].as_str().unwrap();
            assert_eq!(call(url, own["token"].as_str(), "x").status, 200);
            let other = tokens[1 - at]["token"].as_str();
            assert_eq!(call(url, other, "x").status, 401, "it is for one server");
        }
    }
    let ended = serving.stop();
    assert!(!ended.stderr.contains("WARN"), "{ended:?}");
}

#[test]
fn dev_shows_what_to_paste() {
    let serving = Program::dev().and(&["--json"]).serve();
    drop(serving);
    let shown = Program::dev().and(&["--human"]).first_block();
    let filters = [(r"localhost:\d+", "localhost:PORT"), (r"eyJ[\w.-]+", "JWT")];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!(shown);
    });
    assert!(
        shown
            .lines()
            .all(|line| line.chars().count() <= 80 || line.contains("eyJ")),
        "{shown}"
    );
}

#[test]
fn rules_of_a_file_can_be_tried_with_the_personas() {
    let toml = format!(
        "base_url = \"https://mcp.example.com\"\nlisten = \"0.0.0.0:80\"\n[auth]\nmode = \"authkit\"\n\
         [[upstream]]\nurl = \"{}\"\n[[upstream.tool]]\nmatch = \"write_*\"\nscopes = [\"files:write\"]\n\
         [[upstream.tool]]\nmatch = \"admin_*\"\nroles = [\"admin\"]\n",
        upstream()
    );
    let serving = Program::dev_by(&toml).serve();
    let (url, alice, bob) = (serving.url(), serving.token("alice"), serving.token("bob"));
    assert_eq!(call(&url, Some(&alice), "write_file").status, 200);
    assert_eq!(call(&url, Some(&alice), "admin_all").status, 200);
    assert_eq!(call(&url, Some(&bob), "write_file").status, 403);
    assert_eq!(call(&url, Some(&bob), "read_file").status, 200);
    let hidden = call(&url, Some(&bob), "admin_all");
    assert!(!hidden.text.contains("called"), "{hidden:?}");
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn m2_a_configuration_says_how_clients_are_told_what_a_call_lacks() {
    let told = |challenges: &str| {
        let toml = format!(
            "[auth]\nmode = \"dev\"\n{challenges}[[upstream]]\nurl = \"{}\"\n\
             [[upstream.tool]]\nmatch = \"write_*\"\nscopes = [\"files:write\"]\n",
            upstream()
        );
        let arguments = [
            "run",
            "--config",
            "portcullis.toml",
            "--listen",
            "127.0.0.1:0",
        ];
        let serving = Program::new(&arguments).toml(&toml).serve();
        let answer = call(&serving.url(), Some(&serving.token("bob")), "write_file");
        assert_eq!(serving.stop().code, 0);
        answer
    };
    assert_eq!(told("").status, 403);
    let answer = told("challenges = \"in-band\"\n");
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("mcp/www_authenticate"), "{answer:?}");
    assert!(!answer.text.contains("called"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_protects_a_server_with_tokens_of_an_issuer() {
    let idp = FakeIdp::start().await;
    let issuer = idp.issuer().as_str().to_owned();
    let upstream = upstream();
    let arguments = [
        "run",
        "--auth",
        "jwt",
        "--issuer",
        &issuer,
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
        "--required-scopes",
        "mcp",
    ];
    let serving = Program::new(&arguments).serve();
    let url = serving.url();
    let token = |audience: &str, scope: &str| idp.token().audience(audience).scope(scope).sign();
    let answer = call(&url, Some(&token(&url, "mcp")), "x");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text.contains("called"));
    assert_eq!(call(&url, Some(&token(&url, "other")), "x").status, 403);
    assert_eq!(
        call(&url, Some(&token("https://other.example/mcp", "mcp")), "x").status,
        401
    );
    assert_eq!(call(&url, None, "x").status, 401);
    assert_eq!(serving.stop().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_users_on_a_list_come_in() {
    let idp = FakeIdp::start().await;
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"jwt\"\nissuer = \"{}\"\n[auth.allow]\ndomains = [\"example.com\"]\n[[upstream]]\nurl = \"{}\"\n",
        idp.issuer(),
        upstream()
    );
    let serving = Program::new(&["run"]).toml(&toml).serve();
    let url = serving.url();
    let token = |email: &str| {
        idp.token()
            .audience(url.as_str())
            .claim("email", email)
            .claim("email_verified", true)
            .sign()
    };
    assert_eq!(call(&url, Some(&token("a@example.com")), "x").status, 200);
    assert_eq!(call(&url, Some(&token("a@other.example")), "x").status, 401);
}

#[test]
fn without_auth_a_server_is_this_machines_alone() {
    let upstream = upstream();
    let arguments = [
        "run",
        "--auth",
        "none",
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
    ];
    let serving = Program::new(&arguments).serve();
    let answer = call(&serving.url(), None, "x");
    assert!(answer.text.contains("called"), "{answer:?}");
    let foreign = send(
        &serving.url(),
        &[
            ("Origin", "https://evil.example"),
            ("Content-Type", "application/json"),
        ],
        Some("{}"),
    );
    assert_eq!(foreign.status, 403, "{foreign:?}");
}

#[test]
fn variables_alone_are_enough_to_run() {
    let program = Program::new(&["run"])
        .env("PORTCULLIS_AUTH", "none")
        .env("PORTCULLIS_LISTEN", "127.0.0.1:0");
    let serving = program
        .env("PORTCULLIS_UPSTREAM", &upstream())
        .env("PORTCULLIS_MCP_PATH", "/x")
        .serve();
    let url = serving.url();
    assert!(url.ends_with("/x"), "{url}");
    assert!(call(&url, None, "x").text.contains("called"));
    assert_eq!(serving.stop().code, 0);
}

/// A provider is built with the port that the system picked, once it is known.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_names_the_resource_that_clients_were_given() {
    let idp = FakeIdp::start().await;
    let issuer = idp.issuer().as_str().to_owned();
    let upstream = upstream();
    let arguments = [
        "run",
        "--auth",
        "remote",
        "--authorization-server",
        &issuer,
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
    ];
    let serving = Program::new(&arguments).serve();
    let url = serving.url();
    let metadata = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let answer = send(&metadata, &[], None);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.text.contains(&format!("\"resource\":\"{url}\"")),
        "{answer:?}"
    );
    assert!(answer.text.contains(&issuer));
    let token = idp.token().audience(url.as_str()).sign();
    assert_eq!(call(&url, Some(&token), "x").status, 200);
}

#[test]
fn a_list_of_servers_is_served_with_a_path_for_each() {
    let list = format!(
        r#"{{"mcpServers": {{"a": {{"url": "{}"}}, "b": {{"type": "http", "url": "{}"}}, "c": {{"command": "x", "disabled": true}}}}}}"#,
        upstream(),
        upstream()
    );
    let arguments = [
        "run",
        "--auth",
        "none",
        "--mcp-servers",
        "s.json",
        "--listen",
        "127.0.0.1:0",
    ];
    let serving = Program::new(&arguments).file("s.json", &list).serve();
    let servers = serving.ready["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 2);
    for (server, path) in servers.iter().zip(["/a", "/b"]) {
        let url = server["url"].as_str().unwrap();
        assert!(url.ends_with(path), "{url}");
        assert!(call(url, None, "x").text.contains("called"));
    }
}

#[test]
fn a_program_on_stdio_stands_behind_the_personas_and_ends_with_us() {
    let server = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gateway/tests/it/stdio_server.py"
    );
    let program = Program::dev().and(&["--", "python3", server, "modern"]);
    let serving = program.serve();
    let (url, alice) = (serving.url(), serving.token("alice"));
    assert_eq!(call(&url, None, "echo").status, 401);
    let answer = call(&url, Some(&alice), "echo");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text.contains("pid"), "{answer:?}");
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn clients_of_the_old_transport_are_served_where_it_is_said() {
    let server = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gateway/tests/it/stdio_server.py"
    );
    let upstream = |name: &str| {
        format!(
            "[[upstream]]\nname = \"{name}\"\npath = \"/{name}\"\nlegacy_sse = true\n\
             command = [\"python3\", \"{server}\"]\n"
        )
    };
    for mode in ["dev", "none"] {
        let arguments = [
            "run",
            "--auth",
            mode,
            "--config",
            "portcullis.toml",
            "--listen",
            "127.0.0.1:0",
        ];
        for (upstreams, streams) in [
            (upstream("a"), &["/sse"][..]),
            (upstream("a") + &upstream("b"), &["/a/sse", "/b/sse"]),
        ] {
            let serving = Program::new(&arguments).toml(&upstreams).serve();
            let url = serving.url();
            let base = url.rsplit_once('/').unwrap().0;
            for stream in streams {
                // There is no session at its URL to send a message to.
                let expected = if mode == "dev" { 401 } else { 405 };
                let answer = call(&format!("{base}{stream}"), None, "x");
                assert_eq!(answer.status, expected, "{stream}: {answer:?}");
            }
            assert_eq!(serving.stop().code, 0);
        }
    }
}
