//! Tools whose calls go back to the client for input (revision 2026-07-28).

#![expect(
    deprecated,
    reason = "sampling and roots are deprecated in MCP and still tested"
)]

use portcullis::{
    Answers, Context, Elicited, Inputs, Server, Tool, ToolError,
    model::{CreateMessageRequestParams, SamplingMessage},
};

pub(crate) fn add(server: Server) -> Server {
    let ask = |name: &str| format!("test_input_required_result_{name}");
    server
        .tool(Tool::new("test_missing_capability", missing).description("Needs sampling"))
        .tool(Tool::new("test_streaming_elicitation", streaming).description("Asks for a name"))
        .tool(Tool::new(ask("elicitation"), elicitation).description("Asks for a name"))
        .tool(Tool::new(ask("sampling"), sampling).description("Asks for a capital"))
        .tool(Tool::new(ask("list_roots"), list_roots).description("Asks for folders"))
        .tool(Tool::new(ask("request_state"), confirm).description("Asks for a confirmation"))
        .tool(Tool::new(ask("tampered_state"), confirm).description("Protects its state"))
        .tool(Tool::new(ask("multiple_inputs"), multiple).description("Asks three questions"))
        .tool(Tool::new(ask("multi_round"), multi_round).description("Asks twice"))
        .tool(Tool::new(ask("capabilities"), capabilities).description("Asks what it may"))
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Name {
    pub(crate) name: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Confirmation {
    ok: bool,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Color {
    color: String,
}

fn question(text: &str, max_tokens: u32) -> CreateMessageRequestParams {
    CreateMessageRequestParams::new(vec![SamplingMessage::user_text(text)], max_tokens)
}

async fn missing(ctx: Context) -> Result<String, ToolError> {
    ctx.sample("greeting", question("Say hello", 10)).await?;
    Ok("The client can sample.".to_owned())
}

async fn streaming(ctx: Context) -> Result<String, ToolError> {
    greet(
        ctx.elicit::<Name>("user_name", "What is your name?")
            .await?,
    )
}

async fn elicitation(ctx: Context) -> Result<String, ToolError> {
    greet(
        ctx.elicit::<Name>("user_name", "What is your name?")
            .await?,
    )
}

fn greet(name: Elicited<Name>) -> Result<String, ToolError> {
    match name {
        Elicited::Accepted(Name { name }) => Ok(format!("Hello, {name}!")),
        _ => Err(ToolError::new("nobody to greet")),
    }
}

async fn sampling(ctx: Context) -> Result<String, ToolError> {
    let params = question("What is the capital of France?", 100);
    let answer = ctx.sample("capital_question", params).await?;
    let text = answer
        .message
        .content
        .first()
        .and_then(|content| content.as_text());
    Ok(text.map_or_else(|| "no text".to_owned(), |content| content.text.clone()))
}

async fn list_roots(ctx: Context) -> Result<String, ToolError> {
    let roots = ctx.roots("client_roots").await?;
    Ok(roots
        .iter()
        .map(|root| root.uri.as_str())
        .collect::<Vec<_>>()
        .join(", "))
}

async fn confirm(ctx: Context) -> Result<String, ToolError> {
    let state: Option<String> = ctx.state();
    ctx.set_state(&"confirming")?;
    let Elicited::Accepted(Confirmation { ok: true }) = ctx
        .elicit::<Confirmation>("confirm", "Please confirm")
        .await?
    else {
        return Ok("not confirmed".to_owned());
    };
    Ok(if state.as_deref() == Some("confirming") {
        "state-ok"
    } else {
        "state-lost"
    }
    .to_owned())
}

async fn multiple(ctx: Context) -> Result<String, ToolError> {
    let inputs = Inputs::new()
        .elicit_as::<Name>("user_name", "What is your name?")?
        .sample("greeting", question("Generate a greeting", 50))
        .roots("client_roots");
    let answers = ctx.request_inputs(inputs).await?;
    Ok(summary(&answers))
}

fn summary(answers: &Answers) -> String {
    let roots = answers.roots("client_roots").map_or(0, <[_]>::len);
    let greeted = answers.sampled("greeting").is_some();
    let named = answers.elicited("user_name").is_some();
    format!("named: {named}, greeted: {greeted}, folders: {roots}")
}

async fn multi_round(ctx: Context) -> Result<String, ToolError> {
    let Elicited::Accepted(Name { name }) = ctx
        .elicit::<Name>("step1", "Step 1: What is your name?")
        .await?
    else {
        return Err(ToolError::new("no name"));
    };
    let color = ctx
        .elicit::<Color>("step2", "Step 2: What is your favorite color?")
        .await?;
    let Elicited::Accepted(Color { color }) = color else {
        return Err(ToolError::new("no color"));
    };
    Ok(format!("{name} likes {color}."))
}

async fn capabilities(ctx: Context) -> Result<String, ToolError> {
    let known = ctx.client_capabilities();
    let mut inputs = Inputs::new();
    if known.elicitation.is_some() {
        inputs = inputs.elicit_as::<Name>("user_name", "What is your name?")?;
    }
    if known.sampling.is_some() {
        inputs = inputs.sample("greeting", question("Generate a greeting", 50));
    }
    if known.roots.is_some() {
        inputs = inputs.roots("client_roots");
    }
    Ok(summary(&ctx.request_inputs(inputs).await?))
}
