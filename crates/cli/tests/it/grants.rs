//! `client`, `grant` and `user` beside a server that runs: it feels them on its next request.

use portcullis_oauth::json::{Value, json};

use crate::login::{Client, Tokens, add_user, server, value};
use crate::support::{Program, Serving};

fn ids(listed: &Value, of: &str) -> Vec<String> {
    let all = listed[of].as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether a client is out: its token opens nothing, and it gets no other.
fn assert_ended(client: &Client<'_>, tokens: &Tokens) {
    assert_eq!(client.call(tokens), 401);
    let refused = client.refresh(&tokens.refresh);
    let error = value(&refused)["error"].clone();
    assert!(
        error == "invalid_grant" || error == "invalid_client",
        "{refused:?}"
    );
}

fn fails(serving: &Serving, arguments: &[&str]) -> String {
    let ended = Program::beside(serving, &[arguments, &["--human"]].concat());
    assert_eq!(ended.code, 1, "{ended:?}");
    ended.seen()
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_rv_02_a_server_feels_what_a_command_revokes() {
    let serving = server("");
    assert_eq!(serving.ready["users"], "none yet");
    add_user(&serving, "alice");
    add_user(&serving, "bob");
    let desk = Client::register(&serving, "Desk");
    let phone = Client::register(&serving, "Phone");
    let of_alice = [
        desk.log_in("alice").await,
        desk.log_in("alice").await,
        phone.log_in("alice").await,
    ];
    let of_bob = [desk.log_in("bob").await, phone.log_in("bob").await];
    for tokens in of_alice.iter().chain(&of_bob) {
        assert_eq!(desk.call(tokens), 200);
    }
    let listed = desk.command(&["grant", "list"]);
    assert_eq!(ids(&listed, "grants").len(), 5);
    let both = ["grant", "list", "--user", "alice", "--client", &desk.id];
    let both = desk.command(&both);
    assert_eq!(ids(&both, "grants").len(), 2);
    assert_eq!(both["grants"][0]["user"], "alice");
    assert_eq!(both["grants"][0]["client_name"], "Desk");
    assert_eq!(both["grants"][0]["scope"], "read write");
    assert_eq!(both["grants"][0]["resource"], serving.url());

    // One of them: the other one of the same user and client stays.
    let one = &ids(&both, "grants")[0];
    assert_eq!(desk.command(&["grant", "revoke", one]), Value::Null);
    let alive = of_alice.iter().filter(|tokens| desk.call(tokens) == 200);
    assert_eq!(alive.count(), 2);
    assert!(fails(&serving, &["grant", "revoke", one]).contains("there is no grant"));

    let both = ["grant", "revoke", "--user", "alice", "--client", &desk.id];
    assert_eq!(desk.command(&both), json!({"revoked": 1}));
    assert_ended(&desk, &of_alice[0]);
    assert_ended(&desk, &of_alice[1]);
    assert_eq!(phone.call(&of_alice[2]), 200);
    let user = ["grant", "revoke", "--user", "ALICE"];
    assert_eq!(desk.command(&user), json!({"revoked": 1}));
    assert_ended(&phone, &of_alice[2]);
    assert_eq!(desk.command(&user), json!({"revoked": 0}));

    // A client that is revoked has to register anew.
    let clients = desk.command(&["client", "list"]);
    assert_eq!(clients["clients"][0]["kind"], "registered");
    assert_eq!(clients["clients"][0]["grants"], 1);
    assert_eq!(desk.call(&of_bob[0]), 200);
    desk.command(&["client", "revoke", &desk.id]);
    assert_ended(&desk, &of_bob[0]);
    assert_eq!(desk.ask(&desk.browser()).await.status, 400);
    assert_eq!(phone.call(&of_bob[1]), 200);

    assert!(fails(&serving, &["grant", "revoke", "--all"]).contains("--yes"));
    assert_eq!(phone.call(&of_bob[1]), 200, "nobody said yes");
    let all = ["grant", "revoke", "--all", "--yes"];
    assert_eq!(phone.command(&all), json!({"revoked": 1}));
    assert_ended(&phone, &of_bob[1]);
    let all = ["client", "revoke", "--all", "--yes"];
    assert_eq!(phone.command(&all), json!({"revoked": 1}));
    assert_eq!(phone.command(&["client", "list"]), json!({"clients": []}));
    assert_eq!(serving.stop().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_rt_11_a_server_feels_what_becomes_of_a_user() {
    let serving = server("");
    add_user(&serving, "alice");
    let client = Client::register(&serving, "Desk");
    let tokens = client.log_in("alice").await;
    assert_eq!(client.call(&tokens), 200);
    client.command(&["user", "update", "alice", "--role", "editor"]);
    assert_eq!(client.call(&tokens), 200, "more than before ends nothing");
    for change in [
        &["user", "update", "alice", "--role", "reader"][..],
        &["user", "update", "alice", "--no-role", "--scopes", "read"],
        &["user", "disable", "alice"],
    ] {
        client.command(&["user", "enable", "alice"]);
        client.command(&[
            "user",
            "update",
            "alice",
            "--all-scopes",
            "--role",
            "editor",
        ]);
        let tokens = client.log_in("alice").await;
        assert_eq!(client.call(&tokens), 200);
        client.command(change);
        assert_ended(&client, &tokens);
    }
    let users = client.command(&["user", "list"]);
    assert_eq!(users["users"][0]["disabled"], true);
    let browser = client.browser();
    let page = client.ask(&browser).await;
    let fields = [("username", "alice"), ("password", crate::login::PASSWORD)];
    let page = browser.press(&page, "Sign in", &fields).await;
    assert!(page.text.contains("password"), "{}", page.text);
    client.command(&["user", "enable", "alice"]);
    assert_eq!(client.call(&client.log_in("alice").await), 200);
    assert_eq!(serving.stop().code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_for_people_too() {
    let serving = server("");
    let shown = |arguments: &[&str]| {
        let ended = Program::beside(&serving, &[arguments, &["--human"]].concat());
        ended.seen()
    };
    let mut seen = String::new();
    for list in [&["grant", "list"][..], &["client", "list"]] {
        seen.push_str(&shown(list));
    }
    add_user(&serving, "alice");
    let desk = Client::register(&serving, "Desk\nadmin \u{202e}");
    let tokens = desk.log_in("alice").await;
    assert_eq!(desk.call(&tokens), 200);
    for list in [
        &["user", "list"][..],
        &["grant", "list"],
        &["client", "list"],
        &["grant", "list", "--client", "nobody"],
        &["grant", "list", "--user", "nobody"],
        &["client", "revoke", "nobody", "neither"],
        &["grant", "revoke", "AAAAAAAAAAAAAAAAAAAAAA"],
        &["grant", "revoke", "short"],
        &["grant", "revoke"],
        &["grant", "revoke", "--all", "--user", "alice"],
        &["grant", "revoke", "--yes"],
        &["client", "revoke", "--all"],
        &["user", "update", "alice"],
        &["user", "update", "alice", "--role", "a", "--no-role"],
        &["user", "update", "nobody", "--no-role"],
        &["user", "disable", "nobody"],
        &["grant", "revoke", "--user", "alice"],
    ] {
        seen.push_str(&shown(list));
    }
    let filters = [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "YEAR-MM-DD HH:MM:SS"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d", "YEAR-MM-DD HH:MM"),
        (r"[0-9a-f]{32}", "CLIENT"),
        (r"(?m)^[\w-]{22}  ", "GRANT                   "),
    ];
    insta::with_settings!({ filters => filters.to_vec() }, {
        insta::assert_snapshot!("grants_and_clients", seen);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_revoked_when_somebody_says_yes() {
    let serving = server("");
    add_user(&serving, "alice");
    let client = Client::register(&serving, "Desk");
    let tokens = client.log_in("alice").await;
    let answered = |answer: &str| {
        let program = env!("CARGO_BIN_EXE_portcullis");
        let command = format!("'{program}' grant revoke --all");
        // A terminal of its own; what it shows is its output.
        let line = format!("printf '{answer}\\n' | script -qec \"{command}\" /dev/null");
        Program::shell_beside(&serving, &line)
    };
    for no in ["", "n", "yep"] {
        let shown = answered(no);
        assert!(shown.contains("End 1 grant? [y/N]"), "{shown}");
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(client.call(&tokens), 200);
    }
    let shown = answered("Y");
    assert!(shown.contains("1 grant revoked"), "{shown}");
    assert_ended(&client, &tokens);
    let shown = answered("");
    assert!(
        shown.contains("0 grants revoked"),
        "nothing to ask for: {shown}"
    );
}

#[test]
fn a_store_in_memory_is_another_process_own() {
    let program = Program::new(&["grant", "list", "--human"]);
    let ended = program.toml("[store]\nurl = \"memory:\"\n").end();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the store is in memory"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_gw_25_commands_leave_lines_too() {
    let serving = server("[audit]\nfile = \"audit.jsonl\"\n");
    add_user(&serving, "alice");
    let desk = Client::register(&serving, "Desk");
    let phone = Client::register(&serving, "Phone");
    for client in [&desk, &phone] {
        client.log_in("alice").await;
    }
    let one = desk.command(&["grant", "list", "--client", &desk.id]);
    let one = ids(&one, "grants").remove(0);
    let url = serving.url();
    for command in [
        &["user", "update", "alice", "--role", "editor"][..],
        &["grant", "revoke", &one],
        &["client", "revoke", &phone.id],
        &["user", "passwd", "alice", "--password-file", "password"],
        &["user", "disable", "alice"],
        &["user", "enable", "alice"],
        &["key", "rotate"],
        &["token", "mint", "alice", "--audience", &url],
        &["user", "remove", "alice"],
    ] {
        let ended = Program::beside(&serving, command);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let lines = Program::shell_beside(&serving, "cat audit.jsonl");
    let lines: Vec<_> = lines.lines().map(parsed).collect();
    let told = |event: &str, reason: Option<&str>| {
        let is = |line: &&Value| line["event"] == event && line["reason"].as_str() == reason;
        let found: Vec<_> = lines.iter().filter(is).collect();
        assert_eq!(found.len(), 1, "{event} {reason:?}: {lines:?}");
        found[0].clone()
    };
    let subject = told("user_added", None)["subject"].clone();
    for how in ["rights", "password", "disabled", "enabled"] {
        assert_eq!(told("user_changed", Some(how))["subject"], subject);
    }
    assert_eq!(told("user_removed", None)["subject"], subject);
    let ended = told("grant_ended", Some("revoked_by_operator"));
    assert_eq!(
        (&ended["grant"], &ended["subject"]),
        (&one.into(), &subject)
    );
    assert_eq!(ended["client_id"], desk.id.as_str());
    assert_eq!(told("client_revoked", None)["client_id"], phone.id.as_str());
    told("grant_ended", Some("client_gone"));
    told("key_rotated", None);
    assert_eq!(told("token_minted", None)["resource"], url.as_str());

    // What cannot be written down is not done.
    Program::shell_beside(&serving, "mv audit.jsonl old.jsonl; mkdir audit.jsonl");
    let said = fails(&serving, &["user", "add", "bob", "--generate"]);
    assert!(said.contains("is no regular file"), "{said}");
    let users = desk.command(&["user", "list"]);
    assert_eq!(users["users"], json!([]));
}

fn parsed(line: &str) -> Value {
    portcullis_oauth::json::value(line.as_bytes(), portcullis_oauth::json::Limits::METADATA)
        .unwrap()
}
