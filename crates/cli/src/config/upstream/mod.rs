//! The servers behind.

mod draft;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_gateway::stdio::{Isolation, StdioCommand, StdioTransport};
use portcullis_gateway::{HttpServer, HttpSseServer, Identity, IdentityToken, Rules, Upstream};
use portcullis_oauth::{EndpointUrl, ScopeHierarchy, ScopeSet};
use portcullis_resource_server::IdentitySigner;

use self::draft::Draft;
use super::Loaded;
use super::mask;
use super::raw::{RawIsolation, RawUpstream};
use super::said::said;
use crate::report::Problem;

/// Who signs statements on callers.
pub(crate) type Signer = Arc<dyn IdentitySigner>;

/// One server behind, decided.
#[derive(Debug)]
pub(crate) struct UpstreamSettings {
    name: String,
    path: String,
    required_scopes: ScopeSet,
    resource_name: Option<String>,
    /// Below which path old clients are served.
    legacy_sse: Option<String>,
    rules: Rules,
    identity: Identity,
    statement: Option<Statement>,
    place: Place,
}

/// What is signed of a caller, and where it is told.
#[derive(Debug)]
struct Statement {
    header: Option<String>,
    audience: Option<String>,
    role_claims: Vec<String>,
}

#[derive(Debug)]
enum Place {
    Http {
        url: EndpointUrl,
        plain: bool,
        /// Who shares a connection, where it speaks HTTP+SSE.
        old: Option<RawIsolation>,
        forward: Vec<String>,
        certificates: Option<String>,
        connect: Duration,
        answer: Duration,
        idle: Duration,
    },
    Process(Process),
}

/// A program that speaks MCP on stdin and stdout.
pub(crate) struct Process {
    command: Vec<String>,
    env: BTreeMap<String, String>,
    inherit: Vec<String>,
    cwd: Option<PathBuf>,
    isolation: RawIsolation,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments and values may be secrets.
        f.debug_struct("Process")
            .field("program", &self.command.first())
            .field("isolation", &self.isolation)
            .finish_non_exhaustive()
    }
}

impl UpstreamSettings {
    /// All of them. Problems are added to those of the configuration.
    pub(super) fn resolve(raw: Vec<RawUpstream>, mcp_path: &str, loaded: &mut Loaded) -> Vec<Self> {
        let is_alone = raw.len() == 1;
        let all = raw.into_iter().enumerate().filter_map(|(at, raw)| {
            let mut draft = Draft {
                key: format!("upstream.{at}"),
                loaded,
            };
            draft.resolve(raw, is_alone.then_some(mcp_path))
        });
        all.collect()
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where clients reach it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it is, without what may be a secret.
    pub(crate) fn place(&self) -> String {
        match &self.place {
            Place::Http { url, .. } => {
                let url = url.as_str();
                url.split_once('?')
                    .map_or(url.to_owned(), |(url, _)| format!("{url}?.."))
            }
            Place::Process(process) => mask::arguments(&process.command).join(" "),
        }
    }

    pub(crate) fn required_scopes(&self) -> &ScopeSet {
        &self.required_scopes
    }

    /// All scopes that it asks for.
    pub(crate) fn scopes(&self) -> ScopeSet {
        self.required_scopes.union(&self.rules.scopes_named())
    }

    /// Whether it is told who is calling in a signed statement.
    pub(crate) fn wants_statements(&self) -> bool {
        self.statement.is_some()
    }

    /// What it is told of the caller.
    fn told(&self, signer: Option<&Signer>) -> Result<Identity, Problem> {
        let Some(statement) = &self.statement else {
            return Ok(self.identity.clone());
        };
        let signer = signer.ok_or_else(|| Problem::new("nobody signs statements on callers"))?;
        let token = IdentityToken::new(Arc::clone(signer));
        let token = match &statement.header {
            Some(name) => token.header(name).map_err(|error| said(&error))?,
            None => token,
        };
        let token = match &statement.audience {
            Some(audience) => token.audience(audience.as_str()),
            None => token,
        };
        let token = match statement.role_claims.as_slice() {
            [] => token,
            claims => token.role_claims(claims),
        };
        let identity = self.identity.clone();
        identity.signed(token).map_err(|error| said(&error))
    }

    /// The gateway's form of it. `signer` signs what it is told of callers.
    pub(super) fn build(
        &self,
        hierarchy: &ScopeHierarchy,
        signer: Option<&Signer>,
    ) -> Result<Upstream, Problem> {
        let upstream = match &self.place {
            Place::Http {
                url,
                plain,
                old,
                forward,
                certificates,
                connect,
                answer,
                idle,
            } => {
                let server = HttpServer::new(url.clone())
                    .identity(self.told(signer)?)
                    .connect_within(*connect)
                    .answer_within(*answer)
                    .idle(*idle);
                let server = if *plain {
                    server.dangerous().allow_plain_http()
                } else {
                    server
                };
                let server = forward.iter().fold(server, HttpServer::forward_header);
                let server = match certificates {
                    Some(pem) => server.add_root_certificate_pem(pem),
                    None => server,
                };
                match old {
                    None => Upstream::http(self.name.as_str(), server),
                    Some(shared_by) => {
                        let server = HttpSseServer::new(server).isolation(isolation(*shared_by));
                        Upstream::http_sse(self.name.as_str(), server)
                    }
                }
            }
            Place::Process(process) => process.build(&self.name)?,
        };
        let upstream = match &self.resource_name {
            Some(name) => upstream.resource_name(name),
            None => upstream,
        };
        let upstream = match &self.legacy_sse {
            Some(base) => upstream.legacy_sse(format!("{base}/sse"), format!("{base}/messages")),
            None => upstream,
        };
        Ok(upstream
            .path(&self.path)
            .required_scopes(self.required_scopes.clone())
            .rules(self.rules.clone().scope_hierarchy(hierarchy.clone())))
    }
}

impl Process {
    fn build(&self, name: &str) -> Result<Upstream, Problem> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Problem::new(format!(
                "upstream `{name}`: the command is empty"
            )));
        };
        let mut command = StdioCommand::new(program).args(arguments);
        for (variable, value) in &self.env {
            command = command.env(variable, value);
        }
        for variable in &self.inherit {
            command = command.inherit(variable);
        }
        if let Some(folder) = &self.cwd {
            command = command.current_dir(folder);
        }
        let transport = StdioTransport::builder(name, command);
        Ok(Upstream::stdio(
            transport.isolation(isolation(self.isolation)),
        ))
    }
}

fn isolation(raw: RawIsolation) -> Isolation {
    match raw {
        RawIsolation::Session => Isolation::Session,
        RawIsolation::User => Isolation::User,
        RawIsolation::Shared => Isolation::Shared,
    }
}
