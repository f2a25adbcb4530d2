//! Every number of a report equals an independent computation over the same store.

use std::collections::BTreeMap;

use agent::config::{MetricsConfig, Zone};
use agent::metrics::{Report, RuleEntry, Stretch, report};
use chrono::TimeDelta;
use state::model::{Time, VerdictKind as V};
use state::store::Store;
use tests::months::{Months, fill};

use super::oracle::{Found, Row, Whole, figures, read, rows};

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

pub(super) fn zone() -> Zone {
    "Europe/Berlin".parse().unwrap()
}

pub(super) fn config() -> MetricsConfig {
    let mut config = MetricsConfig {
        time_zone: zone(),
        ..MetricsConfig::default()
    };
    config.rule_minutes.insert("r-3".to_owned(), 2.5);
    config
}

async fn filled(seed: i64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let months = Months {
        cases: 1200,
        from: at("2026-10-10T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed,
    };
    fill(&file, months).await.unwrap();
    let store = Store::open(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    (dir, store)
}

fn over(stretch: &Stretch) -> (i64, i64) {
    (
        stretch.since.timestamp_micros(),
        stretch.until.timestamp_micros(),
    )
}

pub(super) fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        (None, None) => true,
        _ => false,
    }
}

/// Compares all numbers of a report with those of the oracle, both ways.
fn equal(made: &Report, wanted: &Found, earlier: &[Found]) -> usize {
    let mut left: BTreeMap<_, _> = wanted.clone();
    for number in made.numbers.iter().filter(|n| n.metric != "ingest_gap") {
        let place = (
            number.metric.clone(),
            number.dimension.clone(),
            number.dimension_value.clone(),
            number.stat.to_owned(),
        );
        let Some((value, n)) = left.remove(&place) else {
            panic!("{place:?} = {:?} is not in the oracle", number.value);
        };
        assert!(
            near(number.value, value) && number.n == n,
            "{place:?}: {:?} of {}, not {value:?} of {n}",
            number.value,
            number.n
        );
        assert_eq!(
            number.value.is_none(),
            number.not_measured.is_some(),
            "{place:?}"
        );
        for (had, then) in number.earlier.iter().zip(earlier) {
            let then = then.get(&place).and_then(|(v, _)| *v);
            assert!(near(*had, then), "{place:?} earlier: {had:?}, not {then:?}");
        }
        let mut known: Vec<f64> = number.earlier.iter().copied().flatten().collect();
        known.sort_by(f64::total_cmp);
        let middle = known.len() / 2;
        let median = match known.len() {
            0 => None,
            n if n % 2 == 1 => Some(known[middle]),
            _ => Some((known[middle - 1] + known[middle]) / 2.0),
        };
        assert!(near(number.median, median), "{place:?} median");
        assert!(
            near(number.before, number.earlier.last().copied().flatten()),
            "{place:?} before"
        );
    }
    assert!(left.is_empty(), "not in the report: {left:?}");
    wanted.len()
}

#[tokio::test]
async fn every_number_equals_another_computation_of_it() {
    let config = config();
    for (seed, week, as_of) in [
        (1, "2026-W46", at("2026-11-25T09:00:00Z")),
        // The week with the hour twice, seen from its own middle: what came later is not there yet.
        (2, "2026-W43", at("2026-12-01T00:00:00Z")),
    ] {
        let (_dir, store) = filled(seed).await;
        let all = read(&store).await;
        let stretch = Stretch::week(week, zone()).unwrap();
        let made = report(&store, &config, &stretch, as_of).await.unwrap();
        let micros = as_of.timestamp_micros();
        let wanted = figures(&all, over(&stretch), micros, &config);
        let born = all
            .iter()
            .flat_map(|w| &w.alerts)
            .map(|a| a.time)
            .min()
            .unwrap();
        let earlier: Vec<Found> = (1..=4)
            .rev()
            .map(|back| stretch.before(back))
            // A week before the first alert is not measured at all.
            .map(|s| {
                if s.until <= born {
                    Found::new()
                } else {
                    figures(&all, over(&s), micros, &config)
                }
            })
            .collect();
        let compared = equal(&made, &wanted, &earlier);
        assert!(compared > 600, "{compared} numbers");
        let measured = wanted
            .values()
            .filter(|(v, n)| v.is_some() && *n > 0)
            .count();
        assert!(measured > 550, "{measured} of {compared} are measured");
        let of = |metric: &str| made.number(metric, "value").unwrap().value.unwrap();
        // The made-up weeks have something of everything, or equality shows nothing.
        for metric in [
            "auto_close_precision",
            "review_floor",
            "automation_coverage",
            "sla_breach_rate_tta",
            "sla_breach_rate_ttr",
            "escalation_rate",
            "kappa",
        ] {
            assert!(
                of(metric) > 0.0 && of(metric) < 1.0,
                "{metric} {}",
                of(metric)
            );
        }
        rules_equal(&made, &all, &stretch, &config);
        store.close().await;
    }
}

