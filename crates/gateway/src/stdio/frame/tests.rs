use portcullis_oauth::json::{Map, json};
use proptest::prelude::*;

use super::*;

fn at<'a>(message: &'a [u8], span: Option<&Span>) -> &'a str {
    std::str::from_utf8(&message[span.unwrap().clone()]).unwrap()
}

fn parsed(message: &[u8]) -> Value {
    json::value(message, Limits::MCP).unwrap()
}

#[test]
fn places_are_found_under_escaped_names() {
    let message =
        br#" {"jsonrpc":"2.0", "\u0069d" : 1.50e1 ,"method":"a\/b","params":{"_m\u0065ta":
        {"progressToken":"\u00e9" , "x":[{"progressToken":1}]},"requestId":7}} "#;
    let frame = Frame::read(message).unwrap();
    assert_eq!(at(message, frame.id.as_ref()), "1.50e1");
    assert_eq!(text(message, frame.method.as_ref()).unwrap(), "a/b");
    assert_eq!(
        at(message, frame.meta.progress_token.as_ref()),
        r#""\u00e9""#
    );
    assert_eq!(at(message, frame.params.request_id.as_ref()), "7");
    assert_eq!(frame.kind(message), Some(Kind::Request));
}

#[test]
fn only_the_top_level_counts() {
    let message = br#"{"a":{"id":1,"method":"x"},"b":[{"id":2}],"params":{"arguments":{"_meta":{"progressToken":3},"name":"n"}}}"#;
    let frame = Frame::read(message).unwrap();
    assert_eq!((&frame.id, &frame.method), (&None, &None));
    assert_eq!((&frame.meta, &frame.params.name), (&Meta::default(), &None));
}

#[test]
fn kinds_are_told_apart() {
    let cases: [(&str, Option<Kind>); 10] = [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#,
            Some(Kind::Request),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"x"}"#,
            Some(Kind::Notification),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            Some(Kind::Answer),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, Some(Kind::Answer)),
        (
            r#"{"jsonrpc":"\u0032.0","id":1,"error":{}}"#,
            Some(Kind::Answer),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, None),
        (r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#, None),
        (r#"{"jsonrpc":"2.0","result":{}}"#, None),
        (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, None),
        (r#"{"id":1,"method":"x"}"#, None),
    ];
    for (message, kind) in cases {
        let frame = Frame::read(message.as_bytes()).unwrap();
        assert_eq!(frame.kind(message.as_bytes()), kind, "{message}");
    }
}

#[test]
fn what_is_no_object_is_no_message() {
    for message in [
        "",
        "[]",
        "7",
        "{",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1}x"#,
        r#"{"a":1,}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\"#,
        r#"{"a":]}"#,
        r#"{"a":[1}"#,
        "{\"a\":\"b",
        "{\"\\ud800\":1}",
    ] {
        assert_eq!(Frame::read(message.as_bytes()), None, "{message:?}");
    }
}

#[test]
fn sec_gw_14_a_message_is_one_line() {
    let message = b"{\r\n \"id\" : 1,\n\"params\": [1,\n2, {\"a\":\r3}],\"s\":\"a\\nb\"}\n";
    let frame = Frame::read(message).unwrap();
    let line = frame.splice(message, &mut [(frame.id.clone().unwrap(), b"99")]);
    assert_eq!(
        line,
        b"{ \"id\" : 99,\"params\": [1,2, {\"a\":3}],\"s\":\"a\\nb\"}"
    );
    let whole = Bytes::from_static(message);
    assert!(!frame.line(&whole).contains(&b'\n'));
}

#[test]
fn numbers_have_one_spelling() {
    let read = |digits: &str| number(digits.as_bytes(), Some(&(0..digits.len())));
    assert_eq!(read("0"), Some(0));
    assert_eq!(read("18446744073709551615"), Some(u64::MAX));
    for odd in [
        "",
        "00",
        "01",
        "-1",
        "+1",
        "1.0",
        "1e0",
        "\"1\"",
        "18446744073709551616",
    ] {
        assert_eq!(read(odd), None, "{odd}");
    }
}

/// Any JSON, with the names that matter in places where they do not.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "\\PC{0,8}".prop_map(Value::from),
        "[\"\\\\\n\t\u{1f600}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("id".to_owned()),
        Just("_meta".to_owned()),
        Just("progressToken".to_owned()),
        Just("method".to_owned()),
        "\\PC{0,6}",
    ]
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name(), value()), 0..4).prop_map(Map::from_iter)
}

