//! The scanner: one pass over the text with a stack of its own, so that no depth can exhaust the
//! thread's.

use std::borrow::Cow;

use super::member::{Member, PATH};
use super::text::{Quoted, hex_unit, plain_prefix};
use super::{JsonError, Limits};

/// Checks `text` against the rules of the parent module, and shows `visit` its members; its size
/// was checked before.
pub(super) fn scan<'a>(
    text: &'a str,
    limits: Limits,
    visit: impl FnMut(&[&str], Member<'a>),
) -> Result<(), JsonError> {
    if text.starts_with('\u{feff}') {
        return Err(JsonError::ByteOrderMark);
    }
    Scanner {
        text,
        at: 0,
        limits,
        members: 0,
        // Enough for most messages, so that neither grows.
        open: Vec::with_capacity(8),
        names: Vec::with_capacity(16),
        visit,
    }
    .document()
}

struct Scanner<'a, V> {
    text: &'a str,
    at: usize,
    limits: Limits,
    members: usize,
    open: Vec<Container>,
    /// The names of all open objects, innermost last.
    names: Vec<Cow<'a, str>>,
    visit: V,
}

#[derive(Clone, Copy)]
enum Container {
    Array,
    Object {
        /// Index of this object's first name in `names`.
        first: usize,
    },
}

/// What the grammar allows next.
enum Next {
    Value,
    CommaOrEnd,
}

