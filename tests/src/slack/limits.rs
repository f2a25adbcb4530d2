//! What Slack refuses of messages and dialogs, and what no message of ours may hold; written from Slack's documentation alone.

use serde_json::Value;

/// Everything that is wrong with the body of a message.
#[must_use]
pub fn faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() {
        faults.push("a message has no fallback text".to_owned());
    }
    if text.chars().count() > 4_000 {
        faults.push("the fallback text is longer than 4000".to_owned());
    }
    if live(text) {
        faults.push(format!("the fallback text holds markup: {text}"));
    }
    let blocks = list(&body["blocks"]);
    if blocks.len() > 50 {
        faults.push(format!("{} blocks, at most 50", blocks.len()));
    }
    let size = body["blocks"].to_string().chars().count();
    if size > 13_200 {
        faults.push(format!("{size} characters over all blocks, at most 13200"));
    }
    blocks.iter().for_each(|b| block(b, &mut faults));
    let mut ids: Vec<&str> = blocks
        .iter()
        .filter_map(|b| b["block_id"].as_str())
        .collect();
    ids.sort_unstable();
    if ids.windows(2).any(|w| w[0] == w[1]) {
        faults.push("two blocks have one block_id".to_owned());
    }
    faults
}

/// Everything that is wrong with a dialog.
#[must_use]
pub(crate) fn view_faults(view: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if view["type"] != "modal" {
        faults.push("a view is no modal".to_owned());
    }
    for part in ["title", "submit", "close"] {
        plain(&view[part], 24, part, &mut faults);
    }
    longest(&view["callback_id"], 255, "callback_id", &mut faults);
    longest(
        &view["private_metadata"],
        3_000,
        "private_metadata",
        &mut faults,
    );
    let blocks = list(&view["blocks"]);
    if blocks.is_empty() || blocks.len() > 100 {
        faults.push("a modal has 1 to 100 blocks".to_owned());
    }
    blocks.iter().for_each(|b| block(b, &mut faults));
    faults
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether a text that may be markup holds what Slack makes live.
fn live(text: &str) -> bool {
    let dates = without_dates(text);
    dates.contains(['<', '>']) || linked(&dates)
}

/// Whether a scheme stands before `://` that is not a dead one.
fn linked(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut before = lower.split("://").collect::<Vec<_>>();
    before.pop();
    // What stands at the beginning may be a dead link that was cut in two.
    let dead = |b: &&str| b.ends_with("hxxp") || b.ends_with("hxxps") || "hxxps".ends_with(b);
    !before.iter().all(dead)
}

/// The text without well-formed date markup, which is ours.
fn without_dates(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("<!date^") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 7..];
        let Some(end) = after.find('>') else {
            return text.to_owned();
        };
        if after[..end].contains('<') {
            return text.to_owned();
        }
        rest = &after[end + 1..];
    }
    out + rest
}

fn longest(value: &Value, most: usize, what: &str, faults: &mut Vec<String>) {
    let length = value.as_str().unwrap_or_default().chars().count();
    if length > most {
        faults.push(format!("{what} has {length} characters, at most {most}"));
    }
}

fn plain(text: &Value, most: usize, what: &str, faults: &mut Vec<String>) {
    if text["type"] != "plain_text" {
        faults.push(format!("{what} is no plain_text"));
    }
    if text["text"].as_str().unwrap_or_default().is_empty() {
        faults.push(format!("{what} is empty"));
    }
    if text["text"]
        .as_str()
        .unwrap_or_default()
        .contains(['<', '>'])
    {
        faults.push(format!("{what} is not escaped"));
    }
    longest(&text["text"], most, what, faults);
}

fn text(text: &Value, most: usize, what: &str, faults: &mut Vec<String>) {
    match text["type"].as_str() {
        Some("plain_text") => plain(text, most, what, faults),
        Some("mrkdwn") => {
            longest(&text["text"], most, what, faults);
            if live(text["text"].as_str().unwrap_or_default()) {
                faults.push(format!("{what} holds live markup: {text}"));
            }
        }
        _ => faults.push(format!("{what} is no text: {text}")),
    }
}

