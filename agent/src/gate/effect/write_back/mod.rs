//! What is to be said of an alert at its source, by where its case stands; and that nobody else has decided there. It is
//! sent like every other effect.
//!
//! The check is the strongest there is: an effect passes if it is, byte for byte, what would be said now.

mod read;
mod words;

use mcp_clients::config::{WriteBack, WriteBackMode, fill};
use mcp_clients::mappings::{VerdictWords, word};
use serde_json::{Map, Value};
use state::model::{
    Alert, AlertId, CaseStatus, Effect, EffectDecision, Proof, Switch, ToolClass, Verdict,
};

use crate::catalogue::Entry;
use crate::ctx::Ctx;

use super::super::stop::goes_on;
use super::super::{Refusal, Subject, Unsent};

pub(super) use read::seen;
use read::{Standing, standing};
pub use words::{Stands, comment};

/// An alert of which an effect speaks at its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaks {
    /// The alert.
    pub alert: AlertId,
    /// The status it would set there, when it sets one.
    pub wanted: Option<String>,
    /// 0 at first; the same words a second time are another effect.
    pub round: i64,
}

impl Speaks {
    /// As an effect has it.
    #[must_use]
    pub fn of(effect: &Effect) -> Option<Self> {
        Some(Self {
            alert: effect.about.alert?,
            wanted: effect.about.wanted.clone(),
            round: effect.about.round,
        })
    }
}

/// One thing to be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Saying {
    /// `server.tool`.
    pub tool: String,
    /// Arguments.
    pub arguments: Map<String, Value>,
    /// The status it sets, when it sets one.
    pub wanted: Option<String>,
    /// Whether that status takes the alert off its queue.
    closing: bool,
}

/// Everything that is to be said of an alert now.
struct Now {
    settings: WriteBack,
    table: VerdictWords,
    standing: Option<Standing>,
    sayings: Vec<Saying>,
}

/// What is to be said of an alert at its source, as its case stands now.
///
/// # Errors
/// Why nothing is: a rule forbids it, or what stands at the source can't be read now.
pub async fn sayings(ctx: &Ctx, subject: &Subject, alert: &Alert) -> Result<Vec<Saying>, Unsent> {
    Ok(now(ctx, subject, alert).await?.sayings)
}

async fn now(ctx: &Ctx, subject: &Subject, alert: &Alert) -> Result<Now, Unsent> {
    let refuse = |why: String| Unsent::from(Refusal::new(4, why));
    let settings = ctx.config.write_back(&alert.source);
    let settings = settings.ok_or_else(|| {
        refuse(format!(
            "alerts of `{}` are not answered there",
            alert.source
        ))
    })?;
    let name = settings.words.clone().unwrap_or_default();
    let table = ctx.mappings.verdict_words(&name).cloned();
    let table = table.ok_or_else(|| refuse(format!("there is no table of words `{name}`")))?;
    let unread = |e: state::store::StoreError| Unsent::unread(4, "the case", &e);
    let case = ctx.store.case(subject.case).await.map_err(unread)?;
    let given = ctx.store.verdicts_of(case.id).await.map_err(unread)?;
    let mut on_it = given.iter().filter(|v| v.verdict.alert == alert.id);
    let rev = on_it.clone().count();
    let verdict = on_it.rfind(|v| !v.superseded).map(|v| &v.verdict);
    let verdict = verdict.ok_or_else(|| refuse("the alert has no verdict".to_owned()))?;
    if matches!(case.status, CaseStatus::New | CaseStatus::Triaging) {
        return Err(refuse("its case is being worked".to_owned()));
    }
    let standing = standing(ctx, subject, (&settings, alert)).await?;
    let stands = Stands {
        closed: case.status == CaseStatus::Closed,
        rev,
    };
    let mut now = Now {
        settings,
        table,
        standing,
        sayings: Vec::new(),
    };
    now.sayings = said(&now, (alert, verdict), stands).map_err(refuse)?;
    Ok(now)
}

