//! Settings that are well-formed and can't be meant: each found with its place; reading the file is `load`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::Span;
use mcp_clients::sources::Origin;
use state::model::{CANARY_SOURCE, Severity};

use crate::text::shape;

use super::http::collide;
use super::places::Places;
use super::{Config, ConfigFault};

/// Faults of settings that are well-formed but can't be meant.
pub(super) fn meaning(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    let mut seen = std::collections::HashSet::new();
    for (i, source) in config.sources.iter().enumerate() {
        let key = format!("sources.{i}");
        if source.name == CANARY_SOURCE {
            let message = format!("`{CANARY_SOURCE}` is the daemon's own; write another name");
            faults.push(places.fault(&key, message));
        }
        for message in source.faults() {
            faults.push(places.fault(&key, message));
        }
        if !seen.insert(&source.name) {
            let message = format!(
                "two sources are called `{}`; names must differ",
                source.name
            );
            faults.push(places.fault(&key, message));
        }
        let server = match &source.origin {
            Origin::Mcp(mcp) => Some(&mcp.server),
            Origin::File(_) | Origin::Webhook(_) => None,
        };
        if let Some(server) = server.filter(|s| !config.servers.contains_key(*s)) {
            let message = format!("there is no server `{server}`: add [servers.{server}]");
            faults.push(places.fault(&format!("{key}.server"), message));
        }
    }
    for (key, message) in config.people.approvals.faults() {
        faults.push(places.fault(key, message));
    }
    for (key, message) in config.people.notify.faults() {
        faults.push(places.fault(&key, message));
    }
    slack_alone(config, places, faults);
    for message in config.model.iter().flat_map(super::ModelConfig::faults) {
        faults.push(places.fault("model", message));
    }
    bounds(config, places, faults);
    if let Some((server, tool)) = config.queries.tool.split_once('.') {
        let spec = config.servers.get(server);
        if spec.is_some_and(|s| !s.tools.contains_key(tool)) {
            let message = format!(
                "`{tool}` is not in the catalogue of server `{server}`: add [servers.{server}.tools.{tool}]"
            );
            faults.push(places.fault("queries.tool", message));
        }
    } else {
        faults.push(places.fault("queries.tool", "write server.tool".to_owned()));
    }
    if let Some(Err(message)) = config.run.traces.as_ref().map(super::TracesConfig::url) {
        faults.push(places.fault("run.traces.endpoint", message));
    }
    names_apart(config, places, faults);
    super::outward::write_backs(config, places, faults);
    super::outward::servers(config, places, faults);
    schedules(config, places, faults);
    for (key, message) in config.people.metrics.faults() {
        faults.push(places.fault(&format!("metrics.{key}"), message));
    }
    if config.run.workers == 0 {
        faults.push(places.fault("run.workers", "must be at least 1".to_owned()));
    }
    if !(0.0..=100.0).contains(&config.closing.sample()) {
        let message = "is a percentage: 0 to 100".to_owned();
        faults.push(places.fault("closing.review_sample_percent", message));
    }
}

/// What Slack calls is exposed, so nothing else answers there.
fn slack_alone(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    let slack = config.people.notify.slack.as_ref();
    let Some(own) = slack.and_then(|s| s.listen) else {
        return;
    };
    let http = config.run.http.iter();
    let http = http.map(|h| ("[run.http]".to_owned(), h.listen));
    let hooks = config.sources.iter().filter_map(|s| match &s.origin {
        Origin::Webhook(hook) => Some((format!("source `{}`", s.name), hook.listen)),
        Origin::Mcp(_) | Origin::File(_) => None,
    });
    let mut taken = http.chain(hooks);
    if let Some((whose, _)) = taken.find(|(_, listen)| collide(own, *listen)) {
        let message = format!(
            "is also where {whose} listens; clicks need a listener of their own: write another port"
        );
        faults.push(places.fault("notify.slack.listen", message));
    }
}

