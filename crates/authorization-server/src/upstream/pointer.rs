//! Where something is inside of a JSON value.

use portcullis_oauth::json::{Map, Value};

/// The name of a member, or a pointer (RFC 6901) in which `*` is every element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    pub(super) fn parse(text: &str) -> Self {
        let steps = match text.strip_prefix('/') {
            None => vec![text.to_owned()],
            Some(path) => path
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
        };
        Self(steps)
    }

    /// The one that is there, or the first of many.
    pub(super) fn find<'v>(&self, claims: &'v Map<String, Value>) -> Option<&'v Value> {
        self.all(claims).into_iter().next()
    }

    /// All that are there.
    pub(super) fn all<'v>(&self, claims: &'v Map<String, Value>) -> Vec<&'v Value> {
        match self.0.split_first() {
            Some((first, rest)) => walk(claims.get(first).into_iter().collect(), rest),
            None => Vec::new(),
        }
    }

    /// All that are there, in a value that need not be an object.
    pub(super) fn all_in<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        walk(vec![value], &self.0)
    }
}

fn walk<'v>(found: Vec<&'v Value>, steps: &[String]) -> Vec<&'v Value> {
    steps.iter().fold(found, |found, step| {
        let found = found.into_iter();
        found.flat_map(|value| children(value, step)).collect()
    })
}

fn children<'v>(value: &'v Value, step: &str) -> Vec<&'v Value> {
    match value {
        Value::Object(members) => members.get(step).into_iter().collect(),
        Value::Array(items) if step == "*" => items.iter().collect(),
        Value::Array(items) => {
            let index: Option<usize> = step.parse().ok();
            index
                .and_then(|index| items.get(index))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_oauth::json::json;

    use super::*;

    #[test]
    fn a_pointer_is_a_name_or_a_way() {
        let value = json!({
            "sub": "a",
            "https://idp.example/team": "t",
            "a/b": {"~": 1},
            "orgs": [{"login": "x"}, {"name": "no"}, {"login": "y"}],
        });
        let found = |text: &str| {
            let pointer = Pointer::parse(text);
            let all = pointer.all_in(&value);
            assert_eq!(all, pointer.all(value.as_object().unwrap()), "{text}");
            all.into_iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("sub", &[r#""a""#][..]),
            ("/sub", &[r#""a""#]),
            ("https://idp.example/team", &[r#""t""#]),
            ("/https:~1~1idp.example~1team", &[r#""t""#]),
            ("/a~1b/~0", &["1"]),
            ("/orgs/*/login", &[r#""x""#, r#""y""#]),
            ("/orgs/1/name", &[r#""no""#]),
            ("/orgs/login", &[]),
            ("/sub/x", &[]),
            ("/none", &[]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        let list = json!([{"login": "x"}]);
        assert_eq!(Pointer::parse("/*/login").all_in(&list), [&json!("x")]);
    }
}
