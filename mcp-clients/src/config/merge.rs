//! From what the operator wrote to a server that can be started: merges the preset in and finds every fault.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use super::{
    ConfigError, HttpSpec, LimitsConfig, ProcessSpec, ReplyRule, ReplyRules, ServerConfig,
    ServerSpec, Setting, ToolConfig, ToolSpec, TransportSpec,
};
use crate::presets::{self, Preset};
use state::model::{Tier, ToolClass};

/// Merges and checks; all faults at once.
pub(super) fn resolve(
    config: ServerConfig,
    name: &str,
    overrides: Option<&Path>,
) -> Result<ServerSpec, ConfigError> {
    let mut faults = Faults::new(name);
    let preset = match &config.preset {
        None => Preset::default(),
        Some(reference) => match presets::pick(reference, name, overrides) {
            Ok(preset) => preset,
            Err(e) => {
                faults.add("preset", e);
                return Err(faults.into());
            }
        },
    };
    limits(&config.limits, &mut faults);
    let reply = config.reply.clone().over(preset.reply);
    rules(&reply, &mut faults);
    let mut entries = preset.tools;
    for (tool, own) in config.tools.clone() {
        let under = entries.remove(&tool).unwrap_or_default();
        entries.insert(tool, own.over(under));
    }
    let tools = entries
        .into_iter()
        .filter_map(|(tool, entry)| Some((tool.clone(), check_tool(&tool, entry, &mut faults)?)))
        .collect();
    let limits = config.limits.over(preset.limits).into();
    let transport = transport(config, &mut faults);
    match transport {
        Some(transport) if faults.found.is_empty() => Ok(ServerSpec {
            transport,
            limits,
            tools,
            reply,
            write_back: preset.write_back.of_server(name),
            responses: preset.responses,
            tickets: preset.tickets.of_server(name),
        }),
        _ => Err(faults.into()),
    }
}

struct Faults {
    server: String,
    found: Vec<String>,
}

impl Faults {
    fn new(server: &str) -> Self {
        let mut faults = Self {
            server: server.to_owned(),
            found: Vec::new(),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if server.is_empty() || !server.chars().all(plain) {
            let text = format!("servers.{server:?}: a server's name is letters, digits, _ and -");
            faults.found.push(text);
        }
        faults
    }

    fn add(&mut self, key: &str, what: impl std::fmt::Display) {
        self.found
            .push(format!("servers.{}.{key}: {what}", self.server));
    }
}

impl From<Faults> for ConfigError {
    fn from(faults: Faults) -> Self {
        Self {
            faults: faults.found,
        }
    }
}

fn limits(limits: &LimitsConfig, faults: &mut Faults) {
    for (key, span) in [
        ("start_timeout", limits.start_timeout),
        ("list_timeout", limits.list_timeout),
        ("call_timeout", limits.call_timeout),
    ] {
        if span.is_some_and(|s| s.0.is_zero()) {
            faults.add(&format!("limits.{key}"), "must be longer than nothing");
        }
    }
    for (key, count) in [
        ("max_in_flight", limits.max_in_flight),
        (
            "max_calls_per_minute",
            limits.max_calls_per_minute.map(|n| n as usize),
        ),
    ] {
        if count == Some(0) {
            faults.add(&format!("limits.{key}"), "must be at least 1");
        }
    }
}

fn transport(config: ServerConfig, faults: &mut Faults) -> Option<TransportSpec> {
    for (key, settings) in [("env", &config.env), ("headers", &config.headers)] {
        for (name, setting) in settings {
            if matches!(setting, Setting::Plain(_)) && holds_a_secret(name) {
                let what = "a secret must not stand in the file: write { env = \"NAME\" }, { file = \"PATH\" } or { command = \"…\" }";
                faults.add(&format!("{key}.{name}"), what);
            }
        }
    }
    match (config.command, config.url) {
        (Some(_), Some(_)) => faults.add("url", "give either command or url, not both"),
        (None, None) => faults.add(
            "command",
            "give the command that starts the server, or its url",
        ),
        (Some(command), None) => {
            let http = [
                ("bearer", config.bearer.is_some()),
                ("headers", !config.headers.is_empty()),
            ];
            for (key, _) in http.into_iter().filter(|(_, given)| *given) {
                faults.add(key, "goes with url, not with command");
            }
            if command.trim().is_empty() {
                faults.add("command", "is empty");
            }
            for name in config.env.keys().chain(&config.env_from) {
                if name.is_empty() || name.contains(['=', '\0']) {
                    faults.add("env", format!("{name:?} is not a variable's name"));
                }
            }
            return Some(TransportSpec::Process(ProcessSpec {
                command,
                args: config.args,
                env: config.env,
                env_from: config.env_from,
                cwd: config.cwd,
            }));
        }
        (None, Some(url)) => {
            let process = [
                ("args", !config.args.is_empty()),
                ("env", !config.env.is_empty()),
                ("env_from", !config.env_from.is_empty()),
                ("cwd", config.cwd.is_some()),
            ];
            for (key, _) in process.into_iter().filter(|(_, given)| *given) {
                faults.add(key, "goes with command, not with url");
            }
            let secret = config.bearer.is_some() || !config.headers.is_empty();
            let carries = if secret {
                Carries::Credentials
            } else {
                Carries::Nothing
            };
            endpoint(&url, carries, faults);
            return Some(TransportSpec::Http(HttpSpec {
                url,
                bearer: config.bearer,
                headers: config.headers,
            }));
        }
    }
    None
}

/// Whether a name is one that secrets go by.
fn holds_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    const ENDINGS: [&str; 13] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "api_key",
        "apikey",
        "private_key",
        "secret_key",
        "access_key",
        "credentials",
        "cookie",
        "authorization",
    ];
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether requests carry something that must not be read on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    Credentials,
    Nothing,
}

