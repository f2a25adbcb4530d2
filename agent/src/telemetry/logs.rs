//! Logs: where they go and what never stands in them; meters and traces are beside.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends logs to standard error. `$NIGHTDESK_LOG` sets the filter, for instance `info,agent=debug`.
///
/// `async_openai` logs whole bodies, which hold alert data, so it stays off whatever the filter says.
pub fn start(format: LogFormat, default: &str) {
    let wanted = std::env::var("NIGHTDESK_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(format!("{wanted},async_openai=off"))
        .unwrap_or_else(|_| EnvFilter::new("warn,async_openai=off"));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start (in one test process) keeps the first.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(color).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