fn block(block: &Value, faults: &mut Vec<String>) {
    longest(&block["block_id"], 255, "block_id", faults);
    match block["type"].as_str().unwrap_or_default() {
        "header" => plain(&block["text"], 150, "header", faults),
        "divider" => {}
        "section" => {
            let fields = list(&block["fields"]);
            if fields.is_empty() && block["text"].is_null() || fields.len() > 10 {
                faults.push("a section has a text or 1 to 10 fields".to_owned());
            }
            if !block["text"].is_null() {
                text(&block["text"], 3_000, "section", faults);
            }
            fields.iter().for_each(|f| text(f, 2_000, "field", faults));
        }
        "context" => {
            let elements = list(&block["elements"]);
            if elements.is_empty() || elements.len() > 10 {
                faults.push("a context has 1 to 10 elements".to_owned());
            }
            elements
                .iter()
                .for_each(|e| text(e, 2_000, "context", faults));
        }
        "actions" => {
            let elements = list(&block["elements"]);
            if elements.is_empty() || elements.len() > 25 {
                faults.push("actions have 1 to 25 elements".to_owned());
            }
            elements.iter().for_each(|e| button(e, faults));
        }
        "rich_text" => {
            if list(&block["elements"]).is_empty() {
                faults.push("a rich text is empty".to_owned());
            }
            list(&block["elements"])
                .iter()
                .for_each(|e| rich(e, faults));
        }
        "input" => input(block, faults),
        other => faults.push(format!("there is no block of type `{other}`")),
    }
}

fn button(button: &Value, faults: &mut Vec<String>) {
    if button["type"] != "button" {
        faults.push(format!("no button: {button}"));
    }
    plain(&button["text"], 75, "button", faults);
    longest(&button["value"], 2_000, "value", faults);
    longest(&button["action_id"], 255, "action_id", faults);
    if button["value"]
        .as_str()
        .is_none_or(|v| v.parse::<i64>().is_err())
    {
        faults.push(format!("a button carries more than a number: {button}"));
    }
    if !matches!(button["style"].as_str(), None | Some("primary" | "danger")) {
        faults.push(format!("no style: {}", button["style"]));
    }
    let confirm = &button["confirm"];
    if !confirm.is_null() {
        plain(&confirm["title"], 100, "confirm title", faults);
        plain(&confirm["text"], 300, "confirm text", faults);
        plain(&confirm["confirm"], 30, "confirm button", faults);
        plain(&confirm["deny"], 30, "confirm button", faults);
    }
}

fn rich(part: &Value, faults: &mut Vec<String>) {
    let elements = list(&part["elements"]);
    if elements.is_empty() {
        faults.push(format!("a part of a rich text is empty: {part}"));
    }
    match part["type"].as_str().unwrap_or_default() {
        "rich_text_list" => elements.iter().for_each(|e| rich(e, faults)),
        "rich_text_section" | "rich_text_preformatted" => {
            for piece in elements {
                match piece["type"].as_str().unwrap_or_default() {
                    "text" => {
                        longest(&piece["text"], 3_001, "rich text", faults);
                        let text = piece["text"].as_str().unwrap_or_default();
                        if text.is_empty() {
                            faults.push(format!("a piece of a rich text is empty: {part}"));
                        }
                        if linked(text) {
                            faults.push(format!("a rich text holds a live link: {text}"));
                        }
                    }
                    "date" if piece["timestamp"].is_i64() => {}
                    "user" | "usergroup" | "broadcast" => {}
                    other => faults.push(format!("no piece of a rich text: `{other}`")),
                }
            }
        }
        other => faults.push(format!("no part of a rich text: `{other}`")),
    }
}

fn input(block: &Value, faults: &mut Vec<String>) {
    plain(&block["label"], 2_000, "label", faults);
    let element = &block["element"];
    match element["type"].as_str().unwrap_or_default() {
        "plain_text_input" => {
            let most = element["max_length"].as_u64().unwrap_or(3_000);
            if !(1..=3_000).contains(&most) {
                faults.push("max_length is 1 to 3000".to_owned());
            }
        }
        "static_select" => {
            let options = list(&element["options"]);
            if options.is_empty() || options.len() > 100 {
                faults.push("a select has 1 to 100 options".to_owned());
            }
            for option in options {
                plain(&option["text"], 75, "option", faults);
                longest(&option["value"], 150, "option value", faults);
            }
        }
        other => faults.push(format!("no input: `{other}`")),
    }
}
