//! The client whose answers are streams.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use portcullis_fetch::{Accept, FetchError, Fetcher, Refusal, StreamClient, StreamClientBuilder};
use portcullis_oauth::EndpointUrl;

use crate::server::{Answer, Names, Server};
use crate::tls::Authority;

fn client(url: EndpointUrl) -> StreamClientBuilder {
    StreamClient::builder(url).lookup(Names::answering(&[&["127.0.0.1"]]))
}

async fn get(client: &StreamClient, headers: HeaderMap) -> Result<Bytes, FetchError> {
    let answer = client.send(Method::GET, headers, Bytes::new()).await?;
    Ok(answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn sec_gw_20_a_certificate_of_another_name_is_refused() {
    let authority = Authority::new();
    let server = Server::start_tls(authority.server("other.test"), [Answer::ok("mcp")]).await;
    let friend = client(server.https("mcp.test", "/mcp")).add_root_certificate_pem(&authority.pem);
    let error = get(&friend.build().unwrap(), HeaderMap::new()).await;
    assert!(matches!(error, Err(FetchError::Connect(_))), "{error:?}");
    assert!(server.requests().is_empty());

    let server = Server::start_tls(authority.server("mcp.test"), [Answer::ok("mcp")]).await;
    let stranger = client(server.https("mcp.test", "/mcp")).build().unwrap();
    let error = get(&stranger, HeaderMap::new()).await;
    assert!(matches!(error, Err(FetchError::Connect(_))), "{error:?}");
    let friend = client(server.https("mcp.test", "/mcp")).add_root_certificate_pem(&authority.pem);
    let answer = get(&friend.build().unwrap(), HeaderMap::new()).await;
    assert_eq!(answer.unwrap(), "mcp");
}

#[tokio::test]
async fn sec_gw_20_plain_http_has_to_be_said() {
    for text in [
        "http://files:3001/mcp",
        "http://10.0.0.5/mcp",
        "http://93.184.215.14/mcp",
    ] {
        let url = EndpointUrl::parse_plain(text).unwrap();
        let error = client(url.clone()).build().unwrap_err();
        let is_insecure = matches!(error, FetchError::Refused(Refusal::Insecure));
        assert!(is_insecure, "{text}: {error:?}");
        // No other client of ours goes there either.
        let fetcher = Fetcher::trusted().allow_loopback(true).build().unwrap();
        let error = fetcher.get(&url, Accept::Json).await.unwrap_err();
        let is_insecure = matches!(error, FetchError::Refused(Refusal::Insecure));
        assert!(is_insecure, "{text}: {error:?}");
    }
}

#[tokio::test]
async fn sec_gw_20_plain_http_stays_in_ones_own_network() {
    let server = Server::start([Answer::ok("mcp")]).await;
    let url = |host: &str| {
        let text = format!("http://{host}:{}/mcp", server.port());
        EndpointUrl::parse_plain(&text).unwrap()
    };
    let plain = |host: &str| client(url(host)).allow_plain_http(true);
    let answer = get(&plain("files").build().unwrap(), HeaderMap::new()).await;
    assert_eq!(answer.unwrap(), "mcp");
    for addresses in [
        &["93.184.215.14"][..],
        &["127.0.0.1", "93.184.215.14"],
        &["64:ff9b::5db8:d70e"],
        &["169.254.169.254"],
    ] {
        let outside = plain("files").lookup(Names::answering(&[addresses]));
        let error = get(&outside.build().unwrap(), HeaderMap::new()).await;
        let is_refused = matches!(error, Err(FetchError::Refused(Refusal::Address(_))));
        assert!(is_refused, "{addresses:?}: {error:?}");
    }
    assert!(plain("93.184.215.14").build().is_err());
    assert!(plain("10.0.0.5").build().is_ok());
}

#[tokio::test]
async fn sec_gw_05_the_host_is_the_configured_one() {
    let server = Server::start([Answer::ok("mcp")]).await;
    let url = EndpointUrl::parse(&format!("http://localhost:{}/mcp?a=b", server.port())).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("evil.example"));
    headers.append("host", HeaderValue::from_static("evil.example"));
    get(&client(url).build().unwrap(), headers).await.unwrap();
    let request = &server.requests()[0].to_ascii_lowercase();
    assert!(
        request.starts_with("get /mcp?a=b http/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("host: localhost:{}\r\n", server.port())),
        "{request}"
    );
    assert!(!request.contains("evil"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn sec_gw_20_no_redirect_is_followed() {
    let other = Server::start([Answer::ok("other")]).await;
    let place = format!("http://localhost:{}/", other.port());
    let server = Server::start([Answer::redirect(307, &place)]).await;
    let url = EndpointUrl::parse(&format!("http://localhost:{}/mcp", server.port())).unwrap();
    let sent = client(url).build().unwrap();
    let answer = sent
        .send(Method::POST, HeaderMap::new(), Bytes::from_static(b"{}"))
        .await;
    assert_eq!(answer.unwrap().status(), 307);
    assert_eq!(other.connections(), 0);
}

#[test]
fn sec_sf_02_a_metadata_service_is_no_server_of_ones_own() {
    let url = EndpointUrl::parse("https://169.254.169.254/latest").unwrap();
    let error = StreamClient::builder(url).build().unwrap_err();
    assert!(
        matches!(error, FetchError::Refused(Refusal::Address(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn sec_sf_03_a_name_that_moves_to_a_metadata_service_is_never_reached() {
    let url = EndpointUrl::parse("https://mcp.test/").unwrap();
    let moved = StreamClient::builder(url).lookup(Names::answering(&[&["169.254.169.254"]]));
    let error = get(&moved.build().unwrap(), HeaderMap::new()).await;
    assert!(
        matches!(error, Err(FetchError::Refused(Refusal::Address(_)))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_head_that_does_not_come_is_a_timeout() {
    let server = Server::start([Answer::Stall(b"HTTP/1.1 200 OK\r\n".to_vec())]).await;
    let url = EndpointUrl::parse(&format!("http://localhost:{}/", server.port())).unwrap();
    let hasty = client(url)
        .answer_within(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = get(&hasty, HeaderMap::new()).await;
    assert!(matches!(error, Err(FetchError::Timeout)), "{error:?}");
}

#[tokio::test]
async fn sec_gw_05_another_place_is_on_the_same_origin() {
    let server = Server::start([Answer::ok("a"), Answer::ok("b"), Answer::ok("c")]).await;
    let origin = format!("http://localhost:{}", server.port());
    let url = EndpointUrl::parse(&format!("{origin}/old/sse?x=1")).unwrap();
    let client = client(url).build().unwrap();
    for (reference, target) in [
        ("/messages?id=7", "/messages?id=7"),
        ("messages", "/old/messages"),
        (&*format!("{origin}/m"), "/m"),
    ] {
        let there = client.at(reference).unwrap();
        get(&there, HeaderMap::new()).await.unwrap();
        let seen = server.requests().pop().unwrap();
        assert!(
            seen.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{seen}"
        );
    }
    for elsewhere in [
        "http://evil.example/m",
        "//evil.example/m",
        "\\\\evil.example/m",
        "http://localhost:1/m",
        "https://localhost/m",
        "ftp://localhost/m",
        &format!("http://user:word@localhost:{}/m", server.port()),
    ] {
        let error = client.at(elsewhere).unwrap_err();
        let is_refused = matches!(error, FetchError::Refused(Refusal::RedirectTarget));
        assert!(is_refused, "{elsewhere}: {error:?}");
    }
}
