//! The cookies of one site.

use std::collections::BTreeMap;

/// Cookies by name.
#[derive(Debug, Default)]
pub(super) struct Jar(BTreeMap<String, Cookie>);

#[derive(Debug)]
struct Cookie {
    value: String,
    same_site: SameSite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

/// Which cookies go with a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    All,
    Lax,
    NoneAlone,
}

impl Jar {
    /// Takes one `Set-Cookie` line, or ignores it where a browser would.
    pub(super) fn take(&mut self, line: &str, https: bool) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let attribute = |wanted: &str| {
            let mut found = attributes.iter().filter(|(name, _)| name == wanted);
            found.next_back().map(|(_, value)| *value)
        };
        let secure = attribute("secure").is_some();
        if secure && !https {
            return;
        }
        let host_only = secure && attribute("path") == Some("/") && attribute("domain").is_none();
        if name.to_ascii_lowercase().starts_with("__host-") && !host_only {
            return;
        }
        if attribute("max-age").is_some_and(|age| age.parse().is_ok_and(|age: i64| age <= 0)) {
            self.0.remove(name);
            return;
        }
        let same_site = match attribute("samesite")
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("strict") => SameSite::Strict,
            Some("none") if secure => SameSite::None,
            Some("none") => return,
            _ => SameSite::Lax,
        };
        let value = value.to_owned();
        self.0.insert(name.to_owned(), Cookie { value, same_site });
    }

    pub(super) fn plant(&mut self, name: &str, value: &str) {
        let value = value.to_owned();
        let same_site = SameSite::None;
        self.0.insert(name.to_owned(), Cookie { value, same_site });
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|cookie| cookie.value.clone())
    }

    /// The `Cookie` header of a request.
    pub(super) fn header(&self, reach: Reach) -> String {
        let goes = |cookie: &Cookie| match reach {
            Reach::All => true,
            Reach::Lax => cookie.same_site != SameSite::Strict,
            Reach::NoneAlone => cookie.same_site == SameSite::None,
        };
        let pairs: Vec<String> = self
            .0
            .iter()
            .filter(|(_, cookie)| goes(cookie))
            .map(|(name, cookie)| format!("{name}={}", cookie.value))
            .collect();
        pairs.join("; ")
    }
}
