//! The activity under investigation in time order, from evidence alone; what the daemon did is the case's own timeline.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use state::model::{Activity, Alert, Evidence, Field, Time};

use crate::playbook::{Attack, Playbook, activity_view};

use crate::text::oneline;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Who did what, from where, to what.
    pub text: String,
    /// Who acted: the user, else the machine, else the address.
    pub actor: String,
    /// What was done, in the product's word.
    pub action: String,
    /// What it was done to; empty when the event names nothing.
    pub object: String,
    /// Evidence it stands in.
    pub evidence_ref: String,
    /// Id of the raw event; empty when it has none.
    pub event_uid: String,
    /// Users, hosts, addresses and resources in it.
    pub entities: Vec<String>,
    /// ATT&CK technique whose pattern it shows.
    pub technique: Option<String>,
    /// The same entities with their field.
    #[serde(skip)]
    pub named: Vec<(Field, String)>,
}

/// Most lines of one alert's reconstruction.
const MOST: usize = 120;
/// Most events before an alert that are looked at for the first of a compromise.
const MOST_BEFORE: usize = 400;

/// Fields whose sharing makes an event part of the alert's story.
const SHARED: [Field; 5] = [
    Field::User,
    Field::UserId,
    Field::Session,
    Field::Host,
    Field::ProcessId,
];

/// An address that more principals than this have used is a place many share, and says nothing by itself.
const HUB: usize = 3;

/// The alert's own events and those of its timeline steps that share a principal, place or session with it.
pub fn reconstruct<'e>(
    attack: &Attack,
    alert: &Alert,
    evidence: impl Iterator<Item = &'e Evidence>,
    playbook: &Playbook,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut seen = BTreeSet::new();
    for event in events(alert, evidence, playbook) {
        let line = line(attack, alert, &event);
        let key = match event.activity.uid.as_str() {
            "" => format!("{} {}", event.at, line.text),
            uid => uid.to_owned(),
        };
        if seen.insert(key) {
            lines.push(line);
        }
    }
    lines.sort_by(|a, b| (a.at, &a.event_uid).cmp(&(b.at, &b.event_uid)));
    thin(lines, alert.time)
}

/// When the first event before the alert happened that shows one of these techniques and is of one session, process or
/// address with the alert's own events: what else a victim did is no evidence of compromise. It looks at a few hundred.
pub fn earliest<'e>(
    (attack, techniques): (&Attack, &[String]),
    alert: &Alert,
    evidence: impl Iterator<Item = &'e Evidence>,
    playbook: &Playbook,
) -> Option<Time> {
    let mut before = events(alert, evidence, playbook);
    before.retain(|e| e.of_one_origin && e.at < alert.time);
    before.sort_by_key(|e| e.at);
    let far = before.len().saturating_sub(MOST_BEFORE);
    let shows = |activity: &Activity| {
        let shown = attack.of_activity(&activity_view(activity, alert.time));
        shown.is_some_and(|t| techniques.contains(&t.id))
    };
    let mut near = before.into_iter().skip(far);
    near.find(|e| shows(e.activity)).map(|e| e.at)
}

/// An event that belongs to an alert.
struct Event<'e> {
    at: Time,
    activity: &'e Activity,
    reference: &'e str,
    /// Whether it is of one session, process or address with the alert.
    of_one_origin: bool,
}

/// The alert's own events and those of its timeline steps that belong to it.
fn events<'e>(
    alert: &Alert,
    evidence: impl Iterator<Item = &'e Evidence>,
    playbook: &Playbook,
) -> Vec<Event<'e>> {
    let own = format!("alert:{}", alert.id.0);
    let steps = playbook.steps.iter().filter(|s| s.timeline);
    let timeline: BTreeSet<&str> = steps.map(|s| s.id.as_str()).collect();
    let mut found = Vec::new();
    for evidence in evidence {
        let is_own = evidence.asked_by == own;
        if !is_own && !timeline.contains(evidence.asked_by.as_str()) {
            continue;
        }
        let hubs = hubs(&evidence.activities);
        for activity in &evidence.activities {
            let Some(at) = activity.time else { continue };
            if is_own || belongs(activity, alert, &hubs) {
                let mut owns = alert.activities.iter();
                found.push(Event {
                    at,
                    activity,
                    reference: &evidence.reference,
                    of_one_origin: is_own || owns.any(|own| origin(activity, own, &hubs)),
                });
            }
        }
    }
    found
}

/// Whether both are of one session, one process, or one address that few share.
fn origin(activity: &Activity, own: &Activity, hubs: &BTreeSet<&str>) -> bool {
    let shared = |field| same(activity.get(field), own.get(field));
    shared(Field::Session) || shared(Field::ProcessId) || came_from_it(activity, own, hubs)
}

/// Keeps the lines nearest to the alert when there are too many.
fn thin(mut lines: Vec<Line>, at: Time) -> Vec<Line> {
    if lines.len() > MOST {
        lines.sort_by_key(|l| (l.at - at).abs());
        lines.truncate(MOST);
        lines.sort_by(|a, b| (a.at, &a.event_uid).cmp(&(b.at, &b.event_uid)));
    }
    lines
}

/// Addresses that many principals share: an office, a proxy.
fn hubs(activities: &[Activity]) -> BTreeSet<&str> {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for a in activities.iter().filter(|a| !a.get(Field::User).is_empty()) {
        users
            .entry(a.get(Field::SrcIp))
            .or_default()
            .insert(a.get(Field::User));
    }
    let many = users.into_iter().filter(|(_, who)| who.len() > HUB);
    many.map(|(address, _)| address).collect()
}

