//! Tools that answer in one go, in both protocol eras.

use std::time::Duration;

use portcullis::{
    Args, Context, Server, Tool, ToolError,
    model::{ContentBlock, ResourceContents},
};
use serde_json::{Value, json};

use crate::content::{PNG, WAV};

/// Between two notifications.
const PAUSE: Duration = Duration::from_millis(50);

/// The first tool takes no arguments: one scenario calls whichever comes first.
pub(crate) fn add(server: Server) -> Server {
    server
        .tool(
            Tool::new(
                "test_simple_text",
                async || "This is a simple text response for testing.",
            )
            .description("Returns a text"),
        )
        .tool(
            Tool::new("test_image_content", async || {
                ContentBlock::image(PNG, "image/png")
            })
            .description("Returns an image"),
        )
        .tool(
            Tool::new("test_audio_content", async || {
                ContentBlock::audio(WAV, "audio/wav")
            })
            .description("Returns a sound"),
        )
        .tool(Tool::new("test_embedded_resource", embedded).description("Returns a resource"))
        .tool(Tool::new("test_multiple_content_types", mixed).description("Returns three kinds"))
        .tool(Tool::new("test_error_handling", failing).description("Always fails"))
        .tool(Tool::new("test_tool_with_progress", progress).description("Reports progress"))
        .tool(Tool::new("test_tool_with_logging", logging).description("Logs three messages"))
        .tool(Tool::new("test_logging_tool", log_once).description("Logs one message"))
        .tool(Tool::new("test_reconnection", reconnection).description("Answers after a while"))
        .tool(
            Tool::new(
                "json_schema_2020_12_tool",
                async || "The schema is what counts.",
            )
            .description("Has every keyword of its dialect")
            .input_schema(every_keyword()),
        )
        .tool(
            Tool::new("test_custom_header", echo)
                .description("Echoes a value that also travels as a header")
                .input_schema(header_schema()),
        )
        .tool(
            Tool::new("test_trigger_tool_change", async |ctx: Context| {
                ctx.server().notify_tools_changed();
                "The list of tools changed."
            })
            .description("Announces a change of the tools"),
        )
        .tool(
            Tool::new("test_trigger_prompt_change", async |ctx: Context| {
                ctx.server().notify_prompts_changed();
                "The list of prompts changed."
            })
            .description("Announces a change of the prompts"),
        )
}

async fn embedded() -> ContentBlock {
    let text = "This is an embedded resource content.";
    ContentBlock::resource(ResourceContents::text(text, "test://embedded-resource"))
}

async fn mixed() -> [ContentBlock; 3] {
    let json = ResourceContents::text(
        r#"{"test":"data","value":123}"#,
        "test://mixed-content-resource",
    );
    [
        ContentBlock::text("Multiple content types test:"),
        ContentBlock::image(PNG, "image/png"),
        ContentBlock::resource(json.with_mime_type("application/json")),
    ]
}

async fn failing() -> Result<String, ToolError> {
    Err(ToolError::new(
        "This tool intentionally returns an error for testing",
    ))
}

async fn progress(ctx: Context) -> &'static str {
    for done in [0.0, 50.0, 100.0] {
        ctx.report_progress(done, Some(100.0)).await;
        tokio::time::sleep(PAUSE).await;
    }
    "Done."
}

async fn logging(ctx: Context) -> &'static str {
    for message in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ] {
        ctx.info(message).await;
        tokio::time::sleep(PAUSE).await;
    }
    "Logged."
}

async fn log_once(ctx: Context) -> &'static str {
    ctx.info("One message").await;
    "Logged."
}

async fn reconnection() -> &'static str {
    tokio::time::sleep(PAUSE * 2).await;
    "Reconnection test completed."
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Echo {
    value: String,
}

async fn echo(Args(Echo { value }): Args<Echo>) -> String {
    value
}

fn header_schema() -> Value {
    json!({
        "type": "object",
        "properties": {"value": {"type": "string", "x-mcp-header": "Value"}},
        "required": ["value"],
    })
}

fn every_keyword() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
