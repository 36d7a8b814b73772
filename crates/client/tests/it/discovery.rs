//! Where a server's tokens come from.

use portcullis_client::discovery::{DiscoveryError, protected_resource};
use portcullis_fetch::{FetchError, Refusal};
use portcullis_oauth::ResourceUrl;
use portcullis_oauth::challenge::Challenge;
use portcullis_oauth::metadata::MetadataError;

use crate::support::{JSON, Raw, answer};

fn document(resource: &str) -> Vec<u8> {
    let body =
        format!(r#"{{"resource":"{resource}","authorization_servers":["https://auth.example"]}}"#);
    answer("200 OK", JSON, &body)
}

fn nothing() -> Vec<u8> {
    answer("404 Not Found", "", "")
}

#[tokio::test]
async fn the_document_is_at_the_well_known_paths() {
    for path in [
        "/.well-known/oauth-protected-resource/mcp ",
        "/.well-known/oauth-protected-resource ",
    ] {
        let server = Raw::start(move |line| {
            if line.contains(path) {
                document("https://placeholder.example")
            } else {
                nothing()
            }
        })
        .await;
        let resource = ResourceUrl::parse(&server.url("/mcp")).unwrap();
        // The port is known only now, so the document names another resource: it was found.
        let error = protected_resource(&resource, None).await.unwrap_err();
        assert!(
            matches!(error, DiscoveryError::Document { .. }),
            "{error:?}"
        );
        assert!(server.requests().last().unwrap().contains(path));
    }
    let server = Raw::always(nothing()).await;
    let resource = ResourceUrl::parse(&server.url("/mcp")).unwrap();
    assert!(protected_resource(&resource, None).await.unwrap().is_none());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn the_challenge_names_the_place() {
    let place = Raw::start(|line| {
        let port = line
            .split("port=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        document(&format!("http://127.0.0.1:{port}"))
    })
    .await;
    let server = Raw::always(nothing()).await;
    let resource = ResourceUrl::parse(&server.url("/mcp")).unwrap();
    let port = server.url("").rsplit(':').next().unwrap().to_owned();
    let challenge = Challenge::bearer().resource_metadata(&place.url(&format!("/m?port={port}")));
    let found = protected_resource(&resource, Some(&challenge))
        .await
        .unwrap()
        .unwrap();
    assert!(found.is_elsewhere, "the port is part of an origin");
    assert_eq!(
        found.metadata.authorization_servers,
        ["https://auth.example"]
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn sec_cl_03_metadata_of_another_resource_is_refused() {
    let server = Raw::always(document("https://victim.example/mcp")).await;
    let resource = ResourceUrl::parse(&server.url("/mcp")).unwrap();
    let error = protected_resource(&resource, None).await.unwrap_err();
    let wrong = matches!(
        &error,
        DiscoveryError::Document {
            source: MetadataError::WrongResource,
            ..
        }
    );
    assert!(wrong, "{error:?}");
}

#[tokio::test]
async fn sec_cl_16_metadata_elsewhere_is_fetched_by_the_guarded_client() {
    let resource = ResourceUrl::parse("https://mcp.example.com/mcp").unwrap();
    for place in [
        "https://10.0.0.1/m",
        "https://169.254.169.254/m",
        "https://127.0.0.1/m",
        "http://127.0.0.1/m",
    ] {
        let challenge = Challenge::bearer().resource_metadata(place);
        let error = protected_resource(&resource, Some(&challenge))
            .await
            .unwrap_err();
        let refused = matches!(
            &error,
            DiscoveryError::Fetch {
                source: FetchError::Refused(Refusal::Address(_) | Refusal::Insecure),
                ..
            }
        );
        assert!(refused, "{place}: {error:?}");
    }
}
