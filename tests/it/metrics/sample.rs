//! The random sample of closes that people check: one lot a case, and a least number a week; what it shows is counted elsewhere.

use agent::config::{Config, Zone};
use agent::ctx::Dice;
use agent::daemon::{assemble, pollable};
use agent::metrics::Stretch;
use agent::{pipeline, triage};
use chrono::TimeDelta;
use state::model::{CaseId, Time, TimelineKind};
use state::store::metrics::Lottery;
use state::store::{CaseFilter, Store};
use tests::months::{Months, fill};
use tests::workbench::{Lab, USUAL, scenario_config, tamper};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// Works one harmless case under these settings, whose lot was drawn before; gives what its end says.
async fn worked(config: Config, drawn_before: f64) -> String {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), config).unwrap();
    let store = Store::open("sqlite::memory:").await.unwrap();
    let desk = assemble(config, store).await.unwrap();
    let ctx = &desk.ctx;
    for mut source in pollable(ctx).unwrap() {
        pipeline::poll(ctx, source.source.as_mut()).await.unwrap();
    }
    triage::take_in(ctx).await.unwrap();
    let case = ctx.store.list_cases(CaseFilter::default()).await.unwrap()[0]
        .case
        .id;
    let now = ctx.now();
    let lottery = Lottery {
        week: (now - TimeDelta::days(1), now + TimeDelta::days(6)),
        share: drawn_before,
        least: 0,
    };
    ctx.store
        .draw_for_review((case, now), &lottery, 0.5)
        .await
        .unwrap();
    assert_eq!(triage::work_next(ctx).await.unwrap(), Some(case));
    let told = ctx.store.timeline(case).await.unwrap();
    let ends = |kind| matches!(kind, TimelineKind::Closed | TimelineKind::Escalated);
    let end = told.into_iter().find(|e| ends(e.kind)).unwrap();
    desk.stop().await;
    end.message
}

#[tokio::test]
async fn a_case_is_drawn_once_however_often_it_is_worked() {
    // The settings would let the second draw come out the other way.
    for (percent, before, said) in [
        (0.0, 1.0, "drawn for review"),
        (100.0, 0.0, "closed: trusted facts allow it"),
    ] {
        let mut config = scenario_config();
        config.closing.review_sample_percent = Some(percent);
        let end = worked(config, before).await;
        assert!(end.starts_with(said), "{percent} {before}: {end}");
    }
}

/// Draws for so many closes, evenly over the week from `since`; which of them were drawn.
async fn week(store: &Store, cases: &[CaseId], since: Time, dice: &Dice) -> Vec<usize> {
    let lottery = Lottery {
        week: (since, since + TimeDelta::days(7)),
        share: 0.05,
        least: 20,
    };
    let step = TimeDelta::days(7) / i32::try_from(cases.len()).unwrap();
    let mut now = since;
    let mut drawn = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let draw = store.draw_for_review((*case, now), &lottery, dice.share());
        if draw.await.unwrap() {
            drawn.push(i);
        }
        now += step;
    }
    drawn
}

#[tokio::test]
async fn a_week_reaches_its_least_number_and_not_with_its_first_closes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let months = Months {
        cases: 2200,
        from: at("2026-10-10T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 9,
    };
    fill(&file, months).await.unwrap();
    for sql in ["DROP TRIGGER review_lots_stay", "DELETE FROM review_lots"] {
        tamper(&file, sql).await.unwrap();
    }
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(&url).await.unwrap();
    let cases = store.list_cases(CaseFilter::default()).await.unwrap();
    let mut cases = cases.into_iter().map(|l| l.case.id);
    let dice = Dice::seeded("weeks");
    let mut since = at("2026-01-05T00:00:00Z");
    for (volume, least, most) in [(12, 2, 10), (60, 17, 24), (300, 20, 45), (600, 20, 60)] {
        for known in [false, true] {
            let of: Vec<CaseId> = cases.by_ref().take(volume).collect();
            assert_eq!(of.len(), volume);
            let drawn = week(&store, &of, since, &dice).await;
            let said = format!("{volume} a week: {drawn:?}");
            assert!((least..=most).contains(&drawn.len()), "{said}");
            // Once it is known what a week brings, its last days are looked at like its first.
            if known && volume >= 300 {
                let early = drawn.iter().filter(|i| **i < volume / 4).count();
                assert!(early < 14 && early > 0, "{said}");
            }
            since += TimeDelta::days(7);
        }
        // So long that nothing is known any more.
        since += TimeDelta::days(14);
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_split_from_a_drawn_case_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let (from, until) = (at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
    let months = Months {
        cases: 20,
        from,
        until,
        seed: 1,
    };
    fill(&file, months).await.unwrap();
    for sql in [
        "DROP TRIGGER review_lots_stay",
        "DELETE FROM review_lots",
        "INSERT INTO splits (at, from_case, to_case, split_by, why) VALUES (1, 1, 2, 'ana', ''), (2, 2, 3, 'ana', '')",
    ] {
        tamper(&file, sql).await.unwrap();
    }
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(&url).await.unwrap();
    for (case, share, drawn) in [
        (1, 1.0, true),
        (3, 0.0, true),
        (2, 0.0, true),
        (4, 0.0, false),
    ] {
        let lottery = Lottery {
            week: (from, until),
            share,
            least: 0,
        };
        let lot = store.draw_for_review((CaseId(case), from), &lottery, 0.5);
        assert_eq!(lot.await.unwrap(), drawn, "{case}");
    }
    store.close().await;
}

#[test]
fn the_week_of_the_sample_is_that_of_the_report() {
    for (zone, now, name) in [
        ("UTC", "2026-11-16T00:00:00Z", "2026-W47"),
        ("UTC", "2026-11-22T23:59:59Z", "2026-W47"),
        ("Europe/Berlin", "2026-11-22T23:30:00Z", "2026-W48"),
        ("America/New_York", "2026-03-09T03:59:00Z", "2026-W10"),
    ] {
        let zone: Zone = zone.parse().unwrap();
        let week = Stretch::week(name, zone).unwrap();
        let found = zone.week_of(at(now));
        assert_eq!(found, Some((week.since, week.until)), "{now} {zone}");
    }
}
