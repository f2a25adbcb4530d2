//! The polled alert sources against real files and a tool box in memory that pages, fails and indexes late.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mcp_clients::mappings::Mappings;
use mcp_clients::sources::{AlertSource, Batch, Clock, SourceConfig, build};
use mcp_clients::{ReplyKind, ToolBox, ToolDef, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};

pub(crate) const NOW: i64 = 1_770_100_000;

pub(crate) fn clock() -> Clock {
    Arc::new(|| DateTime::<Utc>::from_timestamp(NOW, 0).unwrap())
}

fn at(minute: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp(NOW - 7200 + minute * 60, 0).unwrap();
    time.to_rfc3339()
}

pub(crate) fn alert(id: &str, minute: i64) -> Value {
    json!({"id": id, "rule_id": "r", "created_at": at(minute), "severity": "LOW", "events": []})
}

pub(crate) fn config(text: &str) -> SourceConfig {
    toml::from_str(text).unwrap()
}

fn source(text: &str, tools: Arc<dyn ToolBox>) -> Box<dyn AlertSource> {
    let mappings = Arc::new(Mappings::load(None).unwrap());
    build(&config(text), mappings, tools, clock())
        .unwrap()
        .unwrap()
}

fn ids(batch: &Batch) -> Vec<&str> {
    batch
        .alerts
        .iter()
        .map(|a| a.source_alert_id.as_str())
        .collect()
}

/// A SIEM in memory: pages of two, newest or oldest first, and one planned failure.
#[derive(Default)]
struct Siem(Mutex<Table>);

#[derive(Default)]
struct Table {
    alerts: Vec<Value>,
    newest_first: bool,
    fail_at: Option<usize>,
    lie: Option<ReplyKind>,
    calls: Vec<Map<String, Value>>,
}

impl Siem {
    fn with(alerts: &[Value]) -> Arc<Self> {
        let siem = Self::default();
        siem.0.lock().unwrap().alerts = alerts.to_vec();
        Arc::new(siem)
    }

    fn set(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.0.lock().unwrap());
    }

    fn calls(&self) -> Vec<Map<String, Value>> {
        self.0.lock().unwrap().calls.clone()
    }
}

fn reply(kind: ReplyKind, value: Value) -> ToolReply {
    let body = serde_json::to_vec(&json!({ "structuredContent": value })).unwrap();
    ToolReply {
        kind,
        value,
        cut: None,
        body,
        blocks: 1,
    }
}

#[async_trait]
impl ToolBox for Siem {
    async fn tools(&self, _: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        Ok(Vec::new())
    }

    async fn call(
        &self,
        _: &str,
        _: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let mut table = self.0.lock().unwrap();
        table.calls.push(arguments.clone());
        if table.fail_at == Some(table.calls.len()) {
            return Err(ToolFailure::ToolError {
                message: "disk".to_owned(),
            });
        }
        if let Some(kind) = table.lie.clone() {
            return Ok(reply(kind, json!({ "results": [] })));
        }
        let bound = |name: &str| {
            arguments
                .get(name)
                .and_then(Value::as_str)
                .map(|t| t.parse::<DateTime<Utc>>().unwrap())
        };
        let time = |v: &Value| {
            v["created_at"]
                .as_str()
                .unwrap()
                .parse::<DateTime<Utc>>()
                .unwrap()
        };
        let mut rows: Vec<Value> = table.alerts.clone();
        rows.retain(|v| {
            bound("since").is_none_or(|t| time(v) >= t)
                && bound("until").is_none_or(|t| time(v) < t)
        });
        rows.sort_by_key(time);
        if table.newest_first {
            rows.reverse();
        }
        let from: usize = arguments
            .get("page")
            .map_or(0, |p| p.as_str().unwrap().parse().unwrap());
        let page: Vec<Value> = rows.iter().skip(from).take(2).cloned().collect();
        let next = (from + 2 < rows.len()).then(|| (from + 2).to_string());
        Ok(reply(
            ReplyKind::Answer,
            json!({ "results": page, "next": next }),
        ))
    }
}

