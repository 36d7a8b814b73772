//! SPDX licence expressions (SPDX specification, annex D), as far as Cargo uses them.

/// Licences whose terms we keep without a question. Others may stand beside them as an alternative.
pub(crate) const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
];

/// Can the expression be satisfied with allowed licences alone? False when it makes no sense.
pub(crate) fn is_allowed(expression: &str) -> bool {
    // `MIT/Apache-2.0` is how old manifests write OR.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words };
    parser.any() == Some(true) && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
}

impl<'a> Parser<'a> {
    /// `all {OR all}`
    fn any(&mut self) -> Option<bool> {
        let mut allowed = self.all()?;
        while self.takes("OR") {
            allowed |= self.all()?;
        }
        Some(allowed)
    }

    /// `one {AND one}`
    fn all(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.takes("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    /// `( any )`, `LICENCE` or `LICENCE WITH EXCEPTION`
    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let allowed = self.any()?;
            return self.takes(")").then_some(allowed);
        }
        let licence = self.next()?;
        if self.takes("WITH") {
            let exception = self.next()?;
            return Some(ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()));
        }
        Some(ALLOWED.contains(&licence))
    }

    fn takes(&mut self, word: &str) -> bool {
        let there = self.words.first() == Some(&word);
        if there {
            self.next();
        }
        there
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn alternatives_need_one_and_conjunctions_all() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "Unlicense/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "ISC AND (Apache-2.0 OR ISC OR MIT-0)",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "",
            "Unlicense",
            "CC0-1.0",
            "0BSD",
            "MIT AND GPL-3.0-only",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
            "Apache-2.0 WITH Strange-exception",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