/// A week has few true positives that something was done about; six have some.
#[tokio::test]
async fn every_number_of_a_long_stretch_does_too() {
    let (_dir, store) = filled(1).await;
    let config = config();
    let [from, to] = ["2026-10-10", "2026-11-20"].map(|day| day.parse().unwrap());
    let stretch = Stretch::days(from, to, zone()).unwrap();
    let as_of = at("2026-11-25T09:00:00Z");
    let made = report(&store, &config, &stretch, as_of).await.unwrap();
    let all = read(&store).await;
    let wanted = figures(&all, over(&stretch), as_of.timestamp_micros(), &config);
    // Nothing came before.
    let compared = equal(&made, &wanted, &[]);
    assert!(compared > 600, "{compared} numbers");
    responses(&made);
    store.close().await;
}

/// More was sent than was seen to be in force, and some true positives had neither: the two figures are told apart.
fn responses(made: &Report) {
    let of = |metric: &str, stat: &str| made.number(metric, stat).unwrap();
    let (sent, seen) = (of("time_to_respond", "p50"), of("ttc", "p50"));
    assert!(sent.n > seen.n && seen.n > 0, "{} {}", sent.n, seen.n);
    assert!(sent.value < seen.value, "{:?} {:?}", sent.value, seen.value);
    assert!(of("time_to_respond", "missing").value > Some(0.0));
    let of = made.definitions.iter();
    let mut of = of.filter(|d| d.metric == "time_to_respond");
    let definition = of.next().unwrap();
    assert_eq!(definition.formula_id, "nightdesk.time_to_respond/1");
    assert_eq!(definition.unit, "seconds");
}

/// The rules of a report, computed once more.
fn rules_equal(made: &Report, all: &[Whole], stretch: &Stretch, config: &MetricsConfig) {
    let cohort = rows(all, over(stretch), config);
    let ever = rows(all, (0, stretch.until.timestamp_micros()), config);
    let mut groups: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in &cohort {
        groups
            .entry((&row.source, &row.rule))
            .or_default()
            .push(row);
    }
    assert_eq!(made.rules.len(), groups.len());
    let mut noisy = 0;
    for entry in &made.rules {
        let rule = (entry.source.as_str(), entry.rule.as_str());
        let of = groups.remove(&rule).unwrap();
        let real = ever.iter().filter(|r| {
            (r.source.as_str(), r.rule.as_str()) == rule && r.last_word() == Some(V::TruePositive)
        });
        let last = real.map(|r| r.c).max();
        let flagged = rule_equal(entry, &of, last, stretch);
        assert_eq!(entry.suggestion.is_some(), flagged, "{}", entry.rule);
        let people = of.iter().filter(|r| is_harmless(r));
        let people: Vec<&str> = people.map(|r| all[r.case].principal()).collect();
        evidence_equal(entry, &of, &people);
        noisy += usize::from(flagged);
    }
    assert!(groups.is_empty());
    assert!(noisy >= 1, "no noisy rule in {} rules", made.rules.len());
}

fn is_harmless(row: &Row) -> bool {
    matches!(row.last_word(), Some(V::BenignPositive | V::FalsePositive))
}

