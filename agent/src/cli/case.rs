//! `nightdesk case`: stored cases for people and machines; what changes one is in its own file.

mod feedback;
mod graph;
mod replay;
mod report;
mod split;
mod take;

use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use state::model::{CaseId, CaseStatus, Outcome, Time, Verdict, VerdictKind};
use state::store::{Canaries, CaseFilter, Store};

use crate::config::Config;
use crate::daemon::data;
use crate::report::{AlertFile, CaseFile};
use crate::text::oneline;

use super::output::table;
use super::switch::tell_paused;
use super::{Done, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List cases, the newest first
    List(List),
    /// Show a case: verdict, reasons, evidence, gaps, proposed effects
    Show {
        /// For instance ND-12
        id: CaseId,
    },
    /// Show what happened (the activity) and what nightdesk did, in order
    Timeline {
        /// For instance ND-12
        id: CaseId,
    },
    /// Say what it really was: later alerts like it are judged by that
    Feedback(feedback::Feedback),
    /// Judge it again on its recorded tool results and show what differs; nothing is asked or changed
    Replay(replay::Replay),
    /// Print an incident report draft
    Report(report::Args),
    /// Print the JSON Schema of `case report --format json`
    Schema,
    /// Print the case as a graph: alerts, whom and what they name, the order of the attack
    Graph {
        /// For instance ND-12
        id: CaseId,
        /// Form; --json prints the same as json
        #[arg(long, value_enum, default_value = "text")]
        format: graph::Format,
    },
    /// Take it over: what was asked about it lapses, nobody is reminded of it, and it is yours
    Take(take::Args),
    /// Take alerts out of a case into one of their own; both are worked again and kept apart
    Split(split::Args),
}

