//! What was found, and whom it keeps out.

use portcullis_oauth::{BearerToken, SecretString};

use super::client::Client;
use super::rule::{Level, Rule};

/// One thing that was found, good or bad.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) rule: &'static Rule,
    /// What it comes to, with the clients that were asked for in mind.
    pub(super) level: Level,
    /// Clients that it keeps out.
    pub(super) clients: Vec<&'static str>,
    /// Where it is written.
    pub(super) at: String,
    /// What stands there.
    pub(super) seen: String,
}

impl Finding {
    fn new(rule: &'static Rule, level: Level, at: &str, seen: &str) -> Self {
        Self {
            rule,
            level,
            clients: Vec::new(),
            at: at.to_owned(),
            seen: seen.to_owned(),
        }
    }
}

/// All that was found so far.
#[derive(Debug)]
pub(super) struct Findings {
    clients: Vec<&'static Client>,
    secrets: Vec<SecretString>,
    list: Vec<Finding>,
    /// The worst that a finding may come to now: of a server that clients only try later, nothing
    /// keeps them out.
    ceiling: Level,
}

impl Findings {
    pub(super) fn new(clients: Vec<&'static Client>, token: Option<&BearerToken>) -> Self {
        let secrets = token.map(|token| SecretString::new(token.expose()));
        Self {
            clients,
            secrets: secrets.into_iter().collect(),
            list: Vec::new(),
            ceiling: Level::Hole,
        }
    }

    /// Whose needs are looked at.
    pub(super) fn clients(&self) -> &[&'static Client] {
        &self.clients
    }

    /// Whether the rule is about one of them.
    pub(super) fn concerns(&self, rule: &Rule) -> bool {
        self.clients.iter().any(|client| client.concerns(rule))
    }

    pub(super) fn list(&self) -> &[Finding] {
        &self.list
    }

    /// Whether something of this rule was found that is not as it should be.
    pub(super) fn has(&self, rule: &Rule) -> bool {
        self.list
            .iter()
            .any(|finding| finding.rule.id == rule.id && finding.level != Level::Fine)
    }

    /// Something that must not be shown, wherever a server repeats it.
    pub(super) fn keep_secret(&mut self, secret: SecretString) {
        self.secrets.push(secret);
    }

    /// Whether what follows is about a server that clients try only after another: then an error
    /// is a warning.
    pub(super) fn in_second_place(&mut self, second: bool) {
        self.ceiling = if second { Level::Warning } else { Level::Hole };
    }

    /// Adds `rule`, or that it holds; gives back which.
    pub(super) fn check(
        &mut self,
        rule: &'static Rule,
        holds: bool,
        at: &str,
        seen: impl FnOnce() -> String,
    ) -> bool {
        if holds {
            self.fine(rule, at);
        } else {
            self.found(rule, at, &seen());
        }
        holds
    }

    /// As the rule wants it.
    pub(super) fn fine(&mut self, rule: &'static Rule, at: &str) {
        self.add(Finding::new(rule, Level::Fine, at, ""));
    }

    /// Keeps out whom the rule's level and the clients' needs say.
    pub(super) fn found(&mut self, rule: &'static Rule, at: &str, seen: &str) {
        let all = rule.level == Level::Error;
        let clients = self.clients.iter();
        let kept_out = clients.filter(|client| all || client.minds(rule));
        let kept_out: Vec<_> = kept_out.map(|client| client.name).collect();
        let level = match rule.level {
            _ if !kept_out.is_empty() => Level::Error,
            level => level,
        };
        self.add(Finding {
            clients: kept_out,
            ..Finding::new(rule, level, at, seen)
        });
    }

