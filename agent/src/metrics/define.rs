//! What each figure means: one entry a metric, published with every export, because the names clash between products.

/// What kind of figure it is, and so which statistics it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How many.
    Count,
    /// How many of how many.
    Share,
    /// A distribution of seconds.
    Spread,
    /// A sum, or another single number.
    Amount,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More.
    More,
    /// Less.
    Less,
    /// Neither.
    Neither,
}

/// The definition of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name in every export; with `/1` behind it the id of its formula.
    pub metric: &'static str,
    /// Its title for people.
    pub title: &'static str,
    /// Statistics.
    pub kind: Kind,
    /// Unit of its value.
    pub unit: &'static str,
    /// How it is computed, with both clock points where it is a duration.
    pub formula: &'static str,
    /// Which way is better.
    pub better: Better,
    /// Why there is none when there is none.
    pub empty: &'static str,
}

impl Definition {
    /// Id of the formula: it changes when the formula does.
    #[must_use]
    pub fn id(&self) -> String {
        format!("nightdesk.{}/1", self.metric)
    }

    /// The definition of a metric.
    #[must_use]
    pub fn of(metric: &str) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|d| d.metric == metric)
    }
}

use Better::{Less, More, Neither};
use Kind::{Amount, Count, Share, Spread};

const NO_ALERT: &str = "no alert in the period";
const NO_FINAL: &str =
    "no alert of the period has a true, benign or false positive as its last word";
const NO_MACHINE: &str = "the daemon called no alert of the period true, benign or false positive";
const NO_HUMAN: &str = "no person called an alert of the period true, benign or false positive";
const NO_CLOSE: &str = "no alert of the period is closed";
const NO_REVIEW: &str = "no close drawn for review has a person's word yet";
const NO_CASE: &str = "no case of the period has ended a run";
/// Why tokens have no cost.
pub(super) const NO_PRICE: &str = "no price is configured";
const NO_SCOPE: &str =
    "no alert of the period is in scope of a service level, or none has been decided yet";

/// One line a metric: name, title; kind, unit, which way is better; formula; why there is none when there is none.
macro_rules! definitions {
    ($($metric:literal, $title:literal; $kind:ident $unit:literal $better:ident; $formula:literal; $empty:expr;)+) => {
        /// Every metric, in the order of the report. An alert belongs to the period in which its source created it.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            metric: $metric,
            title: $title,
            kind: $kind,
            unit: $unit,
            formula: $formula,
            better: $better,
            empty: $empty,
        }),+];
    };
}

