//! The repository as the checks see it: its files, its packages and what they depend on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    environment::variable,
    process::{cargo, read},
    source,
};

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments and literals (see [`source::code`]); empty unless it is Rust.
    pub(crate) code: String,
}

impl File {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let code = if is_rust(&path) {
            source::code(&text)
        } else {
            String::new()
        };
        Self { path, text, code }
    }

    pub(crate) fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    /// Rust that only tests compile.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
    }

    /// Lines of code before the test module at the foot, numbered from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = source::lines_before_tests(&self.code);
        self.code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .take(end)
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

/// Where a dependency is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    /// A member of this workspace.
    pub(crate) ours: bool,
}

/// A package of the lock file.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    pub(crate) rust_version: Option<String>,
    /// A member of this workspace.
    pub(crate) ours: bool,
    /// Path of `Cargo.toml`; from the root for our own.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Root files of libraries and programs, from the root of the repository; for our own.
    pub(crate) roots: Vec<String>,
}

/// The whole repository.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    pub(crate) files: Vec<File>,
}

impl Project {
    /// Reads the repository this program was started in.
    pub(crate) fn load() -> Result<Self> {
        let root = root()?;
        let metadata = read(&mut cargo(
            &root,
            [
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--all-features",
            ],
        ))
        .context(
            "cannot read the packages; after a change of dependencies, commit Cargo.lock with it",
        )?;
        let metadata = parse(&metadata)?;
        let target = PathBuf::from(text(&metadata, "target_directory"));
        let packages = list(&metadata, "packages")
            .map(|package| read_package(package, &root))
            .collect();
        let files = read_files(&root)?;
        Ok(Self {
            root,
            target,
            packages,
            files,
        })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.ours)
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }
}

/// The root of the repository: the folder above this package's.
pub(crate) fn root() -> Result<PathBuf> {
    let here = variable("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    let root = Path::new(&here)
        .parent()
        .context("xtask stands in no repository")?;
    Ok(root.to_owned())
}

/// A JSON document that a tool wrote.
#[expect(
    clippy::disallowed_methods,
    reason = "the output of tools, not a stranger's bytes"
)]
pub(crate) fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).context("a tool wrote something that is not JSON")
}

/// A member's text; empty when it is absent or no text.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A member's elements; none when it is absent or no array.
pub(crate) fn list<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn read_package(package: &Value, root: &Path) -> Package {
    let relative = |path: &str| {
        Path::new(path)
            .strip_prefix(root)
            .unwrap_or(Path::new(path))
            .display()
            .to_string()
    };
    let optional_text = |member| {
        package
            .get(member)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    // Only what comes from a registry or from git has a source.
    let ours = package.get("source").is_none_or(Value::is_null);
    let is_root = |target: &&Value| {
        let kinds: Vec<&str> = list(target, "kind").filter_map(Value::as_str).collect();
        kinds
            .iter()
            .any(|kind| matches!(*kind, "lib" | "bin" | "proc-macro"))
    };
    Package {
        name: text(package, "name").to_owned(),
        version: text(package, "version").to_owned(),
        license: optional_text("license"),
        rust_version: optional_text("rust_version"),
        ours,
        manifest: relative(text(package, "manifest_path")),
        dependencies: list(package, "dependencies").map(read_dependency).collect(),
        roots: list(package, "targets")
            .filter(is_root)
            .map(|target| relative(text(target, "src_path")))
            .collect(),
    }
}

fn read_dependency(dependency: &Value) -> Dependency {
    Dependency {
        name: text(dependency, "name").to_owned(),
        kind: match text(dependency, "kind") {
            "dev" => Kind::Dev,
            "build" => Kind::Build,
            _ => Kind::Normal,
        },
        optional: dependency
            .get("optional")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
        ours: dependency.get("path").is_some(),
    }
}

/// Every text file that is committed, or new and not ignored.
fn read_files(root: &Path) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let names = read(&mut git).context("the checks read what git knows")?;
    let mut names: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    // A file that is gone or that is no text is not ours to judge.
    let file = |name: &&str| {
        fs::read_to_string(root.join(name))
            .ok()
            .map(|text| File::new(*name, text))
    };
    Ok(names.iter().filter_map(file).collect())
}
