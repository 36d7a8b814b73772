//! `reference`: pages of the documentation that are made from the code.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use crate::args::{Cli, Page};
use crate::config::page;
use crate::doctor;

/// A page, in Markdown.
pub(super) fn page(page: Page) -> String {
    match page {
        Page::Configuration => page::configuration(),
        Page::Cli => commands(),
        Page::Doctor => doctor::page(),
    }
}

const HEAD: &str = "\
# Commands

Data goes to stdout, everything else to stderr. Each is for people where it is a terminal, and JSON,
one document a line, where it is not; `--json` and `--human` say it for both. Exit codes: 0 fine, 1
you can mend it, 2 unexpected.

Each flag of `run` is a key of the [configuration](configuration.md), too, and a variable.

This page is made from the code: `cargo run -p portcullis-cli reference cli`.
";

fn commands() -> String {
    let mut page = HEAD.to_owned();
    let mut cli = Cli::command().term_width(80);
    cli.build();
    describe(&mut page, &mut cli);
    page
}

fn describe(page: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or("portcullis").to_owned();
    let help = command.render_long_help().to_string();
    let _ = writeln!(page, "\n## `{name}`\n\n```text\n{}\n```", help.trim_end());
    for command in command.get_subcommands_mut() {
        if !command.is_hide_set() {
            describe(page, command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each page says how it is made anew.
    #[test]
    fn the_reference_says_what_the_code_does() {
        let current = include_str!("../../../../docs/reference/configuration.md");
        assert_eq!(
            super::page(Page::Configuration).trim_end(),
            current.trim_end()
        );
        let current = include_str!("../../../../docs/reference/cli.md");
        assert_eq!(super::page(Page::Cli).trim_end(), current.trim_end());
    }
}
