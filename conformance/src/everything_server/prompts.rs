//! Prompts, and completion of their arguments.

use portcullis::{
    Args, Completion, Completions, Context, Elicited, Prompt, Server, ToolError,
    model::{ContentBlock, PromptMessage, ResourceContents, Role},
};

use crate::content::PNG;

pub(crate) fn add(server: Server) -> Server {
    server
        .prompt(
            Prompt::new(
                "test_simple_prompt",
                async || "This is a simple prompt for testing.",
            )
            .description("One message"),
        )
        .prompt(
            Prompt::new("test_prompt_with_arguments", with_arguments)
                .description("Shows its arguments")
                .complete("arg1", complete),
        )
        .prompt(
            Prompt::new("test_prompt_with_embedded_resource", with_resource)
                .description("Embeds a resource"),
        )
        .prompt(Prompt::new("test_prompt_with_image", with_image).description("Shows an image"))
        .prompt(
            Prompt::new("test_input_required_result_prompt", with_question)
                .description("Asks for its context"),
        )
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Two {
    /// The first argument.
    arg1: String,
    /// The second argument.
    arg2: String,
}

async fn with_arguments(Args(Two { arg1, arg2 }): Args<Two>) -> String {
    format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
}

async fn complete(typed: Completion) -> Completions {
    ["paris", "park", "party"]
        .into_iter()
        .filter(|city| city.starts_with(&typed.value))
        .collect()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Uri {
    /// The resource to embed.
    resource_uri: String,
}

async fn with_resource(Args(Uri { resource_uri }): Args<Uri>) -> [PromptMessage; 2] {
    let text = "Embedded resource content for testing.";
    let resource = ContentBlock::resource(ResourceContents::text(text, resource_uri));
    [
        PromptMessage::new(Role::User, resource),
        PromptMessage::new_text(Role::User, "Please process the embedded resource above."),
    ]
}

async fn with_image() -> [PromptMessage; 2] {
    [
        PromptMessage::new(Role::User, ContentBlock::image(PNG, "image/png")),
        PromptMessage::new_text(Role::User, "Please analyze the image above."),
    ]
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct UserContext {
    context: String,
}

async fn with_question(ctx: Context) -> Result<String, ToolError> {
    let asked = ctx.elicit::<UserContext>("user_context", "What context should the prompt use?");
    match asked.await? {
        Elicited::Accepted(UserContext { context }) => Ok(format!("Consider {context}.")),
        _ => Ok("Consider nothing in particular.".to_owned()),
    }
}
