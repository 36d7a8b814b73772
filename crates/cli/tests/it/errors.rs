//! Every mistake that a user can make, with exit code, stdout and stderr.

use crate::support::Program;

/// A name, the arguments and the configuration.
type Case = (&'static str, &'static [&'static str], &'static str);

const UP: &str = "http://127.0.0.1:3001/mcp";

const ON_THE_COMMAND_LINE: &[Case] = &[
    ("unknown_flag", &["run", "--listn", "x"], ""),
    ("unknown_command", &["rum"], ""),
    ("missing_value", &["run", "--listen"], ""),
    (
        "upstream_and_command",
        &["run", "--upstream", UP, "--", "cat"],
        "",
    ),
    ("unknown_shell", &["completions", "tcsh"], ""),
    ("no_auth_mode", &["run", "--upstream", UP], ""),
    (
        "unknown_mode",
        &["run", "--auth", "jtw", "--upstream", UP],
        "",
    ),
    (
        "misspelt_mode",
        &["run", "--auth", "autkit", "--upstream", UP],
        "",
    ),
    (
        "mode_of_the_proxy",
        &["run", "--auth", "auth0", "--upstream", UP],
        "",
    ),
    (
        "missing_issuer",
        &["run", "--auth", "jwt", "--upstream", UP],
        "",
    ),
    (
        "wrong_issuer",
        &[
            "run",
            "--auth",
            "jwt",
            "--issuer",
            "example",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "foreign_setting",
        &[
            "run",
            "--auth",
            "jwt",
            "--issuer",
            "https://a.example",
            "--authkit-domain",
            "x",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "setting_without_mode",
        &[
            "run",
            "--auth",
            "none",
            "--issuer",
            "https://a.example",
            "--upstream",
            UP,
        ],
        "",
    ),
    ("nothing_behind", &["run", "--auth", "none"], ""),
    (
        "wrong_listen",
        &[
            "run",
            "--auth",
            "none",
            "--listen",
            "8000",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "open_to_the_network",
        &[
            "run",
            "--auth",
            "none",
            "--listen",
            "0.0.0.0:8000",
            "--base-url",
            "https://m.example",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "dev_to_the_network",
        &["dev", "--listen", "0.0.0.0:8000"],
        "",
    ),
    (
        "no_base_url",
        &[
            "run",
            "--auth",
            "jwt",
            "--issuer",
            "https://a.example",
            "--listen",
            "0.0.0.0:8000",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "http_base_url",
        &[
            "run",
            "--auth",
            "none",
            "--base-url",
            "http://m.example",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "http_upstream",
        &["run", "--auth", "none", "--upstream", "http://10.0.0.1/mcp"],
        "",
    ),
    (
        "plain_http_without_need",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\ndanger_plain_http = true\n",
    ),
    ("missing_file", &["run", "--config", "nope.toml"], ""),
    (
        "wrong_mcp_path",
        &[
            "run",
            "--auth",
            "none",
            "--mcp-path",
            "mcp",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "wrong_log_level",
        &[
            "run",
            "--auth",
            "none",
            "--log-level",
            "a=b=c",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "wrong_log_format",
        &[
            "run",
            "--auth",
            "none",
            "--log-format",
            "xml",
            "--upstream",
            UP,
        ],
        "",
    ),
    (
        "missing_mcp_servers",
        &["run", "--auth", "none", "--mcp-servers", "nope.json"],
        "",
    ),
    ("no_token", &["token", "decode"], ""),
    ("opaque_token", &["token", "decode", "abc"], ""),
    ("encrypted_token", &["token", "decode", "a.b.c.d.e"], ""),
    ("garbled_token", &["token", "decode", "a.!.c"], ""),
    (
        "issuer_without_audience",
        &["token", "verify", "a.b.c", "--issuer", "https://a.example"],
        "",
    ),
    ("verify_without_measure", &["token", "verify", "a.b.c"], ""),
];

const IN_THE_FILE: &[Case] = &[
    (
        "no_toml",
        &["config", "validate"],
        "listen = \n[auth]\nmode = 'none\n",
    ),
    (
        "unknown_keys",
        &["config", "validate"],
        "lisen = \"x\"\n[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\nclient_secretfile = \"x\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\ncolour = \"red\"\n[[upstream.tool]]\nmach = \"x\"\n",
    ),
    (
        "wrong_types",
        &["config", "validate"],
        "listen = 8000\ndrain = 1.5\nallowed_hosts = \"a\"\ndanger_allow_anonymous = \"no\"\nauth = \"none\"\n[limits]\nrequests = -1\nsessions = 0\n",
    ),
    (
        "auth_base_url",
        &["config", "validate"],
        "[auth]\nmode = \"authkit\"\nauthkit_domain = \"p.authkit.app\"\nbase_url = \"https://m.example\"\n",
    ),
    (
        "secret_twice",
        &["config", "validate"],
        "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\nclient_secret = \"one\"\nclient_secret_file = \"two\"\n",
    ),
    (
        "missing_secret_file",
        &["config", "validate"],
        "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\nclient_secret_file = \"two\"\n",
    ),
    (
        "several_without_names",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n[[upstream]]\n",
    ),
    (
        "same_path",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nname = \"a\"\npath = \"/a\"\nurl = \"http://127.0.0.1:1/mcp\"\n[[upstream]]\nname = \"b\"\npath = \"/a/\"\nurl = \"http://127.0.0.1:2/mcp\"\n",
    ),
    (
        "url_and_command",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\ncommand = [\"cat\"]\n",
    ),
    (
        "without_effect",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\nisolation = \"user\"\nenv = { A = \"b\" }\n[upstream.identity.env]\nB = \"{sub}\"\n",
    ),
    (
        "rules_without_auth",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n[[upstream.tool]]\nmatch = \"a\"\nroles = [\"admin\"]\n",
    ),
    (
        "wrong_rules",
        &["config", "validate"],
        "[auth]\nmode = \"dev\"\n[[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n[[upstream.tool]]\nscopes = [\"a b\"]\n[[upstream.tool]]\nmatch = \"x\"\nanonymous = true\nroles = [\"admin\"]\n[upstream.identity.headers]\nAuthorization = \"{sub}\"\nX-User = \"{name}\"\n",
    ),
    (
        "wrong_allow",
        &["config", "validate"],
        "[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\nallow = \"everyone\"\n",
    ),
    (
        "empty_allow",
        &["config", "validate"],
        "[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\n[auth.allow]\ndomains = []\n",
    ),
    (
        "half_of_tls",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[tls]\ncert = \"c.pem\"\n",
    ),
    (
        "wrong_proxies",
        &["config", "validate"],
        "trusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\n[auth]\nmode = \"none\"\n[admin]\nlisten = \"x\"\n",
    ),
    (
        "wrong_lifetimes",
        &["config", "validate"],
        "[auth]\nmode = \"server\"\n[tokens]\naccess_lifetime = \"2d\"\nidle_lifetime = \"100d\"\nsigning_key_rotation = \"5m\"\n\
         [login]\nsession_idle_lifetime = \"2h\"\nsession_lifetime = \"1h\"\n\
         [rate_limits]\nmultiplier = 0\n[[rate_limits.shared]]\nnetwork = \"198.51.100.7/24\"\nusers = 200000\n[[rate_limits.shared]]\n",
    ),
    (
        "lifetimes_that_are_none",
        &["config", "validate"],
        "[auth]\nmode = \"server\"\n[tokens]\ngrant_lifetime = \"long\"\nsigning_key_rotation = \"ever\"\n\
         signing_key_files = [\"s\"]\n[login]\nsession_lifetime = 0\n",
    ),
    (
        "login_without_users",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[login]\nsession_lifetime = \"1d\"\n[rate_limits]\nmultiplier = 2\n",
    ),
    (
        "wrong_scopes",
        &["config", "validate"],
        "[auth]\nmode = \"none\"\n[scopes]\n\"a b\" = { implies = [\"c d\"] }\n",
    ),
];

#[test]
fn mistakes_on_the_command_line_say_what_and_how_to_mend_it() {
    each(ON_THE_COMMAND_LINE);
}

#[test]
fn mistakes_in_the_file_say_where_they_are() {
    each(IN_THE_FILE);
}

fn each(cases: &[Case]) {
    for (name, arguments, toml) in cases {
        let arguments = [&["--human"], *arguments].concat();
        let program = Program::new(&arguments);
        let program = if toml.is_empty() {
            program
        } else {
            program.toml(toml)
        };
        let ended = program.end();
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
        assert_eq!(ended.stdout, "", "{name}");
        insta::assert_snapshot!(*name, ended.seen());
    }
}

#[test]
fn what_is_no_terminal_gets_a_line_of_json_for_each_mistake() {
    let ended = Program::new(&["config", "validate"])
        .toml("lisen = 1\n")
        .end();
    insta::assert_snapshot!(ended.seen());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = Program::new(&["dev", "--human", "--listen", &address]).end();
    assert_eq!(ended.code, 1);
    let seen = ended.seen().replace(&address, "ADDRESS");
    insta::assert_snapshot!(seen);
}

#[test]
fn a_list_of_servers_that_cannot_be_used_is_explained() {
    let servers = r#"{"mcpServers": {
        "vs": {"command": "npx", "args": ["${input:key}"]},
        "off": {"command": "x", "disabled": true},
        "far": {"url": "http://10.0.0.1/mcp", "headers": {"Authorization": "Bearer x"}}
    }}"#;
    let arguments = [
        "run",
        "--auth",
        "none",
        "--mcp-servers",
        "s.json",
        "--human",
    ];
    let ended = Program::new(&arguments).file("s.json", servers).end();
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!(ended.seen());
}
