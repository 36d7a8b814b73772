//! Which of several sources wins, and what the environment may not do.

use crate::support::{Ended, Program};

const STORED: &str = "[store]\nurl = \"sqlite:state.db\"\n[auth]\nmode = \"jwt\"\nissuer = \"https://file.example\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n";
const FILE: &str = "listen = \"127.0.0.1:1001\"\n[auth]\nmode = \"jwt\"\nissuer = \"https://file.example\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n";

fn shown(program: Program) -> Ended {
    program.toml(FILE).end()
}

fn line<'e>(ended: &'e Ended, key: &str) -> &'e str {
    let mut lines = ended.stdout.lines();
    let found = lines.find(|line| line.split_whitespace().next() == Some(key));
    found.unwrap_or_else(|| panic!("{key} is not in {ended:?}"))
}

#[test]
fn the_environment_wins_over_the_file() {
    let show = || Program::new(&["config", "show", "--human"]);
    let ended = shown(show());
    assert!(
        line(&ended, "listen").ends_with("127.0.0.1:1001  (portcullis.toml:1:1)"),
        "{ended:?}"
    );
    assert!(line(&ended, "mcp_path").ends_with("/mcp  (default)"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let ended = shown(show().env("PORTCULLIS_LISTEN", "127.0.0.1:1002"));
    assert!(
        line(&ended, "listen").ends_with("127.0.0.1:1002  (PORTCULLIS_LISTEN)"),
        "{ended:?}"
    );
}

#[test]
fn a_file_beside_the_configuration_is_environment_too() {
    let show = || {
        Program::new(&["config", "show", "--human"])
            .file(".env", "PORTCULLIS_LISTEN=127.0.0.1:1003\n")
    };
    let ended = shown(show());
    assert!(
        line(&ended, "listen").ends_with("127.0.0.1:1003  (PORTCULLIS_LISTEN (.env:1))"),
        "{ended:?}"
    );
    let ended = shown(show().env("PORTCULLIS_LISTEN", "127.0.0.1:1002"));
    assert!(
        line(&ended, "listen").ends_with("(PORTCULLIS_LISTEN)"),
        "{ended:?}"
    );
}

#[test]
fn sec_op_09_a_dotenv_that_others_can_read_warns() {
    let program = Program::new(&["config", "validate", "--human"]);
    let open = program.file_with_mode(".env", "PORTCULLIS_LISTEN=127.0.0.1:1003\n", 0o644);
    let ended = shown(open);
    assert_eq!(ended.code, 0);
    assert!(
        ended
            .stderr
            .contains("warning: `.env` can be read by every user"),
        "{ended:?}"
    );
    let program = Program::new(&["config", "validate", "--human"]);
    let ended = shown(program.file(".env", "PORTCULLIS_LISTEN=127.0.0.1:1003\n"));
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_flag_wins_over_everything() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = Program::new(&["run", "--listen", &address, "--human"]);
    let ended = shown(run.env("PORTCULLIS_LISTEN", "127.0.0.1:1002"));
    assert!(
        ended
            .stderr
            .contains(&format!("`{address}` cannot be listened on")),
        "{ended:?}"
    );
}

/// The settings of a mode, too: whose mistake it is shows whose value was taken.
#[test]
fn settings_of_a_mode_have_the_same_order() {
    let validate = || Program::new(&["config", "validate", "--human"]);
    let ended = shown(validate().env("PORTCULLIS_AUTH_ISSUER", "environment"));
    assert!(
        ended.stderr.contains("--> PORTCULLIS_AUTH_ISSUER"),
        "{ended:?}"
    );
    let ended = shown(validate().env("FASTMCP_SERVER_AUTH_JWT_ISSUER", "environment"));
    assert!(
        ended.stderr.contains("--> FASTMCP_SERVER_AUTH_JWT_ISSUER"),
        "{ended:?}"
    );
    let run = Program::new(&["run", "--issuer", "flag", "--human"]);
    let ended = shown(run.env("PORTCULLIS_AUTH_ISSUER", "environment"));
    assert!(ended.stderr.contains("--> --issuer"), "{ended:?}");
}

#[test]
fn fastmcp_s_variables_choose_and_configure_a_provider() {
    let program = || {
        Program::new(&["config", "validate", "--human"])
            .env(
                "FASTMCP_SERVER_AUTH",
                "fastmcp.server.auth.providers.workos.AuthKitProvider",
            )
            .env(
                "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_BASE_URL",
                "https://mcp.example.com",
            )
            .toml("listen = \"0.0.0.0:8000\"\n")
    };
    let ended = program()
        .env(
            "FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN",
            "p-1.authkit.app",
        )
        .end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let ended = program().end();
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .stderr
            .contains("`FASTMCP_SERVER_AUTH_AUTHKITPROVIDER_AUTHKIT_DOMAIN` is not set"),
        "{ended:?}"
    );
}

#[test]
fn sec_gw_09_the_environment_opens_nothing() {
    let rules = "[auth]\nmode = \"supabase\"\nproject_url = \"https://a.supabase.co\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n";
    let mut open = Vec::new();
    for (name, value, toml) in [
        ("PORTCULLIS_AUTH", "none", FILE),
        ("PORTCULLIS_AUTH_MODE", "none", FILE),
        ("PORTCULLIS_AUTH_MODE", "NONE", FILE),
        ("FASTMCP_SERVER_AUTH", "dev", FILE),
        ("PORTCULLIS_DANGER_ALLOW_ANONYMOUS", "true", FILE),
        ("PORTCULLIS_STORE_DANGER_NO_ENCRYPTION", "true", STORED),
        ("PORTCULLIS_AUTH_ANONYMOUS", "per-tool", FILE),
        ("PORTCULLIS_AUTH_ALLOW_DOMAINS", "example.com", FILE),
        ("PORTCULLIS_UPSTREAM", "http://127.0.0.1:2/mcp", FILE),
        (
            "PORTCULLIS_AUTH_DANGER_ACCEPT_SHARED_AUDIENCE",
            "true",
            rules,
        ),
    ] {
        let ended = Program::new(&["config", "validate", "--human"])
            .env(name, value)
            .toml(toml)
            .end();
        if ended.code != 1 || !ended.stderr.contains(&format!("--> {name}")) {
            open.push((name, value));
        }
    }
    assert_eq!(open, []);
}

#[test]
fn sec_gw_09_no_auth_stays_on_this_machine() {
    let toml = |more: &str| {
        format!(
            "listen = \"0.0.0.0:1\"\nbase_url = \"https://m.example\"\n{more}[auth]\nmode = \"none\"\n"
        )
    };
    let validate = || Program::new(&["config", "validate", "--human"]);
    let ended = validate().toml(&toml("")).end();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("nobody verifies callers"),
        "{ended:?}"
    );
    let ended = validate()
        .toml(&toml("danger_allow_anonymous = true\n"))
        .end();
    assert_eq!(ended.code, 0);
    assert!(
        ended
            .stderr
            .contains("warning: `danger_allow_anonymous` is set"),
        "{ended:?}"
    );
}

