//! Over HTTP clicks have a listener of their own: what is exposed for Slack answers nothing else, and nothing else takes clicks.

use agent::notify::slack::PATH;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tests::ask;
use tests::daemon::{Daemon, Site};
use tests::slack::FakeSlack;
use tests::slack::attacks::Shot;
use tests::workbench::{Lab, stderr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Where the daemon says that it takes clicks.
async fn port(daemon: &mut Daemon) -> u16 {
    let said = "slack's clicks are taken address=127.0.0.1:";
    daemon.says(said).await.unwrap();
    let log = daemon.log();
    let (_, rest) = log.split_once(said).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[tokio::test]
async fn clicks_and_metrics_never_share_a_listener() {
    let fake = FakeSlack::start().await.unwrap();
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let http = "[run.http]\nlisten = \"127.0.0.1:0\"\n";
    site.add(&format!("{http}{}", fake.settings("http")))
        .unwrap();
    let mut daemon = site.started().await.unwrap();
    let (watched, clicked) = (
        ask::port(&mut daemon).await.unwrap(),
        port(&mut daemon).await,
    );
    assert_ne!(watched, clicked);
    let client = Client::builder().build().unwrap();
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let sign = |shot: &Shot| shot.request(chrono::Utc::now().timestamp()).unwrap();
    let post = async |port, shot: Option<&Shot>| {
        let mut request = client.post(at(port, PATH));
        if let Some((headers, body)) = shot.map(sign) {
            request = request.body(body);
            for (name, value) in headers {
                request = request.header(name, value);
            }
        }
        request.send().await.unwrap().status()
    };
    let good = Shot::good(json!({"type": "block_actions"}));
    let mut forged = good.clone();
    forged.secret = "another".to_owned();
    assert_eq!(post(clicked, Some(&good)).await, StatusCode::OK);
    assert_eq!(post(clicked, Some(&forged)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(clicked, None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(watched, Some(&good)).await, StatusCode::NOT_FOUND);
    for (path, answers) in [("/metrics", true), ("/healthz", true), ("/readyz", true)] {
        let there = client.get(at(watched, path)).send().await.unwrap();
        assert_eq!(there.status().is_success(), answers, "{path}");
        let here = client.get(at(clicked, path)).send().await.unwrap();
        assert_eq!(here.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // A socket is kept by no one in this mode, so nothing is said of one.
    let ready = ask::get(watched, "/readyz", None).await.unwrap();
    let ready = ready.json().unwrap();
    assert_eq!(ready["people"][0]["name"], "slack", "{ready}");
    assert!(ready["people"][0].get("connected").is_none(), "{ready}");
    let metrics = ask::get(watched, "/metrics", None).await.unwrap().body;
    assert!(!metrics.contains("soc_way_connected{"), "{metrics}");
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_taken_address_is_said_with_its_section() {
    let fake = FakeSlack::start().await.unwrap();
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = fake.settings("http").replace("127.0.0.1:0", &address);
    site.add(&settings).unwrap();
    let refused = site.run(&["run"]).unwrap();
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(
        said.contains("[notify.slack] listen") && said.contains(&address),
        "{said}"
    );
}
