use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_fetch::{Accept, ClientAuthentication, FetchError, Fetcher};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EndpointUrl, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::server::{Answer, Server};

fn local() -> Fetcher {
    Fetcher::trusted().allow_loopback(true).build().unwrap()
}

#[tokio::test]
async fn a_get_returns_status_headers_and_body() {
    let server = Server::start([Answer::with(
        "404 Not Found",
        "Cache-Control: max-age=60\r\n",
        b"nothing",
    )])
    .await;
    let fetched = local()
        .get(&server.http("/keys?v=1"), Accept::JwkSet)
        .await
        .unwrap();
    assert_eq!(fetched.status, 404);
    assert_eq!(fetched.headers["cache-control"], "max-age=60");
    assert_eq!(fetched.body, "nothing");
    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /keys?v=1 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("accept: application/jwk-set+json, application/json\r\n"),
        "{request}"
    );
    assert!(matches!(
        fetched.require_ok(),
        Err(FetchError::Status(status)) if status == 404
    ));
}

#[tokio::test]
async fn basic_authentication_encodes_both_halves_first() {
    let server = Server::start([Answer::ok("{}")]).await;
    let basic = ClientAuthentication::Basic {
        id: ClientId::parse("a:b c").unwrap(),
        secret: ClientSecret::new("p%ä+/"),
    };
    local()
        .post_form(
            &server.http("/introspect"),
            "token=x".to_owned(),
            Some(&basic),
        )
        .await
        .unwrap();
    let request = &server.requests()[0];
    // base64 of `a%3Ab+c:p%25%C3%A4%2B%2F`
    assert!(
        request.contains("authorization: Basic YSUzQWIrYzpwJTI1JUMzJUE0JTJCJTJG\r\n"),
        "{request}"
    );
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert!(request.ends_with("\r\n\r\ntoken=x"), "{request}");
}

#[tokio::test]
async fn post_authentication_joins_the_form_and_bearer_the_header() {
    let server = Server::start([Answer::ok("{}")]).await;
    let post = ClientAuthentication::Post {
        id: ClientId::parse("id").unwrap(),
        secret: ClientSecret::new("a&b=c"),
    };
    let bearer = ClientAuthentication::Bearer(SecretString::from("t0ken"));
    let url = server.http("/introspect");
    let fetcher = local();
    for (body, authentication) in [
        ("token=x", Some(&post)),
        ("", Some(&post)),
        ("token=x", Some(&bearer)),
        ("token=x", None),
    ] {
        let answer = fetcher.post_form(&url, body.to_owned(), authentication);
        assert_eq!(answer.await.unwrap().status, 200);
    }
    let requests = server.requests();
    let credentials = "client_id=id&client_secret=a%26b%3Dc";
    assert!(requests[0].ends_with(&format!("\r\n\r\ntoken=x&{credentials}")));
    assert!(requests[1].ends_with(&format!("\r\n\r\n{credentials}")));
    assert!(requests[2].contains("authorization: Bearer t0ken\r\n"));
    assert!(!requests[3].contains("authorization"));
}

#[tokio::test]
async fn sec_sf_09_an_error_shows_nothing_of_the_exchange() {
    let hostile = [
        Answer::Bytes(b"HTTP/1.1 200 CANARY\r\nContent-Length: CANARY\r\n\r\nCANARY".to_vec()),
        Answer::Bytes(b"CANARY\r\n\r\nCANARY".to_vec()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\nX: CANARY\r\nContent-Length: 99\r\n\r\nCANARY".to_vec()),
        Answer::with("200 OK", "Content-Encoding: gzip\r\n", b"CANARY"),
        Answer::redirect(302, "https://CANARY.example/CANARY"),
        Answer::with(
            "200 OK",
            "X: CANARY\r\n",
            "CANARY".repeat(50_000).as_bytes(),
        ),
    ];
    let server = Server::start(hostile.clone()).await;
    let bearer = ClientAuthentication::Bearer(SecretString::from("CANARY"));
    for answer in hostile {
        let error = local()
            .post_form(
                &server.http("/CANARY?token=CANARY"),
                "token=CANARY".to_owned(),
                Some(&bearer),
            )
            .await
            .expect_err("a hostile answer");
        let mut shown = vec![format!("{error:?} {error:#?} {error}")];
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            shown.push(format!("{error} {error:?}"));
            source = error.source();
        }
        let shown = shown.concat();
        assert!(
            !shown.to_ascii_uppercase().contains("CANARY"),
            "{answer:?}: {shown}"
        );
    }
}

#[tokio::test]
async fn sec_sf_09_an_answer_does_not_print_its_body() {
    let server = Server::start([Answer::with("200 OK", "Set-Cookie: CANARY\r\n", b"CANARY")]).await;
    let fetched = local().get(&server.http("/"), Accept::Any).await.unwrap();
    assert!(!format!("{fetched:?}").contains("CANARY"));
}

/// Runs the test above once more, in a process whose environment names a proxy that is down.
#[test]
fn sec_sf_04_proxy_variables_are_ignored() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "requests::a_get_returns_status_headers_and_body"]);
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, "http://127.0.0.1:1");
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = child.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}"
    );
}

#[tokio::test]
async fn connections_to_a_configured_host_are_kept() {
    const ASKING: usize = 16;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        let all = Arc::new(Barrier::new(ASKING));
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    // Nobody is done before all have asked.
                    all.wait().await;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    let fetcher = local();
    for round in 0..3 {
        let mut asked = JoinSet::new();
        for _ in 0..ASKING {
            let (fetcher, url) = (fetcher.clone(), EndpointUrl::parse(&url).unwrap());
            asked.spawn(async move { fetcher.get(&url, Accept::Json).await });
        }
        while let Some(answer) = asked.join_next().await {
            assert_eq!(answer.unwrap().unwrap().status, 200);
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(accepted.load(Ordering::SeqCst), ASKING, "round {round}");
    }
}
