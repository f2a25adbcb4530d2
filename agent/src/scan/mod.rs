//! Looks for instructions to a model in text that others wrote; it raises suspicion, and nothing is allowed because it was clean.

use serde_json::Value;

mod alphabets;
mod clean;
mod decode;
mod families;
mod matcher;
mod normal;
mod readings;
mod value;

use clean::Clean;
use families::Families;
use matcher::Matcher;
use readings::Readings;

use crate::data::Folder;

/// Most hits that one scan reports.
pub const MOST_HITS: usize = 20;
/// The field of a hit that is seen only when the event's fields are read one after the other; the event's own pointer,
/// if it has one, stands before it.
pub const WHOLE_EVENT: &str = "(whole event)";

/// The families in force, compiled.
#[derive(Debug)]
pub struct Scanner {
    matcher: Matcher,
    clean: Clean,
}

/// Something that looks like an instruction to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Family of attacks, the name of its file.
    pub family: String,
    /// Pattern or list of phrases inside the family.
    pub name: String,
    /// JSON pointer of the field, or [`WHOLE_EVENT`].
    pub field: String,
    /// The match and what stands around it as normalised, on one line, at most 160 characters.
    pub excerpt: String,
    /// What it was hidden under, outermost first, such as `base64`; empty: it stood there in plain sight.
    pub layers: Vec<&'static str>,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// In the order of fields; at most [`MOST_HITS`].
    pub hits: Vec<Hit>,
    /// False when a bound was reached and the rest was not looked at.
    pub complete: bool,
}

impl Scanner {
    /// Reads and compiles every family of the folder.
    ///
    /// # Errors
    /// Every fault of every file, with the file's name.
    pub fn load(folder: &Folder) -> Result<Self, Vec<String>> {
        let matcher = Matcher::new(Families::load(folder)?).map_err(|e| vec![e])?;
        let clean = Clean::default();
        Ok(Self { matcher, clean })
    }

    /// Scans one text; `field` stands in its hits.
    #[must_use]
    pub fn text(&self, field: &str, text: &str) -> Scan {
        let mut readings = Readings::new(&self.matcher, &self.clean);
        readings.field(field, text);
        readings.done()
    }

    /// Scans each text and key of a JSON value, and the value as one event.
    #[must_use]
    pub fn value(&self, value: &Value) -> Scan {
        let mut readings = Readings::new(&self.matcher, &self.clean);
        value::event(&mut readings, "", value);
        readings.done()
    }

    /// Scans rows, each apart and as an event of its own; pointers begin with the row's number.
    #[must_use]
    pub fn events(&self, values: &[Value]) -> Scan {
        let mut readings = Readings::new(&self.matcher, &self.clean);
        for (i, value) in values.iter().enumerate() {
            value::event(&mut readings, &format!("/{i}"), value);
        }
        readings.done()
    }

    /// Names of the families in force, by file name.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.matcher.families().names.iter().map(String::as_str)
    }
}
