//! Crates that only one place may name.

use crate::{
    finding::Finding,
    project::{File, Project},
    source::names_crate,
};

/// Crates, the only paths that may name them, and what everybody else does instead.
struct Home {
    crates: &'static [&'static str],
    paths: &'static [&'static str],
    instead: &'static str,
}

const HOMES: &[Home] = &[
    Home {
        crates: &[
            "aws_lc_rs",
            "subtle",
            "hmac",
            "hkdf",
            "pbkdf2",
            "aes_gcm",
            "md5",
            "sha1",
            "sha2",
            "sha3",
            "blake2",
            "blake3",
        ],
        paths: &["crates/oauth/src/crypto/", "crates/oauth/src/crypto.rs"],
        instead: "use `portcullis_oauth::crypto`, or add the operation there",
    },
    Home {
        crates: &["argon2"],
        paths: &[
            "crates/authorization-server/src/users/",
            "crates/authorization-server/src/users.rs",
        ],
        instead: "leave passwords to `authorization-server::users`",
    },
    Home {
        crates: &["rustls", "tokio_rustls"],
        paths: &["crates/fetch/src/", "/listener/", "/listener.rs"],
        instead: "send with `portcullis_fetch`, accept in a module named `listener`",
    },
    Home {
        crates: &["reqwest"],
        paths: &["crates/fetch/src/"],
        instead: "use `portcullis_fetch::Fetcher`",
    },
    Home {
        crates: &["rmcp"],
        paths: &[
            "crates/portcullis/src/rmcp_adapter/",
            "crates/portcullis/src/rmcp_adapter.rs",
            "crates/portcullis/src/model.rs",
            "crates/resource-server/src/integration/rmcp.rs",
            "crates/resource-server/src/integration/rmcp/",
            "crates/client/src/transport/",
        ],
        instead: "go through `rmcp_adapter`, or name the type by `crate::model`",
    },
];

/// The system's entropy is the one use of aws-lc-rs outside `oauth::crypto`.
const SYSTEM_ENTROPY: &str = "crates/fetch/src/system.rs";

/// Code that ships, without its tests, names these crates at home only.
pub(crate) fn crates(project: &Project) -> Vec<Finding> {
    shipped(project).flat_map(foreign_names).collect()
}

/// `url` repairs what it parses. The types of `oauth::id` keep what was written.
pub(crate) fn urls(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in shipped(project).filter(|file| !file.path.starts_with("crates/oauth/src/")) {
        for (line, code) in file.code_lines() {
            let dense: String = code.split_whitespace().collect();
            if ["parse::<Url>", "parse::<url::Url>", "Url::from_str("]
                .iter()
                .any(|call| dense.contains(call))
            {
                let instead =
                    "use `Issuer`, `EndpointUrl` or another type of `portcullis_oauth::id`";
                findings.push(Finding::at(
                    &file.path,
                    line,
                    "a URL is parsed here",
                    instead,
                ));
            }
        }
    }
    findings
}

fn shipped(project: &Project) -> impl Iterator<Item = &File> {
    project.rust_files().filter(|file| {
        file.path.starts_with("crates/") && file.path.contains("/src/") && !file.is_test()
    })
}

fn foreign_names(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for home in HOMES {
        let at_home = |path: &&str| {
            file.path.starts_with(*path) || path.starts_with('/') && file.path.contains(*path)
        };
        if home.paths.iter().any(at_home) {
            continue;
        }
        for (line, code) in file.code_lines() {
            for name in home.crates.iter().filter(|name| names_crate(code, name)) {
                if file.path == SYSTEM_ENTROPY
                    && *name == "aws_lc_rs"
                    && code.contains("aws_lc_rs::rand")
                {
                    continue;
                }
                findings.push(Finding::at(
                    &file.path,
                    line,
                    format!("`{name}` is named here"),
                    home.instead,
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{crates, urls};
    use crate::rules::sample::{project, shown};

    #[test]
    fn a_crate_is_named_at_home_only() {
        let project = project(&[
            ("crates/oauth/src/crypto/mod.rs", "use aws_lc_rs::digest;\n"),
            (
                "crates/oauth/src/pkce.rs",
                "// aws_lc_rs::digest\nuse aws_lc_rs::digest;\n",
            ),
            (
                "crates/fetch/src/system.rs",
                "use aws_lc_rs::rand;\nuse aws_lc_rs::digest;\n",
            ),
            (
                "crates/gateway/src/listener.rs",
                "use rustls::ServerConfig;\n",
            ),
            (
                "crates/portcullis/src/server.rs",
                "fn f() -> rmcp::Error { crate::rmcp::x() }\n#[cfg(test)]\nmod tests {\n use rmcp::x;\n}\n",
            ),
            (
                "crates/portcullis/src/rmcp_adapter/tool.rs",
                "use rmcp::model;\n",
            ),
            ("crates/portcullis/tests/it/main.rs", "use rmcp::model;\n"),
        ]);
        assert_eq!(
            shown(&crates(&project)),
            [
                "crates/oauth/src/pkce.rs:2",
                "crates/fetch/src/system.rs:2",
                "crates/portcullis/src/server.rs:1"
            ]
        );
    }

    #[test]
    fn a_url_is_parsed_by_oauth_only() {
        let project = project(&[
            ("crates/oauth/src/id.rs", "let u = text.parse::<Url>();\n"),
            (
                "crates/fetch/src/lib.rs",
                "let u = text.parse::< Url >();\nlet n = text.parse::<u8>();\n",
            ),
        ]);
        assert_eq!(shown(&urls(&project)), ["crates/fetch/src/lib.rs:1"]);
    }
}
