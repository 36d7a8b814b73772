//! Properties: whatever a stranger sends, it is judged and nothing panics.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::register::RegistrationRequest;
use portcullis_oauth::scopes;
use proptest::prelude::*;

use super::super::assertion::Expected;
use super::super::registration::narrow;
use super::super::{Client, ClientOrigin, Presented, RedirectCeiling};
use super::client_id;

/// JSON that looks a little like client metadata.
fn metadata() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>().prop_map(Value::from),
        "(https?|cursor|javascript|zed)://?[a-z0-9.:/@#*-]{0,20}".prop_map(Value::from),
        Just(json!("http://localhost/cb")),
        Just(json!("none")),
        Just(json!("private_key_jwt")),
        Just(json!("code")),
        Just(json!("authorization_code")),
        Just(json!("RS256")),
        Just(json!({"keys": [{"kty": "EC"}]})),
        Just(Value::Null),
    ];
    let value = prop_oneof![
        text.clone(),
        prop::collection::vec(text, 0..4).prop_map(Value::from)
    ];
    let name = prop::sample::select(vec![
        "redirect_uris",
        "token_endpoint_auth_method",
        "token_endpoint_auth_signing_alg",
        "grant_types",
        "response_types",
        "client_name",
        "client_uri",
        "scope",
        "jwks",
        "jwks_uri",
        "contacts",
        "application_type",
        "client_id",
        "client_secret",
    ]);
    prop::collection::btree_map(name, value, 0..8).prop_map(|members| json!(members))
}

proptest! {
    #[test]
    fn what_is_registered_is_below_the_ceiling_and_fits_a_record(body in metadata()) {
        let ceiling = RedirectCeiling::default();
        let Ok(request) = RegistrationRequest::parse(body.to_string().as_bytes()) else {
            return Ok(());
        };
        let Ok(accepted) = narrow(request, &ceiling, &scopes!["a"]) else {
            return Ok(());
        };
        let said = accepted.metadata;
        prop_assert!(!said.redirect_uris.is_empty());
        for uri in &said.redirect_uris {
            prop_assert!(ceiling.allows(&RedirectUri::parse(uri).unwrap(), None));
        }
        prop_assert!(said.extra.is_empty());
        let stored = portcullis_oauth::json::to_string(&said).unwrap();
        prop_assert!(stored.len() < 40 * 1024 && !stored.contains("null"));
        // Accepted once, it is accepted again, and as it is.
        let again = RegistrationRequest::parse(stored.as_bytes()).unwrap();
        let again = narrow(again, &ceiling, &scopes!["a"]).ok().unwrap();
        prop_assert_eq!(again.metadata, said);
    }

    #[test]
    fn any_header_is_an_attempt_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let texts = [bytes.clone(), format!("Basic {}", base64::encode(&bytes)).into_bytes()];
        for text in texts {
            let Ok(value) = HeaderValue::from_bytes(&text) else {
                continue;
            };
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            if let Err(error) = Presented::read(&headers, &Form::default()) {
                prop_assert!(matches!(error.status().as_u16(), 400 | 401));
            }
        }
    }

    #[test]
    fn any_form_is_an_attempt_or_a_refusal(
        pairs in prop::collection::vec((
            prop::sample::select(vec!["client_id", "client_secret", "client_assertion", "client_assertion_type"]),
            prop_oneof![any::<String>(), Just("urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned())],
        ), 0..6)
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let form = Form::parse(form::encode(&pairs).as_bytes(), form::Limits::ENDPOINT).unwrap();
        if let Err(error) = Presented::read(&HeaderMap::new(), &form) {
            prop_assert!(matches!(error.status().as_u16(), 400 | 401));
        }
    }

    #[test]
    fn no_text_is_an_assertion(text in "[A-Za-z0-9_.-]{0,80}") {
        let client = Client::new(client_id("bot"), ClientOrigin::Configured);
        let expected = Expected { client: &client, audiences: &[], now: portcullis_oauth::Timestamp::from_secs(0) };
        if let Ok(jws) = CompactJws::parse(&text) {
            prop_assert!(expected.judge(&jws, &portcullis_oauth::jose::jwks::JwkSet::default()).is_err());
        }
    }
}
