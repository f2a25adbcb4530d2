//! The one ticket of a case: how it is made, found again by its marker, told what has changed, and closed; proposals through
//! the gate.

use mcp_clients::config::{Read, Said, Slots, fill};
use serde_json::{Map, Value, json};
use state::model::{
    Alert, Budget, CallOutcome, Case, CaseStatus, Effect, EffectDecision, Tier, Verdict,
};

use crate::ctx::Ctx;
use crate::gate::{self, Meter, Origin, Request, Stands, Subject};
use crate::text::{defang, oneline};

/// What is to be done with the ticket of a case.
pub(super) struct Call {
    /// `server.tool`.
    pub(super) tool: String,
    /// Arguments.
    pub(super) arguments: Map<String, Value>,
}

/// The ticket that an incident opens; none where no server keeps tickets.
pub(super) fn create(ctx: &Ctx, alert: &Alert, verdict: &Verdict) -> Option<Call> {
    let create = ctx.config.tickets().and_then(|t| t.create);
    let create = &create.unwrap_or_else(by_default);
    ctx.catalogue.get(&create.tool)?;
    let case = verdict.case;
    // Where it goes nobody knows what a link or a control character does.
    let harmless = |text: &str, most: usize| defang(&oneline(text, most));
    let slots = Slots::from([
        (
            "title".to_owned(),
            json!(format!("{case}: {}", harmless(&alert.rule.name, 200))),
        ),
        (
            "body".to_owned(),
            json!(harmless(&verdict.basis.sentence, 2_000)),
        ),
        ("severity".to_owned(), json!(alert.severity.as_str())),
        ("case".to_owned(), json!(case.to_string())),
        (
            "marker".to_owned(),
            json!(gate::raise_marker(&create.tool, case)),
        ),
    ]);
    call(create, &slots)
}

/// The call of a server that is catalogued as `ticketing` and says nothing of tickets.
fn by_default() -> Said {
    let slots = [
        ("title", "{{title}}"),
        ("body", "{{body}}"),
        ("severity", "{{severity}}"),
        ("case_id", "{{case}}"),
    ];
    Said {
        tool: "ticketing.create_ticket".to_owned(),
        arguments: slots
            .into_iter()
            .map(|(name, slot)| (name.to_owned(), json!(slot)))
            .collect(),
    }
}

fn call(said: &Said, slots: &Slots) -> Option<Call> {
    Some(Call {
        tool: said.tool.clone(),
        arguments: fill(&said.arguments, slots).ok()?,
    })
}

/// Why the ticket of a case is not told now.
pub(super) enum Unfound {
    /// Its server did not say.
    Unread(String),
    /// It was made, and its server does not find it: an index may be behind.
    Absent(String),
}

/// What is to be told to the ticket of a case, if it has one and something has changed since it was made.
///
/// # Errors
/// In the outer result when the store fails; in the inner one why the ticket can't be found now.
pub(super) async fn change(
    ctx: &Ctx,
    case: &Case,
    subject: &Subject,
    verdicts: &[Verdict],
) -> anyhow::Result<Result<Option<Call>, Unfound>> {
    let Some(tickets) = ctx.config.tickets() else {
        return Ok(Ok(None));
    };
    let Some(find) = &tickets.find else {
        return Ok(Ok(None));
    };
    let create = tickets.create.as_ref().map_or("", |c| c.tool.as_str());
    let effects = ctx.store.effects_of(case.id).await?;
    let made = |e: &&Effect| {
        let sent = matches!(
            e.decision,
            EffectDecision::Executed | EffectDecision::Unknown
        );
        e.tool == create && sent
    };
    let Some(made) = effects.iter().find(made) else {
        return Ok(Ok(None));
    };
    let closed = case.status == CaseStatus::Closed;
    let news = verdicts.iter().any(|v| v.at > made.at);
    let (said, worst) = match (closed, verdicts.iter().max_by_key(|v| v.kind.rank())) {
        // A case with a ticket had an incident in it: nobody but a person closes it.
        (true, Some(worst)) if tickets.closes != Some(false) => (&tickets.close, worst),
        (_, Some(worst)) if closed || news => (&tickets.update, worst),
        _ => return Ok(Ok(None)),
    };
    let Some(said) = said else {
        return Ok(Ok(None));
    };
    let id = match found(ctx, (subject, create), find).await {
        Ok(Some(id)) => id,
        // One that nobody knows to have been made may not be there.
        Ok(None) if made.decision == EffectDecision::Executed => {
            let why = format!("its ticket was made and `{}` does not find it", find.tool);
            return Ok(Err(Unfound::Absent(why)));
        }
        Ok(None) => return Ok(Ok(None)),
        Err(why) => {
            let why = format!("its ticket can't be looked for: {why}");
            return Ok(Err(Unfound::Unread(why)));
        }
    };
    let rev = ctx.store.verdicts_of(case.id).await?.len();
    let slots = Slots::from([
        ("ticket".to_owned(), id),
        ("case".to_owned(), json!(case.id.to_string())),
        (
            "comment".to_owned(),
            json!(gate::comment(worst, Stands { closed, rev })),
        ),
    ]);
    Ok(Ok(call(said, &slots)))
}

/// The id of the ticket that this tool made for a case, found by its marker.
async fn found(
    ctx: &Ctx,
    (subject, create): (&Subject, &str),
    find: &Read,
) -> Result<Option<Value>, String> {
    let marker = gate::raise_marker(create, subject.case);
    let slots = Slots::from([("marker".to_owned(), json!(marker))]);
    let Ok(arguments) = fill(&find.arguments, &slots) else {
        return Ok(None);
    };
    let request = Request {
        subject,
        tier: Tier::Three,
        asked_by: "ticket",
        tool: &find.tool,
        arguments,
        as_of: ctx.now(),
        origin: Origin::Daemon,
    };
    let called = gate::call(ctx, &Meter::new(Budget::default()), request).await;
    match (called.outcome, called.reply) {
        (CallOutcome::Ok, Some(reply)) => Ok(gate::at(&reply.value, &find.path).and_then(id)),
        _ => Err(called.reason.unwrap_or_default()),
    }
}

/// An id as ticketing systems write them; what else stands there is none.
fn id(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_#.".contains(c);
            let fits = !text.is_empty() && text.len() <= 64 && text.chars().all(plain);
            fits.then(|| value.clone())
        }
        _ => None,
    }
}
