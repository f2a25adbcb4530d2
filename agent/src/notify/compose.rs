//! The card of a case, composed from the store; how it looks is the notifiers'.

use state::model::{
    Answered, Approval, ApprovalState, CaseStatus, Severity, TimelineEvent, TimelineKind, Verdict,
};
use state::store::Store;

use crate::approvals::needs_reason;
use crate::ctx::Ctx;
use crate::data::sha256_hex;
use crate::report::CaseFile;
use crate::text::oneline;

use super::card::{Ask, CaseCard, Closed, Judged, Line, Reason, ReasonFor};
use super::facts::facts;

/// Reasons on a card.
const REASONS: usize = 3;
/// Things not checked, on a card.
const UNCHECKED: usize = 5;
/// Longest text of one field, characters.
pub(super) const FIELD: usize = 200;
/// Longest sentence, characters.
const SENTENCE: usize = 500;
/// Longest summary of a question, characters: whoever has less room shows the beginning and keeps the whole at hand.
const SUMMARY: usize = 2_000;
/// Longest arguments that a card shows whole, characters.
const ARGUMENTS: usize = 2_000;

/// The card of a case as it stands.
///
/// # Errors
/// When the store fails.
pub(super) async fn case_card(ctx: &Ctx, file: &CaseFile) -> state::store::Result<CaseCard> {
    let mut asks = Vec::new();
    for asked in &file.approvals {
        asks.push(ask(ctx, asked).await?);
    }
    asks.sort_by_key(|a| (a.state != ApprovalState::Pending, a.approval));
    let verdict = file.verdict();
    Ok(CaseCard {
        case: file.case.id,
        title: oneline(&file.case.title, FIELD),
        severity: severity(file),
        verdict: verdict.map(in_short),
        facts: facts(file, verdict),
        reasons: reasons(file),
        unchecked: unchecked(verdict),
        asks,
        standing: standing(file),
        owner: ctx.store.owner_of(file.case.id).await?,
        closed: match file.case.status {
            CaseStatus::Closed => Closed::Yes,
            _ => Closed::No,
        },
        judged: judged(file),
    })
}

/// Digest of the alerts of a case with their verdicts.
pub(super) fn judged(file: &CaseFile) -> String {
    let all = file.alerts.iter();
    let mut each: Vec<String> = all
        .map(|a| {
            let kind = a.verdict.as_ref().map(|v| v.kind.as_str());
            format!("{} {}", a.alert.id.0, kind.unwrap_or_default())
        })
        .collect();
    each.sort_unstable();
    sha256_hex(each.join("\n"))
}

/// The worst severity of the alerts.
fn severity(file: &CaseFile) -> Severity {
    let all = file.alerts.iter().map(|a| a.alert.severity);
    all.max_by_key(|s| s.id()).unwrap_or(Severity::Unknown)
}

async fn ask(ctx: &Ctx, asked: &Approval) -> state::store::Result<Ask> {
    let votes = ctx.store.votes_of(asked.id).await?;
    let yes = votes.iter().filter(|v| v.answer == Answered::Approved);
    let arguments = match asked.binding.get("arguments") {
        Some(arguments) => arguments.to_string(),
        None => String::new(),
    };
    Ok(Ask {
        approval: asked.id,
        action: oneline(&asked.action, FIELD),
        summary: summary(&ctx.store, asked).await?,
        arguments: oneline(&arguments, ARGUMENTS),
        digest: asked.digest.clone(),
        asked: asked.asked,
        expires: asked.expires,
        reason: match needs_reason(asked, Answered::Approved) {
            true => ReasonFor::Both,
            false => ReasonFor::Denial,
        },
        needed: asked.needed,
        approved_by: yes.map(|v| oneline(&v.person, 60)).collect(),
        state: asked.state,
        answered_by: asked.answered_by.as_deref().map(|by| oneline(by, 60)),
    })
}

