//! Labs to work on and the binary to work them with; what is expected of them stands in the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use agent::config::{AnalystChoice, CloseMode, Config, ModelConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A lab folder that goes away with the test.
#[derive(Debug)]
pub struct Lab {
    dir: TempDir,
}

/// Address from which the scenario's user signs in every day.
pub const USUAL: &str = "192.0.2.10";
/// An address the scenario's user never used.
pub const STRANGE: &str = "203.0.113.66";

impl Lab {
    /// A copy of the bundled demo lab.
    pub fn demo() -> anyhow::Result<Self> {
        let lab = Self {
            dir: TempDir::new()?,
        };
        lab::demo::write_to(lab.path())?;
        Ok(lab)
    }

    /// A small lab: one sign-in alert for each address, by one user with a known usual address.
    pub fn scenario(addresses: &[&str]) -> anyhow::Result<Self> {
        let lab = Self {
            dir: TempDir::new()?,
        };
        std::fs::create_dir_all(lab.path().join("logs"))?;
        lab.write("lab.toml", "name = \"scenario\"\nclock = \"2026-03-02T12:00:00Z\"\n[alerts]\nfile = \"alerts.jsonl\"\nmapping = \"panther\"\n")?;
        let user = json!({"id": "u1", "kind": "user", "name": "ana@corp.example", "email": "ana@corp.example",
            "usual_addresses": [USUAL], "baseline_events": 40, "baseline_until": "2026-03-01T00:00:00Z"});
        lab.lines("identity.jsonl", &[user])?;
        lab.lines(
            "intel.jsonl",
            &[json!({"value": "198.51.100.99", "kind": "ip", "verdict": "malicious"})],
        )?;
        let mut logs: Vec<Value> = (1..=5)
            .map(|day| {
                event(
                    &format!("h{day}"),
                    &format!("2026-02-2{day}T08:00:00.000Z"),
                    USUAL,
                )
            })
            .collect();
        let mut alerts = Vec::new();
        for (i, address) in addresses.iter().enumerate() {
            let at = format!("2026-03-02T0{}:00:00.000Z", i + 1);
            let event = event(&format!("a{i}"), &at, address);
            alerts.push(json!({"id": format!("alert-{i}"), "rule_id": "scenario-login", "title": "Sign-in from a new address",
                "severity": "High", "created_at": at, "log_types": ["Okta.SystemLog"], "events": [event]}));
            logs.push(event);
        }
        lab.lines("logs/okta.jsonl", &logs)?;
        lab.lines("alerts.jsonl", &alerts)?;
        Ok(lab)
    }

    /// The same with so many users of whom nobody knows the other: one sign-in alert each, from a strange address of its
    /// own. The user of number `n` is `user{n}@corp.example`.
    pub fn crowd(users: usize) -> anyhow::Result<Self> {
        let lab = Self::scenario(&[])?;
        let (mut known, mut alerts) = (Vec::new(), Vec::new());
        for n in 0..users {
            let (id, name) = (format!("user-{n}"), format!("user{n}@corp.example"));
            known.push(json!({"id": id, "kind": "user", "name": name, "email": name,
                "usual_addresses": [USUAL], "baseline_events": 40, "baseline_until": "2026-03-01T00:00:00Z"}));
            let at = format!("2026-03-02T{:02}:{:02}:00.000Z", 1 + n / 60 % 10, n % 60);
            let mut event = event(
                &format!("a{n}"),
                &at,
                &format!("198.18.{}.{}", n / 250, n % 250),
            );
            event["actor"] =
                json!({"id": id, "type": "User", "alternateId": name, "displayName": id});
            alerts.push(json!({"id": format!("alert-{n}"), "rule_id": "scenario-login", "title": "Sign-in from a new address",
                "severity": "High", "created_at": at, "log_types": ["Okta.SystemLog"], "events": [event]}));
        }
        lab.lines("identity.jsonl", &known)?;
        lab.lines("alerts.jsonl", &alerts)?;
        Ok(lab)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file of the lab.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.path().join(name), text)?)
    }

    /// Writes a file of one JSON object a line.
    pub fn lines(&self, name: &str, rows: &[Value]) -> anyhow::Result<()> {
        let text: String = rows.iter().map(|r| format!("{r}\n")).collect();
        self.write(name, &text)
    }

    /// Reads a file of one JSON object a line.
    pub fn read(&self, name: &str) -> anyhow::Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.path().join(name))?;
        Ok(text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?)
    }

    /// Removes the rows for which `gone` says so; returns how many went.
    pub fn remove(&self, name: &str, gone: impl Fn(&Value) -> bool) -> anyhow::Result<usize> {
        let rows = self.read(name)?;
        let kept: Vec<Value> = rows.iter().filter(|r| !gone(r)).cloned().collect();
        self.lines(name, &kept)?;
        Ok(rows.len() - kept.len())
    }
}

