//! Other programs: run to their end, read, or kept in the background.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail};

use crate::environment::variable;

/// `cargo ARGS`, the same cargo that started us, in `folder`.
pub(crate) fn cargo<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Command {
    let program = variable("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder).args(args);
    command
}

/// Shows the command, runs it with our own output, and says whether it ended well.
pub(crate) fn run(command: &mut Command) -> Result<bool> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    Ok(status.success())
}

/// Runs the command quietly and returns its standard output; a failure carries its standard error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!(
            "`{}` ended with {}\n{complaint}",
            shown(command),
            output.status
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no UTF-8", shown(command)))
}

/// Runs the command and hands every line of its standard output on, to be printed and read.
pub(crate) fn run_watching(command: &mut Command, line: impl FnMut(&str)) -> Result<bool> {
    println!("$ {}", shown(command));
    Ok(watched(command, line)?.success())
}

/// Runs the command, prints its standard output, and hands each line of it on.
pub(crate) fn status_watching(
    command: &mut Command,
    mut line: impl FnMut(&str),
) -> Result<ExitStatus> {
    watched(command, |text| {
        println!("{text}");
        line(text);
    })
}

fn watched(command: &mut Command, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    if let Some(output) = child.stdout.take() {
        for text in lines(output) {
            line(&text);
        }
    }
    Ok(child.wait()?)
}

/// True when a program of this name can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Background(Child);

impl Background {
    /// Starts the program and waits for the first line of its standard output in which `ready`
    /// finds what it looks for. Waits for that line, never for a time; a program that ends before
    /// is an error.
    pub(crate) fn start<T>(
        command: &mut Command,
        ready: impl Fn(&str) -> Option<T>,
    ) -> Result<(Self, T)> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| cannot_start(command))?;
        let output = child.stdout.take().context("no pipe to the program")?;
        let background = Self(child);
        let mut output = lines(output);
        let found = output.by_ref().find_map(|line| ready(&line));
        let found =
            found.with_context(|| format!("`{}` ended before it was ready", shown(command)))?;
        // A full pipe would stop the program: read on, and forget.
        thread::spawn(move || output.for_each(drop));
        Ok((background, found))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(output: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(output)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| {
            String::from_utf8_lossy(&line)
                .trim_end_matches('\r')
                .to_owned()
        })
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .display()
        .to_string();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: is it installed?",
        command.get_program().display()
    )
}
