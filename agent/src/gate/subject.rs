//! What the gate knows of the case that a call or a close is for: trusted facts alone, so that no outsider's text decides.

use serde_json::Value;
use state::model::{Alert, CaseId, Entity, EntityKind, Evidence, Severity, Trust};
use state::store::Store;

use crate::playbook::rows_of;
use crate::policy::{Asset, CaseFacts};

use super::Known;

/// A case as the gate sees it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The case.
    pub case: CaseId,
    /// Its trusted and endorsed entities.
    pub entities: Vec<Entity>,
    /// Values that stand in its trusted fields.
    pub known: Known,
    /// What a policy is told of it.
    pub facts: CaseFacts,
}

impl Subject {
    /// Takes the trusted facts out of a case.
    #[must_use]
    pub fn of(case: CaseId, alerts: &[Alert], entities: &[Entity], evidence: &[Evidence]) -> Self {
        let usable = |e: &&Entity| e.trust.is_usable_for_closing();
        let mut trusted: Vec<Entity> = alerts.iter().flat_map(|a| a.entities.clone()).collect();
        trusted.extend(entities.iter().cloned());
        trusted.retain(|e| usable(&e));
        let mut seen = std::collections::HashSet::new();
        trusted.retain(|e| seen.insert(e.clone()));
        let mut sources: Vec<String> = alerts.iter().map(|a| a.source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut rules = Vec::new();
        for alert in alerts {
            if !rules.contains(&alert.rule) {
                rules.push(alert.rule.clone());
            }
        }
        let worst = alerts.iter().map(|a| a.severity).max_by_key(|s| s.id());
        let known = Known::of(alerts, &trusted);
        let own = |asset: &Asset| known.holds(&asset.value);
        let assets = evidence.iter().flat_map(assets).filter(own).collect();
        Self {
            case,
            facts: CaseFacts {
                id: case,
                sources,
                rules,
                severity: worst.unwrap_or(Severity::Unknown),
                assets,
                entities: trusted.clone(),
            },
            entities: trusted,
            known,
        }
    }

    /// The same, read from the store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(store: &Store, case: CaseId) -> state::store::Result<Self> {
        let alerts = store.alerts_of(case).await?;
        let entities = store.entities_of(case).await?;
        let evidence = store.evidence_of(case).await?;
        Ok(Self::of(case, &alerts, &entities, &evidence))
    }
}

/// What the operator's inventory says of how critical something is.
fn assets(evidence: &Evidence) -> Vec<Asset> {
    if evidence.trust != Trust::Trusted {
        return Vec::new();
    }
    let text = |row: &Value, keys: &[&str]| {
        let found = keys.iter().find_map(|k| row.get(*k)?.as_str());
        found.map(str::to_owned)
    };
    rows_of(&evidence.value)
        .into_iter()
        .filter_map(|row| {
            let cloud = evidence.tool.starts_with("cloud.");
            let account = text(&row, &["kind"]).is_some_and(|k| k == "account");
            Some(Asset {
                kind: match (account, cloud) {
                    (true, _) => EntityKind::Account,
                    (_, true) => EntityKind::Resource,
                    _ => EntityKind::Host,
                },
                value: text(&row, &["id", "name", "hostname"])?,
                criticality: text(&row, &["criticality"])?.to_lowercase(),
            })
        })
        .collect()
}
