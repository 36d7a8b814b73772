//! `Forwarded` (RFC 7239 section 4).

use std::net::IpAddr;

use super::{Hop, Malformed, is_port};

/// What each proxy says of whoever connected to it, the first one first.
pub(super) fn hops(line: &str) -> Result<Vec<Hop>, Malformed> {
    let mut rest = Rest(line);
    let mut hops = Vec::new();
    loop {
        hops.push(rest.element()?);
        rest.skip_space();
        if rest.0.is_empty() {
            return Ok(hops);
        }
        rest.expect(',')?;
    }
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// `for=192.0.2.1;proto=https;by=203.0.113.7`. One that says nothing of `for` hides it.
    fn element(&mut self) -> Result<Hop, Malformed> {
        let mut said: Option<Hop> = None;
        loop {
            self.skip_space();
            let name = self.token().to_ascii_lowercase();
            if name.is_empty() {
                return Err(Malformed);
            }
            self.expect('=')?;
            let value = self.value()?;
            if name == "for" && said.replace(node(&value)).is_some() {
                return Err(Malformed);
            }
            self.skip_space();
            if !self.0.starts_with(';') {
                return Ok(said.flatten());
            }
            self.expect(';')?;
        }
    }

    fn value(&mut self) -> Result<String, Malformed> {
        if !self.0.starts_with('"') {
            let token = self.token().to_owned();
            return if token.is_empty() {
                Err(Malformed)
            } else {
                Ok(token)
            };
        }
        self.expect('"')?;
        let mut value = String::new();
        loop {
            let mut characters = self.0.chars();
            let next = characters.next().ok_or(Malformed)?;
            let character = match next {
                '\\' => characters.next().ok_or(Malformed)?,
                other => other,
            };
            self.0 = characters.as_str();
            if next == '"' {
                return Ok(value);
            }
            value.push(character);
        }
    }

    fn token(&mut self) -> &str {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        token
    }

    fn expect(&mut self, character: char) -> Result<(), Malformed> {
        self.0 = self.0.strip_prefix(character).ok_or(Malformed)?;
        Ok(())
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

/// `192.0.2.1`, `[2001:db8::1]:4711`; `None` for `unknown` and for names that hide who it is
/// (section 6).
fn node(text: &str) -> Hop {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (inside, port) = rest.split_once(']')?;
        let port = if port.is_empty() {
            "0"
        } else {
            port.strip_prefix(':')?
        };
        (IpAddr::V6(inside.parse().ok()?), port)
    } else {
        let (host, port) = text.split_once(':').unwrap_or((text, "0"));
        (IpAddr::V4(host.parse().ok()?), port)
    };
    let hidden = port.strip_prefix('_');
    let is_hidden = hidden.is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    });
    (is_port(port) || is_hidden).then_some(host)
}
