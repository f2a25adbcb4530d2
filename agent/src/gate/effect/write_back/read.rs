//! What stands of an alert at its source, by one reading call through the gate.

use mcp_clients::config::{Read, Slots, WriteBack, WriteBackMode, fill};
use mcp_clients::mappings::word;
use serde_json::{Value, json};
use state::model::{Alert, Budget, CallOutcome, Effect, Tier};

use crate::ctx::Ctx;

use super::super::super::{Meter, Origin, Request, Subject, Unsent, call};
use super::super::look_up::at;
use super::words;

/// How an alert stands at its source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Standing {
    /// Its status.
    pub(super) status: Option<String>,
    /// Its version, where changes name it.
    pub(super) version: Option<Value>,
}

/// Reads the status, when a status is to be set there.
pub(super) async fn standing(
    ctx: &Ctx,
    subject: &Subject,
    of: (&WriteBack, &Alert),
) -> Result<Option<Standing>, Unsent> {
    let (settings, alert) = of;
    let Some(read) = &settings.read else {
        return Ok(None);
    };
    if settings.mode() != WriteBackMode::Close && read.version.is_none() {
        return Ok(None);
    }
    let answer = ask(ctx, subject, (read, alert)).await;
    let answer = answer.map_err(|why| Unsent::cannot_tell(4, why))?;
    let status = at(&answer, &read.path).filter(|v| !v.is_null()).map(word);
    let version = read.version.as_ref();
    let version = version.and_then(|path| at(&answer, path).cloned());
    Ok(Some(Standing { status, version }))
}

/// Whether what an effect says stands at the source.
///
/// # Errors
/// Why it can't be told.
pub(in super::super) async fn seen(ctx: &Ctx, effect: &Effect) -> Result<bool, String> {
    let unread = |e: state::store::StoreError| format!("it can't be looked up: {e}");
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(unread)?;
    let alert = effect.about.alert.ok_or("it speaks of no alert")?;
    let alert = ctx.store.alert(alert).await.map_err(unread)?;
    let settings = ctx.config.write_back(&alert.source);
    let settings = settings.ok_or("alerts of its source are not answered any more")?;
    if let Some(wanted) = &effect.about.wanted {
        let standing = standing(ctx, &subject, (&settings, &alert)).await;
        let standing = standing.map_err(|e| e.to_string())?;
        let status = standing.and_then(|s| s.status);
        return Ok(status.as_ref() == Some(wanted));
    }
    let Some(read) = &settings.comments else {
        return Err("there is no way to read comments ([sources.write_back] comments)".to_owned());
    };
    let answer = ask(ctx, &subject, (read, &alert)).await?;
    let Some(said) = own_comment(&effect.arguments) else {
        return Err("it says nothing that could be found again".to_owned());
    };
    Ok(at(&answer, &read.path).is_some_and(|there| holds(there, said)))
}

/// The first line of our comment among the arguments of a call.
fn own_comment(arguments: &Value) -> Option<&str> {
    let text = match arguments {
        Value::String(text) if text.starts_with(words::OURS) => text.lines().next()?,
        Value::Array(items) => return items.iter().find_map(own_comment),
        Value::Object(map) => return map.values().find_map(own_comment),
        _ => return None,
    };
    Some(text)
}

/// Whether a comment that we wrote stands anywhere in a value. White space may have been changed on the way.
fn holds(value: &Value, said: &str) -> bool {
    match value {
        Value::String(text) => squeezed(text).contains(&squeezed(said)),
        Value::Array(items) => items.iter().any(|v| holds(v, said)),
        Value::Object(map) => map.values().any(|v| holds(v, said)),
        _ => false,
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn ask(ctx: &Ctx, subject: &Subject, of: (&Read, &Alert)) -> Result<Value, String> {
    let (read, alert) = of;
    let slots = Slots::from([("alert".to_owned(), json!(alert.source_alert_id))]);
    let arguments = fill(&read.arguments, &slots);
    let arguments = arguments.map_err(|slot| format!("{{{{{slot}}}}} is not known"))?;
    let meter = Meter::new(Budget::default());
    let asked_by = format!("write-back:{}", alert.id.0);
    let request = Request {
        subject,
        tier: Tier::Three,
        asked_by: &asked_by,
        tool: &read.tool,
        arguments,
        as_of: ctx.now(),
        origin: Origin::Daemon,
    };
    let called = call(ctx, &meter, request).await;
    match (called.outcome, called.reply) {
        (CallOutcome::Ok, Some(reply)) => Ok(reply.value),
        _ => {
            let why = called.reason.unwrap_or_default();
            Err(format!("what stands at the source can't be read: {why}"))
        }
    }
}
