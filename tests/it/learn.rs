//! Learning from people's verdicts: which way weights go, how far they may, and when nothing is learned.

use agent::ctx::Dice;
use agent::data::{Folder, PLAYBOOKS};
use agent::learn::{Proposal, Row, Weight, What, file, fit, propose};
use agent::playbook::Library;
use chrono::TimeDelta;
use state::model::{CaseId, RuleAt, Time, VerdictKind};
use state::store::Store;
use tests::past::{Word, leave_word};
use tests::workbench::data;

const NEW: (&str, f64) = ("new_address", 2.0);
const USUAL: (&str, f64) = ("usual_address", -3.0);

/// The scenario's playbook beside the shipped ones.
fn library() -> Library {
    let folder = Folder::open(&PLAYBOOKS, Some(&data("playbooks"))).unwrap();
    Library::load(&folder, &agent::config::QueriesConfig::default()).unwrap()
}

fn noon() -> Time {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

/// So many malicious and harmless words on alerts where signals spoke.
type Told<'s> = (&'s [(&'static str, f64)], usize, usize);

/// A store with these words, dealt out over three rules.
async fn told(words: &[Told<'_>]) -> Store {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let mut n = 0;
    for (signals, malicious, harmless) in words {
        let kinds = std::iter::repeat_n(VerdictKind::TruePositive, *malicious)
            .chain(std::iter::repeat_n(VerdictKind::BenignPositive, *harmless));
        for kind in kinds {
            let rule = format!("rule-{}", n % 3);
            say(&store, (&rule, n), signals, kind).await;
            n += 1;
        }
    }
    store
}

async fn say(
    store: &Store,
    (rule, n): (&str, i64),
    signals: &[(&'static str, f64)],
    kind: VerdictKind,
) -> CaseId {
    let of = RuleAt {
        source: "siem".to_owned(),
        rule: rule.to_owned(),
    };
    let word = Word {
        playbook: "scenario",
        signals: signals.to_vec(),
        kind,
    };
    let at = noon() + TimeDelta::minutes(10 * n);
    leave_word(store, &of, &word, at).await.unwrap()
}

fn learned(proposal: &Proposal, id: &str) -> Option<f64> {
    let change = proposal.changes.iter().find(|c| match &c.what {
        What::Signal { home, signal } => home == "scenario" && signal == id,
        What::Rule { rule, .. } => rule == id,
    });
    change.map(|c| c.learned)
}

#[tokio::test]
async fn weights_go_where_people_point_and_the_file_puts_them_in_force() {
    // The new address is mostly harmless here, the usual one always.
    let store = told(&[(&[NEW], 12, 36), (&[USUAL], 0, 40)]).await;
    let library = library();
    let proposal = propose(&store, &library).await.unwrap();
    assert_eq!(proposal.refused, None, "{proposal:?}");
    assert_eq!(
        (proposal.verdicts, proposal.malicious, proposal.cases),
        (88, 12, (12, 76))
    );
    let new = learned(&proposal, "new_address").unwrap();
    assert!((1.0..1.5).contains(&new), "{new}");
    let usual = learned(&proposal, "usual_address").unwrap_or(-3.0);
    assert!((-4.5..=-2.9).contains(&usual), "{usual}");
    let effect = proposal.effect.clone().unwrap();
    assert_eq!(effect.verdicts, 88);
    assert!(effect.after.log_loss < effect.before.log_loss, "{effect:?}");
    assert!(effect.after.brier < effect.before.brier, "{effect:?}");
    assert_eq!(effect.after.missed_true_positives.n, 12);
    assert_eq!(effect.after.missed_true_positives.k, 0);
    let text = file(&proposal, ("ana\nspoofed: true", noon())).unwrap();
    assert!(text.starts_with("# Written by `nightdesk learn`"), "{text}");
    assert!(!text.contains("\nspoofed"), "{text}");
    let mut taught = self::library();
    taught.learn(&text).unwrap();
    let in_force = taught.learned().unwrap();
    assert_eq!(in_force.warnings, Vec::<String>::new());
    let (before, after) = (
        library.get("scenario").unwrap(),
        taught.get("scenario").unwrap(),
    );
    let weight = |e: &agent::playbook::Entry| {
        let found = e.playbook.signals.iter().find(|s| s.id == "new_address");
        found.unwrap().log_odds()
    };
    assert!((weight(before) - 2.0).abs() < 1e-9);
    assert!((weight(after) - new).abs() < 1e-9);
    assert_ne!(before.hash, after.hash);
    // Learned again from the same words, it says the same: what is refitted are the shipped weights.
    let again = propose(&store, &library).await.unwrap();
    assert_eq!(again.changes, proposal.changes);
}

/// Rows in which one weight speaks, with this share of malicious ones.
fn rows(n: usize, malicious: usize) -> Vec<Row> {
    let row = |i| Row {
        case: CaseId(i64::try_from(i).unwrap()),
        malicious: i < malicious,
        offset: 0.0,
        weights: vec![0],
        closes_at: None,
    };
    (0..n).map(row).collect()
}

fn fitted(shipped: f64, band: (f64, f64), rows: &[Row]) -> f64 {
    let weight = Weight {
        what: What::Rule {
            source: "s".to_owned(),
            rule: "r".to_owned(),
        },
        shipped,
        band,
        sd: 0.5,
        rows: rows.len(),
    };
    fit(&rows.iter().collect::<Vec<_>>(), &[weight]).unwrap()[0]
}

#[test]
fn few_verdicts_move_little_many_move_far_and_none_leaves_the_band() {
    // Three of four are malicious: without the shipped weight the log-odds would be ln 3 = 1.099.
    let moved = [0, 4, 20, 100, 10_000].map(|n| 2.0 - fitted(2.0, (1.0, 3.0), &rows(n, n * 3 / 4)));
    assert!(moved[0].abs() < 1e-9, "{moved:?}");
    assert!(moved.windows(2).all(|w| w[0] < w[1]), "{moved:?}");
    assert!(moved[1] < 0.2, "{moved:?}");
    assert!((moved[4] - (2.0 - 3_f64.ln())).abs() < 0.01, "{moved:?}");
    for (shipped, band, malicious, ends) in [
        (2.0, (1.0, 3.0), 0, 1.0),
        (2.0, (1.0, 3.0), 5000, 3.0),
        // What speaks for harmless still does, however often people contradict it, and does not grow without bound.
        (-3.0, (-4.5, -1.5), 5000, -1.5),
        (-3.0, (-4.5, -1.5), 0, -4.5),
        (0.0, (-1.0, 1.0), 5000, 1.0),
    ] {
        let found = fitted(shipped, band, &rows(5000, malicious));
        assert!(
            (found - ends).abs() < 1e-9,
            "{shipped} {malicious}: {found}"
        );
    }
}

#[tokio::test]
async fn too_few_of_a_kind_teach_nothing() {
    for (words, why) in [
        (
            vec![(&[NEW][..], 0, 60)],
            "0 cases malicious and 60 harmless",
        ),
        (
            vec![(&[NEW][..], 60, 0)],
            "60 cases malicious and 0 harmless",
        ),
        (vec![(&[NEW][..], 9, 40)], "9 cases malicious"),
        (vec![], "10 of each are needed"),
    ] {
        let store = told(&words).await;
        let proposal = propose(&store, &library()).await.unwrap();
        let refused = proposal.refused.unwrap();
        assert!(refused.contains(why), "{refused}");
        assert_eq!((proposal.changes.len(), proposal.effect), (0, None));
    }
}

#[tokio::test]
async fn what_does_not_hold_on_other_verdicts_is_refused() {
    // People agree with the shipped weights; which rule an alert is of says nothing, though it seems to.
    let store = Store::open("sqlite::memory:").await.unwrap();
    let dice = Dice::seeded("noise");
    for n in 0..160 {
        let (signal, odds) = if n % 2 == 0 {
            (NEW, 2.0_f64)
        } else {
            (USUAL, -3.0)
        };
        let kind = match dice.share() < 1.0 / (1.0 + (-odds).exp()) {
            true => VerdictKind::TruePositive,
            false => VerdictKind::FalsePositive,
        };
        let rule = format!("rule-{}", n % 16);
        say(&store, (&rule, n), &[signal], kind).await;
    }
    let proposal = propose(&store, &library()).await.unwrap();
    assert!(!proposal.changes.is_empty());
    let effect = proposal.effect.unwrap();
    let (was, is) = (&effect.before, &effect.after);
    assert!(
        is.log_loss >= was.log_loss || is.brier >= was.brier,
        "{effect:?}"
    );
    assert!(proposal.refused.unwrap().contains("cross-validated"));
}

#[tokio::test]
async fn words_that_say_nothing_are_counted_apart() {
    let store = told(&[(&[NEW, ("history", -4.0), ("model", 0.01)], 12, 12)]).await;
    say(&store, ("rule-0", 100), &[NEW], VerdictKind::Suspicious).await;
    let of = RuleAt {
        source: "siem".to_owned(),
        rule: "rule-0".to_owned(),
    };
    let gone = Word {
        playbook: "no-such-playbook",
        signals: vec![NEW],
        kind: VerdictKind::TruePositive,
    };
    let at = noon() + TimeDelta::days(9);
    leave_word(&store, &of, &gone, at).await.unwrap();
    let proposal = propose(&store, &library()).await.unwrap();
    assert_eq!(proposal.verdicts, 24);
    assert_eq!(proposal.left_out.values().sum::<usize>(), 2);
    // Neither people's words themselves nor a model's opinion is a signal.
    assert!(learned(&proposal, "new_address").is_some());
    let told = format!("{:?}", proposal.changes);
    assert!(
        !told.contains("history") && !told.contains("\"model\""),
        "{told}"
    );
}

/// A file that says this of signals and rules.
fn saying(signals: &str, rules: &str) -> String {
    format!(
        "fitted: {{ verdicts: 40, malicious: 12, until: '2026-03-02T12:00:00Z', playbooks: {{}} }}\nsignals: [{signals}]\nrules: [{rules}]\n"
    )
}

#[test]
fn a_file_that_says_too_much_is_refused_and_one_of_other_playbooks_is_told() {
    let signal = |weight: &str| {
        format!(
            "{{ home: scenario, signal: new_address, shipped: 2.0, weight: {weight}, verdicts: 9 }}"
        )
    };
    let rule = |odds: &str| format!("{{ source: siem, rule: r, log_odds: {odds}, verdicts: 9 }}");
    for (text, part) in [
        (saying(&signal("0.9"), ""), "outside of 1 to 3"),
        (saying(&signal("3.1"), ""), "outside of 1 to 3"),
        (saying(&signal("-2.0"), ""), "outside of 1 to 3"),
        (saying(&signal(".nan"), ""), "outside of 1 to 3"),
        (saying(&signal(".inf"), ""), "outside of 1 to 3"),
        (saying("", &rule("-1.5")), "outside of -1 to 1"),
        (saying("", &rule(".nan")), "outside of -1 to 1"),
        (saying("", &[rule("0.1"), rule("0.2")].join(", ")), "twice"),
        (
            saying(&[signal("1.5"), signal("1.5")].join(", "), ""),
            "twice",
        ),
        (saying("", "") + "more: 1\n", "more"),
        ("fitted: 1".to_owned(), "fitted"),
        (String::new(), ""),
    ] {
        let mut library = library();
        let before = library.get("scenario").unwrap().hash.clone();
        let faults = library.learn(&text).unwrap_err();
        assert!(faults.join("; ").contains(part), "{text}: {faults:?}");
        assert!(library.learned().is_none());
        assert_eq!(library.get("scenario").unwrap().hash, before);
    }
    let strange = saying(
        "{ home: nowhere, signal: x, shipped: 1.0, weight: 9.0, verdicts: 9 }",
        &rule("-0.5"),
    );
    let strange = strange.replace("playbooks: {}", "playbooks: { scenario: 00 }");
    let mut library = library();
    library.learn(&strange).unwrap();
    let warnings = library.learned().unwrap().warnings.join("; ");
    assert!(warnings.contains("signal `x` of nowhere"), "{warnings}");
    assert!(
        warnings.contains("other versions of scenario"),
        "{warnings}"
    );
    let entry = library.get("scenario").unwrap();
    assert!((entry.prior("siem", "r") - (entry.playbook.scoring.prior - 0.5)).abs() < 1e-9);
    assert!((entry.prior("other", "r") - entry.playbook.scoring.prior).abs() < 1e-9);
}
