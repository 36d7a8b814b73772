use proptest::prelude::*;

use super::*;
use crate::scopes;

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

fn step_up() -> Challenge {
    Challenge::bearer()
        .error(BearerError::InsufficientScope)
        .error_description("the token grants too little, ask for more")
        .resource_metadata(METADATA)
        .scope(&scopes!["mcp:read", "mcp:write"])
}

/// How clients that others wrote read the header; each after the described behaviour.
mod readers {
    /// The TypeScript SDK: two words, the first `bearer`; then `name="value"` or `name=value`
    /// wherever it stands first.
    pub(super) fn typescript_sdk<'a>(header: &'a str, name: &str) -> Option<&'a str> {
        let (scheme, rest) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") || rest.is_empty() {
            return None;
        }
        let (_, value) = header.split_once(&format!("{name}="))?;
        match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().filter(|text| !text.is_empty()),
            None => value.split([' ', ',']).next(),
        }
    }

    /// Gemini CLI: the text between the quotes after `resource_metadata=`.
    pub(super) fn gemini_cli(header: &str) -> Option<&str> {
        header
            .split_once("resource_metadata=\"")?
            .1
            .split_once('"')
            .map(|(url, _)| url)
    }

    /// VS Code: cut at commas outside quotes, then at the first `=`, quotes taken off.
    pub(super) fn vs_code<'a>(header: &'a str, name: &str) -> Option<&'a str> {
        let (_, rest) = header.split_once(' ')?;
        let mut quoted = false;
        rest.split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"'))
    }

    /// An older VS Code: cut at every comma and at every `=`.
    pub(super) fn old_vs_code<'a>(header: &'a str, name: &str) -> Option<&'a str> {
        let (_, rest) = header.split_once(' ')?;
        rest.split(',')
            .map(|part| part.split('='))
            .find_map(|mut halves| (halves.next()?.trim() == name).then(|| halves.next()))?
            .map(|value| value.trim().trim_matches('"'))
    }
}

#[test]
fn interop_d7_other_clients_read_what_we_write() {
    let header = step_up().to_header_value();
    assert_eq!(readers::gemini_cli(&header), Some(METADATA));
    for (name, value) in [
        ("resource_metadata", METADATA),
        ("scope", "mcp:read mcp:write"),
        ("error", "insufficient_scope"),
    ] {
        assert_eq!(readers::typescript_sdk(&header, name), Some(value));
        assert_eq!(readers::vs_code(&header, name), Some(value));
        assert_eq!(readers::old_vs_code(&header, name), Some(value));
    }
}

#[test]
fn the_golden_challenges_are_written_and_read() {
    let header = step_up().to_header_value();
    assert_eq!(
        header,
        "Bearer error=\"insufficient_scope\", \
         error_description=\"the token grants too little, ask for more\", \
         resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
         scope=\"mcp:read mcp:write\""
    );
    let read = Challenge::parse_all(&header).unwrap();
    assert_eq!(read, [step_up()]);
    assert_eq!(read[0].scopes(), scopes!["mcp:read", "mcp:write"]);
    assert_eq!(
        read[0].error_code(),
        Some(OAuthErrorCode::InsufficientScope)
    );
    assert_eq!(
        Challenge::basic("token").to_header_value(),
        "Basic realm=\"token\""
    );
}

#[test]
fn sec_rs_25_no_value_leaves_its_quotes() {
    let hostile = "a\", error=\"x\\\r\nSet-Cookie: a=b\u{e9}";
    let header = Challenge::bearer()
        .resource_metadata(hostile)
        .error_description("\" \\ \r\n é")
        .to_header_value();
    assert_eq!(
        header,
        "Bearer resource_metadata=\"a%22,%20error=%22x%5C%0D%0ASet-Cookie:%20a=b%C3%A9\", \
         error_description=\"        \""
    );
    // What a stranger's header carried is harmless when it is written again.
    let parsed = Challenge::parse_all("X a=\"\\\"b\té\\\\\"").unwrap();
    assert_eq!(parsed[0].get("a"), Some("\"b\té\\"));
    assert_eq!(parsed[0].to_header_value(), "X a=\"\\\"b??\\\\\"");
    let writer = Challenge::bearer();
    for value in ["a\r\n", "é", "\0", "\u{7f}", "\t"] {
        assert_eq!(
            writer.clone().with("realm", value),
            Err(ChallengeError::Character)
        );
    }
    for name in ["", "a b", "a=", "é", "a\"", "a,"] {
        assert_eq!(writer.clone().with(name, "x"), Err(ChallengeError::Name));
    }
}

