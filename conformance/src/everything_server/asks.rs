//! Tools that ask the client while the call waits (revisions up to 2025-11-25).

#![expect(deprecated, reason = "sampling is deprecated in MCP and still tested")]

use portcullis::{
    Args, Context, Inputs, Server, Tool, ToolError,
    model::{CreateMessageRequestParams, ElicitationSchema, SamplingMessage},
};
use serde_json::{Value, json};

pub(crate) fn add(server: Server) -> Server {
    server
        .tool(Tool::new("test_sampling", sampling).description("Asks the client's model"))
        .tool(Tool::new("test_elicitation", elicitation).description("Asks the user"))
        .tool(
            Tool::new("test_elicitation_sep1034_defaults", async |ctx: Context| {
                ask(&ctx, "Please review these values", defaults()).await
            })
            .description("Asks the user, with defaults"),
        )
        .tool(
            Tool::new("test_elicitation_sep1330_enums", async |ctx: Context| {
                ask(&ctx, "Please choose", enums()).await
            })
            .description("Asks the user to choose"),
        )
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Prompt {
    /// What to ask the model.
    prompt: String,
}

async fn sampling(
    Args(Prompt { prompt }): Args<Prompt>,
    ctx: Context,
) -> Result<String, ToolError> {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    let answer = ctx.sample("prompt", params).await?;
    let text = answer
        .message
        .content
        .first()
        .and_then(|content| content.as_text());
    Ok(format!(
        "LLM response: {}",
        text.map_or("no text", |content| &content.text)
    ))
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Message {
    /// What to ask the user.
    message: String,
}

async fn elicitation(
    Args(Message { message }): Args<Message>,
    ctx: Context,
) -> Result<String, ToolError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    });
    ask(&ctx, message, schema).await
}

/// Shows a form and says what came back.
async fn ask(
    ctx: &Context,
    message: impl Into<String>,
    schema: Value,
) -> Result<String, ToolError> {
    let schema = schema.as_object().cloned().unwrap_or_default();
    let schema = ElicitationSchema::from_json_schema(schema)?;
    let answers = ctx
        .request_inputs(Inputs::new().elicit("form", message, schema))
        .await?;
    let answer = answers
        .elicited("form")
        .map(serde_json::to_value)
        .transpose()?;
    Ok(format!("User response: {}", answer.unwrap_or_default()))
}

fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": true},
        },
    })
}

fn enums() -> Value {
    let titled = json!([
        {"const": "value1", "title": "First Option"},
        {"const": "value2", "title": "Second Option"},
        {"const": "value3", "title": "Third Option"},
    ]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
            },
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
    })
}