/// Writes a value with spaces, line breaks and needless escapes, as `choices` say.
fn written(value: &Value, choices: &mut dyn Iterator<Item = u8>) -> String {
    let space = |choices: &mut dyn Iterator<Item = u8>| {
        ["", " ", "\n", "\r\n\t"][usize::from(choices.next().unwrap_or(0) % 4)].to_owned()
    };
    let body = match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| written(item, choices)).collect();
            format!("[{}{}]", items.join(","), space(choices))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    let name = string(name, choices.next().unwrap_or(0));
                    let (before, after) = (space(choices), space(choices));
                    format!("{before}{name}{after}:{}", written(value, choices))
                })
                .collect();
            format!("{{{}{}}}", members.join(","), space(choices))
        }
        Value::String(text) => string(text, choices.next().unwrap_or(0)),
        other => other.to_string(),
    };
    format!("{}{body}{}", space(choices), space(choices))
}

fn string(text: &str, choice: u8) -> String {
    let mut units = [0; 2];
    match choice % 3 {
        0 => {
            text.chars()
                .flat_map(|c| c.encode_utf16(&mut units).to_vec())
                .map(|unit| format!("\\u{unit:04x}"))
                .fold("\"".to_owned(), |all, unit| all + &unit)
                + "\""
        }
        _ => Value::from(text).to_string(),
    }
}

proptest! {
    #[test]
    fn places_are_those_that_a_parser_sees(
        mut top in object(), mut params in object(), meta in object(),
        wanted in any::<[bool; 3]>(), choices in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if wanted[0] {
            params.insert("_meta".to_owned(), Value::Object(meta));
        }
        if wanted[1] {
            top.insert("params".to_owned(), Value::Object(params));
        }
        if wanted[2] {
            top.insert("id".to_owned(), json!("i\u{e9}\n"));
        }
        let value = Value::Object(top);
        let message = written(&value, &mut choices.into_iter());
        let message = message.as_bytes();
        let frame = Frame::read(message).unwrap();

        let seen = |span: &Option<Span>| span.clone().map(|span| parsed(&message[span]));
        prop_assert_eq!(seen(&frame.id), value.get("id").cloned());
        prop_assert_eq!(seen(&frame.method), value.get("method").cloned());
        let meta = value.get("params").and_then(|params| params.get("_meta"));
        let token = meta.and_then(|meta| meta.get("progressToken"));
        prop_assert_eq!(seen(&frame.meta.progress_token), token.cloned());
        let token = value.get("params").and_then(|params| params.get("progressToken"));
        prop_assert_eq!(seen(&frame.params.progress_token), token.cloned());
    }

    #[test]
    fn a_splice_changes_what_it_names_and_nothing_else(
        mut top in object(), mut params in object(), id in value(), token in value(),
        choices in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        params.insert("_meta".to_owned(), json!({"progressToken": token, "other": 1.5}));
        top.insert("params".to_owned(), Value::Object(params));
        top.insert("id".to_owned(), id);
        let mut value = Value::Object(top);
        let message = written(&value, &mut choices.into_iter());
        let frame = Frame::read(message.as_bytes()).unwrap();
        let mut edits = [
            (frame.meta.progress_token.clone().unwrap(), &b"41"[..]),
            (frame.id.clone().unwrap(), &b"42"[..]),
        ];
        let line = frame.splice(message.as_bytes(), &mut edits);
        prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        value["id"] = json!(42);
        value["params"]["_meta"]["progressToken"] = json!(41);
        prop_assert_eq!(parsed(&line), value);
        // Undone, it is what it was, less the line breaks.
        let again = Frame::read(&line).unwrap();
        let id = &message.as_bytes()[frame.id.clone().unwrap()];
        let token = &message.as_bytes()[frame.meta.progress_token.clone().unwrap()];
        let undone = again.splice(&line, &mut [
            (again.id.clone().unwrap(), id),
            (again.meta.progress_token.clone().unwrap(), token),
        ]);
        let mut plain = message.into_bytes();
        plain.retain(|byte| !is_break(*byte));
        let mut undone_plain = undone;
        undone_plain.retain(|byte| !is_break(*byte));
        prop_assert_eq!(undone_plain, plain);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::read(&bytes).map(|frame| frame.kind(&bytes));
    }

    #[test]
    fn no_broken_message_makes_the_reader_panic(
        value in value(), cut in any::<prop::sample::Index>(), junk in any::<u8>(),
    ) {
        let mut bytes = json!({"jsonrpc": "2.0", "id": 1, "params": value}).to_string().into_bytes();
        let at = cut.index(bytes.len());
        bytes[at] = junk;
        if let Some(frame) = Frame::read(&bytes) {
            let line = frame.splice(&bytes, &mut [(frame.id.clone().unwrap_or(0..0), b"1")]);
            prop_assert!(!line.contains(&b'\n'));
        }
    }
}