fn belongs(activity: &Activity, alert: &Alert, hubs: &BTreeSet<&str>) -> bool {
    alert.activities.iter().any(|own| {
        SHARED.iter().any(|field| {
            let (a, b) = (activity.get(*field), own.get(*field));
            same(a, b) && (*field != Field::User || is_one(a) || in_one_place(activity, own))
        }) || own.uid == activity.uid && !own.uid.is_empty()
            || concerns(activity, own)
            || came_from_it(activity, own, hubs)
    })
}

fn same(a: &str, b: &str) -> bool {
    !a.is_empty() && a.eq_ignore_ascii_case(b)
}

/// Names that many machines and accounts have, each for somebody else.
const EVERYWHERE: [&str; 8] = [
    "root",
    "admin",
    "administrator",
    "system",
    "localsystem",
    "local service",
    "network service",
    "ubuntu",
];

/// Whether a user name is somebody's wherever it stands.
fn is_one(user: &str) -> bool {
    let name = user.rsplit(['\\', '/']).next().unwrap_or(user);
    !EVERYWHERE.iter().any(|e| e.eq_ignore_ascii_case(name))
}

/// Whether both happened on one machine, in one cloud account or in one product.
fn in_one_place(activity: &Activity, own: &Activity) -> bool {
    let shared = |field| same(activity.get(field), own.get(field));
    shared(Field::Host)
        || shared(Field::Account)
        || (own.get(Field::Host).is_empty() && activity.schema == own.schema)
}

/// Whether both came from one address that few share.
fn came_from_it(activity: &Activity, own: &Activity, hubs: &BTreeSet<&str>) -> bool {
    let address = activity.get(Field::SrcIp);
    !address.is_empty() && address == own.get(Field::SrcIp) && !hubs.contains(address)
}

/// Whether one event's target or peer is the other's principal.
fn concerns(activity: &Activity, own: &Activity) -> bool {
    same(activity.get(Field::TargetUser), own.get(Field::User))
        || same(activity.get(Field::User), own.get(Field::TargetUser))
        || same(activity.get(Field::DstIp), own.get(Field::DstIp))
}

fn line(attack: &Attack, alert: &Alert, event: &Event<'_>) -> Line {
    let activity = event.activity;
    let named: Vec<(Field, String)> = [
        Field::User,
        Field::TargetUser,
        Field::Host,
        Field::SrcIp,
        Field::DstIp,
        Field::Resource,
    ]
    .into_iter()
    .map(|f| (f, oneline(activity.get(f), 200)))
    .filter(|(_, v)| !v.is_empty())
    .collect();
    let actor = first(activity, &ACTORS, "");
    let technique = attack.of_activity(&activity_view(activity, alert.time));
    Line {
        at: event.at,
        text: describe(activity),
        evidence_ref: event.reference.to_owned(),
        event_uid: activity.uid.clone(),
        entities: named.iter().map(|(_, v)| v.clone()).collect(),
        technique: technique.map(|t| t.id.clone()),
        object: first(activity, &OBJECTS, &actor),
        actor,
        action: action(activity),
        named,
    }
}

/// Where the actor of an event stands.
const ACTORS: [Field; 3] = [Field::User, Field::Host, Field::SrcIp];
/// Where the object of an event stands, the most particular first.
const OBJECTS: [Field; 9] = [
    Field::TargetUser,
    Field::Resource,
    Field::File,
    Field::CommandLine,
    Field::Process,
    Field::Url,
    Field::Domain,
    Field::DstIp,
    Field::Host,
];

/// The first of these fields that the event fills, with something else than `not`.
fn first(activity: &Activity, fields: &[Field], not: &str) -> String {
    let mut filled = fields.iter().map(|f| oneline(activity.get(*f), 200));
    let found = filled.find(|v| !v.is_empty() && v != not);
    found.unwrap_or_default()
}

fn action(activity: &Activity) -> String {
    match activity.get(Field::Action) {
        "" => activity.schema.clone(),
        action => oneline(action, 120),
    }
}

/// One event in words: who, what, outcome, from where, to what.
fn describe(a: &Activity) -> String {
    let get = |f: Field| oneline(a.get(f), 120);
    let mut text = match (get(Field::User), get(Field::Host)) {
        (user, _) if !user.is_empty() => user,
        (_, host) if !host.is_empty() => host,
        _ => "somebody".to_owned(),
    };
    text.push_str(": ");
    text.push_str(&action(a));
    for (field, word) in [
        (Field::Signature, "detected"),
        (Field::TargetUser, "for"),
        (Field::Resource, "on"),
        (Field::Process, "process"),
        (Field::Parent, "started by"),
        (Field::CommandLine, "command"),
        (Field::File, "file"),
        (Field::Subject, "subject"),
        (Field::Sender, "sent by"),
        (Field::Url, "url"),
        (Field::Domain, "domain"),
        (Field::SrcIp, "from"),
        (Field::DstIp, "to"),
        (Field::DstPort, "port"),
        (Field::Outcome, "outcome"),
    ] {
        let value = get(field);
        if !value.is_empty() {
            text.push_str(&format!(", {word} {value}"));
        }
    }
    oneline(&text, 500)
}
