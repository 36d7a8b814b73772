//! What the user reads.

use std::fmt::Write as _;

use serde::Serialize;

use super::client::{Client, Place};
use super::finding::{Finding, Findings};
use super::rule::{self, Level, STEPS};
use crate::report::{Show, wrapped};

/// The end of a walk.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    url: String,
    /// Whether nothing was found that is an error.
    healthy: bool,
    clients: Vec<Verdict>,
    counts: Counts,
    findings: Vec<Line>,
    /// What was not walked, and how it would be.
    left_out: Vec<&'static str>,
}

/// Whether a client gets in.
#[derive(Debug, Serialize)]
struct Verdict {
    name: &'static str,
    connects: bool,
    /// Whether the server is at a place that it gets to.
    reaches: bool,
    /// Which part of it does, where that is not all.
    #[serde(skip)]
    part: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    error: usize,
    warning: usize,
    note: usize,
    ok: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    id: &'static str,
    step: &'static str,
    severity: &'static str,
    /// What is the case; of what is `ok`, what is not.
    what: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    seen: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    at: String,
    /// Clients that it keeps out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clients: Vec<&'static str>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'static str>,
}

impl Diagnosis {
    pub(super) fn new(
        url: String,
        clients: &[&'static Client],
        findings: &Findings,
        left_out: Vec<&'static str>,
        verbose: bool,
    ) -> Self {
        let list = findings.list();
        let mut counts = Counts::default();
        for finding in list {
            match finding.level {
                Level::Hole | Level::Error => counts.error += 1,
                Level::Warning => counts.warning += 1,
                Level::Note => counts.note += 1,
                Level::Fine => counts.ok += 1,
            }
        }
        let is_home = list
            .iter()
            .any(|finding| finding.rule.id == rule::URL_HOME.id && finding.level != Level::Fine);
        let verdict = |client: &&'static Client| {
            let reasons = list
                .iter()
                .filter(|finding| finding.clients.contains(&client.name));
            let because = once(reasons.map(|finding| finding.rule.id));
            Verdict {
                name: client.name,
                connects: because.is_empty(),
                reaches: !is_home || client.place != Place::Elsewhere,
                part: match client.place {
                    Place::Both(part) if is_home => Some(part),
                    _ => None,
                },
                because,
            }
        };
        let lines = STEPS.iter().flat_map(|step| {
            let here = list
                .iter()
                .filter(|finding| verbose || finding.level != Level::Fine)
                .filter(|finding| step.rules.iter().any(|rule| rule.id == finding.rule.id));
            here.map(|finding| Line::new(step.name, finding))
        });
        Self {
            healthy: counts.error == 0,
            clients: clients.iter().map(verdict).collect(),
            findings: lines.collect(),
            url,
            counts,
            left_out,
        }
    }

    /// Ids of errors, each once.
    pub(crate) fn errors(&self) -> Vec<&'static str> {
        let lines = self.findings.iter();
        let errors = lines.filter(|line| line.severity == Level::Error.as_str());
        once(errors.map(|line| line.id))
    }

    /// Ids of what is not as it should be, each once.
    #[cfg(test)]
    pub(super) fn wrong(&self) -> std::collections::BTreeSet<&'static str> {
        let lines = self.findings.iter();
        let wrong = lines.filter(|line| line.severity != Level::Fine.as_str());
        wrong.map(|line| line.id).collect()
    }

    /// Whether a client gets in.
    #[cfg(test)]
    pub(super) fn connects(&self, name: &str) -> bool {
        self.clients
            .iter()
            .any(|client| client.name == name && client.connects)
    }
}

/// Each id once, where it came first.
fn once(ids: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    ids.fold(Vec::new(), |mut all, id| {
        if !all.contains(&id) {
            all.push(id);
        }
        all
    })
}

impl Line {
    fn new(step: &'static str, finding: &Finding) -> Self {
        Self {
            id: finding.rule.id,
            step,
            severity: finding.level.as_str(),
            what: finding.rule.what,
            seen: finding.seen.clone(),
            at: finding.at.clone(),
            clients: finding.clients.clone(),
            source: finding.rule.source,
            mend: (finding.level != Level::Fine).then_some(finding.rule.mend),
        }
    }

    fn human(&self) -> String {
        if self.mend.is_none() {
            let label = format!("  ok       {}  ", self.id);
            return wrapped(&label, &format!("not so: {}", self.what));
        }
        let label = format!("  {:7}  {}  ", self.severity, self.id);
        let mut text = wrapped(&label, self.what);
        let who = match self.clients.as_slice() {
            [] => self.source.to_owned(),
            clients => format!("{} ({})", clients.join(", "), self.source),
        };
        for (label, said) in [
            ("seen", self.seen.as_str()),
            ("at", &self.at),
            ("who", &who),
            ("mend", self.mend.unwrap_or_default()),
        ] {
            if !said.is_empty() {
                text.push('\n');
                text.push_str(&wrapped(&format!("           {label:4}  "), said));
            }
        }
        text
    }
}

impl Show for Diagnosis {
    fn human(&self) -> String {
        let mut text = format!("{}\n", self.url);
        for step in &STEPS {
            let here: Vec<_> = self
                .findings
                .iter()
                .filter(|line| line.step == step.name)
                .collect();
            if !here.is_empty() {
                let _ = write!(text, "\n{}\n", step.name);
            }
            for line in here {
                let _ = writeln!(text, "{}", line.human());
            }
        }
        if !self.left_out.is_empty() {
            text.push_str("\nnot walked\n");
        }
        for what in &self.left_out {
            let _ = writeln!(text, "  {what}");
        }
        text.push('\n');
        for client in &self.clients {
            let verdict = if !client.connects {
                format!("cannot connect, because of {}", client.because.join(", "))
            } else if !client.reaches {
                "cannot reach this machine, and would find nothing else wrong".to_owned()
            } else if let Some(part) = client.part {
                format!("can connect from here ({part}), as far as this went")
            } else {
                "can connect, as far as this went".to_owned()
            };
            let _ = writeln!(text, "{:8} {verdict}", client.name);
        }
        let counts = &self.counts;
        let _ = write!(
            text,
            "\nerrors {}, warnings {}, notes {}, ok {}",
            counts.error, counts.warning, counts.note, counts.ok
        );
        text
    }
}
