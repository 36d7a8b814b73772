//! Where to listen, and who can reach that.

use std::net::{IpAddr, SocketAddr};

use portcullis_oauth::BaseUrl;
use portcullis_oauth::id::is_loopback_host;

use super::Loaded;
use super::auth::Plan;
use super::origin::Origin;
use crate::report::Problem;

/// Where this program listens unless told.
const LISTEN: &str = "127.0.0.1:8000";

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    text: String,
    port: u16,
    local: bool,
}

impl Listen {
    /// `127.0.0.1:8000`, `[::1]:8000` or `localhost:8000`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self {
                text: text.to_owned(),
                port: address.port(),
                local: address.ip().is_loopback(),
            });
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_host =
            !host.is_empty() && host.bytes().all(is_name) && host.parse::<IpAddr>().is_err();
        is_host.then(|| Self {
            text: text.to_owned(),
            port,
            local: host.eq_ignore_ascii_case("localhost"),
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Where to listen, if that can be read.
pub(super) fn address(loaded: &mut Loaded) -> Option<Listen> {
    let text = loaded
        .raw
        .listen
        .clone()
        .unwrap_or_else(|| LISTEN.to_owned());
    let listen = Listen::parse(&text);
    if listen.is_none() {
        let problem = loaded.problem("listen", "is not an address with a port");
        loaded
            .problems
            .push(problem.hint("write it as `127.0.0.1:8000`, or `0.0.0.0:8000` for all"));
    }
    // SECURITY: a file that says `127.0.0.1` does not take back a socket that others reach, and
    // could leave it without auth; sec_gw_09_a_reload_opens_nothing
    if let Some(running) = loaded.listening.clone() {
        if listen.as_ref().is_some_and(|listen| *listen != running) {
            let problem = loaded.problem("listen", "has changed");
            loaded.warnings.push(problem.hint("restart to apply it"));
        }
        return Some(running);
    }
    listen
}

/// Nobody reaches a server without auth, or with the one of `dev`, but this machine: neither at its
/// address, nor through a proxy that has its public name.
pub(super) fn check_open(plan: &Plan, listen: &Listen, loaded: &mut Loaded) {
    let is_open = matches!(plan, Plan::Open);
    let reached = way_in(listen, loaded);
    let reach = match reached {
        Some("trusted_proxies") => "says that this server is reached",
        _ => "is reached",
    };
    let problem = match (plan, reached) {
        // SECURITY: nobody opens a server to the network by forgetting a line;
        // sec_gw_09_no_auth_stays_on_this_machine
        (Plan::Open, Some(key)) if !loaded.raw.danger_allow_anonymous => loaded
            .problem(
                key,
                format!("{reach} by other machines, and nobody verifies callers"),
            )
            .hint(
                "choose an auth mode, leave it out and listen on 127.0.0.1, or set \
                 `danger_allow_anonymous = true`",
            ),
        // SECURITY: one click makes anybody an administrator;
        // sec_gw_09_dev_mode_stays_on_this_machine
        (Plan::Dev(_), Some(key)) => loaded
            .problem(
                key,
                format!("{reach} by other machines, and mode `dev` is for this one alone"),
            )
            .hint("leave it out and listen on 127.0.0.1, or choose another auth mode"),
        _ => {
            let danger = loaded.raw.danger_allow_anonymous;
            let by_variable = loaded
                .origins
                .find("danger_allow_anonymous")
                .is_some_and(Origin::is_environment);
            if danger && by_variable && loaded.file_sets_auth {
                let what = "comes from the environment, and the file sets an auth mode";
                let problem = loaded.problem("danger_allow_anonymous", what);
                loaded.problems.push(problem.hint("take the variable away"));
            } else if danger && is_open {
                let what = "everybody who reaches this server may use it: it has no auth";
                loaded
                    .warnings
                    .push(loaded.problem("danger_allow_anonymous", format!("is set: {what}")));
            }
            return;
        }
    };
    loaded.problems.push(problem);
}

/// The setting by which other machines reach a server, if one does. A URL that cannot be read is a
/// mistake of its own.
pub(super) fn way_in(listen: &Listen, loaded: &Loaded) -> Option<&'static str> {
    let raw = &loaded.raw;
    let url = raw.base_url.as_deref().map(BaseUrl::parse);
    let is_public = |host: &String| !is_loopback_host(host_of(host));
    if !listen.local {
        Some("listen")
    } else if url.is_some_and(|url| url.is_ok_and(|url| !url.is_loopback())) {
        Some("base_url")
    } else {
        let is_named = raw.allowed_hosts.iter().any(is_public);
        // Requests of such a proxy are others'.
        let has_proxies = !raw.trusted_proxies.is_empty();
        let proxies = has_proxies.then_some("trusted_proxies");
        is_named.then_some("allowed_hosts").or(proxies)
    }
}

/// `example.com:8000` -> `example.com`
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The public URL as it was said.
#[derive(Debug)]
pub(super) enum Said {
    Url(BaseUrl),
    /// It follows from the address.
    Nothing,
}

/// The public URL; `None` where it has to be said, or cannot be read.
pub(super) fn base_url(
    loaded: &mut Loaded,
    plan: Option<&Plan>,
    listen: Option<&Listen>,
) -> Option<Said> {
    let said = loaded.raw.base_url.clone();
    let is_of_file = loaded.origins.find("base_url").is_none_or(Origin::is_file);
    let by_provider = plan.and_then(|plan| plan.base_url(loaded));
    let (text, origin) = match by_provider {
        Some((text, origin)) if is_of_file => (Some(text), Some(origin)),
        _ => (said, loaded.origins.find("base_url").cloned()),
    };
    let Some(text) = text else {
        if listen.is_some_and(|listen| !listen.local) {
            let problem = loaded.problem(
                "base_url",
                "is not set, and other machines reach this server",
            );
            loaded.problems.push(problem.hint(
                "say under which URL clients reach it, as in `--base-url https://mcp.example.com`",
            ));
            return None;
        }
        return Some(Said::Nothing);
    };
    match BaseUrl::parse(&text) {
        Ok(url) => Some(Said::Url(url)),
        Err(error) => {
            let problem = Problem::new(format!("`base_url`: {error}")).at(origin);
            loaded.problems.push(problem.hint(
                "give the public URL, as in `https://mcp.example.com`; `http` is for loopback addresses alone",
            ));
            None
        }
    }
}
