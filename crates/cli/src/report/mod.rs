//! The one door through which this program speaks.
//!
//! Data goes to stdout, everything else to stderr. Each is for people where it is a terminal and
//! JSON, one document a line, where it is not.

mod problem;
mod table;

use std::io::{self, IsTerminal as _, Write};

use portcullis_oauth::json::{self, Value, json};
use serde::Serialize;

pub(crate) use self::problem::{Failure, Problem};
pub(crate) use self::table::table;

/// For whom output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Json,
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Fine = 0,
    Mendable = 1,
    Unexpected = 2,
}

/// Something to print, in both forms.
pub(crate) trait Show: Serialize {
    /// For people. No line break at the end.
    fn human(&self) -> String;
}

/// Where output goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    data: Format,
    messages: Format,
}

impl Report {
    /// `asked`: the form that the user asked for, of all output.
    pub(crate) fn new(asked: Option<Format>) -> Self {
        let natural = |is_terminal| {
            if is_terminal {
                Format::Human
            } else {
                Format::Json
            }
        };
        Self {
            data: asked.unwrap_or_else(|| natural(io::stdout().is_terminal())),
            messages: asked.unwrap_or_else(|| natural(io::stderr().is_terminal())),
        }
    }

    /// The form of what goes to stderr, log lines included.
    pub(crate) fn messages(self) -> Format {
        self.messages
    }

    /// What the user asked for.
    pub(crate) fn data(self, data: &impl Show) -> anyhow::Result<()> {
        match self.data {
            Format::Human => to_stdout(&plain(&data.human())),
            Format::Json => to_stdout(&json::to_visible_string(data)?),
        }
        Ok(())
    }

    /// A document that has one form: a script, a schema.
    pub(crate) fn document(text: &str) {
        to_stdout(text.strip_suffix('\n').unwrap_or(text));
    }

    /// Something that is not wrong, and that the user should know.
    pub(crate) fn warning(self, problem: &Problem) {
        self.problem("warning", problem);
    }

    /// What somebody else says meanwhile, with how much it matters.
    pub(crate) fn said(self, level: &str, text: &str) {
        self.problem(level, &Problem::new(text));
    }

    /// How far the work is: a line that the next one replaces, where somebody looks on.
    pub(crate) fn progress(self, text: &str) {
        if self.messages == Format::Human && io::stderr().is_terminal() {
            let line: String = plain(text).replace('\n', " ").chars().take(78).collect();
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K{line}");
        }
    }

    /// Takes the line of the progress away.
    pub(crate) fn progress_is_over(self) {
        self.progress("");
    }

    /// Why it did not work, and with which code the process ends.
    pub(crate) fn failure(self, error: &anyhow::Error) -> Exit {
        if let Some(Failure(problems)) = error.downcast_ref::<Failure>() {
            for problem in problems {
                self.problem("error", problem);
            }
            return Exit::Mendable;
        }
        let mut problem = Problem::new(error.to_string());
        problem.causes = error.chain().skip(1).map(ToString::to_string).collect();
        self.problem(
            "error",
            &problem.hint("this should not happen; a report of it is welcome"),
        );
        Exit::Unexpected
    }

    fn problem(self, level: &str, problem: &Problem) {
        match self.messages {
            Format::Human => to_stderr(&for_people(level, problem)),
            Format::Json => to_stderr(&line(level, problem)),
        }
    }
}

fn for_people(level: &str, problem: &Problem) -> String {
    let mut text = wrapped(&format!("{level}: "), &plain(&problem.what));
    let mut add = |label: &str, said: &str| {
        text.push('\n');
        text.push_str(&wrapped(&format!("  {label}"), &plain(said)));
    };
    if let Some(at) = &problem.at {
        add("--> ", at);
    }
    for cause in &problem.causes {
        add("because: ", cause);
    }
    if let Some(hint) = &problem.hint {
        add("hint: ", hint);
    }
    text
}

/// Lines of at most 80 columns, broken between words, as deep as their label is long.
pub(crate) fn wrapped(label: &str, text: &str) -> String {
    let indent = " ".repeat(label.len());
    let mut wrapped = label.to_owned();
    let mut column = label.len();
    for (at, line) in text.lines().enumerate() {
        if at > 0 {
            wrapped.push('\n');
            wrapped.push_str(&indent);
            column = indent.len();
        }
        for (at, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 && column + 1 + length > 80 {
                wrapped.push('\n');
                wrapped.push_str(&indent);
                column = indent.len();
            } else if at > 0 {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += length;
        }
    }
    wrapped
}

/// A problem in one line of JSON.
fn line(level: &str, problem: &Problem) -> String {
    // Texts alone: nothing in it can fail to be JSON.
    json::to_visible_string(&as_json(level, problem)).unwrap_or_default()
}

fn as_json(level: &str, problem: &Problem) -> Value {
    let mut line = json!({ "level": level, "message": problem.what });
    if let Value::Object(members) = &mut line {
        if let Some(at) = &problem.at {
            members.insert("source".to_owned(), json!(at));
        }
        if !problem.causes.is_empty() {
            members.insert("causes".to_owned(), json!(problem.causes));
        }
        if let Some(hint) = &problem.hint {
            members.insert("hint".to_owned(), json!(hint));
        }
    }
    line
}

/// The text without anything that a terminal would obey.
fn plain(text: &str) -> String {
    // SECURITY: what a token, a file or a server says could move the cursor and rewrite what stands
    // above (CWE-150); sec_op_10_nothing_that_a_terminal_obeys_is_printed
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    plain
}

fn is_obeyed(character: char) -> bool {
    let turns_direction = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (character.is_control() && !matches!(character, '\n' | '\t')) || turns_direction
}

/// Whoever reads may have gone; that is no fault of ours.
fn to_stdout(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_op_10_nothing_that_a_terminal_obeys_is_printed() {
        let problem = Problem::new("a\u{1b}[2Jb").hint("c\u{202e}d\re");
        let text = for_people("error", &problem);
        assert_eq!(text, "error: a\\u{1b}[2Jb\n  hint: c\\u{202e}d\\u{d}e");
        let line = line("error", &Problem::new("a\u{9b}2Jb\u{2028}"));
        assert_eq!(line, r#"{"level":"error","message":"a\u009b2Jb\u2028"}"#);
    }

    #[test]
    fn a_problem_says_where_why_and_what_to_do() {
        let problem = Problem::new("`x` is wrong")
            .at(Some("f:1:2"))
            .because("it is so")
            .hint("mend it");
        assert_eq!(
            for_people("error", &problem),
            "error: `x` is wrong\n  --> f:1:2\n  because: it is so\n  hint: mend it"
        );
        assert_eq!(
            as_json("error", &problem),
            json!({
                "level": "error", "message": "`x` is wrong", "source": "f:1:2",
                "causes": ["it is so"], "hint": "mend it",
            })
        );
    }
}
