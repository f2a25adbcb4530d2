//! The webhook source over a real socket: who may send, what is taken, and that the answer waits for the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use mcp_clients::mappings::{Mappings, Rejected};
use mcp_clients::sources::webhook::{Accepted, AlertSink, Endpoint, SinkError, serve};
use serde_json::{Value, json};
use sha2::Sha256;
use state::model::NewAlert;
use tokio_util::sync::CancellationToken;

use crate::sources::{NOW, alert, clock, config};

/// A store in memory that can be full.
#[derive(Default)]
struct Store(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    full: bool,
    ids: BTreeMap<String, NewAlert>,
    dead: Vec<Rejected>,
}

#[async_trait]
impl AlertSink for Store {
    async fn accept(
        &self,
        source: &str,
        alerts: Vec<NewAlert>,
        rejected: Vec<Rejected>,
    ) -> Result<Vec<Accepted>, SinkError> {
        assert_eq!(source, "hook");
        let mut shelf = self.0.lock().unwrap();
        if shelf.full {
            return Err(SinkError("the disk is full".to_owned()));
        }
        shelf.dead.extend(rejected);
        let store = |alert: NewAlert| Accepted {
            source_alert_id: alert.source_alert_id.clone(),
            new: shelf
                .ids
                .insert(alert.source_alert_id.clone(), alert)
                .is_none(),
        };
        Ok(alerts.into_iter().map(store).collect())
    }
}

struct Hook {
    url: String,
    store: Arc<Store>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

async fn hook() -> Hook {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("key");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let config = config(&format!(
        "name = \"hook\"\nkind = \"webhook\"\nmapping = \"panther\"\nlisten = \"127.0.0.1:0\"\nmax_body = 2000\nsecret = {{ file = {secret:?} }}"
    ));
    assert!(config.faults().is_empty());
    let mappings = Arc::new(Mappings::load(None).unwrap());
    let endpoint = Endpoint::new(&config, mappings).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ingest/hook", listener.local_addr().unwrap());
    let (store, stop) = (Arc::new(Store::default()), CancellationToken::new());
    let serving = serve(
        listener,
        vec![endpoint],
        store.clone(),
        clock(),
        stop.clone(),
    );
    let task = tokio::spawn(serving);
    Hook {
        url,
        store,
        stop,
        task,
        _folder: folder,
    }
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.timeout(Duration::from_secs(30)).build().unwrap()
}

fn sign(key: &str, sent: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{sent}.").as_bytes());
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("v1={hex}")
}

impl Hook {
    async fn send(&self, sent: i64, signature: &str, body: &[u8]) -> (u16, Value) {
        let request = client().post(&self.url);
        let request = request.header("X-Nightdesk-Timestamp", sent);
        let request = request.header("X-Nightdesk-Signature", signature);
        let answer = request.body(body.to_vec()).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json().await.unwrap_or_default(),
        )
    }

    async fn signed(&self, body: &[u8]) -> (u16, Value) {
        self.send(NOW, &sign("s3cret", NOW, body), body).await
    }
}

#[tokio::test]
async fn a_webhook_takes_what_is_signed_and_answers_after_it_is_stored() {
    let hook = hook().await;
    let one = alert("h1", 1).to_string();
    let body = one.as_bytes();

    assert_eq!(
        hook.signed(body).await,
        (202, json!({"ids": ["h1"], "rejected": []}))
    );
    assert_eq!(
        hook.store.0.lock().unwrap().ids["h1"].raw,
        one,
        "kept verbatim"
    );
    assert_eq!(hook.signed(body).await.0, 200, "a replay");

    let mixed = format!("{}\n{{broken\n{}\n", alert("h2", 1), alert("h1", 1));
    let (status, answer) = hook.signed(mixed.as_bytes()).await;
    assert_eq!((status, &answer["ids"]), (202, &json!(["h2", "h1"])));
    assert_eq!(answer["rejected"][0]["index"], 1);
    let array = json!([alert("h3", 1), 7]).to_string();
    assert_eq!(hook.signed(array.as_bytes()).await.0, 202);

    for useless in ["{}", "7", "[]", "", "\u{1}"] {
        assert_eq!(hook.signed(useless.as_bytes()).await.0, 422, "{useless}");
    }
    assert_eq!(hook.signed(b"\xff").await.0, 422);
    let dead: Vec<String> = hook
        .store
        .0
        .lock()
        .unwrap()
        .dead
        .iter()
        .map(|r| r.raw.clone())
        .collect();
    assert_eq!(dead, ["{broken", "7", "{}", "7", "\u{1}", "hex:ff"]);

    let other = alert("h9", 1).to_string();
    for (sent, signature) in [
        (NOW, sign("other", NOW, other.as_bytes())),
        (NOW, sign("s3cret", NOW, body)),
        (NOW, String::new()),
        (NOW + 1, sign("s3cret", NOW, other.as_bytes())),
        (NOW - 301, sign("s3cret", NOW - 301, other.as_bytes())),
        (NOW + 301, sign("s3cret", NOW + 301, other.as_bytes())),
    ] {
        assert_eq!(hook.send(sent, &signature, other.as_bytes()).await.0, 401);
    }
    assert!(!hook.store.0.lock().unwrap().ids.contains_key("h9"));
    let either = format!(
        "{}, {}",
        sign("old", NOW, other.as_bytes()),
        sign("s3cret", NOW, other.as_bytes())
    );
    assert_eq!(
        hook.send(NOW, &either, other.as_bytes()).await.0,
        202,
        "while a key changes"
    );

    assert_eq!(hook.signed(&vec![b' '; 2001]).await.0, 413);
    hook.store.0.lock().unwrap().full = true;
    assert_eq!(hook.signed(body).await.0, 503);

    hook.stop.cancel();
    hook.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_webhook_refuses_other_paths_and_media_types() {
    let hook = hook().await;
    let client = client();
    let nowhere = client
        .post(hook.url.replace("hook", "nowhere"))
        .send()
        .await
        .unwrap();
    assert_eq!(nowhere.status().as_u16(), 404);
    assert_eq!(
        client
            .get(&hook.url)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        405
    );
    let form = client.post(&hook.url).header("Content-Type", "image/png");
    let form = form
        .header("X-Nightdesk-Timestamp", NOW)
        .header("X-Nightdesk-Signature", "v1=00");
    assert_eq!(form.send().await.unwrap().status().as_u16(), 415);
    hook.stop.cancel();
    hook.task.await.unwrap().unwrap();
}
