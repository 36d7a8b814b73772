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
    /// Adds a line `test result: ok. 5 passed; 0 failed; 1 ignored; ..` of a test program, or the last
    /// line of the peers' and the pages' cases, `5 passed, 0 failed`; other lines add nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let figures = match line.strip_prefix("test result: ") {
            Some(result) => result.split_once(". ").map_or(result, |(_, rest)| rest),
            None if is_sum_of_cases(line) => line,
            None => return,
        };
        for figure in figures.split([';', ',']) {
            let Some((number, what)) = figure.trim().split_once(' ') else {
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

/// Two numbers and their words, and nothing else.
fn is_sum_of_cases(line: &str) -> bool {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let Some((passed, failed)) = line.split_once(" passed, ") else {
        return false;
    };
    is_number(passed) && failed.strip_suffix(" failed").is_some_and(is_number)
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
        counts.read("40 passed, 2 failed");
        counts.read("PASS  it says 3 passed, 0 failed");
        counts.read("3 passed, 0 failed, 1 skipped");
        assert_eq!(counts.to_string(), "47 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_run_without_a_test_is_no_good_run() {
        assert!(!Counts::default().are_good());
    }
}
