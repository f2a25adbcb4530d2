//! Claims, leases and fencing.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use state::model::{CaseEvent, CaseId, CaseStatus, NewAlert, VerdictKind};
use state::store::{Reclaim, Store, StoreError};

use crate::make::{LEASE, at, claimed, ending, kinds, new_alert, opened};

pub(crate) async fn concurrent_claimers_never_share_a_case(store: &Store) {
    // Stored in reverse: the queue goes by the time of the alert.
    let alerts: Vec<NewAlert> = (0..200).rev().map(|n| new_alert(n, "ann")).collect();
    store.store_alerts(&alerts, &[], None, at(0)).await.unwrap();
    for alert in store.alerts_without_case(1_000).await.unwrap() {
        store.open_case(&alert, "t", at(0), vec![]).await.unwrap();
    }
    assert_eq!(store.queue_depth().await.unwrap(), 200);
    let workers: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while let Some((claim, case)) =
                    store.claim(&format!("w{n}"), at(1), LEASE).await.unwrap()
                {
                    assert_eq!(
                        (case.status, case.attempts, claim.fence),
                        (CaseStatus::Triaging, 1, 1)
                    );
                    mine.push((claim.case, case.alert_time));
                }
                assert!(mine.is_sorted_by_key(|(_, time)| *time));
                mine
            })
        })
        .collect();
    let mut all: Vec<CaseId> = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap().into_iter().map(|(case, _)| case));
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 200);
    assert_eq!(store.queue_depth().await.unwrap(), 0);
}

pub(crate) async fn a_stale_claim_can_do_nothing(store: &Store) {
    let (stale, alert) = claimed(store, 1, "ann").await;
    store
        .reclaim(at(1) + LEASE, Reclaim::Expired)
        .await
        .unwrap();
    for retaken in [false, true] {
        if retaken {
            // By the same owner name: the fence alone tells them apart.
            let (fresh, case) = store.claim("w", at(70), LEASE).await.unwrap().unwrap();
            assert_eq!((fresh.case, fresh.fence, case.attempts), (stale.case, 2, 2));
        }
        let record = ending(
            &stale,
            &alert,
            VerdictKind::BenignPositive,
            CaseEvent::Closed,
        );
        let errors = [
            store.record(record).await.unwrap_err(),
            store.renew(&stale, at(500)).await.unwrap_err(),
            store.release(&stale, at(71), vec![]).await.unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(error, StoreError::LostLease { case } if case == stale.case),
                "{error}"
            );
        }
    }
    assert!(store.verdicts_of(stale.case).await.unwrap().is_empty());
    assert_eq!(
        store.spent_of(stale.case).await.unwrap(),
        Default::default()
    );
    assert_eq!(
        store.case(stale.case).await.unwrap().status,
        CaseStatus::Triaging
    );
    assert_eq!(
        kinds(store, stale.case).await,
        "opened claimed released claimed"
    );
}

pub(crate) async fn only_ended_leases_are_taken_back(store: &Store) {
    let mut claims = Vec::new();
    for n in 0..3 {
        claims.push(claimed(store, n, "ann").await.0);
    }
    opened(store, 3, "ann").await;
    store.renew(&claims[0], at(1_000)).await.unwrap();
    store.release(&claims[1], at(2), vec![]).await.unwrap();
    assert_eq!(store.queue_depth().await.unwrap(), 2);
    let early = at(1) + LEASE - TimeDelta::microseconds(1);
    assert_eq!(store.reclaim(early, Reclaim::Expired).await.unwrap(), []);
    let back = store
        .reclaim(at(1) + LEASE, Reclaim::Expired)
        .await
        .unwrap();
    assert_eq!(back, [claims[2].case]);
    assert_eq!(
        store.reclaim(at(2), Reclaim::All).await.unwrap(),
        [claims[0].case]
    );
    assert_eq!(store.queue_depth().await.unwrap(), 4);
    assert!(
        store.timeline(claims[0].case).await.unwrap()[2]
            .message
            .contains("stopped before it was done")
    );
}