/// Which cases to list.
#[derive(Debug, Args)]
pub(super) struct List {
    /// new, triaging, awaiting_approval, escalated or closed
    #[arg(long)]
    status: Option<CaseStatus>,
    /// closed, escalated or awaiting_approval
    #[arg(long)]
    outcome: Option<Outcome>,
    /// true_positive, benign_positive, false_positive, suspicious, undetermined or duplicate
    #[arg(long)]
    verdict: Option<VerdictKind>,
    /// Id or name of a rule
    #[arg(long)]
    rule: Option<String>,
    /// A user, host or address of the case
    #[arg(long)]
    entity: Option<String>,
    /// First alert at or after this: RFC 3339 or YYYY-MM-DD
    #[arg(long, value_parser = time)]
    since: Option<Time>,
    /// First alert before this: RFC 3339 or YYYY-MM-DD
    #[arg(long, value_parser = time)]
    until: Option<Time>,
    /// Also canaries, the known bad alerts that the daemon sends itself
    #[arg(long, conflicts_with = "canary")]
    all: bool,
    /// Nothing but canaries
    #[arg(long)]
    canary: bool,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

pub(super) fn time(text: &str) -> Result<Time, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let day = text
        .parse::<NaiveDate>()
        .map_err(|_| "write 2026-11-21 or 2026-11-21T08:00:00Z".to_owned())?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

pub(super) async fn case(
    configured: impl FnOnce() -> Result<Config, Failed>,
    command: Command,
    out: &Out,
) -> Done {
    if matches!(command, Command::Schema) {
        out.document(report::SCHEMA);
        return Ok(ExitCode::SUCCESS);
    }
    let config = configured()?;
    let store = Store::open_existing(&config.store.url).await?;
    let library = data(&config)?.library;
    match command {
        Command::List(filter) => {
            if !out.is_json() {
                tell_paused(&store, &config, out).await;
            }
            list(&store, filter, out).await?;
        }
        Command::Show { id } => show(&CaseFile::read(&store, &library, id).await?, out),
        Command::Timeline { id } => timeline(&CaseFile::read(&store, &library, id).await?, out),
        Command::Feedback(given) => {
            let done = feedback::feedback(&store, &config, given, out).await;
            store.close().await;
            return done;
        }
        Command::Replay(asked) => {
            let done = replay::again(&store, config, asked, out).await;
            store.close().await;
            return done;
        }
        Command::Graph { id, format } => {
            graph::graph(&CaseFile::read(&store, &library, id).await?, format, out);
        }
        Command::Take(args) => take::take(&store, &config, args, out).await?,
        Command::Split(args) => {
            let done = split::split(&store, args, out).await;
            store.close().await;
            done?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Report(args) => {
            let file = CaseFile::read(&store, &library, args.id).await?;
            report::report(&file, &library, &args, out)?;
        }
        // Needs no store, and was told above.
        Command::Schema => {}
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, filter: List, out: &Out) -> Result<(), super::Failed> {
    let filter = CaseFilter {
        status: filter.status,
        outcome: filter.outcome,
        verdict: filter.verdict,
        rule: filter.rule,
        entity: filter.entity,
        since: filter.since,
        until: filter.until,
        limit: Some(filter.limit),
        canaries: match (filter.canary, filter.all) {
            (true, _) => Canaries::Only,
            (_, true) => Canaries::With,
            _ => Canaries::Without,
        },
    };
    let lines = store.list_cases(filter).await?;
    if out.is_json() {
        let cases: Vec<_> = lines
            .iter()
            .map(|l| json!({"case": l.case, "rule": l.rule, "principal": l.principal, "verdict": l.verdict,
                            "confidence": l.confidence, "tier": l.tier, "alerts": l.alerts}))
            .collect();
        out.value(&json!({"cases": cases}));
        return Ok(());
    }
    if lines.is_empty() {
        out.say("no case matches");
        return Ok(());
    }
    let rows = lines
        .into_iter()
        .map(|l| {
            vec![
                l.case.id.to_string(),
                l.case.alert_time.format("%Y-%m-%d %H:%M").to_string(),
                oneline(&l.rule, 40),
                oneline(&l.principal, 30),
                l.verdict.map_or("none".to_owned(), |v| v.to_string()),
                l.confidence.map_or(String::new(), |c| format!("{c}%")),
                l.tier.map_or(String::new(), |t| t.to_string()),
                l.case
                    .outcome
                    .map_or_else(|| l.case.status.to_string(), |o| o.to_string()),
                l.alerts.to_string(),
            ]
        })
        .collect();
    out.line(&table(
        &[
            "case",
            "first alert",
            "rule",
            "principal",
            "verdict",
            "sure",
            "tier",
            "outcome",
            "alerts",
        ],
        rows,
    ));
    Ok(())
}

/// Most alerts and pieces of evidence that are shown to a person.
const MOST: usize = 100;

fn rest(all: usize, what: &str, out: &Out) {
    if all > MOST {
        out.line(&format!(
            "\nand {} more {what} (--json shows all)",
            all - MOST
        ));
    }
}

fn show(file: &CaseFile, out: &Out) {
    if out.is_json() {
        out.value(file);
        return;
    }
    let case = &file.case;
    out.line(&format!("{}  {}", case.id, oneline(&case.title, 200)));
    let outcome = case.outcome.map_or("not decided", Outcome::as_str);
    out.line(&format!(
        "status {}, outcome {outcome}, {} alerts, {} tool calls, {} model turns",
        case.status,
        file.alerts.len(),
        file.calls.len(),
        file.spent.turns
    ));
    for alert in file.alerts.iter().take(MOST) {
        show_alert(alert, out);
    }
    rest(file.alerts.len(), "alerts", out);
    graph::story(file, out);
    out.line("\nevidence");
    for e in file.evidence.iter().take(MOST) {
        out.line(&format!(
            "  {:<4} {:<28} {:<8} {}",
            e.reference,
            oneline(&e.tool, 28),
            e.answer,
            oneline(&e.summary, 120)
        ));
    }
    rest(file.evidence.len(), "pieces of evidence", out);
    if !file.effects.is_empty() {
        out.line("\noutside effects (the exact calls)");
        for e in &file.effects {
            out.line(&format!(
                "  {} {} on `{}`: {}, {}",
                e.tool,
                e.class,
                oneline(&e.target, 80),
                e.word(),
                oneline(&e.reason, 160)
            ));
            out.line(&format!(
                "      {}",
                oneline(&e.arguments.to_string(), 4000)
            ));
        }
    }
}

fn show_alert(alert: &AlertFile, out: &Out) {
    out.line("");
    out.line(&format!(
        "alert {} {} ({}, {})",
        oneline(&alert.alert.source_alert_id, 80),
        oneline(&alert.alert.rule.name, 120),
        alert.alert.severity,
        alert.alert.time.to_rfc3339()
    ));
    let Some(v) = &alert.verdict else {
        out.line("  no verdict: the daemon handed it to a person");
        return;
    };
    out.line(&format!(
        "  {} ({} %, {}, impact {}), tier {} by {}, playbook {}",
        v.kind,
        v.confidence,
        v.reason,
        v.impact,
        v.provenance.tier,
        v.provenance.analyst,
        v.provenance.playbook
    ));
    out.line(&format!("  {}", oneline(&v.basis.sentence, 400)));
    if let Some(before) = &alert.replaced {
        out.line(&format!(
            "  before that {} said {} ({} %), because:",
            before.provenance.analyst, before.kind, before.confidence
        ));
        return rests_on(before, out);
    }
    rests_on(v, out);
}

/// What a verdict rests on, and what was not checked.
fn rests_on(v: &Verdict, out: &Out) {
    if let Some(note) = &v.provenance.analyst_note {
        out.line(&format!("  model: {}", oneline(note, 300)));
    }
    for r in &v.basis.reasons {
        out.line(&format!(
            "    {:+.2}  {} [{}]",
            r.weight,
            oneline(&r.claim.text, 300),
            r.claim.evidence.join(", ")
        ));
    }
    for veto in &v.vetoes {
        out.line(&format!("    veto: {}", oneline(veto, 300)));
    }
    if !v.basis.techniques.is_empty() {
        out.line(&format!("    ATT&CK: {}", v.basis.techniques.join(", ")));
    }
    for gap in &v.basis.gaps {
        out.line(&format!(
            "    not checked: {}: {}",
            oneline(&gap.what, 120),
            oneline(&gap.why, 200)
        ));
    }
}

fn timeline(file: &CaseFile, out: &Out) {
    if out.is_json() {
        out.value(
            &json!({"case": file.case.id, "activity": file.activity(), "daemon": file.timeline}),
        );
        return;
    }
    out.line(&format!("{}  what happened", file.case.id));
    for line in file.activity() {
        let technique = line.technique.as_deref().unwrap_or("");
        out.line(&format!(
            "  {} {:<4} {:<10} {}",
            line.at.format("%Y-%m-%d %H:%M:%SZ"),
            line.evidence_ref,
            technique,
            line.text
        ));
    }
    out.line("\nwhat nightdesk did");
    for event in &file.timeline {
        out.line(&format!(
            "  {:>3} {} {:<16} {}",
            event.seq,
            event.at.format("%H:%M:%S%.3fZ"),
            event.kind,
            oneline(&event.message, 240)
        ));
    }
}
