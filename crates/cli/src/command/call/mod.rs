//! `call`: one tool, once.

mod arguments;
mod content;

use std::io::Read as _;

use anyhow::Result;
use portcullis::Client;
use portcullis::client::ClientError;
use portcullis::model;
use portcullis_oauth::json::{self, Limits, Map, Value};
use portcullis_resource_server::env::nearest;

use self::content::Answer;
use crate::args::CallArgs;
use crate::report::{Failure, Problem, Report};

pub(super) async fn call(args: CallArgs, report: Report) -> Result<()> {
    let given = args.given()?;
    let target = args.connect.target(report)?;
    let failure = |error: ClientError| target.failure(&error);
    let client = target.connect().await.map_err(failure)?;
    let answer = async {
        let tools = client.tools().await.map_err(failure)?;
        let tool = find(&tools, &args.tool)?;
        let arguments = match given {
            Some(arguments) => arguments,
            None => arguments::of(&args.pairs, tool)?,
        };
        ask(&client, &args.tool, arguments, report)
            .await
            .map_err(failure)
    };
    let answer = answer.await;
    client.close().await;
    let answer = Answer::new(answer?, args.output.as_deref())?;
    report.data(&answer)?;
    if answer.is_error() {
        let what = format!("the tool `{}` reports an error", args.tool);
        return Err(Failure::from(Problem::new(what)).into());
    }
    Ok(())
}

/// Calls, and tells meanwhile what the server says. Ctrl-C stops the call, at the server too.
async fn ask(
    client: &Client,
    tool: &str,
    arguments: Map<String, Value>,
    report: Report,
) -> Result<model::CallToolResult, ClientError> {
    let call = client
        .call(tool, arguments)
        .on_progress(move |said| report.progress(&progress(said)))
        .on_message(move |said| {
            report.progress_is_over();
            report.said(level(said.level), &text(&said.data));
        });
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let answer = call.until(stop).await;
    report.progress_is_over();
    answer
}

impl CallArgs {
    /// The arguments that were given as one object.
    fn given(&self) -> Result<Option<Map<String, Value>>, Failure> {
        let Some(text) = &self.arguments else {
            return Ok(None);
        };
        let text = match text.as_str() {
            "-" if self.connect.takes_stdin() => {
                let problem = Problem::new("the token and the arguments both come from stdin");
                return Err(problem
                    .hint("give the token with `--token-file FILE`")
                    .into());
            }
            "-" => from_stdin()?,
            text => text.to_owned(),
        };
        let wrong = Problem::new("the arguments are no JSON object");
        match json::value(text.trim().as_bytes(), Limits::MCP) {
            Ok(Value::Object(arguments)) => Ok(Some(arguments)),
            Ok(_) => Err(wrong
                .hint("write them as in `{\"name\": \"value\"}`")
                .into()),
            Err(error) => Err(wrong.because(error).into()),
        }
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    let limit = u64::try_from(Limits::MCP.bytes()).unwrap_or(u64::MAX);
    let read = std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text);
    read.map_err(|error| Problem::new("stdin cannot be read").because(error))?;
    Ok(text)
}

fn find<'a>(tools: &'a [model::Tool], name: &str) -> Result<&'a model::Tool, Failure> {
    let names = || tools.iter().map(|tool| tool.name.as_ref());
    let found = tools.iter().find(|tool| tool.name == name);
    found.ok_or_else(|| {
        let problem = Problem::new(format!("the server shows no tool `{name}`"));
        let hint = match nearest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if tools.is_empty() => "it shows none at all to this caller".to_owned(),
            None => "`portcullis list URL` lists them".to_owned(),
        };
        problem.hint(hint).into()
    })
}

fn progress(said: &model::ProgressNotificationParam) -> String {
    let so_far = said.progress;
    let done = match said.total {
        Some(total) => format!("{so_far} of {total}"),
        None => so_far.to_string(),
    };
    match &said.message {
        Some(message) => format!("{done}  {message}"),
        None => done,
    }
}

fn text(data: &Value) -> String {
    match data {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Its level, in the words of this program.
fn level(level: &str) -> &'static str {
    match level {
        "debug" => "debug",
        "info" | "notice" => "info",
        "warning" => "warning",
        _ => "error",
    }
}
