use serde_json::json;

use super::*;
use crate::{Args, Context, ToolError};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    /// Who to greet.
    name: String,
    #[serde(default)]
    loud: bool,
}

async fn greet(_: Context, Args(greet): Args<Greet>) -> String {
    if greet.loud {
        greet.name.to_uppercase()
    } else {
        greet.name
    }
}

fn schema(tool: &Tool) -> Value {
    Value::Object((*tool.definition.input_schema).clone())
}

#[test]
fn arguments_give_the_input_schema() {
    let schema = schema(&Tool::new("greet", greet));
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["properties"]["name"]["description"], "Who to greet.");
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema.get("title"), None);
}

#[test]
fn a_schema_given_by_hand_is_kept_as_it_is() {
    let given = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"a": {"$anchor": "a", "type": "string"}},
        "if": {"required": ["x"]}, "then": {"required": ["y"]},
        "x-unknown": [1, null, {"deep": 1.5}],
        "additionalProperties": false,
    });
    let tool = Tool::new("t", greet).input_schema(given.clone());
    assert_eq!(schema(&tool), given);
    assert!(tool.check().is_ok());
}

#[test]
fn a_tool_without_arguments_takes_an_object() {
    assert_eq!(
        schema(&Tool::new("t", async || "")),
        json!({"type": "object", "properties": {}})
    );
}

#[test]
fn what_cannot_work_is_found_when_the_server_is_built() {
    let ok = || Tool::new("t", greet);
    for (tool, part) in [
        (Tool::new("", greet), "name"),
        (Tool::new("with space", greet), "name"),
        (Tool::new("x".repeat(129), greet), "name"),
        (ok().input_schema(json!({"type": "string"})), "input schema"),
        (ok().output_schema(json!(true)), "output schema"),
        (
            ok().authorize(crate::access::require_all([])),
            "require_all",
        ),
        (ok().anonymous().allow_if(|_| true), "anonymous"),
        (
            Tool::new("t", async |_: crate::AccessToken| "").anonymous(),
            "anonymous",
        ),
        (Tool::new("t", async |_: Args<String>| ""), "struct"),
        (
            Tool::new("t", async |_: Args<Greet>, _: Args<Greet>| ""),
            "one `Args`",
        ),
    ] {
        let fault = tool.check().unwrap_err().to_string();
        assert!(fault.contains(part), "{fault}");
    }
    assert!(ok().check().is_ok());
}

#[test]
fn a_token_as_an_argument_restricts_the_tool() {
    assert!(
        Tool::new("t", async |_: crate::AccessToken| "")
            .access
            .is_restricted()
    );
    assert!(
        !Tool::new("t", async |_: Option<crate::AccessToken>| "")
            .access
            .is_restricted()
    );
}

#[test]
fn structured_content_is_an_object() {
    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct Point {
        x: i32,
    }
    let (wrap, schema) = Wrap::fit(Json::<Point>::output_schema().unwrap());
    assert_eq!(
        (wrap, &schema["properties"]["x"]["type"]),
        (Wrap::No, &json!("integer"))
    );
    let (wrap, schema) = Wrap::fit(Json::<Vec<Point>>::output_schema().unwrap());
    assert_eq!(wrap, Wrap::Yes);
    assert_eq!(
        schema["properties"]["result"]["items"]["$ref"],
        "#/$defs/Point"
    );
    assert!(
        schema["$defs"]["Point"].is_object(),
        "a reference still leads somewhere"
    );
    let wrapped = wrap.apply(Json(vec![1, 2]).into_tool_result().unwrap());
    let Output::Result(result) = wrapped.0 else {
        panic!("not a result")
    };
    assert_eq!(result.structured_content, Some(json!({"result": [1, 2]})));
}

#[test]
fn a_foreign_error_is_not_shown() {
    let failed: Result<String, std::io::Error> = Err(std::io::Error::other("/etc/secret"));
    let error = failed
        .map_err(ToolError::from)
        .into_tool_result()
        .unwrap_err();
    assert_eq!(error.message(), "the tool failed");
    assert!(
        error
            .cause()
            .is_some_and(|cause| cause.to_string().contains("secret"))
    );
}
