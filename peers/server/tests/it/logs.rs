//! What a whole server logs at `TRACE`, its libraries included.

use portcullis::auth::Timestamp;
use portcullis_testkit::FakeIdp;

use crate::process::Process;

const STATELESS: [(&str, &str); 3] = [
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
    ("MCP-Protocol-Version", "2026-07-28"),
];
const SESSION: [(&str, &str); 2] = [STATELESS[0], STATELESS[1]];
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn call(tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}},{META}}}}}"#
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// A conversation with secrets in all the right and wrong places.
struct Talk {
    server: Process,
    secrets: Vec<String>,
}

impl Talk {
    /// Remembers what must not be seen: all of a text, and the signature alone where it is a token.
    fn secret(&mut self, text: impl Into<String>) -> String {
        let text = text.into();
        self.secrets.extend(
            text.rsplit_once('.')
                .map(|(_, signature)| signature.to_owned()),
        );
        self.secrets.push(text.clone());
        text
    }

    /// Calls a tool without a session, and returns the status.
    fn call(&self, tool: &str, credentials: &[(&str, &str)]) -> String {
        let routed = [("Mcp-Method", "tools/call"), ("Mcp-Name", tool)];
        let head = [&STATELESS[..], &routed, credentials].concat();
        status(&self.server.send("POST /mcp", &head, &call(tool))).to_owned()
    }

    fn bearer(&self, tool: &str, token: &str) -> String {
        self.call(tool, &[("Authorization", &format!("Bearer {token}"))])
    }

    fn with_good_and_bad_tokens(&mut self, idp: &FakeIdp) {
        let resource = self.server.resource();
        let token = || idp.token().audience(resource.as_str()).scope("mcp:read");
        let good = self.secret(token().sign());
        assert_eq!(self.bearer("whoami", &good), "200");
        assert_eq!(self.bearer("admin_only", &good), "403");
        self.bearer("hidden", &good);
        self.with_a_session(&good);
        let poor = self.secret(
            idp.token()
                .audience(resource.as_str())
                .scope("other")
                .sign(),
        );
        assert_eq!(self.bearer("whoami", &poor), "403");
        let (head, signature) = good.rsplit_once('.').unwrap();
        let tampered: String = signature.chars().rev().collect();
        for bad in [
            token().audience("https://other.example").sign(),
            token().issuer("https://evil.example").sign(),
            token()
                .expires_at(Timestamp::from_secs(1_000_000_000))
                .issued_at(Timestamp::from_secs(999_999_000))
                .sign(),
            format!("{head}.{tampered}"),
            "canary-of-an-opaque-token".to_owned(),
        ] {
            let bad = self.secret(bad);
            assert_eq!(self.bearer("whoami", &bad), "401", "{bad}");
        }
    }

    fn with_a_session(&mut self, token: &str) {
        let authorization = format!("Bearer {token}");
        let head = [&SESSION[..], &[("Authorization", &authorization)]].concat();
        let opened = self.server.send("POST /mcp", &head, INITIALIZE);
        assert_eq!(status(&opened), "200", "{opened}");
        let id = opened
            .lines()
            .find_map(|line| line.strip_prefix("mcp-session-id: "))
            .unwrap();
        let head = [
            &head[..],
            &[
                ("Mcp-Session-Id", id),
                ("MCP-Protocol-Version", "2025-11-25"),
            ],
        ]
        .concat();
        assert_eq!(
            status(&self.server.send("POST /mcp", &head, INITIALIZED)),
            "202"
        );
        let answer = self.server.send(
            "POST /mcp",
            &head,
            &call("whoami").replace(META, r#""_meta":{}"#),
        );
        assert_eq!(status(&answer), "200", "{answer}");
        self.server.send("DELETE /mcp", &head, "");
    }

    fn with_secrets_in_wrong_places(&mut self) {
        let places = [
            ("Authorization", "Basic Y2FuYXJ5LWJhc2ljOmNhbmFyeQ=="),
            ("Authorization", "Bearer canary two words"),
            ("Authorization", "Bearer \"canary-in-quotes\""),
            ("Authorization", "canary-without-scheme"),
            ("Proxy-Authorization", "Bearer canary-of-a-proxy"),
            ("Cookie", "session=canary-of-a-cookie"),
            ("X-Api-Key", "canary-of-an-api-key"),
        ];
        for (name, value) in places {
            self.call("whoami", &[(name, value)]);
        }
        self.call(
            "whoami",
            &[
                ("Authorization", "Bearer canary-one"),
                ("Authorization", "Bearer canary-two"),
            ],
        );
        for line in [
            "POST /mcp?access_token=canary-in-a-query",
            "GET /mcp?code=canary-of-a-code&state=canary-of-a-state",
            "POST /canary-in-a-path",
            "GET /.well-known/oauth-protected-resource/mcp?token=canary-at-metadata",
        ] {
            self.server.send(line, &STATELESS, &call("whoami"));
        }
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        self.server
            .send("POST /mcp", &form, "access_token=canary-in-a-form");
        self.secrets
            .extend(["canary", "Y2FuYXJ5"].map(str::to_owned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_op_01_a_whole_server_at_trace_logs_no_secret() {
    let idp = FakeIdp::start().await;
    let server = Process::start(idp.issuer().as_str());
    let mut talk = Talk {
        server,
        secrets: Vec::new(),
    };
    talk.with_good_and_bad_tokens(&idp);
    talk.with_secrets_in_wrong_places();
    let Talk { server, secrets } = talk;
    let logs = server.end();
    for said in ["TRACE", "reason=\"expired\"", "insufficient_scope"] {
        assert!(logs.contains(said), "`{said}` is missing in {logs}");
    }
    for secret in &secrets {
        let line = logs.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "`{secret}` was logged");
    }
}
