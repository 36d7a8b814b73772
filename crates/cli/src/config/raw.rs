//! The configuration as it was written. The names, their order and their descriptions are the
//! JSON Schema and the reference page; [`resolve`](super::resolve) decides what they mean.
//!
//! Every member can be absent, so that one mistake does not hide the others. What may hold a secret
//! has no `Debug`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

mod auth;
mod server;

pub(super) use self::auth::OWN_AUTH_KEYS;
pub(crate) use self::auth::{
    RawAllow, RawAllowed, RawAuth, RawChallenges, RawClaims, RawPassthrough,
};
pub(crate) use self::server::{
    RawClient, RawClients, RawLogin, RawPages, RawRateLimits, RawRevocation, RawSigning, RawTokens,
};

/// `portcullis.toml`. Paths are relative to the file.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "portcullis.toml")]
pub(crate) struct RawConfig {
    /// Where to listen: an address and a port, such as `127.0.0.1:8000`. A loopback IPv4 address or
    /// `localhost` is also served on `[::1]`. Default: `127.0.0.1:8000`.
    pub(crate) listen: Option<String>,
    /// The public URL of this server, without the path of MCP. Default: `http://localhost:PORT`
    /// where only this machine can connect; else it has to be said.
    pub(crate) base_url: Option<String>,
    /// Who issues the tokens of an authorization server of one's own, such as `https://example.com` for
    /// a server at `https://example.com/tools`. Default: `base_url`.
    pub(crate) issuer_url: Option<String>,
    /// Where MCP is served when one server is behind. Default: `/mcp`.
    pub(crate) mcp_path: Option<String>,
    /// More host names under which clients may call.
    pub(crate) allowed_hosts: Vec<String>,
    /// Origins whose pages may call, such as `https://app.example.com`.
    pub(crate) allowed_origins: Vec<String>,
    /// Addresses or networks of proxies that may say for whom they call, such as `10.0.0.0/8`, in
    /// `X-Forwarded-For` or `Forwarded`.
    pub(crate) trusted_proxies: Vec<String>,
    /// A file with `mcpServers`, as Claude, VS Code and others have it: each server becomes an
    /// upstream.
    pub(crate) mcp_servers: Option<String>,
    /// How long requests may run on after SIGTERM. Default: `10s`.
    pub(crate) drain: Option<RawDuration>,
    /// Serves other machines in mode `none`, also those that come through a proxy. Whoever reaches the port can use every tool; everybody
    /// whose data they reach is exposed. Right only where something in front has verified the
    /// caller.
    pub(crate) danger_allow_anonymous: bool,
    /// Who verifies callers.
    pub(crate) auth: RawAuth,
    /// What scopes mean: `"admin" = { implies = ["notes:read"] }`.
    pub(crate) scopes: BTreeMap<String, RawScope>,
    /// Where state is kept: users, clients, grants, signing keys.
    pub(crate) store: RawStore,
    /// Tokens of an authorization server of one's own.
    pub(crate) tokens: RawTokens,
    /// How its users stay logged in.
    pub(crate) login: RawLogin,
    /// How much strangers may ask it for.
    pub(crate) rate_limits: RawRateLimits,
    /// Which clients may ask it for tokens.
    pub(crate) clients: RawClients,
    /// Clients that it knows beforehand. One that is taken out gets no more tokens; `portcullis grant
    /// revoke --client ID` ends those that it has.
    pub(crate) client: Vec<RawClient>,
    /// What its pages look like.
    pub(crate) pages: RawPages,
    /// The servers behind.
    pub(crate) upstream: Vec<RawUpstream>,
    /// A second listener for probes and metrics.
    pub(crate) admin: RawAdmin,
    /// HTTPS.
    pub(crate) tls: RawTls,
    /// What is logged to stderr.
    pub(crate) log: RawLog,
    /// One line for each request.
    pub(crate) audit: RawAudit,
    /// Spans and metrics for an OpenTelemetry collector.
    pub(crate) otel: RawOtel,
    /// How much at a time.
    pub(crate) limits: RawLimits,
}

/// What a scope means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawScope {
    /// Scopes that it stands for, too.
    pub(crate) implies: Vec<String>,
    /// What it allows, in words for users: `Read your notes`.
    pub(crate) text: Option<String>,
    /// Granted to clients that ask for nothing that there is. Without one it is what every request needs,
    /// by `auth.required_scopes` and those of the upstream, and without those all that the user has, but
    /// for scopes that imply others.
    pub(crate) default: bool,
}

