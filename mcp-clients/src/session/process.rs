//! A server's process group: started with a clean environment, drained, and killed as a whole; knows nothing of MCP.

use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::ProcessSpec;
use crate::words;

/// Variables every server gets from our environment.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "LANG"];
/// How much of stderr is kept, and how much of that is shown.
const STDERR_KEPT: usize = 8 * 1024;
const STDERR_SHOWN: usize = 2 * 1024;
/// How long a server has to leave after its stdin closed, and after SIGTERM.
const LEAVE: Duration = Duration::from_secs(1);
const TERMINATE: Duration = Duration::from_secs(2);

/// A running child and everything it started.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    leader: Option<Pid>,
    stderr: Tail,
    drain: JoinHandle<()>,
}

/// The last bytes a server wrote to its stderr.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<u8>>>);

/// A started child with its two pipes.
pub(crate) type Started = (Group, ChildStdin, ChildStdout);

impl Group {
    /// Starts the program as the leader of a new process group.
    pub(crate) async fn start(spec: &ProcessSpec) -> Result<Started, String> {
        let mut command = Command::new(&spec.command);
        command
            .args(&spec.args)
            .env_clear()
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let passed = PASSED_ON
            .into_iter()
            .chain(spec.env_from.iter().map(String::as_str));
        for name in passed {
            match std::env::var_os(name) {
                Some(value) => drop(command.env(name, value)),
                None if PASSED_ON.contains(&name) => {}
                None => return Err(format!("env_from: {name} is not set in our environment")),
            }
        }
        for (name, setting) in &spec.env {
            let value = setting
                .resolve()
                .await
                .map_err(|e| format!("env.{name}: {e}"))?;
            command.env(name, value.expose_secret());
        }
        if let Some(cwd) = &spec.cwd {
            command.current_dir(cwd);
        }
        let mut child = command
            .spawn()
            .map_err(|e| format!("{:?} could not be started: {e}", spec.command))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err("the system gave no pipes for the child".to_owned());
        };
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        let tail = Tail::default();
        let drain = tokio::spawn(drain(stderr, tail.clone()));
        let group = Self {
            child,
            leader,
            stderr: tail,
            drain,
        };
        Ok((group, stdin, stdout))
    }

    /// Process id of the leader; nothing once it has ended and was waited for.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn tail(&self) -> Tail {
        self.stderr.clone()
    }

    /// Waits for the leader's end.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => ended_with(status),
            Err(e) => format!("could not be waited for: {e}"),
        }
    }

    /// Ends the whole group: waits a little for a polite exit (its stdin must be closed already), SIGTERM, SIGKILL.
    /// Returns how the leader ended; its last words are complete then.
    pub(crate) async fn end(mut self) -> String {
        let status = match timeout(LEAVE, self.child.wait()).await {
            Ok(status) => status.ok(),
            Err(_) => {
                self.signal(Signal::SIGTERM);
                timeout(TERMINATE, self.child.wait())
                    .await
                    .ok()
                    .and_then(Result::ok)
            }
        };
        self.signal(Signal::SIGKILL);
        if status.is_none() {
            // Only reaps: nothing survives SIGKILL.
            let _ = timeout(TERMINATE, self.child.wait()).await;
        }
        let _ = timeout(LEAVE, &mut self.drain).await;
        status.map_or_else(|| "had to be killed".to_owned(), ended_with)
    }

    fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        match killpg(leader, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => {
                tracing::warn!(group = leader.as_raw(), %signal, "could not signal a server's group: {e}")
            }
        }
    }
}

impl Drop for Group {
    /// For the ways out that did not come through [`Group::end`].
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.drain.abort();
    }
}

fn ended_with(status: ExitStatus) -> String {
    format!("ended with {status}")
}

impl Tail {
    fn push(&self, part: &[u8]) {
        let mut kept = match self.0.lock() {
            Ok(kept) => kept,
            Err(poisoned) => poisoned.into_inner(),
        };
        kept.extend(part);
        let over = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..over);
    }

    /// The last lines, cleaned, at most 2 KiB.
    pub(crate) fn words(&self) -> String {
        let kept: Vec<u8> = match self.0.lock() {
            Ok(kept) => kept.iter().copied().collect(),
            Err(poisoned) => poisoned.into_inner().iter().copied().collect(),
        };
        words::tail(&String::from_utf8_lossy(&kept), STDERR_SHOWN)
    }
}

async fn drain(mut stderr: impl AsyncRead + Unpin, tail: Tail) {
    let mut part = vec![0; 8 * 1024];
    while let Ok(n @ 1..) = stderr.read(&mut part).await {
        tail.push(&part[..n]);
    }
}
