//! From the authorization server to the calls.

use portcullis_oauth::json::{Value, json};

use super::{
    ALL, Case, NOBODY, case, claim, has_made_up, is_call, is_resource, is_server, is_stateless,
    put, take,
};
use crate::doctor::tests::site::{called, key};

pub(super) const CASES: &[Case] = &[
    // The authorization server's metadata.
    case!("ASM-01", ALL, |asked, reply| is_server(asked) => reply.status(404)),
    Case::new("ASM-02", ALL, |asked, reply| {
        if is_resource(asked) {
            let issuer = format!("{}/tenant", asked.base);
            put(reply, "authorization_servers", json!([issuer]));
        }
    })
    .also(&["TKN-04"]),
    case!("ASM-04", ALL, |asked, reply| asked.path.contains("oauth-authorization-server")
        || asked.path.contains("openid-configuration") => reply.status(503)),
    case!("ASM-05", ALL, |asked, reply| is_server(asked) => reply.html()),
    case!("ASM-06", NOBODY, |asked, reply| is_server(asked) => {
        reply.set("content-type", "application/octet-stream");
    }),
    case!("ASM-07", ALL, |asked, reply| is_server(asked) => {
        put(reply, "issuer", json!("https://other.example"));
    })
    .also(&["AUZ-05"]),
    case!("ASM-08", ALL, |asked, reply| is_server(asked) => {
        put(reply, "issuer", json!(format!("{}/", asked.base)));
    })
    .also(&["AUZ-05"]),
    case!("ASM-09", ALL, |asked, reply| is_server(asked) => take(reply, "authorization_endpoint")),
    case!("ASM-10", ALL, |asked, reply| is_server(asked) => {
        put(reply, "token_endpoint", json!("http://auth.example/token"));
    }),
    case!("ASM-11", ALL, |asked, reply| is_server(asked) => {
        put(reply, "code_challenge_methods_supported", json!(["plain"]));
    }),
    case!("ASM-12", ALL, |asked, reply| is_server(asked) => take(reply, "response_types_supported")),
    case!("ASM-13", ALL, |asked, reply| is_server(asked) => {
        put(reply, "grant_types_supported", json!(["refresh_token"]));
    }),
    case!("ASM-14", NOBODY, |asked, reply| is_server(asked) => take(reply, "grant_types_supported")),
    case!("ASM-15", NOBODY, |asked, reply| is_server(asked) => {
        let other = asked.base.replace("127.0.0.1", "localhost");
        put(reply, "token_endpoint", json!(format!("{other}/token")));
    }),
    case!("ASM-16", &["codex"], |asked, reply| is_server(asked) => {
        let other = asked.base.replace("127.0.0.1", "localhost");
        put(reply, "authorization_endpoint", json!(format!("{other}/authorize")));
        take(reply, "authorization_response_iss_parameter_supported");
    }),
    case!("ASM-17", NOBODY, |asked, reply| is_server(asked) => {
        take(reply, "authorization_response_iss_parameter_supported");
    }),
    case!("ASM-19", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "scopes_supported", json!(["mcp:read"]));
    }),
    case!("ASM-20", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "service_documentation", json!(""));
    }),
    case!("ASM-21", NOBODY, |asked, reply| is_server(asked) => {
        reply.unset("access-control-allow-origin");
    }),
    Case::new("ASM-22", NOBODY, |asked, reply| {
        if is_server(asked) {
            reply.status(404);
        } else if asked.path == "/.well-known/openid-configuration" {
            *reply = crate::doctor::tests::site::metadata(&asked.base);
        }
    }),
    case!("ASM-23", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "token_endpoint_auth_methods_supported", json!(["private_key_jwt"]));
    })
    .also(&["REG-02"]),
    case!("JWK-01", NOBODY, |asked, reply| is_server(asked) => take(reply, "jwks_uri")),
    case!("JWK-02", ALL, |asked, reply| asked.path == "/jwks" => reply.status(500)),
    case!("JWK-03", ALL, |asked, reply| asked.path == "/jwks" => put(reply, "keys", json!([]))),
    case!("JWK-04", NOBODY, |asked, reply| asked.path == "/jwks" => {
        put(reply, "keys", json!([key(), { "kty": "unheard-of" }]));
    }),
    case!("JWK-05", NOBODY, |asked, reply| asked.path == "/jwks" => {
        // RFC 8037 appendix A.1.
        let mut private = key();
        private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
        put(reply, "keys", json!([key(), private]));
    }),
    // Registration.
    case!("REG-01", &["cursor", "gemini"], |asked, reply| is_server(asked) => {
        take(reply, "registration_endpoint");
    })
    .given(|examination| {
        examination.client_id = Some("mine".to_owned());
        examination.redirect_uri = Some("https://claude.ai/api/mcp/auth_callback".to_owned());
    }),
    case!("REG-02", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "token_endpoint_auth_methods_supported", json!(["private_key_jwt"]));
    })
    .also(&["ASM-23"]),
    case!("REG-03", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "token_endpoint_auth_methods_supported", json!(["none"]));
    }),
    case!("REG-04", NOBODY, |asked, reply| is_server(asked) => {
        put(reply, "client_id_metadata_document_supported", json!(false));
    }),
    case!("REG-05", ALL, |asked, reply| is_server(asked) => {
        put(reply, "registration_endpoint", json!("http://auth.example/register"));
    })
    .also(&["REG-01"]),
    case!("REG-06", &["cursor"], |asked, reply| {
        asked.path == "/register" && asked.body.contains("cursor://")
    } => {
        reply.status(400);
        r#"{"error":"invalid_redirect_uri"}"#.clone_into(&mut reply.body);
    }),
    case!("REG-07", &["gemini"], |asked, reply| {
        asked.path == "/register" && asked.body.contains("Gemini")
    } => take(reply, "client_id")),
    case!("REG-08", &["chatgpt"], |asked, reply| asked.path == "/register" => {
        put(reply, "client_secret", Value::Null);
    }),
    case!("REG-09", NOBODY, |asked, reply| asked.path == "/register" => {
        reply.edit(|document| {
            if let Some(Value::Array(uris)) = document.get_mut("redirect_uris") {
                uris.truncate(1);
            }
        });
    }),
    case!("REG-10", NOBODY, |asked, reply| asked.path == "/clients/1" => reply.status(404)),
    // The endpoints of a login.
    case!("AUZ-01", ALL, |asked, reply| {
        asked.path == "/authorize" && asked.query.contains("code_challenge") && is_good(asked)
    } => reply.status(500)),
    case!("AUZ-02", ALL, |asked, reply| {
        asked.path == "/authorize" && asked.query.contains("code_challenge") && is_good(asked)
    } => {
        let back = "https://claude.ai/api/mcp/auth_callback?error=invalid_target";
        reply.set("location", format!("{back}&iss={}", asked.base));
    }),
    case!("AUZ-03", NOBODY, |asked, reply| asked.path == "/authorize" && !is_good(asked) => {
        reply.status(302);
        reply.set("location", "https://portcullis-doctor.invalid/callback?error=access_denied");
    }),
    case!("AUZ-04", NOBODY, |asked, reply| asked.path == "/authorize" && is_good(asked) => {
        reply.set("location", "/login");
    }),
    case!("AUZ-05", ALL, |asked, reply| {
        asked.path == "/authorize" && !asked.query.contains("code_challenge")
    } => {
        reply.set("location", "https://claude.ai/api/mcp/auth_callback?error=invalid_request");
    }),
    // A consent page, and an identity provider on another origin behind it.
    Case::new("IDP-01", NOBODY, |asked, reply| {
        at_provider(asked, reply, 303, 200);
    }),
    Case::new("IDP-02", ALL, |asked, reply| {
        at_provider(asked, reply, 503, 200);
    }),
    Case::new("IDP-03", ALL, |asked, reply| {
        at_provider(asked, reply, 303, 400);
    })
    .also(&["IDP-01"]),
    case!("TOK-01", ALL, |asked, reply| asked.path == "/token" => reply.status(500)),
    case!("TOK-02", ALL, |asked, reply| asked.path == "/token" => reply.html()),
    case!("TOK-03", NOBODY, |asked, reply| asked.path == "/token" => {
        put(reply, "error", json!("bad_code"));
    }),
    case!("TOK-04", NOBODY, |asked, reply| asked.path == "/token" => reply.unset("cache-control")),
    case!("TOK-05", NOBODY, |asked, reply| asked.path == "/token" => {
        reply.unset("access-control-allow-origin");
    }),
    case!("TOK-06", NOBODY, |asked, reply| asked.path == "/token" => {
        reply.status(200);
        put(reply, "access_token", json!("for-everybody"));
    }),
    // The token, and calls with it.
    Case::new("TKN-01", NOBODY, |_, _| {}).given(|examination| {
        examination.claims = None;
    }),
    Case::new("TKN-02", ALL, |_, _| {})
        .given(|examination| claim(examination, "exp", json!(1_000_000_000))),
    Case::new("TKN-03", NOBODY, |_, _| {})
        .given(|examination| claim(examination, "aud", json!(["https://other.example"]))),
    Case::new("TKN-04", NOBODY, |_, _| {})
        .given(|examination| claim(examination, "iss", json!("https://other.example"))),
    Case::new("TKN-05", NOBODY, |_, _| {})
        .given(|examination| claim(examination, "scope", json!("other"))),
    case!("CAL-01", ALL, |asked, reply| is_call(asked) => {
        reply.status(401);
        r#"{"error":"invalid_token"}"#.clone_into(&mut reply.body);
    }),
    case!("CAL-02", ALL, |asked, reply| {
        is_call(asked) && asked.body.contains("tools/list") && !is_stateless(asked)
    } => reply.status(500)),
    case!("CAL-03", NOBODY, |asked, reply| is_call(asked) && is_stateless(asked) => {
        reply.status(400);
    }),
    case!("CAL-04", NOBODY, |asked, reply| is_call(asked) && asked.body.contains("initialize") => {
        reply.status(400);
    }),
    case!("CAL-05", NOBODY, |asked, reply| has_made_up(asked) => *reply = called(asked)),
    case!("CAL-06", ALL, |asked, reply| has_made_up(asked) => reply.status(500)),
    case!("CAL-07", NOBODY, |asked, reply| has_made_up(asked) => {
        reply.challenge(|said| said.replace(", error=\"invalid_token\"", ""));
    }),
    case!("CAL-08", NOBODY, |asked, reply| asked.query.contains("access_token=good") => {
        *reply = called(asked);
    }),
    case!("CAL-09", NOBODY, |asked, reply| {
        is_call(asked) && asked.header("origin").is_some()
    } => *reply = called(asked)),
    case!("CAL-10", NOBODY, |asked, reply| {
        is_call(asked) && asked.header("host") == Some("portcullis-doctor.invalid")
    } => *reply = called(asked)),
    case!("CAL-11", NOBODY, |asked, reply| is_call(asked) && asked.method == "GET" => {
        reply.status(404);
    }),
    case!("CAL-12", NOBODY, |asked, reply| asked.is("OPTIONS", "/mcp") => reply.status(401)),
];

/// Asks for a consent, and is the provider behind it: what agreeing answers, and what the provider does.
fn at_provider(
    asked: &crate::doctor::tests::site::Asked,
    reply: &mut crate::doctor::tests::site::Reply,
    agreed: u16,
    arrived: u16,
) {
    if asked.is("GET", "/login") {
        reply.status(200);
        reply.set("content-type", "text/html");
        reply.body = "<form method=\"post\" action=\"/login\"><input type=\"hidden\" \
            name=\"request\" value=\"r\"><input type=\"hidden\" name=\"csrf\" value=\"c\">\
            <button name=\"action\" value=\"approve\">yes</button></form>"
            .to_owned();
    } else if asked.is("POST", "/login") {
        let other = asked.base.replace("127.0.0.1", "localhost");
        reply.status(agreed);
        if agreed == 303 {
            reply.set(
                "location",
                format!("{other}/idp?redirect_uri={}/cb", asked.base),
            );
        }
    } else if asked.path == "/idp" {
        reply.status(arrived);
    }
}

/// Whether the authorization request is for a redirect URI that was registered.
fn is_good(asked: &crate::doctor::tests::site::Asked) -> bool {
    !asked.query.contains("portcullis-doctor.invalid")
}
