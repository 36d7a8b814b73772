//! What is wrong with an authorization server's configuration is told at once, with its place.

use crate::support::Program;

const TOML: &str = r#"[auth]
mode = "server"
[store]
url = "memory:"
[scopes]
"notes:write" = { implies = ["notes:raed"] }
[pages]
accent = "green"
support = "help@example.com"
[clients]
document_hosts = ["https://claude.ai"]
[[client]]
id = "a"
redirect_uris = ["https://a.example/cb"]
[[client]]
id = "a"
redirect_uris = ["https://a.example/cb"]
[[upstream]]
url = "http://127.0.0.1:1/mcp"
[[upstream.tool]]
match = "*"
scopes = ["notes:read"]
"#;

#[test]
fn all_mistakes_of_a_server_are_told_at_once_and_where_they_are() {
    let wrong = TOML.replace(
        "[scopes]",
        "[tokens]\naccess_lifetime = \"15 minutos\"\n[scopes]",
    );
    for (toml, shift) in [(TOML.to_owned(), 0), (wrong, 2)] {
        let ended = Program::new(&["config", "validate", "--human"])
            .toml(&toml)
            .end();
        assert_eq!(ended.code, 1, "{ended:?}");
        for (fault, line) in [
            ("`pages.accent` is no colour", 8),
            ("`pages.support` is neither an `https` URL nor `mailto:`", 9),
            (
                "`clients.document_hosts`: `https://claude.ai` is no host",
                11,
            ),
            ("`client[1].id` is that of another client too", 16),
        ] {
            let rest = ended.stderr.split_once(fault).map(|(_, rest)| rest);
            let rest = rest.unwrap_or_else(|| panic!("{fault} is not in {ended:?}"));
            let place = rest.lines().nth(1).unwrap_or_default();
            let expected = format!("portcullis.toml:{}:", line + shift);
            assert!(place.contains(&expected), "{fault}: {place}");
        }
        assert_eq!(
            ended.stderr.contains("access_lifetime"),
            shift > 0,
            "{ended:?}"
        );
    }
}

#[test]
fn a_scope_that_nothing_else_names_is_warned_of() {
    let toml = TOML.replace("accent = \"green\"\nsupport = \"help@example.com\"\n", "");
    let toml =
        toml.replace("https://claude.ai", "claude.ai")
            .replacen("id = \"a\"", "id = \"b\"", 1);
    let validate = |toml: &str| {
        Program::new(&["config", "validate", "--human"])
            .toml(toml)
            .end()
    };
    let ended = validate(&toml);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("notes:raed"), "{ended:?}");
    assert!(
        ended.stderr.contains("did you mean `notes:read`?"),
        "{ended:?}"
    );
    let ended = validate(&toml.replace("raed", "read"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}