const MCP: &str = r#"
name = "siem"
kind = "mcp"
mapping = "panther"
server = "s"
tool = "list"
rows = "results"
arguments = { status = "OPEN" }
cursor = { argument = "page", from = "next" }
watermark = { argument = "since", field = "/created_at", lookback = "5m", first = "2h" }
"#;

#[tokio::test]
async fn a_listing_tool_is_read_page_by_page_once_and_late_alerts_are_found() {
    for newest_first in [false, true] {
        let all: Vec<Value> = (0..5).map(|n| alert(&format!("a{n}"), n * 10)).collect();
        let siem = Siem::with(&all);
        siem.set(|t| t.newest_first = newest_first);
        let mut source = source(MCP, siem.clone());

        siem.set(|t| t.fail_at = Some(2));
        assert!(
            source.poll(&Value::Null).await.is_err(),
            "an error in the middle is an error"
        );
        siem.set(|t| t.fail_at = None);

        let first = source.poll(&Value::Null).await.unwrap();
        assert_eq!(ids(&first), ["a0", "a1", "a2", "a3", "a4"]);
        assert!(!first.more && first.rejected.is_empty());
        let call = siem.calls().pop().unwrap();
        assert_eq!(
            (&call["status"], &call["page"]),
            (&json!("OPEN"), &json!("4"))
        );

        // One indexed late inside the overlap, one new, one that is no alert.
        siem.set(|t| {
            t.alerts.extend([alert("late", 38), alert("a5", 50)]);
            t.alerts
                .push(json!({"id": {"no": 1}, "rule_id": "r", "created_at": at(51)}));
        });
        let second = source.poll(&first.position).await.unwrap();
        assert_eq!(ids(&second), ["late", "a5"]);
        assert_eq!(second.rejected.len(), 1);
        let third = source.poll(&second.position).await.unwrap();
        assert!(third.alerts.is_empty() && third.rejected.is_empty());
        assert_eq!(third.position, second.position);
    }
}

#[tokio::test]
async fn what_is_no_answer_never_reads_as_quiet() {
    let siem = Siem::with(&[alert("a", 1)]);
    let mut mcp = source(MCP, siem.clone());
    for kind in [
        ReplyKind::Unknown("odd".to_owned()),
        ReplyKind::BackendError("down".to_owned()),
    ] {
        siem.set(|t| t.lie = Some(kind));
        assert!(mcp.poll(&Value::Null).await.is_err());
    }
    siem.set(|t| t.lie = None);
    let mut elsewhere = source(
        &MCP.replace("rows = \"results\"", "rows = \"alerts\""),
        siem,
    );
    let error = elsewhere.poll(&Value::Null).await.unwrap_err().to_string();
    assert!(error.contains("no list at alerts"), "{error}");
}

