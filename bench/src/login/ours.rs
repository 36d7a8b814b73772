//! Our authorization server in a process of its own, on a durable store.
//!
//! `login-server FOLDER anybody|accounts` keeps its state in FOLDER, prints where it listens as
//! `{"address": ".."}`, and takes numbers: so many grants there shall be. It answers with
//! `{"grants": N, "tokens": [..]}`, tokens of some of them, and ends with its input.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{self, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, stream};
use portcullis::{Args, Server as McpServer, Tool};
use portcullis_authorization_server::{
    Attempt, Authenticate, Authentication, Keyring, KeyringSettings, Mint, OAuthProvider,
    RateLimits, RegistrationPolicy, User,
    users::accounts::{AccountName, NewAccount},
};
use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::{
    ClientId, Issuer, ResourceUrl, SharedClock, SharedEntropy, Subject,
    json::{self, Limits, Value, json},
    scopes,
};
use portcullis_resource_server::Unavailable;
use portcullis_store::{DiskStore, Records, StoreHandle};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin, stdout},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{person, walk::Site};
use crate::{host::Meter, server::calls::Echo};

/// As the program's first word: this server, and nothing else.
pub(crate) const NAME: &str = "login-server";

/// Grants that are made at the same time.
const AT_ONCE: usize = 256;

/// Tokens that are handed out at most.
const MOST_TOKENS: usize = 1000;

/// Longer than any benchmark.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Who may log in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Users {
    /// With any password.
    Anybody,
    /// With the password of the account.
    Accounts,
}

impl Users {
    fn word(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Accounts => "accounts",
        }
    }
}

