//! Rego files to an engine that is checked and bounded; asking it is `evaluator`.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{CompiledPolicy, Engine};

use crate::data::{DataFile, Folder};
use crate::text::oneline;

/// Path of the rule that decides on calls.
pub(super) const CALL: &str = "data.nightdesk.call";
/// Path of the rule that decides on closes.
pub(super) const CLOSE: &str = "data.nightdesk.close";
/// First part of the package that decides.
const PACKAGE: &str = "nightdesk";
/// Ending of files of unit tests.
const TESTS: &str = "_test.rego";

/// Time one evaluation may take. The engine looks at the clock between steps, so a step that is long in itself ends later.
const LIMIT: Duration = Duration::from_secs(1);

/// Steps between two looks at the clock.
const STEPS: NonZeroU32 = NonZeroU32::MIN.saturating_add(31);

const FILLS: &str = "one call can fill the memory";

/// Builtins that a policy does without: name, number of arguments, why.
const WITHOUT: [(&str, u8, &str); 6] = [
    ("numbers.range", 2, FILLS),
    ("numbers.range_step", 3, FILLS),
    ("bits.lsh", 2, FILLS),
    ("net.cidr_expand", 1, FILLS),
    ("time.now_ns", 0, "use `input.time`, which a test can set"),
    (
        "rand.intn",
        2,
        "the same question would get different answers",
    ),
];

/// A unit test of the policy: a rule of a `_test.rego` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestRule {
    /// Path of the rule.
    pub(super) path: String,
    /// File it stands in.
    pub(super) file: String,
}

/// Whether a file holds unit tests.
pub(super) fn is_test(file: &DataFile) -> bool {
    file.name.ends_with(TESTS)
}

/// Reads every file and looks for the two rules that decide.
///
/// # Errors
/// Every fault, as `policy/FILE:LINE:COLUMN: what is wrong`.
pub(super) fn build(folder: &Folder) -> Result<(Engine, Vec<TestRule>), Vec<String>> {
    let mut faults: Vec<String> = folder
        .overridden()
        .iter()
        .filter(|name| name.contains('/') && name.ends_with(".rego"))
        .map(|name| format!("policy/{name}: is not read; put it directly into the folder"))
        .collect();
    let mut engine = bounded().map_err(|e| vec![format!("policy: {}", told(&e))])?;
    for file in folder.list("", ".rego") {
        let path = format!("policy/{}", file.name);
        if let Err(e) = engine.add_policy(path.clone(), file.text.clone()) {
            faults.push(named(&path, &told(&e)));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    faults.extend(tests_that_decide(&engine));
    let mut compiled = None;
    for rule in [CALL, CLOSE] {
        match engine.compile_with_entrypoint(&rule.into()) {
            Ok(policy) => compiled = Some(policy),
            Err(e) => faults.push(format!("policy: `{rule}` can't be used: {}", told(&e))),
        }
    }
    match compiled {
        Some(policy) if faults.is_empty() => Ok((engine, test_rules(&policy))),
        _ => Err(faults),
    }
}

/// An engine with strict errors, a clock of its own and without the builtins of [`WITHOUT`].
fn bounded() -> anyhow::Result<Engine> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: LIMIT,
        check_interval: STEPS,
    });
    // Else `print` writes to stderr, past the log.
    engine.set_gather_prints(true);
    for (name, arguments, why) in WITHOUT {
        let refuse = move |_| Err(anyhow::anyhow!("`{name}` is not available here: {why}"));
        engine.add_extension(name.to_owned(), arguments, Box::new(refuse))?;
    }
    Ok(engine)
}

/// Files of tests whose rules would be part of the decision.
fn tests_that_decide(engine: &Engine) -> Vec<String> {
    let packages = match engine.get_policy_package_components() {
        Ok(packages) => packages,
        Err(e) => return vec![format!("policy: {}", told(&e))],
    };
    let decides = packages.iter().filter(|p| {
        p.source_file.ends_with(TESTS) && p.components.first().is_some_and(|c| c == PACKAGE)
    });
    decides
        .map(|p| {
            let file = &p.source_file;
            format!("{file}: tests stand outside of the package they test: write `package {PACKAGE}_test`")
        })
        .collect()
}

fn test_rules(policy: &CompiledPolicy) -> Vec<TestRule> {
    let rules = policy.get_rules().iter().filter_map(|(path, rules)| {
        let file = rules.first()?.span().source.get_path().clone();
        let name = path.rsplit('.').next()?;
        let is_one = name.starts_with("test_") && file.ends_with(TESTS);
        is_one.then(|| TestRule {
            path: path.clone(),
            file,
        })
    });
    let mut rules: Vec<TestRule> = rules.collect();
    rules.sort_by(|a, b| (&a.file, &a.path).cmp(&(&b.file, &b.path)));
    rules
}

/// A message of the engine on one line: `policy/FILE:LINE:COLUMN: what is wrong`.
pub(super) fn told(error: &anyhow::Error) -> String {
    let text = error.to_string();
    let place = text
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next());
    let what = text.split_once("\nerror: ").map(|(_, what)| what);
    match (place, what) {
        (Some(place), Some(what)) => oneline(&format!("{place}: {what}"), 400),
        _ => oneline(&text, 400),
    }
}

/// The message with the file in front, if it does not stand there already.
fn named(path: &str, message: &str) -> String {
    if message.starts_with(path) {
        message.to_owned()
    } else {
        format!("{path}: {message}")
    }
}
