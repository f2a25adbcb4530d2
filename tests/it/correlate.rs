//! Which alerts become one case: what joins, what weighs little, and that the order of arrival does not matter.

use std::collections::{BTreeMap, BTreeSet};

use agent::correlate::{Alike, Newcomer, mentions, sort};
use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::Value;
use state::model::{
    Activity, Alert, AlertId, Case, CaseId, CaseStatus, Fact, Field, NewAlert, Rule, Severity,
    Time, Trust, VerdictKind,
};
use state::store::{Candidate, RuleBy, Spread};

const WINDOW: TimeDelta = TimeDelta::hours(24);

fn at(minutes: i64) -> Time {
    DateTime::from_timestamp(1_772_438_400, 0).unwrap() + TimeDelta::minutes(minutes)
}

/// An alert of a rule at a minute with these fields; a field that begins with `?` is not trusted.
fn alert(id: i64, rule: &str, minute: i64, fields: &[(Field, &str)]) -> Alert {
    let fact = |value: &str| Fact {
        value: value.trim_start_matches('?').to_owned(),
        trust: match value.starts_with('?') {
            true => Trust::Untrusted,
            false => Trust::Trusted,
        },
    };
    let fields: BTreeMap<Field, Fact> = fields.iter().map(|(f, v)| (*f, fact(v))).collect();
    Alert {
        id: AlertId(id),
        received: at(minute),
        data: NewAlert {
            source: "siem".to_owned(),
            source_alert_id: format!("a-{id}"),
            mapping: "plain".to_owned(),
            product: "plain".to_owned(),
            rule: Rule {
                id: rule.to_owned(),
                name: rule.to_owned(),
                groups: Vec::new(),
            },
            severity: Severity::High,
            time: at(minute),
            attacks: Vec::new(),
            activities: vec![Activity {
                uid: String::new(),
                time: Some(at(minute)),
                schema: "plain".to_owned(),
                fields,
                trusted: Vec::new(),
                raw: Value::Null,
            }],
            entities: Vec::new(),
            observables: Vec::new(),
            raw: String::new(),
        },
    }
}

fn newcomers(alerts: &[Alert]) -> Vec<Newcomer> {
    let named = |alert: &Alert| Newcomer {
        named: mentions(alert),
        alert: alert.clone(),
    };
    alerts.iter().map(named).collect()
}

/// What the store would count.
fn spread(newcomers: &[Newcomer]) -> Vec<Spread> {
    let mut found: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for n in newcomers {
        for mention in &n.named.all {
            let (actors, places) = found.entry(&mention.key).or_default();
            actors.insert(&n.named.actor);
            places.extend(Some(n.named.place.as_str()).filter(|p| !p.is_empty()));
        }
    }
    let count = |n: usize| u32::try_from(n).unwrap();
    found
        .into_iter()
        .map(|(key, (actors, places))| Spread {
            key: key.to_owned(),
            actors: count(actors.len()),
            places: count(places.len()),
        })
        .collect()
}

/// The cases, each as the sorted ids of its alerts.
fn cases(alerts: &[Alert]) -> BTreeSet<Vec<i64>> {
    let newcomers = newcomers(alerts);
    let mut groups: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for placed in sort(&newcomers, Vec::new(), &spread(&newcomers), WINDOW) {
        let id = alerts[placed.newcomer].id.0;
        groups.entry(placed.group).or_default().push(id);
    }
    groups
        .into_values()
        .map(|mut ids| {
            ids.sort_unstable();
            ids
        })
        .collect()
}

use Field::{DstIp, Host, SrcIp, TargetUser, User};

/// Two alerts: the rules, the minutes between them, what each names, and whether they are one case.
type Pair = (
    &'static str,
    [&'static str; 2],
    i64,
    [&'static [(Field, &'static str)]; 2],
    bool,
);