impl<'a, V: FnMut(&[&str], Member<'a>)> Scanner<'a, V> {
    fn document(mut self) -> Result<(), JsonError> {
        let mut next = Next::Value;
        loop {
            steps(1);
            self.skip_whitespace();
            next = match (next, self.open.last().copied()) {
                (Next::Value, _) => self.value()?,
                (Next::CommaOrEnd, Some(Container::Array)) => self.after_element()?,
                (Next::CommaOrEnd, Some(Container::Object { first })) => {
                    self.after_member(first)?
                }
                (Next::CommaOrEnd, None) if self.at == self.text.len() => return Ok(()),
                (Next::CommaOrEnd, None) => {
                    return Err(JsonError::TrailingBytes { at: self.at });
                }
            };
        }
    }

    fn value(&mut self) -> Result<Next, JsonError> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => {
                self.show(Member::Object);
                return self.open_object();
            }
            Some(b'[') => {
                self.show(Member::Array);
                return self.open_array();
            }
            Some(b'"') => self.string().map(drop)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            _ => return Err(self.syntax()),
        }
        self.show(Member::Scalar(
            self.text.get(start..self.at).unwrap_or_default(),
        ));
        Ok(Next::CommaOrEnd)
    }

    /// Shows a value, if names alone lead to it and they are few enough.
    fn show(&mut self, value: Member<'a>) {
        let mut path = [""; PATH];
        let Some(path) = path.get_mut(..self.open.len()) else {
            return;
        };
        // The last name of an object stands just before the first one of the object inside.
        let mut names = self.names.as_slice();
        for (step, container) in path.iter_mut().zip(&self.open).rev() {
            let (Container::Object { first }, Some(name)) = (*container, names.last()) else {
                return;
            };
            *step = name;
            names = names.get(..first).unwrap_or_default();
        }
        (self.visit)(path, value);
    }

    fn open_object(&mut self) -> Result<Next, JsonError> {
        let first = self.names.len();
        self.push(Container::Object { first })?;
        if self.eat(b'}') {
            self.open.pop();
            return Ok(Next::CommaOrEnd);
        }
        self.member_name()
    }

    fn open_array(&mut self) -> Result<Next, JsonError> {
        self.push(Container::Array)?;
        if self.eat(b']') {
            self.open.pop();
            return Ok(Next::CommaOrEnd);
        }
        Ok(Next::Value)
    }

    fn push(&mut self, container: Container) -> Result<(), JsonError> {
        if self.open.len() >= self.limits.depth {
            return Err(JsonError::TooDeep {
                limit: self.limits.depth,
            });
        }
        self.open.push(container);
        self.at += 1;
        self.skip_whitespace();
        Ok(())
    }

    fn after_element(&mut self) -> Result<Next, JsonError> {
        if self.eat(b',') {
            return Ok(Next::Value);
        }
        if self.eat(b']') {
            self.open.pop();
            return Ok(Next::CommaOrEnd);
        }
        Err(self.syntax())
    }

    fn after_member(&mut self, first: usize) -> Result<Next, JsonError> {
        if self.eat(b',') {
            self.skip_whitespace();
            return self.member_name();
        }
        if !self.eat(b'}') {
            return Err(self.syntax());
        }
        let names = self.names.get_mut(first..).unwrap_or_default();
        // Any order brings equal names together; this one seldom has to look at their bytes.
        names.sort_unstable_by(|a, b| {
            steps(1);
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        });
        // SECURITY: two members of one name mean different things to different parsers
        // (RFC 8259 section 4); sec_gw_14_a_repeated_member_is_refused_at_any_depth
        if names
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b))
        {
            return Err(JsonError::RepeatedMember { at: self.at });
        }
        self.names.truncate(first);
        self.open.pop();
        Ok(Next::CommaOrEnd)
    }

    fn member_name(&mut self) -> Result<Next, JsonError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.syntax());
        }
        self.members += 1;
        if self.members > self.limits.members {
            return Err(JsonError::TooManyMembers {
                limit: self.limits.members,
            });
        }
        let name = self.string()?.text();
        // SECURITY: serde_json unwraps an object with such a name by parsing the *string* it
        // holds, which this scan has not seen; sec_gw_14_a_reserved_name_smuggles_no_document
        if name.starts_with(RESERVED_NAMES) {
            return Err(JsonError::ReservedMember { at: start });
        }
        self.names.push(name);
        self.skip_whitespace();
        if self.eat(b':') {
            Ok(Next::Value)
        } else {
            Err(self.syntax())
        }
    }

    /// Passes a string, the cursor on its opening quote.
    fn string(&mut self) -> Result<Quoted<'a>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain_prefix(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return Err(self.syntax()),
            }
        }
        let raw = self.text.get(start..self.at).ok_or_else(|| self.syntax())?;
        steps(raw.len());
        self.at += 1;
        Ok(Quoted { raw, has_escapes })
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => match self.unit()? {
                0xD800..=0xDBFF => {
                    let low = if self.eat(b'\\') && self.peek() == Some(b'u') {
                        self.unit()?
                    } else {
                        0
                    };
                    if !(0xDC00..=0xDFFF).contains(&low) {
                        return Err(JsonError::LoneSurrogate { at: start });
                    }
                }
                0xDC00..=0xDFFF => return Err(JsonError::LoneSurrogate { at: start }),
                _ => {}
            },
            _ => return Err(self.syntax()),
        }
        Ok(())
    }

    /// Passes `uXXXX` and returns the code unit.
    fn unit(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let unit = digits.and_then(hex_unit).ok_or_else(|| self.syntax())?;
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let mut may_overflow = self.at - start > MOST_DIGITS;
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
            may_overflow = true;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if may_overflow && !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(JsonError::NumberOutOfRange { at: start });
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.syntax());
        }
        self.at += count;
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if !self.rest().starts_with(word) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax { at: self.at }
    }
}

/// Members by which `serde_json` marks raw text and numbers inside its own data model.
const RESERVED_NAMES: &str = "$serde_json::private::";

/// Integers of at most this many characters are below the largest `f64`.
const MOST_DIGITS: usize = 300;

/// Counts work, for the test that bounds it.
#[cfg(test)]
fn steps(more: usize) {
    super::tests::STEPS.with(|steps| steps.set(steps.get() + more));
}

#[cfg(not(test))]
const fn steps(_: usize) {}
