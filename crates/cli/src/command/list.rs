//! `list`: what a server offers.

use std::fmt::Write as _;

use anyhow::Result;
use portcullis::Client;
use portcullis::client::ClientError;
use portcullis::model;
use serde::Serialize;

use crate::args::ListArgs;
use crate::report::{Report, Show};

/// What was asked for; the rest is absent.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<model::Tool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<model::Resource>>,
    #[serde(rename = "resourceTemplates", skip_serializing_if = "Option::is_none")]
    templates: Option<Vec<model::ResourceTemplate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompts: Option<Vec<model::Prompt>>,
}

pub(super) async fn list(args: ListArgs, report: Report) -> Result<()> {
    let target = args.connect.target(report)?;
    let failure = |error: ClientError| target.failure(&error);
    let client = target.connect().await.map_err(failure)?;
    let listed = Listed::ask(&client, &args).await;
    client.close().await;
    report.data(&listed.map_err(failure)?)
}

impl Listed {
    async fn ask(client: &Client, args: &ListArgs) -> Result<Self, ClientError> {
        let nothing_named = !args.resources && !args.prompts;
        let mut listed = Self {
            tools: None,
            resources: None,
            templates: None,
            prompts: None,
        };
        if nothing_named {
            listed.tools = Some(client.tools().await?);
        }
        if args.resources || args.all {
            listed.resources = Some(client.resources().await?);
            listed.templates = Some(client.resource_templates().await?);
        }
        if args.prompts || args.all {
            listed.prompts = Some(client.prompts().await?);
        }
        Ok(listed)
    }

    /// Each group with its lines: what is named, and what it is.
    fn groups(&self) -> Vec<(&'static str, Vec<Line>)> {
        let mut groups = Vec::new();
        if let Some(tools) = &self.tools {
            let lines = tools.iter().map(|tool| {
                let title = tool.title.as_deref();
                Line::new(&tool.name, tool.description.as_deref().or(title))
            });
            groups.push(("tools", lines.collect()));
        }
        if let Some(resources) = &self.resources {
            let lines = resources.iter().map(|resource| {
                let text = resource.description.as_ref().or(resource.title.as_ref());
                Line::new(&resource.uri, Some(text.unwrap_or(&resource.name)))
            });
            groups.push(("resources", lines.collect()));
        }
        if let Some(templates) = &self.templates {
            let lines = templates.iter().map(|template| {
                let text = template.description.as_ref().or(template.title.as_ref());
                Line::new(&template.uri_template, Some(text.unwrap_or(&template.name)))
            });
            groups.push(("resource templates", lines.collect()));
        }
        if let Some(prompts) = &self.prompts {
            let lines = prompts.iter().map(|prompt| {
                let text = prompt.description.as_ref().or(prompt.title.as_ref());
                Line::new(&prompt.name, text.map(String::as_str))
            });
            groups.push(("prompts", lines.collect()));
        }
        groups
    }
}

struct Line {
    name: String,
    what: String,
}

impl Line {
    fn new(name: &str, what: Option<&str>) -> Self {
        let what = what.unwrap_or_default().trim();
        Self {
            name: name.replace('\n', " "),
            what: what
                .lines()
                .next()
                .unwrap_or_default()
                .trim_end()
                .to_owned(),
        }
    }
}

/// Columns of a page.
const WIDTH: usize = 80;

/// Columns of a name; a longer one has its description below.
const NAME: usize = 28;

impl Show for Listed {
    fn human(&self) -> String {
        let groups = self.groups();
        let mut page = String::new();
        for (at, (name, lines)) in groups.iter().enumerate() {
            if groups.len() > 1 {
                let _ = writeln!(page, "{}{name}", if at > 0 { "\n" } else { "" });
            }
            let indent = if groups.len() > 1 { "  " } else { "" };
            if lines.is_empty() {
                let _ = writeln!(page, "{indent}(none)");
            }
            let names = lines.iter().map(|line| line.name.chars().count());
            let width = names.filter(|width| *width <= NAME).max().unwrap_or(0);
            for line in lines {
                write_line(&mut page, indent, width, line);
            }
        }
        page.trim_end().to_owned()
    }
}

fn write_line(page: &mut String, indent: &str, width: usize, line: &Line) {
    let what = cut(&line.what, WIDTH.saturating_sub(indent.len() + width + 2));
    let name = &line.name;
    if what.is_empty() {
        let _ = writeln!(page, "{indent}{name}");
    } else if name.chars().count() > width {
        let _ = writeln!(page, "{indent}{name}\n{indent}{:width$}  {what}", "");
    } else {
        let _ = writeln!(page, "{indent}{name:width$}  {what}");
    }
}

/// A text of at most `width` characters; where something is cut, it says so.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
