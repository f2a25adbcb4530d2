//! Indicators: values of the events that are no part of the house and that not every machine has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use state::model::{Evidence, Field};

use crate::page::{Block, Said, Section};

use super::super::casefile::CaseFile;
use super::{NO_EVIDENCE, section};

pub(super) fn indicators(file: &CaseFile) -> Section {
    let rows = seen(file).into_iter().map(|(field, value)| {
        let holds = |e: &&Evidence| e.activities.iter().any(|a| a.get(field) == value);
        let refs = file
            .evidence
            .iter()
            .filter(holds)
            .map(|e| e.reference.clone());
        let refs: Vec<String> = refs.take(4).collect();
        vec![
            Said::word(field.as_str()),
            Said::theirs(value, 300).tone("code").on(&refs),
        ]
        .into()
    });
    let blocks = vec![
        Block::text(Said::ours(
            "Defanged, as seen; check each before anything is blocked.",
        )),
        Block::table(&["kind", "value"], rows.collect(), NO_EVIDENCE),
    ];
    section("indicators", "Indicators", blocks)
}

/// Values of the alerts' own events and of the timeline; what the house itself or every machine has is left out.
fn seen(file: &CaseFile) -> BTreeSet<(Field, &str)> {
    let real: Vec<_> = file
        .alerts
        .iter()
        .filter(|a| a.verdict.as_ref().is_none_or(|v| !v.kind.is_benign()))
        .collect();
    let told: BTreeSet<&str> = real
        .iter()
        .flat_map(|a| a.activity.iter().map(|l| l.event_uid.as_str()))
        .filter(|uid| !uid.is_empty())
        .collect();
    let own = real.iter().flat_map(|a| &a.alert.activities);
    let around = file
        .evidence
        .iter()
        .flat_map(|e| &e.activities)
        .filter(|a| told.contains(a.uid.as_str()));
    let mut seen = BTreeSet::new();
    for activity in own.chain(around) {
        for field in [
            Field::SrcIp,
            Field::DstIp,
            Field::Domain,
            Field::DstHost,
            Field::Url,
            Field::Sender,
            Field::Process,
            Field::File,
        ] {
            let value = activity.get(field);
            if is_indicator(field, value) && seen.len() < 60 {
                seen.insert((field, value));
            }
        }
    }
    seen
}

fn is_indicator(field: Field, value: &str) -> bool {
    let lower = value.to_lowercase();
    match field {
        Field::SrcIp | Field::DstIp => match value.parse() {
            Ok(IpAddr::V4(ip)) => !ip.is_private() && !ip.is_loopback() && !ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => !ip.is_loopback() && !ip.is_unique_local(),
            Err(_) => false,
        },
        Field::Process | Field::File => {
            let system = [
                ":\\windows\\",
                ":\\program files",
                "/usr/",
                "/bin/",
                "/sbin/",
                "/lib",
            ];
            value.contains(['\\', '/']) && !system.iter().any(|s| lower.contains(s))
        }
        _ => !value.is_empty(),
    }
}