/// It ends, and its state goes, when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) site: Site,
    pub(crate) meter: Meter,
    pub(crate) address: SocketAddr,
    pub(crate) process: u32,
    pub(crate) folder: PathBuf,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Server {
    pub(crate) async fn start(users: Users) -> Result<Self> {
        let program = std::env::current_exe()?;
        // Beside the program: a folder for temporary files may be in memory.
        let name = format!("login-state-{}-{}", process::id(), users.word());
        let folder = program.with_file_name(name);
        let mut child = Command::new(&program)
            .arg(NAME)
            .arg(&folder)
            .arg(users.word())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("no pipe to the server")?;
        let output = child.stdout.take().context("no pipe from the server")?;
        let mut output = BufReader::new(output).lines();
        let said = read(&mut output).await?;
        let address = said.get("address").and_then(Value::as_str);
        let address: SocketAddr = address.context("no address")?.parse()?;
        let process = child.id().context("the server ended at its start")?;
        let resource = format!("http://{address}/mcp");
        let site = Site::discover(address, (resource, "notes:read"), person()).await?;
        Ok(Self {
            site: match users {
                Users::Anybody => site,
                Users::Accounts => site.of_one_user(),
            },
            meter: Meter::of_whole_process(Some(process)),
            address,
            process,
            folder,
            input,
            output,
            child,
        })
    }

    /// Makes grants until there are so many. Returns tokens of some, from the first to the last.
    pub(crate) async fn grow(&mut self, grants: usize) -> Result<Vec<String>> {
        let line = format!("{grants}\n");
        self.input.write_all(line.as_bytes()).await?;
        let said = read(&mut self.output).await?;
        let tokens = said.get("tokens").and_then(Value::as_array);
        let tokens = tokens.context("no tokens")?.iter();
        let texts = tokens.filter_map(|token| token.as_str().map(str::to_owned));
        Ok(texts.collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when they are gone already.
        let _ = self.child.start_kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn read(output: &mut Lines<BufReader<ChildStdout>>) -> Result<Value> {
    let line = output.next_line().await?;
    let line = line.context("the server of the benchmark ended")?;
    Ok(json::value(line.as_bytes(), LONG)?)
}

/// A line with many tokens.
const LONG: Limits = Limits::MCP;

/// `FOLDER anybody|accounts`
pub(crate) fn serve(mut words: impl Iterator<Item = String>) -> Result<()> {
    let folder = words.next().context("no folder is named")?;
    let users = match words.next().as_deref() {
        Some("anybody") => Users::Anybody,
        Some("accounts") => Users::Accounts,
        _ => bail!("who may log in?"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&folder, users))
}

async fn run(folder: &str, users: Users) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let base_url = format!("http://{address}");
    let store = StoreHandle::from(DiskStore::open(folder).await?);
    let builder = OAuthProvider::builder()
        .base_url(&base_url)
        .store(store.clone())
        .scopes(scopes!["notes:read"])
        .access_token_lifetime(LIFETIME)
        .rate_limits(RateLimits::default().times(1_000_000))
        .registration(RegistrationPolicy::new().limit(u64::MAX));
    let provider = match users {
        Users::Anybody => builder.users(Anybody).build()?,
        Users::Accounts => builder.build()?,
    };
    if let Some(accounts) = provider.accounts().await? {
        let person = person();
        let name = AccountName::parse(&person.user)?;
        let account = NewAccount::new(name, person.password.as_str().into());
        accounts.add(account).await?;
    }
    let server = McpServer::new("bench")
        .tool(Tool::new("echo", echo))
        .auth(provider);
    tokio::spawn(server.serve_with_listener(listener));
    say(&json!({"address": address.to_string()})).await?;
    let mut grants = Grants::of(store, &base_url).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        grants.grow(line.trim().parse()?).await?;
        say(&json!({"grants": grants.made, "tokens": grants.tokens})).await?;
    }
    Ok(())
}

async fn say(value: &Value) -> Result<()> {
    let mut out = stdout();
    out.write_all(format!("{value}\n").as_bytes()).await?;
    Ok(out.flush().await?)
}

/// What was made without a browser.
struct Grants {
    records: Records,
    keyring: Keyring,
    issuer: Issuer,
    resource: ResourceUrl,
    made: usize,
    tokens: Vec<String>,
}

impl Grants {
    async fn of(store: StoreHandle, base_url: &str) -> Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock::new());
        let entropy: SharedEntropy = Arc::new(SystemEntropy::new());
        let records = store.open(clock, entropy).await?;
        let settings = KeyringSettings::new().access_token_lifetime(LIFETIME);
        Ok(Self {
            keyring: Keyring::open(&records, settings).await?,
            records,
            issuer: Issuer::parse(base_url)?,
            resource: ResourceUrl::parse(&format!("{base_url}/mcp"))?,
            made: 0,
            tokens: Vec::new(),
        })
    }

    async fn grow(&mut self, wanted: usize) -> Result<()> {
        let each = (wanted / MOST_TOKENS).max(1);
        let mut made = stream::iter(self.made..wanted)
            .map(|at| self.mint(at))
            .buffer_unordered(AT_ONCE);
        let mut kept = Vec::new();
        while let Some(minted) = made.next().await {
            let (at, token) = minted?;
            if at % each == 0 {
                kept.push(token);
            }
        }
        drop(made);
        self.tokens = kept;
        self.made = wanted;
        Ok(())
    }

    /// The token of one more grant, each of another user.
    async fn mint(&self, at: usize) -> Result<(usize, String)> {
        let subject = Subject::parse(&format!("user-{at}"))?;
        let client = ClientId::parse("bench")?;
        let token = Mint::new(subject, client, self.resource.clone())
            .scope(scopes!["notes:read"])
            .lifetime(LIFETIME)
            .token(&self.issuer, &self.keyring, &self.records)
            .await?;
        Ok((at, token.expose().to_owned()))
    }
}

/// Says it again.
async fn echo(Args(Echo { text }): Args<Echo>) -> String {
    text
}

/// Takes any password, and is nobody's example.
struct Anybody;

impl Authenticate for Anybody {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let user = user(attempt.username);
        user.map(Authentication::Complete)
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        user(subject.as_str()).map(Some)
    }
}

fn user(name: &str) -> Result<User, Unavailable> {
    let subject = Subject::parse(name).map_err(|_| Unavailable::new("no name"))?;
    Ok(User::new(subject))
}
