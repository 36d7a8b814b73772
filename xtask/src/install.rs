//! `cargo xtask install`: what the stages install for themselves, by hand. Prints the folder.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, cache};

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let kind = args.word("npm, python, maven or debian")?;
    let words = args.rest();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let folder = match (kind.as_str(), words.as_slice()) {
        ("npm", [folder]) => cache::npm(Path::new(folder))?,
        ("python", [requirements]) => cache::python(Path::new(requirements))?,
        ("maven", [artifact]) => cache::maven(artifact)?,
        ("debian", packages @ [_, ..]) => {
            cache::debian(packages)?;
            return Ok(Verdict::Good);
        }
        _ => bail!(
            "expected `npm FOLDER`, `python REQUIREMENTS`, `maven ARTIFACT` or `debian PACKAGE..`"
        ),
    };
    println!("{}", folder.display());
    Ok(Verdict::Good)
}
