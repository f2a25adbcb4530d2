//! Unit tests of playbooks: `playbooks/tests/NAME.yaml`, worked through the real pipeline over made-up servers; nothing of the operator's environment is asked.

mod answers;
mod form;
mod run;

use futures::stream::{self, StreamExt as _};
use serde::Serialize;

use crate::config::PathsConfig;
use crate::data::{Folder, PLAYBOOKS};
use crate::text::oneline;

use form::{Case, Expect, File};
use run::{Ended, Room};

/// How one case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The playbook under test.
    pub playbook: String,
    /// Name of the case.
    pub case: String,
    /// Whether everything expected came.
    pub passed: bool,
    /// What did not, one sentence each.
    pub faults: Vec<String>,
}

impl Outcome {
    fn of(playbook: &str, case: &str, faults: Vec<String>) -> Self {
        Self {
            playbook: playbook.to_owned(),
            case: oneline(case, 200),
            passed: faults.is_empty(),
            faults,
        }
    }
}

/// Which cases are worked.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those of the named playbooks, or all.
    Named(&'a [String]),
    /// Those of playbooks that the operator's files change. Of the others it is only asked whether their alerts still get
    /// them: worked, they end as they did when the program was built.
    Changed,
}

/// How far a case is worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Whole,
    Choice,
}

/// Cases worked side by side.
const AT_ONCE: usize = 4;

/// Runs the tests in force.
///
/// # Errors
/// When the data files themselves are not accepted; a test that can't be read is an outcome.
pub async fn run(paths: &PathsConfig, which: Which<'_>) -> anyhow::Result<Vec<Outcome>> {
    let folder = Folder::open(&PLAYBOOKS, paths.playbooks.as_deref());
    let folder = folder.map_err(|e| anyhow::anyhow!(e))?;
    let room = Room::open(paths)?;
    let mut work = Vec::new();
    for file in folder.list("tests", ".yaml") {
        let playbook = file.stem();
        let Some(depth) = depth(which, (paths, &folder), playbook) else {
            continue;
        };
        let unreadable = |why: String| {
            let fault = vec![format!("{}: {why}", file.name)];
            (playbook, Err(Outcome::of(playbook, &file.name, fault)))
        };
        if room.library.get(playbook).is_none() {
            work.push(unreadable(format!("there is no playbook `{playbook}`")));
            continue;
        }
        match serde_saphyr::from_str::<File>(&file.text) {
            Ok(tests) => work.extend(tests.cases.into_iter().map(|c| (playbook, Ok((c, depth))))),
            Err(e) => work.push(unreadable(e.to_string())),
        }
    }
    let worked = work.into_iter().map(|(playbook, case)| async {
        match case {
            Ok((case, Depth::Whole)) => one(&room, playbook, &case).await,
            Ok((case, Depth::Choice)) => {
                let got = room.chosen(playbook, &case);
                let faults = got.err().map(|e| format!("{e:#}"));
                Outcome::of(playbook, &case.name, faults.into_iter().collect())
            }
            Err(unreadable) => unreadable,
        }
    });
    Ok(stream::iter(worked).buffered(AT_ONCE).collect().await)
}

/// How far the cases of a playbook are worked, if they are.
fn depth(
    which: Which<'_>,
    (paths, folder): (&PathsConfig, &Folder),
    playbook: &str,
) -> Option<Depth> {
    let only = match which {
        Which::Named(only) => {
            let wanted = only.is_empty() || only.iter().any(|o| o == playbook);
            return wanted.then_some(Depth::Whole);
        }
        Which::Changed => folder.overridden(),
    };
    // What several playbooks use changes all of them.
    let shared = |f: &str| f.contains('/') && !f.starts_with("tests/");
    let own = [format!("{playbook}.yaml"), format!("tests/{playbook}.yaml")];
    let changed =
        paths.mappings.is_some() || only.iter().any(|f| shared(f) || own.iter().any(|o| o == f));
    Some(match changed {
        true => Depth::Whole,
        false => Depth::Choice,
    })
}

async fn one(room: &Room, playbook: &str, case: &Case) -> Outcome {
    let faults = match room.work(playbook, case).await {
        Ok(ended) => differences(&case.expect, &ended),
        Err(e) => vec![format!("could not be worked: {e:#}")],
    };
    Outcome::of(playbook, &case.name, faults)
}

/// What was expected and did not come.
fn differences(expect: &Expect, ended: &Ended) -> Vec<String> {
    let verdict = &ended.verdict;
    let spoke: Vec<&str> = verdict
        .basis
        .reasons
        .iter()
        .map(|r| r.id.as_str())
        .collect();
    let mut faults = Vec::new();
    let mut differ = |what: &str, want: String, got: String| {
        if want != got {
            faults.push(format!("{what} is {got}, expected {want}"));
        }
    };
    differ(
        "the verdict",
        expect.verdict.to_string(),
        verdict.kind.to_string(),
    );
    if let Some(want) = expect.outcome {
        let got = ended.case.outcome.map(|o| o.to_string());
        differ(
            "the outcome",
            want.to_string(),
            got.unwrap_or_else(|| "open".to_owned()),
        );
    }
    if let Some(want) = expect.close_allowed {
        differ(
            "the close rule",
            want.to_string(),
            verdict.close_allowed.to_string(),
        );
    }
    if let Some(want) = expect.tier {
        differ(
            "the tier",
            want.to_string(),
            verdict.provenance.tier.to_string(),
        );
    }
    for signal in expect.speak.iter().filter(|s| !spoke.contains(&s.as_str())) {
        faults.push(format!("signal `{signal}` does not speak"));
    }
    for signal in expect.silent.iter().filter(|s| spoke.contains(&s.as_str())) {
        faults.push(format!("signal `{signal}` speaks"));
    }
    let claimed = &verdict.basis.techniques;
    for technique in expect.techniques.iter().filter(|t| !claimed.contains(t)) {
        faults.push(format!(
            "technique {technique} is not claimed; claimed: {}",
            claimed.join(", ")
        ));
    }
    if !faults.is_empty() {
        faults.push(format!(
            "{:.0} % likely malicious; spoke: {}; vetoes: {}",
            verdict.basis.probability * 100.0,
            spoke.join(", "),
            oneline(&verdict.vetoes.join("; "), 300)
        ));
    }
    faults
}
