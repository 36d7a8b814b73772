//! The environment, read once: of the process, and of a `.env` file beside the configuration.

use std::path::Path;

use portcullis_oauth::SecretString;
use portcullis_resource_server::env::nearest;
use serde_json::Value;

use super::file::read_text;
use super::origin::Origin;
use super::schema::{Key, types};
use super::secret_file;
use crate::report::Problem;

/// Variables that concern this program. Each value counts as a secret until somebody reads it.
#[derive(Default)]
pub(crate) struct Environment {
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    value: SecretString,
    origin: Origin,
}

impl Environment {
    /// Those of the process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where this program reads its environment"
    )]
    pub(crate) fn from_process() -> (Self, Vec<Problem>) {
        let mut environment = Self::default();
        let mut problems = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if !is_ours(&name) && !name.starts_with("OTEL_") {
                continue;
            }
            match value.into_string() {
                Ok(value) => environment.add(name.clone(), value, Origin::Variable(name)),
                Err(_) => problems.push(Problem::new(format!("`{name}` is not UTF-8"))),
            }
        }
        (environment, problems)
    }

    /// Adds those of a `.env` file, where the process does not say otherwise.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<Option<Problem>, Problem> {
        let text = read_text(path)?;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            let Some((name, value)) =
                dotenv_line(line).map_err(|fault| Problem::new(fault).at(Some(&place)))?
            else {
                continue;
            };
            if is_ours(&name) && self.find(&name).is_none() {
                let origin = Origin::Variable(format!("{name} ({place})"));
                self.add(name, value, origin);
            }
        }
        Ok(secret_file::warning(path))
    }

    fn add(&mut self, name: String, value: String, origin: Origin) {
        self.entries.push(Entry {
            name,
            value: SecretString::from(value),
            origin,
        });
    }

    /// The value of a variable; one that is empty is not set.
    pub(crate) fn find(&self, name: &str) -> Option<(&str, &Origin)> {
        let mut same = self
            .entries
            .iter()
            .filter(|entry| entry.name.eq_ignore_ascii_case(name));
        let entry = same.find(|entry| !entry.value.expose().trim().is_empty())?;
        Some((entry.value.expose(), &entry.origin))
    }

    /// All pairs of name and value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.value.expose()))
    }

    /// The names about authentication that are not keys of ours.
    pub(crate) fn about_auth(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let names = self.entries.iter().filter(|entry| {
            let upper = entry.name.to_ascii_uppercase();
            let is_key = ["_MODE", "_ANONYMOUS", "_CHALLENGES"]
                .iter()
                .any(|end| upper == format!("PORTCULLIS_AUTH{end}"));
            let is_auth =
                upper.starts_with("FASTMCP_SERVER_AUTH") || upper.starts_with("PORTCULLIS_AUTH");
            let is_table = ["_ALLOW", "_CLAIMS_PASSTHROUGH"]
                .iter()
                .any(|table| upper.starts_with(&format!("PORTCULLIS_AUTH{table}")));
            is_auth && !is_key && !is_table
        });
        names.map(|entry| (entry.name.as_str(), &entry.origin))
    }

    /// Variables of ours that nobody reads. `PORTCULLIS_PORT` and its likes come from Kubernetes,
    /// where a service has our name, so they are no error.
    pub(crate) fn warnings(&self, known: &[String]) -> Vec<Problem> {
        let of_kubernetes = |name: &str| {
            name.starts_with("PORTCULLIS_PORT") || name.starts_with("PORTCULLIS_SERVICE_")
        };
        let unread = self.entries.iter().filter(|entry| {
            let upper = entry.name.to_ascii_uppercase();
            upper.starts_with("PORTCULLIS_")
                && !upper.starts_with("PORTCULLIS_AUTH_")
                && !of_kubernetes(&upper)
                && !known.contains(&upper)
        });
        unread
            .map(|entry| {
                let meant = nearest(&entry.name, known.iter().map(String::as_str));
                Problem::new(format!("nobody reads `{}`", entry.name))
                    .maybe_hint(meant.map(|meant| format!("did you mean `{meant}`?")))
            })
            .collect()
    }
}

/// The text of a flag or a variable, as the value that its key has in a file.
pub(crate) fn value_of(key: &Key, text: &str) -> Value {
    let text = text.trim();
    let branches = super::schema::branches(&key.schema);
    let types: Vec<&str> = branches.into_iter().flat_map(types).collect();
    if types.contains(&"boolean")
        && let Ok(truth) = text.to_ascii_lowercase().parse::<bool>()
    {
        return Value::from(truth);
    }
    if types.contains(&"integer")
        && let Ok(number) = text.parse::<u32>()
    {
        return Value::from(number);
    }
    if types.contains(&"array") {
        let items = text.split([',', ' ']).map(str::trim);
        return items.filter(|item| !item.is_empty()).collect();
    }
    Value::from(text)
}

fn is_ours(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.starts_with("PORTCULLIS_") || upper.starts_with("FASTMCP_SERVER_AUTH")
}

/// `NAME=value`, `export NAME='value'`; `None` for a comment or an empty line.
fn dotenv_line(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("this line has no `=`")?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err("this line has no name before its `=`");
    }
    let value = match value.chars().next() {
        Some('"') => unescape(quoted(value, '"')?),
        Some('\'') => quoted(value, '\'')?.to_owned(),
        _ => value
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned(),
    };
    Ok(Some((name.to_owned(), value)))
}

fn quoted(value: &str, quote: char) -> Result<&str, &'static str> {
    let inner = value.strip_prefix(quote).unwrap_or_default();
    let end = inner.rfind(quote).ok_or("a quote is not closed")?;
    inner.get(..end).ok_or("a quote is not closed")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_dotenv_is_read_as_a_shell_would() {
        let read = |line| dotenv_line(line).unwrap();
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(read("A=b"), pair("A", "b"));
        assert_eq!(read(" export A = 'b # c' "), pair("A", "b # c"));
        assert_eq!(read("A=\"x\\ny\""), pair("A", "x\ny"));
        assert_eq!(read("A=b # c"), pair("A", "b"));
        assert_eq!(read("# A=b"), None);
        assert_eq!(read(""), None);
        assert!(dotenv_line("A").is_err());
        assert!(dotenv_line("A='b").is_err());
        assert!(dotenv_line("A B=c").is_err());
    }
}
