//! The labels of a lab's first alerts as a person's words, each once its case is done: the learning curve a SOC would see.

use std::str::FromStr;
use std::sync::Arc;

use chrono::DateTime;
use state::model::{Alert, CaseId, CaseStatus, Time, VerdictKind};

use crate::config::ApprovalsConfig;
use crate::ctx::Ctx;
use crate::feedback::{self, Said, Then};
use crate::playbook::rfc3339;
use crate::report::{AlertResult, CaseFile};
use crate::rights::{NoGroups, Rights, Who};

use super::labels::Labels;

/// Up to which alert labels are given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FeedbackUntil {
    /// This share of the alerts, the earliest; 0 to 1.
    Share(f64),
    /// Alerts before this.
    Time(Time),
}

impl std::fmt::Display for FeedbackUntil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => f.pad(&format!("{}%", (share * 1_000.0).round() / 10.0)),
            Self::Time(time) => f.pad(&rfc3339(*time)),
        }
    }
}

impl FromStr for FeedbackUntil {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text
            .strip_suffix('%')
            .and_then(|p| p.trim().parse::<f64>().ok());
        match percent {
            Some(p) if (0.0..=100.0).contains(&p) => return Ok(Self::Share(p / 100.0)),
            Some(_) => return Err("a share lies between 0% and 100%".to_owned()),
            None => {}
        }
        let time = DateTime::parse_from_rfc3339(text);
        time.map(|t| Self::Time(t.to_utc())).map_err(|_| {
            "write a share of the alerts (50%) or a time (2026-11-21T08:00:00Z)".to_owned()
        })
    }
}

/// Name of the person whose words labels are.
const WHO: &str = "eval";

/// Gives labels as words while a lab is worked.
pub(super) struct Teacher<'l> {
    labels: &'l Labels,
    until: Time,
    /// Results of the alerts that have taught, as they were before.
    pub(super) results: Vec<AlertResult>,
}

impl<'l> Teacher<'l> {
    /// Reads the alerts' times, which no label is part of.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn new(
        ctx: &Ctx,
        until: FeedbackUntil,
        labels: &'l Labels,
    ) -> anyhow::Result<Self> {
        let until = match until {
            FeedbackUntil::Time(time) => time,
            FeedbackUntil::Share(share) => {
                let mut times: Vec<Time> = Vec::new();
                for alert in ctx.store.alerts_without_case(i64::MAX).await? {
                    times.push(alert.time);
                }
                times.sort_unstable();
                #[allow(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of a count"
                )]
                let at = (times.len() as f64 * share).floor() as usize;
                let last = times.last().map(|t| *t + chrono::TimeDelta::seconds(1));
                times.get(at).copied().or(last).unwrap_or(Time::MIN_UTC)
            }
        };
        Ok(Self {
            labels,
            until,
            results: Vec::new(),
        })
    }

    /// Gives the label of an alert whose case is done; a case all of whose alerts are harmless is then closed, as a
    /// person would.
    ///
    /// # Errors
    /// When the word can't be taken.
    pub(super) async fn teach(
        &mut self,
        ctx: &Arc<Ctx>,
        case: CaseId,
        alert: &Alert,
    ) -> anyhow::Result<()> {
        if alert.time >= self.until {
            return Ok(());
        }
        let file = CaseFile::read(&ctx.store, &ctx.library, case).await?;
        let results = AlertResult::all(&file).into_iter();
        let own = |r: &AlertResult| r.subject.source_alert_id == alert.source_alert_id;
        self.results.extend(results.filter(own));
        let Some(label) = self.labels.get(&alert.source_alert_id) else {
            return Ok(());
        };
        let waits = matches!(
            file.case.status,
            CaseStatus::Escalated | CaseStatus::AwaitingApproval
        );
        let told = ctx.store.feedback_since(Time::MIN_UTC, Some(case)).await?;
        let harmless = |kind: VerdictKind| kind.is_benign() || kind == VerdictKind::Duplicate;
        let others = file.alerts.iter().filter(|a| a.alert.id != alert.id);
        let all_harmless = harmless(label.verdict)
            && others.into_iter().all(|a| {
                told.iter()
                    .any(|w| w.alert == a.alert.id && harmless(w.kind))
            });
        let said = Said {
            case,
            alerts: vec![alert.id],
            kind: label.verdict,
            who: Who::at_shell(WHO, WHO),
            note: label.note.clone(),
            then: match waits && all_harmless {
                true => Then::Close,
                false => Then::Keep,
            },
            at: ctx.now(),
        };
        feedback::give(
            &ctx.store,
            Rights::new(&ApprovalsConfig::default(), &NoGroups::default()),
            said,
        )
        .await?;
        Ok(())
    }
}
