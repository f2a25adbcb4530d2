//! The file and the webhook as sources of a running daemon; how each reads its input alone is tested beside it.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tests::crowd::{self, From, SignIn, sign_in};
use tests::daemon::{Site, until};
use tests::sender::{free_port, post, signature};

use super::{PROGRAM, each_once};

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// An alert of the one user whom the file tells about; strange, so that its case stays open and the others join it.
fn line(alert: usize) -> String {
    let sign_in = SignIn {
        user: 1,
        alert,
        from: From::Strange,
    };
    format!("{}\n", sign_in.raw())
}

#[tokio::test]
async fn a_file_is_followed_through_rotation_and_restart() {
    let site = Site::new(PROGRAM, crowd::lab(1, &[]).unwrap()).unwrap();
    site.add("[[sources]]\nname = \"feed\"\nkind = \"file\"\npath = \"feed.jsonl\"\nmapping = \"panther\"\nevery = \"1s\"").unwrap();
    let feed = site.dir().join("feed.jsonl");
    let (half, rest) = (&line(2)[..100], &line(2)[100..]);
    append(&feed, &format!("{}{}{half}", line(0), line(1)));
    let mut daemon = site.started().await.unwrap();
    let store = site.store().await.unwrap();
    let counts = async || {
        let counts = store.counts().await.unwrap();
        (counts.alerts, counts.dead_letters)
    };
    let reach = async |alerts: i64, dead: i64| {
        until("alerts of the file", async || {
            Ok((counts().await.0 >= alerts).then_some(()))
        })
        .await
        .unwrap();
        site.settled(usize::try_from(alerts).unwrap())
            .await
            .unwrap();
        assert_eq!(counts().await, (alerts, dead));
    };
    // A last line without its end waits, and is no dead letter.
    reach(2, 0).await;
    append(&feed, &format!("{rest}this is no alert\n{}", line(3)));
    reach(4, 1).await;
    // What is written before, while and after the file is renamed.
    append(&feed, &line(4));
    let old = site.dir().join("feed.jsonl.1");
    fs::rename(&feed, &old).unwrap();
    append(&old, &line(5));
    append(&feed, &line(6));
    reach(7, 1).await;
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    // Who reads these bytes again finds no alert in them.
    let read = fs::metadata(&feed).unwrap().len() as usize;
    fs::write(&feed, format!("{}\n", "#".repeat(read - 1))).unwrap();
    append(&feed, &line(7));
    let mut daemon = site.started().await.unwrap();
    reach(8, 1).await;
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    let worked = site.settled(8).await.unwrap();
    let [case] = worked.as_slice() else {
        panic!("one user, one story: {worked:?}")
    };
    assert_eq!((case.alerts.len(), case.verdicts.len()), (8, 8), "{case:?}");
}

/// Name, body, time and signature; the status and the ids that come back.
type Sent<'a> = (&'a str, &'a str, (i64, String), u16, &'a [&'a str]);

#[tokio::test]
async fn the_webhook_takes_what_is_signed_and_says_what_became_of_it() {
    let site = Site::new(PROGRAM, crowd::lab(9, &[]).unwrap()).unwrap();
    let (port, secret) = (free_port().unwrap(), "a shared secret");
    fs::write(site.dir().join("secret"), secret).unwrap();
    site.add(&format!(
        "[[sources]]\nname = \"push\"\nkind = \"webhook\"\nlisten = \"127.0.0.1:{port}\"\nsecret = {{ file = \"secret\" }}\nmapping = \"panther\"\nmax_body = 5000"
    ))
    .unwrap();
    let mut daemon = site.started().await.unwrap();
    let raw = |n: usize| sign_in(n).raw();
    let one = raw(0).to_string();
    let array = json!([raw(1), raw(2)]).to_string();
    let ndjson = format!("{}\n{}\nnot json\n", raw(3), raw(4));
    let now = chrono::Utc::now().timestamp();
    let late = signature(secret, now - 4000, &one).unwrap();
    let foreign = signature("another secret", now, &one).unwrap();
    let own = |body: &str| (now, signature(secret, now, body).unwrap());
    let big = json!([raw(5), "x".repeat(5000)]).to_string();
    let sent: Vec<Sent> = vec![
        ("one object", &one, own(&one), 202, &["alert-0"]),
        ("the same again", &one, own(&one), 200, &["alert-0"]),
        (
            "an array",
            &array,
            own(&array),
            202,
            &["alert-1", "alert-2"],
        ),
        (
            "lines, one unreadable",
            &ndjson,
            own(&ndjson),
            202,
            &["alert-3", "alert-4"],
        ),
        ("signed by another", &one, (now, foreign), 401, &[]),
        ("signed long ago", &one, (now - 4000, late), 401, &[]),
        ("signed for another body", &one, own(&array), 401, &[]),
        ("too large", &big, own(&big), 413, &[]),
        ("nothing usable", "{\"a\": 1}", own("{\"a\": 1}"), 422, &[]),
    ];
    for (name, body, (at, signature), status, ids) in sent {
        let answer = post((port, "/ingest/push"), (at, &signature), body)
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        let given = answer.body["ids"]
            .as_array()
            .map_or_else(Vec::new, |i| i.iter().filter_map(Value::as_str).collect());
        assert_eq!(given, ids, "{name}: {}", answer.body);
    }
    let worked = site.settled(5).await.unwrap();
    each_once(&worked, 5);
    let dead = site.store().await.unwrap().dead_letters(10).await.unwrap();
    let dead: Vec<&[u8]> = dead.iter().map(|d| d.letter.raw.as_slice()).collect();
    assert_eq!(dead, [b"{\"a\": 1}".as_slice(), b"not json"]);
    assert_eq!(
        daemon.stop().await.unwrap().code(),
        Some(0),
        "{}",
        daemon.log()
    );
}
