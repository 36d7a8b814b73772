//! What the suite found: `LEG-SCENARIO-TIME/checks.json`, a list of checks with their status. The leg
//! is `server` or `authorization-server`.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::suite::Scenario;
use crate::project::{parse, text};

/// From harmless to bad. `INFO` says nothing and is left out when the results are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Skipped,
    Success,
    Warning,
    Failure,
}

#[derive(Clone, Debug)]
struct Check {
    /// Id and name: the id alone is not unique.
    key: String,
    status: Status,
    message: String,
}

/// The checks of each scenario that ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results(BTreeMap<String, Vec<Check>>);

impl Results {
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut results = Self::default();
        for entry in
            fs::read_dir(folder).with_context(|| format!("no results in {}", folder.display()))?
        {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(scenario) = scenario_of(&name) else {
                continue;
            };
            let file = entry.path().join("checks.json");
            let checks =
                fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
            results.add(scenario, &parse(&checks)?);
        }
        // Two runs without a result would be equal, and prove nothing.
        if results.0.is_empty() {
            bail!("the suite left no results in {}", folder.display());
        }
        Ok(results)
    }

    pub(super) fn add(&mut self, scenario: &str, checks: &Value) {
        let checks = checks.as_array().into_iter().flatten().filter_map(check);
        self.0
            .entry(scenario.to_owned())
            .or_default()
            .extend(checks);
    }

    /// Everything that keeps the run from being clean: failures and warnings, scenarios that did
    /// not run, scenarios that checked nothing.
    pub(crate) fn faults(&self, scenarios: &[Scenario]) -> Vec<String> {
        let mut faults = Vec::new();
        for Scenario { name, required } in scenarios {
            match self.0.get(name) {
                None => faults.push(format!("{name}: did not run")),
                Some(checks)
                    if *required && checks.iter().all(|check| check.status == Status::Skipped) =>
                {
                    faults.push(format!("{name}: nothing was checked"));
                }
                Some(_) => {}
            }
        }
        for (scenario, checks) in &self.0 {
            for Check {
                key,
                status,
                message,
            } in checks
                .iter()
                .filter(|check| check.status >= Status::Warning)
            {
                faults.push(format!("{scenario}: {status:?} of {key}: {message}"));
            }
        }
        faults
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |status| {
            self.0
                .values()
                .flatten()
                .filter(|check| check.status == status)
                .count()
        };
        Counts {
            scenarios: self.0.len(),
            passed: count(Status::Success),
            failed: count(Status::Failure),
            warned: count(Status::Warning),
            skipped: count(Status::Skipped),
        }
    }

    /// How many checks there were.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Did the scenario run, and fail?
    pub(crate) fn failed(&self, scenario: &str) -> bool {
        let checks = self.0.get(scenario).into_iter().flatten();
        checks
            .into_iter()
            .any(|check| check.status == Status::Failure)
    }

    /// The worst status of each check of a scenario.
    fn verdicts(&self, scenario: &str) -> BTreeMap<&str, Status> {
        let mut verdicts = BTreeMap::new();
        for check in self.0.get(scenario).into_iter().flatten() {
            let worst = verdicts.entry(check.key.as_str()).or_insert(check.status);
            *worst = check.status.max(*worst);
        }
        verdicts
    }
}

/// Scenarios, and their checks by status.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    scenarios: usize,
    passed: usize,
    failed: usize,
    warned: usize,
    skipped: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.passed += other.passed;
        self.failed += other.failed;
        self.warned += other.warned;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenarios,
            passed,
            failed,
            warned,
            skipped,
        } = self;
        write!(
            f,
            "{scenarios} scenarios, {passed} checks passed, {failed} failed, {warned} warned, \
             {skipped} skipped"
        )
    }
}

/// A check that two runs disagree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    scenario: String,
    /// Id and name.
    check: String,
    before: Option<Status>,
    after: Option<Status>,
}

impl Difference {
    /// Whether this check is absent from the second run.
    pub(crate) fn is_lost(&self, scenario: &str, check: &str) -> bool {
        let id = self.check.split(' ').next();
        self.scenario == scenario && id == Some(check) && self.after.is_none()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (word(self.before), word(self.after));
        write!(
            f,
            "{}: {}: {before} became {after}",
            self.scenario, self.check
        )
    }
}

