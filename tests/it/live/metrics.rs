//! The metrics of a daemon that has worked: both formats, and the figures of the store.

use tests::ask::{self, Exposed, get};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, USUAL};

use super::{ANY, PROGRAM};

const OPEN: &str = "application/openmetrics-text; version=1.0.0";

#[tokio::test]
async fn what_was_worked_is_counted_in_both_formats() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL, STRANGE]).unwrap()).unwrap();
    site.add(ANY).unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    let worked = site.settled(2).await.unwrap();
    let (plain, open) = tests::daemon::until("the gauges to follow", async || {
        let plain = get(port, "/metrics", None).await?;
        let open = get(port, "/metrics", Some(OPEN)).await?;
        let read = Exposed::read(&plain.body)?;
        // Read from the store, and told again for some seconds.
        let cases = worked.len() as f64;
        let settled = read.sum("soc_backlog_alerts", &[]) == Some(0.0)
            && read
                .sum("soc_closes_total", &[("by", "nightdesk")])
                .is_some()
            && read.sum("soc_triage_duration_seconds_count", &[]) >= Some(cases);
        Ok(settled.then_some((plain, open)))
    })
    .await
    .unwrap();
    assert_eq!((plain.status, open.status), (200, 200));
    assert_eq!(
        plain.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(
        open.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
    assert!(!plain.body.contains("# EOF"), "{}", plain.body);
    let (p, o) = (
        Exposed::read(&plain.body).unwrap(),
        Exposed::read(&open.body).unwrap(),
    );
    // A counter's family is named without its ending in the one format and with it in the other.
    assert_eq!(p.types["soc_verdicts_total"], "counter", "{}", plain.body);
    assert_eq!(o.types["soc_verdicts"], "counter", "{}", open.body);
    assert_eq!(p.types["soc_build_info"], "gauge", "{}", plain.body);
    assert_eq!(o.types["soc_build"], "info", "{}", open.body);
    let names = |e: &Exposed| -> Vec<String> { e.samples.iter().map(|s| s.name.clone()).collect() };
    let sorted = |mut v: Vec<String>| {
        v.sort();
        v
    };
    assert_eq!(sorted(names(&p)), sorted(names(&o)));
    figures(&p, &worked);
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
}

/// What the metrics say is what the store holds.
fn figures(read: &Exposed, worked: &[tests::daemon::Worked]) {
    let sum = |name: &str, labels: &[(&str, &str)]| read.sum(name, labels);
    let source = &worked[0].alerts[0].source;
    let of_source = [("source", source.as_str())];
    assert_eq!(sum("soc_alerts_ingested_total", &of_source), Some(2.0));
    assert_eq!(sum("soc_poll_failures_total", &of_source), Some(0.0));
    assert!(sum("soc_poll_last_success_timestamp_seconds", &of_source) > Some(1.7e9));
    let verdicts = worked.iter().map(|w| w.verdicts.len()).sum::<usize>();
    assert_eq!(sum("soc_verdicts_total", &[]), Some(verdicts as f64));
    for w in worked {
        for v in &w.verdicts {
            let v = &v.verdict;
            let (tier, analyst) = (
                v.provenance.tier.to_string(),
                v.provenance.analyst.to_string(),
            );
            let labels = [
                ("verdict", v.kind.as_str()),
                ("tier", &tier),
                ("analyst", &analyst),
            ];
            assert!(
                sum("soc_verdicts_total", &labels) >= Some(1.0),
                "{labels:?}"
            );
        }
    }
    let asked = worked
        .iter()
        .flat_map(|w| &w.calls)
        .filter(|c| c.tool.starts_with("identity.") && c.outcome.as_str() == "ok")
        .count();
    assert!(asked > 0);
    let identity = [("server", "identity"), ("outcome", "ok")];
    assert_eq!(sum("soc_tool_calls_total", &identity), Some(asked as f64));
    let buckets = read
        .samples
        .iter()
        .filter(|s| s.name == "soc_triage_duration_seconds_bucket")
        .map(|s| s.value);
    let buckets: Vec<f64> = buckets.collect();
    assert!(buckets.len() > 5 && buckets.is_sorted(), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&(worked.len() as f64)));
    let closed = worked
        .iter()
        .filter(|w| w.case.outcome.is_some_and(|o| o.as_str() == "closed"));
    let closed = closed.count() as f64;
    assert_eq!(
        sum("soc_closes_total", &[("by", "nightdesk")]),
        Some(closed)
    );
    assert_eq!(sum("soc_backlog_cases", &[("status", "new")]), Some(0.0));
    for switch in ["closing", "effects"] {
        assert_eq!(sum("soc_switch", &[("switch", switch)]), Some(1.0));
    }
    for (name, value) in [
        ("soc_integrity_ok", 1.0),
        ("soc_dead_letters_total", 0.0),
        ("soc_approvals_pending", 0.0),
        ("soc_oldest_open_seconds", 0.0),
        ("soc_build_info", 1.0),
    ] {
        assert_eq!(sum(name, &[]), Some(value), "{name}");
    }
}

#[tokio::test]
async fn without_the_setting_nothing_listens_and_a_taken_address_is_said() {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let mut daemon = site.started().await.unwrap();
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    assert!(!daemon.log().contains("are served"), "{}", daemon.log());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    site.add(&format!("[run.http]\nlisten = \"{address}\""))
        .unwrap();
    let refused = site.run(&["run"]).unwrap();
    let said = tests::workbench::stderr(&refused);
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(
        said.contains("[run.http] listen") && said.contains(&address.to_string()),
        "{said}"
    );
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_stop() {
    use tokio::io::AsyncWriteExt;
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    site.add(ANY).unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    let mut open = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    open.write_all(b"GET /metrics HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    for path in ["/metrics/", "/", "/..%2f", "/healthz/x"] {
        assert_eq!(get(port, path, None).await.unwrap().status, 404, "{path}");
    }
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
}
