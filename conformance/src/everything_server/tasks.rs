//! Tools of the extension `io.modelcontextprotocol/tasks`.

use std::time::Duration;

use portcullis::{
    Args, Background, Context, Elicited, Inputs, Server, Tool, ToolError, ToolOutput,
    model::{ErrorCode, ErrorData},
};

use crate::rounds::Name;

pub(crate) fn add(server: Server) -> Server {
    let allowed = |tool: Tool| tool.background(Background::Allowed);
    let required = |tool: Tool| tool.background(Background::Required);
    server
        .tool(Tool::new("greet", greet).description("Greets, always at once"))
        .tool(allowed(
            Tool::new("slow_compute", slow).description("Takes its time"),
        ))
        .tool(required(
            Tool::new("failing_job", failing).description("Fails as a tool"),
        ))
        .tool(required(
            Tool::new("protocol_error_job", broken).description("Fails as a task"),
        ))
        .tool(allowed(
            Tool::new("confirm_delete", confirm).description("Asks before it deletes"),
        ))
        .tool(allowed(
            Tool::new("multi_input", multi).description("Asks two questions at once"),
        ))
        .tool(Tool::new("test_tool_with_task", composed).description("Asks, then works on"))
}

async fn greet(Args(Name { name }): Args<Name>) -> String {
    format!("Hello, {name}!")
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Slow {
    /// How long to compute.
    seconds: f64,
    /// What to call the result.
    #[serde(default)]
    label: String,
}

async fn slow(Args(Slow { seconds, label }): Args<Slow>) -> String {
    tokio::time::sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default()).await;
    format!("Computed {label}")
}

async fn failing() -> Result<String, ToolError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Err(ToolError::new("The job failed"))
}

async fn broken() -> Result<String, ToolError> {
    let error = ErrorData::new(ErrorCode::INTERNAL_ERROR, "The job broke", None);
    Err(ToolError::protocol(error))
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct File {
    /// What to delete.
    filename: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Sure {
    confirm: bool,
}

async fn confirm(Args(File { filename }): Args<File>, ctx: Context) -> Result<String, ToolError> {
    match ctx
        .elicit::<Sure>("confirm", format!("Delete {filename}?"))
        .await?
    {
        Elicited::Accepted(Sure { confirm: true }) => Ok(format!("Deleted {filename}")),
        _ => Ok(format!("Kept {filename}")),
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Age {
    age: u32,
}

async fn multi(ctx: Context) -> Result<String, ToolError> {
    let inputs = Inputs::new()
        .elicit_as::<Name>("name", "What is your name?")?
        .elicit_as::<Age>("age", "How old are you?")?;
    let answers = ctx.request_inputs(inputs).await?;
    match (
        answers.elicited_as::<Name>("name")?,
        answers.elicited_as::<Age>("age")?,
    ) {
        (Elicited::Accepted(Name { name }), Elicited::Accepted(Age { age })) => {
            Ok(format!("{name} is {age}"))
        }
        _ => Ok("Somebody prefers not to say".to_owned()),
    }
}

async fn composed(ctx: Context) -> Result<ToolOutput, ToolError> {
    let Elicited::Accepted(Name { name }) = ctx
        .elicit::<Name>("user_name", "What is your name?")
        .await?
    else {
        return Err(ToolError::new("nobody to greet"));
    };
    ctx.start_task(async move |_| format!("Hello, {name}!"))
}
