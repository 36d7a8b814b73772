//! What a check complains about: the place, the fault and the cure.

use std::fmt;

use crate::Verdict;

/// One fault. Shown as `path:line: what` with the way to mend it on the next line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
    mend: String,
}

impl Finding {
    /// A fault at a line, counted from 1.
    pub(crate) fn at(
        path: impl Into<String>,
        line: usize,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            line,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// A fault of the whole file.
    pub(crate) fn of(
        path: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::at(path, 1, what, mend)
    }
}

#[cfg(test)]
impl Finding {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            mend,
        } = self;
        write!(f, "{path}:{line}: {what}\n    mend: {mend}")
    }
}

/// Prints findings under the name of their check; good when there are none.
pub(crate) fn report(check: &str, findings: &[Finding]) -> Verdict {
    if findings.is_empty() {
        println!("ok    {check}");
    } else {
        println!("FAIL  {check}: {}", findings.len());
        for finding in findings {
            println!("  {finding}");
        }
    }
    Verdict::good_if(findings.is_empty())
}