#[test]
fn sec_gw_09_a_public_name_is_reached_by_other_machines() {
    let validate = |mode: &str, base_url: &str, more: &str| {
        let toml = format!("base_url = \"{base_url}\"\n{more}[auth]\nmode = \"{mode}\"\n");
        let program = Program::new(&["config", "validate", "--human"]);
        program.toml(&toml).end()
    };
    let danger = "danger_allow_anonymous = true\n";
    for (mode, more) in [("none", ""), ("dev", ""), ("dev", danger)] {
        let ended = validate(mode, "https://mcp.example.com", more);
        assert_eq!(ended.code, 1, "{mode}");
        assert!(ended.stderr.contains("`base_url` is reached"), "{ended:?}");
    }
    assert_eq!(validate("none", "https://mcp.example.com", danger).code, 0);
    let local = "http://localhost:8000";
    let named = "allowed_hosts = [\"mcp.example.com\"]\n";
    for mode in ["none", "dev"] {
        let ended = validate(mode, local, named);
        let told = "`allowed_hosts` is reached by other machines";
        assert!(ended.code == 1 && ended.stderr.contains(told), "{ended:?}");
    }
    let proxied = "trusted_proxies = [\"10.0.0.7\"]\n";
    for mode in ["none", "dev"] {
        let ended = validate(mode, local, proxied);
        let told = "`trusted_proxies` says that this server is reached by other machines";
        assert!(ended.code == 1 && ended.stderr.contains(told), "{ended:?}");
    }
    assert_eq!(
        validate("none", local, &format!("{danger}{proxied}")).code,
        0
    );
    let own = "allowed_hosts = [\"[::1]:8000\", \"localhost\", \"127.0.0.1:1\"]\n";
    assert_eq!(validate("dev", local, own).code, 0);
    for (mode, local) in [
        ("none", "http://localhost:8000"),
        ("dev", "http://127.0.0.1:8000"),
    ] {
        assert_eq!(validate(mode, local, "").code, 0, "{local}");
    }
}

