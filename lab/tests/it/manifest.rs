//! lab.toml: what is read, and that every fault is named with its line.

use lab::{LabError, manifest};
use serde_json::json;

use crate::harness::with_manifest;

#[test]
fn one_table_or_several_feeds_with_their_fields_verbatim() {
    let one = "name = \"t\"\nclock = 2026-07-15T02:00:00+02:00\n[alerts]\nfile = \"in/a.jsonl\"\nmapping = \"generic\"\n\
               [alerts.fields]\nid = \"/x/id\"\nextra = { deep = [1, \"/y\"] }\n[tables.web]\ntime = \"ts\"\n";
    let dir = with_manifest(one, &[]);
    let lab = manifest::load(dir.path()).unwrap();
    assert_eq!(lab.clock.to_rfc3339(), "2026-07-15T00:00:00+00:00");
    assert_eq!(
        (lab.feeds[0].name.as_str(), lab.feeds[0].mapping.as_str()),
        ("a", "generic")
    );
    let fields = json!({"id": "/x/id", "extra": {"deep": [1, "/y"]}});
    assert_eq!(
        serde_json::Value::Object(lab.feeds[0].fields.clone()),
        fields
    );
    assert_eq!(
        (
            lab.tables["web"].time.as_str(),
            lab.tables["web"].id.as_str()
        ),
        ("ts", "event_uid")
    );
    assert_eq!(lab.sources, None);

    let two = "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\nsources = [\"siem\"]\n\
               [[alerts]]\nfile = \"a.jsonl\"\nmapping = \"m\"\n[[alerts]]\nname = \"b\"\nfile = \"a.jsonl\"\nmapping = \"m\"\n";
    let dir = with_manifest(two, &[]);
    let lab = manifest::load(dir.path()).unwrap();
    let names: Vec<_> = lab.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!(
        (names, lab.sources),
        (vec!["a", "b"], Some(vec!["siem".to_owned()]))
    );
}

#[test]
fn all_faults_are_named_at_once() {
    let text = "nmae = \"t\"\nclock = \"noon\"\nsources = [1]\n[[alerts]]\nfile = \"a.jsonl\"\nmaping = \"m\"\n\
                [[alerts]]\nfile = \"b.jsonl\"\nmapping = 3\n[tables.web]\ntime = \"\"\nzone = \"x\"\n";
    let dir = with_manifest(text, &[]);
    let error = manifest::load(dir.path()).unwrap_err();
    let LabError::Manifest { faults, file } = &error else {
        panic!("{error}")
    };
    assert!(file.ends_with("lab.toml"));
    let found: Vec<_> = faults.iter().map(|f| (f.line, f.key.as_str())).collect();
    let wanted = [
        (1, "nmae"),
        (1, "name"),
        (2, "clock"),
        (3, "sources"),
        (4, "alerts.mapping"),
        (6, "alerts.maping"),
        (9, "alerts.mapping"),
        (11, "tables.web.time"),
        (12, "tables.web.zone"),
    ];
    for fault in wanted {
        assert!(found.contains(&fault), "{fault:?} not in {found:?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:?}");
}

#[test]
fn broken_toml_missing_files_and_twin_names_are_faults() {
    let dir = with_manifest("name = \"t\"\nclock = \n", &[]);
    assert!(
        manifest::load(dir.path())
            .unwrap_err()
            .to_string()
            .contains("line 2")
    );
    let twins = "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\n[[alerts]]\nfile = \"a.jsonl\"\nmapping = \"m\"\n\
                 [[alerts]]\nfile = \"x/a.jsonl\"\nmapping = \"m\"\n";
    let dir = with_manifest(twins, &[]);
    assert!(
        manifest::load(dir.path())
            .unwrap_err()
            .to_string()
            .contains("taken")
    );
    let empty = tempfile::tempdir().unwrap();
    let error = manifest::load(empty.path()).unwrap_err();
    assert!(matches!(error, LabError::Unreadable { .. }), "{error}");
}

#[test]
fn server_names_read_back() {
    for name in lab::ServerName::ALL {
        assert_eq!(name.to_string().parse::<lab::ServerName>().unwrap(), name);
    }
    assert!("Siem".parse::<lab::ServerName>().is_err());
}

#[test]
fn the_demo_unpacks_and_loads() {
    let dir = tempfile::tempdir().unwrap();
    lab::demo::write_to(&dir.path().join("demo")).unwrap();
    let lab = manifest::load(&dir.path().join("demo")).unwrap();
    assert!(!lab.feeds.is_empty());
    for feed in lab.feeds {
        assert!(
            dir.path().join("demo").join(&feed.file).is_file(),
            "{}",
            feed.file
        );
    }
}