const PAIRS: [Pair; 12] = [
    (
        "one user, one rule, hours apart",
        ["r", "r"],
        600,
        [&[(User, "ann")], &[(User, "ANN")]],
        true,
    ),
    (
        "one user, other rules, soon after",
        ["r", "s"],
        60,
        [&[(User, "ann")], &[(User, "ann")]],
        true,
    ),
    (
        "one user, other rules, hours apart",
        ["r", "s"],
        600,
        [&[(User, "ann")], &[(User, "ann")]],
        false,
    ),
    (
        "one user, days apart",
        ["r", "r"],
        3000,
        [&[(User, "ann")], &[(User, "ann")]],
        false,
    ),
    (
        "two users of one machine",
        ["r", "r"],
        5,
        [
            &[(User, "ann"), (Host, "pc")],
            &[(User, "bob"), (Host, "pc")],
        ],
        false,
    ),
    (
        "two users of one machine and address",
        ["r", "r"],
        5,
        [
            &[(User, "ann"), (Host, "pc"), (SrcIp, "192.0.2.1")],
            &[(User, "bob"), (Host, "pc"), (SrcIp, "192.0.2.1")],
        ],
        false,
    ),
    (
        "a machine and its user",
        ["r", "s"],
        5,
        [&[(Host, "pc")], &[(User, "ann"), (Host, "pc")]],
        false,
    ),
    (
        "one machine without users",
        ["r", "s"],
        5,
        [&[(Host, "pc")], &[(Host, "pc")]],
        true,
    ),
    (
        "a name that an outsider wrote",
        ["r", "r"],
        5,
        [&[(User, "?ann")], &[(User, "?ann")]],
        false,
    ),
    (
        "the account of every machine",
        ["r", "r"],
        5,
        [
            &[(User, "SYSTEM"), (Host, "a")],
            &[(User, "SYSTEM"), (Host, "b")],
        ],
        false,
    ),
    (
        "one address to many machines",
        ["r", "r"],
        5,
        [
            &[(SrcIp, "192.0.2.9"), (DstIp, "192.0.2.1")],
            &[(SrcIp, "192.0.2.9"), (DstIp, "192.0.2.2")],
        ],
        true,
    ),
    (
        "who was changed acts",
        ["r", "s"],
        5,
        [&[(User, "ann"), (TargetUser, "bob")], &[(User, "bob")]],
        false,
    ),
];

#[test]
fn sharing_alone_does_not_join() {
    for (what, [rule, other], minutes, [left, right], joined) in PAIRS {
        let alerts = [alert(1, rule, 0, left), alert(2, other, minutes, right)];
        let found = cases(&alerts);
        assert_eq!(found.len() == 1, joined, "{what}: {found:?}");
    }
}

#[test]
fn hubs_join_nothing_and_a_storm_is_one() {
    let nat: Vec<Alert> = (0..40)
        .map(|i| {
            alert(
                i,
                "login",
                i,
                &[(User, &format!("user{i}")), (SrcIp, "192.0.2.7")],
            )
        })
        .collect();
    assert_eq!(cases(&nat).len(), 40, "an address of many users");
    let controller: Vec<Alert> = (0..40)
        .map(|i| {
            alert(
                i,
                "logon",
                i,
                &[(User, &format!("user{i}")), (Host, "dc-1")],
            )
        })
        .collect();
    assert_eq!(cases(&controller).len(), 40, "a machine that all log on to");
    let service: Vec<Alert> = (0..40)
        .map(|i| {
            alert(
                i,
                "logon",
                i,
                &[(User, "svc-backup"), (Host, &format!("srv-{i}"))],
            )
        })
        .collect();
    assert!(
        cases(&service).len() > 20,
        "an account that runs everywhere"
    );
    let scanner = |i: i64| {
        alert(
            i,
            ["probe", "sweep"][usize::try_from(i % 2).unwrap()],
            i / 60,
            &[(SrcIp, "10.9.9.9"), (Host, &format!("srv-{}", i % 200))],
        )
    };
    let mut storm: Vec<Alert> = (0..2293).map(scanner).collect();
    assert_eq!(cases(&storm).len(), 1, "one scanner over many machines");
    // Whoever was scanned and has a story of his own stays out of it.
    storm.push(alert(
        9000,
        "malware",
        10,
        &[(User, "ann"), (Host, "srv-7")],
    ));
    let found = cases(&storm);
    assert!(found.contains(&vec![9000]), "{} cases", found.len());
}

