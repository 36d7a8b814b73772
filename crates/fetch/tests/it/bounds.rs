use std::io::Write;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use portcullis_fetch::{Accept, FetchError, Fetcher, FetcherBuilder};
use portcullis_testkit::CapturedLogs;
use tokio::time::timeout;

use crate::server::{Answer, Server};

fn local() -> FetcherBuilder {
    Fetcher::guarded().allow_loopback(true)
}

fn gzip(body: &[u8]) -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    let body = encoder.finish().unwrap();
    Answer::with("200 OK", "Content-Encoding: gzip\r\n", &body)
}

#[tokio::test]
async fn sec_key_07_a_body_may_be_as_long_as_the_bound_and_no_longer() {
    let chunked = |length: usize| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..length {
            bytes.extend_from_slice(b"1\r\na\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Answer::Bytes(bytes)
    };
    let fetcher = local().max_bytes(1000).build().unwrap();
    for make in [
        |length| Answer::ok(&"a".repeat(length)),
        |length| gzip("a".repeat(length).as_bytes()),
        chunked,
    ] {
        let server = Server::start([make(1000), make(1001)]).await;
        let url = server.http("/");
        assert_eq!(
            fetcher.get(&url, Accept::Any).await.unwrap().body.len(),
            1000
        );
        let error = fetcher.get(&url, Accept::Any).await.unwrap_err();
        assert!(
            matches!(error, FetchError::TooLarge { limit: 1000 }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn sec_key_07_a_gzip_bomb_stops_at_the_bound() {
    let logs = CapturedLogs::start();
    let server = Server::start([gzip(&vec![0; 8 * 1024 * 1024])]).await;
    let fetcher = local().build().unwrap();
    let error = fetcher.get(&server.http("/jwks"), Accept::JwkSet).await;
    assert!(
        matches!(error, Err(FetchError::TooLarge { limit: 262_144 })),
        "{error:?}"
    );
    let events = logs.security_events().concat();
    assert!(events.contains("answer_too_large"), "{events}");
}

#[tokio::test]
async fn sec_ci_05_what_announces_to_be_long_is_not_waited_for() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n";
    let server = Server::start([Answer::Stall(head.into())]).await;
    let fetcher = local().timeout(Duration::from_secs(20)).build().unwrap();
    let error = fetcher.get(&server.http("/jwks"), Accept::JwkSet).await;
    assert!(
        matches!(error, Err(FetchError::TooLarge { limit: 262_144 })),
        "{error:?}"
    );
}

#[tokio::test]
async fn sec_key_07_a_slow_body_ends_at_the_total_timeout() {
    for part in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    ] {
        let server = Server::start([Answer::Stall(part.to_vec())]).await;
        let fetcher = local().timeout(Duration::from_millis(100)).build().unwrap();
        let url = server.http("/");
        let patience = Duration::from_secs(20);
        let answer = timeout(patience, fetcher.get(&url, Accept::Any)).await;
        assert!(matches!(answer, Ok(Err(FetchError::Timeout))), "{answer:?}");
        let answer = timeout(patience, fetcher.post_form(&url, String::new(), None)).await;
        assert!(matches!(answer, Ok(Err(FetchError::Timeout))), "{answer:?}");
    }
}

#[tokio::test]
async fn sec_key_07_a_cut_or_broken_body_is_no_answer() {
    for answer in [
        Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()),
        Answer::with("200 OK", "Content-Encoding: gzip\r\n", b"no gzip"),
        Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        Answer::Bytes(Vec::new()),
    ] {
        let server = Server::start([answer.clone()]).await;
        let fetcher = local().build().unwrap();
        let error = fetcher.get(&server.http("/"), Accept::Any).await;
        assert!(
            matches!(error, Err(FetchError::Transport(_))),
            "{answer:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn nobody_listening_is_no_connection() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = crate::server::url(&format!("http://127.0.0.1:{port}/"));
    let error = local().build().unwrap().get(&url, Accept::Any).await;
    assert!(matches!(error, Err(FetchError::Connect(_))), "{error:?}");
}
