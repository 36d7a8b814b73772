//! Where state is kept.

use std::path::{Path, PathBuf};

use portcullis_fetch::system::SystemEntropy;
use portcullis_store::{DiskStore, MemoryStore, SealingKeys, StoreError, StoreHandle};

use super::auth::{self, Plan};
use super::origin::Origin;
use super::telemetry::{self, AuditSettings};
use super::{Loaded, Request, load};
use crate::report::{Failure, Problem, Report};

/// The store of an authorization server, unless another is named.
const FILE: &str = "sqlite:portcullis.db";
/// What leaves the values in it readable.
const NO_ENCRYPTION: &str = "store.danger_no_encryption";

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    pub(crate) place: StorePlace,
}

/// A kind of store, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// In the process, with which it ends.
    Memory,
    /// In a file, sealed under the key in another, or not at all.
    Sqlite {
        file: PathBuf,
        key_file: Option<PathBuf>,
    },
}

impl StorePlace {
    /// The store there; one in memory is a new one. Its keys are read, or made, when it is used.
    ///
    /// # Errors
    /// [`StoreError`] when there can be none.
    pub(crate) async fn open(&self) -> Result<StoreHandle, StoreError> {
        let Self::Sqlite { file, key_file } = self else {
            return Ok(MemoryStore::new().into());
        };
        // What the place says of keys takes the place of these.
        let keys = SealingKeys::generate(&SystemEntropy::new())?;
        let store = DiskStore::open_file(file, keys).await?;
        Ok(match key_file {
            Some(key_file) => store.key_file(key_file).into(),
            None => store.dangerous().without_encryption(),
        })
    }
}

/// What a command needs that works beside a server.
pub(crate) struct Beside {
    pub(crate) place: StorePlace,
    pub(crate) audit: Option<AuditSettings>,
    /// The mode, where users come from an identity provider.
    pub(crate) provider: Option<&'static str>,
}

/// Where state and the audit log are kept, or everything that is wrong with what was written. Warnings
/// are reported. What only a server needs is not asked for.
pub(crate) fn beside(request: Request, report: Report) -> Result<Beside, Failure> {
    let mut loaded = load(request);
    let audit = telemetry::audit(&loaded);
    let provider = auth::proxy_mode(&loaded);
    let place = loaded
        .is_read
        .then(|| place(&mut loaded, FILE).unwrap_or(StorePlace::Memory));
    for warning in &loaded.warnings {
        report.warning(warning);
    }
    loaded.problems.sort_by_key(Problem::line);
    match place {
        Some(place) if loaded.problems.is_empty() => Ok(Beside {
            place,
            audit,
            provider,
        }),
        _ => Err(Failure(loaded.problems)),
    }
}

/// The store of a server of that mode.
pub(super) fn settings(loaded: &mut Loaded, plan: Option<&Plan>) -> StoreSettings {
    // Accounts are made by another process, and what users granted outlives this one.
    let default = match plan {
        Some(Plan::Server(_) | Plan::Proxy(_)) => FILE,
        _ => "memory:",
    };
    let place = place(loaded, default).unwrap_or(StorePlace::Memory);
    StoreSettings { place }
}

fn place(loaded: &mut Loaded, default: &str) -> Option<StorePlace> {
    let url = loaded.raw.store.url.clone();
    let url = url.as_deref().unwrap_or(default);
    let (scheme, path) = url.split_once(':').unwrap_or((url, ""));
    let (fault, hint) = match scheme {
        "memory" if path.is_empty() => {
            for (key, is_said) in [
                ("store.key_file", loaded.raw.store.key_file.is_some()),
                (NO_ENCRYPTION, loaded.raw.store.danger_no_encryption),
            ] {
                if is_said {
                    let problem = loaded.problem(key, "has no effect in memory");
                    let hint = "set `store.url`, too, as in `sqlite:portcullis.db`";
                    loaded.problems.push(problem.hint(hint));
                }
            }
            return Some(StorePlace::Memory);
        }
        "sqlite" if !path.is_empty() && !path.starts_with("//") => {
            return Some(sqlite(loaded, path));
        }
        "sqlite" => (
            "names no file",
            "write `sqlite:PATH`, as in `sqlite:portcullis.db`",
        ),
        "postgres" | "postgresql" | "redis" | "rediss" => {
            ("is not built into this version", "use `sqlite:PATH`")
        }
        _ => (
            "is no kind of store that is known",
            "write `sqlite:PATH` or `memory:`",
        ),
    };
    let problem = loaded.problem("store.url", fault).hint(hint);
    loaded.problems.push(problem);
    None
}

fn sqlite(loaded: &mut Loaded, path: &str) -> StorePlace {
    let file = match loaded.raw.store.url {
        Some(_) => loaded.path("store.url", path),
        None => unless_elsewhere(loaded.folder.join(path), Path::new(path)),
    };
    if is_unencrypted(loaded) {
        let key_file = None;
        return StorePlace::Sqlite { file, key_file };
    }
    let key_file = loaded.raw.store.key_file.as_deref();
    let key_file = key_file.map_or_else(
        || file.with_extension("key"),
        |path| loaded.path("store.key_file", path),
    );
    let key_file = Some(key_file);
    StorePlace::Sqlite { file, key_file }
}

/// Whether values are to be readable in the file.
fn is_unencrypted(loaded: &mut Loaded) -> bool {
    if !loaded.raw.store.danger_no_encryption {
        return false;
    }
    if loaded.raw.store.key_file.is_some() {
        let fault = "has no effect: the store is not encrypted";
        let problem = loaded.problem("store.key_file", fault);
        let hint = format!("take it away, or `{NO_ENCRYPTION}`");
        loaded.problems.push(problem.hint(hint));
    }
    // SECURITY: a variable that somebody forgot opens nothing that a file closes;
    // sec_gw_09_the_environment_opens_nothing
    let origin = loaded.origins.find(NO_ENCRYPTION);
    if loaded.file_sets_auth && origin.is_some_and(Origin::is_environment) {
        let what = "comes from the environment, and the file sets an auth mode";
        let problem = loaded.problem(NO_ENCRYPTION, what);
        loaded.problems.push(problem.hint("say it in the file"));
    }
    true
}

/// The file beside the configuration, unless there is one in the working directory alone: a server may
/// have begun there.
fn unless_elsewhere(beside: PathBuf, here: &Path) -> PathBuf {
    if here.exists() && !beside.exists() {
        return here.to_owned();
    }
    beside
}
