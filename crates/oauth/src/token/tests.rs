use std::time::Duration;

use super::*;
use crate::form::Limits;
use crate::scopes;
use crate::secret::{BearerToken, SecretString};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn read(body: &str) -> Result<TokenRequest, OAuthErrorCode> {
    let form = Form::parse(body.as_bytes(), Limits::ENDPOINT).unwrap();
    TokenRequest::from_form(&form).map_err(|error| error.code)
}

fn refused(body: &str) -> OAuthErrorCode {
    read(body).unwrap_err()
}

#[test]
fn every_grant_is_read_as_it_is_written() {
    for body in [
        format!(
            "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fh%2Fcb&code_verifier={VERIFIER}&resource=https%3A%2F%2Fh%2Fmcp"
        ),
        format!("grant_type=authorization_code&code=c&code_verifier={VERIFIER}"),
        "grant_type=refresh_token&refresh_token=r&scope=a+b&resource=x&resource=y".to_owned(),
        "grant_type=client_credentials&scope=a".to_owned(),
    ] {
        assert_eq!(read(&body).unwrap().to_form().finish(), body);
    }
    let request = read("grant_type=refresh_token&refresh_token=r&scope=+a++b").unwrap();
    assert_eq!(request.scope, Some(scopes!["a", "b"]));
}

#[test]
fn sec_tk_02_a_repeated_parameter_gets_no_token() {
    let valid = format!("grant_type=authorization_code&code=c&code_verifier={VERIFIER}");
    for extra in [
        "grant_type=refresh_token",
        "code=d",
        "code_verifier=x",
        "client_id=a&client_id=b",
    ] {
        let body = format!("{valid}&{extra}");
        assert_eq!(refused(&body), OAuthErrorCode::InvalidRequest, "{extra}");
    }
    let body = format!("{valid}{}", "&resource=x".repeat(9));
    assert_eq!(refused(&body), OAuthErrorCode::InvalidTarget);
}

#[test]
fn sec_tk_04_unknown_grants_are_refused() {
    for grant in [
        "password",
        "implicit",
        "Refresh_token",
        "urn:ietf:params:oauth:grant-type:x",
    ] {
        let body = format!("grant_type={grant}&username=u&password=p");
        assert_eq!(
            refused(&body),
            OAuthErrorCode::UnsupportedGrantType,
            "{grant}"
        );
    }
    assert_eq!(refused(""), OAuthErrorCode::InvalidRequest);
    assert_eq!(
        refused("grant_type=refresh_token"),
        OAuthErrorCode::InvalidRequest
    );
}

#[test]
fn sec_pk_04_a_code_without_its_verifier_is_worth_nothing() {
    for verifier in ["", "code_verifier=", "code_verifier=short"] {
        let body = format!("grant_type=authorization_code&code=c&{verifier}");
        assert_eq!(refused(&body), OAuthErrorCode::InvalidGrant, "{verifier}");
    }
}

#[test]
fn an_answer_is_read_as_it_is_written() {
    let mut answer = TokenResponse::new(BearerToken::new("a"));
    let bare = r#"{"access_token":"a","token_type":"Bearer"}"#;
    assert_eq!(answer.to_json(), bare);
    answer.expires_in = Some(Duration::from_secs(60));
    answer.refresh_token = Some(RefreshToken::new("r"));
    answer.scope = Some("x y".to_owned());
    answer.id_token = Some(SecretString::from("i"));
    let read = TokenResponse::parse(answer.to_json().as_bytes()).unwrap();
    assert_eq!(read.to_json(), answer.to_json());
    assert_eq!(read.scopes(), Some(scopes!["x", "y"]));
    let debug = format!("{answer:?}");
    assert!(!debug.contains("\"a\"") && !debug.contains("\"r\"") && !debug.contains("\"i\""));
}

#[test]
fn expiry_is_read_as_servers_write_it() {
    let expiry = |value: &str| {
        let document =
            format!(r#"{{"access_token":"a","token_type":"bearer","expires_in":{value}}}"#);
        TokenResponse::parse(document.as_bytes()).map(|answer| answer.expires_in)
    };
    for (value, seconds) in [
        ("60", 60),
        ("\"60\"", 60),
        ("60.9", 60),
        ("0", 0),
        ("-5", 0),
    ] {
        assert_eq!(
            expiry(value),
            Ok(Some(Duration::from_secs(seconds))),
            "{value}"
        );
    }
    assert_eq!(expiry("null"), Ok(None));
    for value in ["\"soon\"", "[]", "true", "\"inf\"", "\"NaN\""] {
        assert_eq!(
            expiry(value),
            Err(TokenResponseError::Member("expires_in")),
            "{value}"
        );
    }
}

#[test]
fn sec_cl_10_another_token_type_is_not_used() {
    for members in [
        r#""token_type":"DPoP""#,
        r#""token_type":"mac""#,
        r#""token_type":1"#,
        r#""x":1"#,
        r#""token_type":"""#,
    ] {
        let document = format!(r#"{{"access_token":"a",{members}}}"#);
        let read = TokenResponse::parse(document.as_bytes()).map(|_| ());
        assert_eq!(
            read,
            Err(TokenResponseError::Member("token_type")),
            "{members}"
        );
    }
    for token in ["\"\"", "null", "1"] {
        let document = format!(r#"{{"access_token":{token},"token_type":"Bearer"}}"#);
        let read = TokenResponse::parse(document.as_bytes()).map(|_| ());
        assert_eq!(
            read,
            Err(TokenResponseError::Member("access_token")),
            "{token}"
        );
    }
}

#[test]
fn an_error_is_an_error_whatever_the_status_was() {
    let body = br#"{"error":"invalid_grant","error_description":"gone","access_token":"a","token_type":"Bearer"}"#;
    let Err(TokenResponseError::Refused(error)) = TokenResponse::parse(body) else {
        panic!("accepted");
    };
    assert_eq!(error.code, Some(OAuthErrorCode::InvalidGrant));
    assert_eq!(error.description.as_deref(), Some("gone"));
    let unknown = ErrorResponse::parse(br#"{"error":"bad_verification_code"}"#).unwrap();
    assert_eq!(
        (unknown.code, unknown.error.as_str()),
        (None, "bad_verification_code")
    );
    assert_eq!(ErrorResponse::parse(b"<html>"), None);
}
