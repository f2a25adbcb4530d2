//! A source that never answered has a figure from the start, so that an alert rule can see its silence.

use agent::config;
use chrono::TimeDelta;
use state::store::Store;
use tests::ask::{Exposed, get};

use super::listening;

const SOURCES: &str = "
[[sources]]
name = \"feed\"
kind = \"file\"
path = \"nowhere.jsonl\"
mapping = \"panther\"
[[sources]]
name = \"push\"
kind = \"webhook\"
listen = \"127.0.0.1:8514\"
secret = { env = \"X\" }
mapping = \"guardduty\"
";
const POLLED: &str = "soc_poll_last_success_timestamp_seconds";

#[tokio::test]
async fn before_its_first_poll_a_source_is_silent_since_the_start() {
    let sources = config::from_text(SOURCES, "test").unwrap().sources;
    let store = Store::open("sqlite::memory:").await.unwrap();
    let (ctx, clock, port) = listening(store, |c| c.sources = sources).await;
    let began = ctx.now();
    let figures = async || {
        let text = get(port, "/metrics", None).await.unwrap().body;
        Exposed::read(&text).unwrap()
    };
    let of = |read: &Exposed, name: &str, source: &str| read.sum(name, &[("source", source)]);
    let seconds = |time: state::model::Time| Some(time.timestamp() as f64);
    clock.forward(TimeDelta::hours(1));
    let read = figures().await;
    assert_eq!(of(&read, POLLED, "feed"), seconds(began));
    // What is pushed is silent when there is nothing, so it has no figure until it sends.
    assert_eq!(of(&read, POLLED, "push"), None);
    for source in ["feed", "push"] {
        assert_eq!(of(&read, "soc_poll_failures_total", source), Some(0.0));
        assert_eq!(of(&read, "soc_alerts_ingested_total", source), Some(0.0));
    }
    ctx.guard.meters.poll_failed("feed");
    assert_eq!(of(&figures().await, POLLED, "feed"), seconds(began));
    ctx.guard.meters.received("feed", 0, ctx.now());
    // A second listener that makes its sources known takes nothing back.
    ctx.guard.meters.know_source("feed", Some(began));
    assert_eq!(of(&figures().await, POLLED, "feed"), seconds(ctx.now()));
}
