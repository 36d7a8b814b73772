use super::*;
use crate::access::require_auth;

fn tool(name: &'static str) -> Tool {
    Tool::new(name, async || "")
}

fn names(registry: &Registry) -> Vec<String> {
    registry
        .all::<Tool>()
        .into_iter()
        .map(|found| found.key)
        .collect()
}

#[test]
fn components_keep_their_order_and_their_name() {
    let registry = Registry::new();
    for name in ["b", "a", "c"] {
        registry.add(tool(name)).unwrap();
    }
    assert!(registry.add(tool("a")).is_err(), "defined twice");
    assert!(registry.remove::<Tool>("b") && !registry.remove::<Tool>("b"));
    assert_eq!(names(&registry), ["a", "c"]);
}

#[test]
fn a_disabled_component_is_gone_until_enabled() {
    let registry = Registry::new();
    registry.add(tool("a")).unwrap();
    assert!(registry.enable::<Tool>("a", false));
    assert!(names(&registry).is_empty() && registry.find::<Tool>("a").is_none());
    assert!(registry.enable::<Tool>("a", true));
    assert!(registry.find::<Tool>("a").is_some());
    assert!(!registry.enable::<Tool>("b", true));
}

#[test]
fn only_a_change_is_a_revision() {
    let registry = Registry::new();
    registry.add(tool("a")).unwrap();
    let mut watch = registry.watch();
    watch.mark_unchanged();
    registry.enable::<Tool>("a", true);
    registry.remove::<Tool>("b");
    assert!(!watch.has_changed().unwrap());
    registry.enable::<Tool>("a", false);
    assert!(watch.has_changed().unwrap());
}

#[test]
fn mounts_are_live_prefixed_and_behind_their_gate() {
    let (outer, middle, inner) = (Registry::new(), Registry::new(), Registry::new());
    let gate = Arc::new(Gate {
        rules: vec![require_auth()],
        ..Gate::default()
    });
    middle
        .mount("in", Arc::clone(&inner), Arc::clone(&gate))
        .unwrap();
    outer
        .mount("mid", Arc::clone(&middle), Arc::default())
        .unwrap();
    assert!(outer.mount("mid", Registry::new(), Arc::default()).is_err());
    assert!(outer.mount("a b", Registry::new(), Arc::default()).is_err());

    let mut watch = outer.watch();
    watch.mark_unchanged();
    inner.add(tool("t")).unwrap();
    assert!(
        watch.has_changed().unwrap(),
        "a change inside is seen outside"
    );
    assert_eq!(names(&outer), ["mid_in_t"]);
    let found = outer.find::<Tool>("mid_in_t").unwrap();
    assert_eq!((found.component.name(), found.gates.len()), ("t", 2));
    assert_eq!(
        found.gates[1].rules.len(),
        1,
        "the innermost gate comes last"
    );
    for near in ["t", "in_t", "mid_t", "midin_t", "mid_in_", "mid__in_t"] {
        assert!(outer.find::<Tool>(near).is_none(), "{near}");
    }
}

#[test]
fn mounted_uris_have_the_prefix_after_the_scheme() {
    let (outer, inner) = (Registry::new(), Registry::new());
    inner
        .add(Resource::new("notes://motd", async || ""))
        .unwrap();
    inner.add(Resource::new("urn:x", async || "")).unwrap();
    inner
        .add(ResourceTemplate::new("notes://n/{id}", async || ""))
        .unwrap();
    outer.mount("p", inner, Arc::default()).unwrap();
    let uris: Vec<String> = outer
        .all::<Resource>()
        .into_iter()
        .map(|found| found.key)
        .collect();
    assert_eq!(uris, ["notes://p/motd", "urn:p/x"]);
    assert!(outer.find::<Resource>("notes://p/motd").is_some());
    assert!(outer.find::<Resource>("notes://motd").is_none());
    let matched = outer.find_template("notes://p/n/7").unwrap();
    assert_eq!(
        (matched.own_uri.as_str(), &matched.variables["id"]),
        ("notes://n/7", &"7".into())
    );
    assert_eq!(matched.found.component.uri_template(), "notes://n/{id}");
    assert!(outer.find_template("notes://n/7").is_none());
}

