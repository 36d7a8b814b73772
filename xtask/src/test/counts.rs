//! The sum over all test programs, read from what they print.

use std::fmt;

/// Tests that passed, failed and were skipped. Its text is the line that ends a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds a line `test result: ok. 5 passed; 0 failed; 1 ignored; ..`; other lines add nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let figures = result
            .split_once(". ")
            .map_or(result, |(_, figures)| figures);
        for figure in figures.split("; ") {
            let Some((number, what)) = figure.split_once(' ') else {
                continue;
            };
            let number = number.parse::<u64>().unwrap_or_default();
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Has a test program reported?
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    /// Something ran, nothing failed and nothing was skipped.
    pub(crate) fn are_good(self) -> bool {
        self.passed > 0 && self.failed == 0 && self.skipped == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn results_add_up_and_other_lines_do_not_count() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        counts.read("test it::accepts_7_passed ... ok");
        counts.read("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s");
        assert_eq!(counts.to_string(), "7 passed, 1 failed, 1 skipped");
        assert!(!counts.are_good());
    }

    #[test]
    fn a_run_without_a_test_is_no_good_run() {
        assert!(!Counts::default().are_good());
    }
}