/// Where two runs disagree, check by check.
pub(crate) fn differences(one: &Results, other: &Results) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut scenarios: Vec<&String> = one.0.keys().chain(other.0.keys()).collect();
    scenarios.sort_unstable();
    scenarios.dedup();
    for scenario in scenarios {
        let (first, second) = (one.verdicts(scenario), other.verdicts(scenario));
        let mut checks: Vec<&str> = first.keys().chain(second.keys()).copied().collect();
        checks.sort_unstable();
        checks.dedup();
        for check in checks {
            let (before, after) = (first.get(check).copied(), second.get(check).copied());
            if before != after {
                found.push(Difference {
                    scenario: scenario.clone(),
                    check: check.to_owned(),
                    before,
                    after,
                });
            }
        }
    }
    found
}

fn word(status: Option<Status>) -> String {
    status.map_or_else(|| "absent".to_owned(), |status| format!("{status:?}"))
}

/// `server-tools-list-2026-11-21T12-00-00-000Z` -> `tools-list`
fn scenario_of(folder: &str) -> Option<&str> {
    let scenario = ["authorization-server-", "server-"]
        .into_iter()
        .find_map(|leg| folder.strip_prefix(leg))?;
    let (rest, _time) = scenario.rsplit_once('T')?;
    // The date: three groups of digits.
    rest.rsplitn(4, '-').nth(3)
}

fn check(check: &Value) -> Option<Check> {
    let status = match text(check, "status") {
        "SKIPPED" => Status::Skipped,
        "SUCCESS" => Status::Success,
        "WARNING" => Status::Warning,
        "INFO" => return None,
        // `FAILURE`, and whatever a later suite may invent.
        _ => Status::Failure,
    };
    let message = match text(check, "errorMessage") {
        "" => text(check, "description"),
        message => message,
    };
    Some(Check {
        key: format!("{} {}", text(check, "id"), text(check, "name")),
        status,
        message: message
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(300)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Results, Scenario, differences, scenario_of};

    fn results(scenario: &str, statuses: &[&str]) -> Results {
        let checks: Vec<_> = statuses
            .iter()
            .map(|status| json!({"id": "a", "name": "n", "status": status}))
            .collect();
        let mut results = Results::default();
        results.add(scenario, &json!(checks));
        results
    }

    fn faults(results: &Results, required: bool) -> usize {
        results
            .faults(&[Scenario {
                name: "x".to_owned(),
                required,
            }])
            .len()
    }

    #[test]
    fn the_folder_names_the_scenario() {
        assert_eq!(
            scenario_of("server-tools-list-2026-11-21T12-00-00-000Z"),
            Some("tools-list")
        );
        assert_eq!(
            scenario_of("server-sep-2164-Tools-2026-11-21T12-00-00-000Z"),
            Some("sep-2164-Tools")
        );
        assert_eq!(
            scenario_of("authorization-server-authorization-code-grant-2026-11-21T12-00-00-000Z"),
            Some("authorization-code-grant")
        );
        assert_eq!(scenario_of("suite.log"), None);
    }

    #[test]
    fn failures_warnings_and_unknown_words_are_faults() {
        assert_eq!(
            faults(&results("x", &["SUCCESS", "INFO", "SKIPPED"]), true),
            0
        );
        for bad in ["FAILURE", "WARNING", "SURPRISE"] {
            assert_eq!(faults(&results("x", &["SUCCESS", bad]), false), 1, "{bad}");
        }
    }

    #[test]
    fn what_did_not_run_or_checked_nothing_is_a_fault() {
        assert_eq!(faults(&results("y", &["SUCCESS"]), false), 1);
        assert_eq!(faults(&results("x", &["SKIPPED"]), true), 1);
        assert_eq!(faults(&results("x", &["INFO"]), true), 1);
        assert_eq!(faults(&results("x", &["SKIPPED"]), false), 0);
    }

    #[test]
    fn only_a_scenario_that_ran_can_fail() {
        assert!(results("x", &["SUCCESS", "FAILURE"]).failed("x"));
        assert!(!results("x", &["SUCCESS", "WARNING"]).failed("x"));
        assert!(!results("x", &["FAILURE"]).failed("y"));
    }

    #[test]
    fn a_run_without_results_is_no_run() {
        let empty = std::env::temp_dir().join(format!("conformance-{}", std::process::id()));
        std::fs::create_dir_all(&empty).unwrap();
        assert!(Results::read(&empty).is_err());
        std::fs::remove_dir(&empty).unwrap();
    }

    #[test]
    fn runs_differ_by_the_worst_status_of_each_check() {
        let good = results("x", &["SUCCESS", "SUCCESS"]);
        assert_eq!(differences(&good, &results("x", &["SUCCESS"])), []);
        assert_eq!(
            differences(&good, &results("x", &["SUCCESS", "FAILURE"])).len(),
            1
        );
        assert_eq!(differences(&good, &results("y", &["SUCCESS"])).len(), 2);
        assert_eq!(differences(&good, &Results::default()).len(), 1);
    }
}
