//! The pinned suite: an npm package, run by a pinned Node.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    cache,
    process::{Background, read},
    project::{list, parse, text},
};

/// Lock file and scripts, from the root.
const FOLDER: &str = "conformance/suite";

/// The suite's program below `node_modules`.
const PROGRAM: &str = "@modelcontextprotocol/conformance/dist/index.js";

/// A scenario of the server leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Scored by the revision's requirements; the others are run and judged by us all the same.
    pub(crate) required: bool,
}

/// Who signs in at an authorization server, and consents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'a> {
    issuer: &'a str,
    user: &'a str,
    password: &'a str,
    resource: Option<&'a str>,
    denies: bool,
}

impl<'a> Person<'a> {
    pub(crate) fn new(issuer: &'a str, user: &'a str, password: &'a str) -> Self {
        Self {
            issuer,
            user,
            password,
            resource: None,
            denies: false,
        }
    }

    /// The client names the resource that its token is for.
    pub(crate) fn asking_for(self, resource: Option<&'a str>) -> Self {
        Self { resource, ..self }
    }

    /// Presses the other button.
    pub(crate) fn denying(self) -> Self {
        Self {
            denies: true,
            ..self
        }
    }
}

/// The installed suite.
#[derive(Debug)]
pub(crate) struct Suite {
    scripts: PathBuf,
    modules: PathBuf,
    node: PathBuf,
}

impl Suite {
    pub(crate) fn install(root: &Path) -> Result<Self> {
        let scripts = root.join(FOLDER);
        let modules = cache::npm(&scripts)?.join("node_modules");
        let node = cache::node(&modules);
        Ok(Self {
            scripts,
            modules,
            node,
        })
    }

    /// Every scenario of the server leg at a revision.
    pub(crate) fn scenarios(&self, revision: &str) -> Result<Vec<Scenario>> {
        let mut script = Command::new(&self.node);
        script
            .arg(self.scripts.join("requirements.mjs"))
            .arg(&self.modules)
            .arg(revision);
        let set = parse(&read(&mut script)?)?;
        let scored = list(&set, "server")
            .filter_map(|name| name.as_str())
            .map(|name| (name, true));
        let others = list(&set, "not_scored")
            .filter(|entry| text(entry, "leg") == "server")
            .map(|entry| (text(entry, "scenario"), false));
        let scenario = |(name, required): (&str, bool)| Scenario {
            name: name.to_owned(),
            required,
        };
        Ok(scored.chain(others).map(scenario).collect())
    }

    /// Every scenario of a revision. What the suite makes of it is judged by its results alone: its
    /// own status knows neither warnings nor scenarios that were not run.
    pub(crate) fn run_server(&self, url: &str, revision: &str, out: &Path) -> Result<()> {
        self.run(&["server", "--url", url, "--requirements", revision], out)
    }

    pub(crate) fn run_scenario(
        &self,
        url: &str,
        scenario: &str,
        revision: &str,
        out: &Path,
    ) -> Result<()> {
        self.run(
            &[
                "server",
                "--url",
                url,
                "--scenario",
                scenario,
                "--spec-version",
                revision,
            ],
            out,
        )
    }

    /// The authorization-server leg, with a person in front of it.
    pub(crate) fn run_authorization(
        &self,
        person: &Person<'_>,
        revision: &str,
        out: &Path,
    ) -> Result<()> {
        let log = File::create(out.join("suite.log"))?;
        let mut script = Command::new(&self.node);
        script
            .arg(self.scripts.join("authorization.mjs"))
            .arg(self.modules.join(PROGRAM))
            .args([person.issuer, revision])
            .arg(out)
            .args(["--user", person.user])
            .env("PEERS_PASSWORD", person.password);
        if let Some(resource) = person.resource {
            script.args(["--resource", resource]);
        }
        if person.denies {
            script.arg("--deny");
        }
        script.stdout(log.try_clone()?).stderr(log);
        println!("suite authorization {} {revision}", person.issuer);
        // Whatever it ends with, the results tell.
        script.status().context("cannot start the suite")?;
        Ok(())
    }

    /// A proxy before `url` that adds the token; returns the URL to use instead.
    pub(crate) fn start_proxy(&self, url: &str, token: &str) -> Result<(Background, String)> {
        let mut script = Command::new(&self.node);
        script
            .arg(self.scripts.join("inject-proxy.mjs"))
            .arg(url)
            .env("INJECT_TOKEN", token);
        Background::start(&mut script, url_in)
            .context("the proxy that adds the token did not start")
    }

    /// A token for `audience`, and in `key` the public key that verifies it.
    pub(crate) fn token(&self, key: &Path, issuer: &str, audience: &str) -> Result<String> {
        let mut script = Command::new(&self.node);
        script
            .arg(self.scripts.join("token.mjs"))
            .arg(key)
            .args([issuer, audience]);
        Ok(read(&mut script)?.trim().to_owned())
    }

    /// Runs the suite; what it says goes to `suite.log` beside the results.
    fn run(&self, arguments: &[&str], out: &Path) -> Result<()> {
        let log = File::create(out.join("suite.log"))?;
        let mut suite = Command::new(&self.node);
        suite
            .arg(self.modules.join(PROGRAM))
            .args(arguments)
            .arg("-o")
            .arg(out);
        suite.stdout(log.try_clone()?).stderr(log);
        println!("suite {}", arguments.join(" "));
        suite.status().context("cannot start the suite")?;
        Ok(())
    }
}

/// The first URL in a line.
pub(crate) fn url_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '`' | ','))
        .unwrap_or(rest.len());
    rest.get(..end).map(|url| format!("http://{url}"))
}

#[cfg(test)]
mod tests {
    use super::url_in;

    #[test]
    fn a_url_is_found_in_a_line() {
        assert_eq!(
            url_in("listening on http://127.0.0.1:1/mcp, stop with ^C").as_deref(),
            Some("http://127.0.0.1:1/mcp")
        );
        assert_eq!(
            url_in("{\"url\":\"http://127.0.0.1:1/mcp\"}").as_deref(),
            Some("http://127.0.0.1:1/mcp")
        );
        assert_eq!(url_in("starting"), None);
    }
}