fn candidate(worst: Option<VerdictKind>, apart: Vec<RuleBy>) -> Candidate {
    let first = alert(1, "r", 0, &[(User, "ann")]);
    Candidate {
        case: Case {
            id: CaseId(7),
            title: String::new(),
            status: CaseStatus::Escalated,
            outcome: None,
            opened: at(0),
            alert_time: at(0),
            updated: at(0),
            attempts: 1,
        },
        shared: mentions(&first).all,
        rules: vec!["r".to_owned()],
        worst,
        apart,
    }
}

#[test]
fn what_joins_a_case_is_said_and_what_was_split_stays_apart() {
    use VerdictKind::{Suspicious, TruePositive};
    let by = |rule: &str, actor: &str| RuleBy {
        source: "siem".to_owned(),
        rule_id: rule.to_owned(),
        actor: actor.to_owned(),
    };
    for (rule, worst, apart, alike) in [
        ("s", None, vec![], Some(Alike::CloseInTime)),
        ("s", Some(Suspicious), vec![], None),
        ("r", Some(Suspicious), vec![], Some(Alike::SameRule)),
        ("s", Some(TruePositive), vec![], Some(Alike::Incident)),
        ("r", None, vec![by("r", "user:ann")], None),
        ("s", Some(TruePositive), vec![by("s", "user:ann")], None),
        ("r", None, vec![by("r", "user:bob")], Some(Alike::SameRule)),
    ] {
        let new = newcomers(&[alert(2, rule, 30, &[(User, "ann")])]);
        let placed = sort(
            &new,
            vec![candidate(worst, apart.clone())],
            &spread(&new),
            WINDOW,
        );
        let [placed] = placed.as_slice() else {
            panic!("{placed:?}")
        };
        let link = placed.link.as_ref();
        assert_eq!(link.map(|l| l.alike), alike, "{rule} {worst:?} {apart:?}");
        assert_eq!(placed.case, alike.map(|_| CaseId(7)));
        if let Some(link) = link {
            assert_eq!(link.shared[0].entity, "user:ann");
            let said = link.to_string();
            assert!(
                said.contains("user:ann (0.80)") && said.contains(link.alike.words()),
                "{said}"
            );
        }
    }
}

fn any_alert() -> impl Strategy<Value = (usize, i64, [usize; 3])> {
    (0..3usize, 0..300i64, [0..6usize, 0..5usize, 0..5usize])
}

proptest! {
    /// Alerts that are taken in together give the same cases in whatever order they came.
    #[test]
    fn order_does_not_matter(given in prop::collection::vec(any_alert(), 1..40), seed in any::<u64>()) {
        let alerts: Vec<Alert> = given.iter().enumerate().map(|(i, (rule, minute, [user, host, address]))| {
            let (user, host, address) = (format!("user{user}"), format!("host{host}"), format!("192.0.2.{address}"));
            let mut fields = vec![(Host, host.as_str()), (SrcIp, address.as_str())];
            // Some name nobody.
            if user != "user0" {
                fields.push((User, &user));
            }
            alert(i64::try_from(i).unwrap(), ["r", "s", "t"][*rule], *minute, &fields)
        }).collect();
        let mut other = alerts.clone();
        let n = u64::try_from(other.len()).unwrap();
        for i in (1..other.len()).rev() {
            let j = (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::try_from(i).unwrap()) >> 16) % n;
            other.swap(i, usize::try_from(j).unwrap());
        }
        prop_assert_eq!(cases(&alerts), cases(&other));
        other.reverse();
        prop_assert_eq!(cases(&alerts), cases(&other));
    }
}
