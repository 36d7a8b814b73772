use proptest::prelude::*;

use super::*;

fn parse(input: &str) -> Result<Form, FormError> {
    Form::parse(input.as_bytes(), Limits::ENDPOINT)
}

#[test]
fn the_example_of_rfc_6749_appendix_b_decodes() {
    let form = parse("value=+%25%26%2B%C2%A3%E2%82%AC").unwrap();
    assert_eq!(form.required("value"), Ok(" %&+£€"));
    assert_eq!(
        encode(&[("value", " %&+£€")]),
        "value=+%25%26%2B%C2%A3%E2%82%AC"
    );
}

#[test]
fn names_are_decoded_and_order_is_kept() {
    let form = parse("a%62=1&&c=2&d&=e").unwrap();
    let pairs: Vec<_> = form.iter().collect();
    assert_eq!(pairs, [("ab", "1"), ("c", "2"), ("d", ""), ("", "e")]);
}

#[test]
fn bad_input_is_refused() {
    for (input, error) in [
        ("a=%", FormError::InvalidEscape),
        ("a=%4", FormError::InvalidEscape),
        ("a=%4g", FormError::InvalidEscape),
        ("a=%+1", FormError::InvalidEscape),
        ("%zz=1", FormError::InvalidEscape),
        ("a=%ff", FormError::InvalidUtf8),
        ("a=%ed%a0%80", FormError::InvalidUtf8),
        ("a=1\r\nb=2", FormError::ControlCharacter),
        ("a=\u{0}", FormError::ControlCharacter),
    ] {
        assert_eq!(parse(input).unwrap_err(), error, "{input:?}");
    }
}

#[test]
fn sec_tk_02_a_repeated_parameter_is_an_error() {
    for input in [
        "code=1&code=2",
        "code=1&code=",
        "code=&code=1",
        "code=1&c%6fde=1",
    ] {
        let form = parse(input).unwrap();
        assert_eq!(
            form.one("code"),
            Err(FormError::Repeated {
                name: "code".to_owned()
            })
        );
        assert!(form.required("code").is_err());
        assert_eq!(
            form.refuse_repeats_except(&[]),
            Err(FormError::RepeatedUnnamed)
        );
        assert_eq!(form.refuse_repeats_except(&["code"]), Ok(()));
    }
    let form = parse("resource=a&resource=&resource=b").unwrap();
    assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_parameter_without_a_value_is_omitted() {
    let form = parse("state=&scope").unwrap();
    assert_eq!(form.one("state"), Ok(None));
    assert_eq!(form.one("scope"), Ok(None));
    assert_eq!(
        form.required("state"),
        Err(FormError::Missing {
            name: "state".to_owned()
        })
    );
}

#[test]
fn sec_tk_07_limits_hold() {
    let limits = Limits::new(20, 2, 4);
    assert!(Form::parse(b"a=1234&b=%41%41", limits).is_ok());
    let refused = |input: &[u8]| Form::parse(input, limits).unwrap_err();
    assert_eq!(refused(&[b'a'; 21]), FormError::TooLarge { limit: 20 });
    assert_eq!(
        refused(b"a=1&b=2&c=3"),
        FormError::TooManyParameters { limit: 2 }
    );
    assert_eq!(refused(b"a=12345"), FormError::ValueTooLong { limit: 4 });
}

#[test]
fn sec_op_01_debug_shows_no_value() {
    let form = parse("client_secret=canary").unwrap();
    assert_eq!(format!("{form:?}"), "Form { parameters: 1, .. }");
    let writer = Writer::new().pair("client_secret", "canary");
    assert!(!format!("{writer:?}").contains("canary"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(pairs in prop::collection::vec((".{1,8}", ".{0,8}"), 0..8)) {
        let borrowed: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let form = parse(&encode(&borrowed)).unwrap();
        prop_assert_eq!(form.iter().collect::<Vec<_>>(), borrowed);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Form::parse(&bytes, Limits::ENDPOINT);
    }
}