fn event(uid: &str, at: &str, address: &str) -> Value {
    json!({"event_uid": uid, "event_time": at, "uuid": uid, "published": at, "eventType": "user.session.start",
        "displayMessage": "User login to Okta", "outcome": {"result": "SUCCESS"}, "severity": "INFO",
        "actor": {"id": "u1", "type": "User", "alternateId": "ana@corp.example", "displayName": "Ana"},
        "client": {"ipAddress": address, "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
        "securityContext": {}, "debugContext": {"debugData": {}}, "target": []})
}

/// Configuration of a scenario: its own playbook, closing without a person, no review sample.
#[must_use]
pub fn scenario_config() -> Config {
    let mut config = Config::default();
    config.closing.mode = CloseMode::Auto;
    config.closing.without_sample();
    config.paths.playbooks = Some(data("playbooks"));
    config
}

/// The same with a model at every tier.
pub fn with_model(base_url: &str) -> anyhow::Result<Config> {
    let mut config = scenario_config();
    let model: ModelConfig = serde_json::from_value(
        json!({"base_url": base_url, "model": "scripted", "timeout": "2s", "max_retries": 1}),
    )?;
    config.model = Some(model);
    config.tiers.set_analyst(AnalystChoice::Model);
    Ok(config)
}

/// A folder of `tests/data`.
#[must_use]
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

/// Runs the program to its end with nothing of our environment that could configure it.
pub fn nightdesk(program: &str, dir: &Path, args: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("NIGHTDESK_CONFIG")
        .env("HOME", dir)
        .env_remove("XDG_CONFIG_HOME");
    Ok(command.output()?)
}

/// Changes a store's file behind the daemon's back.
pub async fn tamper(file: &Path, sql: &'static str) -> anyhow::Result<()> {
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut db = options.connect().await?;
    db.execute(sql).await?;
    Ok(db.close().await?)
}

/// Standard output as text.
#[must_use]
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
#[must_use]
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub state::model::Time);

impl agent::ctx::Clock for FixedClock {
    fn now(&self) -> state::model::Time {
        self.0
    }
}

/// A clock that goes when it is told to.
#[derive(Debug)]
pub struct HandClock(std::sync::Mutex<state::model::Time>);

impl HandClock {
    /// Shows this time.
    #[must_use]
    pub fn at(time: state::model::Time) -> Self {
        Self(std::sync::Mutex::new(time))
    }

    /// Goes forward.
    pub fn forward(&self, by: chrono::TimeDelta) {
        if let Ok(mut now) = self.0.lock() {
            *now += by;
        }
    }
}

impl agent::ctx::Clock for HandClock {
    fn now(&self) -> state::model::Time {
        match self.0.lock() {
            Ok(now) => *now,
            Err(broken) => *broken.into_inner(),
        }
    }
}

/// The command with which somebody answers a question, giving a reason; `word` is `approve` or `deny`.
#[must_use]
pub fn answering<'a>(word: &'a str, id: &'a str, by: &'a str) -> [&'a str; 7] {
    ["approvals", word, id, "--by", by, "--reason", "seen"]
}

/// The command with which somebody answers a server's question with yes.
#[must_use]
pub fn confirming<'a>(id: &'a str, by: &'a str) -> [&'a str; 7] {
    let yes = "{\"confirm\":true}";
    ["elicitations", "answer", id, "--values", yes, "--by", by]
}
