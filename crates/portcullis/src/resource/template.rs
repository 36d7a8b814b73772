//! URI templates, as far as MCP needs them: `{name}` and `{+name}` (RFC 6570 sections 3.2.2 and
//! 3.2.3), used backwards to take a URI apart.
//!
//! Matching is linear: a variable ends at the first place where the text after it begins, the
//! last one at the end of the URI.

use portcullis_oauth::json::{Map, Value};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UriTemplate {
    /// The text before the first variable.
    head: String,
    /// Each variable with the text after it.
    variables: Vec<(Variable, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    /// `{+name}`: slashes may be part of the value.
    reserved: bool,
}

impl UriTemplate {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (head, mut rest) = text
            .split_once('{')
            .ok_or("a template has a `{variable}`")?;
        if head.contains('}') {
            return Err(UNBALANCED);
        }
        let mut variables: Vec<(Variable, String)> = Vec::new();
        loop {
            let (inside, after) = rest.split_once('}').ok_or(UNBALANCED)?;
            let variable = Variable::parse(inside)?;
            if variables
                .iter()
                .any(|(known, _)| known.name == variable.name)
            {
                return Err("a template names each variable once");
            }
            let (literal, next) = match after.split_once('{') {
                Some((literal, next)) => (literal, Some(next)),
                None => (after, None),
            };
            if literal.contains('}') {
                return Err(UNBALANCED);
            }
            if literal.is_empty() && next.is_some() {
                return Err("a template has text between two variables");
            }
            variables.push((variable, literal.to_owned()));
            match next {
                Some(next) => rest = next,
                None => {
                    return Ok(Self {
                        head: head.to_owned(),
                        variables,
                    });
                }
            }
        }
    }

    /// The variables, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let variables = self.variables.iter();
        variables.map(|(variable, _)| variable.name.as_str())
    }

    /// The values of the variables, if the URI fits.
    pub(crate) fn read(&self, uri: &str) -> Option<Map<String, Value>> {
        let mut rest = uri.strip_prefix(self.head.as_str())?;
        let mut values = Map::new();
        let last = self.variables.len().checked_sub(1)?;
        for (index, (variable, literal)) in self.variables.iter().enumerate() {
            let (raw, after) = if index == last {
                (rest.strip_suffix(literal.as_str())?, "")
            } else {
                rest.split_once(literal.as_str())?
            };
            values.insert(variable.name.clone(), variable.value(raw)?.into());
            rest = after;
        }
        Some(values)
    }
}

impl Variable {
    fn parse(inside: &str) -> Result<Self, &'static str> {
        let (reserved, name) = match inside.strip_prefix('+') {
            Some(name) => (true, name),
            None => (false, inside),
        };
        let fits = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits {
            return Err("a variable is `{name}` or `{+name}`, of letters, digits and `_`");
        }
        Ok(Self {
            name: name.to_owned(),
            reserved,
        })
    }

    fn value(&self, raw: &str) -> Option<String> {
        let value = percent_decode(raw)?;
        // SECURITY: one segment stays one segment, however it is spelled, or a handler that
        // builds a path from it would walk out of its folder; segment_never_climbs
        let climbs = value.contains(['/', '\\', '\0']) || value == "." || value == "..";
        (!raw.is_empty() && (self.reserved || !climbs)).then_some(value)
    }
}

const UNBALANCED: &str = "a template's braces are balanced";

/// RFC 3986 section 2.1; `None` for an incomplete sequence or one that is not UTF-8.
fn percent_decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(template: &str, uri: &str) -> Option<Vec<(String, String)>> {
        let values = UriTemplate::parse(template).unwrap().read(uri)?;
        let text = |value: Value| value.as_str().unwrap().to_owned();
        Some(
            values
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        )
    }

    #[expect(clippy::unnecessary_wraps, reason = "what `read` is compared with")]
    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Option<Vec<(String, String)>> {
        Some(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        )
    }

    #[test]
    fn variables_take_what_stands_in_their_place() {
        let template = "test://template/{id}/data";
        assert_eq!(
            read(template, "test://template/42/data"),
            pairs([("id", "42")])
        );
        assert_eq!(
            read(template, "test://template/a%20b/data"),
            pairs([("id", "a b")])
        );
        assert_eq!(
            read("db://{table}/{row}", "db://users/7"),
            pairs([("row", "7"), ("table", "users")])
        );
        assert_eq!(
            read("file:///{+path}", "file:///a/b.txt"),
            pairs([("path", "a/b.txt")])
        );
    }

    #[test]
    fn what_does_not_fit_is_no_match() {
        let template = "test://template/{id}/data";
        for uri in [
            "test://template//data",
            "test://template/1/2/data",
            "test://template/1/data/",
            "test://template/1",
            "TEST://template/1/data",
            "test://template/%4/data",
            "test://template/%ff/data",
        ] {
            assert_eq!(read(template, uri), None, "{uri}");
        }
    }

    #[test]
    fn segment_never_climbs() {
        for value in ["..", ".", "%2e%2e", "..%2f..", "a%2Fb", "a%5cb", "a%00"] {
            assert_eq!(read("x://{id}", &format!("x://{value}")), None, "{value}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_taken_apart_is_refused() {
        for template in [
            "x://no",
            "x://{",
            "x://{a",
            "x://}{a}",
            "x://{a}{b}",
            "x://{a}/{a}",
            "x://{a*}",
            "x://{}",
        ] {
            assert!(UriTemplate::parse(template).is_err(), "{template}");
        }
    }
}