/// Where state is kept.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawStore {
    /// `memory:`, which ends with the process, or `sqlite:PATH`, a file that is made on first use.
    /// Default in mode `server` and those of the proxies: `portcullis.db` beside the configuration file, or in the working
    /// directory where there is no such file, or only there is one already. Else `memory:`.
    pub(crate) url: Option<String>,
    /// The file with the key that everything in the store is sealed under. It is made on first use,
    /// readable for its owner alone; without it the store is lost. Default: the file of the store
    /// with the ending `.key`.
    pub(crate) key_file: Option<String>,
    /// Leaves values in the store readable for whoever has the file: keys that sign tokens, and tokens
    /// of the identity provider. It is for development, where all of them are made up. A store that was
    /// made with a key does not open so, nor the other way round.
    pub(crate) danger_no_encryption: bool,
}

/// One server behind.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawUpstream {
    /// Its name in logs and metrics. Default: `default`, where there is one.
    pub(crate) name: Option<String>,
    /// Where clients reach it. Default: `mcp_path`, where there is one.
    pub(crate) path: Option<String>,
    /// Also serves clients that speak HTTP+SSE of revision 2024-11-05: their stream is at `/sse` where
    /// one server is behind, else at `PATH/sse`, and their messages go to `messages` beside it.
    pub(crate) legacy_sse: bool,
    /// Its URL, when it speaks HTTP.
    pub(crate) url: Option<String>,
    /// What it speaks there: Streamable HTTP (`http`, the default), or HTTP+SSE of revision 2024-11-05
    /// (`sse`), whose URL is the one of its stream. Clients speak Streamable HTTP to either.
    pub(crate) transport: Option<RawTransport>,
    /// The program that it is, with its arguments, when it speaks MCP on stdin and stdout. No shell
    /// reads it. `{sub}`, `{client_id}` and `{claim:NAME}` stand for what the caller's token says.
    pub(crate) command: Vec<String>,
    /// Variables that the program gets, beside a few harmless ones. Placeholders as in `command`.
    pub(crate) env: BTreeMap<String, String>,
    /// Variables of Portcullis' own environment that it gets, too.
    pub(crate) inherit: Vec<String>,
    /// The directory in which it runs.
    pub(crate) cwd: Option<String>,
    /// Who shares a process of it, or a connection of `sse`: those of one `session` (the default), of
    /// one `user`, or everybody (`shared`).
    pub(crate) isolation: Option<RawIsolation>,
    /// Its name for users.
    pub(crate) resource_name: Option<String>,
    /// Scopes that every request to it needs.
    pub(crate) required_scopes: Vec<String>,
    /// What it is told of the caller. Nothing, unless set.
    pub(crate) identity: RawIdentity,
    /// Header fields of clients that go on to it, beside those of MCP.
    pub(crate) forward_headers: Vec<String>,
    /// A file with certificates, as PEM, of an authority that it is certified by.
    pub(crate) ca_file: Option<String>,
    /// Calls a URL that is plain `http` on another machine of a private network, such as a container.
    /// Whoever is on the way there reads and changes everything, the caller's name included; all
    /// users of the server are exposed to them. It is right where that network is all one's own.
    pub(crate) danger_plain_http: bool,
    /// How long connecting may take. Default: `5s`.
    pub(crate) connect_timeout: Option<RawDuration>,
    /// How long a request may wait for its answer. Default: `5m`.
    pub(crate) answer_timeout: Option<RawDuration>,
    /// How long a stream of events may be silent. Default: `30m`.
    pub(crate) idle_timeout: Option<RawDuration>,
    /// What is needed for tools.
    pub(crate) tool: Vec<RawRule>,
    /// What is needed for prompts.
    pub(crate) prompt: Vec<RawRule>,
    /// What is needed for resources, by URI.
    pub(crate) resource: Vec<RawRule>,
    /// What becomes of tools, prompts and resources that no rule matches. Default: `allow`.
    pub(crate) others: Option<RawOthers>,
}

/// What a server speaks over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawTransport {
    Http,
    Sse,
}

/// Who shares a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawIsolation {
    Session,
    User,
    Shared,
}

