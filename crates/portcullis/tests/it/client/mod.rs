//! `Client` against our own server, in both protocol eras.

mod hostile;

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::auth::{Auth, BaseUrl};
use portcullis::client::{ClientError, TransportError};
use portcullis::{
    Args, Client, Context, Prompt, Resource, ResourceTemplate, Server, Tool, ToolError, scopes,
};
use portcullis_oauth::json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::support::Names;

/// A server on a port of its own, until this is dropped.
struct Running {
    url: String,
    task: JoinHandle<portcullis::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    async fn start(server: Server) -> Self {
        Self::start_with(server, |server, _| server).await
    }

    async fn start_protected(server: Server) -> Self {
        Self::start_with(server, |server, port| {
            let base = BaseUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap();
            let auth = Auth::new(Names).base_url(base);
            server.auth(auth.authorization_server("https://auth.example.com"))
        })
        .await
    }

    async fn start_with(server: Server, finish: impl FnOnce(Server, u16) -> Server) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let server = finish(server, port);
        Self {
            url: format!("http://127.0.0.1:{port}/mcp"),
            task: tokio::spawn(server.serve_with_listener(socket)),
        }
    }

    /// A client of each era.
    async fn clients(&self) -> [Client; 2] {
        let modern = Client::connect(&self.url).await.unwrap();
        let older = Client::connect(&self.url).sessions_only().await.unwrap();
        [modern, older]
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    name: String,
}

async fn greet(Args(Greet { name }): Args<Greet>) -> Result<String, ToolError> {
    if name.is_empty() {
        return Err(ToolError::new("nobody to greet"));
    }
    Ok(format!("Hello, {name}!"))
}

fn everything() -> Server {
    let mut server = Server::new("s")
        .version("7")
        .instructions("Be kind.")
        .list_page_size(2);
    for name in ["a", "b", "c", "d"] {
        server = server.tool(Tool::new(name, async || "x"));
    }
    server
        .tool(Tool::new("greet", greet).description("Greet someone"))
        .resource(Resource::new("note://one", async || "first"))
        .resource_template(ResourceTemplate::new("note://{id}", async || "any"))
        .prompt(Prompt::new("hi", async || "say hi"))
}

#[tokio::test]
async fn a_server_is_known_by_what_it_says() {
    let running = Running::start(everything()).await;
    for (client, revision) in running
        .clients()
        .await
        .into_iter()
        .zip(["2026-07-28", "2025-11-25"])
    {
        let server = client.server();
        assert_eq!(server.revision, revision);
        assert_eq!(server.has_session, revision == "2025-11-25");
        assert_eq!(server.implementation.as_ref().unwrap().name, "s");
        assert_eq!(server.instructions.as_deref(), Some("Be kind."));
        client.close().await;
    }
}

#[tokio::test]
async fn lists_are_whole() {
    let running = Running::start(everything()).await;
    for client in running.clients().await {
        let tools = client.tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "greet"], "in pages of two");
        assert_eq!(client.resources().await.unwrap()[0].uri, "note://one");
        assert_eq!(
            client.resource_templates().await.unwrap()[0].uri_template,
            "note://{id}"
        );
        assert_eq!(client.prompts().await.unwrap()[0].name, "hi");
    }
    let running = Running::start(Server::new("s").tool(Tool::new("a", async || "x"))).await;
    for client in running.clients().await {
        assert!(
            client.prompts().await.unwrap().is_empty(),
            "it has none and is not asked"
        );
    }
}

#[tokio::test]
async fn tools_resources_and_prompts_answer() {
    let running = Running::start(everything()).await;
    for client in running.clients().await {
        let answer = client
            .call("greet", json!({"name": "World"}))
            .await
            .unwrap();
        assert_eq!(answer.content[0].as_text().unwrap().text, "Hello, World!");
        let answer = client.call("greet", json!({"name": ""})).await.unwrap();
        assert_eq!(answer.is_error, Some(true));
        let unknown = client.call("nothing", ()).await.unwrap_err();
        assert!(matches!(unknown, ClientError::Server(_)), "{unknown:?}");
        let wrong = client.call("greet", "World").await.unwrap_err();
        assert!(matches!(wrong, ClientError::Arguments), "{wrong:?}");
        assert!(client.read_resource("note://one").await.is_ok());
        assert!(client.get_prompt("hi", ()).await.is_ok());
        let missing = client.read_resource("other://x").await.unwrap_err();
        assert!(matches!(missing, ClientError::Server(_)), "{missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_meanwhile_is_heard_before_the_answer_and_in_order() {
    let count = Tool::new("count", async |cx: Context| {
        for step in 1..=50_u8 {
            cx.report_progress(step.into(), Some(50.0)).await;
        }
        cx.info("counted").await;
        "done"
    });
    let running = Running::start(Server::new("s").tool(count)).await;
    for client in running.clients().await {
        let heard = Arc::<Mutex<Vec<f64>>>::default();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (hear, listen) = (Arc::clone(&heard), Arc::clone(&said));
        let call = client
            .call("count", ())
            .on_progress(move |so_far| hear.lock().unwrap().push(so_far.progress))
            .on_message(move |said| {
                let said = format!("{} {}", said.level, said.data);
                listen.lock().unwrap().push(said);
            });
        call.await.unwrap();
        let expected: Vec<f64> = (1..=50_u8).map(f64::from).collect();
        assert_eq!(
            *heard.lock().unwrap(),
            expected,
            "{}",
            client.server().revision
        );
        if !client.server().has_session {
            assert_eq!(*said.lock().unwrap(), ["info \"counted\""]);
        }
    }
}

/// A server with a call that never ends, and what happens to it.
fn endless() -> (Server, mpsc::UnboundedReceiver<&'static str>) {
    struct Gone(mpsc::UnboundedSender<&'static str>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send("gone");
        }
    }
    let (tell, told) = mpsc::unbounded_channel();
    let endless = Tool::new("endless", move || {
        let gone = Gone(tell.clone());
        async move {
            let _ = gone.0.send("called");
            std::future::pending::<()>().await;
            drop(gone);
            "never"
        }
    });
    (Server::new("s").tool(endless), told)
}

/// What comes soon, or the test fails instead of waiting for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let soon = tokio::time::timeout(Duration::from_secs(20), what).await;
    soon.expect("it does not come")
}

