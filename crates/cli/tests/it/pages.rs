//! What pages tell their readers to write, in TOML, is a configuration.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Program;

/// Pages whose blocks are no configurations, but manifests of Cargo.
fn is_manifest(block: &str) -> bool {
    block.contains("[dependencies]")
}

/// The front page, and everything in `docs`, but for the reference, which is made from the code.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

fn blocks(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    blocks.map(str::to_owned).collect()
}

/// A certificate for this machine, and its key.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A block of a page, with what the page has around it.
fn validated(block: &str) -> crate::support::Ended {
    let mut toml = block.replace("/run/secrets/propelauth", "secret");
    let is_about_login = [
        "[clients]",
        "[[client]]",
        "[login]",
        "[rate_limits",
        "[tokens]",
    ];
    if !toml.contains("[auth]") {
        let mode = if is_about_login.iter().any(|table| toml.contains(table)) {
            "\n[auth]\nmode = \"server\"\n"
        } else {
            "\n[auth]\nmode = \"jwt\"\nissuer = \"https://auth.example.com\"\n"
        };
        toml.push_str(mode);
    }
    let (certificate, key) = certificate();
    let secret = "u0a9Y2b7Jq5mRkX3vT8wLz1NcEo6HsPd4FgQiBxKtMU";
    // Every provider's page has a file of its own.
    let secrets = block.lines().filter_map(|line| {
        let name = line.strip_prefix("client_secret_file = \"")?;
        name.strip_suffix('"')
    });
    let program = Program::new(&["config", "validate", "--human"]);
    secrets
        .fold(program, |program, name| program.file(name, secret))
        .file("tls.crt", &certificate)
        .file("tls.key", &key)
        .file("secret", secret)
        .file("reports.secret", secret)
        .file("search.secret", secret)
        .file("nightly.jwks", KEYS)
        .toml(&toml)
        .end()
}

/// RFC 7517, appendix A.1.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "1",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

#[test]
fn every_configuration_of_every_page_is_one() {
    let mut seen = 0;
    for page in pages() {
        for block in blocks(&page).iter().filter(|block| !is_manifest(block)) {
            let ended = validated(block);
            let page = page.display();
            assert_eq!(
                (ended.code, ended.stderr.as_str()),
                (0, ""),
                "{page}:\n{block}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} were found");
}

#[test]
fn a_configuration_that_is_none_would_be_noticed() {
    assert_eq!(validated("[clients]\nregistration = \"perhaps\"\n").code, 1);
}

#[test]
fn the_configuration_to_deploy_is_one() {
    let ended = validated(include_str!("../../../../deploy/portcullis.toml"));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn the_user_of_the_unit_is_made_and_owns_the_store() {
    let unit = include_str!("../../../../deploy/portcullis.service");
    let users = include_str!("../../../../deploy/portcullis.sysusers");
    for line in [
        "User=portcullis\n",
        "StateDirectory=portcullis\n",
        "StateDirectoryMode=0700\n",
    ] {
        assert!(unit.contains(line), "{line}");
    }
    assert!(users.contains("\nu portcullis - "), "{users}");
    let page = include_str!("../../../../docs/deployment.md");
    assert!(page.contains("deploy/portcullis.sysusers /usr/lib/sysusers.d/portcullis.conf"));
}
