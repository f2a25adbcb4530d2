//! Verdicts of a shadow beside the live ones; nothing else in the store reads them.

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError};
use crate::model::{AlertId, CANARY_SOURCE, CaseId, ShadowPair, ShadowVerdict, Time};

impl Store {
    /// Decided cases with a verdict of the daemon's own since then beside which this setting has none, oldest first.
    pub async fn without_shadow(
        &self,
        setting: &str,
        since: Time,
        limit: i64,
    ) -> Result<Vec<CaseId>> {
        let found: Vec<i64> = sqlx::query_scalar(
            "SELECT DISTINCT v.case_id FROM verdicts v JOIN cases c ON c.id = v.case_id JOIN alerts a ON a.id = v.alert_id
             WHERE v.at >= ?2 AND v.superseded = 0 AND v.provenance ->> '$.analyst' <> 'human' AND a.source <> ?4
                 AND c.status NOT IN ('new', 'triaging')
                 AND NOT EXISTS (SELECT 1 FROM shadow_verdicts s WHERE s.verdict_id = v.id AND s.setting = ?1)
             ORDER BY v.case_id LIMIT ?3",
        )
        .bind(setting)
        .bind(micros(since))
        .bind(limit)
        .bind(CANARY_SOURCE)
        .fetch_all(&self.readers)
        .await?;
        Ok(found.into_iter().map(CaseId).collect())
    }

    /// Keeps what a shadow says of alerts, each beside the daemon's last own verdict on it; said twice it is kept once.
    pub async fn add_shadow(&self, said: &[ShadowVerdict]) -> Result<()> {
        let mut tx = self.begin().await?;
        for shadow in said {
            sqlx::query(
                "INSERT INTO shadow_verdicts (alert_id, verdict_id, setting, kind, probability, close_allowed, model_turns, at,
                     unrecorded)
                 SELECT alert_id, id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM verdicts
                 WHERE alert_id = ?1 AND provenance ->> '$.analyst' <> 'human' ORDER BY id DESC LIMIT 1
                 ON CONFLICT (verdict_id, setting) DO NOTHING",
            )
            .bind(shadow.alert.0)
            .bind(&shadow.setting)
            .bind(shadow.kind.as_str())
            .bind(shadow.probability)
            .bind(shadow.close_allowed)
            .bind(shadow.model_turns)
            .bind(micros(shadow.at))
            .bind(shadow.unrecorded)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What shadows said since then beside what the daemon and, if anybody, people said; oldest first.
    pub async fn shadow_pairs(&self, since: Time) -> Result<Vec<ShadowPair>> {
        let found = sqlx::query(
            "SELECT s.*, v.case_id, v.kind AS live_kind, v.close_allowed AS live_close, a.rule_id, f.kind AS human_kind
             FROM shadow_verdicts s JOIN verdicts v ON v.id = s.verdict_id JOIN alerts a ON a.id = s.alert_id
                 LEFT JOIN feedback f ON f.alert_id = s.alert_id AND f.superseded = 0
             WHERE s.at >= ?1 ORDER BY s.id",
        )
        .bind(micros(since))
        .fetch_all(&self.readers)
        .await?;
        rows::all("shadow_verdicts", &found)
    }
}

impl<'r> TryFrom<Fields<'r>> for ShadowPair {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            case: row.case("case_id")?,
            rule: row.get("rule_id")?,
            live: row.word("live_kind")?,
            live_close_allowed: row.flag("live_close")?,
            human: row.opt_word("human_kind")?,
            shadow: ShadowVerdict {
                alert: AlertId(row.get("alert_id")?),
                setting: row.get("setting")?,
                kind: row.word("kind")?,
                probability: row.get("probability")?,
                close_allowed: row.flag("close_allowed")?,
                model_turns: row.count("model_turns")?,
                unrecorded: row.count("unrecorded")?,
                at: row.time("at")?,
            },
        })
    }
}