    /// Keeps out these clients, as far as they are asked for.
    pub(super) fn found_for(
        &mut self,
        rule: &'static Rule,
        kept_out: &[&'static str],
        at: &str,
        seen: &str,
    ) {
        let clients = self.clients.iter().map(|client| client.name);
        let kept_out: Vec<_> = clients.filter(|name| kept_out.contains(name)).collect();
        let level = match rule.level {
            _ if !kept_out.is_empty() => Level::Error,
            Level::Error => Level::Note,
            level => level,
        };
        self.add(Finding {
            clients: kept_out,
            ..Finding::new(rule, level, at, seen)
        });
    }

    fn add(&mut self, finding: Finding) {
        let level = match finding.level {
            Level::Error => finding.level.max(self.ceiling),
            level => level,
        };
        let clients = if level.is_error() {
            finding.clients
        } else {
            Vec::new()
        };
        self.list.push(Finding {
            level,
            clients,
            at: self.shown(&finding.at),
            seen: self.shown(&finding.seen),
            ..finding
        });
    }

    /// What a server said, on one line, bounded, without what must not be shown.
    fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            // SECURITY: a server may repeat what it was sent, and a report is pasted into threads;
            // sec_op_01_a_server_that_repeats_the_token_does_not_get_it_into_the_report
            text = text.replace(secret.expose(), "[redacted]");
        }
        let mut shown = String::new();
        for (count, character) in text.chars().enumerate() {
            if count == MOST_SHOWN {
                shown.push('…');
                break;
            }
            // SECURITY: a line break would let a server write findings of its own (CWE-117);
            // sec_op_10_a_server_cannot_write_lines_of_the_report
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        shown
    }
}

/// Characters of what a server said.
const MOST_SHOWN: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::client::CLIENTS;
    use crate::doctor::rule;

    fn findings(names: &[&str]) -> Findings {
        let clients = CLIENTS.iter().filter(|client| names.contains(&client.name));
        Findings::new(clients.collect(), Some(&BearerToken::new("s3cret-token")))
    }

    #[test]
    fn what_a_client_minds_is_an_error_for_it_alone() {
        let mut all = findings(&["claude", "goose", "codex"]);
        all.found(rule::CHL_GET, "", "");
        let found = &all.list()[0];
        assert_eq!(found.level, Level::Error);
        assert_eq!(found.clients, ["goose", "codex"]);
        let mut claude = findings(&["claude"]);
        claude.found(rule::CHL_GET, "", "");
        assert_eq!(claude.list()[0].level, Level::Warning);
        claude.found_for(rule::REG_NONE, &["goose"], "", "");
        assert_eq!(claude.list()[1].level, Level::Note);
        assert!(claude.list()[1].clients.is_empty());
    }

    #[test]
    fn a_server_in_second_place_keeps_nobody_out() {
        let mut all = findings(&["claude"]);
        all.in_second_place(true);
        all.found(rule::ASM_S256, "", "");
        assert_eq!(all.list()[0].level, Level::Warning);
        assert!(all.list()[0].clients.is_empty());
        all.in_second_place(false);
        all.found(rule::ASM_S256, "", "");
        assert_eq!(all.list()[1].level, Level::Error);
    }

    #[test]
    fn sec_op_10_a_server_cannot_write_lines_of_the_report() {
        let mut all = findings(&[]);
        all.found(rule::NET_OTHER, "a\nb", &"x\r\u{1b}".repeat(300));
        let found = &all.list()[0];
        assert_eq!(found.at, "a\\nb");
        assert!(found.seen.starts_with("x\\r\\u{1b}x"), "{}", found.seen);
        assert!(!found.seen.contains(char::is_control));
        assert!(found.seen.ends_with('…') && found.seen.len() < 2000);
    }

    #[test]
    fn sec_op_01_a_server_that_repeats_the_token_does_not_get_it_into_the_report() {
        let mut all = findings(&[]);
        all.found(rule::NET_OTHER, "?t=s3cret-token", "you said s3cret-token");
        assert_eq!(all.list()[0].at, "?t=[redacted]");
        assert_eq!(all.list()[0].seen, "you said [redacted]");
        assert!(!format!("{all:?}").contains("s3cret"), "{all:?}");
    }
}
