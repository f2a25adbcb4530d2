//! What is told outside of how a case stands: `[sources.write_back]` with what the server's preset knows; telling it is the gate's.

use mcp_clients::config::{Read, Responses, Said, Tickets, WriteBack, WriteBackMode, slots_in};
use mcp_clients::mappings::Mappings;
use mcp_clients::sources::Origin;
use state::model::ToolClass;

use super::places::Places;
use super::{Config, ConfigFault};

/// Slots of a call beside the words of the product.
const SLOTS: [&str; 5] = ["alert", "case", "comment", "confidence", "version"];

impl Config {
    /// How alerts of a source are answered there; none when they are not.
    #[must_use]
    pub fn write_back(&self, source: &str) -> Option<WriteBack> {
        let source = self.sources.iter().find(|s| s.name == source)?;
        let under = match &source.origin {
            Origin::Mcp(mcp) => self.servers.get(&mcp.server).map(|s| s.write_back.clone()),
            Origin::File(_) | Origin::Webhook(_) => None,
        };
        let mut all = source.write_back.clone().over(under.unwrap_or_default());
        if all.mode() == WriteBackMode::Off {
            return None;
        }
        all.words.get_or_insert_with(|| source.mapping.clone());
        Some(all)
    }

    /// Which countermeasures the tools of a server do, by D3FEND id.
    #[must_use]
    pub fn responses(&self, server: &str) -> Responses {
        let under = self.servers.get(server).map(|s| s.responses.clone());
        let mut all = under.unwrap_or_default();
        all.extend(
            self.effects
                .responses
                .get(server)
                .cloned()
                .unwrap_or_default(),
        );
        all
    }

    /// How tickets are kept, by the first server that keeps them.
    #[must_use]
    pub fn tickets(&self) -> Option<Tickets> {
        let mut kept = self.servers.keys().map(|name| self.tickets_of(name));
        kept.find(|t| t.create.is_some())
    }

    fn tickets_of(&self, server: &str) -> Tickets {
        let own = self.effects.tickets.get(server).cloned();
        let under = self.servers.get(server).map(|s| s.tickets.clone());
        let own = own.unwrap_or_default().of_server(server);
        own.over(under.unwrap_or_default())
    }
}

/// Tables of words that are not there, and slots that nothing can fill; one sentence each.
#[must_use]
pub fn unsayable(config: &Config, mappings: &Mappings) -> Vec<String> {
    let mut faults = Vec::new();
    for source in &config.sources {
        let Some(all) = config.write_back(&source.name) else {
            continue;
        };
        let place = format!("sources.{}.write_back", source.name);
        let name = all.words.unwrap_or_default();
        let Some(table) = mappings.verdict_words(&name) else {
            let known = mappings.verdict_tables().join(", ");
            faults.push(format!(
                "{place}.words: there is no table `{name}`; known are {known}"
            ));
            continue;
        };
        let names = table.names();
        for (key, said) in [("comment", &all.comment), ("close", &all.close)] {
            for slot in said.iter().flat_map(|s| slots_in(&s.arguments)) {
                if !SLOTS.contains(&slot.as_str()) && !names.contains(&slot.as_str()) {
                    faults.push(format!("{place}.{key}: nothing fills {{{{{slot}}}}}"));
                }
            }
        }
    }
    faults
}

/// Answers that can't be given, or could overwrite what people set.
pub(super) fn write_backs(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    for (i, source) in config.sources.iter().enumerate() {
        let Some(all) = config.write_back(&source.name) else {
            continue;
        };
        let mut fault = |key: &str, message: String| {
            faults.push(places.fault(&format!("sources.{i}.write_back{key}"), message));
        };
        let closes = all.mode() == WriteBackMode::Close;
        if all.comment.is_none() && !closes {
            fault(".comment", "is missing: say with which tool".to_owned());
        }
        if closes && all.close.is_none() {
            fault(".close", "is missing: say with which tool".to_owned());
        }
        if closes && all.read.is_none() {
            let message =
                "is missing: without reading the status, what people set could be overwritten";
            fault(".read", message.to_owned());
        }
        for (key, said, most) in [
            (".comment", &all.comment, ToolClass::Write),
            (".close", &all.close, ToolClass::Suppress),
        ] {
            let wrong = said.as_ref().and_then(|said| acting(config, said, most));
            wrong.into_iter().for_each(|why| fault(key, why));
        }
        for (key, read) in [(".comments", &all.comments), (".read", &all.read)] {
            let wrong = read.as_ref().and_then(|read| reading(config, read));
            wrong.into_iter().for_each(|why| fault(key, why));
        }
    }
}

