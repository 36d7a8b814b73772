use proptest::prelude::*;

use super::*;

const WIDE: Limits = Limits::new(1 << 20, 100, 10_000);

#[derive(Debug, serde::Deserialize)]
struct Named {
    #[expect(dead_code, reason = "only its presence matters")]
    name: String,
}

fn verdict(document: &str) -> Result<(), JsonError> {
    scan(document.as_bytes(), WIDE)
}

thread_local! {
    /// What the scanner did on this thread.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn steps(document: &str) -> usize {
    let before = STEPS.get();
    let limits = Limits::new(1 << 24, 64, 1 << 20);
    assert_eq!(scan(document.as_bytes(), limits), Ok(()));
    STEPS.get() - before
}

#[test]
fn sec_ds_06_twice_the_document_is_twice_the_work() {
    fn object(names: impl Iterator<Item = String>) -> String {
        let members: Vec<String> = names.map(|name| format!("\"{name}\":0")).collect();
        format!("{{{}}}", members.join(","))
    }
    let shapes: [fn(usize) -> String; 7] = [
        |n| object((0..n).map(|i| format!("{i:09}"))),
        |n| object((0..n).rev().map(|i| format!("{i:09}"))),
        |n| object((0..n).map(|i| format!("{:09}", i * 7919 % 100_003))),
        |n| format!("[{}0]", "{\"a\":0,\"b\":[]},".repeat(n)),
        |n| format!("\"{}\"", "\\u0061".repeat(n)),
        |n| format!("[{}1]", "1,".repeat(n)),
        |n| {
            format!(
                "{}{}{}",
                "[".repeat(60),
                object((0..n).map(|i| i.to_string())),
                "]".repeat(60)
            )
        },
    ];
    for (at, shape) in shapes.iter().enumerate() {
        let (once, twice) = (steps(&shape(2000)), steps(&shape(4000)));
        assert!(once > 2000, "shape {at} is not counted: {once}");
        assert!(twice * 10 < once * 25, "shape {at}: {once}, then {twice}");
    }
}

#[test]
fn sec_jwt_26_an_array_never_stands_for_an_object() {
    assert!(from_str::<Named>(" {\"name\":\"x\"}", WIDE).is_ok());
    for document in [r#"["x"]"#, "\t[\"x\"]", "[]", r#""x""#, "null"] {
        let refused = Err(JsonError::Shape(Mismatch::default()));
        assert_eq!(from_str::<Named>(document, WIDE).map(drop), refused);
        assert_eq!(
            from_slice::<Named>(document.as_bytes(), WIDE).map(drop),
            refused
        );
    }
    assert_eq!(value(b"[\"x\"]", WIDE), Ok(json!(["x"])));
}

#[test]
fn rfc_8259_documents_pass() {
    for document in [
        "{}",
        "[]",
        " \t\r\n{ \"a\" : [ 1 , -0 , 0.5e-3, 1E+2, true, false, null ] , \"b\":{\"a\":\"\"} } ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é😀\"",
        "0",
        "-1.25",
        "[{\"a\":1},{\"a\":2}]",
        "{\"\":0,\"é\":1}",
        "1.7976931348623157e308",
        "0e99999",
    ] {
        assert_eq!(verdict(document), Ok(()), "{document}");
        assert!(value(document.as_bytes(), WIDE).is_ok(), "{document}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for document in [
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "TRUE",
        "nul",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\u{0}\"",
        "// c\n1",
        "1/**/",
        "\u{a0}1",
        "\u{c}1",
    ] {
        assert!(
            matches!(
                verdict(document),
                Err(JsonError::Syntax { .. } | JsonError::TrailingBytes { .. })
            ),
            "{document}"
        );
    }
}

#[test]
fn each_refusal_has_its_name() {
    let at = |document: &str| verdict(document).unwrap_err();
    assert_eq!(at("\u{feff}{}"), JsonError::ByteOrderMark);
    assert_eq!(at("{} x"), JsonError::TrailingBytes { at: 3 });
    assert_eq!(at("[1e309]"), JsonError::NumberOutOfRange { at: 1 });
    assert_eq!(at(&"9".repeat(400)), JsonError::NumberOutOfRange { at: 0 });
    assert_eq!(
        scan(b"\"\xff\"", WIDE),
        Err(JsonError::InvalidUtf8 { at: 1 })
    );
    assert_eq!(
        scan(b"\"\xed\xa0\x80\"", WIDE),
        Err(JsonError::InvalidUtf8 { at: 1 })
    );
    for lone in [
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
    ] {
        assert!(
            matches!(at(lone), JsonError::LoneSurrogate { at: 1 }),
            "{lone}"
        );
    }
}

#[test]
fn sec_gw_14_a_repeated_member_is_refused_at_any_depth() {
    for document in [
        r#"{"method":"ping","method":"tools/call"}"#,
        r#"{"method":"ping","m\u0065thod":"tools/call"}"#,
        r#"{"a\/b":1,"a/b":2}"#,
        r#"{"\ud83d\ude00":1,"😀":2}"#,
        r#"[[{"a":{"x":1,"y":2,"x":3}}]]"#,
        r#"{"a":1,"b":{"a":2},"a":3}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert!(
            matches!(verdict(document), Err(JsonError::RepeatedMember { .. })),
            "{document}"
        );
    }
    let many: Vec<String> = (0..5000).map(|n| format!("\"{n}\":0")).collect();
    let document = format!("{{{}}}", many.join(","));
    assert_eq!(verdict(&document), Ok(()));
    let document = format!("{{{},\"17\":0}}", many.join(","));
    assert!(matches!(
        verdict(&document),
        Err(JsonError::RepeatedMember { .. })
    ));
}

