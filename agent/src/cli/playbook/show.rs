//! One playbook as text, Mermaid or JSON; names and sentences are escaped for where they go.

use serde_json::{Value, json};
use state::model::Tier;

use crate::playbook::{Entry, Library, Playbook, Signal, Step, StepTarget};
use crate::text::oneline;

use super::super::Out;

/// As what a playbook is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// For reading
    #[default]
    Text,
    /// A Mermaid flowchart
    Mermaid,
    /// For machines
    Json,
}

pub(super) fn show(library: &Library, entry: &Entry, format: Format, out: &Out) {
    match format {
        _ if out.is_json() => out.value(&machine(library, entry)),
        Format::Json => out.value(&machine(library, entry)),
        Format::Mermaid => out.document(&mermaid(&entry.playbook)),
        Format::Text => out.document(&text(library, entry)),
    }
}

fn target(step: &Step) -> String {
    match &step.target {
        StepTarget::Tool(tool) => tool.clone(),
        StepTarget::Query(query) => format!("query {query}"),
    }
}

fn text(library: &Library, entry: &Entry) -> String {
    let p = &entry.playbook;
    let mut from = super::from(entry).to_owned();
    if library.learned().is_some() {
        from.push_str(" with learned weights");
    }
    let mut lines = vec![
        format!("{}: {}", p.id, oneline(&p.title, 200)),
        format!("priority {}, {from}, {}", p.priority, entry.hash),
        format!("for  {}", library.in_terms(p.select.source())),
    ];
    for tier in Tier::ALL {
        let steps: Vec<&Step> = p.steps.iter().filter(|s| s.tier == tier).collect();
        if !steps.is_empty() {
            lines.push(format!("\ntier {tier}, {}", tier.name()));
        }
        lines.extend(steps.into_iter().flat_map(|s| step(library, s)));
    }
    lines.push(format!("\nsignals, from log-odds {:+}", p.scoring.prior));
    lines.extend(p.signals.iter().map(signal));
    lines.extend(ending(library, p));
    let lines = lines.iter().map(|l| format!("{}\n", l.trim_end()));
    lines.collect()
}

fn step(library: &Library, step: &Step) -> Vec<String> {
    let asks = oneline(&step.asks, 200);
    let mut lines = vec![format!("  {:<18} {:<28} {asks}", step.id, target(step))];
    if !step.needs.is_empty() {
        lines.push(format!("  {:<18} after {}", "", step.needs.join(", ")));
    }
    if let Some(when) = &step.when {
        let when = library.in_terms(when.source());
        lines.push(format!("  {:<18} if {when}", ""));
    }
    lines
}

fn signal(signal: &Signal) -> String {
    let veto = if signal.veto { " veto" } else { "" };
    let shows = match signal.techniques.as_slice() {
        [] => String::new(),
        ids => format!(" [{}]", ids.join(", ")),
    };
    let says = oneline(&signal.says, 300);
    let odds = signal.log_odds();
    format!("  {odds:+5.1} {:<30} {says}{shows}{veto}", signal.id)
}

/// What follows: when it closes, when it is called real, and what is then proposed.
fn ending(library: &Library, p: &Playbook) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let close = p.scoring.close.as_ref().map(|close| {
        let when = close.when.as_ref();
        let when = when.map_or("nothing more".to_owned(), |w| library.in_terms(w.source()));
        format!(
            "\ncloses  as {} at {} or less, with whole answers of {}, if\n        {when}",
            close.verdict,
            percent(close.at_most),
            close.requires.join(", ")
        )
    });
    let escalate = &p.scoring.escalate;
    let mut lines = vec![
        close.unwrap_or_else(|| "\ncloses  never".to_owned()),
        format!(
            "real    from {}, as {}",
            percent(escalate.at_least),
            escalate.reason
        ),
        format!("shows   {}", p.techniques.join(", ")),
    ];
    let responses = p.responses.iter();
    lines.extend(responses.map(|r| format!("then    {} ({})", oneline(&r.does, 200), r.d3fend)));
    lines.push(format!("\nby hand\n  {}", oneline(&p.fallback, 1000)));
    lines
}

