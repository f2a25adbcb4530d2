//! A daemon as a child process, seen from outside: its folder, its log, its store; what it must do stands in the tests.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use state::model::{Alert, Case, StepRun, TimelineKind, ToolCall};
use state::store::{CaseFilter, Store, StoredVerdict};
use tokio::time::{Instant, sleep};

use crate::workbench::{Lab, data, nightdesk, stderr, stdout};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Waits until `probe` gives something.
///
/// # Errors
/// When the probe fails or patience ends.
pub async fn until<T>(
    what: &str,
    mut probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < end, "waited in vain: {what}");
        sleep(GLANCE).await;
    }
}

/// A lab and the folder of a daemon that works it.
#[derive(Debug)]
pub struct Site {
    /// The lab; the daemon's folder is `work` in it.
    pub lab: Lab,
    program: String,
}

impl Site {
    /// Writes the settings: the lab as only environment, polled every second, with the scenario's playbook and without
    /// canaries, whose calls would stand among those that a test waits for.
    pub fn new(program: &str, lab: Lab) -> anyhow::Result<Self> {
        let site = Self {
            lab,
            program: program.to_owned(),
        };
        std::fs::create_dir(site.dir())?;
        let text = agent::eval::lab_settings(program.as_ref(), site.lab.path(), &site.url())?;
        let text = text.replace("kind = \"mcp\"", "kind = \"mcp\"\nevery = \"1s\"");
        let playbooks = json!(data("playbooks"));
        site.write(&format!(
            "{text}\n[paths]\nplaybooks = {playbooks}\n\n[closing.canary]\nenabled = false\n"
        ))?;
        Ok(site)
    }

    /// The daemon's folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.lab.path().join("work")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.dir().join("nightdesk.db").display())
    }

    fn file(&self) -> PathBuf {
        self.dir().join("nightdesk.toml")
    }

    fn write(&self, settings: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.file(), settings)?)
    }

    /// Adds sections to the settings.
    pub fn add(&self, sections: &str) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.file())?;
        self.write(&format!("{text}\n{sections}\n"))
    }

    /// Writes `after` where the settings say `before`.
    pub fn change(&self, before: &str, after: &str) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.file())?;
        ensure!(text.contains(before), "no {before} in {text}");
        self.write(&text.replace(before, after))
    }

    /// Lets the scenario's playbook lock the user of the case: with a copy of it that says so.
    pub fn aim_at_user(&self) -> anyhow::Result<()> {
        let playbooks = self.dir().join("playbooks");
        std::fs::create_dir(&playbooks)?;
        let plain = std::fs::read_to_string(data("playbooks").join("scenario.yaml"))?;
        let proposed = "    d3fend: D3-AL\n";
        ensure!(plain.contains(proposed), "no D3-AL in the playbook");
        let aimed = plain.replace(proposed, &format!("{proposed}    target: user\n"));
        std::fs::write(playbooks.join("scenario.yaml"), aimed)?;
        self.change(
            &json!(data("playbooks")).to_string(),
            &json!(playbooks).to_string(),
        )
    }

    /// Puts a gate before a lab server: the first call of `tool` waits there until the gate is opened.
    pub fn gate(&self, server: &str, tool: &str) -> anyhow::Result<Gate> {
        let gate = Gate {
            dir: self.dir().join("gate"),
        };
        std::fs::create_dir(&gate.dir)?;
        let text = std::fs::read_to_string(self.file())?;
        let serve = format!(
            "[\"lab\", \"serve\", \"{server}\", \"--dir\", {}]",
            json!(self.lab.path())
        );
        let plain = format!("command = {}\nargs = {serve}", json!(self.program));
        let arguments = json!([
            "-c",
            GATE,
            "gate",
            tool,
            gate.dir,
            self.program,
            server,
            self.lab.path()
        ]);
        let gated = format!("command = \"sh\"\nargs = {arguments}");
        ensure!(text.contains(&plain), "no server {server} in {text}");
        self.write(&text.replace(&plain, &gated))?;
        // Behind the gate stands what is no embedded server any more.
        let pinned = self.run(&["tools", "pin"])?;
        ensure!(pinned.status.success(), "{}", stderr(&pinned));
        Ok(gate)
    }

    /// Starts the daemon.
    pub fn start(&self) -> anyhow::Result<Daemon> {
        self.spawn(&["run"])
    }

    /// Starts a command that runs for a while.
    pub fn spawn(&self, args: &[&str]) -> anyhow::Result<Daemon> {
        let log = self.dir().join("daemon.log");
        let child = Command::new(&self.program)
            .args(args)
            .current_dir(self.dir())
            .env("NO_COLOR", "1")
            .env("HOME", self.dir())
            .env_remove("NIGHTDESK_CONFIG")
            .env_remove("NIGHTDESK_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        Ok(Daemon { child, log })
    }

    /// Starts the daemon and waits until it works.
    pub async fn started(&self) -> anyhow::Result<Daemon> {
        let mut daemon = self.start()?;
        daemon.says("nightdesk is at work").await?;
        Ok(daemon)
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> anyhow::Result<Output> {
        nightdesk(&self.program, &self.dir(), args)
    }

    /// Works the queue once and gives what is printed for machines.
    pub fn once(&self) -> anyhow::Result<Value> {
        let output = self.run(&["run", "--once", "--json"])?;
        ensure!(
            output.status.success(),
            "run --once failed: {}",
            stderr(&output)
        );
        Ok(serde_json::from_str(&stdout(&output))?)
    }

    /// The store, as another process sees it.
    pub async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.url()).await?)
    }

    /// Waits until so many alerts have a verdict and no case is in work or waits for it.
    pub async fn settled(&self, alerts: usize) -> anyhow::Result<Vec<Worked>> {
        let store = self.store().await?;
        let wanted = i64::try_from(alerts)?;
        until(&format!("{alerts} alerts judged"), async || {
            let counts = store.counts().await?;
            let judged: i64 = counts.verdicts.values().sum();
            let open = counts
                .cases
                .keys()
                .any(|s| matches!(s.as_str(), "new" | "triaging"));
            Ok((judged >= wanted && !open).then_some(()))
        })
        .await?;
        Worked::all(&store).await
    }
}