#[tokio::test]
async fn a_call_that_is_stopped_ends_at_the_server_too() {
    let (server, mut told) = endless();
    let running = Running::start(server).await;
    for client in running.clients().await {
        let stopped = client.call("endless", ()).until(async {
            assert_eq!(told.recv().await, Some("called"));
        });
        let error = stopped.await.unwrap_err();
        assert!(matches!(error, ClientError::Cancelled), "{error:?}");
        assert_eq!(soon(told.recv()).await, Some("gone"));
        client.close().await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_at_the_server_too() {
    let (server, mut told) = endless();
    let running = Running::start(server).await;
    for client in running.clients().await {
        tokio::select! {
            answer = client.call("endless", ()) => panic!("{answer:?}"),
            word = told.recv() => assert_eq!(word, Some("called")),
        }
        assert_eq!(soon(told.recv()).await, Some("gone"));
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (server, mut told) = endless();
    let running = Running::start(server).await;
    for client in running.clients().await {
        let call = client
            .call("endless", ())
            .timeout(Duration::from_millis(700));
        let error = call.await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout(_)), "{error:?}");
        assert_eq!(soon(told.recv()).await, Some("called"));
        assert_eq!(soon(told.recv()).await, Some("gone"));
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Answer {
    #[expect(dead_code, reason = "only its schema matters")]
    yes: bool,
}

#[tokio::test]
async fn a_server_that_asks_the_user_gets_no_answer() {
    let ask = Tool::new("ask", async |cx: Context| -> Result<String, ToolError> {
        let _ = cx.elicit::<Answer>("key", "sure?").await?;
        Ok("asked".to_owned())
    });
    let running = Running::start(Server::new("s").tool(ask)).await;
    for client in running.clients().await {
        match client.call("ask", ()).await {
            Err(ClientError::Server(_) | ClientError::NeedsInput) => {}
            Ok(answer) => assert_eq!(answer.is_error, Some(true), "{answer:?}"),
            other => panic!("{other:?}"),
        }
    }
}

fn guarded() -> Server {
    Server::new("s")
        .tool(Tool::new("open", async || "x"))
        .tool(Tool::new("write", async || "x").require_scopes(scopes!["write"]))
}

#[tokio::test]
async fn a_refusal_says_what_to_show() {
    let running = Running::start_protected(guarded()).await;
    let transport = |error: ClientError| error.transport().cloned().unwrap();
    let error = transport(Client::connect(&running.url).await.unwrap_err());
    assert!(
        matches!(
            error,
            TransportError::Unauthorized {
                had_token: false,
                ..
            }
        ),
        "{error:?}"
    );
    let place = error
        .challenge()
        .unwrap()
        .get("resource_metadata")
        .unwrap()
        .to_owned();
    assert!(
        place.ends_with("/.well-known/oauth-protected-resource/mcp"),
        "{place}"
    );

    let error = Client::connect(&running.url)
        .bearer("nobody")
        .await
        .unwrap_err();
    let error = transport(error);
    assert!(
        matches!(
            error,
            TransportError::Unauthorized {
                had_token: true,
                ..
            }
        ),
        "{error:?}"
    );

    for older in [false, true] {
        let mut connect = Client::connect(&running.url).bearer("alice");
        if older {
            connect = connect.sessions_only();
        }
        let client = connect.await.unwrap();
        assert_eq!(client.tools().await.unwrap().len(), 2);
        assert!(client.call("open", ()).await.is_ok());
        let error = transport(client.call("write", ()).await.unwrap_err());
        assert!(
            matches!(error, TransportError::InsufficientScope { .. }),
            "{error:?}"
        );
        let asked = error.required_scopes();
        assert!(
            asked.iter().any(|scope| scope.as_str() == "write"),
            "{asked}"
        );
        assert!(
            client.call("open", ()).await.is_ok(),
            "the connection goes on"
        );
    }
}

#[tokio::test]
async fn sec_cl_10_no_token_goes_in_clear() {
    for url in [
        "http://mcp.example.com/mcp",
        "http://10.0.0.1/mcp",
        "ftp://mcp.example.com/",
        "mcp",
    ] {
        let error = Client::connect(url)
            .bearer("canary-7f3a9c")
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::Url(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn sec_op_01_a_client_does_not_print_its_token() {
    const CANARY: &str = "canary-7f3a9c";

    let running = Running::start(everything()).await;
    let connect = Client::connect(&running.url).bearer(CANARY);
    let mut printed = format!("{connect:?}");
    let client = connect.await.unwrap();
    write!(printed, "{client:?} {:?}", client.call("a", ())).unwrap();
    let wrong = Client::connect(&running.url)
        .bearer(format!("{CANARY} x"))
        .await
        .unwrap_err();
    write!(printed, "{wrong:?} {wrong}").unwrap();
    assert!(!printed.contains(CANARY), "{printed}");
}
