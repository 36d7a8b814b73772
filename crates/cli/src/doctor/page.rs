//! `docs/doctor.md`: how to use the doctor, and all that it may find.

use std::fmt::Write as _;

use super::client::CLIENTS;
use super::rule::STEPS;

const HEAD: &str = "\
# What the doctor finds

`portcullis doctor URL` walks the way of a client to an MCP server, whoever wrote it: the URL, the
challenge, the metadata of the resource and of its authorization servers, registration, the
endpoints of a login, and calls. It says what would keep a client out, where that is written, and
how to mend it.

```sh
portcullis doctor https://mcp.example.com/mcp
portcullis doctor https://mcp.example.com/mcp --as claude,chatgpt
portcullis doctor http://localhost:8000/mcp --token-file token.txt --verbose
```

It ends with 1 when there is an error, that is, something that keeps one of the clients out or lets
in what should stay out, and with 0 otherwise. With `--json` the report is one document.

It sends what clients send and nothing of yours beside: the token goes to the URL that you gave and
nowhere else, and into a query only on this machine. Nothing is written to the authorization server,
unless `--register` says so: then one client is registered in the shape of each client that is
looked at, under a name that begins with `portcullis doctor`, and removed again where the server
says how (RFC 7592), and on the consent page of a server of this project one of them is agreed to, to
see the identity provider behind it; nobody signs in there. The token endpoint gets one code that nobody issued.

Requests to the host of the URL go wherever that host is, for you chose it. A URL that comes out of
a document was chosen by a stranger, and this program stands within reach of what your machine
trusts: such a URL is asked only at a public address and port 443, or on this machine if the server
is there, too. `--allow-host HOST` vouches for another host.

This page is made from the code: `cargo run -p portcullis-cli reference doctor`.

## Clients

| `--as` | who | gets an id by |
|---|---|---|
";

/// The page, in Markdown.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for client in &CLIENTS {
        let ways: Vec<_> = client.ways.iter().map(|way| way.describe()).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            client.name,
            client.title,
            ways.join(", ")
        );
    }
    for step in &STEPS {
        let _ = write!(
            page,
            "\n## {}\n\n| id | severity | what | who says so | how to mend it |\n|---|---|---|---|---|\n",
            heading(step.name)
        );
        for rule in step.rules {
            let minding: Vec<_> = CLIENTS
                .iter()
                .filter(|client| client.minds(rule))
                .map(|client| client.name)
                .collect();
            let severity = match minding.as_slice() {
                [] => rule.level.as_str().to_owned(),
                names => format!("{}; error for {}", rule.level.as_str(), names.join(", ")),
            };
            let _ = writeln!(
                page,
                "| `{}` | {severity} | {} | {} | {} |",
                rule.id, rule.what, rule.source, rule.mend
            );
        }
    }
    page
}

fn heading(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_says_what_the_table_does() {
        let current = include_str!("../../../../docs/doctor.md");
        assert_eq!(page().trim_end(), current.trim_end());
    }

    #[test]
    fn an_id_stands_once_and_a_cell_ends_no_row() {
        let rules: Vec<_> = STEPS.iter().flat_map(|step| step.rules).collect();
        let ids: BTreeSet<_> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in rules {
            for text in [rule.what, rule.source, rule.mend] {
                assert!(
                    !text.contains(['|', '\n']) && !text.ends_with('.'),
                    "{}",
                    rule.id
                );
            }
        }
    }
}