/// Countermeasures and tickets of servers whose tools are not there, or are of another class.
pub(super) fn servers(config: &Config, places: &Places, faults: &mut Vec<ConfigFault>) {
    let named = config.effects.responses.keys();
    for name in named.chain(config.effects.tickets.keys()) {
        if !config.servers.contains_key(name) {
            let message = format!("there is no server `{name}`: add [servers.{name}]");
            faults.push(places.fault("effects", message));
        }
    }
    for (name, spec) in &config.servers {
        let mut fault = |key: &str, message: String| {
            let (kind, rest) = key.split_once('.').unwrap_or((key, ""));
            let key = format!("effects.{kind}.{name}.{rest}");
            faults.push(places.fault(&key, message));
        };
        for (id, does) in &config.responses(name) {
            let letters = id.strip_prefix("D3-").unwrap_or_default();
            if letters.is_empty() || !letters.bytes().all(|b| b.is_ascii_uppercase()) {
                let message = "is not a D3FEND id such as D3-AL".to_owned();
                fault(&format!("responses.{id}"), message);
            }
            if !spec.tools.contains_key(&does.tool) {
                fault(&format!("responses.{id}.tool"), not_listed(&does.tool));
            }
        }
        let tickets = &config.tickets_of(name);
        for (key, said) in [
            ("create", &tickets.create),
            ("update", &tickets.update),
            ("close", &tickets.close),
        ] {
            let wrong = said.as_ref().and_then(|said| match key {
                "create" => acting(config, said, ToolClass::Write),
                _ => acting(config, said, ToolClass::Suppress),
            });
            wrong
                .into_iter()
                .for_each(|why| fault(&format!("tickets.{key}"), why));
        }
        let find = tickets.find.as_ref();
        if let Some(find) = find.filter(|f| class_of(config, &f.tool).is_none()) {
            fault("tickets.find", not_listed(&find.tool));
        }
    }
}

/// Why a tool can't say something, if it can't.
fn acting(config: &Config, said: &Said, most: ToolClass) -> Option<String> {
    let class = class_of(config, &said.tool);
    match class {
        None => Some(not_listed(&said.tool)),
        Some((ToolClass::Write, _)) => None,
        Some((class, _)) if class == most => None,
        Some((class, _)) => Some(format!("`{}` is {class}, not {most}", said.tool)),
    }
}

/// Why a tool can't read what stands at the source, if it can't.
fn reading(config: &Config, read: &Read) -> Option<String> {
    if let Some(other) = slots_in(&read.arguments).iter().find(|s| *s != "alert") {
        return Some(format!(
            "{{{{{other}}}}} is not known here: {{{{alert}}}} is"
        ));
    }
    match class_of(config, &read.tool) {
        None => Some(not_listed(&read.tool)),
        Some((ToolClass::ReadInternal, true)) => None,
        Some(_) => Some(format!("`{}` is no enabled read_internal tool", read.tool)),
    }
}

fn class_of(config: &Config, tool: &str) -> Option<(ToolClass, bool)> {
    let (server, tool) = tool.split_once('.')?;
    let spec = config.servers.get(server)?.tools.get(tool)?;
    Some((spec.class, spec.enabled))
}

fn not_listed(tool: &str) -> String {
    format!("`{tool}` is not in the catalogue: write server.tool of one that is")
}
