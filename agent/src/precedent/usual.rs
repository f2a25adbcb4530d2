//! What kept events say is usual for an entity, and which of them may not: what may have been an attack makes nothing usual.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{TimeDelta, Timelike as _};
use serde::Serialize;
use state::model::{Activity, Field, Suspect, Time};

/// How long before and after the alerts of an open case nothing counts as usual for whom it is about.
pub const AROUND: TimeDelta = TimeDelta::days(1);

/// The entities whose cases bear on these events about a value, lower case.
#[must_use]
pub fn concerned(events: &[Activity], value: &str) -> Vec<String> {
    let mut keys: BTreeSet<String> = events.iter().flat_map(principals).collect();
    keys.insert(value.to_lowercase());
    keys.into_iter().collect()
}

/// The events that may make something usual, and how many may not.
///
/// An event may not when whoever did it, or the value itself, was in a suspect stretch then: for a case that is only open,
/// a day around its alerts; for one judged malicious or suspicious, from a day before until it was closed. An address is
/// shared by many: an open case alone says nothing against it. An event without a time is not left in.
#[must_use]
pub fn unsuspected(
    events: &[Activity],
    value: &str,
    suspects: &[Suspect],
) -> (Vec<Activity>, usize) {
    let (value, shared) = (value.to_lowercase(), value.parse::<IpAddr>().is_ok());
    let may = |event: &&Activity| {
        let Some(at) = event.time else { return false };
        let own: Vec<String> = principals(event).collect();
        suspects.iter().all(|s| {
            let ours = own.contains(&s.key) || (s.key == value && (s.malicious || !shared));
            !(ours && covers(s, at))
        })
    };
    let kept: Vec<Activity> = events.iter().filter(may).cloned().collect();
    let left_out = events.len() - kept.len();
    (kept, left_out)
}

fn covers(suspect: &Suspect, at: Time) -> bool {
    let after = suspect.last + AROUND;
    let until = match (suspect.malicious, suspect.closed) {
        (true, None) => Time::MAX_UTC,
        (true, Some(closed)) => closed.max(after),
        (false, _) => after,
    };
    suspect.first - AROUND <= at && at <= until
}

/// Who did it, by every name the event gives.
fn principals(event: &Activity) -> impl Iterator<Item = String> + use<'_> {
    [Field::User, Field::UserId]
        .into_iter()
        .map(|f| event.get(f).trim().to_lowercase())
        .filter(|name| !name.is_empty())
}

/// Something an entity has done before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Habit {
    /// `address`, `country`, `device`, `agent`, `hour` (UTC), `action`, `user`.
    pub aspect: &'static str,
    /// As the events write it; an agent is whatever a client says it is.
    pub value: String,
    /// How many events, failed ones left out.
    pub events: usize,
    /// On how many days.
    pub days: usize,
    /// The first of them.
    pub first: Time,
    /// The last of them.
    pub last: Time,
}

const ASPECTS: [(&str, Field); 6] = [
    ("address", Field::SrcIp),
    ("country", Field::SrcCountry),
    ("device", Field::Device),
    ("agent", Field::UserAgent),
    ("action", Field::Action),
    ("user", Field::User),
];

