use portcullis_oauth::Subject;
use portcullis_oauth::json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("{value} is no object")
    };
    object
}

fn evidence(id_token: Value, profile: Value) -> Evidence {
    Evidence {
        id_token: object(id_token),
        profile: object(profile),
        ..Evidence::of(Subject::parse("u1").unwrap())
    }
}

fn comes(list: &AllowList, id_token: Value, domain_claim: Option<&str>) -> bool {
    list.admits(&Standing::of(&evidence(id_token, json!({})), domain_claim))
}

#[test]
fn one_list_that_has_the_user_is_enough() {
    for (list, said) in [
        (
            AllowList::new().domains(["Example.com"]),
            json!({"email": "a@example.COM", "email_verified": true}),
        ),
        (
            AllowList::new().emails(["a@example.com"]),
            json!({"email": "A@Example.com", "email_verified": "true"}),
        ),
        (
            AllowList::new().groups(["staff"]),
            json!({"groups": ["guests", "staff"]}),
        ),
        (
            AllowList::new().groups(["staff"]),
            json!({"groups": "staff"}),
        ),
        (
            AllowList::new().organisations(["org_1"]),
            json!({"org_id": "org_1"}),
        ),
        (AllowList::new().tenants(["T1"]), json!({"tid": "t1"})),
        (
            AllowList::new().tenants(["other"]).groups(["staff"]),
            json!({"tid": "t1", "groups": ["staff"]}),
        ),
        (AllowList::anyone(), json!({})),
    ] {
        assert!(list.faults().is_empty(), "{list:?}");
        assert!(list.admits_claims(&object(said.clone())), "{list:?}");
        assert!(comes(&list, said, None), "{list:?}");
        let nobody = comes(&list, json!({"sub": "mallory"}), None);
        assert_eq!(nobody, list.is_open, "{list:?}");
    }
    assert!(!comes(&AllowList::new(), json!({"sub": "alice"}), None));
    assert!(comes(&AllowList::default(), json!({"sub": "alice"}), None));
}

#[test]
fn groups_differ_by_case_and_subdomains_are_others() {
    let groups = AllowList::new().groups(["admins"]);
    assert!(!comes(&groups, json!({"groups": ["Admins"]}), None));
    let domains = AllowList::new().domains(["example.com"]);
    for email in [
        "a@sub.example.com",
        "a@example.com.evil.example",
        "a@evilexample.com",
    ] {
        let said = json!({"email": email, "email_verified": true});
        assert!(!comes(&domains, said, None), "{email}");
    }
}

#[test]
fn sec_px_09_an_address_counts_only_when_it_is_verified() {
    let list = AllowList::new()
        .domains(["example.com"])
        .emails(["a@example.com"]);
    for verified in [
        json!(false),
        json!("false"),
        json!("True"),
        json!(1),
        json!([true]),
        json!(null),
    ] {
        let said = json!({"email": "a@example.com", "email_verified": verified});
        assert!(!comes(&list, said, None), "{verified}");
    }
    assert!(!comes(&list, json!({"email": "a@example.com"}), None));
    // Names that users choose are no addresses.
    for name in ["upn", "preferred_username", "unique_name", "mail"] {
        let said = json!({name: "a@example.com", "email_verified": true});
        assert!(!comes(&list, said, None), "{name}");
    }
    // One statement says nothing of the address in another.
    let apart = evidence(
        json!({"email": "a@example.com"}),
        json!({"email": "mallory@evil.example", "email_verified": true}),
    );
    assert!(!list.admits(&Standing::of(&apart, None)));
    let beside = evidence(
        json!({"email": "a@example.com"}),
        json!({"email": "a@example.com", "email_verified": true}),
    );
    assert!(list.admits(&Standing::of(&beside, None)));
}

#[test]
fn sec_px_09_an_address_that_two_readers_would_split_differently_is_none() {
    let list = AllowList::new().domains(["example.com"]);
    for email in [
        "a@evil.example@example.com",
        "\"a@evil.example\"@example.com",
        "a@evil.example\n@example.com",
        "<a@evil.example>a@example.com",
        "a@evil.example,b@example.com",
        "@example.com",
        "a@",
        "example.com",
    ] {
        let said = json!({"email": email, "email_verified": true});
        assert!(!comes(&list, said, None), "{email}");
    }
}