/// What a server behind is told of the caller.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawIdentity {
    /// Header fields: `X-User = "{sub}"`. Known are `{sub}`, `{iss}`, `{client_id}`, `{scope}` and
    /// `{claim:NAME}`.
    pub(crate) headers: BTreeMap<String, String>,
    /// Tells who is calling in a signed statement (a JWT) that the server can check with the keys at
    /// `/oauth/jwks`: `typ` `portcullis-identity+jwt`, `iss` the `base_url`, good for a minute.
    pub(crate) jwt: bool,
    /// The header field of that statement. Default: `X-Portcullis-Identity`.
    pub(crate) jwt_header: Option<String>,
    /// Who may believe it (`aud`). Default: the `url` without its query.
    pub(crate) jwt_audience: Option<String>,
    /// Variables of a process that belongs to one user: `USER_ID = "{sub}"`.
    pub(crate) env: BTreeMap<String, String>,
    /// Tells where a request came in, in `X-Forwarded-For`, `X-Forwarded-Proto` and
    /// `X-Forwarded-Host`.
    pub(crate) forwarded: bool,
}

/// What is needed for some tools, prompts or resources. Every rule that matches has to be met.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRule {
    /// Names, or URIs of resources, compared without regard to case. `*` stands for any text.
    #[serde(rename = "match")]
    pub(crate) pattern: Option<String>,
    /// Scopes, all of them. Who lacks one is told which.
    pub(crate) scopes: Vec<String>,
    /// Roles, one of them, in the claims of `auth.role_claims`. Who has none never learns that it is
    /// there.
    pub(crate) roles: Vec<String>,
    /// Open without a token, where `auth.anonymous` is `per-tool`.
    pub(crate) anonymous: bool,
}

/// What becomes of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawOthers {
    Allow,
    Deny,
}

/// A second listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAdmin {
    /// Where probes and metrics are, away from the public port. Whoever reaches it can read them.
    pub(crate) listen: Option<String>,
    /// Host names under which metrics may be read. Addresses and `localhost` always may.
    pub(crate) allowed_hosts: Vec<String>,
}

/// HTTPS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTls {
    /// A file with the certificate and those that lead to its authority, as PEM.
    pub(crate) cert: Option<String>,
    /// A file with its private key, as PEM.
    pub(crate) key: Option<String>,
}

/// What is logged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLog {
    /// `error`, `warn`, `info`, `debug` or `trace`, or such a filter as `info,portcullis=debug`.
    /// Default: `info`.
    pub(crate) level: Option<String>,
    /// How: lines for people, or JSON. Default: for people on a terminal, JSON elsewhere.
    pub(crate) format: Option<RawLogFormat>,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawLogFormat {
    Text,
    Json,
}

/// The audit log.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAudit {
    /// A file to which each request is added, as a line of JSON: who, what, and what became of it; of
    /// strangers' refusals at most 20 a second for each reason. Commands add what they change. `-` is
    /// stdout. SIGHUP opens it anew.
    pub(crate) file: Option<String>,
    /// Serves requests also while the file cannot take them. Those are in no line, so nobody can
    /// find out later what was done in them. Right only where a server that does not answer is worse
    /// than one that nobody can account for.
    pub(crate) danger_drop_when_full: bool,
}

/// An OpenTelemetry collector.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawOtel {
    /// The base URL of a collector that takes OTLP over HTTP: `https`, or `http` on this machine, as
    /// in `http://127.0.0.1:4318`. Default: what `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    pub(crate) endpoint: Option<String>,
}

/// How much at a time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Connections. Default: 10000. More wait.
    pub(crate) connections: Option<u32>,
    /// Requests. Default: 1000. More are answered with 503.
    pub(crate) requests: Option<u32>,
    /// Sessions. Default: 10000.
    pub(crate) sessions: Option<u32>,
    /// Sessions of one user. Default: 100.
    pub(crate) sessions_per_user: Option<u32>,
    /// Requests and streams of one user. Default: 250.
    pub(crate) streams_per_user: Option<u32>,
}

/// A length of time: `500ms`, `10s`, `5m`, `2h`, `30d`, or a number of seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawDuration {
    Seconds(u64),
    Text(String),
}

impl JsonSchema for RawDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^[0-9]+(ms|s|m|h|d)?$",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}