definitions! {
    "alert_volume", "alerts"; Count "alerts" Neither;
        "alerts created at their source in the period"; NO_ALERT;
    "case_volume", "cases"; Count "cases" Neither;
        "cases of these alerts"; NO_ALERT;
    "verdicts", "verdicts"; Count "alerts" Neither;
        "last word by kind: the daemon's (machine), people's (human), and a person's before the daemon's (final)"; NO_ALERT;
    "ttd", "time to detect"; Spread "seconds" Less;
        "alert created at its source - earliest event in the alert; an event later by less than a millisecond counts as equal"; "no alert says when its events happened";
    "ingest_lag", "ingest lag"; Spread "seconds" Less;
        "alert stored here - alert created at its source"; NO_ALERT;
    "tta_machine", "time to triage"; Spread "seconds" Less;
        "first worker took the case - alert created at its source"; "no alert of the period was taken up";
    "tta_human", "time to acknowledge"; Spread "seconds" Less;
        "first human action on the case - case handed to a person (escalated or asked)"; "no alert of the period was handed to a person who then acted";
    "tti", "time to investigate"; Spread "seconds" Less;
        "first verdict of the daemon - first worker took the case"; "the daemon judged no alert of the period";
    "time_to_decision", "time to decision"; Spread "seconds" Less;
        "first verdict of the daemon - alert created at its source"; "the daemon judged no alert of the period";
    "time_to_respond", "time to respond"; Spread "seconds" Less;
        "first countermeasure known to have been sent (effect requested or confirmed, at that moment) - alert created at its source; alerts with one, and true positives. A true positive without one is missing; one that was already so before the daemon sent anything is no response by it"; "no countermeasure was sent through the daemon for an alert of the period";
    "ttc", "time to contain"; Spread "seconds" Less;
        "first countermeasure read back as in force (effect confirmed, at that moment) - alert created at its source; true positives. One only requested is missing; one that was already so before the daemon sent anything is no containment by it"; "no true positive of the period was contained through the daemon";
    "ttr", "time to resolve"; Spread "seconds" Less;
        "case closed (the last time) - alert created at its source"; NO_CLOSE;
    "dwell", "dwell time"; Spread "seconds" Less;
        "first true positive of the case created at its source - earliest evidence of compromise: an event of its true positives, or one of one session, process or address with them that shows a technique which the daemon's verdict claims; cases with a true positive, in the period of the first"; "no case of the period has a true positive whose events say their time";
    "tp_rate", "true positives"; Share "ratio" Neither;
        "true positives / (true, benign and false positives), last word"; NO_FINAL;
    "bp_rate", "benign positives"; Share "ratio" Neither;
        "benign positives / (true, benign and false positives), last word"; NO_FINAL;
    "fp_rate", "false positives"; Share "ratio" Less;
        "false positives / (true, benign and false positives), last word"; NO_FINAL;
    "noise_rate", "noise"; Share "ratio" Less;
        "(benign + false positives) / (true, benign and false positives), last word"; NO_FINAL;
    "machine_tp_rate", "true positives (daemon)"; Share "ratio" Neither;
        "as tp_rate, the daemon's verdicts alone"; NO_MACHINE;
    "machine_bp_rate", "benign positives (daemon)"; Share "ratio" Neither;
        "as bp_rate, the daemon's verdicts alone"; NO_MACHINE;
    "machine_fp_rate", "false positives (daemon)"; Share "ratio" Neither;
        "as fp_rate, the daemon's verdicts alone"; NO_MACHINE;
    "machine_noise_rate", "noise (daemon)"; Share "ratio" Neither;
        "as noise_rate, the daemon's verdicts alone"; NO_MACHINE;
    "human_tp_rate", "true positives (people)"; Share "ratio" Neither;
        "as tp_rate, people's own words alone: words copied by confirming a proposed close are left out"; NO_HUMAN;
    "human_bp_rate", "benign positives (people)"; Share "ratio" Neither;
        "as bp_rate, people's own words alone"; NO_HUMAN;
    "human_fp_rate", "false positives (people)"; Share "ratio" Neither;
        "as fp_rate, people's own words alone"; NO_HUMAN;
    "human_noise_rate", "noise (people)"; Share "ratio" Neither;
        "as noise_rate, people's own words alone"; NO_HUMAN;
    "undetermined_rate", "undetermined"; Share "ratio" Less;
        "closed alerts whose last word is undetermined / closed alerts"; NO_CLOSE;
    "escalation_rate", "handed to people"; Share "ratio" Less;
        "triaged alerts whose case was escalated or asked about / triaged alerts"; "no alert of the period was taken up";
    "asked_rate", "asked to confirm"; Share "ratio" Neither;
        "triaged alerts whose case first went to a person as a question / triaged alerts"; "no alert of the period was taken up";
    "tier2_rate", "tier 1 to 2"; Share "ratio" Neither;
        "alerts judged at tier 2 or 3 / alerts judged"; "the daemon judged no alert of the period";
    "tier3_rate", "tier 2 to 3"; Share "ratio" Neither;
        "alerts judged at tier 3 / alerts judged at tier 2 or 3"; "no alert of the period reached tier 2";
    "automation_coverage", "closed without a person"; Share "ratio" More;
        "closed alerts without a human action up to the close / closed alerts"; NO_CLOSE;
    "auto_close_precision", "auto-close precision"; Share "ratio" More;
        "1 - overturned / reviewed, of cases drawn at random before their close in the period; overturned: a person's word on an alert is neither harmless nor duplicate"; NO_REVIEW;
    "missed_tp_rate", "missed true positives"; Share "ratio" Less;
        "reviewed cases with an alert that a person called a true positive / reviewed, of the same sample"; NO_REVIEW;
    "review_sample", "closes drawn for review"; Count "cases" Neither;
        "cases drawn at random before their close in the period, each once"; NO_ALERT;
    "review_share", "drawn of all closes"; Share "ratio" Neither;
        "cases drawn for review / cases that nothing else kept from closing without a person, in the period"; "no case came up for a close without a person in the period";
    "review_floor", "least review sample reached"; Share "ratio" More;
        "cases drawn for review, at most as many as had to be / cases that had to be: the least number a week, or all closes of a week with fewer; weeks that began in the period and are over"; "no week of the period is over that had a close to draw and a least number to reach";
    "review_done", "drawn and reviewed"; Share "ratio" More;
        "drawn cases with a person's word / drawn cases"; "no close was drawn for review in the period";
    "close_overturned_unsampled", "overturned outside the sample"; Share "ratio" Less;
        "alerts first closed without a person and not called harmless since / those with a person's word since; not a random sample"; "no person spoke on an alert that was closed without one";
    "agreement", "agreement"; Share "ratio" More;
        "alerts of which the daemon's last verdict and the person's last word are the same / alerts with both; a word copied by confirming a proposed close is not independent and is left out"; "no alert of the period has both verdicts";
    "kappa", "agreement beyond chance"; Amount "kappa" More;
        "Cohen's kappa over the six verdicts, same alerts as agreement"; "no alert of the period has both verdicts, or chance alone agrees on all";
    "reopen_rate_7d", "worked again within 7 days"; Share "ratio" Less;
        "alerts whose case was taken up again within 7 days of its first close / those, and alerts whose case was first closed 7 days ago or more"; "no alert of the period was closed 7 days ago or more, or worked again since";
    "reopen_rate_30d", "worked again within 30 days"; Share "ratio" Less;
        "the same within 30 days"; "no alert of the period was closed 30 days ago or more, or worked again since";
    "sla_breach_rate_tta", "SLA broken: acknowledge"; Share "ratio" Less;
        "alerts not acted on by a person within their severity's time after they were handed to one / those decided: acted on, or open past it"; NO_SCOPE;
    "sla_breach_rate_ttr", "SLA broken: resolve"; Share "ratio" Less;
        "alerts not closed within their severity's time after they were created / those decided: closed, or open past it"; NO_SCOPE;
    "backlog", "open cases"; Count "cases" Less;
        "cases whose first alert was created before the end of the period and that were not closed then"; NO_ALERT;
    "backlog_age", "age of open cases"; Spread "seconds" Less;
        "end of the period - time of the first alert; open cases"; "nothing was open at the end of the period";
    "approvals_requested", "questions asked"; Count "questions" Neither;
        "questions to people that were asked in the period"; NO_ALERT;
    "approvals_approved", "approved"; Count "questions" Neither;
        "of these, answered with yes"; NO_ALERT;
    "approvals_denied", "denied"; Count "questions" Neither;
        "of these, answered with no"; NO_ALERT;
    "approvals_expired", "expired"; Count "questions" Less;
        "of these, ran out without an answer, which means no"; NO_ALERT;
    "approvals_lapsed", "lapsed"; Count "questions" Neither;
        "of these, ended before they ran out: the case was worked again or taken over"; NO_ALERT;
    "approvals_pending", "pending"; Count "questions" Less;
        "of these, still open"; NO_ALERT;
    "approval_latency", "time to answer"; Spread "seconds" Less;
        "answered - asked; questions of the period with an answer"; "no question of the period was answered";
    "analyst_hours_saved", "analyst hours saved (estimate)"; Amount "hours" More;
        "(minutes by hand of alerts closed without a person, by the operator's terms - minutes for reviews done) / 60; an estimate"; "nothing was closed without a person, or the terms say no minutes";
    "cost_usd", "model cost"; Amount "usd" Less;
        "spent on cases whose first alert lies in the period; cases whose tokens have no price are left out"; NO_CASE;
    "cost_usd_per_alert", "model cost per alert"; Amount "usd" Less;
        "cost_usd / alerts of these cases"; NO_CASE;
    "cost_tokens_in", "tokens read by models"; Amount "tokens" Less;
        "as cost_usd"; NO_CASE;
    "cost_tokens_in_per_alert", "tokens read per alert"; Amount "tokens" Less;
        "cost_tokens_in / alerts of these cases"; NO_CASE;
    "cost_tokens_out", "tokens written by models"; Amount "tokens" Less;
        "as cost_usd"; NO_CASE;
    "cost_tokens_out_per_alert", "tokens written per alert"; Amount "tokens" Less;
        "cost_tokens_out / alerts of these cases"; NO_CASE;
    "cost_model_turns", "model turns"; Amount "turns" Less;
        "as cost_usd"; NO_CASE;
    "cost_model_turns_per_alert", "model turns per alert"; Amount "turns" Less;
        "cost_model_turns / alerts of these cases"; NO_CASE;
    "cost_tool_calls", "tool calls"; Amount "calls" Less;
        "as cost_usd"; NO_CASE;
    "cost_tool_calls_per_alert", "tool calls per alert"; Amount "calls" Less;
        "cost_tool_calls / alerts of these cases"; NO_CASE;
    "tool_error_rate", "tool errors"; Share "ratio" Less;
        "calls that failed, timed out, found no server or whose end is unknown / calls sent; cases whose first alert lies in the period"; "no tool was called for the cases of the period";
    "ingest_gap", "minutes without a poll"; Amount "minutes" Less;
        "minutes of the period in which a configured polled source, known since the daemon first started with it, had no successful poll for more than three of its rounds (at least two minutes)"; "no polled source was known before the end of the period; sources that push are not polled";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_defined_once_and_says_how() {
        for (i, d) in DEFINITIONS.iter().enumerate() {
            assert!(
                DEFINITIONS.iter().skip(i + 1).all(|o| o.metric != d.metric),
                "{}",
                d.metric
            );
            assert!(!d.formula.is_empty() && !d.empty.is_empty() && !d.title.is_empty());
            // A duration names both its clock points.
            assert!(
                d.kind != Kind::Spread || d.formula.contains(" - "),
                "{}",
                d.metric
            );
        }
    }
}
