//! Minutes without a poll, against the polls themselves.

use agent::metrics::{Stretch, report};
use chrono::TimeDelta;
use state::model::Time;
use state::store::Store;

use super::numbers::{config, near, zone};

/// A source that never answered is silent since it was known, one that was taken out until then, and a quick start is none.
async fn configured(week: &Stretch) {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let within = TimeDelta::hours(4);
    let after = |hours| week.since + TimeDelta::hours(hours);
    let known = |names: &[&str]| -> Vec<(String, TimeDelta)> {
        names.iter().map(|n| ((*n).to_owned(), within)).collect()
    };
    let first = known(&["mute", "gone", "live"]);
    store.know_sources(&first, after(10)).await.unwrap();
    store.polled("gone", within, after(11)).await.unwrap();
    for k in 0..80 {
        let t = after(11 + 2 * k);
        store.polled("live", within, t).await.unwrap();
    }
    let later = known(&["mute", "live"]);
    store.know_sources(&later, after(30)).await.unwrap();
    let made = report(&store, &config(), week, week.until).await.unwrap();
    let of = |source: &str| {
        let entry = made.ingest_gaps.iter().find(|g| g.source == source);
        entry.map(|g| (g.minutes / 60.0, g.gaps)).unwrap()
    };
    assert_eq!(of("mute"), (158.0, 1));
    assert_eq!(of("gone"), (19.0, 1));
    assert_eq!(of("live"), (0.0, 0));
}

#[tokio::test]
async fn gaps_are_what_lies_between_polls() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let week = Stretch::week("2026-W46", zone()).unwrap();
    let within = TimeDelta::hours(4);
    let mut polls: Vec<(&str, Time)> = Vec::new();
    // Every three hours from before the week on, with one outage of 30 hours and one of 10; and a source that is born in it
    // and dies before its end.
    for k in 0..80 {
        let t = week.since - TimeDelta::hours(20) + TimeDelta::hours(3 * k);
        if !(20..30).contains(&k) && !(50..53).contains(&k) {
            polls.push(("steady", t));
        }
    }
    for k in 0..5 {
        polls.push(("brief", week.since + TimeDelta::hours(40 + 3 * k)));
    }
    for (source, t) in &polls {
        store.polled(source, within, *t).await.unwrap();
    }
    let as_of = week.until + TimeDelta::days(2);
    let made = report(&store, &config(), &week, as_of).await.unwrap();
    for source in ["steady", "brief"] {
        let own: Vec<Time> = polls
            .iter()
            .filter(|(s, _)| *s == source)
            .map(|(_, t)| *t)
            .collect();
        let mut edges: Vec<(Time, Time)> = own.windows(2).map(|w| (w[0], w[1])).collect();
        let last = *own.last().unwrap();
        if last + within < week.until {
            edges.push((last, week.until));
        }
        let silent = edges
            .iter()
            .filter(|(a, b)| *b - *a > within)
            .map(|(a, b)| (*b).min(week.until) - (*a).max(week.since))
            .filter(|d| *d > TimeDelta::zero())
            .map(|d| d.num_seconds() as f64 / 60.0);
        let silent: Vec<f64> = silent.collect();
        let entry = made
            .ingest_gaps
            .iter()
            .find(|g| g.source == source)
            .unwrap();
        assert!(
            near(Some(entry.minutes), Some(silent.iter().sum())),
            "{source}: {entry:?} {silent:?}"
        );
        assert_eq!(entry.gaps, silent.len() as i64, "{source}");
        assert!(
            near(Some(entry.longest), silent.iter().copied().reduce(f64::max)),
            "{source}"
        );
        let known = week.until - own[0].max(week.since);
        assert!(
            near(Some(entry.of), Some(known.num_seconds() as f64 / 60.0)),
            "{source}"
        );
        let said = &made.warnings;
        assert!(said.iter().any(|w| w.contains(source)), "{said:?}");
    }
    configured(&week).await;
    // Another week, before either was known.
    let before = report(&store, &config(), &week.before(9), as_of)
        .await
        .unwrap();
    assert_eq!(before.ingest_gaps, []);
    assert!(before.not_measured.iter().any(|m| m.metric == "ingest_gap"));
}