fn said(now: &Now, judged: (&Alert, &Verdict), stands: Stands) -> Result<Vec<Saying>, String> {
    let ((_, verdict), closed) = (judged, stands.closed);
    let words = match closed {
        true => now.table.closed(verdict.kind, verdict.reason),
        false => Some(now.table.open()),
    };
    let version = now.standing.as_ref().and_then(|s| s.version.clone());
    let slots = words::slots(judged, stands, (words.clone().unwrap_or_default(), version));
    let render = |of: &Map<String, Value>| {
        fill(of, &slots).map_err(|slot| format!("there is no {{{{{slot}}}}} to say it with"))
    };
    let mut sayings = Vec::new();
    if let Some(comment) = &now.settings.comment {
        sayings.push(Saying {
            tool: comment.tool.clone(),
            arguments: render(&comment.arguments)?,
            wanted: None,
            closing: false,
        });
    }
    let wanted = words.and_then(|w| w.get("status").map(word));
    if let (WriteBackMode::Close, Some(close), Some(wanted)) =
        (now.settings.mode(), &now.settings.close, wanted)
    {
        let closing = now.table.closing.contains(&wanted);
        // A status that takes an alert away is said of closed cases only, whatever the table says.
        if closed || !closing {
            sayings.push(Saying {
                tool: close.tool.clone(),
                arguments: render(&close.arguments)?,
                wanted: Some(wanted),
                closing,
            });
        }
    }
    Ok(sayings)
}

/// Rule 4 for what is said of an alert: it is an alert of this very case, the operator names the tool for its source, and
/// this is, byte for byte, what is to be said now. What a person set at the source is not overwritten.
///
/// Gives what it says, in the words of a policy.
///
/// # Errors
/// The first that does not hold.
pub(super) async fn holds(
    ctx: &Ctx,
    entry: &Entry,
    asked: (&Subject, &Map<String, Value>),
    speaks: &Speaks,
) -> Result<&'static str, Unsent> {
    let (subject, arguments) = asked;
    let refuse = |why: String| Err(Refusal::new(4, why).into());
    let alerts = ctx.store.alerts_of(subject.case).await;
    let alerts = alerts.map_err(|e| Unsent::unread(4, "its alerts", &e))?;
    let Some(alert) = alerts.iter().find(|a| a.id == speaks.alert) else {
        return refuse("the alert is not one of this case".to_owned());
    };
    let now = now(ctx, subject, alert).await?;
    let said = now
        .sayings
        .iter()
        .find(|s| s.tool == entry.name() && s.wanted == speaks.wanted && s.arguments == *arguments);
    let Some(said) = said else {
        return refuse("this is no longer what is to be said of the alert".to_owned());
    };
    if !matches!(entry.spec.class, ToolClass::Write | ToolClass::Suppress) {
        return refuse(format!("a {} tool says nothing", entry.spec.class));
    }
    if said.wanted.is_none() && entry.spec.class == ToolClass::Suppress {
        return refuse("a suppressing tool sets a status, it does not comment".to_owned());
    }
    if said.closing {
        goes_on(ctx, Switch::Closing).await?;
    }
    let Some(wanted) = &said.wanted else {
        return Ok("comment");
    };
    nobody_else(ctx, &now, (alert, wanted)).await?;
    Ok(if said.closing { "closed" } else { "open" })
}

/// Whether the status at the source is one that nobody has decided, or the one we set last.
async fn nobody_else(ctx: &Ctx, now: &Now, of: (&Alert, &String)) -> Result<(), Unsent> {
    let (alert, wanted) = of;
    let refuse = |why: String| Err(Refusal::new(4, why).into());
    let Some(stands) = now.standing.as_ref().and_then(|s| s.status.clone()) else {
        return refuse("the alert's status at its source can't be read".to_owned());
    };
    let effects = ctx.store.effects_on(alert.id).await;
    let effects = effects.map_err(|e| Unsent::unread(4, "its effects", &e))?;
    let mut ours = now.table.untouched.clone();
    for effect in effects {
        let Some(wanted) = effect.about.wanted else {
            continue;
        };
        match effect.decision {
            // What stood so before we came was set by somebody else.
            EffectDecision::Executed if effect.about.proof == Some(Proof::AlreadySo) => {}
            EffectDecision::Executed => ours = vec![wanted],
            EffectDecision::Unknown | EffectDecision::Started => ours.push(wanted),
            _ => {}
        }
    }
    if stands == *wanted || ours.contains(&stands) {
        return Ok(());
    }
    let shown = crate::text::oneline(&stands, 60);
    refuse(format!(
        "a person has set it to `{shown}` at the source, and what people set is not overwritten"
    ))
}