#[test]
fn m2_a_form_of_challenges_that_nobody_knows_is_named() {
    let program = |mode: &str, challenges: &str| {
        let toml = format!(
            "[auth]\nmode = \"{mode}\"\nchallenges = \"{challenges}\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n"
        );
        Program::new(&["config", "validate", "--human"])
            .toml(&toml)
            .end()
    };
    for known in ["auto", "http", "in-band"] {
        assert_eq!(program("dev", known).code, 0, "{known}");
    }
    let ended = program("dev", "tool-result");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("auth.challenges"), "{ended:?}");
    let ended = program("none", "http");
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("has no effect in mode `none`"),
        "{ended:?}"
    );
}

#[test]
fn sec_gw_09_dev_mode_stays_on_this_machine() {
    let toml = "listen = \"0.0.0.0:1\"\nbase_url = \"https://m.example\"\ndanger_allow_anonymous = true\n[auth]\nmode = \"dev\"\n";
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(toml)
        .end();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("mode `dev` is for this one"),
        "{ended:?}"
    );
}

#[test]
fn sec_gw_09_a_typo_in_the_environment_is_named() {
    let program =
        Program::new(&["config", "validate", "--human"]).env("PORTCULLIS_LISTN", "0.0.0.0:1");
    let ended = shown(program.env("PORTCULLIS_PORT_80_TCP", "tcp://10.0.0.1:80"));
    assert_eq!(
        ended.stderr,
        "warning: nobody reads `PORTCULLIS_LISTN`\n  hint: did you mean `PORTCULLIS_LISTEN`?\n"
    );
}

