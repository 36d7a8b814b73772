//! A tool that asks its user before it acts, a prompt, a resource: on stdin and stdout.

use portcullis::{
    Args, Context, Elicited, Prompt, Resource, ResourceTemplate, Server, Tool, ToolError,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct File {
    /// What to delete.
    path: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Sure {
    /// Really delete it?
    sure: bool,
}

/// Asks first and acts last: from revision 2026-07-28 on, the handler runs again with the answer.
async fn delete(Args(File { path }): Args<File>, ctx: Context) -> Result<String, ToolError> {
    match ctx
        .elicit::<Sure>("confirm", format!("Delete {path}?"))
        .await?
    {
        Elicited::Accepted(Sure { sure: true }) => Ok(format!("deleted {path}")),
        _ => Ok(format!("kept {path}")),
    }
}

async fn show(Args(File { path }): Args<File>) -> String {
    format!("what is in {path}")
}

#[tokio::main]
async fn main() -> portcullis::Result<()> {
    // On stderr: stdout belongs to the protocol.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    Server::new("files")
        .tool(Tool::new("delete", delete).description("Delete a file, after asking"))
        .prompt(Prompt::new("tidy", async || "Which of my files can go?").description("Tidy up"))
        .resource(Resource::new("files://readme", async || "Files live here.").name("Readme"))
        .resource_template(ResourceTemplate::new("files://file/{path}", show).name("File"))
        .serve_stdio()
        .await
}