/// Passes lines on to a lab server. A call of the tool waits while the folder is there and holds no file `open`.
const GATE: &str = r#"
while IFS= read -r line; do
  case $line in *'"tools/call"'*'"name":"'"$1"'"'*)
    if [ ! -e "$2/open" ]; then echo $$ > "$2/waiting.new"; mv "$2/waiting.new" "$2/waiting"; fi
    while [ -d "$2" ] && [ ! -e "$2/open" ]; do sleep 0.05; done ;;
  esac
  printf '%s\n' "$line"
done | "$3" lab serve "$4" --dir "$5"
"#;

/// A place where a call waits.
#[derive(Debug)]
pub struct Gate {
    dir: PathBuf,
}

impl Gate {
    /// Waits until a call stands before the gate; gives the process group of its server.
    pub async fn reached(&self) -> anyhow::Result<Pid> {
        let file = self.dir.join("waiting");
        let text = until("a call at the gate", async || {
            Ok(std::fs::read_to_string(&file).ok())
        })
        .await?;
        std::fs::remove_file(&file)?;
        Ok(Pid::from_raw(text.trim().parse()?))
    }

    /// Lets all calls through from now on.
    pub fn open(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(self.dir.join("open"), "")?)
    }
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// What it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has written `text`.
    pub async fn says(&mut self, text: &str) -> anyhow::Result<()> {
        until(text, async || {
            let log = self.log();
            if log.contains(text) {
                return Ok(Some(()));
            }
            match self.child.try_wait()? {
                Some(status) => bail!("the daemon ended with {status}: {}", self.log()),
                None => Ok(None),
            }
        })
        .await
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(kill(pid, signal)?)
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        until("the daemon's end", async || Ok(self.child.try_wait()?))
            .await
            .with_context(|| self.log())
    }

    /// Kills it, and the process group of one of its servers with it.
    pub async fn kill_with(&mut self, group: Option<Pid>) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        until("the daemon's death", async || Ok(self.child.try_wait()?)).await?;
        if let Some(group) = group {
            kill_group(group);
        }
        Ok(())
    }
}

/// Kills a server with everything it started; it may have ended before.
pub fn kill_group(group: Pid) {
    let _ = killpg(group, Signal::SIGKILL);
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything a case left in the store.
#[derive(Debug)]
pub struct Worked {
    /// The case.
    pub case: Case,
    /// Its alerts.
    pub alerts: Vec<Alert>,
    /// All its verdicts, superseded ones too.
    pub verdicts: Vec<StoredVerdict>,
    /// Step executions.
    pub steps: Vec<StepRun>,
    /// Tool calls.
    pub calls: Vec<ToolCall>,
    /// Kinds of what the daemon did, in order.
    pub kinds: Vec<TimelineKind>,
}

impl Worked {
    /// All cases, the newest first.
    pub async fn all(store: &Store) -> anyhow::Result<Vec<Self>> {
        let mut worked = Vec::new();
        for line in store.list_cases(CaseFilter::default()).await? {
            let id = line.case.id;
            let timeline = store.timeline(id).await?;
            worked.push(Self {
                case: line.case,
                alerts: store.alerts_of(id).await?,
                verdicts: store.verdicts_of(id).await?,
                steps: store.step_runs(id).await?,
                calls: store.calls_of(id).await?,
                kinds: timeline.into_iter().map(|e| e.kind).collect(),
            });
        }
        Ok(worked)
    }

    /// How often the daemon did a thing.
    #[must_use]
    pub fn times(&self, kind: TimelineKind) -> usize {
        self.kinds.iter().filter(|k| **k == kind).count()
    }

    /// How often a tool was called.
    #[must_use]
    pub fn called(&self, tool: &str) -> usize {
        self.calls.iter().filter(|c| c.tool == tool).count()
    }
}
