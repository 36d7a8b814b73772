use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use portcullis_fetch::address::Verdict;
use portcullis_fetch::{Accept, ClientAuthentication, FetchError, Fetcher, Refusal};
use portcullis_oauth::SecretString;

use crate::server::{Answer, Server};

fn guarded(redirects: usize) -> Fetcher {
    Fetcher::guarded()
        .allow_loopback(true)
        .redirects(redirects)
        .build()
        .unwrap()
}

#[tokio::test]
async fn sec_sf_05_redirects_are_refused_by_default() {
    for builder in [Fetcher::guarded(), Fetcher::trusted()] {
        let fetcher = builder.allow_loopback(true).build().unwrap();
        for status in [301, 302, 303, 307, 308] {
            let answers = [Answer::redirect(status, "/next"), Answer::ok("next")];
            let server = Server::start(answers).await;
            let answer = fetcher.get(&server.http("/"), Accept::Any).await;
            assert!(
                matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
                "{answer:?}"
            );
            assert_eq!(server.connections(), 1);
        }
    }
}

#[tokio::test]
async fn a_relative_redirect_is_followed_where_it_is_allowed() {
    let server = Server::start([Answer::redirect(302, "../b?c=d"), Answer::ok("there")]).await;
    let answer = guarded(1).get(&server.http("/a/x"), Accept::Json).await;
    assert_eq!(answer.unwrap().body, "there");
    let second = &server.requests()[1];
    assert!(second.starts_with("GET /b?c=d HTTP/1.1\r\n"), "{second}");
    assert!(!second.contains("referer"), "{second}");
}

#[tokio::test]
async fn sec_sf_05_three_redirects_are_the_most() {
    let server = Server::start([Answer::redirect(302, "/again")]).await;
    let answer = guarded(1000).get(&server.http("/"), Accept::Any).await;
    assert!(
        matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
        "{answer:?}"
    );
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn sec_sf_05_each_redirect_is_checked_again() {
    for (location, refusal) in [
        (
            "https://169.254.169.254/",
            Refusal::Address(Verdict::LinkLocal),
        ),
        (
            "https://[::ffff:10.0.0.1]/",
            Refusal::Address(Verdict::Private),
        ),
        ("https://10.0.0.1/", Refusal::Address(Verdict::Private)),
        ("https://a.example:6379/", Refusal::Port(6379)),
        ("http://a.example/", Refusal::RedirectTarget),
        ("https://u:p@a.example/", Refusal::RedirectTarget),
        ("file:///etc/passwd", Refusal::RedirectTarget),
        ("gopher://a.example/", Refusal::RedirectTarget),
        ("https://", Refusal::RedirectTarget),
    ] {
        let server = Server::start([Answer::redirect(302, location)]).await;
        let answer = guarded(3).get(&server.http("/"), Accept::Any).await;
        assert!(
            matches!(&answer, Err(FetchError::Refused(found)) if *found == refusal),
            "{location}: {answer:?}"
        );
        assert_eq!(server.connections(), 1);
    }
    let nowhere = Server::start([Answer::with("302 Found", "", b"")]).await;
    let answer = guarded(3).get(&nowhere.http("/"), Accept::Any).await;
    assert!(matches!(
        answer,
        Err(FetchError::Refused(Refusal::RedirectTarget))
    ));
}

#[tokio::test]
async fn sec_sf_05_a_trusted_redirect_stays_on_its_origin() {
    let other = Server::start([Answer::ok("other")]).await;
    let trusted = Fetcher::trusted().allow_loopback(true).redirects(3);
    let trusted = trusted.build().unwrap();
    let server = Server::start([Answer::redirect(302, other.http("/").as_str())]).await;
    let answer = trusted.get(&server.http("/"), Accept::Any).await;
    assert!(
        matches!(answer, Err(FetchError::Refused(Refusal::RedirectTarget))),
        "{answer:?}"
    );
    assert_eq!(other.connections(), 0);

    let server = Server::start([Answer::redirect(302, "/b"), Answer::ok("b")]).await;
    let answer = trusted.get(&server.http("/"), Accept::Any).await;
    assert_eq!(answer.unwrap().body, "b");
}

#[tokio::test]
async fn sec_sf_05_a_form_is_never_redirected() {
    let thief = Server::start([Answer::ok("thanks")]).await;
    let bearer = ClientAuthentication::Bearer(SecretString::from("t0ken"));
    for status in [301, 302, 303, 307, 308] {
        let location = thief.http("/");
        let server = Server::start([Answer::redirect(status, location.as_str())]).await;
        let answer = guarded(3)
            .post_form(&server.http("/"), "token=x".to_owned(), Some(&bearer))
            .await;
        assert!(
            matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
            "{answer:?}"
        );
    }
    assert_eq!(thief.connections(), 0);
}

#[tokio::test]
async fn sec_sf_05_a_get_with_headers_is_never_redirected() {
    let thief = Server::start([Answer::ok("thanks")]).await;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t0ken"));
    for status in [301, 302, 303, 307, 308] {
        let location = thief.http("/");
        let server = Server::start([Answer::redirect(status, location.as_str())]).await;
        let answer = guarded(3)
            .get_with(&server.http("/"), headers.clone())
            .await;
        assert!(
            matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
            "{answer:?}"
        );
        assert!(server.requests()[0].contains("authorization: Bearer t0ken\r\n"));
    }
    assert_eq!(thief.connections(), 0);
}

#[tokio::test]
async fn sec_sf_05_a_post_is_never_redirected() {
    let thief = Server::start([Answer::ok("thanks")]).await;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t0ken"));
    for status in [301, 302, 303, 307, 308] {
        let location = thief.http("/");
        let server = Server::start([Answer::redirect(status, location.as_str())]).await;
        let answer = guarded(3)
            .post(&server.http("/"), headers.clone(), Bytes::from("x"))
            .await;
        assert!(
            matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
            "{answer:?}"
        );
        let server = Server::start([Answer::redirect(status, location.as_str())]).await;
        let answer = guarded(3)
            .delete(&server.http("/"), headers.clone(), Bytes::from("x"))
            .await;
        assert!(
            matches!(answer, Err(FetchError::Refused(Refusal::Redirect))),
            "{answer:?}"
        );
    }
    assert_eq!(thief.connections(), 0);
}
