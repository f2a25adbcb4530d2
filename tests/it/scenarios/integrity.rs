//! The integrity manifest: no byte of what decides changes unseen, a person's acceptance counts, a break lasts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::config::{Config, PathsConfig};
use agent::ctx::SystemClock;
use agent::daemon::Watch;
use agent::integrity::{Integrity, Manifest, Standing};
use serde_json::{Value, json};
use state::store::Store;
use tempfile::TempDir;
use tests::workbench::{Lab, USUAL, data, nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// A folder with a file of every kind that decides, and the paths that name them.
fn ground() -> (TempDir, PathsConfig, Vec<PathBuf>) {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    let files = [
        "nightdesk.toml",
        "nightdesk.lock",
        "playbooks/a.yaml",
        "playbooks/queries/deep/b.yaml",
        "prompts/tier1.md",
        "mappings/alerts/x.toml",
        "presets/y.toml",
        "learned.yaml",
    ];
    for name in files {
        std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::fs::write(
            at(name),
            format!("# {name}\n{}", "some = \"text\"\n".repeat(20)),
        )
        .unwrap();
    }
    let paths = PathsConfig {
        playbooks: Some(at("playbooks")),
        prompts: Some(at("prompts")),
        mappings: Some(at("mappings")),
        presets: Some(at("presets")),
        lock: Some(at("nightdesk.lock")),
        file: Some(at("nightdesk.toml")),
        ..PathsConfig::default()
    };
    let files = files.iter().map(|f| at(f)).collect();
    (dir, paths, files)
}

#[test]
fn a_thousand_changes_of_one_byte_are_all_caught() {
    let (_dir, paths, mut files) = ground();
    let manifest = Manifest::path(&paths).unwrap();
    let before = Manifest::now(&paths).unwrap();
    before.write(&manifest).unwrap();
    assert_eq!(Manifest::accepted(&paths).unwrap(), Some(before.clone()));
    let others = files.len();
    files.push(manifest.clone());
    for round in 0..1_000_usize {
        let file = &files[round % files.len()];
        let whole = std::fs::read(file).unwrap();
        let mut changed = whole.clone();
        let at = round * 7_919 % whole.len();
        changed[at] ^= u8::try_from(round * 31 % 255 + 1).unwrap();
        std::fs::write(file, &changed).unwrap();
        let now = Manifest::now(&paths).unwrap();
        // The manifest file is not what decides, but no byte of it changes unseen either.
        let accepted = Manifest::accepted(&paths);
        let caught = match accepted {
            Err(_) => round % files.len() == others,
            Ok(accepted) => !accepted.unwrap().difference(&now).is_empty(),
        };
        assert!(caught, "byte {at} of {}", file.display());
        std::fs::write(file, &whole).unwrap();
    }
    assert_eq!(Manifest::now(&paths).unwrap(), before);
}

#[test]
fn files_that_come_and_go_and_what_can_not_be_read_are_told() {
    let (dir, paths, files) = ground();
    let before = Manifest::now(&paths).unwrap();
    let added = dir.path().join("playbooks/new.yaml");
    std::fs::write(&added, "").unwrap();
    for gone in [1, 2] {
        std::fs::remove_file(&files[gone]).unwrap();
    }
    std::fs::rename(&files[4], dir.path().join("prompts/tier2.md")).unwrap();
    let now = Manifest::now(&paths).unwrap();
    assert_eq!(
        before.difference(&now),
        [
            "lock removed",
            "playbooks/a.yaml removed",
            "prompts/tier1.md removed",
            "playbooks/new.yaml added",
            "prompts/tier2.md added"
        ]
    );
    std::fs::remove_file(&added).unwrap();
    let wrong = |why: &str| {
        let error = Manifest::now(&paths).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    // A pipe would wait for ever for somebody to write.
    nix::unistd::mkfifo(&added, nix::sys::stat::Mode::S_IRWXU).unwrap();
    wrong("is not a plain file");
    std::fs::remove_file(&added).unwrap();
    std::os::unix::fs::symlink(dir.path().join("playbooks"), &added).unwrap();
    wrong("too deep");
    std::fs::remove_file(&added).unwrap();
    std::fs::write(dir.path().join("playbooks/a\nb.yaml"), "").unwrap();
    wrong("rename or remove it");
    std::fs::remove_dir_all(dir.path().join("playbooks")).unwrap();
    wrong("playbooks");
}

#[tokio::test]
async fn the_guard_knows_sound_from_unaccepted_from_broken() {
    let (_dir, paths, files) = ground();
    let manifest = Manifest::path(&paths).unwrap();
    let guard = || Integrity::start(&paths);
    let unaccepted = guard();
    assert_eq!(unaccepted.check().await, Standing::Unaccepted);
    Manifest::now(&paths).unwrap().write(&manifest).unwrap();
    // Accepted while it runs: the same state, so nothing to start again for.
    assert_eq!(unaccepted.check().await, Standing::Sound);

    let sound = guard();
    assert_eq!(sound.check().await, Standing::Sound);
    let whole = std::fs::read(&files[2]).unwrap();
    std::fs::write(&files[2], "other").unwrap();
    let broken = Standing::Broken(vec!["playbooks/a.yaml changed".to_owned()]);
    assert_eq!(sound.check().await, broken);
    assert_eq!(
        guard().check().await,
        broken,
        "a start does not make it right"
    );
    // Accepting the new state does not make right what runs with the old one.
    Manifest::now(&paths).unwrap().write(&manifest).unwrap();
    assert_eq!(unaccepted.check().await, broken);
    assert_eq!(guard().check().await, Standing::Sound);
    // Nor does changing it back.
    std::fs::write(&files[2], whole).unwrap();
    assert_eq!(sound.check().await, broken);

    Manifest::now(&paths).unwrap().write(&manifest).unwrap();
    let sound = guard();
    std::fs::remove_file(&manifest).unwrap();
    let Standing::Broken(found) = sound.check().await else {
        panic!("a manifest that went away is a break")
    };
    assert_eq!(found, ["the manifest removed"]);
    let unreadable = guard();
    std::fs::remove_file(&files[3]).unwrap();
    std::fs::create_dir(&files[3]).unwrap();
    std::fs::remove_dir_all(
        files[3]
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .parent()
            .unwrap(),
    )
    .unwrap();
    assert!(matches!(unreadable.check().await, Standing::Broken(_)));
    std::fs::write(&manifest, "[sha256]\n").unwrap();
    let Standing::Broken(found) = guard().check().await else {
        panic!("a manifest that is none is a break")
    };
    assert!(
        found[0].contains("nightdesk.manifest: is not as"),
        "{found:?}"
    );
}

/// A lab with its settings and playbooks in a folder of its own.
fn site(lab: &Lab) -> PathBuf {
    let dir = lab.path().join("work");
    let playbooks = dir.join("playbooks");
    copy(&data("playbooks"), &playbooks);
    let store = format!("sqlite:{}", dir.join("s.db").display());
    let text = agent::eval::lab_settings(PROGRAM.as_ref(), lab.path(), &store).unwrap();
    let text = format!("{text}\n[paths]\nplaybooks = {}\n", json!(playbooks));
    std::fs::write(dir.join("nightdesk.toml"), text).unwrap();
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The line of `nightdesk check` on integrity, and whether all is well.
fn checked(dir: &Path, more: &[&str]) -> (String, bool) {
    let output = nightdesk(PROGRAM, dir, &[&["check", "--json"], more].concat()).unwrap();
    let said: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said["ok"], output.status.success(), "{}", stderr(&output));
    let lines = said["checks"].as_array().unwrap();
    let line = lines.iter().find(|l| l["what"] == "integrity").unwrap();
    (
        line["detail"].as_str().unwrap().to_owned(),
        output.status.success(),
    )
}

#[test]
fn a_person_accepts_what_was_checked_and_a_change_is_named() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = site(&lab);
    let says = |more: &[&str], text: &str, ok: bool| {
        let (line, good) = checked(&dir, more);
        assert!(line.contains(text) && good == ok, "{line}");
    };
    says(
        &[],
        "not accepted yet: run `nightdesk check --accept`",
        true,
    );
    says(&["--accept"], "accepted", true);
    says(&[], "accepted and unchanged", true);
    let mut files: Vec<_> = std::fs::read_dir(dir.join("playbooks"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let whole = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], format!("{whole} ")).unwrap();
    says(&[], &format!("playbooks/{name} changed"), false);
    // Also when the change makes the file one that can't be read.
    std::fs::write(&files[0], whole.replacen(':', ";", 1)).unwrap();
    says(&[], &format!("playbooks/{name} changed"), false);
    says(&["--accept"], "mend what fails above first", false);
    std::fs::write(&files[0], &whole).unwrap();
    says(&[], "accepted and unchanged", true);
    let settings = dir.join("nightdesk.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}\n# reviewed\n")).unwrap();
    says(&["--accept"], "configuration changed", true);
    says(&[], "accepted and unchanged", true);
    // A setting from the environment stands over the file.
    let output = std::process::Command::new(PROGRAM)
        .args(["check"])
        .current_dir(&dir)
        .env("NIGHTDESK_RUN__WORKERS", "2")
        .env_remove("NIGHTDESK_CONFIG")
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(
        said.contains("integrity: not as accepted: environment changed"),
        "{said}"
    );
    let manifest = dir.join("nightdesk.manifest");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("# It", "# it")).unwrap();
    says(&[], "it was edited", false);
    says(&["--accept"], "accepted", true);
}

