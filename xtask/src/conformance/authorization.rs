//! `cargo xtask conformance as`: the suite's authorization-server leg against `portcullis run`.
//!
//! A public client registers itself, and a script plays the person: it signs in and consents at the
//! URL that the suite prints. Each revision is run without `resource` and with it, and once the
//! person denies: then the code grant has to fail, or the script would pass with anything.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    ground::{FIXTURE, Ground},
    results::{Counts, Results},
    suite::{Person, Scenario},
};
use crate::{
    Verdict,
    process::{Background, read},
};

/// Revisions that this leg knows.
pub(super) const REVISIONS: &[&str] = &["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The program under test.
const PROGRAM: &str = "portcullis";

/// What has to be run; the suite has no requirements for this leg.
const SCENARIOS: [&str; 2] = ["authorization-server-metadata-endpoint", GRANT];
const GRANT: &str = "authorization-code-grant";

/// For nobody else to read.
const PRIVATE: u32 = 0o700;

/// Who signs in. The account guards nothing, and lives as long as the run.
const USER: &str = "casey";
const PASSWORD: &str = "correct horse battery staple 4711";

/// Runs the leg. The last line printed is the counts.
pub(super) fn check(revisions: &[&str]) -> Result<Verdict> {
    let leg = Leg(Ground::prepare("as")?);
    let mut sum = Tally::default();
    for revision in revisions {
        let tally = leg.run(revision)?;
        println!("{revision}: {tally}");
        sum.add(tally);
    }
    println!("{sum}");
    Ok(Verdict::good_if(sum.is_clean()))
}

/// What one revision, or all of them, came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    counts: Counts,
    faults: usize,
    passed_though_denied: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.faults += other.faults;
        self.passed_though_denied += other.passed_though_denied;
    }

    fn is_clean(&self) -> bool {
        self.faults + self.passed_though_denied == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            counts,
            faults,
            passed_though_denied,
        } = self;
        write!(
            f,
            "{counts}; {faults} faults, {passed_though_denied} passed though the person denied"
        )
    }
}

struct Leg(Ground);

impl Leg {
    fn run(&self, revision: &str) -> Result<Tally> {
        let mut tally = Tally::default();
        for with_resource in [false, true] {
            let name = if with_resource { "resource" } else { "plain" };
            let results = self.grant(name, revision, with_resource)?;
            for fault in results.faults(&scenarios()) {
                println!("FAIL  {revision} {name}: {fault}");
                tally.faults += 1;
            }
            tally.counts.add(results.counts());
        }
        let out = self.0.folder("denied", revision)?;
        let server = self.start(&out)?;
        let person = server.person(None).denying();
        self.0.suite.run_authorization(&person, revision, &out)?;
        if !Results::read(&out)?.failed(GRANT) {
            println!("FAIL  {revision}: `{GRANT}` did not fail when the person denied");
            tally.passed_though_denied += 1;
        }
        Ok(tally)
    }

    fn grant(&self, run: &str, revision: &str, with_resource: bool) -> Result<Results> {
        let out = self.0.folder(run, revision)?;
        let server = self.start(&out)?;
        let resource = with_resource.then_some(server.resource.as_str());
        let person = server.person(resource);
        self.0.suite.run_authorization(&person, revision, &out)?;
        Results::read(&out)
    }

    /// The program with an account and a server behind it, as an operator would set it up.
    fn start(&self, out: &Path) -> Result<Server> {
        let config = out.join("portcullis.toml");
        let fixture = self.0.program(FIXTURE);
        let state = out.join("state");
        DirBuilder::new().mode(PRIVATE).create(&state)?;
        fs::write(&config, configuration(&fixture, &state))?;
        self.add_user(&config, out)?;
        let config = config.to_string_lossy();
        let arguments = ["run", "--json", "--config", &config];
        let (program, resource) = self.0.start(PROGRAM, &arguments, out)?;
        Ok(Server {
            issuer: origin(&resource)?.to_owned(),
            resource,
            _program: program,
        })
    }

    fn add_user(&self, config: &Path, out: &Path) -> Result<()> {
        let password = out.join("password");
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(PRIVATE & !0o100)
            .open(&password)?;
        file.write_all(PASSWORD.as_bytes())?;
        let mut program = Command::new(self.0.program(PROGRAM));
        program
            .args(["user", "add", USER, "--config"])
            .arg(config)
            .arg("--password-file")
            .arg(password);
        read(&mut program).context("no account for the person")?;
        Ok(())
    }
}

/// Ends with this value.
struct Server {
    issuer: String,
    resource: String,
    _program: Background,
}

impl Server {
    fn person<'a>(&'a self, resource: Option<&'a str>) -> Person<'a> {
        Person::new(&self.issuer, USER, PASSWORD).asking_for(resource)
    }
}

fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario {
        name: name.to_owned(),
        required: true,
    };
    SCENARIOS.into_iter().map(scenario).collect()
}

/// What an operator would write.
fn configuration(fixture: &Path, state: &Path) -> String {
    format!(
        "listen = '127.0.0.1:0'\n\n[auth]\nmode = 'server'\n\n[store]\nurl = 'sqlite:{}/portcullis.db'\n\n\
         [[upstream]]\ncommand = ['{}', '--stdio']\n",
        state.display(),
        fixture.display()
    )
}

/// `http://localhost:1/mcp` -> `http://localhost:1`
fn origin(url: &str) -> Result<&str> {
    match url.rsplit_once('/') {
        Some((origin, _)) if !origin.ends_with('/') => Ok(origin),
        _ => bail!("`{url}` has no path"),
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn the_issuer_is_the_origin() {
        assert_eq!(
            origin("http://localhost:1/mcp").unwrap(),
            "http://localhost:1"
        );
        assert!(origin("http://localhost:1").is_err());
    }
}
