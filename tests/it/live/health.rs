//! Health: alive whatever else is, ready only when work can be done, and a silent source is said.

use serde_json::Value;
use state::store::Store;
use tests::ask::{self, get};
use tests::daemon::{Site, until};
use tests::workbench::Lab;

use super::{ANY, PROGRAM, listening};

#[tokio::test]
async fn a_daemon_is_ready_with_its_servers_and_says_which_source_is_silent() {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    site.add(ANY).unwrap();
    // A folder can't be read as a file.
    site.add("[[sources]]\nname = \"feed\"\nkind = \"file\"\npath = \".\"\nmapping = \"panther\"\nevery = \"1s\"")
        .unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    let alive = get(port, "/healthz", None).await.unwrap();
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"));
    let body = until("the broken source is degraded", async || {
        let answer = get(port, "/readyz", None).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        let body = answer.json()?;
        Ok((body["degraded"] == true).then_some(body))
    })
    .await
    .unwrap();
    assert_eq!(body["ready"], true, "{body}");
    let state = |name: &str| {
        let sources = body["sources"].as_array().unwrap();
        let found = sources.iter().find(|s| s["name"] == name).unwrap();
        found["state"].clone()
    };
    assert_eq!(state("feed"), "degraded", "{body}");
    assert_eq!(state("alerts"), "ok", "{body}");
    let servers = body["servers"].as_array().unwrap();
    assert!(
        servers.len() > 4 && servers.iter().all(|s| s["state"] == "ready"),
        "{body}"
    );
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));

    // A server that does not come up.
    site.add("[servers.gone]\ncommand = \"false\"").unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    let answer = get(port, "/readyz", None).await.unwrap();
    let body = answer.json().unwrap();
    assert_eq!(
        (answer.status, &body["ready"], &body["degraded"]),
        (200, &Value::Bool(true), &Value::Bool(true)),
        "{body}"
    );
    assert!(body.to_string().contains("\"down\""), "{body}");
    assert_eq!(get(port, "/healthz", None).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_store_that_takes_no_write_and_a_broken_integrity_are_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("s.db").display());
    let (ctx, _, port) = listening(Store::open(&url).await.unwrap(), |_| ()).await;
    let ready = get(port, "/readyz", None).await.unwrap();
    assert_eq!(ready.status, 200, "{ready:?}");
    assert_eq!(ready.headers["x-content-type-options"], "nosniff");
    ctx.store.close().await;
    let closed = until("the closed store is seen", async || {
        let answer = get(port, "/readyz", None).await?;
        Ok((answer.status == 503).then_some(answer.json()?))
    })
    .await
    .unwrap();
    assert_eq!(closed["store"]["ok"], false, "{closed}");
    assert_eq!(closed["integrity"]["ok"], true, "{closed}");
    // Metrics are told all the same, and so is life.
    assert_eq!(get(port, "/metrics", None).await.unwrap().status, 200);
    assert_eq!(get(port, "/healthz", None).await.unwrap().status, 200);

    let memory = Store::open("sqlite::memory:").await.unwrap();
    let (ctx, _, port) = listening(memory, |_| ()).await;
    assert_eq!(get(port, "/readyz", None).await.unwrap().status, 200);
    ctx.guard
        .integrity
        .break_for("/secret/path changed".to_owned());
    let answer = get(port, "/readyz", None).await.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.body.contains("/secret/path"), "{answer:?}");
}
