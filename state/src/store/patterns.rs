//! How the alerts of a rule were judged, counted over a span of time, and findings; what counts as unusual is the daemon's.
//!
//! Canaries and verdicts that people gave are left out: the pattern is the daemon's own.

use chrono::TimeDelta;
use serde_json::json;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, audit};
use crate::model::{
    CANARY_SOURCE, Deviation, Finding, FindingState, Measure, Pattern, RuleAt, Sample, Time,
    VerdictKind,
};

/// How far before a span its alerts may have come; it bounds what of a long history is read.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(7);

impl Store {
    /// Rules of which the daemon has judged an alert since then.
    pub async fn rules_judged_since(&self, since: Time) -> Result<Vec<RuleAt>> {
        let found = sqlx::query(
            "SELECT DISTINCT a.source, a.rule_id AS rule FROM verdicts v JOIN alerts a ON a.id = v.alert_id
             WHERE v.at >= ?1 AND a.source <> ?2 ORDER BY a.source, a.rule_id",
        )
        .bind(micros(since))
        .bind(CANARY_SOURCE)
        .fetch_all(&self.readers)
        .await?;
        rows::all("alerts", &found)
    }

    /// The pattern of a rule over the alerts whose last verdict by the daemon lies in `since..until`; an alert that
    /// waited for it longer than a week is left out.
    pub async fn pattern(&self, of: &RuleAt, since: Time, until: Time) -> Result<Pattern> {
        let found = sqlx::query(
            "SELECT v.id, v.kind, v.close_allowed, v.vetoes,
                 (SELECT json_group_array(t.tool) FROM tool_calls t WHERE t.case_id = a.case_id) AS tools,
                 (SELECT json_group_array(json_array(p.body ->> '$.verdict', m.body ->> '$.verdict'))
                  FROM assessments p JOIN assessments m ON m.case_id = p.case_id AND m.alert_id = p.alert_id
                      AND m.tier = p.tier AND m.analyst = 'model'
                  WHERE p.case_id = a.case_id AND p.alert_id = a.id AND p.analyst = 'playbook') AS pairs
             FROM alerts a JOIN verdicts v ON v.id = (
                 SELECT max(w.id) FROM verdicts w WHERE w.alert_id = a.id AND w.provenance ->> '$.analyst' <> 'human')
             WHERE a.source = ?1 AND a.rule_id = ?2 AND a.received >= ?6 AND a.source <> ?5 AND v.at >= ?3 AND v.at < ?4",
        )
        .bind(&of.source)
        .bind(&of.rule)
        .bind(micros(since))
        .bind(micros(until))
        .bind(CANARY_SOURCE)
        .bind(micros(since - LONGEST_WAIT))
        .fetch_all(&self.readers)
        .await?;
        let mut pattern = Pattern::default();
        for row in &found {
            count(&mut pattern, &Fields::new("verdicts", row))?;
        }
        Ok(pattern)
    }