#[test]
fn sec_gw_14_a_reserved_name_smuggles_no_document() {
    for name in [
        "$serde_json::private::RawValue",
        "\\u0024serde_json::private::Number",
    ] {
        let document = format!(r#"{{"{name}":"{{\"a\":1,\"a\":2}}"}}"#);
        assert!(matches!(
            value(document.as_bytes(), WIDE),
            Err(JsonError::ReservedMember { at: 1 })
        ));
    }
}

#[test]
fn sec_jwt_27_limits_hold() {
    let limits = Limits::new(40, 3, 2);
    assert_eq!(scan(b"[[[1]]]", limits), Ok(()));
    assert_eq!(
        scan(b"[[[[1]]]]", limits),
        Err(JsonError::TooDeep { limit: 3 })
    );
    assert_eq!(scan(br#"{"a":{"b":1}}"#, limits), Ok(()));
    let three = br#"{"a":{"b":1},"c":1}"#;
    assert_eq!(
        scan(three, limits),
        Err(JsonError::TooManyMembers { limit: 2 })
    );
    assert_eq!(
        scan(&[b' '; 41], limits),
        Err(JsonError::TooLarge { limit: 40 })
    );
    assert_eq!(
        value(" ".repeat(41).as_bytes(), limits),
        Err(JsonError::TooLarge { limit: 40 })
    );
    let deep = "[".repeat(1 << 20);
    assert!(matches!(
        scan(deep.as_bytes(), Limits::MCP),
        Err(JsonError::TooDeep { .. })
    ));
}

/// What a scan shows, with names joined by dots.
fn shown(document: &str) -> Vec<(String, Member<'_>)> {
    let mut shown = Vec::new();
    scan_members(document.as_bytes(), WIDE, |path, value| {
        shown.push((path.join("."), value));
    })
    .unwrap();
    shown
}

#[test]
fn a_scan_shows_what_names_lead_to() {
    let document = r#" {"a":1, "b" : {"c":"x\u0079", "d":[{"e":1},2], "f":{"g":null,"h":{"i":0,"j":{"k":1}}}}} "#;
    let names: Vec<_> = shown(document);
    let expected = [
        ("", Member::Object),
        ("a", Member::Scalar("1")),
        ("b", Member::Object),
        ("b.c", Member::Scalar(r#""x\u0079""#)),
        ("b.d", Member::Array),
        ("b.f", Member::Object),
        ("b.f.g", Member::Scalar("null")),
        ("b.f.h", Member::Object),
        ("b.f.h.i", Member::Scalar("0")),
        ("b.f.h.j", Member::Object),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(shown("[{\"a\":1}]"), [(String::new(), Member::Array)]);
    assert_eq!(
        shown(r#"{"\u0061":{"b":true}}"#).last(),
        Some(&("a.b".to_owned(), Member::Scalar("true")))
    );
}

#[test]
fn only_a_string_has_a_text() {
    let text = |json| Member::Scalar(json).text();
    assert_eq!(text(r#""a\n\"b""#).as_deref(), Some("a\n\"b"));
    assert_eq!(text(r#""""#).as_deref(), Some(""));
    for json in ["1", "null", "true"] {
        assert_eq!(text(json), None, "{json}");
    }
    assert_eq!((Member::Object.text(), Member::Array.json()), (None, None));
}

#[test]
fn a_shape_error_repeats_nothing_of_the_document() {
    let wrong = from_str::<Named>(r#"{"name":["s3cr3t"]}"#, WIDE).unwrap_err();
    assert!(matches!(&wrong, JsonError::Shape(mismatch) if mismatch.missing().is_none()));
    let wrong = from_str::<u8>(r#""s3cr3t""#, WIDE).unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("s3cr3t"));
    let missing = from_value::<Named>(json!({"other": 1})).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the document has another shape than expected: `name` is missing"
    );
}

#[test]
fn a_string_is_read_to_its_end_at_every_alignment() {
    for length in 0..40 {
        for stop in ["\"", "\\\"\"", "é\"", "\u{7f}\""] {
            let document = format!("[\"{}{stop}]", "x".repeat(length));
            assert_eq!(verdict(&document), Ok(()), "{document}");
        }
        let document = format!("[\"{}\u{1f}\"]", "x".repeat(length));
        assert_eq!(
            verdict(&document),
            Err(JsonError::Syntax { at: 2 + length })
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_passes_and_comes_back(document in any_json()) {
        let text = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(value(text.as_bytes(), WIDE), Ok(document));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the parser is the reference here")]
    fn a_damaged_document_is_judged_as_serde_json_judges_it(
        document in any_json(),
        at in any::<prop::sample::Index>(),
        patch in "[]\\[{}:,\"\\\\u0-9eE.+tfn -]{0,3}",
    ) {
        let mut text = serde_json::to_string(&document).unwrap();
        let mut cut = at.index(text.len() + 1);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.insert_str(cut, &patch);
        let ours = verdict(&text);
        let theirs = serde_json::from_str::<Value>(&text);
        let stricter = matches!(
            ours,
            Err(JsonError::RepeatedMember { .. } | JsonError::NumberOutOfRange { .. })
        );
        prop_assert!(stricter || ours.is_ok() == theirs.is_ok(), "{text} {ours:?} {theirs:?}");
    }

    #[test]
    fn a_scan_shows_the_values_that_the_parser_reads(document in any_json()) {
        fn members(value: &Value, path: &mut Vec<String>, all: &mut Vec<(Vec<String>, Value)>) {
            all.push((path.clone(), value.clone()));
            if path.len() == 4 {
                return;
            }
            for (name, value) in value.as_object().into_iter().flatten() {
                path.push(name.clone());
                members(value, path, all);
                path.pop();
            }
        }
        let text = serde_json::to_string_pretty(&document).unwrap();
        let (mut expected, mut shown) = (Vec::new(), Vec::new());
        members(&document, &mut Vec::new(), &mut expected);
        scan_members(text.as_bytes(), WIDE, |path, value| {
            let path: Vec<_> = path.iter().map(|name| (*name).to_owned()).collect();
            shown.push((path, value));
        })
        .unwrap();
        prop_assert_eq!(shown.len(), expected.len());
        for (path, value) in shown {
            let (_, expected) = expected.iter().find(|(other, _)| *other == path).unwrap();
            match value {
                Member::Object => prop_assert!(expected.is_object()),
                Member::Array => prop_assert!(expected.is_array()),
                Member::Scalar(json) => {
                    prop_assert_eq!(&super::value(json.as_bytes(), WIDE).unwrap(), expected);
                    let text = value.text();
                    prop_assert_eq!(text.as_deref(), expected.as_str());
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = scan(&bytes, WIDE);
    }

    #[test]
    fn a_name_is_compared_unescaped(name in "\\PC{0,8}") {
        let units: Vec<String> = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let escaped = units.concat();
        let plain = serde_json::to_string(&name).unwrap();
        let document = format!("{{{plain}:1,\"{escaped}\":2}}");
        let repeated = matches!(verdict(&document), Err(JsonError::RepeatedMember { .. }));
        prop_assert!(repeated);
    }
}

#[test]
fn what_is_its_own_is_read_as_it_was_written() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Own {
        name: String,
        number: i64,
    }
    let own = Own {
        name: "a \"name\"\u{0}".to_owned(),
        number: -7,
    };
    let written = to_vec(&own).unwrap();
    assert_eq!(from_own::<Own>(&written).unwrap(), own);
    for other in [
        &b"[\"a\",7]"[..],
        b"{}",
        b"{\"name\":\"a\",\"number\":7} x",
        b"\xff",
        b"",
    ] {
        assert!(from_own::<Own>(other).is_err(), "{other:?}");
    }
}
