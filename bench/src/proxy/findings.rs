//! The figures of both kinds of work as one.

use std::fmt;

use serde_json::Value;

use crate::{findings::Findings, report::Report};

#[derive(Debug)]
pub(crate) struct Proxies {
    pub(super) calls: Report,
    pub(super) logins: Report,
}

impl Findings for Proxies {
    /// As one [`Report`] with the variants and the ratios of both.
    fn json(&self, bench: &str) -> Value {
        let mut all = self.logins.json(bench);
        let calls = self.calls.json(bench);
        for (name, figures) in calls.as_object().into_iter().flatten() {
            if let (Some(all), Value::Object(figures)) = (all.get_mut(name), figures)
                && let Some(all) = all.as_object_mut()
            {
                all.extend(figures.clone());
            }
        }
        all
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.logins, self.calls)
    }
}
