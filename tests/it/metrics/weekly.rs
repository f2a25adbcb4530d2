//! The export on schedule: by the running daemon, once however often it was missed, and told in short.

use std::sync::Arc;

use agent::config::{Config, MetricsFormat};
use agent::ctx::Ctx;
use agent::daemon::{assemble_at, digest, export_due, tell};
use agent::metrics::{Stretch, report};
use agent::notify::Post;
use chrono::TimeDelta;
use state::model::Time;
use state::store::Store;
use tests::board::Board;
use tests::daemon::{Site, until};
use tests::months::{Months, fill};
use tests::workbench::{HandClock, Lab, USUAL, scenario_config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn config(lab: &Lab, dir: &std::path::Path) -> Config {
    let mut config =
        agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), scenario_config()).unwrap();
    config.servers.clear();
    config.sources.clear();
    config.people.metrics.dir = dir.join("weeks");
    config.people.metrics.formats = vec![MetricsFormat::Json, MetricsFormat::Html];
    config.people.metrics.at = "0 6 * * Mon".to_owned();
    config
}

/// The weeks that people are told of, each with the page for whoever can attach it.
async fn weeks_told(ctx: &Ctx, board: &Board) -> Vec<String> {
    for _ in 0..2 {
        tell(ctx, board).await.unwrap();
    }
    let told = board.seen().into_iter().filter_map(|p| match p.post {
        Post::Digest(digest) => digest.report.map(|_| digest.week),
        _ => None,
    });
    told.collect()
}

