//! Exports over real connections: every record arrives, an end in the middle is told, nothing is overwritten.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tests::workbench::{nightdesk, stderr};

use super::read::{parse_cef, parse_syslog};
use super::{PROGRAM, entry, hostile, of, ran, refused, same, shown, site};

/// What one receiver got from `nightdesk audit export --to …`, and how the program ended.
fn received(
    dir: &Path,
    scheme: &str,
    more: &[&str],
    accept: impl FnOnce(TcpListener) -> Vec<u8> + Send + 'static,
) -> (Vec<u8>, std::process::Output) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!(
        "{scheme}://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let receiver = std::thread::spawn(move || accept(listener));
    let args = [&["audit", "export", "--to", &to][..], more].concat();
    let output = nightdesk(PROGRAM, dir, &args).unwrap();
    (receiver.join().unwrap(), output)
}

/// Messages of a stream by their count of octets.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ').unwrap();
        let count: usize = std::str::from_utf8(&bytes[..space])
            .unwrap()
            .parse()
            .unwrap();
        let (frame, rest) = bytes[space + 1..].split_at(count);
        found.push(String::from_utf8(frame.to_vec()).unwrap());
        bytes = rest;
    }
    found
}

fn whole(listener: TcpListener) -> Vec<u8> {
    let mut got = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
    got
}

/// A certificate for `localhost` and a server that shows it.
fn tls(dir: &Path) -> (PathBuf, Arc<rustls::ServerConfig>) {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = dir.join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (file, Arc::new(config))
}

fn whole_tls(
    listener: &TcpListener,
    config: Arc<rustls::ServerConfig>,
) -> std::io::Result<Vec<u8>> {
    let mut stream = listener.accept()?.0;
    let mut session = rustls::ServerConnection::new(config).unwrap();
    let mut got = Vec::new();
    // An end without the closing word of TLS would be an error here.
    rustls::Stream::new(&mut session, &mut stream).read_to_end(&mut got)?;
    Ok(got)
}

#[tokio::test]
async fn receivers_get_every_record_over_tcp_and_tls() {
    let values = hostile();
    let entries: Vec<Value> = values.iter().map(|v| entry(v)).collect();
    let dir = site(&entries).await;
    let lines = ran(dir.path(), &["audit", "export", "--format", "syslog"]);
    let lines: Vec<&str> = lines.lines().collect();
    let (got, output) = received(dir.path(), "tcp", &[], whole);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(
        frames(&got),
        lines,
        "syslog is what a receiver gets by default"
    );

    let (got, _) = received(
        dir.path(),
        "tcp",
        &["--format", "cef", "--from", "3"],
        whole,
    );
    let cef = frames(&got);
    assert_eq!(cef.len(), lines.len() - 2);
    for (frame, value) in cef.iter().zip(&values[2..]) {
        let text = parse_syslog(frame).text;
        let (_, pairs) = parse_cef(text.strip_prefix('\u{feff}').unwrap_or(&text));
        same(of(&pairs, "reason"), &shown(value, "\r\n"));
    }

    let (ca, config) = tls(dir.path());
    let ca = ca.to_str().unwrap();
    let served = config.clone();
    let (got, output) = received(dir.path(), "tls", &["--ca", ca], move |l| {
        whole_tls(&l, served).unwrap()
    });
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(frames(&got), lines);

    let foreign = TempDir::new().unwrap();
    let foreign = (tls(foreign.path()).0, foreign);
    let ca = foreign.0.to_str().unwrap();
    let (got, output) = received(dir.path(), "tls", &["--ca", ca], move |l| {
        whole_tls(&l, config).unwrap_or_default()
    });
    assert_eq!((output.status.code(), got.len()), (Some(69), 0));
    assert!(
        stderr(&output).contains("tls://localhost:"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn an_export_that_breaks_off_says_where() {
    let entries: Vec<Value> = (0..3_000).map(|_| entry(&"x".repeat(3_000))).collect();
    let dir = site(&entries).await;
    let (_, output) = received(dir.path(), "tcp", &[], |listener| {
        let mut stream = listener.accept().unwrap().0;
        let mut some = vec![0; 100_000];
        stream.read_exact(&mut some).unwrap();
        some
    });
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    let last = said.split("last record that was sent is ").nth(1).unwrap();
    let last: usize = last.split(':').next().unwrap().parse().unwrap();
    assert!(
        said.contains("tcp://localhost:") && (10..3_000).contains(&last),
        "{said}"
    );
    let nobody = refused(
        dir.path(),
        &["audit", "export", "--to", "tcp://127.0.0.1:1"],
        69,
    );
    assert!(
        nobody.contains("tcp://127.0.0.1:1: no connection"),
        "{nobody}"
    );
    for to in ["tcp://nowhere", "http://a:1", "tls://:1", "tcp://a:99999"] {
        refused(dir.path(), &["audit", "export", "--to", to], 2);
    }
    // An export never writes over a file, least of all over the store.
    let over = refused(dir.path(), &["audit", "export", "--to", "s.db"], 69);
    assert!(over.contains("name one that is not there"), "{over}");
    ran(
        dir.path(),
        &["audit", "export", "--from", "2999", "--to", "out.jsonl"],
    );
    let file = std::fs::read_to_string(dir.path().join("out.jsonl")).unwrap();
    assert_eq!(file.lines().count(), 2);
}