#[test]
fn a_typo_in_a_setting_of_the_mode_is_named() {
    let program = Program::new(&["config", "validate", "--human"]);
    let ended = shown(program.env("PORTCULLIS_AUTH_REQUIRED_SCOPE", "notes"));
    assert_eq!(ended.code, 0);
    let said = "warning: mode `jwt` does not read `PORTCULLIS_AUTH_REQUIRED_SCOPE`\n  \
                hint: did you mean `PORTCULLIS_AUTH_REQUIRED_SCOPES`?\n";
    assert_eq!(ended.stderr, said);
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let toml = "mcp_servers = \"servers.json\"\n[auth]\nmode = \"none\"\n";
    let servers = r#"{"servers": {"files": {"type": "http", "url": "http://127.0.0.1:1/mcp"}}}"#;
    let program = Program::new(&["config", "validate", "--config", "etc/p.toml", "--human"]);
    let ended = program
        .file("etc/p.toml", toml)
        .file("etc/servers.json", servers)
        .end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn the_schema_knows_every_mode_and_its_settings() {
    use portcullis_oauth::json::{self, Limits};

    let ended = Program::new(&["config", "schema"]).end();
    let schema = json::value(ended.stdout.as_bytes(), Limits::METADATA).unwrap();
    let auth = &schema["properties"]["auth"]["properties"];
    for key in [
        "mode",
        "issuer",
        "jwks_uri",
        "client_secret",
        "client_secret_file",
        "authkit_domain",
    ] {
        assert!(auth[key].is_object(), "{key}");
    }
    assert_eq!(auth["client_secret"]["writeOnly"], true);
    assert!(!ended.stdout.contains("null"));
}

#[test]
fn sec_mt_08_no_server_stands_where_metadata_is() {
    let toml = |path: &str| {
        format!(
            "[auth]\nmode = \"remote\"\nauthorization_servers = \"https://a.example\"\n\
             [[upstream]]\nname = \"a\"\npath = \"/a\"\nurl = \"http://127.0.0.1:1/mcp\"\n\
             [[upstream]]\nname = \"b\"\npath = \"{path}\"\nurl = \"http://127.0.0.1:1/mcp\"\n"
        )
    };
    let validate = |path| {
        Program::new(&["config", "validate", "--human"])
            .toml(&toml(path))
            .end()
    };
    assert_eq!(validate("/b").code, 0);
    for path in [
        "/.well-known/oauth-protected-resource/a",
        "/.Well-Known/",
        "/livez",
        "/readyz/",
    ] {
        let ended = validate(path);
        assert_eq!(ended.code, 1, "{path}");
        assert!(
            ended.stderr.contains("`upstream[1].path` is "),
            "{path}: {ended:?}"
        );
    }
}

#[test]
fn the_front_page_s_configuration_is_one() {
    let readme = include_str!("../../../../README.md");
    let blocks = readme.split("```toml\n").skip(1);
    let mut blocks = blocks.filter_map(|block| block.split("```").next());
    let toml = blocks.find(|block| block.contains("[[upstream]]")).unwrap();
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(toml)
        .end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

/// What systemd and Docker run is a command line of this program.
#[test]
fn what_is_deployed_is_started_as_it_can_be() {
    let unit = include_str!("../../../../deploy/portcullis.service");
    let image = include_str!("../../../../deploy/Dockerfile");
    let arguments = ["run", "--config", "/etc/portcullis/portcullis.toml"];
    assert!(unit.contains(&format!(
        "ExecStart=/usr/bin/portcullis {}\n",
        arguments.join(" ")
    )));
    let quoted: Vec<_> = arguments.iter().map(|word| format!("\"{word}\"")).collect();
    assert!(image.contains(&format!("CMD [{}]\n", quoted.join(", "))));
    let arguments = arguments.map(|word| word.replace("/etc/portcullis/", "nowhere-"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = Program::new(&[&arguments[..], &["--human"]].concat()).end();
    assert!(
        ended.stderr.contains("`nowhere-portcullis.toml`"),
        "{ended:?}"
    );
}

#[test]
fn a_server_of_the_old_transport_can_stand_behind() {
    let validate = |upstream: &str| {
        let toml = format!("[auth]\nmode = \"none\"\n[[upstream]]\n{upstream}\n");
        let program = Program::new(&["config", "validate", "--human"]);
        let ended = program.toml(&toml).end();
        (ended.code, ended.stderr)
    };
    let old = "url = \"http://127.0.0.1:1/sse\"\ntransport = \"sse\"\n";
    assert_eq!(validate(old), (0, String::new()));
    assert_eq!(
        validate(&format!("{old}isolation = \"user\"")),
        (0, String::new())
    );
    for (upstream, fault) in [
        (
            format!("{old}forward_headers = [\"X-Team\"]"),
            "`upstream[0].forward_headers` has no effect over HTTP+SSE",
        ),
        (
            format!("{old}isolation = \"shared\"\nidentity.headers = {{ X-User = \"{{sub}}\" }}"),
            "tells who calls, and one connection serves all callers",
        ),
        (
            "url = \"http://127.0.0.1:1/mcp\"\nisolation = \"user\"".to_owned(),
            "`upstream[0].isolation` has no effect over HTTP",
        ),
        (
            "command = [\"x\"]\ntransport = \"sse\"".to_owned(),
            "`upstream[0].transport` has no effect for a program",
        ),
        (
            "url = \"http://127.0.0.1:1/sse\"\ntransport = \"see\"".to_owned(),
            "sse",
        ),
    ] {
        let (code, stderr) = validate(&upstream);
        assert_eq!(code, 1, "{upstream}");
        assert!(stderr.contains(fault), "{upstream}: {stderr}");
    }
    let servers = r#"{"mcpServers": {"old": {"type": "sse", "url": "http://127.0.0.1:1/sse"}}}"#;
    let toml = "mcp_servers = \"s.json\"\n[auth]\nmode = \"none\"\n";
    let program = Program::new(&["config", "validate", "--human"]).toml(toml);
    let ended = program.file("s.json", servers).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn sec_gw_09_an_empty_list_in_a_rule_is_a_mistake() {
    let validate = |rule: &str| {
        let toml = format!(
            "[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\nrole_claims = [\"realm_access.roles\"]\n\
             [[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n[[upstream.tool]]\nmatch = \"x\"\n{rule}\n"
        );
        let program = Program::new(&["config", "validate", "--human"]);
        let ended = program.toml(&toml).end();
        (ended.code, ended.stderr)
    };
    assert_eq!(validate("roles = [\"admin\"]"), (0, String::new()));
    assert_eq!(validate(""), (0, String::new()));
    for key in ["roles", "scopes"] {
        let (code, stderr) = validate(&format!("{key} = []"));
        assert_eq!(code, 1, "{key}");
        let fault = format!("`upstream[0].tool[0].{key}` is empty");
        assert!(stderr.contains(&fault), "{stderr}");
    }
}

#[test]
fn a_flag_that_replaces_the_servers_of_a_file_says_so() {
    let toml = "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n\
                [[upstream.tool]]\nmatch = \"*\"\nscopes = [\"a\"]\n";
    let behind = crate::support::upstream();
    let told = "`--upstream` takes the place of the server in `upstream`, rules included";
    for (file, says_so) in [
        ("listen = \"127.0.0.1:0\"\n[auth]\nmode = \"none\"\n", false),
        (toml, true),
    ] {
        let program = Program::new(&["run", "--json", "--upstream", &behind]);
        let ended = program.toml(file).serve().stop();
        assert_eq!(ended.stderr.contains(told), says_so, "{ended:?}");
    }
}

#[test]
fn a_store_has_its_folder_beside_the_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let toml = "[store]\nurl = \"sqlite:state/deep/portcullis.db\"\n";
    let arguments = ["user", "add", "alice", "--config", "etc/portcullis.toml"];
    let program = Program::new(&arguments).file("etc/portcullis.toml", toml);
    let program = program.stdin("the sea is green in winter\n");
    let ended = program.end_and(|folder| {
        for (name, mode) in [
            ("state", 0o700),
            ("state/deep", 0o700),
            ("state/deep/portcullis.key", 0o600),
        ] {
            let found = std::fs::metadata(folder.join("etc").join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
        }
    });
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn lifetimes_and_limits_of_a_login_can_be_said() {
    let toml = "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"server\"\n[store]\nurl = \"sqlite:a.db\"\n\
                [tokens]\naccess_lifetime = \"15m\"\nidle_lifetime = \"7d\"\ngrant_lifetime = \"30d\"\n\
                signing_key_rotation = \"never\"\n\
                [login]\nsession_idle_lifetime = \"30m\"\nsession_lifetime = \"8h\"\n\
                [rate_limits]\nmultiplier = 4\n\
                [[rate_limits.shared]]\nnetwork = \"198.51.100.0/24\"\nusers = 500\n\
                [[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n";
    let program = |command| Program::new(&["config", command, "--human"]).toml(toml);
    let ended = program("validate").end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let ended = program("validate")
        .env("PORTCULLIS_LOGIN_SESSION_LIFETIME", "10m")
        .env("PORTCULLIS_RATE_LIMITS_MULTIPLIER", "0")
        .env("PORTCULLIS_TOKENS_SIGNING_KEY_ROTATION", "30d")
        .end();
    assert_eq!(ended.code, 1, "{ended:?}");
    for fault in [
        "`login.session_idle_lifetime` is longer than `login.session_lifetime`",
        "`rate_limits.multiplier` is not between 1 and 100000",
    ] {
        assert!(ended.stderr.contains(fault), "{ended:?}");
    }
    let shown = program("show").end().stdout;
    assert!(shown.contains("rate_limits.shared[0].network"), "{shown}");
}

#[test]
fn the_store_is_a_file_or_ends_with_the_process() {
    let validate = |store: &str| {
        let program = Program::new(&["config", "validate", "--human"]);
        program.toml(&format!("{FILE}[store]\n{store}\n")).end()
    };
    for fine in [
        "url = \"memory:\"",
        "url = \"sqlite:portcullis.db\"",
        "url = \"sqlite:/var/lib/portcullis/portcullis.db\"\nkey_file = \"/etc/portcullis.key\"",
    ] {
        let ended = validate(fine);
        assert_eq!(ended.code, 0, "{fine}: {ended:?}");
    }
    for (wrong, told) in [
        ("url = \"sqlite:\"", "`store.url` names no file"),
        ("url = \"sqlite://host/file\"", "`store.url` names no file"),
        (
            "url = \"postgres://me:hunter2@db/portcullis\"",
            "`store.url` is not built into this version",
        ),
        (
            "url = \"redis://:hunter2@db\"",
            "`store.url` is not built into this version",
        ),
        (
            "url = \"portcullis.db\"",
            "`store.url` is no kind of store that is known",
        ),
        (
            "key_file = \"portcullis.key\"",
            "`store.key_file` has no effect in memory",
        ),
    ] {
        let ended = validate(wrong);
        assert_eq!(ended.code, 1, "{wrong}");
        assert!(ended.stderr.contains(told), "{wrong}: {ended:?}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn sec_op_09_config_show_masks_credentials_in_a_url() {
    let show = Program::new(&["config", "show", "--human"]);
    let toml = format!("{FILE}[store]\nurl = \"postgres://me:hunter2@db:5432/p?key=hunter2\"\n");
    let ended = show.toml(&toml).end();
    let shown = line(&ended, "store.url");
    let masked = "postgres://[redacted]@db:5432/p?[redacted]";
    assert!(shown.contains(masked), "{shown}");
    assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
}

#[test]
fn scopes_without_a_default_are_warned_of() {
    let validate = |more: &str, upstream: &str| {
        let toml = format!(
            "[auth]\nmode = \"server\"\n{more}\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n{upstream}"
        );
        let program = Program::new(&["config", "validate", "--human"]);
        let ended = program.toml(&toml).end();
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stderr.contains("warning: `scopes` name no default")
    };
    let two = "[scopes.read]\n[scopes.write]";
    assert!(validate(two, ""));
    assert!(!validate("", ""), "there are none");
    assert!(!validate("[scopes.read]", ""), "there is no choice");
    assert!(!validate(
        "[scopes.read]\ndefault = true\n[scopes.write]",
        ""
    ));
    assert!(!validate(
        &format!("required_scopes = [\"read\"]\n{two}"),
        ""
    ));
    assert!(!validate(two, "required_scopes = [\"read\"]"));
}
