//! `cargo xtask conformance gateway`: the fixture directly, and behind `portcullis run`.
//!
//! The fixture is reached over HTTP and on stdio, the gateway asks for a token or for none: four
//! ways, and in each every verdict of the suite has to be what it is without a gateway, but for
//! checks that cannot apply to a server on stdio. Without the token, nothing may pass.

use std::{fmt, fs, path::Path};

use anyhow::Result;

use super::{
    ground::{DOOR, FIXTURE, Ground},
    inapplicable::{self, Inapplicable, ON_STDIO},
    results::{Results, differences},
};
use crate::{Verdict, process::Background};

/// The program under test.
const GATEWAY: &str = "portcullis";

/// Who issues the token, and whom it is for. Nobody is asked about either: the key is in a file.
const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "urn:conformance";

/// How the gateway reaches the fixture.
#[derive(Clone, Copy, Debug)]
enum Behind {
    Http,
    Stdio,
}

impl Behind {
    /// Checks that cannot apply there.
    fn inapplicable(self) -> &'static [Inapplicable] {
        match self {
            Self::Http => &[],
            Self::Stdio => ON_STDIO,
        }
    }
}

/// Whether the gateway asks for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Locked,
}

struct Way {
    name: &'static str,
    behind: Behind,
    door: Door,
}

const WAYS: [Way; 4] = [
    Way {
        name: "http",
        behind: Behind::Http,
        door: Door::Open,
    },
    Way {
        name: "http-token",
        behind: Behind::Http,
        door: Door::Locked,
    },
    Way {
        name: "stdio",
        behind: Behind::Stdio,
        door: Door::Open,
    },
    Way {
        name: "stdio-token",
        behind: Behind::Stdio,
        door: Door::Locked,
    },
];

/// Runs the leg. The last line printed is the counts.
pub(super) fn check(revisions: &[&str]) -> Result<Verdict> {
    let leg = Leg(Ground::prepare("gateway")?);
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
    /// Verdicts that were compared.
    compared: usize,
    /// Those that cannot be reached.
    inapplicable: usize,
    faults: usize,
    differences: usize,
    passed_without_token: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.inapplicable += other.inapplicable;
        self.faults += other.faults;
        self.differences += other.differences;
        self.passed_without_token += other.passed_without_token;
    }

    fn is_clean(&self) -> bool {
        self.faults + self.differences + self.passed_without_token == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            compared,
            inapplicable,
            faults,
            differences,
            passed_without_token,
        } = self;
        write!(
            f,
            "{compared} verdicts behind the gateway, {inapplicable} do not apply; \
             {faults} faults without it, {differences} differences, \
             {passed_without_token} passed without a token"
        )
    }
}

struct Leg(Ground);

impl Leg {
    /// One revision: directly, in each way behind the gateway, and without the token.
    fn run(&self, revision: &str) -> Result<Tally> {
        let direct = self.direct(revision)?;
        let faults = direct.faults(&self.0.suite.scenarios(revision)?);
        for fault in &faults {
            println!("FAIL  {revision} without a gateway: {fault}");
        }
        let mut tally = Tally {
            faults: faults.len(),
            ..Tally::default()
        };
        for way in &WAYS {
            let results = self.behind(way, revision)?;
            let found = differences(&direct, &results);
            let (differences, excused) =
                inapplicable::judge(&found, way.behind.inapplicable(), revision);
            for difference in &differences {
                println!("FAIL  {revision} {}: {difference}", way.name);
            }
            tally.compared += results.count();
            tally.inapplicable += excused;
            tally.differences += differences.len();
            if way.door == Door::Locked && !self.is_shut(way, revision)? {
                println!(
                    "FAIL  {revision} {}: `{DOOR}` did not fail without a token",
                    way.name
                );
                tally.passed_without_token += 1;
            }
        }
        Ok(tally)
    }

    fn direct(&self, revision: &str) -> Result<Results> {
        let out = self.0.folder("direct", revision)?;
        let (_server, url) = self.fixture(&out)?;
        self.0.run(&url, revision, &out)
    }

    fn behind(&self, way: &Way, revision: &str) -> Result<Results> {
        let out = self.0.folder(way.name, revision)?;
        let running = self.start(way, &out)?;
        match &running.token {
            None => self.0.run(&running.url, revision, &out),
            Some(token) => {
                let (_proxy, url) = self.0.suite.start_proxy(&running.url, token)?;
                self.0.run(&url, revision, &out)
            }
        }
    }

    /// Whether nothing passes without the token.
    fn is_shut(&self, way: &Way, revision: &str) -> Result<bool> {
        let out = self.0.folder(&format!("{}-shut", way.name), revision)?;
        let running = self.start(way, &out)?;
        self.0.is_shut(&running.url, revision, &out)
    }

    /// The gateway, with the fixture behind it.
    fn start(&self, way: &Way, out: &Path) -> Result<Running> {
        let (auth, token) = match way.door {
            Door::Open => ("mode = 'none'".to_owned(), None),
            Door::Locked => {
                let key = out.join("key.pem");
                let token = self.0.suite.token(&key, ISSUER, AUDIENCE)?;
                (locked(&key), Some(token))
            }
        };
        let (fixture, upstream) = match way.behind {
            Behind::Http => {
                let (fixture, url) = self.fixture(out)?;
                (Some(fixture), format!("url = '{url}'"))
            }
            Behind::Stdio => {
                let fixture = self.0.program(FIXTURE);
                let fixture = fixture.display();
                (None, format!("command = ['{fixture}', '--stdio']"))
            }
        };
        let config = out.join("portcullis.toml");
        fs::write(&config, configuration(&auth, &upstream))?;
        let config = config.to_string_lossy();
        let arguments = ["run", "--json", "--config", &config];
        let (gateway, url) = self.0.start(GATEWAY, &arguments, out)?;
        Ok(Running {
            url,
            token,
            _gateway: gateway,
            _fixture: fixture,
        })
    }

    fn fixture(&self, out: &Path) -> Result<(Background, String)> {
        self.0.start(FIXTURE, &["--port", "0"], out)
    }
}

/// Ends with this value: the gateway first, then what is behind it.
struct Running {
    url: String,
    token: Option<String>,
    _gateway: Background,
    _fixture: Option<Background>,
}

/// What an operator would write.
fn configuration(auth: &str, upstream: &str) -> String {
    format!("listen = '127.0.0.1:0'\n\n[auth]\n{auth}\n\n[[upstream]]\n{upstream}\n")
}

/// Tokens are verified by the key in this file.
fn locked(key: &Path) -> String {
    let key = key.display();
    format!(
        "mode = 'jwt'\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\nalgorithm = 'ES256'\n\
         public_key_file = '{key}'"
    )
}
