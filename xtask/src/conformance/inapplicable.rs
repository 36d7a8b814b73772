//! Checks that cannot apply to the fixture on stdio, each with its reason.
//!
//! Only a verdict that is absent behind the gateway can be excused, and only one that is: an entry
//! whose check is made after all is an error.

use super::results::Difference;

/// One check of one scenario.
#[derive(Debug)]
pub(super) struct Inapplicable {
    pub(super) revision: &'static str,
    pub(super) scenario: &'static str,
    /// The check's id.
    pub(super) check: &'static str,
    pub(super) why: &'static str,
}

pub(super) const ON_STDIO: &[Inapplicable] = &[
    Inapplicable {
        revision: "2025-11-25",
        scenario: "server-sse-multiple-streams",
        check: "server-sse-streams-functional",
        why: "it counts events, and an answer that is there at once is plain JSON",
    },
    Inapplicable {
        revision: "2025-11-25",
        scenario: "server-sse-polling",
        check: "server-sse-priming-event",
        why: "closing a stream during a call is for a server's own HTTP, which one on stdio has not",
    },
    Inapplicable {
        revision: "2025-11-25",
        scenario: "server-sse-polling",
        check: "server-sse-retry-field",
        why: "the same",
    },
];

/// What differs and is not excused, and how much is.
pub(super) fn judge(
    found: &[Difference],
    table: &[Inapplicable],
    revision: &str,
) -> (Vec<String>, usize) {
    let entries = || table.iter().filter(|entry| entry.revision == revision);
    let is_excused = |difference: &&Difference| {
        entries().any(|entry| difference.is_lost(entry.scenario, entry.check))
    };
    let (excused, open): (Vec<&Difference>, Vec<&Difference>) = found.iter().partition(is_excused);
    let stale = entries().filter(|entry| {
        let is_it = |difference: &&Difference| difference.is_lost(entry.scenario, entry.check);
        !found.iter().any(|difference| is_it(&difference))
    });
    let stale = stale.map(|entry| {
        let Inapplicable {
            scenario,
            check,
            why,
            ..
        } = entry;
        format!("{scenario}: {check} was made, and is listed as one that cannot be: {why}")
    });
    let open = open.into_iter().map(Difference::to_string);
    (open.chain(stale).collect(), excused.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::results::Results, super::results::differences, *};

    const TABLE: &[Inapplicable] = &[Inapplicable {
        revision: "r",
        scenario: "x",
        check: "a",
        why: "because",
    }];

    fn results(a: Option<&str>) -> Results {
        let b = json!({"id": "b", "name": "n", "status": "SUCCESS"});
        let a = a.map(|status| json!({"id": "a", "name": "n", "status": status}));
        let mut results = Results::default();
        let checks: Vec<_> = a.into_iter().chain([b]).collect();
        results.add("x", &json!(checks));
        results
    }

    fn judged(behind: Option<&str>, revision: &str) -> (usize, usize) {
        let found = differences(&results(Some("SUCCESS")), &results(behind));
        let (open, excused) = judge(&found, TABLE, revision);
        (open.len(), excused)
    }

    #[test]
    fn a_listed_check_may_be_absent() {
        assert_eq!(judged(None, "r"), (0, 1));
        assert_eq!(judged(None, "another"), (1, 0));
    }

    #[test]
    fn a_listed_check_that_is_made_is_an_error() {
        assert_eq!(judged(Some("SUCCESS"), "r"), (1, 0));
        assert_eq!(judged(Some("FAILURE"), "r"), (2, 0));
    }
}