/// What the events show, aspect by aspect, the most frequent first; failures show nothing.
#[must_use]
pub fn habits(events: &[Activity]) -> Vec<Habit> {
    let mut seen: BTreeMap<(&'static str, String), Vec<Time>> = BTreeMap::new();
    for event in events {
        let Some(at) = event
            .time
            .filter(|_| event.get(Field::Outcome) != "failure")
        else {
            continue;
        };
        let fields = ASPECTS
            .iter()
            .map(|(name, f)| (*name, event.get(*f).trim()));
        for (aspect, value) in fields.filter(|(_, value)| !value.is_empty()) {
            seen.entry((aspect, value.to_owned())).or_default().push(at);
        }
        let hour = format!("{:02}", at.hour());
        seen.entry(("hour", hour)).or_default().push(at);
    }
    let habit = |((aspect, value), times): ((&'static str, String), Vec<Time>)| {
        let days: BTreeSet<_> = times.iter().map(Time::date_naive).collect();
        Some(Habit {
            aspect,
            value,
            events: times.len(),
            days: days.len(),
            first: *times.iter().min()?,
            last: *times.iter().max()?,
        })
    };
    let mut habits: Vec<Habit> = seen.into_iter().filter_map(habit).collect();
    habits.sort_by(|a, b| (a.aspect, b.events).cmp(&(b.aspect, a.events)));
    habits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;
    use state::model::{Fact, Trust, VerdictKind};

    const BAD: VerdictKind = VerdictKind::TruePositive;
    const OPEN: VerdictKind = VerdictKind::Undetermined;

    fn at(text: &str) -> Time {
        format!("2026-03-{text}:00Z").parse().unwrap()
    }

    fn event(time: &str, user: &str, outcome: &str) -> Activity {
        let fact = |value: &str| Fact {
            value: value.to_owned(),
            trust: Trust::Trusted,
        };
        Activity {
            uid: String::new(),
            time: Some(at(time)),
            schema: "okta".to_owned(),
            fields: BTreeMap::from([
                (Field::User, fact(user)),
                (Field::SrcIp, fact("192.0.2.1")),
                (Field::Outcome, fact(outcome)),
            ]),
            trusted: vec![],
            raw: Value::Null,
        }
    }

    fn suspect(key: &str, called: VerdictKind, closed: Option<&str>) -> Suspect {
        Suspect {
            key: key.to_owned(),
            first: at("10T12:00"),
            last: at("10T13:00"),
            closed: closed.map(at),
            malicious: called == BAD,
        }
    }

    #[test]
    fn what_may_have_been_an_attack_makes_nothing_usual() {
        let times = [
            "09T11:00", "09T13:00", "11T12:00", "11T14:00", "15T00:00", "21T00:00",
        ];
        let events = times.map(|t| event(t, "Ana", "success"));
        let days = |value: &str, suspects: &[Suspect]| -> Vec<String> {
            let (kept, left_out) = unsuspected(&events, value, suspects);
            assert_eq!(kept.len() + left_out, events.len());
            let day = |e: &Activity| e.time.unwrap().format("%dT%H").to_string();
            kept.iter().map(day).collect()
        };
        let all: Vec<&str> = times.iter().map(|t| &t[..5]).collect();
        assert_eq!(days("ana", &[]), all);
        assert_eq!(days("ana", &[suspect("bo", BAD, None)]), all);
        let open = ["09T11", "11T14", "15T00", "21T00"];
        assert_eq!(days("ana", &[suspect("ana", OPEN, None)]), open);
        // The address's events by somebody in an open case; the address itself is shared.
        assert_eq!(days("192.0.2.1", &[suspect("ana", OPEN, None)]), open);
        assert_eq!(days("192.0.2.1", &[suspect("192.0.2.1", OPEN, None)]), all);
        assert_eq!(
            days("192.0.2.1", &[suspect("192.0.2.1", BAD, None)]),
            ["09T11"]
        );
        assert_eq!(days("ana", &[suspect("ana", BAD, None)]), ["09T11"]);
        let closed = suspect("ana", BAD, Some("20T00:00"));
        assert_eq!(days("ana", &[closed]), ["09T11", "21T00"]);
        let timeless = Activity {
            time: None,
            ..events[0].clone()
        };
        assert_eq!(unsuspected(&[timeless], "ana", &[]).1, 1);
    }

    #[test]
    fn habits_are_counted_by_aspect_without_failures() {
        let events = [
            event("01T08:00", "ana", "success"),
            event("01T08:30", "ana", "success"),
            event("02T09:00", "ana", "success"),
            event("02T09:10", "ana", "failure"),
        ];
        let told: Vec<String> = habits(&events)
            .iter()
            .map(|h| format!("{} {} {}/{}", h.aspect, h.value, h.events, h.days))
            .collect();
        assert_eq!(
            told,
            [
                "address 192.0.2.1 3/2",
                "hour 08 2/1",
                "hour 09 1/1",
                "user ana 3/2"
            ]
        );
    }
}
