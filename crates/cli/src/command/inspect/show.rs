//! What was found, for people.

use portcullis::model;

use super::{Access, Inspected, Metadata, Offers, Server};
use crate::report::Show;

/// Lines of a label and a text.
#[derive(Default)]
struct Page(Vec<String>);

impl Page {
    fn line(&mut self, label: &str, text: impl AsRef<str>) {
        let text = text.as_ref().trim();
        if !text.is_empty() {
            let text = text.replace('\n', &format!("\n{:14}", ""));
            self.0.push(format!("{label:12}  {text}"));
        }
    }
}

impl Show for Inspected {
    fn human(&self) -> String {
        let mut page = Page::default();
        page.line("url", &self.url);
        self.access.show(&mut page);
        if let Some(server) = &self.server {
            server.show(&mut page);
        } else if self.access.token_accepted.is_none() {
            page.line(
                "next",
                "a token shows more: `--token-file FILE`, or `PORTCULLIS_TOKEN`;\n\
                 `portcullis doctor URL` walks the way to one",
            );
        }
        page.0.join("\n")
    }
}

impl Access {
    fn show(&self, page: &mut Page) {
        page.line(
            "access",
            match (self.open, self.token_accepted) {
                (true, _) => "open: a stranger may come in",
                (false, None) => "protected: it asks for a token",
                (false, Some(true)) => "protected, and the token lets you in",
                (false, Some(false)) => "protected, and the token is refused",
            },
        );
        if let Some(metadata) = &self.metadata {
            metadata.show(page);
        }
        if let Some(fault) = &self.metadata_fault {
            page.line("metadata", fault);
        } else if self.metadata.is_none() && !self.open {
            page.line("metadata", "none: a client cannot find out where to log in");
        }
        if let Some(challenge) = &self.challenge {
            page.line("asks for", challenge.scopes.join(" "));
        }
    }
}

impl Metadata {
    fn show(&self, page: &mut Page) {
        let note = if self.elsewhere {
            "  (another origin than the server's)"
        } else {
            ""
        };
        page.line("metadata", format!("{}{note}", self.url));
        page.line("resource", &self.document.resource);
        page.line("log in at", self.document.authorization_servers.join("\n"));
        page.line("scopes", self.document.scopes_supported.join(" "));
    }
}

impl Server {
    fn show(&self, page: &mut Page) {
        if let Some(info) = &self.info {
            let title = info.title.as_ref().filter(|title| **title != info.name);
            let title = title
                .map(|title| format!("  ({title})"))
                .unwrap_or_default();
            page.line("server", format!("{} {}{title}", info.name, info.version));
        }
        page.line("speaks", self.revisions.join(", "));
        page.line("can", capabilities(&self.capabilities).join(", "));
        page.line("offers", self.offers.shown());
        page.line("instructions", first_lines(self.instructions.as_deref()));
    }
}

/// The beginning of a longer text, which is for a model rather than for a person.
fn first_lines(text: Option<&str>) -> String {
    const KEPT: usize = 5;

    let lines = text.unwrap_or_default().lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let mut kept: Vec<&str> = lines.iter().copied().take(KEPT).collect();
    let rest = format!(
        "(and {} more lines: `--json`)",
        lines.len().saturating_sub(KEPT)
    );
    if lines.len() > KEPT {
        kept.push(&rest);
    }
    kept.join("\n")
}

fn capabilities(all: &model::ServerCapabilities) -> Vec<String> {
    let known = [
        ("tools", all.tools.is_some()),
        ("resources", all.resources.is_some()),
        ("prompts", all.prompts.is_some()),
        ("completions", all.completions.is_some()),
        ("logging", all.logging.is_some()),
    ];
    let known = known.into_iter().filter(|(_, there)| *there);
    let mut names: Vec<String> = known.map(|(name, _)| name.to_owned()).collect();
    names.extend(
        all.extensions
            .iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    names
}

impl Offers {
    fn shown(&self) -> String {
        let counts = [
            (self.tools, "tools"),
            (self.resources, "resources"),
            (self.resource_templates, "resource templates"),
            (self.prompts, "prompts"),
        ];
        let counts = counts.into_iter().map(|(count, name)| match count {
            Some(1) => format!("1 {}", name.strip_suffix('s').unwrap_or(name)),
            Some(count) => format!("{count} {name}"),
            None => format!("{name} that cannot be listed"),
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}
