//! Whether closing or outside effects are switched off now; what can't be told is off. Turning a switch is the command line's.

use std::io::ErrorKind;
use std::path::Path;

use state::model::{Switch, SwitchState};
use state::store::Store;
use tokio::io::AsyncReadExt as _;

use crate::ctx::Ctx;
use crate::text::oneline;

/// Longest reason taken from the pause file, bytes.
const LONGEST: u64 = 4096;

/// Why closing or outside effects are off now; none when they are as configured.
///
/// Off is what a person or the daemon has switched off, what the pause file stops, and what can't be told.
pub async fn standing(ctx: &Ctx, switch: Switch) -> Option<String> {
    switched_off(&ctx.store, &ctx.config.closing.pause_file, switch).await
}

/// The same by store and pause file alone, for commands that run beside the daemon.
pub async fn switched_off(store: &Store, pause_file: &Path, switch: Switch) -> Option<String> {
    off(store, pause_file, switch).await.unwrap_or_else(Some)
}

/// Why it is off, when it is.
///
/// # Errors
/// Why it can't be told.
pub(super) async fn off(
    store: &Store,
    pause_file: &Path,
    switch: Switch,
) -> Result<Option<String>, String> {
    if let Some(why) = paused(pause_file).await? {
        return Ok(Some(why));
    }
    match store.switch(switch).await {
        Ok(Some(turn)) if turn.state == SwitchState::Off => {
            Ok(Some(format!("switched off by {}: {}", turn.by, turn.why)))
        }
        Ok(_) => Ok(None),
        Err(e) => Err(format!("it can't be told whether {switch} is on: {e}")),
    }
}

/// Why the pause file stops closing and effects, if it does: it is there, or nobody can say that it is not.
pub async fn paused_by_file(path: &Path) -> Option<String> {
    paused(path).await.unwrap_or_else(Some)
}

async fn paused(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    match tokio::fs::symlink_metadata(path).await {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!(
            "it can't be told whether the pause file {shown} is there: {e}"
        )),
        Ok(_) => {
            let said = first_line(path).await.unwrap_or_default();
            let said = if said.is_empty() {
                "no reason given"
            } else {
                &said
            };
            Ok(Some(format!("the pause file {shown} is there: {said}")))
        }
    }
}

async fn first_line(path: &Path) -> std::io::Result<String> {
    // A pipe in the file's place would never answer.
    if !tokio::fs::metadata(path).await?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(LONGEST).read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(oneline(text.lines().next().unwrap_or_default().trim(), 200))
}