#[tokio::test]
async fn a_week_is_exported_once_when_its_time_comes_or_was_missed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let months = Months {
        cases: 150,
        from: at("2026-10-20T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 3,
    };
    fill(&file, months).await.unwrap();
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let clock = Arc::new(HandClock::at(at("2026-11-23T05:59:00Z")));
    let open = || async {
        let store = Store::open(&format!("sqlite:{}", file.display()))
            .await
            .unwrap();
        assemble_at(config(&lab, dir.path()), store, clock.clone())
            .await
            .unwrap()
    };
    let (desk, board) = (open().await, Board::default());
    tell(&desk.ctx, &board).await.unwrap();
    // Three Mondays went by unexported: the last one makes up for all of them, with the week that was over then.
    let first = export_due(&desk.ctx).await.unwrap().unwrap();
    assert_eq!(first.digest.week, "2026-W46");
    assert!(export_due(&desk.ctx).await.unwrap().is_none(), "once");
    // The schedule comes round.
    clock.forward(TimeDelta::minutes(1));
    let second = export_due(&desk.ctx).await.unwrap().unwrap();
    assert_eq!(second.digest.week, "2026-W47");
    assert!(export_due(&desk.ctx).await.unwrap().is_none(), "once");
    let told = weeks_told(&desk.ctx, &board).await;
    assert_eq!(told, ["2026-W46", "2026-W47"]);
    let names = |week: &str| {
        let entries = std::fs::read_dir(dir.path().join("weeks").join(week)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("2026-W47"), ["metrics.json", "report.html"]);
    // A week later, to the minute.
    clock.forward(TimeDelta::minutes(7 * 24 * 60 - 2));
    assert_eq!(desk.ctx.now(), at("2026-11-30T05:58:00Z"));
    assert!(export_due(&desk.ctx).await.unwrap().is_none());
    clock.forward(TimeDelta::minutes(2));
    let next = export_due(&desk.ctx).await.unwrap().unwrap();
    assert_eq!(next.digest.week, "2026-W48");
    desk.stop().await;
    // Down over two Mondays.
    clock.forward(TimeDelta::days(15));
    let desk = open().await;
    let made_up = export_due(&desk.ctx).await.unwrap().unwrap();
    assert_eq!(made_up.digest.week, "2026-W50");
    assert!(
        export_due(&desk.ctx).await.unwrap().is_none(),
        "once, not twice"
    );
    let kept = desk.ctx.store.metrics_exports(10).await.unwrap();
    let weeks: Vec<&str> = kept.iter().map(|e| e.period.as_str()).collect();
    assert_eq!(weeks, ["2026-W50", "2026-W48", "2026-W47", "2026-W46"]);
    // What can't be written does not count as exported, and is tried again.
    clock.forward(TimeDelta::days(7));
    std::fs::write(dir.path().join("weeks/2026-W51"), "in the way").unwrap();
    assert!(export_due(&desk.ctx).await.is_err());
    assert_eq!(desk.ctx.store.metrics_exports(10).await.unwrap().len(), 4);
    std::fs::remove_file(dir.path().join("weeks/2026-W51")).unwrap();
    assert_eq!(
        export_due(&desk.ctx).await.unwrap().unwrap().digest.week,
        "2026-W51"
    );
    desk.stop().await;
}

#[tokio::test]
async fn the_running_daemon_exports_and_says_so() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    // Every minute, so that one is due within patience; the first alert is what it counts from.
    site.add("[metrics]\nat = \"* * * * *\"\ndir = \"weeks\"\nformats = [\"json\", \"csv\", \"md\", \"html\"]").unwrap();
    let months = Months {
        cases: 60,
        from: at("2026-11-01T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 5,
    };
    fill(&site.dir().join("nightdesk.db"), months)
        .await
        .unwrap();
    let mut daemon = site.started().await.unwrap();
    daemon
        .says("the week's metrics are exported")
        .await
        .unwrap();
    let store = site.store().await.unwrap();
    let done = until("the export in the store", async || {
        Ok(store.metrics_exports(1).await?.pop())
    })
    .await
    .unwrap();
    let dir = site.dir().join(&done.dir);
    for name in [
        "metrics.json",
        "metrics.csv",
        "noisy_rules.csv",
        "report.md",
        "report.html",
    ] {
        assert!(dir.join(name).is_file(), "{name}");
    }
    let last = Stretch::last_week(done.at, "UTC".parse().unwrap()).unwrap();
    assert_eq!(
        (done.period.as_str(), done.since, done.until),
        (last.name.as_str(), last.since, last.until)
    );
    // The source of the lab is polled, and that is on record.
    let today = done.at.date_naive();
    let here = Stretch::days(today, today, "UTC".parse().unwrap()).unwrap();
    let settings = agent::config::MetricsConfig::default();
    let made = report(&store, &settings, &here, done.at + TimeDelta::minutes(1))
        .await
        .unwrap();
    assert!(
        made.ingest_gaps
            .iter()
            .any(|g| g.minutes == 0.0 && g.of > 0.0),
        "{:?}",
        made.ingest_gaps
    );
    store.close().await;
    assert!(daemon.stop().await.unwrap().success());
}

#[tokio::test]
async fn the_digest_is_short_and_holds_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let months = Months {
        cases: 900,
        from: at("2026-10-20T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 3,
    };
    fill(&file, months).await.unwrap();
    let store = Store::open(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    let week = Stretch::week("2026-W46", "UTC".parse().unwrap()).unwrap();
    let settings = agent::config::MetricsConfig::default();
    let made = report(&store, &settings, &week, at("2026-11-23T06:00:00Z"))
        .await
        .unwrap();
    let told = digest(&made, Some("<html>".to_owned()));
    assert_eq!(told.week, "2026-W46");
    assert_eq!(told.numbers.len(), 8);
    assert!(
        told.numbers
            .iter()
            .any(|(name, value, change)| name == "alerts"
                && !value.is_empty()
                && !change.is_empty())
    );
    let titles: Vec<&str> = told.sections.iter().map(|(t, _)| t.as_str()).collect();
    for title in [
        "Noisiest rules",
        "Broken service levels",
        "Oldest open cases",
    ] {
        assert!(titles.contains(&title), "{titles:?}");
    }
    for (title, lines) in &told.sections {
        assert!(
            lines.len() <= 14 && lines.iter().all(|l| l.chars().count() < 400),
            "{title}: {lines:?}"
        );
    }
    assert_eq!(told.report.as_deref(), Some("<html>"));
}