/// What is asked, in a line. Where the whole of a server's question stands comes before its words: none of them hides it.
pub(super) async fn summary(store: &Store, asked: &Approval) -> state::store::Result<String> {
    let said = match store.elicitation_for(asked.id).await? {
        Some(form) => {
            let whole = format!("whole question: nightdesk elicitations show {}", form.id);
            format!("{whole}; {}", asked.summary)
        }
        None => asked.summary.clone(),
    };
    Ok(oneline(&said, SUMMARY))
}

fn in_short(verdict: &Verdict) -> Judged {
    Judged {
        kind: verdict.kind,
        confidence: u8::try_from(verdict.confidence.clamp(0, 100)).unwrap_or(0),
        tier: verdict.provenance.tier.number(),
        analyst: verdict.provenance.analyst.to_string(),
    }
}

fn reasons(file: &CaseFile) -> Vec<Reason> {
    let said = file.strongest().into_iter().take(REASONS);
    said.map(|r| Reason {
        text: oneline(&r.claim.text, SENTENCE),
        evidence: r.claim.evidence.iter().map(ToString::to_string).collect(),
    })
    .collect()
}

fn unchecked(verdict: Option<&Verdict>) -> Vec<String> {
    let gaps = verdict.map(|v| v.basis.gaps.as_slice()).unwrap_or_default();
    let mut said: Vec<String> = gaps
        .iter()
        .take(UNCHECKED)
        .map(|g| oneline(&format!("{}: {}", g.what, g.why), FIELD))
        .collect();
    if gaps.len() > UNCHECKED {
        said.push(format!("and {} more", gaps.len() - UNCHECKED));
    }
    said
}

/// The last thing that decided where the case stands.
fn standing(file: &CaseFile) -> String {
    let decides = |e: &&TimelineEvent| {
        use TimelineKind as K;
        matches!(e.kind, K::Closed | K::Escalated | K::Asked)
    };
    let last = file.timeline.iter().rev().find(decides);
    oneline(last.map_or("", |e| &e.message), SENTENCE)
}

/// What happened to a case after an event, as it is told under its card: at most some lines, and of more than that the last
/// one and how many there were. An outsider who makes much happen does not make people read it all.
pub(super) fn lines(file: &CaseFile, told: i64) -> Vec<(i64, Line)> {
    let news = file.timeline.iter().filter(|e| e.seq > told && is_told(e));
    let news: Vec<&TimelineEvent> = news.collect();
    let decided = |e: &&&TimelineEvent| e.actor != "nightdesk" || e.kind != TimelineKind::Joined;
    match news.len() {
        0..=LINES => news.into_iter().map(|e| (e.seq, line(e))).collect(),
        many => {
            // What people did is told one by one, whatever else happened.
            let mut lines: Vec<(i64, Line)> = news
                .iter()
                .filter(decided)
                .rev()
                .take(LINES)
                .map(|e| (e.seq, line(e)))
                .collect();
            lines.reverse();
            if let Some(last) = news.last() {
                let mut whole = line(last);
                whole.text = format!("{many} things have happened; the last: {}", whole.text);
                lines.retain(|(seq, _)| *seq != last.seq);
                lines.push((last.seq, whole));
            }
            lines
        }
    }
}

/// Lines of one round under one card.
const LINES: usize = 5;

/// Whether an event of a case is told under its card.
fn is_told(event: &TimelineEvent) -> bool {
    use TimelineKind as K;
    matches!(
        event.kind,
        K::Joined
            | K::Answered
            | K::Closed
            | K::Escalated
            | K::EffectCarriedOut
            | K::VerdictGiven
            | K::Flagged
    )
}

/// An event of a case as it is told under its card.
fn line(event: &TimelineEvent) -> Line {
    Line {
        case: event.case,
        at: event.at,
        actor: oneline(&event.actor, 60),
        text: oneline(&event.message, SENTENCE),
    }
}