#[test]
fn people_are_told_of_each_break_also_when_it_has_the_words_of_an_earlier_one() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = site(&lab);
    let settings = dir.join("nightdesk.toml");
    let before = std::fs::read_to_string(&settings).unwrap();
    let broken = format!("{before}\n# nobody has seen this\n");
    let once = || {
        let ran = nightdesk(PROGRAM, &dir, &["run", "--once"]).unwrap();
        assert!(ran.status.success(), "{}", stderr(&ran));
    };
    let told = async || {
        let store = Store::open(dir.join("s.db").to_str().unwrap())
            .await
            .unwrap();
        let all = store
            .notices("nobody", (chrono::DateTime::UNIX_EPOCH, 0))
            .await;
        store.close().await;
        let all = all.unwrap();
        all.iter()
            .filter(|(_, key, _)| key.starts_with("notice:integrity:"))
            .count()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for breaks in 1..=2 {
        std::fs::write(&settings, &before).unwrap();
        let (_, good) = checked(&dir, &["--accept"]);
        assert!(good);
        std::fs::write(&settings, &broken).unwrap();
        for _ in 0..2 {
            once();
            assert_eq!(
                runtime.block_on(told()),
                breaks,
                "one that lasts is told once"
            );
        }
    }
}

#[tokio::test]
async fn a_watch_tells_a_break_once_and_records_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nightdesk.toml");
    std::fs::write(&file, "").unwrap();
    let mut config = Config::default();
    assert_eq!(Manifest::path(&config.paths), None);
    config.paths.file = Some(file.clone());
    let store = Store::open("sqlite::memory:").await.unwrap();
    let clock = Arc::new(SystemClock);
    let assembled = agent::daemon::assemble_at(config, store, clock)
        .await
        .unwrap();
    let watch = Watch::new(assembled.ctx.clone());
    assert_eq!(watch.look().await, Standing::Unaccepted);
    std::fs::write(&file, "other").unwrap();
    for _ in 0..3 {
        assert!(matches!(watch.look().await, Standing::Broken(_)));
    }
    let log = assembled.ctx.store.audit(1, 100).await.unwrap();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0].entry["found"], json!(["configuration changed"]));
    assembled.stop().await;
}