/// Counts, minutes, bound and last true positive of a rule; gives whether it is noisy.
fn rule_equal(entry: &RuleEntry, of: &[&Row], last: Option<i64>, stretch: &Stretch) -> bool {
    let n = |kind| of.iter().filter(|r| r.last_word() == Some(kind)).count() as i64;
    let (tp, bp, fp) = (
        n(V::TruePositive),
        n(V::BenignPositive),
        n(V::FalsePositive),
    );
    let had = entry.counts;
    let had = (
        had.volume,
        had.true_positive,
        had.benign_positive,
        had.false_positive,
    );
    let rule = &entry.rule;
    assert_eq!(had, (of.len() as i64, tp, bp, fp), "{rule}");
    let human: f64 = of.iter().map(|r| r.human_minutes()).sum();
    assert!(near(Some(entry.human_minutes), Some(human)), "{rule}");
    let machine: i64 = of.iter().map(|r| r.machine_micros()).sum();
    let machine = machine as f64 / 6e7;
    assert!(near(Some(entry.machine_minutes), Some(machine)), "{rule}");
    let had = entry.last_tp.map(|t| t.timestamp_micros());
    assert_eq!(had, last, "{rule}");
    let (k, n) = ((bp + fp) as f64, (tp + bp + fp) as f64);
    let z = 1.959_963_984_540_054_f64;
    let low = (n > 0.0).then(|| {
        let p = k / n;
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((p + z * z / (2.0 * n) - half) / (1.0 + z * z / n)).max(0.0)
    });
    assert!(near(entry.noise_lower, low), "{rule}: {low:?}");
    let month = (stretch.until - TimeDelta::days(30)).timestamp_micros();
    // Nothing is known of the time before the first alert came.
    let first = at("2026-10-10T01:00:00Z").timestamp_micros();
    let quiet = last.unwrap_or(first) < month;
    let told = entry.evidence.join("; ");
    assert!(!told.contains("in a year"), "{told}");
    (of.len() >= 10 && low >= Some(0.9)) || (of.len() >= 20 && quiet)
}

/// What the suggestion of a rule rests on.
fn evidence_equal(entry: &RuleEntry, of: &[&Row], people: &[&str]) {
    let harmless: Vec<&&Row> = of.iter().filter(|r| is_harmless(r)).collect();
    let most = |words: &[&str]| {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for word in words {
            *count.entry(word).or_default() += 1;
        }
        let top = count
            .into_iter()
            .max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
        top.map(|(word, n)| (word.to_owned(), n))
    };
    let reasons: Vec<&str> = harmless
        .iter()
        .map(|r| r.reason.unwrap().as_str())
        .collect();
    let top = most(&reasons);
    let had = entry.top_reason.map(|r| r.as_str().to_owned());
    assert_eq!(had, top.clone().map(|(r, _)| r), "{}", entry.rule);
    if entry.suggestion.is_none() {
        assert!(entry.evidence.is_empty());
        return;
    }
    let told = entry.evidence.join("; ");
    if let Some((reason, n)) = top {
        let said = format!("reason {reason} in {n} of {}", harmless.len());
        assert!(told.contains(&said), "{told} lacks {said}");
    }
    if harmless.len() >= 5 {
        let most = people
            .iter()
            .map(|p| people.iter().filter(|q| *q == p).count());
        let most = most.max().unwrap();
        let said = format!("acted in {most} of {} harmless alerts", harmless.len());
        assert!(told.contains(&said), "{}: {told} lacks {said}", entry.rule);
    }
}

#[tokio::test]
async fn an_empty_store_measures_nothing_and_says_so() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let stretch = Stretch::week("2026-W46", zone()).unwrap();
    let made = report(&store, &config(), &stretch, at("2026-11-20T00:00:00Z"))
        .await
        .unwrap();
    for number in &made.numbers {
        let zero =
            number.value == Some(0.0) && matches!(number.unit, "alerts" | "cases" | "questions");
        assert!(
            zero || (number.value.is_none() && number.not_measured.is_some()),
            "{number:?}"
        );
        assert!(number.earlier.iter().all(Option::is_none), "{number:?}");
    }
    assert!(made.not_measured.len() > 40, "{}", made.not_measured.len());
    assert_eq!(made.rules, []);
}
