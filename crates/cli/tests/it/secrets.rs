//! No secret comes out, whatever is asked and however wrong it is.

use crate::support::Program;

const CANARY: &str = "canary-7f3a9c";

#[test]
fn sec_op_09_config_show_has_no_secrets() {
    for mode in ["--human", "--json"] {
        let toml = format!(
            "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\nclient_secret = \"{CANARY}\"\n\
             [[upstream]]\nname = \"a\"\npath = \"/a\"\ncommand = [\"cat\"]\nenv = {{ KEY = \"{CANARY}\" }}\n\
             [[upstream]]\nname = \"b\"\npath = \"/b\"\nurl = \"http://127.0.0.1:1/mcp?key={CANARY}\"\n"
        );
        let program = Program::new(&["config", "show", mode]).toml(&toml);
        let ended = program
            .env("PORTCULLIS_AUTH_CLIENT_SECRET", CANARY)
            .env("FASTMCP_SERVER_AUTH_JWT_PUBLIC_KEY", CANARY)
            .end();
        assert!(ended.stdout.contains("[redacted]"), "{ended:?}");
        assert!(!ended.seen().contains(CANARY), "{ended:?}");
    }
}

#[test]
fn sec_op_01_no_mistake_shows_a_secret() {
    let introspection =
        "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\n";
    for toml in [
        format!("{introspection}client_secret = \"{CANARY}\"\n"),
        format!("{introspection}client_id = \"me\"\nclient_secret = \"{CANARY}\"\nclient_secret_file = \"{CANARY}\"\n").replace(&format!("file = \"{CANARY}\""), "file = \"x\""),
        format!("{introspection}client_id = \"me\"\nclient_secret = [\"{CANARY}\"]\n"),
        format!("{introspection}client_secret = \"{CANARY}\n"),
        format!("[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\npublic_key = \"{CANARY}\"\n"),
        format!("[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\nalgorithm = \"HS256\"\npublic_key = \"{CANARY}\"\n"),
        format!("[auth]\nmode = \"none\"\n[[upstream]]\nurl = \"https://me:{CANARY}@a.example/mcp\"\n"),
        format!("[auth]\nmode = \"none\"\nbase_url = \"https://me:{CANARY}@a.example\"\n"),
        format!("base_url = \"https://me:{CANARY}@a.example\"\n[auth]\nmode = \"none\"\n"),
        format!("[auth]\nmode = \"jwt\"\nissuer = \"https://me:{CANARY}@a.example\"\n"),
        format!("[auth]\nmode = \"none\"\n[[upstream]]\ncommand = []\nenv = {{ KEY = \"{CANARY}\" }}\n"),
    ] {
        let ended = Program::new(&["config", "validate", "--human"]).toml(&toml).env("PORTCULLIS_LOG_LEVEL", "trace").end();
        assert_eq!(ended.code, 1, "{toml}");
        assert!(!ended.seen().contains(CANARY), "{ended:?}");
    }
}

#[test]
fn sec_op_01_no_token_is_in_an_error() {
    for token in [
        CANARY.to_owned(),
        format!("a.b.{CANARY}"),
        format!("{CANARY}.b.c"),
        format!("e30.e30.{CANARY}"),
    ] {
        let arguments = [
            "token",
            "verify",
            "-",
            "--issuer",
            "https://127.0.0.1:1",
            "--audience",
            "https://a.example/mcp",
        ];
        let ended = Program::new(&arguments).stdin(&token).end();
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(!ended.seen().contains(CANARY), "{ended:?}");
    }
}

#[test]
fn a_secret_file_that_others_can_read_warns() {
    let toml = "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\nclient_secret_file = \"c.secret\"\n";
    let program = || Program::new(&["config", "validate", "--human"]).toml(toml);
    let ended = program().file_with_mode("c.secret", CANARY, 0o644).end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("warning: `c.secret` can be read by every user"),
        "{ended:?}"
    );
    assert!(!ended.seen().contains(CANARY));
    let ended = program().file("c.secret", CANARY).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn sec_op_09_a_configuration_with_a_secret_that_others_can_read_warns() {
    let start = "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\n";
    let inline = format!("{start}client_secret = \"{CANARY}\"\n");
    let elsewhere = format!("{start}client_secret_file = \"c.secret\"\n");
    let warning = "warning: `portcullis.toml` can be read by every user\n  --> portcullis.toml:5:1\n  hint: chmod 600 portcullis.toml\n";
    for (toml, mode, stderr) in [
        (&inline, 0o644, warning),
        (&inline, 0o600, ""),
        (&elsewhere, 0o644, ""),
    ] {
        let ended = Program::new(&["config", "validate", "--human"])
            .file_with_mode("portcullis.toml", toml, mode)
            .file("c.secret", CANARY)
            .end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, stderr), "{toml}");
        assert!(!ended.seen().contains(CANARY));
    }
}

#[test]
fn a_file_with_a_public_key_is_for_everybody() {
    let toml =
        "[auth]\nmode = \"jwt\"\nissuer = \"https://a.example\"\npublic_key_file = \"k.pem\"\n";
    let pem = portcullis_oauth::crypto::sign::SigningKey::generate_es256()
        .unwrap()
        .public_pem()
        .unwrap();
    let program = Program::new(&["config", "validate", "--human"]).toml(toml);
    let ended = program.file_with_mode("k.pem", &pem, 0o644).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn sec_st_16_a_crash_leaves_no_core_behind() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // Whatever whoever starts it allows.
    let limit = getrlimit(Resource::Core);
    let current = limit.maximum;
    setrlimit(Resource::Core, Rlimit { current, ..limit }).unwrap();
    let serving = Program::dev().and(&["--json"]).serve();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.id())).unwrap();
    let core = limits.lines().find(|line| line.contains("core")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4], "0", "{core}");
}
