//! What the store has counted, as one flat list of numbers; each that could not be measured says why instead of 0.

use serde::Serialize;
use state::store::metrics::{Key, Spread, Survey};

use super::define::{DEFINITIONS, Definition, Kind, NO_PRICE};
use super::stats::{SMALL, agreement, float, ratio, wilson};

/// One number of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Number {
    /// The metric; its definition stands in the same report.
    pub metric: String,
    /// What it is broken down by, `all` for the whole.
    pub dimension: String,
    /// The value of that; empty for the whole. May be text from outside.
    pub dimension_value: String,
    /// `value`, or of a duration `p50`, `p90`, `p95`, `mean`, `max`, and `missing`: how many had none.
    pub stat: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// The number; null when it was not measured.
    pub value: Option<f64>,
    /// Over how many: of a share those that could be, of a duration those that have one.
    pub n: i64,
    /// Wilson's interval at 95 %, of a share.
    pub interval: Option<(f64, f64)>,
    /// The same number of the four periods before, the oldest first; null where it was not measured.
    pub earlier: Vec<Option<f64>>,
    /// That of the period before.
    pub before: Option<f64>,
    /// Median of the earlier ones.
    pub median: Option<f64>,
    /// Why there is no number.
    pub not_measured: Option<&'static str>,
}

impl Number {
    fn new(key: &Key, stat: &'static str, unit: &'static str, value: Option<f64>, n: i64) -> Self {
        let empty = Definition::of(&key.metric).map_or("nothing was measured", |d| d.empty);
        Self {
            metric: key.metric.clone(),
            dimension: key.by.clone(),
            dimension_value: crate::text::oneline(&key.value, 200),
            stat,
            unit,
            value,
            n,
            interval: None,
            earlier: Vec::new(),
            before: None,
            median: None,
            not_measured: value.is_none().then_some(empty),
        }
    }

    /// Whether so few stand behind it that it says little: shares and durations over fewer than 20.
    #[must_use]
    pub fn is_small(&self) -> bool {
        let tells = matches!(self.unit, "ratio" | "kappa" | "seconds") && self.stat != "missing";
        tells && self.value.is_some() && self.n < SMALL
    }
}

/// All numbers of a survey, in the order of the definitions; the whole before its parts.
pub(super) fn numbers(survey: &Survey) -> Vec<Number> {
    let mut all = Vec::new();
    for definition in DEFINITIONS {
        let before = all.len();
        match definition.kind {
            Kind::Count => counts(survey, definition, &mut all),
            Kind::Share => shares(survey, definition, &mut all),
            Kind::Spread => spreads(survey, definition, &mut all),
            Kind::Amount => amounts(survey, definition, &mut all),
        }
        let added = all.get_mut(before..).unwrap_or_default();
        // Stable: within a breakdown the store's order stands.
        added.sort_by_key(|n| n.dimension != "all");
    }
    all
}

fn counts(survey: &Survey, of: &Definition, all: &mut Vec<Number>) {
    for tally in survey.tallies.iter().filter(|t| t.key.metric == of.metric) {
        let value = Some(float(tally.n));
        all.push(Number::new(&tally.key, "value", of.unit, value, tally.n));
    }
}

fn shares(survey: &Survey, of: &Definition, all: &mut Vec<Number>) {
    let start = all.len();
    let mut put = |key: &Key, k: i64, n: i64| {
        let mut number = Number::new(key, "value", of.unit, ratio(k, n), n);
        number.interval = wilson(k, n);
        all.push(number);
    };
    for share in survey.shares.iter().filter(|s| s.key.metric == of.metric) {
        put(&share.key, share.k, share.n);
    }
    if of.metric == "agreement" {
        let (alike, n, _) = agreement(&survey.pairs);
        put(&Key::whole(of.metric), alike, n);
    }
    if !all.iter().skip(start).any(|n| n.dimension == "all") {
        all.push(Number::new(
            &Key::whole(of.metric),
            "value",
            of.unit,
            None,
            0,
        ));
    }
}

fn spreads(survey: &Survey, of: &Definition, all: &mut Vec<Number>) {
    let start = all.len();
    for spread in survey.spreads.iter().filter(|s| s.key.metric == of.metric) {
        durations(&spread.key, spread, of, all);
    }
    if !all.iter().skip(start).any(|n| n.dimension == "all") {
        let key = Key::whole(of.metric);
        let nothing = Spread {
            key: key.clone(),
            n: 0,
            missing: 0,
            p50: None,
            p90: None,
            p95: None,
            mean: None,
            max: None,
        };
        durations(&key, &nothing, of, all);
    }
}

fn durations(key: &Key, spread: &Spread, of: &Definition, all: &mut Vec<Number>) {
    for (stat, value) in [
        ("p50", spread.p50),
        ("p90", spread.p90),
        ("p95", spread.p95),
        ("mean", spread.mean),
        ("max", spread.max),
    ] {
        all.push(Number::new(key, stat, of.unit, value, spread.n));
    }
    let missing = Some(float(spread.missing));
    let scope = spread.n + spread.missing;
    let unit = match of.metric {
        "dwell" | "backlog_age" => "cases",
        "approval_latency" => "questions",
        _ => "alerts",
    };
    all.push(Number::new(key, "missing", unit, missing, scope));
}

fn amounts(survey: &Survey, of: &Definition, all: &mut Vec<Number>) {
    let start = all.len();
    let read = survey.amounts.iter();
    let mut read = read.filter(|a| a.key.metric == "cost_tokens_in");
    let worked = read.next().map_or(0, |a| a.n);
    for amount in survey.amounts.iter().filter(|a| a.key.metric == of.metric) {
        let mut number = Number::new(&amount.key, "value", of.unit, amount.sum, amount.n);
        if of.unit == "usd" && amount.sum.is_none() && worked > 0 {
            number.not_measured = Some(NO_PRICE);
        }
        all.push(number);
    }
    if of.metric == "kappa" {
        let (_, n, kappa) = agreement(&survey.pairs);
        all.push(Number::new(
            &Key::whole(of.metric),
            "value",
            of.unit,
            kappa,
            n,
        ));
    }
    if of.metric == "ingest_gap" {
        for gap in &survey.gaps {
            let key = Key::part(of.metric, ("source", &gap.source));
            all.push(Number::new(
                &key,
                "value",
                of.unit,
                Some(gap.minutes),
                gap.gaps,
            ));
            all.push(Number::new(
                &key,
                "max",
                of.unit,
                Some(gap.longest),
                gap.gaps,
            ));
        }
        let sum: f64 = survey.gaps.iter().map(|g| g.minutes).sum();
        let gaps = survey.gaps.iter().map(|g| g.gaps).sum();
        let sum = (!survey.gaps.is_empty()).then_some(sum);
        all.push(Number::new(
            &Key::whole(of.metric),
            "value",
            of.unit,
            sum,
            gaps,
        ));
    }
    if !all.iter().skip(start).any(|n| n.dimension == "all") {
        all.push(Number::new(
            &Key::whole(of.metric),
            "value",
            of.unit,
            None,
            0,
        ));
    }
}