fn endpoint(url: &str, carries: Carries, faults: &mut Faults) {
    let parsed = match Url::parse(url) {
        Ok(parsed) => parsed,
        Err(e) => return faults.add("url", format!("{url:?} is not a URL: {e}")),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        faults.add("url", "must not hold credentials: use bearer or headers");
    }
    let host = parsed.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let loopback = host == "localhost" || address.is_some_and(|a| a.is_loopback());
    match parsed.scheme() {
        "https" => {}
        "http" if loopback || carries == Carries::Nothing => {}
        "http" => faults.add(
            "url",
            "credentials go over https only, except to this machine",
        ),
        other => faults.add("url", format!("{other} is not http or https")),
    }
}

fn check_tool(tool: &str, entry: ToolConfig, faults: &mut Faults) -> Option<ToolSpec> {
    let key = format!("tools.{tool}");
    let Some(spec) = entry.spec() else {
        faults.add(
            &format!("{key}.class"),
            "is required: read_internal, read_egress, write, suppress or destructive",
        );
        return None;
    };
    if !spec.class.is_read_only() && spec.tiers.iter().any(|t| *t != Tier::Three) {
        let what = "tiers 1 and 2 have reading tools only: write tiers = [3] or []";
        faults.add(&format!("{key}.tiers"), what);
    }
    effect_faults(&key, &spec, faults);
    if spec.max_calls_per_minute == Some(0) {
        let what = "must be at least 1; write enabled = false to shut the tool off";
        faults.add(&format!("{key}.max_calls_per_minute"), what);
    }
    let answer = &spec.answer;
    let trusted = answer.trusted.iter().map(|p| ("trusted", p));
    for (field, path) in trusted.chain([("rows", &answer.rows)]) {
        if path != "*" && path.split('.').any(str::is_empty) {
            faults.add(
                &format!("{key}.{field}"),
                format!("{path:?} is not a dotted path"),
            );
        }
    }
    Some(spec)
}

/// What a call may do must be meant: a target where something is acted on, no effect where nothing is.
fn effect_faults(key: &str, spec: &ToolSpec, faults: &mut Faults) {
    let (effect, reads) = (&spec.effect, spec.class.is_read_only());
    let mut fault = |wrong: bool, name: &str, what: &str| {
        if wrong {
            faults.add(&format!("{key}.effect.{name}"), what);
        }
    };
    fault(
        reads && effect.live,
        "live",
        "a reading tool has no effect to be live",
    );
    fault(
        effect.raise && spec.class != ToolClass::Write,
        "raise",
        "goes with class = \"write\" only",
    );
    fault(
        effect.says && (reads || spec.class == ToolClass::Destructive),
        "says",
        "goes with class = \"write\" or \"suppress\" only",
    );
    fault(
        !reads && spec.enabled && !effect.raise && !effect.says && effect.target.is_none(),
        "target",
        "an enabled tool that acts needs the argument that names what it acts on",
    );
    fault(
        effect.allow.iter().any(|p| p.trim().is_empty()),
        "allow",
        "a pattern is empty",
    );
    let rule = effect.techniques.as_ref();
    fault(
        rule.is_some_and(|r| r.argument.is_empty() || r.allow.is_empty()),
        "techniques",
        "name the argument and at least one technique id",
    );
    let read_back = effect.read_back.as_ref();
    fault(
        read_back.is_some_and(|r| !r.tool.contains('.') || r.path.split('.').any(str::is_empty)),
        "read_back",
        "tool is written server.tool, path is a dotted path",
    );
}

fn rules(reply: &ReplyRules, faults: &mut Faults) {
    for (list, rules) in [
        ("ok_when", &reply.ok_when),
        ("error_when", &reply.error_when),
    ] {
        for (at, rule) in rules.iter().enumerate() {
            let ReplyRule {
                path,
                equals,
                non_empty,
                text_prefix,
                ..
            } = rule;
            let key = format!("reply.{list}[{at}]");
            if path.is_some() == text_prefix.is_some() {
                faults.add(&key, "needs either path or text_prefix");
            }
            if text_prefix.is_some() && (equals.is_some() || *non_empty) {
                faults.add(&key, "equals and non_empty go with path");
            }
            if equals.is_some() && *non_empty {
                faults.add(&key, "give either equals or non_empty");
            }
            if text_prefix.as_ref().is_some_and(|p| p.trim().is_empty()) {
                faults.add(&key, "text_prefix is empty, so it matches everything");
            }
        }
    }
}
