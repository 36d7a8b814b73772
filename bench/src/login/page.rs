//! The form of a server-rendered page that leads on: enough of a browser for a login.

use anyhow::{Context as _, Result};

/// What is typed into fields.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) user: String,
    pub(super) password: String,
}

/// Where a form goes, and what it sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) action: String,
    pub(super) fields: Vec<(String, String)>,
}

/// The form that signs in, or else the first one that is neither a refusal nor a way out.
pub(super) fn onward(page: &str, person: &Person) -> Result<Filled> {
    let forms: Vec<(&str, &str)> = page
        .split("<form")
        .skip(1)
        .filter_map(|form| form.split_once('>'))
        .map(|(tag, rest)| (tag, rest.split("</form>").next().unwrap_or_default()))
        .filter(|(tag, _)| !tag.contains("logout"))
        .collect();
    let typed = forms.iter().find(|(_, body)| body.contains("password"));
    let (tag, body) = typed.or(forms.first()).context("no form leads on")?;
    let mut fields: Vec<(String, String)> = tags(body, "<input")
        .filter_map(|tag| {
            let value = attribute(tag, "value").unwrap_or_default();
            let value = match attribute(tag, "type").as_deref() {
                Some("hidden") => value,
                Some("password") => person.password.clone(),
                Some("submit" | "checkbox" | "radio") => return None,
                _ => person.user.clone(),
            };
            Some((attribute(tag, "name")?, value))
        })
        .collect();
    let button = tags(body, "<button").find_map(|tag| {
        let (name, value) = (attribute(tag, "name")?, attribute(tag, "value")?);
        (value != "deny").then_some((name, value))
    });
    fields.extend(button);
    Ok(Filled {
        action: attribute(tag, "action").unwrap_or_default(),
        fields,
    })
}

/// The insides of all tags that begin so.
fn tags<'a>(body: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    body.split(start)
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Filled, Person, onward};

    fn person() -> Person {
        Person {
            user: "casey".to_owned(),
            password: "pass".to_owned(),
        }
    }

    #[test]
    fn the_form_that_signs_in_is_filled() {
        let page = r#"<form action="/logout"><button name="x" value="y">Out</button></form>
            <form method="post" action="/login?a=1&amp;b=2"><input type="hidden" name="csrf" value="a&quot;b">
            <input name="username" type="text" required><input type="password" name="password">
            <button type="submit">Sign in</button></form>"#;
        let fields = [
            ("csrf", "a\"b"),
            ("username", "casey"),
            ("password", "pass"),
        ];
        let expected = Filled {
            action: "/login?a=1&b=2".to_owned(),
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        };
        assert_eq!(onward(page, &person()).unwrap(), expected);
    }

    #[test]
    fn consent_is_given() {
        let page = r#"<form action="/consent"><button name="action" value="deny">Deny</button>
            <button name="action" value="approve">Approve</button></form>"#;
        let filled = onward(page, &person()).unwrap();
        assert_eq!(filled.fields, [("action".to_owned(), "approve".to_owned())]);
    }

    #[test]
    fn a_page_without_a_form_leads_nowhere() {
        assert!(onward("<p>An error</p>", &person()).is_err());
    }
}
