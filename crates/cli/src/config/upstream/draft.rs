//! Reads one upstream, and gathers what is wrong with it.

use portcullis_gateway::{Identity, Needs, Rules};
use portcullis_oauth::{EndpointUrl, InvalidUrl};
use portcullis_resource_server::ConfigError;

use super::{Place, Process, Statement, UpstreamSettings};
use crate::config::Loaded;
use crate::config::file::read_text;
use crate::config::raw::{
    RawIdentity, RawIsolation, RawOthers, RawRule, RawTransport, RawUpstream,
};
use crate::config::resolve::{check_path, duration, scopes};
use crate::config::said::said;

pub(super) struct Draft<'l> {
    /// `upstream.0`.
    pub(super) key: String,
    pub(super) loaded: &'l mut Loaded,
}

impl Draft<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.key)
    }

    fn fault(&mut self, name: &str, fault: &str, hint: Option<&str>) {
        let problem = self.loaded.problem(&self.key(name), fault).maybe_hint(hint);
        self.loaded.problems.push(problem);
    }

    pub(super) fn resolve(
        &mut self,
        mut raw: RawUpstream,
        alone_at: Option<&str>,
    ) -> Option<UpstreamSettings> {
        let required = std::mem::take(&mut raw.required_scopes);
        let required_scopes = scopes(self.loaded, &self.key("required_scopes"), &required);
        let rules = self.rules(&raw);
        let identity = self.identity(&raw.identity, !raw.command.is_empty());
        let statement = self.statement(&raw);
        let name = match (raw.name.take(), alone_at) {
            (Some(name), _) => Some(name),
            (None, Some(_)) => Some("default".to_owned()),
            (None, None) => {
                self.fault(
                    "name",
                    "is not set",
                    Some("each of several upstreams needs a name"),
                );
                None
            }
        };
        let path = match (raw.path.take(), alone_at) {
            (Some(path), _) => {
                check_path(self.loaded, &self.key("path"), &path);
                Some(path)
            }
            (None, Some(path)) => Some(path.to_owned()),
            (None, None) => {
                self.fault(
                    "path",
                    "is not set",
                    Some("each of several upstreams needs a path of its own, such as `/files`"),
                );
                None
            }
        };
        let resource_name = raw.resource_name.take();
        let below = |path: &String| path.trim_end_matches('/').to_owned();
        let legacy_sse = raw.legacy_sse.then(|| match alone_at {
            Some(_) => String::new(),
            None => path.as_ref().map(below).unwrap_or_default(),
        });
        let place = self.place(raw);
        Some(UpstreamSettings {
            name: name?,
            path: path?,
            required_scopes,
            resource_name,
            legacy_sse,
            rules,
            identity,
            statement,
            place: place?,
        })
    }

    fn place(&mut self, raw: RawUpstream) -> Option<Place> {
        match (raw.url.clone(), raw.command.is_empty()) {
            (Some(_), false) => {
                self.fault(
                    "url",
                    "is set, and `command` too",
                    Some("say either where it is or how it starts"),
                );
                None
            }
            (None, true) => {
                self.fault(
                    "url",
                    "is not set",
                    Some("say where the server is with `url`, or how it starts with `command`"),
                );
                None
            }
            (Some(url), true) => self.http(&url, raw),
            (None, false) => self.process(raw),
        }
    }

    fn http(&mut self, url: &str, raw: RawUpstream) -> Option<Place> {
        self.without_effect(
            "over HTTP",
            &[
                ("env", !raw.env.is_empty()),
                ("inherit", !raw.inherit.is_empty()),
                ("cwd", raw.cwd.is_some()),
            ],
        );
        let is_old = raw.transport == Some(RawTransport::Sse);
        if is_old {
            let given = [("forward_headers", !raw.forward_headers.is_empty())];
            self.without_effect("over HTTP+SSE", &given);
        } else {
            self.without_effect("over HTTP", &[("isolation", raw.isolation.is_some())]);
        }
        let connect = duration(
            self.loaded,
            &self.key("connect_timeout"),
            raw.connect_timeout,
            5,
        );
        let answer = duration(
            self.loaded,
            &self.key("answer_timeout"),
            raw.answer_timeout,
            300,
        );
        let idle = duration(
            self.loaded,
            &self.key("idle_timeout"),
            raw.idle_timeout,
            1800,
        );
        let certificates = raw.ca_file.and_then(|file| {
            let key = self.key("ca_file");
            let read = read_text(&self.loaded.path(&key, &file));
            read.map_err(|problem| {
                let at = self.loaded.origins.find(&key);
                self.loaded.problems.push(problem.at(at));
            })
            .ok()
        });
        let plain = raw.danger_plain_http;
        let url = if plain {
            EndpointUrl::parse_plain(url)
        } else {
            EndpointUrl::parse(url)
        };
        let url = url.map_err(|error| {
            let problem = self
                .loaded
                .problem(&self.key("url"), "is not a URL that can be called");
            let hint = match error {
                InvalidUrl::Insecure => INSECURE,
                _ => "write the whole URL, as in `http://127.0.0.1:3001/mcp`",
            };
            self.loaded.problems.push(problem.because(error).hint(hint));
        });
        let url = url.ok()?;
        if plain && !url.is_plain() {
            self.fault("danger_plain_http", "has no effect", Some("take it away"));
        }
        Some(Place::Http {
            url,
            plain,
            old: is_old.then(|| raw.isolation.unwrap_or(RawIsolation::Session)),
            forward: raw.forward_headers,
            certificates,
            connect,
            answer,
            idle,
        })
    }

    fn process(&mut self, raw: RawUpstream) -> Option<Place> {
        self.without_effect(
            "for a program",
            &[
                ("transport", raw.transport.is_some()),
                ("forward_headers", !raw.forward_headers.is_empty()),
                ("ca_file", raw.ca_file.is_some()),
                ("danger_plain_http", raw.danger_plain_http),
                ("connect_timeout", raw.connect_timeout.is_some()),
                ("answer_timeout", raw.answer_timeout.is_some()),
                ("idle_timeout", raw.idle_timeout.is_some()),
            ],
        );
        if raw.command.first().is_none_or(String::is_empty) {
            self.fault("command", "names no program", None);
            return None;
        }
        let mut env = raw.env;
        env.extend(raw.identity.env);
        let cwd = raw.cwd.map(|cwd| self.loaded.path(&self.key("cwd"), &cwd));
        Some(Place::Process(Process {
            command: raw.command,
            env,
            inherit: raw.inherit,
            cwd,
            isolation: raw.isolation.unwrap_or(RawIsolation::Session),
        }))
    }

    fn without_effect(&mut self, place: &str, given: &[(&str, bool)]) {
        for (name, _) in given.iter().filter(|(_, given)| *given) {
            self.fault(
                name,
                &format!("has no effect {place}"),
                Some("take it away"),
            );
        }
    }

    fn identity(&mut self, raw: &RawIdentity, is_process: bool) -> Identity {
        let mut identity = Identity::new();
        if is_process && !raw.headers.is_empty() {
            self.fault(
                "identity.headers",
                "has no effect for a program",
                Some("use `identity.env`"),
            );
        }
        if !is_process && !raw.env.is_empty() {
            self.fault(
                "identity.env",
                "has no effect over HTTP",
                Some("use `identity.headers`"),
            );
        }
        if is_process && raw.forwarded {
            self.fault(
                "identity.forwarded",
                "has no effect for a program",
                Some("take it away"),
            );
        }
        if raw.forwarded {
            identity = identity.forwarded();
        }
        for (name, template) in &raw.headers {
            match identity.clone().header(name, template) {
                Ok(with) => identity = with,
                Err(error) => self.config_error(&format!("identity.headers.{name}"), &error),
            }
        }
        identity
    }

    /// What is signed of a caller.
    fn statement(&mut self, raw: &RawUpstream) -> Option<Statement> {
        let said = &raw.identity;
        if !said.jwt {
            for (name, given) in [
                ("identity.jwt_header", said.jwt_header.is_some()),
                ("identity.jwt_audience", said.jwt_audience.is_some()),
            ] {
                if given {
                    self.fault(name, "has no effect", Some("set `identity.jwt`, too"));
                }
            }
            return None;
        }
        let place = match raw.transport {
            _ if !raw.command.is_empty() => Some("for a program"),
            Some(RawTransport::Sse) => Some("over HTTP+SSE, where connections last longer"),
            _ => None,
        };
        if let Some(place) = place {
            self.without_effect(place, &[("identity.jwt", true)]);
            return None;
        }
        let is_dev = self.loaded.raw.auth.mode.as_deref() == Some("dev");
        let role_claims = self.loaded.raw.auth.role_claims.iter();
        Some(Statement {
            header: said.jwt_header.clone(),
            audience: said.jwt_audience.clone(),
            role_claims: role_claims.filter(|_| !is_dev).cloned().collect(),
        })
    }

    fn rules(&mut self, raw: &RawUpstream) -> Rules {
        type Add = fn(Rules, &str, Needs) -> Result<Rules, ConfigError>;
        let kinds: [(&str, &[RawRule], Add); 3] = [
            ("tool", &raw.tool, Rules::tool),
            ("prompt", &raw.prompt, Rules::prompt),
            ("resource", &raw.resource, Rules::resource),
        ];
        let mut rules = Rules::new();
        // The personas of `dev` have their role where it is by default.
        if self.loaded.raw.auth.mode.as_deref() != Some("dev") {
            rules = rules.role_claims(self.loaded.raw.auth.role_claims.iter().cloned());
        }
        for (kind, raws, add) in kinds {
            for (at, raw) in raws.iter().enumerate() {
                let key = format!("{kind}.{at}");
                let needs = self.needs(&key, raw);
                let Some(pattern) = &raw.pattern else {
                    self.fault(
                        &format!("{key}.match"),
                        "is not set",
                        Some("say whom the rule is for, as in `match = \"write_*\"`"),
                    );
                    continue;
                };
                match add(rules.clone(), pattern, needs) {
                    Ok(with) => rules = with,
                    Err(error) => self.config_error(&format!("{key}.match"), &error),
                }
            }
        }
        match raw.others {
            Some(RawOthers::Deny) => rules.deny_others(),
            Some(RawOthers::Allow) | None => rules,
        }
    }

    fn needs(&mut self, key: &str, raw: &RawRule) -> Needs {
        let scopes = scopes(
            self.loaded,
            &self.key(&format!("{key}.scopes")),
            &raw.scopes,
        );
        for (name, is_empty) in [
            ("scopes", raw.scopes.is_empty()),
            ("roles", raw.roles.is_empty()),
        ] {
            let name = format!("{key}.{name}");
            // SECURITY: a list that a template left empty must not open what it was to guard;
            // sec_gw_09_an_empty_list_in_a_rule_is_a_mistake
            if is_empty && self.loaded.origins.has(&self.key(&name)) {
                self.fault(&name, "is empty", Some("name one, or take it away"));
            }
        }
        if !raw.anonymous {
            let needs = Needs::scopes(scopes);
            if raw.roles.is_empty() {
                return needs;
            }
            return needs.and_roles(raw.roles.iter().cloned());
        }
        if !scopes.is_empty() || !raw.roles.is_empty() {
            self.fault(
                &format!("{key}.anonymous"),
                "stands beside scopes or roles",
                Some("who has no token has neither"),
            );
        }
        if self.loaded.raw.auth.anonymous.is_none() {
            self.fault(
                &format!("{key}.anonymous"),
                "has no effect",
                Some("set `auth.anonymous = \"per-tool\"`"),
            );
        }
        Needs::no_token()
    }

    fn config_error(&mut self, name: &str, error: &ConfigError) {
        let at = self.loaded.origins.find(&self.key(name));
        let problem = said(error).at(at);
        self.loaded.problems.push(problem);
    }
}

const INSECURE: &str = "use `https`, or set `danger_plain_http = true` in its `[[upstream]]`: in a private network \
    that is all your own, plain `http` is enough";