#[test]
fn sec_rs_30_offline_access_is_never_challenged() {
    let challenge = Challenge::bearer().scope(&scopes!["offline_access", "a"]);
    assert_eq!(challenge.to_header_value(), "Bearer scope=\"a\"");
    let challenge = Challenge::bearer().scope(&scopes!["offline_access"]);
    assert_eq!(challenge.to_header_value(), "Bearer");
}

#[test]
fn several_challenges_share_a_header() {
    let all = Challenge::parse_all(
        "Newauth realm=\"apps\", type=1 , title=\"Login to \\\"apps\\\"\", \
         , Basic realm = \"simple\",Negotiate,Custom dGVzdA==, bearer",
    )
    .unwrap();
    let schemes: Vec<_> = all.iter().map(Challenge::scheme).collect();
    assert_eq!(
        schemes,
        ["Newauth", "Basic", "Negotiate", "Custom", "bearer"]
    );
    assert_eq!(all[0].get("TITLE"), Some("Login to \"apps\""));
    assert_eq!(all[0].get("type"), Some("1"));
    assert_eq!(all[1].get("realm"), Some("simple"));
    assert_eq!(all[3].token68(), Some("dGVzdA=="));
    assert!(all[4].is_bearer());
    assert_eq!(Challenge::parse_all(" , ,"), Ok(vec![]));
}

#[test]
fn bad_headers_have_typed_errors() {
    for (header, at) in [
        ("=", 0),
        ("Bearer \"x\"", 7),
        ("Bearer realm=\"x", 15),
        ("Bearer realm=\"x\\\"", 17),
        ("Bearer realm=\"x\" scope=\"y\"", 17),
        ("Bearer realm=\"a\nb\"", 15),
        ("Bearer realm=@,", 13),
        ("Bearer a=b=c", 10),
        ("Bearer@x", 6),
        ("é", 0),
    ] {
        let error = Challenge::parse_all(header).unwrap_err();
        assert_eq!(error, ChallengeError::Syntax { at }, "{header:?}");
    }
    assert_eq!(
        Challenge::parse_all("Bearer error=a, Error=b"),
        Err(ChallengeError::Repeated { at: 16 })
    );
    assert_eq!(
        Challenge::parse_all(&"a,".repeat(17)),
        Err(ChallengeError::TooMany)
    );
    let many: Vec<String> = (0..33).map(|n| format!("p{n}=1")).collect();
    assert_eq!(
        Challenge::parse_all(&format!("Bearer {}", many.join(","))),
        Err(ChallengeError::TooMany)
    );
    assert_eq!(
        Challenge::parse_all(&" ".repeat(8193)),
        Err(ChallengeError::TooLarge)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        parameters in prop::collection::btree_map("[a-z_]{1,8}", "[ -~]{0,20}", 0..8),
        scheme in "[A-Z][a-z]{1,8}",
    ) {
        let challenge = parameters.iter().fold(
            Challenge::scheme_only(scheme),
            |challenge, (name, value)| challenge.with(name, value).unwrap(),
        );
        let twice = format!("{challenge}, {challenge}");
        prop_assert_eq!(Challenge::parse_all(&twice), Ok(vec![challenge.clone(), challenge]));
    }

    #[test]
    fn what_was_read_is_written_in_printable_ascii(header in "\\PC{0,60}|[a-z =\",\\\\\t\r\n]{0,60}") {
        for challenge in Challenge::parse_all(&header).unwrap_or_default() {
            let written = challenge.to_header_value();
            prop_assert!(written.bytes().all(is_printable), "{}", written);
            prop_assert!(Challenge::parse_all(&written).is_ok());
        }
    }
}
