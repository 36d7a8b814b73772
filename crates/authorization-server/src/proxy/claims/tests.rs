use portcullis_oauth::Subject;
use portcullis_oauth::json::json;
use portcullis_testkit::CapturedLogs;
use proptest::prelude::*;

use super::told::MOST_TOLD;
use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("{value} is no object")
    };
    object
}

fn evidence(access_token: Value, id_token: Value, profile: Value) -> Evidence {
    Evidence {
        access_token: object(access_token),
        id_token: object(id_token),
        profile: object(profile),
        ..Evidence::of(Subject::parse("u1").unwrap())
    }
}

fn of_access_token(claims: Value) -> Evidence {
    evidence(claims, json!({}), json!({}))
}

fn names(claims: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<_> = claims.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What was sent through FastMCP's TypeScript edition, to see what it passes on.
fn measured() -> Evidence {
    evidence(
        json!({
            "sub": "u1", "role": "admin", "roles": ["a", "b"], "email": "at@x", "n": 3, "t": true,
            "nil": null, "obj": {"k": 1}, "big": "x".repeat(2001), "ok": "x".repeat(2000),
            "aud": "a", "client_id": "c", "exp": 1, "iat": 1, "iss": "i", "jti": "j", "nbf": 1,
            "scope": "s",
        }),
        json!({
            "sub": "u2", "email": "id@x", "name": "N", "nonce": "q", "at_hash": "h",
            "groups": ["g"],
        }),
        json!({}),
    )
}

#[test]
fn what_fastmcp_was_measured_with_passes_but_for_what_is_ours() {
    let on = ClaimsPassthrough::new;
    for (settings, passed, email) in [
        // There also `sub`, `nonce` and `at_hash`, and neither `roles` nor `groups`.
        (
            on(),
            vec!["email", "groups", "n", "name", "ok", "role", "roles", "t"],
            Some("at@x"),
        ),
        (
            on().from_access_token(false),
            vec!["email", "groups", "name"],
            Some("id@x"),
        ),
        (
            on().prefix("x_").allowed(["role", "email"]),
            vec!["x_email", "x_role"],
            None,
        ),
        (
            on().allow_complex(true).max_value_size(20),
            vec!["email", "groups", "n", "name", "obj", "role", "roles", "t"],
            Some("at@x"),
        ),
        (on().allowed([""; 0]), vec![], None),
        (ClaimsPassthrough::disabled(), vec![], None),
        // There 0 stands for 2000.
        (on().max_value_size(0), vec!["n", "t"], None),
        (
            on().blocked(["role", "roles"]).allowed(["role", "name"]),
            vec!["name"],
            None,
        ),
    ] {
        settings.check().unwrap();
        let claims = settings.apply(&measured());
        assert_eq!(names(&claims), passed, "{settings:?}");
        let said = claims.get("email").and_then(Value::as_str);
        assert_eq!(said, email, "{settings:?}");
    }
}

#[test]
fn roles_arrive_as_the_lists_that_they_are() {
    let roles: Vec<_> = (0..100).map(|n| format!("r{n}")).collect();
    let at =
        json!({"roles": roles, "groups": ["a", 1, true], "mixed": ["a", null], "deep": [["a"]]});
    let claims = ClaimsPassthrough::new().apply(&of_access_token(at));
    assert_eq!(names(&claims), ["groups", "roles"]);
    assert_eq!(claims["roles"], json!(roles));
    let many: Vec<_> = (0..101).collect();
    for complex in [false, true] {
        let settings = ClaimsPassthrough::new().allow_complex(complex);
        let claims = settings.apply(&of_access_token(json!({ "roles": many })));
        assert!(claims.is_empty(), "no list that is cut");
    }
}

#[test]
fn sec_px_08_what_a_token_is_judged_by_is_never_the_providers() {
    let judged = [
        "sub",
        "scope",
        "scp",
        "client_id",
        "azp",
        "act",
        "may_act",
        "cnf",
        "token_use",
        "typ",
        "iss",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "auth_time",
        "amr",
        "acr",
        "sid",
        "nonce",
        "at_hash",
        "c_hash",
        "events",
        "authorization_details",
    ];
    for name in judged {
        let said = of_access_token(json!({ name: "x", "role": "r" }));
        let claims = ClaimsPassthrough::new()
            .allowed([name, "role"])
            .apply(&said);
        assert_eq!(names(&claims), ["role"], "{name}");
        // Under a name of its own neither: it would be the provider's word on what is ours.
        let claims = ClaimsPassthrough::new().prefix("idp_").apply(&said);
        assert_eq!(names(&claims), ["idp_role"], "{name}");
        let fault = ClaimsPassthrough::new().allowed([name]).check();
        assert!(fault.unwrap_err().fault().contains(name));
    }
}

#[test]
fn sec_px_08_another_case_is_the_same_name() {
    let said = of_access_token(json!({
        "SUB": "x", "Scope": "admin", "Client_ID": "x", "\u{17f}ub": "x", "\u{17f}cope": "admin",
        "rôle": "x", "a b": 1, "": 1, "n\u{0}": 1, "x".repeat(129): 1, "x".repeat(128): 1,
        "https://example.com/roles": ["a"], "cognito:groups": ["b"],
    }));
    let claims = ClaimsPassthrough::new().apply(&said);
    let long = "x".repeat(128);
    let expected = ["cognito:groups", "https://example.com/roles", long.as_str()];
    assert_eq!(names(&claims), expected);
}

#[test]
fn sec_px_08_a_prefix_forges_nothing() {
    let said = of_access_token(json!({
        "ub": "mallory", "cope": "admin", "UB": "mallory", "proto__": {}, "eight": 8,
    }));
    let with = |prefix| ClaimsPassthrough::new().prefix(prefix).apply(&said);
    assert_eq!(names(&with("s")), ["seight"]);
    assert_eq!(names(&with("S")), ["Seight"]);
    let complex = ClaimsPassthrough::new().prefix("__").allow_complex(true);
    let claims = complex.apply(&said);
    assert!(!claims.contains_key("__proto__") && claims.contains_key("__eight"));
    for prefix in ["a b", "ü", "x\n", &"x".repeat(65)] {
        assert!(ClaimsPassthrough::new().prefix(prefix).check().is_err());
    }
}

#[test]
fn sec_px_08_nested_claims_have_bounds() {
    let complex = ClaimsPassthrough::new().allow_complex(true);
    let passes = |value: Value| {
        let claims = complex.apply(&of_access_token(json!({ "c": value })));
        claims.contains_key("c")
    };
    assert!(passes(json!({"a": {"b": {"c": {"d": 1}}}})));
    assert!(!passes(json!({"a": {"b": {"c": {"d": {}}}}})));
    assert!(passes(json!([[[[1]]]])) && !passes(json!([[[[[]]]]])));
    for poison in ["__proto__", "constructor", "prototype", "__PROTO__"] {
        assert!(!passes(json!({"a": [{ poison: 1 }]})), "{poison}");
        let claims = complex.apply(&of_access_token(json!({ poison: 1 })));
        assert!(claims.is_empty(), "{poison}");
    }
    assert!(!passes(json!({"a": "x".repeat(2000)})));
    // Most people ask for none of it.
    let plain = ClaimsPassthrough::new().apply(&of_access_token(json!({"address": {"a": 1}})));
    assert!(plain.is_empty());
}

#[test]
fn sec_px_08_all_claims_together_have_a_bound() {
    let mut said = Map::new();
    for n in 0..8 {
        said.insert(format!("text{n}"), "x".repeat(900 + n).into());
    }
    said.insert("role".to_owned(), "admin".into());
    // Of more bytes than characters.
    said.insert("aaa".to_owned(), "\u{1}".repeat(2000).into());
    let claims = ClaimsPassthrough::new().apply(&of_access_token(Value::Object(said)));
    let expected = ["role", "text0", "text1", "text2", "text3"];
    assert_eq!(names(&claims), expected, "the smallest, and whole");
    assert!(written(&Value::Object(claims)).len() <= MAX_TOTAL);
}

#[test]
fn sec_px_09_one_source_does_not_vouch_for_the_address_of_another() {
    let mine = json!({"email": "mallory@evil.example", "email_verified": false});
    let bare = json!({"email": "mallory@evil.example"});
    let good = json!({"email": "boss@example.com", "email_verified": true});
    let alone = json!({"email_verified": true, "name": "N"});
    let on = ClaimsPassthrough::new();
    let says = |at: &Value, id: &Value, profile: &Value| {
        let claims = on.apply(&evidence(at.clone(), id.clone(), profile.clone()));
        let verified = claims.get("email_verified").cloned();
        (claims.get("email").cloned(), verified)
    };
    let none = json!({});
    let evil = || Some(json!("mallory@evil.example"));
    assert_eq!(says(&bare, &good, &none), (evil(), None));
    assert_eq!(says(&mine, &good, &none), (evil(), Some(json!(false))));
    assert_eq!(says(&bare, &none, &good), (evil(), None));
    assert_eq!(says(&alone, &bare, &none), (evil(), None));
    let (email, verified) = says(&alone, &good, &bare);
    assert_eq!(
        (email, verified),
        (Some(json!("boss@example.com")), Some(json!(true)))
    );
}

#[test]
fn a_profile_gives_what_says_who_the_user_is() {
    let profile = json!({
        "login": "octocat", "name": "N", "plan": "pro", "private_gists": 81, "id": 1,
        "two_factor_authentication": true, "roles": ["a"],
    });
    let said = evidence(json!({}), json!({"plan": "free"}), profile);
    let on = ClaimsPassthrough::new();
    assert_eq!(names(&on.apply(&said)), ["login", "name", "plan", "roles"]);
    assert_eq!(on.apply(&said)["plan"], "free");
    let named = ClaimsPassthrough::new().allowed(["private_gists", "login"]);
    assert_eq!(names(&named.apply(&said)), ["login", "private_gists"]);
    let off = ClaimsPassthrough::new().from_profile(false);
    assert_eq!(names(&off.apply(&said)), ["plan"]);
}

#[test]
fn a_null_is_no_answer_and_a_value_that_cannot_pass_is_one() {
    let said = evidence(
        json!({"role": null, "groups": {"a": 1}}),
        json!({"role": "editor", "groups": ["a"]}),
        json!({}),
    );
    let claims = ClaimsPassthrough::new().apply(&said);
    assert_eq!(Value::Object(claims), json!({"role": "editor"}));
}

#[test]
fn sec_px_08_the_log_names_a_claim_once() {
    let logs = CapturedLogs::start();
    let on = ClaimsPassthrough::new();
    let secret = "canary-of-a-value";
    let said = of_access_token(json!({"address": {"street": secret}, "a\nb": secret, "sub": "x"}));
    for _ in 0..3 {
        on.clone().apply(&said);
    }
    let many: Map<_, _> = (0..1000).map(|n| (format!("n{n}"), json!({}))).collect();
    on.apply(&of_access_token(Value::Object(many)));
    let text = logs.text();
    assert_eq!(text.matches("address").count(), 1, "{text}");
    assert_eq!(text.matches("is left out of tokens").count(), MOST_TOLD);
    assert!(!text.contains(secret) && !text.contains("sub"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Names that are ours, ends of them, and others.
fn any_name() -> impl Strategy<Value = String> {
    let ours = prop::sample::select(vec![
        "sub",
        "scope",
        "scp",
        "client_id",
        "iss",
        "aud",
        "jti",
        "__proto__",
        "cnf",
        "acr",
    ]);
    let end = (ours.clone(), 0_usize..9).prop_map(|(name, at)| {
        name.get(at.min(name.len())..)
            .unwrap_or_default()
            .to_owned()
    });
    prop_oneof![
        ours.prop_map(str::to_owned),
        end.clone(),
        end.prop_map(|name| name.to_uppercase()),
        "\\PC{0,12}",
        "[a-z_:/.]{1,12}",
    ]
}

fn any_prefix() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[sSacjin_]{1,3}",
        "(sub|sco|client_|__|is)",
        "[!-~]{1,64}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn sec_px_08_nothing_that_is_ours_comes_out(
        access_token in prop::collection::vec((any_name(), any_value()), 0..12),
        id_token in prop::collection::vec((any_name(), any_value()), 0..12),
        profile in prop::collection::vec((any_name(), any_value()), 0..12),
        prefix in any_prefix(),
        complex: bool,
        everything: bool,
    ) {
        let said = Evidence {
            access_token: access_token.into_iter().collect(),
            id_token: id_token.into_iter().collect(),
            profile: profile.into_iter().collect(),
            ..Evidence::of(Subject::parse("u1").unwrap())
        };
        let mut settings = ClaimsPassthrough::new().prefix(prefix.clone()).allow_complex(complex);
        if everything {
            let names = [&said.access_token, &said.id_token, &said.profile];
            settings = settings.allowed(names.into_iter().flat_map(Map::keys).cloned());
        }
        let claims = settings.apply(&said);
        prop_assert!(written(&Value::Object(claims.clone())).len() <= MAX_TOTAL);
        for (name, value) in &claims {
            prop_assert!(!is_reserved(name) && !is_poison(name), "{name}");
            prop_assert!(is_printable(name, MAX_NAME) && name.starts_with(&prefix), "{name}");
            prop_assert!(is_tame(value, if complex { MAX_DEPTH } else { 1 }), "{value}");
            prop_assert!(complex || !value.is_object(), "{value}");
        }
    }
}
