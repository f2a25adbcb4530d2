//! The lines of `check` on the policy in force and its unit tests.

use crate::daemon::Data;

use super::{Lines, over};

/// Which policy is in force, and its unit tests.
pub(super) fn line(data: &Data, lines: &mut Lines) {
    let tests = data.policy.self_test();
    let failing: Vec<_> = tests.iter().filter(|t| !t.passed).collect();
    let version = data.policy.version().get(..12).unwrap_or_default();
    let over = over(data.overridden.iter().filter(is_part));
    let (passed, all) = (tests.len() - failing.len(), tests.len());
    let detail = format!("version {version}, {over}, {passed} of {all} unit tests pass");
    lines.good("policy", detail);
    for test in failing {
        let detail = format!(
            "{}: {}; correct the policy, or the test if the policy is as you want it",
            test.file, test.why
        );
        lines.bad(format!("policy test {}", test.name), detail);
    }
}

/// Whether a data file is part of the policy.
pub(super) fn is_part(file: &&String) -> bool {
    file.starts_with("policy/")
}
