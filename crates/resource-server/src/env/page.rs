//! The reference page of the variables, out of the tables that the readers use.

use std::fmt::Write as _;

use super::variable::{Form, Need, Section, Variable};
use super::{FASTMCP, Provider};

const HEAD: &str = "\
# Environment variables

A server whose code names no authentication takes it from the environment: `FASTMCP_SERVER_AUTH`
selects a provider, and its settings are in variables of their own. Authentication that the code
names wins. The environment can close a server and never opens one. So all of these stop the start:
a value that is not understood, an empty selector, settings without a selector, and a misspelt name. In a
shell, `export` them: a variable that is only set does not reach the server, which then has no auth and
says so at its start (`auth=\"none\"`).

`PORTCULLIS_AUTH` is another name for `FASTMCP_SERVER_AUTH`, and `PORTCULLIS_AUTH_<NAME>` for
`FASTMCP_SERVER_AUTH_<PROVIDER>_<NAME>`. `PORTCULLIS_BASE_URL` is another name for every `BASE_URL`.
Two names of one setting may both be set if they agree. Upper and lower case are the same.

How values are written:

* **scopes**: separated by commas or spaces, or a JSON list of strings
* **names**: one name, or a JSON list of strings. A comma is a part of the name. Empty is an error.
* **algorithm**: as in `RS256` or `ES256`
* **flag**: `true` or `false`
* **seconds**: a whole number from 1 to 300
* **patterns**: of redirect URIs, separated by commas or spaces, or a JSON list of strings; `[]` is none
* **parameters**: a JSON object of strings, as in `{\"audience\": \"api\"}`
* **secret**: a text; `<NAME>_FILE` may hold the path of a file with it instead. In PEM, `\\n` stands
  for a line break.
* **text**: anything else. Empty means not set.

This page is made from the code: `cargo run -p portcullis-resource-server --example environment_page`
";

/// The page `docs/reference/environment.md`, in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n| provider | value of `FASTMCP_SERVER_AUTH` |\n|---|---|\n");
    for section in sections() {
        let mut names: Vec<String> = section
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let class = section
            .dotted
            .map(|class| format!("`fastmcp.server.auth.providers.{class}`"));
        names.extend(class);
        let _ = writeln!(page, "| {} | {} |", section.title, names.join(" "));
    }
    for section in sections() {
        let _ = writeln!(page, "\n## {}\n", section.title);
        let others = section.prefixes.iter().skip(1);
        let others: Vec<_> = others
            .map(|prefix| format!("`{FASTMCP}_{prefix}_`"))
            .collect();
        if !others.is_empty() {
            let _ = writeln!(
                page,
                "The names may also begin with {}.\n",
                others.join(", ")
            );
        }
        page.push_str("| variable | value | |\n|---|---|---|\n");
        for variable in section.all() {
            page.push_str(&row(section, variable));
        }
    }
    page
}

fn sections() -> impl Iterator<Item = &'static Section> {
    Provider::ALL.into_iter().map(Provider::section)
}

fn row(section: &Section, variable: &Variable) -> String {
    let name = section.full_name(variable.name);
    let need = match variable.need {
        Need::Required => ", required".to_owned(),
        Need::Instead(other) => format!(", required without `{other}`"),
        Need::Optional => String::new(),
    };
    let form = match variable.form {
        Form::Text => "text",
        Form::Scopes => "scopes",
        Form::Names => "names",
        Form::Algorithm => "algorithm",
        Form::Flag => "flag",
        Form::Seconds => "seconds",
        Form::Uris => "patterns",
        Form::Params => "parameters",
        Form::Secret => "secret",
    };
    let alias = variable.alias.map(|alias| format!(" Also `..{alias}`."));
    let alias = alias.unwrap_or_default();
    format!("| `{name}` | {form}{need} | {}.{alias} |\n", variable.about)
}
