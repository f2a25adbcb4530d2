//! The report as one HTML file: style and charts within, no script, nothing loaded, everything from outside escaped.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::document::Report;
use super::page::page;
use crate::text::defang;

const TEMPLATE: &str = include_str!("../../templates/metrics.html");

/// `report.html`.
///
/// # Errors
/// When the template is at fault.
pub fn html(report: &Report) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("metrics.html", TEMPLATE)?;
    let mut page = page(report);
    // A mail program makes links of what looks like one.
    let cells = page.sections.iter_mut().flat_map(|s| &mut s.rows).flatten();
    for text in cells.chain(&mut page.warnings) {
        *text = defang(text);
    }
    Ok(environment
        .get_template("metrics.html")?
        .render(Serde(page))?)
}