#[tokio::test]
async fn an_update_inside_has_the_outer_uri_outside() {
    let (outer, inner) = (Registry::new(), Registry::new());
    outer
        .mount("p", Arc::clone(&inner), Arc::default())
        .unwrap();
    let (mut outside, mut inside) = (outer.watch_updates(), inner.watch_updates());
    ServerHandle::new(inner).notify_resource_updated("notes://motd");
    assert_eq!(&*inside.recv().await.unwrap(), "notes://motd");
    assert_eq!(&*outside.recv().await.unwrap(), "notes://p/motd");
}

/// The list of a kind, each name once, and each leading to what is listed.
fn assert_listed_is_found<C: Component>(registry: &Registry, candidates: &[String]) {
    let listed = registry.all::<C>();
    for key in candidates {
        let same: Vec<_> = listed.iter().filter(|found| found.key == *key).collect();
        match (registry.find::<C>(key), same.as_slice()) {
            (None, []) => {}
            (Some(found), [listed]) => {
                let Found { component, gates } = &listed.found;
                assert!(Arc::ptr_eq(&found.component, component), "{key}");
                assert_eq!(found.gates.len(), gates.len(), "{key}");
            }
            (found, same) => panic!(
                "`{key}` is listed {} times, found: {}",
                same.len(),
                found.is_some()
            ),
        }
    }
    assert!(listed.iter().all(|found| candidates.contains(&found.key)));
}

/// Names and prefixes of so few letters that they clash all the time.
#[test]
fn what_is_listed_is_what_a_call_finds() {
    const WORDS: [&str; 6] = ["a", "b", "a_b", "b_a", "a_a", "a_b_a"];
    let entropy = portcullis_oauth::SeededEntropy::new(11);
    let draw = |below: usize| {
        let mut byte = [0];
        portcullis_oauth::Entropy::fill(&entropy, &mut byte).unwrap();
        usize::from(byte[0]) % below
    };
    let mut clashes = 0;
    for _ in 0..300 {
        let registries: Vec<_> = (0..4).map(|_| Registry::new()).collect();
        let mut keys: Vec<Vec<String>> = vec![Vec::new(); registries.len()];
        for (level, registry) in registries.iter().enumerate().rev() {
            for _ in 0..draw(4) {
                let word = WORDS[draw(WORDS.len())];
                // A word that was drawn before is refused, which is fine.
                let _ = registry.add(tool(word));
                let _ = registry.add(Resource::new(format!("x://{word}"), async || ""));
                registry.enable::<Tool>(word, draw(5) > 0);
                keys[level].push(word.to_owned());
            }
            for inner in level + 1..registries.len() {
                let prefix = WORDS[draw(WORDS.len())];
                let inside = Arc::clone(&registries[inner]);
                if draw(3) > 0 && registry.mount(prefix, inside, Arc::default()).is_ok() {
                    let mounted: Vec<_> = keys[inner]
                        .iter()
                        .map(|key| format!("{prefix}_{key}"))
                        .collect();
                    keys[level].extend(mounted);
                }
            }
        }
        let mut distinct = keys[0].clone();
        distinct.sort();
        distinct.dedup();
        clashes += keys[0].len() - distinct.len();
        assert_listed_is_found::<Tool>(&registries[0], &distinct);
        let listed = registries[0].all::<Resource>();
        let uris: Vec<_> = listed.into_iter().map(|found| found.key).collect();
        assert_listed_is_found::<Resource>(&registries[0], &uris);
    }
    assert!(clashes > 100, "only {clashes} names clashed");
}