#[test]
fn sec_px_10_an_address_is_not_the_domain_that_manages_the_account() {
    let list = AllowList::new().domains(["example.com"]);
    let address = json!({"email": "a@example.com", "email_verified": true});
    assert!(comes(&list, address.clone(), None));
    assert!(!comes(&list, address, Some("hd")));
    let managed = json!({"email": "a@example.com", "email_verified": true, "hd": "example.com"});
    assert!(comes(&list, managed, Some("hd")));
    // The address still counts as what it is.
    let named = AllowList::new().emails(["a@gmail.com"]);
    let address = json!({"email": "a@gmail.com", "email_verified": true});
    assert!(comes(&named, address, Some("hd")));
}

#[test]
fn sec_px_10_an_organisation_counts_as_the_provider_says() {
    let list = AllowList::new().organisations(["Acme-Corp"]);
    assert!(list.wants().organisations);
    let mut said = evidence(
        json!({}),
        json!({"company": "acme-corp", "login": "acme-corp"}),
    );
    assert!(!list.admits(&Standing::of(&said, None)));
    said.organisations = vec!["guests".to_owned(), "acme-corp".to_owned()];
    assert!(list.admits(&Standing::of(&said, None)));
    let others = AllowList::new()
        .groups(["acme-corp"])
        .emails(["a@b.example"]);
    assert!(!others.admits(&Standing::of(&said, None)));
    assert!(!others.wants().organisations);
    assert!(!AllowList::anyone().wants().organisations);
}

#[test]
fn sec_px_10_a_token_of_then_does_not_outvote_the_profile_of_now() {
    let list = AllowList::new().groups(["staff"]);
    let then = json!({"groups": ["staff"], "role": "admin", "tid": "t1", "email": "a@b.example"});
    let mut kept = evidence(then.clone(), then);
    assert!(list.admits(&Standing::of(&kept, None)));
    // The provider left the claim out, as many do where there is no group.
    kept.renew(&evidence(
        json!({}),
        json!({"role": "guest", "email": "a@b.example"}),
    ));
    assert!(!list.admits(&Standing::of(&kept, None)));
    assert!(
        !AllowList::new()
            .tenants(["t1"])
            .admits(&Standing::of(&kept, None))
    );
    assert_eq!(kept.id_token["role"], "guest");
    // What only the token ever said is not unsaid by a profile that never says it.
    let mut kept = evidence(json!({"groups": ["staff"]}), json!({"name": "A"}));
    kept.renew(&evidence(json!({}), json!({"name": "B"})));
    assert!(list.admits(&Standing::of(&kept, None)));
    // A new token speaks for itself.
    kept.renew(&evidence(
        json!({"groups": ["guests"]}),
        json!({"name": "B"}),
    ));
    assert!(!list.admits(&Standing::of(&kept, None)));
}

#[test]
fn a_standing_is_bounded_and_shows_nobody() {
    let groups: Vec<_> = (0..2000).map(|n| format!("g{n}")).collect();
    let said = json!({
        "email": "a@example.com", "email_verified": true, "groups": groups, "tid": "x".repeat(257),
        "org_id": ["o1", "o1", ""],
    });
    let standing = Standing::of(&evidence(said.clone(), said), None);
    assert_eq!(standing.groups.len(), MAX_ENTRIES);
    assert_eq!(standing.organisations, ["o1"]);
    assert!(standing.tenants.is_empty());
    assert!(!format!("{standing:?}").contains("example.com"));
}

#[test]
fn lists_that_cannot_work_are_told() {
    for (list, word) in [
        (AllowList::new(), "nobody"),
        (AllowList::new().groups([""; 0]), "nobody"),
        (AllowList::anyone().groups(["a"]), "everybody"),
        (AllowList::new().groups([""]), "`groups`"),
        (AllowList::new().emails([" a@example.com"]), "`emails`"),
        (AllowList::new().domains(["@example.com"]), "`domains`"),
        (AllowList::new().domains(["*.example.com"]), "`domains`"),
        (AllowList::new().domains(["your-org"]), "dot"),
        (AllowList::new().emails(["example.com"]), "`emails`"),
    ] {
        let faults = list.faults();
        let told = faults.iter().any(|fault| fault.fault().contains(word));
        assert!(told, "{list:?}: {faults:?}");
    }
}

#[test]
fn all_that_is_wrong_with_lists_is_told_at_once() {
    let list = AllowList::new().domains(["@example.com"]).emails(["x"]);
    assert_eq!(list.faults().len(), 2);
}