/// Schedules that never come, a floor that no lab can be above, and baselines that say nothing.
fn schedules(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    for (key, message) in config.queries.baselines.faults() {
        faults.push(places.fault(&format!("baselines.{key}"), message));
    }
    let assurance = &config.closing.assurance;
    if let Err(message) = assurance.schedule() {
        faults.push(places.fault("closing.assurance.at", message));
    }
    for (key, share) in [
        ("precision", assurance.floor.precision),
        ("coverage", assurance.floor.coverage),
    ] {
        if !(0.0..=1.0).contains(&share) {
            let key = format!("closing.assurance.floor.{key}");
            faults.push(places.fault(&key, "is a share: 0 to 1".to_owned()));
        }
    }
}

/// Server and tool names that look alike, and read-backs that name no reading tool.
fn names_apart(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (server, spec) in &config.servers {
        for (tool, about) in &spec.tools {
            let (name, key) = (
                format!("{server}.{tool}"),
                format!("servers.{server}.tools.{tool}"),
            );
            if let Some(other) = seen.insert(shape(&name), name.clone()) {
                let message = format!("`{name}` can be taken for `{other}`: rename one server");
                faults.push(places.fault(&key, message));
            }
            let Some(read_back) = &about.effect.read_back else {
                continue;
            };
            let reads = read_back.tool.split_once('.').and_then(|(s, t)| {
                let tool = config.servers.get(s)?.tools.get(t)?;
                Some(tool.class.is_read_only() && tool.enabled)
            });
            if about.enabled && reads != Some(true) {
                let message = format!(
                    "`{}` is not an enabled reading tool of the catalogue",
                    read_back.tool
                );
                faults.push(places.fault(&format!("{key}.effect.read_back"), message));
            }
        }
    }
}

/// How long people are waited for: never so short that nobody can answer.
fn waits(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(7 * 24 * 3600));
    for (severity, span) in &config.people.approvals.expires_by_severity {
        if span.0 < least || span.0 > most {
            let key = format!("approvals.expires_by_severity.{severity}");
            let message = format!("must lie between {} and {}", Span(least), Span(most));
            faults.push(places.fault(&key, message));
        }
    }
    let notify = &config.people.notify;
    let tells = notify.slack.is_some() || notify.mail.is_some() || !notify.webhooks.is_empty();
    let expires = config.closing.expire_after(Severity::Critical);
    let gather = TimeDelta::from_std(notify.batch.gather.0).unwrap_or(TimeDelta::MAX);
    if tells && notify.batch.from > 0 && gather >= expires {
        let message = format!(
            "is as long as a proposed close of a critical case waits for an answer ({} min, of [closing] proposal_expires): nobody would see one in time",
            expires.num_minutes()
        );
        faults.push(places.fault("notify.batch.gather", message));
    }
}

/// Spans and counts that would stop the daemon or make it give up at once.
fn bounds(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    waits(config, places, faults);
    let run = &config.run;
    let day = Duration::from_secs(24 * 3600);
    for (key, span, least, most) in [
        ("run.lease", run.lease.0, Duration::from_secs(1), day),
        ("run.look_ahead", run.look_ahead.0, Duration::ZERO, 7 * day),
        ("run.drain", run.drain.0, Duration::ZERO, day),
        (
            "run.join_window",
            run.join_window.0,
            Duration::ZERO,
            365 * day,
        ),
        (
            "closing.proposal_expires",
            config.closing.proposal_expires.0,
            Duration::from_secs(60),
            365 * day,
        ),
        (
            "approvals.expires",
            config.people.approvals.expires.0,
            Duration::from_secs(60),
            7 * day,
        ),
        (
            "closing.canary.every",
            config.closing.canary.every.0,
            Duration::from_secs(60),
            7 * day,
        ),
        (
            "closing.canary.grace",
            config.closing.canary.grace.0,
            Duration::from_secs(30),
            day,
        ),
    ] {
        if span < least || span > most {
            let message = format!("must lie between {} and {}", Span(least), Span(most));
            faults.push(places.fault(key, message));
        }
    }
    if config.effects.destructive_per_hour < 0 {
        let message = "must be 0 or more".to_owned();
        faults.push(places.fault("effects.destructive_per_hour", message));
    }
    if config.closing.pause_file.as_os_str().is_empty() {
        let message = "names no file; leave it out for nightdesk.pause".to_owned();
        faults.push(places.fault("closing.pause_file", message));
    }
    if run.max_attempts < 1 {
        faults.push(places.fault("run.max_attempts", "must be at least 1".to_owned()));
    }
}