#[tokio::test]
async fn a_window_with_too_many_pages_is_read_in_parts() {
    let all: Vec<Value> = (0..40).map(|n| alert(&format!("a{n:02}"), n * 2)).collect();
    for (newest_first, bounded) in [(false, false), (true, true)] {
        let siem = Siem::with(&all);
        siem.set(|t| t.newest_first = newest_first);
        let mut text = format!("max_pages = 6\n{MCP}");
        if bounded {
            text = text.replace("status = \"OPEN\"", "until = \"{{until}}\"");
        }
        let mut source = source(&text, siem);
        let (mut position, mut found, mut polls) = (Value::Null, Vec::new(), 0);
        loop {
            let batch = source.poll(&position).await.unwrap();
            found.extend(batch.alerts.iter().map(|a| a.source_alert_id.clone()));
            position = batch.position;
            polls += 1;
            if !batch.more {
                break;
            }
        }
        assert_eq!(found.len(), 40, "every alert once");
        assert!(found.is_sorted() && polls > 2, "{polls}");
    }
    // Newest first without a bound: the source says so and gives nothing.
    let siem = Siem::with(&all);
    siem.set(|t| t.newest_first = true);
    let mut source = source(&format!("max_pages = 6\n{MCP}"), siem);
    let error = source.poll(&Value::Null).await.unwrap_err().to_string();
    assert!(error.contains("max_pages"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (text, wanted) in [
        ("kind = \"file\"\npath = \"/x\"", "has no name"),
        ("name = \"a\"\nkind = \"ftp\"", "not known"),
        (
            "name = \"a\"\nkind = \"file\"\npath = \"/x\"\ncolour = 1",
            "colour",
        ),
        ("name = \"a\"\nkind = \"mcp\"\nserver = \"s\"", "tool"),
    ] {
        let error = toml::from_str::<SourceConfig>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let faults = config(
        &MCP.replace("status = \"OPEN\"", "a = \"{{sinse}}\"")
            .replace("field = \"/", "field = \"")
            .replace("\"siem\"", "\"a b\""),
    )
    .faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(config(MCP).faults().is_empty());
    let nowhere = config("name = \"a\"\nkind = \"file\"\npath = \"/x\"\nmapping = \"nowhere\"");
    let mappings = Arc::new(Mappings::load(None).unwrap());
    let built = build(&nowhere, mappings, Arc::new(Siem::default()), clock());
    assert!(built.err().unwrap()[0].contains("no alert mapping"));
}

fn line(id: &str) -> String {
    alert(id, 1).to_string() + "\n"
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_file_is_followed_through_rotation_and_truncation() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("alerts.jsonl");
    let text = format!("name = \"f\"\nkind = \"file\"\nmapping = \"panther\"\npath = {path:?}");
    let mut file = source(&text, Arc::new(Siem::default()));
    assert!(
        file.poll(&Value::Null).await.is_err(),
        "a file that is not there is no quiet file"
    );

    append(&path, line("a").as_bytes());
    append(&path, b"\n{not json}\n\xff\xfe\n");
    append(&path, alert("half", 1).to_string().as_bytes());
    let first = file.poll(&Value::Null).await.unwrap();
    assert_eq!(ids(&first), ["a"]);
    assert_eq!(first.rejected[0].raw, "{not json}");
    assert_eq!(first.rejected[1].raw, "hex:fffe");
    let again = file.poll(&first.position).await.unwrap();
    assert!(
        again.alerts.is_empty() && again.position == first.position,
        "half a line waits"
    );

    // Rotated with the line unfinished and one more after it; a new file is begun.
    append(&path, b"\n");
    append(&path, line("b").as_bytes());
    std::fs::rename(&path, folder.path().join("alerts.jsonl.1")).unwrap();
    let gap = file.poll(&first.position).await.unwrap();
    assert_eq!(
        ids(&gap),
        ["half", "b"],
        "the old file is read while there is no new one"
    );
    append(
        &folder.path().join("alerts.jsonl.1"),
        alert("tail", 1).to_string().as_bytes(),
    );
    append(&path, line("c").as_bytes());
    let rest = file.poll(&gap.position).await.unwrap();
    assert_eq!((ids(&rest), rest.more), (vec!["tail"], true));
    let new = file.poll(&rest.position).await.unwrap();
    assert_eq!((ids(&new), new.more), (vec!["c"], false));

    append(&path, line("d").as_bytes());
    let grown = file.poll(&new.position).await.unwrap();
    assert_eq!(ids(&grown), ["d"]);
    std::fs::write(&path, line("e")).unwrap();
    let truncated = file.poll(&grown.position).await.unwrap();
    assert_eq!(ids(&truncated), ["e"]);

    // Batches are bounded, and an over-long line stops nothing.
    std::fs::write(&path, b"").unwrap();
    append(&path, &vec![b'x'; 3 * 1024 * 1024]);
    append(&path, b"\n");
    for n in 0..700 {
        append(&path, line(&format!("n{n}")).as_bytes());
    }
    let big = file.poll(&Value::Null).await.unwrap();
    assert_eq!(
        (big.alerts.len(), big.rejected.len(), big.more),
        (499, 1, true)
    );
    let last = file.poll(&big.position).await.unwrap();
    assert_eq!((last.alerts.len(), last.more), (201, false));
}