    /// Stores a finding with its audit entry; none when the same one is open already.
    pub async fn add_finding(&self, found: &Deviation, at: Time) -> Result<Option<i64>> {
        let mut tx = self.begin().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO off_pattern (at, source, rule, measure, baseline_n, baseline, recent_n, recent, recent_since,
                 holds_closing, what, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(micros(at))
        .bind(&found.of.source)
        .bind(&found.of.rule)
        .bind(found.measure.as_str())
        .bind(rows::whole(found.baseline.n))
        .bind(found.baseline.value)
        .bind(rows::whole(found.recent.n))
        .bind(found.recent.value)
        .bind(micros(found.recent_since))
        .bind(found.holds_closing)
        .bind(&found.what)
        .bind(FindingState::Open.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(id) = id {
            let entry = json!({"kind": "off_pattern", "finding": id, "source": found.of.source, "rule": found.of.rule,
                "measure": found.measure, "holds_closing": found.holds_closing, "what": found.what, "state": FindingState::Open});
            audit::append(&mut tx, at, &entry).await?;
            tx.commit().await?;
        }
        Ok(id)
    }

    /// Findings in a state, or all, the newest first.
    pub async fn findings(&self, state: Option<FindingState>) -> Result<Vec<Finding>> {
        let found = sqlx::query(
            "SELECT * FROM off_pattern WHERE ?1 IS NULL OR state = ?1 ORDER BY id DESC",
        )
        .bind(state.map(FindingState::as_str))
        .fetch_all(&self.readers)
        .await?;
        rows::all("off_pattern", &found)
    }

    /// The open finding that keeps closes of a rule with a person, if there is one.
    pub async fn holds_closing(&self, of: &RuleAt) -> Result<Option<Finding>> {
        let found = sqlx::query(
            "SELECT * FROM off_pattern WHERE source = ?1 AND rule = ?2 AND state = 'open' AND holds_closing = 1
             ORDER BY id LIMIT 1",
        )
        .bind(&of.source)
        .bind(&of.rule)
        .fetch_optional(&self.readers)
        .await?;
        rows::one("off_pattern", found.as_ref())
    }

    /// The finding last accepted for each measure of a rule.
    pub async fn accepted_of(&self, of: &RuleAt) -> Result<Vec<Finding>> {
        let found = sqlx::query(
            "SELECT * FROM off_pattern WHERE id IN (SELECT max(id) FROM off_pattern
                 WHERE source = ?1 AND rule = ?2 AND state = 'accepted' GROUP BY measure)
             ORDER BY id",
        )
        .bind(&of.source)
        .bind(&of.rule)
        .fetch_all(&self.readers)
        .await?;
        rows::all("off_pattern", &found)
    }

    /// Notes that a person takes what was found for the new pattern.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`] when it is accepted already or nobody is named.
    pub async fn accept_finding(&self, id: i64, by: &str, at: Time) -> Result<Finding> {
        if by.trim().is_empty() {
            return Err(StoreError::refused("accepting a finding without a name"));
        }
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT * FROM off_pattern WHERE id = ?1")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        let finding: Finding = rows::one("off_pattern", row.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("finding {id}")))?;
        if finding.state != FindingState::Open {
            return Err(StoreError::refused(format!(
                "accepting finding {id}, which is {}",
                finding.state
            )));
        }
        let row = sqlx::query(
            "UPDATE off_pattern SET state = 'accepted', accepted_by = ?2, accepted_at = ?3 WHERE id = ?1 RETURNING *",
        )
        .bind(id)
        .bind(by)
        .bind(micros(at))
        .fetch_one(&mut *tx)
        .await?;
        let entry = json!({"kind": "off_pattern", "finding": id, "state": FindingState::Accepted, "by": by});
        audit::append(&mut tx, at, &entry).await?;
        tx.commit().await?;
        Finding::try_from(Fields::new("off_pattern", &row))
    }
}

fn count(pattern: &mut Pattern, row: &Fields<'_>) -> Result<()> {
    let kind: VerdictKind = row.word("kind")?;
    let vetoes: Vec<String> = row.json("vetoes")?;
    let tools: Vec<String> = row.json("tools")?;
    let pairs: Vec<(VerdictKind, VerdictKind)> = row.json("pairs")?;
    pattern.judged += 1;
    *pattern.verdicts.entry(kind).or_default() += 1;
    let closable = kind.is_benign() && row.flag("close_allowed")? && vetoes.is_empty();
    pattern.closable += u64::from(closable);
    pattern.compared += u64::from(!pairs.is_empty());
    let disagreed = pairs.iter().any(|(p, m)| p.is_benign() != m.is_benign());
    pattern.disagreed += u64::from(disagreed);
    let calls = u64::try_from(tools.len()).unwrap_or(u64::MAX);
    *pattern.calls.entry(calls).or_default() += 1;
    pattern.tools.extend(tools);
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for RuleAt {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            source: row.get("source")?,
            rule: row.get("rule")?,
        })
    }
}

impl<'r> TryFrom<Fields<'r>> for Finding {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let measure: Measure = row.word("measure")?;
        let sample = |n: &str, value: &str| -> Result<Sample> {
            Ok(Sample {
                n: row.count(n)?,
                value: row.get(value)?,
            })
        };
        let accepted: Option<i64> = row.get("accepted_at")?;
        Ok(Self {
            id: row.get("id")?,
            at: row.time("at")?,
            state: row.word("state")?,
            accepted_by: row.get("accepted_by")?,
            accepted_at: accepted.map(|_| row.time("accepted_at")).transpose()?,
            deviation: Deviation {
                measure,
                baseline: sample("baseline_n", "baseline")?,
                recent: sample("recent_n", "recent")?,
                recent_since: row.time("recent_since")?,
                holds_closing: row.flag("holds_closing")?,
                what: row.get("what")?,
                of: RuleAt::try_from(row)?,
            },
        })
    }
}
