//! A command's arguments: flags, `--name value`, and what is left over.

use anyhow::{Result, bail};

/// The words after the command's name. Each is taken once; [`Args::finish`] refuses what nobody
/// took.
#[derive(Debug)]
pub(crate) struct Args {
    words: Vec<String>,
}

impl Args {
    pub(crate) fn new(words: impl Iterator<Item = String>) -> Self {
        Self {
            words: words.collect(),
        }
    }

    pub(crate) fn wants_help(&self) -> bool {
        self.words
            .iter()
            .any(|word| word == "--help" || word == "-h")
    }

    /// Takes `--name`; true when it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes every `--name value`.
    pub(crate) fn values(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        while let Some(at) = self.words.iter().position(|word| word == name) {
            self.words.remove(at);
            if self.words.get(at).is_none_or(|word| word.starts_with("--")) {
                bail!("`{name}` wants a value");
            }
            values.push(self.words.remove(at));
        }
        Ok(values)
    }

    /// Takes the next word, which must not be a flag.
    pub(crate) fn word(&mut self, what: &str) -> Result<String> {
        if self.words.first().is_none_or(|word| word.starts_with("--")) {
            bail!("{what} is missing; see --help");
        }
        Ok(self.words.remove(0))
    }

    /// Takes all words that are left.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self.words.first() {
            Some(word) => bail!("`{word}` is not understood here; see --help"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_values_and_words_are_taken_once() {
        let mut args = args("server --rev 2025-11-25 --strict --rev 2026-07-28");
        assert_eq!(args.values("--rev").unwrap(), ["2025-11-25", "2026-07-28"]);
        assert!(args.flag("--strict"));
        assert_eq!(args.word("the leg").unwrap(), "server");
        args.finish().unwrap();
    }

    #[test]
    fn a_leftover_word_is_refused() {
        assert!(
            args("--sorted")
                .finish()
                .unwrap_err()
                .to_string()
                .contains("--sorted")
        );
    }

    #[test]
    fn a_flag_is_no_value() {
        assert!(args("--rev --strict").values("--rev").is_err());
        assert!(args("--rev").values("--rev").is_err());
        assert!(args("--strict").word("the leg").is_err());
    }
}