fn mermaid(p: &Playbook) -> String {
    let mut lines = vec!["flowchart TB".to_owned()];
    for tier in Tier::ALL {
        lines.push(format!(
            "  subgraph t{tier}[\"tier {tier}, {}\"]",
            escaped(tier.name())
        ));
        lines.push(format!("    j{tier}{{\"judged\"}}"));
        for (i, step) in p.steps.iter().enumerate().filter(|(_, s)| s.tier == tier) {
            let (id, of) = (escaped(&step.id), escaped(&target(step)));
            lines.push(format!("    s{i}[\"{id}<br/>{of}\"] --> j{tier}"));
        }
        lines.push("  end".to_owned());
    }
    for (i, step) in p.steps.iter().enumerate() {
        let needed = |n: &String| p.steps.iter().position(|s| s.id == *n);
        let from = step.needs.iter().filter_map(needed);
        lines.extend(from.map(|from| format!("  s{from} --> s{i}")));
    }
    lines.push("  j1 -->|\"not settled\"| t2".to_owned());
    lines.push("  j2 -->|\"50 % or more\"| t3".to_owned());
    lines.push("  j2 -->|\"less\"| person([\"a person\"])".to_owned());
    lines.push("  j3 --> person".to_owned());
    if let Some(close) = &p.scoring.close {
        let verdict = escaped(&close.verdict.to_string());
        lines.push(format!("  closed([\"closed as {verdict}\"])"));
        for tier in ["j1", "j2"] {
            lines.push(format!("  {tier} -->|\"close rule\"| closed"));
        }
    }
    for (i, response) in p.responses.iter().enumerate() {
        let (does, id) = (escaped(&response.does), escaped(&response.d3fend));
        lines.push(format!("  j3 -.-> r{i}[/\"{does}<br/>{id}\"/]"));
    }
    lines.iter().map(|l| format!("{l}\n")).collect()
}

/// Text for a Mermaid label in double quotes: what is no plain letter, digit or sentence mark becomes an entity.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in oneline(text, 120).chars() {
        if c.is_alphanumeric() || " .,:-_/'".contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("#{};", u32::from(c)));
        }
    }
    out
}

fn machine(library: &Library, entry: &Entry) -> Value {
    let p = &entry.playbook;
    let told = |c: &crate::playbook::Condition| library.in_terms(c.source());
    let steps: Vec<Value> = p
        .steps
        .iter()
        .map(|s| {
            json!({"id": s.id, "tier": s.tier, "asks": s.asks, "of": target(s), "args": s.args, "needs": s.needs,
                "when": s.when.as_ref().map(told), "timeline": s.timeline, "intel": s.intel})
        })
        .collect();
    let signals: Vec<Value> = p
        .signals
        .iter()
        .map(|s| {
            json!({"id": s.id, "log_odds": s.log_odds(), "when": told(&s.when), "says": s.says, "evidence": s.evidence,
                "techniques": s.techniques, "veto": s.veto, "impact": s.impact})
        })
        .collect();
    let close = p.scoring.close.as_ref().map(|c| {
        json!({"at_most": c.at_most, "when": c.when.as_ref().map(told), "requires": c.requires,
            "verdict": c.verdict, "reason": c.reason})
    });
    let responses: Vec<Value> = p
        .responses
        .iter()
        .map(|r| json!({"does": r.does, "d3fend": r.d3fend, "tool": r.tool, "target": r.target}))
        .collect();
    json!({
        "id": p.id, "title": p.title, "priority": p.priority, "hash": entry.hash,
        "from": super::from(entry), "learned": library.learned().is_some(),
        "select": told(&p.select), "uses": p.uses, "prior": p.scoring.prior, "close": close,
        "escalate": {"at_least": p.scoring.escalate.at_least, "reason": p.scoring.escalate.reason,
            "impact": p.scoring.escalate.impact},
        "steps": steps, "signals": signals, "techniques": p.techniques, "responses": responses,
        "guidance": p.guidance, "fallback": p.fallback,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_can_not_end_itself() {
        assert_eq!(
            escaped("a\"]\nclick x \"javascript:y\" %%{init}%% `b`"),
            "a#34;#93; click x #34;javascript:y#34; #37;#37;#123;init#125;#37;#37; #96;b#96;"
        );
    }
}
