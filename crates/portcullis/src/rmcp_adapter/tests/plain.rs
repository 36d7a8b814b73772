//! Calls that need nothing but an answer.

use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, GetPromptRequestParams, ReadResourceRequestParams,
    Reference, ResourceContents, SetLevelRequestParams,
};

use super::*;
use crate::{
    Args, Context, Json, Prompt, Resource, ResourceTemplate, Tool, ToolError, model::LoggingLevel,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Name {
    name: String,
}

async fn greet(Args(Name { name }): Args<Name>) -> String {
    format!("Hello, {name}!")
}

#[tokio::test]
async fn a_tool_answers() {
    for era in ERAS {
        let client = connect(era, Server::new("s").tool(Tool::new("greet", greet))).await;
        assert_eq!(
            text(&call(&client, "greet", json!({"name": "Bo"})).await),
            "Hello, Bo!"
        );
        let wrong = call(&client, "greet", json!({"name": 7})).await;
        assert_eq!(wrong.is_error, Some(true));
        assert!(
            text(&wrong).starts_with("invalid arguments"),
            "{era:?}: {wrong:?}"
        );
        let unknown = try_call(&client, "greeet", json!({}))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("-32602") && unknown.contains("unknown tool"),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn structured_content_comes_with_its_text() {
    async fn sum() -> Json<u32> {
        Json(3)
    }
    for era in ERAS {
        let client = connect(era, Server::new("s").tool(Tool::new("sum", sum))).await;
        let result = call(&client, "sum", json!({})).await;
        assert_eq!(result.structured_content, Some(json!({"result": 3})));
        assert_eq!(text(&result), r#"{"result":3}"#);
    }
}

#[tokio::test]
async fn a_panic_ends_its_call_alone() {
    async fn bug() -> String {
        panic!("a handler with a bug")
    }
    for era in ERAS {
        let server = Server::new("s")
            .tool(Tool::new("bug", bug))
            .tool(Tool::new("greet", greet));
        let client = connect(era, server).await;
        let result = call(&client, "bug", json!({})).await;
        assert_eq!(
            (result.is_error, text(&result)),
            (Some(true), "the tool failed")
        );
        assert_eq!(
            text(&call(&client, "greet", json!({"name": "Bo"})).await),
            "Hello, Bo!"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_ends_a_call() {
    let slow = Tool::new("slow", async || {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        "done"
    });
    let slow = slow.time_limit(std::time::Duration::from_secs(1));
    let client = connect(Era::Session, Server::new("s").tool(slow)).await;
    assert_eq!(
        text(&call(&client, "slow", json!({})).await),
        "the tool took too long"
    );
}

#[tokio::test]
async fn resources_are_read_by_uri_and_by_template() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Id {
        id: String,
    }
    async fn note(Args(Id { id }): Args<Id>) -> Result<Json<Vec<String>>, ToolError> {
        Ok(Json(vec![id]))
    }
    for era in ERAS {
        let server = Server::new("s")
            .resource(Resource::new("notes://motd", async || "Hi"))
            .resource(Resource::new("notes://bytes", async || vec![1_u8, 2]).mime_type("x/y"))
            .resource_template(ResourceTemplate::new("notes://{id}", note));
        let client = connect(era, server).await;
        let read = async |uri: &str| {
            let result = client
                .read_resource(ReadResourceRequestParams::new(uri))
                .await;
            result.map(|mut result| result.contents.remove(0))
        };
        let motd = ResourceContents::text("Hi", "notes://motd").with_mime_type("text/plain");
        assert_eq!(read("notes://motd").await.unwrap(), motd);
        let bytes = ResourceContents::blob("AQI=", "notes://bytes").with_mime_type("x/y");
        assert_eq!(read("notes://bytes").await.unwrap(), bytes);
        let note = ResourceContents::text(r#"["7"]"#, "notes://7");
        assert_eq!(
            read("notes://7").await.unwrap(),
            note.with_mime_type("application/json")
        );
        let unknown = read("notes://7/8").await.unwrap_err();
        let ServiceError::McpError(error) = unknown else {
            panic!("{unknown}")
        };
        let code = if era == Era::Session { -32002 } else { -32602 };
        assert_eq!(
            (error.code.0, error.data),
            (code, Some(json!({"uri": "notes://7/8"})))
        );
    }
}

#[tokio::test]
async fn prompts_declare_and_complete_their_arguments() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Review {
        /// The language.
        language: String,
        tone: Option<String>,
    }
    async fn review(Args(Review { language, tone }): Args<Review>) -> String {
        format!("{language} {}", tone.unwrap_or_default())
    }
    for era in ERAS {
        let prompt = Prompt::new("review", review)
            .complete("language", async |typed: crate::Completion| {
                [format!("{}ust", typed.value)]
            });
        let client = connect(era, Server::new("s").prompt(prompt)).await;
        let prompts = client.list_prompts(None).await.unwrap().prompts;
        let arguments = prompts[0].arguments.clone().unwrap();
        let language = arguments
            .iter()
            .find(|argument| argument.name == "language")
            .unwrap();
        assert_eq!(language.description.as_deref(), Some("The language."));
        let required = arguments
            .iter()
            .filter(|argument| argument.required == Some(true));
        assert_eq!(required.count(), 1);

        let params = GetPromptRequestParams::new("review")
            .with_arguments(json!({"language": "Rust"}).as_object().unwrap().clone());
        let result = client.get_prompt(params).await.unwrap();
        assert_eq!(result.messages[0].content.as_text().unwrap().text, "Rust ");

        let argument = ArgumentInfo::new("language", "R");
        let params = CompleteRequestParams::new(Reference::for_prompt("review"), argument);
        assert_eq!(
            client.complete(params).await.unwrap().completion.values,
            ["Rust"]
        );
    }
}

#[tokio::test]
async fn logs_and_progress_reach_who_asked() {
    async fn chatty(ctx: Context) -> &'static str {
        ctx.report_progress(1.0, Some(2.0)).await;
        ctx.debug("quiet").await;
        ctx.warning("loud").await;
        "done"
    }
    let server = Server::new("s").tool(Tool::new("chatty", chatty));
    let (client, mut heard) = connect_as(Era::Session, server, None).await;
    client
        .set_level(SetLevelRequestParams::new(LoggingLevel::Info))
        .await
        .unwrap();
    call(&client, "chatty", json!({})).await;
    assert_eq!(heard.recv().await, Some(Heard::Progress(1.0)));
    assert_eq!(heard.recv().await, Some(Heard::Log(json!("loud"))));

    // Nobody asks for logs in the other era, so nobody gets them.
    let server = Server::new("s").tool(Tool::new("chatty", chatty));
    let (client, mut heard) = connect_as(Era::Stateless, server, None).await;
    call(&client, "chatty", json!({})).await;
    drop(client);
    while let Some(heard) = heard.recv().await {
        assert!(matches!(heard, Heard::Progress(_)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_server_claims_only_what_it_does() {
    for era in ERAS {
        let client = connect(era, Server::new("s").tool(Tool::new("greet", greet))).await;
        let capabilities = client.peer_info().unwrap().capabilities.clone();
        assert!(capabilities.tools.is_some());
        assert!(capabilities.prompts.is_none() && capabilities.resources.is_none());
        assert!(capabilities.completions.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_completer_that_panics_or_hangs_ends_its_call_alone() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[expect(dead_code, reason = "only completed")]
    struct Three {
        bug: Option<String>,
        late_bug: Option<String>,
        slow: Option<String>,
    }
    for era in ERAS {
        let prompt = Prompt::new("p", async |Args(_): Args<Three>| "done")
            .complete("bug", |_| -> std::future::Ready<Vec<String>> {
                panic!("a completer with a bug")
            })
            .complete("late_bug", async |_| -> Vec<String> {
                panic!("a completer with a bug")
            })
            .complete("slow", async |_| {
                std::future::pending::<Vec<String>>().await
            });
        let client = connect(era, Server::new("s").prompt(prompt)).await;
        for argument in ["bug", "late_bug", "slow"] {
            let argument = ArgumentInfo::new(argument, "R");
            let params = CompleteRequestParams::new(Reference::for_prompt("p"), argument);
            let minute = std::time::Duration::from_secs(60);
            let answer = tokio::time::timeout(minute, client.complete(params)).await;
            let error = answer.expect("an answer").unwrap_err().to_string();
            assert!(error.contains("the completion failed"), "{error}");
        }
        let params = GetPromptRequestParams::new("p");
        assert!(client.get_prompt(params).await.is_ok(), "{era:?}");
    }
}

/// What our own code logs while this lives. The SDK writes whole messages at the lowest levels.
struct Logged(Log, tracing::subscriber::DefaultGuard);

#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn start() -> Self {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone());
        Self(log, tracing::subscriber::set_default(subscriber.finish()))
    }

    fn lines(self) -> Vec<String> {
        drop(self.1);
        let log = String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap();
        let ours = log.lines().filter(|line| line.contains("portcullis::"));
        ours.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_log_does_not_quote_arguments() {
    async fn age(Args(_): Args<std::collections::BTreeMap<String, u8>>) -> &'static str {
        "done"
    }
    let logged = Logged::start();
    let client = connect(Era::Session, Server::new("s").tool(Tool::new("age", age))).await;
    let wrong = call(&client, "age", json!({"CANARY-name": "CANARY-value"})).await;
    let ours = logged.lines();
    assert!(text(&wrong).contains("CANARY-value"), "the model reads why");
    assert!(
        ours.iter().any(|line| line.contains("invalid type")),
        "{ours:?}"
    );
    assert!(!ours.iter().any(|line| line.contains("CANARY")), "{ours:?}");
}

#[tokio::test]
async fn sec_op_01_a_log_does_not_quote_a_uri() {
    async fn fails(
        Args(_): Args<std::collections::BTreeMap<String, String>>,
    ) -> Result<String, ToolError> {
        let cause = std::io::Error::other("the disk is gone");
        Err(ToolError::new("cannot read").source(cause))
    }
    for era in ERAS {
        let logged = Logged::start();
        let server = Server::new("s")
            .resource_template(ResourceTemplate::new("notes://{id}?key={key}", fails));
        let client = connect(era, server).await;
        let uri = "notes://CANARY-path?key=CANARY-query";
        let read = client
            .read_resource(ReadResourceRequestParams::new(uri))
            .await;
        assert!(read.unwrap_err().to_string().contains("cannot read"));
        let ours = logged.lines();
        let told =
            |line: &String| line.contains("the disk is gone") && line.contains("notes://{id}");
        assert!(ours.iter().any(told), "{ours:?}");
        assert!(!ours.iter().any(|line| line.contains("CANARY")), "{ours:?}");
    }
}

#[tokio::test]
async fn numbers_and_booleans_are_read_from_text() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Note {
        id: u32,
        draft: bool,
    }
    async fn note(Args(Note { id, draft }): Args<Note>) -> String {
        format!("{} {draft}", id + 1)
    }
    for era in ERAS {
        let server = Server::new("s")
            .resource_template(ResourceTemplate::new("notes://{id}/{draft}", note))
            .prompt(Prompt::new("note", note));
        let client = connect(era, server).await;
        let read = async |uri: &str| {
            client
                .read_resource(ReadResourceRequestParams::new(uri))
                .await
        };
        let result = read("notes://41/true").await.unwrap();
        let ResourceContents::TextResourceContents { text, .. } = &result.contents[0] else {
            panic!("no text");
        };
        assert_eq!(text, "42 true");
        let nothing = read("other://41").await.unwrap_err().to_string();
        for unfit in ["notes://x/true", "notes://41/maybe", "notes://-1/true"] {
            let error = read(unfit).await.unwrap_err().to_string();
            assert_eq!(
                error.replace(unfit, "URI"),
                nothing.replace("other://41", "URI")
            );
        }
        let get = async |id: &str| {
            let arguments = json!({"id": id, "draft": "false"});
            let arguments = arguments.as_object().unwrap().clone();
            let params = GetPromptRequestParams::new("note").with_arguments(arguments);
            client.get_prompt(params).await
        };
        let prompt = get("1").await.unwrap();
        assert_eq!(
            prompt.messages[0].content.as_text().unwrap().text,
            "2 false"
        );
        let unfit = get("one").await.unwrap_err().to_string();
        assert!(unfit.contains("-32602"), "{unfit}");
    }
}
