//! HTTPS from files, to a client that knows the authority.

use portcullis_fetch::{Accept, Fetcher};
use portcullis_oauth::EndpointUrl;
use portcullis_testkit::FakeIdp;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::support::{Program, send};

/// A certificate that vouches for itself, and its key, as PEM.
fn pair(last_year: i32) -> (String, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Whether the metadata is had by a client that trusts this certificate.
async fn is_trusted(url: &str, certificate: &str) -> bool {
    let metadata = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let client = Fetcher::trusted()
        .allow_loopback(true)
        .add_root_certificate_pem(certificate)
        .build()
        .unwrap();
    let url = EndpointUrl::parse(&metadata).unwrap();
    let fetched = client.get(&url, Accept::Json).await;
    fetched.is_ok_and(|fetched| fetched.status == 200)
}

const TLS: &str = "[tls]\ncert = \"tls.crt\"\nkey = \"tls.key\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_and_a_new_certificate_taken_up() {
    let idp = FakeIdp::start().await;
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"remote\"\nauthorization_servers = \"{}\"\n{TLS}\
         [[upstream]]\nurl = \"http://127.0.0.1:1/mcp\"\n",
        idp.issuer()
    );
    let (old, new) = (pair(2100), pair(2100));
    let program = Program::new(&["run"]).toml(&toml);
    let program = program.file("tls.crt", &old.0).file("tls.key", &old.1);
    let mut serving = program.serve();
    let url = serving.url();
    assert!(url.starts_with("https://localhost:"), "{url}");
    assert!(is_trusted(&url, &old.0).await);
    assert!(!is_trusted(&url, &new.0).await);
    let plain = send(&url.replace("https:", "http:"), &[], None);
    assert_eq!(plain.status, 400, "{plain:?}");

    serving.rewrite("tls.crt", &new.0);
    serving.rewrite("tls.key", &new.1);
    let said = serving.reload();
    assert!(said.contains("a new certificate is in use"), "{said}");
    assert!(is_trusted(&url, &new.0).await);

    let expired = pair(2001);
    serving.rewrite("tls.crt", &expired.0);
    serving.rewrite("tls.key", &expired.1);
    let said = serving.reload();
    assert!(
        said.contains("has expired") && said.contains("the old one stays"),
        "{said}"
    );
    assert!(is_trusted(&url, &new.0).await);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn mistakes_about_the_certificate_are_found_before_the_start() {
    let (good, other) = (pair(2100), pair(2100));
    for (certificate, key, says) in [
        (&good.0, &other.1, "is not that of the first certificate"),
        (&good.1, &good.1, "`tls.crt` has no certificates"),
        (&good.0, &good.0, "`tls.key` has no private key"),
    ] {
        let validate = Program::new(&["config", "validate", "--human"])
            .toml(&format!("[auth]\nmode = \"none\"\n{TLS}"));
        let ended = validate
            .file("tls.crt", certificate)
            .file("tls.key", key)
            .end();
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains(says), "{says}: {ended:?}");
        assert!(ended.stderr.contains("--> portcullis.toml:"), "{ended:?}");
        assert!(!ended.stderr.contains("PRIVATE KEY"), "{ended:?}");
    }
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(&format!("[auth]\nmode = \"none\"\n{TLS}"))
        .file("tls.crt", &good.0)
        .end();
    assert!(
        ended.stderr.contains("`tls.key` cannot be read"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("No such file"), "{ended:?}");
}

#[test]
fn sec_op_09_a_key_that_others_can_read_warns() {
    let (certificate, key) = pair(2001);
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(&format!("[auth]\nmode = \"none\"\n{TLS}"))
        .file("tls.crt", &certificate)
        .file_with_mode("tls.key", &key, 0o644)
        .end();
    assert_eq!(ended.code, 0);
    let warnings = [
        "warning: `tls.key` can be read by every user",
        "hint: chmod 600 tls.key",
        "warning: the certificate has expired: clients refuse it",
    ];
    for warning in warnings {
        assert!(ended.stderr.contains(warning), "{warning}: {ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn sec_op_09_a_pipe_in_the_place_of_a_file_is_refused() {
    let (certificate, _) = pair(2100);
    let tls = "[auth]\nmode = \"none\"\n[tls]\ncert = \"tls.crt\"\nkey = \"tls.key\"\n";
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(tls)
        .file("tls.crt", &certificate)
        .pipe("tls.key")
        .end();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("no regular file"), "{ended:?}");
    let secret = "[auth]\nmode = \"introspection\"\nintrospection_url = \"https://a.example/i\"\nclient_id = \"me\"\nclient_secret_file = \"c.secret\"\n";
    let ended = Program::new(&["config", "validate", "--human"])
        .toml(secret)
        .pipe("c.secret")
        .end();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("no regular file"), "{ended:?}");
    let ended = Program::new(&["config", "validate", "--human"])
        .pipe("portcullis.toml")
        .env("PORTCULLIS_CONFIG", "portcullis.toml")
        .end();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("no regular file"), "{ended:?}");
}
