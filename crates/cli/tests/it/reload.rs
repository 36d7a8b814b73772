//! Another configuration while clients stay.

use crate::support::{Answer, Program, Serving, call, send, upstream};

const STDIO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../gateway/tests/it/stdio_server.py"
);

/// `dev` in front of what `rest` says.
fn dev(rest: &str) -> Serving {
    Program::dev_by(rest).serve()
}

fn stdio(rules: &str) -> String {
    format!("[[upstream]]\ncommand = [\"python3\", \"{STDIO}\", \"modern\"]\n{rules}")
}

/// The process that answered.
fn pid(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let (_, rest) = answer.text.split_once("pid").unwrap();
    let digits = rest.chars().skip_while(|c| !c.is_ascii_digit());
    digits.take_while(char::is_ascii_digit).collect()
}

#[test]
fn a_new_rule_holds_from_the_next_call_on() {
    let mut serving = dev(&stdio(""));
    let (url, bob) = (serving.url(), serving.token("bob"));
    let before = pid(&call(&url, Some(&bob), "echo"));
    let alice = call(&url, Some(&serving.token("alice")), "echo");
    assert_ne!(pid(&alice), before, "another user's");

    let rule = "[[upstream.tool]]\nmatch = \"echo\"\nscopes = [\"echo:use\"]\n";
    serving.rewrite("portcullis.toml", &stdio(rule));
    let said = serving.reload();
    assert!(said.contains("the configuration is reloaded"), "{said}");
    let refused = call(&url, Some(&bob), "echo");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.text.contains("echo:use"), "{refused:?}");
    // A token allows what it was made for, also where its user could get more by now.
    let alice = call(&url, Some(&serving.token("alice")), "echo");
    assert_eq!(alice.status, 403, "{alice:?}");

    // The users have their tokens, and the server behind is the same process.
    serving.rewrite("portcullis.toml", &stdio(""));
    serving.reload();
    assert_eq!(pid(&call(&url, Some(&bob), "echo")), before);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn a_mistake_leaves_all_of_the_old_configuration() {
    let rule = "[[upstream.tool]]\nmatch = \"echo\"\nscopes = [\"echo:use\"]\n";
    let mut serving = dev(&stdio(rule));
    let (url, bob) = (serving.url(), serving.token("bob"));
    let two = "[[upstream]]\nname = \"x\"\npath = \"/mcp\"\nurl = \"http://127.0.0.1:1/mcp\"\n";
    for (toml, says) in [
        ("[[upstream]", "portcullis.toml:1"),
        ("upstreem = 1\n[[upstream]]\nulr = 1\n", "`upstream[0].ulr`"),
        ("", "there is none"),
        (
            &format!("{}path = \"/mcp\"\nname = \"y\"\n{two}", stdio("")),
            "has the path",
        ),
        (
            "[[upstream]]\ncommand = [\"x\"]\ncwd = \"/nowhere\"\n",
            "not a directory",
        ),
    ] {
        serving.rewrite("portcullis.toml", toml);
        let said = serving.reload();
        assert!(said.contains("the old one stays"), "{said}");
        assert!(said.contains(says), "{says}: {said}");
        assert_eq!(call(&url, Some(&bob), "echo").status, 403, "{toml}");
    }
    assert_eq!(serving.stop().code, 0);
}

/// A session of the era of sessions, opened by `token`.
fn open(url: &str, token: &str) -> String {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ];
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
    let answer = send(url, &headers, Some(body));
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut lines = answer.text.lines();
    let line = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id").then_some(value)
    });
    line.unwrap().to_owned()
}

fn call_in(url: &str, token: &str, session: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Mcp-Session-Id", session),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ];
    let body =
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{}}}"#;
    send(url, &headers, Some(body))
}

#[test]
fn sec_rs_15_sessions_stay_with_their_owners_and_end_with_their_server() {
    let mut serving = dev(&stdio(""));
    let (url, alice, bob) = (serving.url(), serving.token("alice"), serving.token("bob"));
    let session = open(&url, &alice);
    let before = pid(&call_in(&url, &alice, &session));

    serving.rewrite("portcullis.toml", &stdio("others = \"allow\"\n"));
    serving.reload();
    assert_eq!(pid(&call_in(&url, &alice, &session)), before);
    assert_eq!(call_in(&url, &bob, &session).status, 404);

    // Another command is another server: it knows no session, and the old one's process ends.
    serving.rewrite(
        "portcullis.toml",
        &stdio("").replace("\"modern\"", "\"modern\", \"x=1\""),
    );
    serving.reload();
    assert_eq!(call_in(&url, &alice, &session).status, 404);
    assert_ne!(pid(&call(&url, Some(&alice), "echo")), before);
    assert_eq!(serving.stop().code, 0);
    let is_left = std::path::Path::new("/proc").join(&before).exists();
    assert!(!is_left, "process {before} outlived its server");
}

