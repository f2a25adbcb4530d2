//! Reads HTML as tags, to see what a page really holds; what it may hold stands in the tests.

use std::collections::BTreeMap;

use anyhow::Context as _;

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Name, with `/` before a closing one.
    pub name: String,
    /// Attributes, unescaped.
    pub attributes: BTreeMap<String, String>,
    /// The text up to the next tag, unescaped.
    pub text: String,
}

impl Tag {
    /// An attribute as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.attributes.get(name)?.parse().ok()
    }
}

/// All tags of a page, in order. Quotes around attribute values are demanded.
pub fn tags(html: &str) -> anyhow::Result<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let mut inside = &rest[at + 1..];
        let end = inside
            .find(|c: char| c.is_whitespace() || c == '>')
            .context("a tag without an end")?;
        let name = inside[..end].trim_end_matches('/').to_lowercase();
        let closed = inside[..end].ends_with('/');
        inside = &inside[end..];
        if closed {
            inside = inside.trim_start_matches('/');
        }
        let mut attributes = BTreeMap::new();
        loop {
            inside = inside.trim_start().trim_start_matches('/');
            if let Some(after) = inside.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = inside
                .find(|c: char| c == '=' || c == '>' || c.is_whitespace())
                .context("an attribute without an end")?;
            let key = inside[..end].to_lowercase();
            inside = &inside[end..];
            let mut value = String::new();
            if let Some(after) = inside.strip_prefix('=') {
                let after = after.strip_prefix('"').context("a value without quotes")?;
                let (found, after) = after.split_once('"').context("a value without an end")?;
                value = html_escape::decode_html_entities(found).into_owned();
                inside = after;
            }
            attributes.insert(key, value);
        }
        let (text, after) = match name.as_str() {
            // What a style holds is no markup.
            "style" => rest.split_at(rest.find("</style").context("no end of style")?),
            _ => rest.split_at(rest.find('<').unwrap_or(rest.len())),
        };
        rest = after;
        tags.push(Tag {
            name,
            attributes,
            text: html_escape::decode_html_entities(text).into_owned(),
        });
    }
    Ok(tags)
}
