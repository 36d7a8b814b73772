use std::time::Duration;

use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderValue, Method};
use portcullis_fetch::{FetchError, Fetcher, FetcherBuilder, Probe, Refusal};

use crate::server::{Answer, Server, url};

fn local() -> FetcherBuilder {
    Fetcher::guarded().allow_loopback(true)
}

#[tokio::test]
async fn a_probe_goes_out_as_it_is_and_shows_any_answer() {
    let server = Server::start([Answer::redirect(307, "/elsewhere")]).await;
    let probe = Probe::new(Method::DELETE)
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer t"))
        .body("a body");
    assert!(!format!("{probe:?}").contains("Bearer"));
    let fetcher = local().redirects(3).build().unwrap();
    let probed = fetcher.probe(&server.http("/mcp"), probe).await.unwrap();
    assert_eq!(probed.answer.status, 307);
    assert_eq!(probed.answer.headers[LOCATION], "/elsewhere");
    assert!(probed.complete);
    assert_eq!(server.connections(), 1);
    let [asked] = server.requests().try_into().unwrap();
    let asked: String = asked;
    assert!(asked.starts_with("DELETE /mcp HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer t\r\n"), "{asked}");
}

#[tokio::test]
async fn sec_key_07_a_probed_body_stops_at_the_bound() {
    let fetcher = local().max_bytes(1000).build().unwrap();
    for (length, kept, whole) in [(1000, 1000, true), (5000, 1000, false)] {
        let server = Server::start([Answer::ok(&"a".repeat(length))]).await;
        let url = server.http("/");
        let probed = fetcher.probe(&url, Probe::new(Method::GET)).await.unwrap();
        assert_eq!(
            (probed.answer.body.len(), probed.complete),
            (kept, whole),
            "{length}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_stays_open_is_read_as_far_as_it_came() {
    let part = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: 1\n\n";
    let server = Server::start([Answer::Stall(part.to_vec())]).await;
    let fetcher = local().build().unwrap();
    let probe = Probe::new(Method::GET);
    for probe in [
        probe.clone().linger(Duration::from_millis(200)),
        // Without it the test would take a minute.
        probe
            .linger(Duration::from_secs(60))
            .enough(|body| body.ends_with(b"\n\n")),
    ] {
        let probed = fetcher.probe(&server.http("/"), probe).await.unwrap();
        assert_eq!(probed.answer.body, "data: 1\n\n");
        assert!(!probed.complete);
    }
}

#[tokio::test]
async fn sec_sf_02_a_probe_passes_the_same_checks() {
    let server = Server::start([Answer::ok("secret")]).await;
    let fetcher = Fetcher::guarded().build().unwrap();
    for target in [
        url("https://169.254.169.254/"),
        url("https://example.com:22/"),
        server.https("127.0.0.1", "/"),
    ] {
        let error = fetcher.probe(&target, Probe::new(Method::GET)).await;
        assert!(
            matches!(
                error,
                Err(FetchError::Refused(Refusal::Address(_) | Refusal::Port(_)))
            ),
            "{error:?}"
        );
    }
    assert_eq!(server.connections(), 0);
}