#[test]
fn upstreams_come_and_go() {
    let (one, other) = (upstream(), upstream());
    let toml = |all: &[(&str, &str)]| {
        let all = all.iter().map(|(name, url)| {
            format!("[[upstream]]\nname = \"{name}\"\npath = \"/{name}\"\nurl = \"{url}\"\n")
        });
        format!(
            "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"none\"\n{}",
            all.collect::<String>()
        )
    };
    let program = Program::new(&["run"]);
    let mut serving = program.toml(&toml(&[("a", &one), ("b", &other)])).serve();
    let at = |serving: &Serving, path: &str| {
        let url = serving.url().replace("/a", path);
        call(&url, None, "x").status
    };
    assert_eq!((at(&serving, "/a"), at(&serving, "/b")), (200, 200));
    serving.rewrite("portcullis.toml", &toml(&[("a", &one), ("c", &other)]));
    serving.reload();
    assert_eq!(
        (at(&serving, "/a"), at(&serving, "/b"), at(&serving, "/c")),
        (200, 404, 200)
    );
    assert_eq!(
        send(&serving.url().replace("/a", "/readyz"), &[], None).status,
        200
    );
}

#[test]
fn what_only_a_restart_changes_is_said() {
    let upstream = upstream();
    let toml =
        |rest: &str| format!("{rest}[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"{upstream}\"\n");
    let program = Program::new(&["run"]);
    let mut serving = program.toml(&toml("listen = \"127.0.0.1:0\"\n")).serve();
    let changed = "listen = \"127.0.0.1:1\"\ndrain = \"1s\"\ntrusted_proxies = [\"10.0.0.1\"]\n\
                   danger_allow_anonymous = true\n\
                   limits = { sessions = 3 }\nadmin = { listen = \"127.0.0.1:0\" }\n";
    serving.rewrite("portcullis.toml", &toml(changed));
    let said = serving.reload();
    for key in ["listen", "drain", "trusted_proxies", "limits", "admin"] {
        assert!(
            said.contains(&format!("`{key}` has changed")),
            "{key}: {said}"
        );
    }
    assert!(
        said.contains("restart to apply it") && said.contains("is reloaded"),
        "{said}"
    );
    assert_eq!(call(&serving.url(), None, "x").status, 200);
}

/// A socket that other machines reach does not lose its auth because a file now names another one.
#[test]
fn sec_gw_09_a_reload_opens_nothing() {
    let toml = |listen: &str, auth: &str| {
        format!(
            "listen = \"{listen}\"\nbase_url = \"https://mcp.example.com\"\n[auth]\n{auth}\n\
             [[upstream]]\nurl = \"{}\"\n",
            upstream()
        )
    };
    let auth = "mode = \"introspection\"\nintrospection_url = \"http://127.0.0.1:1/i\"\nclient_id = \"a\"\nclient_secret = \"0123456789abcdef0123456789abcdef\"";
    let program = Program::new(&["run"]);
    let mut serving = program.toml(&toml("0.0.0.0:0", auth)).serve();
    for mode in ["none", "dev"] {
        let open = toml("127.0.0.1:0", &format!("mode = \"{mode}\""));
        serving.rewrite("portcullis.toml", &open);
        let said = serving.reload();
        assert!(said.contains("the old one stays"), "{said}");
        assert!(said.contains("is reached by other machines"), "{said}");
    }
}

/// Statements on callers are signed with the keys of whoever issues tokens, if somebody does.
#[test]
fn modes_may_come_and_go_where_callers_are_stated() {
    let upstream = upstream();
    let toml = |auth: &str, rest: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\n[auth]\n{auth}\n[store]\nurl = \"sqlite:p.db\"\n{rest}\
             [[upstream]]\nurl = \"{upstream}\"\n[upstream.identity]\njwt = true\n"
        )
    };
    let jwt = "mode = \"jwt\"\nissuer = \"https://issuer.example\"\n\
               jwks_uri = \"http://127.0.0.1:1/jwks\"";
    let program = Program::new(&["run"]);
    let mut serving = program.toml(&toml("mode = \"server\"", "")).serve();
    let keys = serving.url().replace("/mcp", "/oauth/jwks");
    let missing = "[tls]\ncert = \"none.crt\"\nkey = \"none.key\"\n";
    for (auth, rest, says) in [
        (jwt, "", "is reloaded"),
        (jwt, missing, "the old one stays"),
        ("mode = \"server\"", missing, "the old one stays"),
        ("mode = \"server\"", "", "is reloaded"),
        (jwt, "", "is reloaded"),
        ("mode = \"server\"", "", "is reloaded"),
    ] {
        serving.rewrite("portcullis.toml", &toml(auth, rest));
        let said = serving.reload();
        assert!(said.contains(says), "{auth}: {said}");
        let published = send(&keys, &[], None);
        assert_eq!(published.status, 200, "{auth}");
        assert_eq!(published.text.matches("\"kid\"").count(), 1, "the same key");
    }
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn the_demo_server_has_nothing_to_read_again() {
    let serving = Program::dev().serve();
    serving.signal("HUP");
    let (url, alice) = (serving.url(), serving.token("alice"));
    assert_eq!(call(&url, Some(&alice), "whoami").status, 200);
    let ended = serving.stop();
    assert_eq!(ended.code, 0);
    assert!(
        ended.stderr.contains("no configuration to read again"),
        "{ended:?}"
    );
}
