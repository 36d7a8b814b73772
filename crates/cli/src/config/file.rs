//! Reads `portcullis.toml`, with the place of each key.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin::{Origin, Origins};
use crate::report::Problem;

/// No configuration is longer, in bytes.
const MAX: u64 = 1024 * 1024;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) tree: Map<String, Value>,
    pub(crate) origins: Origins,
    pub(crate) problems: Vec<Problem>,
}

/// Reads a file as text.
pub(crate) fn read_text(path: &Path) -> Result<String, Problem> {
    text(path, portcullis_fetch::file::read(path, MAX))
}

/// Reads a file as text, or what a command writes to a pipe. For commands that end soon: they may
/// wait for it.
pub(crate) fn read_text_or_pipe(path: &Path) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes));
    let read = read.and_then(|read| match u64::try_from(read) {
        Ok(read) if read <= MAX => Ok(bytes),
        _ => Err(ErrorKind::FileTooLarge.into()),
    });
    text(path, read)
}

fn text(path: &Path, read: io::Result<Vec<u8>>) -> Result<String, Problem> {
    let shown = path.display();
    let text = read.and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
    });
    text.map_err(|error| {
        let problem = Problem::new(format!("`{shown}` cannot be read"));
        match error.kind() {
            ErrorKind::FileTooLarge => Problem::new(format!("`{shown}` is longer than 1 MiB")),
            ErrorKind::NotFound => problem.because(&error).hint("check the path"),
            _ => problem.because(&error),
        }
    })
}

/// Reads TOML. `name` is how its user calls the file.
pub(crate) fn parse(name: &str, text: &str) -> Written {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        name,
        text,
        written: Written::default(),
    };
    for error in errors {
        let at = error.span().map(|span| reader.at(span.start));
        // The library's own `Display` shows the line, which may hold a secret.
        let what = format!("this is not TOML: {}", error.message());
        reader.written.problems.push(Problem::new(what).at(at));
    }
    let tree = reader.table("", table.get_ref());
    reader.written.tree = tree;
    reader.written
}

struct Reader<'t> {
    name: &'t str,
    text: &'t str,
    written: Written,
}

impl Reader<'_> {
    fn at(&self, offset: usize) -> Origin {
        Origin::at(self.name, self.text, offset)
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut members = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let path = match prefix {
                "" => name.to_owned(),
                _ => format!("{prefix}.{name}"),
            };
            let at = self.at(key.span().start);
            self.written.origins.set(&path, at);
            if let Some(value) = self.value(&path, value) {
                members.insert(name.to_owned(), value);
            }
        }
        members
    }

    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(truth) => Value::from(*truth),
            DeValue::Integer(number) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                Value::from(number.unwrap_or(i64::MAX))
            }
            DeValue::Array(items) => {
                let mut list = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    let path = format!("{path}.{at}");
                    let place = self.at(item.span().start);
                    self.written.origins.set(&path, place);
                    list.extend(self.value(&path, item));
                }
                Value::Array(list)
            }
            DeValue::Table(table) => Value::Object(self.table(path, table)),
            DeValue::Float(_) | DeValue::Datetime(_) => {
                let what = format!("`{path}` is a fraction or a date");
                let problem = Problem::new(what).at(self.written.origins.find(path));
                let problem = problem.hint("nothing here is one; write a text in quotes");
                self.written.problems.push(problem);
                return None;
            }
        })
    }
}
