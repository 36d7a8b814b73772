//! Calls that ask the client: the same handler in both eras.

use super::*;
use crate::{Context, Elicited, Inputs, Tool, ToolError};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Name {
    name: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Color {
    color: String,
}

fn two_questions(count: Count) -> Tool {
    Tool::new("ask", move |ctx: Context| {
        let count = count.clone();
        async move {
            count.up();
            let Elicited::Accepted(Name { name }) = ctx.elicit::<Name>("name", "Name?").await?
            else {
                return Err(ToolError::new("no name"));
            };
            let Elicited::Accepted(Color { color }) =
                ctx.elicit::<Color>("color", "Color?").await?
            else {
                return Err(ToolError::new("no color"));
            };
            Ok::<_, ToolError>(format!("{name} likes {color}"))
        }
    })
}

#[tokio::test]
async fn one_handler_asks_twice_in_both_eras() {
    for (era, runs) in [(Era::Session, 1), (Era::Stateless, 3)] {
        let count = Count::default();
        let client = connect(era, Server::new("s").tool(two_questions(count.clone()))).await;
        assert_eq!(
            text(&call(&client, "ask", json!({})).await),
            "Ann likes blue"
        );
        assert_eq!(count.get(), runs, "{era:?}");
    }
}

#[tokio::test]
async fn several_questions_travel_together() {
    async fn ask(ctx: Context) -> Result<String, ToolError> {
        let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text("?")], 9);
        let inputs = Inputs::new()
            .elicit_as::<Name>("who", "Name?")?
            .sample("say", params)
            .roots("where");
        let answers = ctx.request_inputs(inputs).await?;
        let Elicited::Accepted(Name { name }) = answers.elicited_as("who")? else {
            return Err(ToolError::new("no name"));
        };
        let said = answers
            .sampled("say")
            .ok_or_else(|| ToolError::new("silence"))?;
        let roots = answers.roots("where").map_or(0, <[_]>::len);
        let said = said
            .message
            .content
            .first()
            .and_then(|content| content.as_text());
        Ok(format!(
            "{name}: {} ({roots})",
            said.map_or("", |said| &said.text)
        ))
    }
    for era in ERAS {
        let client = connect(era, Server::new("s").tool(Tool::new("ask", ask))).await;
        assert_eq!(
            text(&call(&client, "ask", json!({})).await),
            "Ann: Hi (1)",
            "{era:?}"
        );
    }
}

#[tokio::test]
async fn a_handler_remembers_across_rounds() {
    async fn ask(ctx: Context) -> Result<String, ToolError> {
        let before: Option<u8> = ctx.state();
        ctx.set_state(&7_u8)?;
        ctx.elicit::<Name>("name", "Name?").await?;
        Ok(format!("{before:?}"))
    }
    for (era, state) in [(Era::Session, "None"), (Era::Stateless, "Some(7)")] {
        let client = connect(era, Server::new("s").tool(Tool::new("ask", ask))).await;
        assert_eq!(text(&call(&client, "ask", json!({})).await), state);
    }
}

#[tokio::test]
async fn sec_rs_19_request_state_is_bound_to_its_arguments() {
    let tool = two_questions(Count::default()).input_schema(json!({"type": "object"}));
    let client = connect(Era::Stateless, Server::new("s").tool(tool)).await;
    let with = |arguments: Value| {
        let arguments = arguments.as_object().unwrap().clone();
        CallToolRequestParams::new("ask").with_arguments(arguments)
    };
    let first = client
        .call_tool_once(with(json!({"a": 1, "b": 2})))
        .await
        .unwrap();
    let crate::model::CallToolResponse::InputRequired(asked) = first else {
        panic!("{first:?}")
    };
    let state = asked.request_state.unwrap();
    let answer = json!({"action": "accept", "content": {"name": "Ann"}});
    let again = |arguments, state: &str| {
        let responses = [("name".to_owned(), answer.clone())].into();
        with(arguments)
            .with_input_responses(responses)
            .with_request_state(state)
    };
    let same = client
        .call_tool_once(again(json!({"b": 2, "a": 1}), &state))
        .await
        .unwrap();
    assert!(
        matches!(same, crate::model::CallToolResponse::InputRequired(_)),
        "{same:?}"
    );
    for (arguments, state) in [
        (json!({"a": 1, "b": 3}), state.clone()),
        (json!({"a": 1, "b": 2}), format!("{state}-TAMPERED")),
        (json!({"a": 1, "b": 2}), String::new()),
    ] {
        let error = client
            .call_tool_once(again(arguments, &state))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("requestState"), "{error}");
    }
}
