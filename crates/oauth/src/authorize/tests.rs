use super::*;
use crate::form::Limits;
use crate::id::Issuer;
use crate::scopes;
use crate::secret::{AuthorizationCode, SecretString};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn form(query: &str) -> Form {
    Form::parse(query.as_bytes(), Limits::ENDPOINT).unwrap()
}

fn valid() -> String {
    format!(
        "response_type=code&client_id=c&redirect_uri=https://h/cb&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

fn read(query: &str) -> Result<AuthorizationRequest, OAuthErrorCode> {
    let form = form(query);
    let target = AuthorizationTarget::from_form(&form, &[]).unwrap();
    AuthorizationRequest::from_form(target, &form).map_err(|error| error.code)
}

#[test]
fn a_request_is_read_as_it_is_written() {
    let mut request = read(&valid().replace("state=s", "state=canary-state")).unwrap();
    request.scope = scopes!["a", "b"];
    request.resource = vec!["https://h/mcp".to_owned(), "https://h/other".to_owned()];
    request.prompt = Some("consent".to_owned());
    let endpoint = EndpointUrl::parse("https://as.example/authorize?tenant=1").unwrap();
    let url = request.to_url(&endpoint);
    let query = url
        .strip_prefix("https://as.example/authorize?tenant=1&")
        .unwrap();
    assert_eq!(read(query).unwrap().to_url(&endpoint), url);
    assert!(!format!("{request:?}").contains("canary-state"));
}

#[test]
fn scopes_with_stray_spaces_are_read() {
    let request = read(&format!("{}&scope=+offline_access++a", valid())).unwrap();
    assert_eq!(request.scope, scopes!["offline_access", "a"]);
}

#[test]
fn sec_az_02_a_repeated_target_is_no_target() {
    for query in [
        "client_id=a&client_id=b&redirect_uri=https://h/",
        "client_id=a&redirect_uri=https://h/&redirect_uri=https://evil/",
        "client_id=a",
        "redirect_uri=https://h/",
        "client_id=a&redirect_uri=javascript:alert(1)",
        "client_id=a&redirect_uri=https://h/%23x",
    ] {
        let refused = AuthorizationTarget::from_form(&form(query), &[]).unwrap_err();
        assert_eq!(refused.code, OAuthErrorCode::InvalidRequest, "{query}");
    }
    for extra in [
        "state=t",
        "scope=a&scope=b",
        "code_challenge=x",
        "response_type=code",
        "x=1&x=2",
    ] {
        let query = format!("{}&{extra}", valid());
        assert_eq!(
            read(&query).err(),
            Some(OAuthErrorCode::InvalidRequest),
            "{extra}"
        );
    }
}

#[test]
fn sec_az_04_code_is_the_one_response_type() {
    for kind in [
        "token",
        "id_token",
        "code+token",
        "none",
        "CODE",
        "code+",
        "code+code",
    ] {
        let query = valid().replace("response_type=code", &format!("response_type={kind}"));
        assert_eq!(
            read(&query).err(),
            Some(OAuthErrorCode::UnsupportedResponseType),
            "{kind}"
        );
    }
    let query = valid().replace("response_type=code", "");
    assert_eq!(read(&query).err(), Some(OAuthErrorCode::InvalidRequest));
}

#[test]
fn sec_az_05_query_is_the_one_response_mode() {
    for mode in ["fragment", "form_post", "web_message", "jwt", "QUERY"] {
        let query = format!("{}&response_mode={mode}", valid());
        assert_eq!(
            read(&query).err(),
            Some(OAuthErrorCode::InvalidRequest),
            "{mode}"
        );
    }
    assert!(read(&format!("{}&response_mode=query", valid())).is_ok());
}

#[test]
fn sec_az_06_request_objects_are_refused() {
    let query = format!("{}&request=a.b.c", valid());
    assert_eq!(
        read(&query).err(),
        Some(OAuthErrorCode::RequestNotSupported)
    );
    let query = format!("{}&request_uri=https://evil/", valid());
    assert_eq!(
        read(&query).err(),
        Some(OAuthErrorCode::RequestUriNotSupported)
    );
}

#[test]
fn sec_az_07_scope_is_bounded() {
    let query = format!("{}&scope={}", valid(), "a+".repeat(101));
    assert_eq!(read(&query).err(), Some(OAuthErrorCode::InvalidScope));
    let query = format!("{}&scope={}", valid(), "a".repeat(4097));
    assert_eq!(read(&query).err(), Some(OAuthErrorCode::InvalidScope));
    assert!(read(&format!("{}&scope={}", valid(), "a+".repeat(100))).is_ok());
}

#[test]
fn sec_az_07_a_word_outside_the_grammar_is_no_scope() {
    for word in [
        "a%09b",
        "a%C2%A0b",
        "%22a%22",
        "a%5Cb",
        "a%00",
        "%C3%A9",
        "b+a%0Ab+c",
    ] {
        let query = format!("{}&scope={word}", valid());
        assert_eq!(
            read(&query).err(),
            Some(OAuthErrorCode::InvalidScope),
            "{word}"
        );
    }
    let odd = read(&format!("{}&scope=++a,b++%23!~%5B%5D+", valid())).unwrap();
    assert_eq!(odd.scope.to_string(), "a,b #!~[]");
}

#[test]
fn sec_az_08_resources_are_counted() {
    let query = format!("{}{}", valid(), "&resource=https://h/mcp".repeat(9));
    assert_eq!(read(&query).err(), Some(OAuthErrorCode::InvalidTarget));
}

#[test]
fn sec_pk_02_a_request_without_s256_is_refused() {
    for query in [
        valid().replace("code_challenge_method=S256", ""),
        valid().replace("S256", "plain"),
        valid().replace(CHALLENGE, ""),
        valid().replace(CHALLENGE, "short"),
    ] {
        assert_eq!(
            read(&query).err(),
            Some(OAuthErrorCode::InvalidRequest),
            "{query}"
        );
    }
}

fn issuer() -> Issuer {
    Issuer::parse("https://as.example").unwrap()
}

fn answered(query: &str, issuer_is_sent: bool) -> Result<AuthorizationResponse, ResponseError> {
    let (state, issuer) = (SecretString::from("s"), issuer());
    let expected = Expected::new(&state, &issuer, issuer_is_sent);
    AuthorizationResponse::parse(query.as_bytes(), expected)
}

#[test]
fn sec_az_10_every_response_names_its_issuer_once() {
    let uri = RedirectUri::parse("https://h/cb?x=1").unwrap();
    let code = AuthorizationCode::new("c");
    let response = AuthorizationResponse::code(&issuer(), Some("s".into()), code);
    assert_eq!(
        response.to_location(&uri),
        "https://h/cb?x=1&code=c&state=s&iss=https%3A%2F%2Fas.example"
    );
    let error = OAuthError::new(OAuthErrorCode::AccessDenied, "no");
    let response = AuthorizationResponse::error(&issuer(), None, error);
    assert_eq!(
        response.to_location(&uri),
        "https://h/cb?x=1&error=access_denied&error_description=no&iss=https%3A%2F%2Fas.example"
    );
}

#[test]
fn sec_cl_06_iss_is_compared_byte_for_byte() {
    let iss = "iss=https%3A%2F%2Fas.example";
    for sent in [true, false] {
        for answer in ["code=c", "error=access_denied"] {
            assert!(answered(&format!("{answer}&state=s&{iss}"), sent).is_ok());
            for wrong in [
                "https%3A%2F%2Fas.example%2F",
                "https%3A%2F%2FAS.example",
                "https%3A%2F%2Fevil.example",
                "https%3A%2F%2Fas.example:443",
            ] {
                let query = format!("{answer}&state=s&iss={wrong}");
                assert!(
                    matches!(answered(&query, sent), Err(ResponseError::WrongIssuer)),
                    "{query}"
                );
            }
            let query = format!("{answer}&state=s&{iss}&{iss}");
            assert!(matches!(
                answered(&query, sent),
                Err(ResponseError::Form(_))
            ));
        }
    }
    assert!(matches!(
        answered("code=c&state=s", true),
        Err(ResponseError::WrongIssuer)
    ));
    assert!(answered("code=c&state=s", false).is_ok());
}

#[test]
fn sec_cl_07_a_response_without_our_state_is_none() {
    for query in [
        "code=c",
        "code=c&state=",
        "code=c&state=S",
        "error=access_denied&state=other",
    ] {
        assert!(
            matches!(answered(query, false), Err(ResponseError::WrongState)),
            "{query}"
        );
    }
    for query in ["state=s", "state=s&code=c&error=e", "state=s&code="] {
        assert!(
            matches!(answered(query, false), Err(ResponseError::Malformed)),
            "{query}"
        );
    }
    assert!(matches!(
        answered("state=s&code=a&code=b", false),
        Err(ResponseError::Form(_))
    ));
    let response = answered("state=s&error=made_up&error_description=d", false).unwrap();
    assert!(matches!(
        response.outcome,
        Outcome::Error {
            code: None,
            description: Some(_)
        }
    ));
}
