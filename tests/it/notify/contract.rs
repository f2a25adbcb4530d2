//! What every notifier must do, the real ones against real peers on loopback.

use agent::config::{MailConfig, WebhookConfig};
use agent::notify::card::{Digest, Notice};
use agent::notify::mail::Mail;
use agent::notify::webhook::Webhook;
use agent::notify::{At, Notifier, Post, PostError};
use mcp_clients::config::SecretRef;
use serde_json::json;
use state::model::Severity;
use tests::board::Board;
use tests::mail_server::MailServer;
use tests::receiver::{Receiver, SECRET};

fn notice(title: &str) -> Post {
    Post::Notice(Notice {
        severity: Severity::High,
        title: title.to_owned(),
        text: "see @channel http://evil.example/<script>\r\nBcc: all@corp.example".to_owned(),
    })
}

/// A place is given, a later form keeps it, and a post under another is taken.
async fn holds(notifier: &dyn Notifier) {
    let first = notifier.post(&notice("one"), At::default()).await.unwrap();
    let again = At {
        earlier: Some(&first),
        under: None,
    };
    let same = notifier.post(&notice("one, changed"), again).await.unwrap();
    assert_eq!(same, first, "{}", notifier.name());
    let under = At {
        earlier: None,
        under: Some(&first),
    };
    let other = notifier.post(&notice("under it"), under).await.unwrap();
    let kept = serde_json::from_value(serde_json::to_value(&other).unwrap()).unwrap();
    assert_eq!(other, kept, "a place survives the store");
}

pub(super) async fn webhook(receiver: &Receiver, dir: &std::path::Path) -> Webhook {
    let key = dir.join("key");
    std::fs::write(&key, SECRET).unwrap();
    let config = WebhookConfig {
        name: "chat".to_owned(),
        url: receiver.url.clone(),
        secret: SecretRef::File(key),
        takes: Vec::new(),
    };
    Webhook::new(&config).await.unwrap()
}

pub(super) async fn mail(server: &MailServer) -> Mail {
    let config: MailConfig = serde_json::from_value(json!({
        "url": server.url, "from": "nightdesk@corp.example",
        "to": ["soc@corp.example", "lead@corp.example"]}))
    .unwrap();
    Mail::new(&config).await.unwrap()
}

#[tokio::test]
async fn every_notifier_keeps_the_contract() {
    let (receiver, server) = (
        Receiver::start().await.unwrap(),
        MailServer::start().await.unwrap(),
    );
    let dir = tempfile::tempdir().unwrap();
    holds(&Board::default()).await;
    holds(&webhook(&receiver, dir.path()).await).await;
    holds(&mail(&server).await).await;

    let calls = receiver.calls();
    assert_eq!((calls.len(), receiver.forged()), (3, 0));
    assert_eq!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(calls[1]["update"], true);
    assert_eq!(calls[2]["under"], calls[0]["id"]);
    let text = calls[0]["text"].as_str().unwrap();
    assert!(text.contains("hxxp://evil(.)example"), "{text}");
    assert!(!text.contains(['@', '<']), "{text}");
    // What was mailed is not mailed again when it changes.
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    let (head, _) = mails[0].split_once("\n\n").unwrap();
    assert!(!head.contains("Bcc"), "{head}");
    assert!(head.contains("lead@corp.example"), "{head}");
    assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
}

#[tokio::test]
async fn what_may_go_through_later_is_told_from_what_never_will() {
    let receiver = Receiver::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let hook = webhook(&receiver, dir.path()).await;
    for (status, later) in [
        (503, true),
        (429, true),
        (408, true),
        (400, false),
        (404, false),
    ] {
        receiver.answer(&[status]);
        let told = hook.post(&notice("x"), At::default()).await.unwrap_err();
        assert_eq!(
            matches!(told, PostError::Later { .. }),
            later,
            "{status}: {told}"
        );
        assert!(!told.to_string().contains("127.0.0.1"), "{told}");
    }
}

#[tokio::test]
async fn the_week_comes_by_mail_with_its_report() {
    let server = MailServer::start().await.unwrap();
    let digest = Post::Digest(Digest {
        week: "2026-W09".to_owned(),
        numbers: vec![("alerts".into(), "12".into(), "+3".into())],
        sections: vec![("Noisiest rules".into(), vec!["login: 9".into()])],
        report: Some("<html><body>the whole week</body></html>".to_owned()),
    });
    mail(&server)
        .await
        .post(&digest, At::default())
        .await
        .unwrap();
    let mails = server.mails();
    assert!(mails[0].contains("nightdesk-2026-W09.html"), "{}", mails[0]);
    assert!(mails[0].contains("multipart/alternative"), "{}", mails[0]);
    assert!(mails[0].contains("login: 9"), "{}", mails[0]);
}
