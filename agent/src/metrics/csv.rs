//! The report as CSV for spreadsheets: tidy, one number a row, and no cell that a spreadsheet would run.

use super::document::Report;
use crate::text::oneline;

/// `metrics.csv`.
pub(super) fn metrics(report: &Report) -> anyhow::Result<String> {
    let mut out = ::csv::Writer::from_writer(Vec::new());
    out.write_record([
        "period_start",
        "period_end",
        "metric",
        "dimension",
        "dimension_value",
        "stat",
        "value",
        "unit",
        "n",
    ])?;
    let (since, until) = (
        report.period.since.to_rfc3339(),
        report.period.until.to_rfc3339(),
    );
    for number in &report.numbers {
        let ends = number
            .interval
            .map(|(low, high)| [("low95", Some(low)), ("high95", Some(high))]);
        let own = [(number.stat, number.value)];
        for (stat, value) in own.into_iter().chain(ends.into_iter().flatten()) {
            out.write_record([
                &since,
                &until,
                &number.metric,
                &number.dimension,
                &inert(&number.dimension_value),
                stat,
                // A number is no formula, whatever its sign; what was not measured is empty and not 0.
                &value.map(|v| v.to_string()).unwrap_or_default(),
                number.unit,
                &number.n.to_string(),
            ])?;
        }
    }
    text(out)
}

/// `noisy_rules.csv`: all rules of the period, the noisiest first; noisy ones have a suggestion.
pub(super) fn rules(report: &Report) -> anyhow::Result<String> {
    let mut out = ::csv::Writer::from_writer(Vec::new());
    out.write_record([
        "source",
        "rule",
        "title",
        "volume",
        "true_positive",
        "benign_positive",
        "false_positive",
        "noise_rate",
        "noise_lower95",
        "human_minutes",
        "machine_minutes",
        "last_true_positive",
        "top_reason",
        "suggestion",
        "evidence",
    ])?;
    let share = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
    for rule in &report.rules {
        let counts = rule.counts;
        out.write_record([
            inert(&rule.source),
            inert(&rule.rule),
            inert(&rule.title),
            counts.volume.to_string(),
            counts.true_positive.to_string(),
            counts.benign_positive.to_string(),
            counts.false_positive.to_string(),
            share(rule.noise_rate),
            share(rule.noise_lower),
            rule.human_minutes.to_string(),
            rule.machine_minutes.to_string(),
            rule.last_tp.map(|t| t.to_rfc3339()).unwrap_or_default(),
            rule.top_reason
                .map(|r| r.as_str().to_owned())
                .unwrap_or_default(),
            inert(rule.suggestion.as_deref().unwrap_or_default()),
            inert(&rule.evidence.join("; ")),
        ])?;
    }
    text(out)
}

fn text(out: ::csv::Writer<Vec<u8>>) -> anyhow::Result<String> {
    let bytes = out.into_inner().map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(String::from_utf8(bytes)?)
}

/// Characters with which a spreadsheet takes a cell for a formula, wide forms too.
const LEADS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Outside text for a cell: one line, and a formula neither at its beginning nor after what another locale takes for the end
/// of a cell.
fn inert(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for c in oneline(text, 400).chars() {
        if begins && LEADS.contains(&c) {
            out.push('\'');
        }
        begins = matches!(c, ',' | ';' | '|' | '"') || (begins && c == ' ');
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
            ("@SUM(1)", "'@SUM(1)"),
            (" \t=1", "'=1"),
            ("\r\n=1", "'=1"),
            ("＝1", "'＝1"),
            ("a;=1", "a;'=1"),
            ("a\",\"=1", "a\",\"'=1"),
            ("a; =1", "a; '=1"),
            ("login-failed = often", "login-failed = often"),
        ] {
            assert_eq!(inert(text), cell, "{text:?}");
        }
    }
}
