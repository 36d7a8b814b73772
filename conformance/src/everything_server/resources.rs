//! Resources and a template.

use portcullis::{Args, Resource, ResourceTemplate, Server, ToolCall, model::ResourceContents};

use crate::content::PNG;

pub(crate) fn add(server: Server) -> Server {
    server
        .resource(
            Resource::new(
                "test://static-text",
                async || "This is the content of the static text resource.",
            )
            .name("Static text")
            .description("A text that never changes")
            .mime_type("text/plain"),
        )
        .resource(
            Resource::new("test://static-binary", async |call: ToolCall| {
                ResourceContents::blob(PNG, call.name()).with_mime_type("image/png")
            })
            .name("Static binary")
            .description("A picture that never changes")
            .mime_type("image/png"),
        )
        .resource(
            Resource::new("test://watched-resource", async || "Watched content.")
                .name("Watched resource")
                .description("A text to subscribe to")
                .mime_type("text/plain"),
        )
        .resource_template(
            ResourceTemplate::new("test://template/{id}/data", templated)
                .name("Templated data")
                .description("Data by its id")
                .mime_type("application/json"),
        )
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Id {
    id: String,
}

async fn templated(Args(Id { id }): Args<Id>) -> String {
    let data = format!("Data for ID: {id}");
    serde_json::json!({"id": id, "templateTest": true, "data": data}).to_string()
}
