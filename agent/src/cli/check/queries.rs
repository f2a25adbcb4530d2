//! The line of `check` about named queries; whether the tool may be called is said by others.

use crate::daemon::Assembled;

use super::Lines;

/// Which dialect asks which tool, and what it can't ask.
pub(super) fn line(assembled: &Assembled, lines: &mut Lines) {
    let ctx = &assembled.ctx;
    let (dialect, tool) = (ctx.library.dialect(), &ctx.config.queries.tool);
    let listed = dialect.list();
    let silent: Vec<String> = listed
        .iter()
        .filter_map(|q| Some(format!("{} ({})", q.name, q.not_available.as_ref()?)))
        .collect();
    let without = match silent.as_slice() {
        [] => String::new(),
        silent => format!("; gaps, since not available: {}", silent.join(", ")),
    };
    let server = tool.split('.').next().unwrap_or_default();
    let there = match ctx.catalogue.has_server(server) {
        true => "",
        false => "; no such server is configured, so every log step is a gap: see [queries] tool",
    };
    lines.good(
        "log queries",
        format!(
            "dialect {} asks {tool} in `{}`: {} of {} named queries{without}{there}",
            dialect.name(),
            dialect.argument(),
            listed.len() - silent.len(),
            listed.len(),
        ),
    );
}
