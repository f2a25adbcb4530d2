//! The audit log in the forms others read: one file a form, and where it goes; nothing here is decided or changed.

mod cef;
mod jsonl;
mod record;
mod story;
mod syslog;
mod target;

use state::store::AuditEntry;

pub use record::{Grade, Record};
pub use target::{Sink, Target};

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object an entry, with its number and hash: what `audit verify` proves
    Jsonl,
    /// One line an entry, for people
    Story,
    /// ArcSight Common Event Format
    Cef,
    /// RFC 5424 syslog with structured data
    Syslog,
}

/// One entry in a form; on one line and, but for `jsonl`, bounded.
#[must_use]
pub fn line(format: Format, host: &str, entry: &AuditEntry) -> String {
    let record = Record::new(entry);
    match format {
        Format::Jsonl => jsonl::line(entry),
        Format::Story => story::line(&record),
        Format::Cef => cef::line(&record),
        Format::Syslog => syslog::line(host, &record),
    }
}

/// One entry as bytes for a connection: syslog messages counted in octets (RFC 6587), CEF as the text of one; the
/// others with a line feed.
#[must_use]
pub fn framed(format: Format, host: &str, entry: &AuditEntry) -> Vec<u8> {
    let message = match format {
        Format::Jsonl | Format::Story => return format!("{}\n", line(format, host, entry)).into(),
        Format::Syslog => line(format, host, entry),
        Format::Cef => syslog::around(host, &Record::new(entry), &line(format, host, entry)),
    };
    format!("{} {message}", message.len()).into()
}

/// Text for a field: each character as `spell` has it, at most `most` bytes; what does not fit is counted at the end.
fn spelled(text: &str, most: usize, spell: impl Fn(char, &mut String)) -> String {
    // Room for the count.
    let room = most.saturating_sub(40);
    let mut out = String::new();
    let mut fits = None;
    for (at, c) in text.char_indices() {
        let before = out.len();
        spell(c, &mut out);
        if before <= room && out.len() > room {
            fits = Some((before, at));
        }
        if out.len() > most
            && let Some((end, at)) = fits
        {
            out.truncate(end);
            out.push_str(&format!("...({} bytes left out)", text.len() - at));
            return out;
        }
    }
    out
}

/// Characters that no receiver is shown as they are: control, invisible, and those that turn the writing round.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || crate::text::is_invisible(c)
}
