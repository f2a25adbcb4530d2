//! No label holds what an outsider or a model wrote, and a name that a person chose badly breaks no line.

use agent::gate::{self, Meter, Origin, Request};
use agent::telemetry::{Exposition, Meters};
use serde_json::{Map, json};
use state::model::{Budget, Tier};
use tests::ask::Exposed;
use tests::desk::Desk;

const HOSTILE: [&str; 5] = [
    "x\"} 1\nsoc_evil_total{a=\"",
    "identity.get_user\"} 9",
    "\u{202e}evil.tool\\",
    "siem.query_logs\nsoc_evil_total 1",
    "evil.</metrics>",
];

#[tokio::test]
async fn a_tool_that_a_model_makes_up_is_counted_by_rule_and_not_by_name() {
    let desk = Desk::open("labels", |t| t).await.unwrap();
    let alert = json!({"id": "evil\"} 1\nsoc_evil 1", "rule_id": "evil\"rule", "title": "evil\ntitle",
        "severity": "High", "created_at": "2026-03-02T11:00:00.000Z", "log_types": ["Okta.SystemLog"], "events": [{}]});
    let subject = desk.case(&alert).await.unwrap();
    let meter = Meter::new(Budget::default());
    for tool in HOSTILE {
        let request = Request {
            subject: &subject,
            tier: Tier::One,
            asked_by: "model:1",
            tool,
            arguments: Map::from_iter([(tool.to_owned(), json!(tool))]),
            as_of: desk.ctx.now(),
            origin: Origin::Model,
        };
        let called = gate::call(&desk.ctx, &meter, request).await;
        assert!(called.reply.is_none(), "{called:?}");
    }
    for how in [Exposition::Prometheus, Exposition::OpenMetrics] {
        let text = desk.ctx.guard.meters.render(how).unwrap();
        let read = Exposed::read(&text).unwrap();
        assert!(!text.contains("evil"), "{text}");
        assert_eq!(
            read.sum("soc_gate_refusals_total", &[]),
            Some(HOSTILE.len() as f64),
            "{text}"
        );
    }
}

#[test]
fn a_name_of_the_configuration_is_escaped() {
    let meters = Meters::default();
    for name in HOSTILE {
        meters.received(name, 1, chrono::Utc::now());
    }
    for how in [Exposition::Prometheus, Exposition::OpenMetrics] {
        let text = meters.render(how).unwrap();
        let read = Exposed::read(&text).unwrap();
        for name in HOSTILE {
            let found = read.sum("soc_alerts_ingested_total", &[("source", name)]);
            assert_eq!(found, Some(1.0), "{name:?}: {text}");
        }
        assert!(read.samples.iter().all(|s| s.name != "soc_evil_total"));
    }
}
