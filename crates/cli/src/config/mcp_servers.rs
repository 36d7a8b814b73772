//! `mcpServers`, the list of servers that Claude, VS Code and other clients keep.

use std::collections::BTreeMap;

use portcullis_oauth::json;
use serde::Deserialize;

use super::Loaded;
use super::file::read_text;
use super::origin::Origin;
use super::raw::{RawIdentity, RawTransport, RawUpstream};
use crate::report::Problem;

/// Theirs may hold what we do not know: it is not our format.
#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    #[serde(rename = "mcpServers")]
    servers: BTreeMap<String, Server>,
    /// As VS Code calls them.
    #[serde(rename = "servers")]
    of_vs_code: BTreeMap<String, Server>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Server {
    #[serde(rename = "type", alias = "transport")]
    kind: Option<String>,
    command: Option<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    #[serde(alias = "serverUrl", alias = "httpUrl")]
    url: Option<String>,
    headers: BTreeMap<String, String>,
    disabled: bool,
}

/// The upstreams of the file that `mcp_servers` names. Problems are added to those of the
/// configuration.
pub(super) fn read(loaded: &mut Loaded, beside: usize) -> Vec<RawUpstream> {
    let Some(file) = loaded.raw.mcp_servers.clone() else {
        return Vec::new();
    };
    let path = loaded.path("mcp_servers", &file);
    let shown = path.display().to_string();
    let list = read_text(&path).and_then(|text| parse(&shown, &text));
    let list = match list {
        Ok(list) => list,
        Err(problem) => {
            loaded.problems.push(problem);
            return Vec::new();
        }
    };
    let servers = list.servers.into_iter().chain(list.of_vs_code);
    let servers: Vec<_> = servers.filter(|(_, server)| !server.disabled).collect();
    if servers.is_empty() {
        let problem = Problem::new(format!("`{shown}` lists no server"));
        loaded
            .problems
            .push(problem.hint("it has a member `mcpServers`, or `servers`"));
    }
    let is_alone = servers.len() == 1 && beside == 0;
    let mut upstreams = Vec::new();
    for (name, server) in servers {
        match server.upstream(&name, is_alone) {
            Ok(upstream) => {
                let key = format!("upstream.{}", beside + upstreams.len());
                let place = format!("{shown}, server `{name}`");
                loaded.origins.set(key, Origin::Flag(place));
                upstreams.push(upstream);
            }
            Err(problem) => loaded.problems.push(problem.at(Some(&shown))),
        }
    }
    upstreams
}

fn parse(shown: &str, text: &str) -> Result<List, Problem> {
    json::from_str(text, json::Limits::METADATA).map_err(|error| {
        Problem::new(format!("`{shown}` is not a list of servers"))
            .because(error)
            .hint("write it as `{\"mcpServers\": {\"NAME\": {\"command\": \"..\", \"args\": []}}}`, without comments")
    })
}

impl Server {
    fn upstream(self, name: &str, is_alone: bool) -> Result<RawUpstream, Problem> {
        let fault = |what: &str| Problem::new(format!("server `{name}` {what}"));
        if self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("authorization"))
        {
            return Err(fault(
                "has a header `Authorization`, and this version sends no credentials of its own",
            )
            .hint("protect the server by its network, or give it a key in another header"));
        }
        let texts = self
            .args
            .iter()
            .chain(self.env.values())
            .chain(self.headers.values());
        if texts
            .chain(&self.url)
            .chain(&self.command)
            .any(|text| text.contains("${"))
        {
            return Err(fault("has a placeholder `${..}` in it").hint("write the value itself"));
        }
        let command = self.command.map_or(Vec::new(), |program| {
            // What is a placeholder of ours is plain text there.
            let args = self.args.iter().map(|text| escaped(text));
            std::iter::once(program).chain(args).collect()
        });
        let escaped_values = |map: BTreeMap<String, String>| -> BTreeMap<String, String> {
            map.into_iter()
                .map(|(name, value)| (name, escaped(&value)))
                .collect()
        };
        Ok(RawUpstream {
            name: Some(name.to_owned()),
            path: (!is_alone).then(|| format!("/{name}")),
            transport: (self.kind.as_deref() == Some("sse")).then_some(RawTransport::Sse),
            url: self.url,
            command,
            env: escaped_values(self.env),
            cwd: self.cwd,
            identity: RawIdentity {
                headers: escaped_values(self.headers),
                ..RawIdentity::default()
            },
            ..RawUpstream::default()
        })
    }
}

fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
