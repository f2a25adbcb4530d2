//! Templates: what stands between `{` and `}`; how a value is written there is the languages'.

use super::QueryError;

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands.
    Plain(&'t str),
    /// `{name}` or `{name:way}`.
    Slot {
        /// What goes there.
        name: &'t str,
        /// How it is written, if in another way than usual.
        way: Option<&'t str>,
    },
}

/// Takes a template apart; a `{` without a name and a `}` after it is plain.
pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let named = after.find('}').map(|close| &after[..close]);
        let Some(name) = named.filter(|n| is_name(n)) else {
            pieces.push(Piece::Plain(&rest[..=open]));
            rest = after;
            continue;
        };
        pieces.push(Piece::Plain(&rest[..open]));
        let (slot, way) = match name.split_once(':') {
            Some((slot, way)) => (slot, Some(way)),
            None => (name, None),
        };
        pieces.push(Piece::Slot { name: slot, way });
        rest = &after[name.len() + 1..];
    }
    pieces.push(Piece::Plain(rest));
    pieces.retain(|p| *p != Piece::Plain(""));
    pieces
}

fn is_name(text: &str) -> bool {
    let word = text.strip_prefix('@').unwrap_or(text);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | ':');
    !word.is_empty() && word.chars().all(plain)
}

/// Writes a template with what `fill` gives for each slot.
///
/// # Errors
/// The first that `fill` gives.
pub(super) fn fill(
    template: &str,
    mut fill: impl FnMut(&str, Option<&str>) -> Result<String, QueryError>,
) -> Result<String, QueryError> {
    let mut out = String::with_capacity(template.len() * 2);
    for piece in pieces(template) {
        match piece {
            Piece::Plain(text) => out.push_str(text),
            Piece::Slot { name, way } => out.push_str(&fill(name, way)?),
        }
    }
    Ok(out)
}
