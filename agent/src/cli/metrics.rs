//! `nightdesk metrics`: a week, or another stretch of days, shown or written to files; how it is measured is the room `metrics`'.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use state::model::Time;
use state::store::Store;

use crate::config::{Config, MetricsFormat};
use crate::ctx::{Clock, SystemClock};
use crate::metrics::{JSON_SCHEMA, Report, Stretch, brief, report, write};

use super::output::{Tone, table};
use super::{Done, Failed, Out, UNAVAILABLE, USAGE, configuration};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the figures of a period to files
    Export {
        #[command(flatten)]
        over: Over,
        /// What to write; may be given several times [default: [metrics] formats]
        #[arg(long, value_enum, value_delimiter = ',')]
        format: Vec<Wanted>,
        /// Folder to write to [default: a folder of the period's name in [metrics] dir]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show the headline of a period
    Show {
        #[command(flatten)]
        over: Over,
    },
    /// List the periods that the daemon has exported
    List,
    /// Print the JSON Schema of metrics.json
    Schema,
}

/// Over which period; the last week that is over unless one is named.
#[derive(Debug, clap::Args)]
pub(super) struct Over {
    /// ISO week, such as 2026-W47; it begins on Monday at 00:00 in [metrics] time_zone
    #[arg(long, value_name = "WEEK", conflicts_with_all = ["from", "to"])]
    week: Option<String>,
    /// First day, such as 2026-11-01
    #[arg(long, value_name = "DATE", requires = "to")]
    from: Option<NaiveDate>,
    /// Last day, in the period too
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<NaiveDate>,
}

/// A form, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Wanted {
    /// metrics.json: everything, with a published schema
    Json,
    /// metrics.csv and noisy_rules.csv
    Csv,
    /// report.md
    Md,
    /// report.html: one file, to read and to print
    Html,
    /// All of these
    All,
}

impl Wanted {
    fn formats(self) -> Vec<MetricsFormat> {
        match self {
            Self::Json => vec![MetricsFormat::Json],
            Self::Csv => vec![MetricsFormat::Csv],
            Self::Md => vec![MetricsFormat::Md],
            Self::Html => vec![MetricsFormat::Html],
            Self::All => MetricsFormat::ALL.to_vec(),
        }
    }
}

pub(super) async fn metrics(named: Option<&Path>, command: Command, out: &Out) -> Done {
    match command {
        Command::Schema => {
            out.document(JSON_SCHEMA);
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { over } => {
            let made = measure(&configuration(named)?, over).await?;
            match out.is_json() {
                true => out.value(&made),
                false => show(&made, out),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Export {
            over,
            format,
            out: dir,
        } => {
            let config = configuration(named)?;
            let made = measure(&config, over).await?;
            let settings = &config.people.metrics;
            let formats: Vec<MetricsFormat> = match format.is_empty() {
                true => settings.formats.clone(),
                false => format.into_iter().flat_map(Wanted::formats).collect(),
            };
            let fix = match dir {
                Some(_) => "name a folder that can be written with --out",
                None => "set one that can be written as [metrics] dir, or name one with --out",
            };
            let dir = dir.unwrap_or_else(|| settings.dir.join(&made.period.name));
            let written = write(&made, &formats, &dir)
                .map_err(|e| Failed::new(UNAVAILABLE, anyhow::anyhow!("{e:#}; {fix}")))?;
            if out.is_json() {
                out.value(
                    &json!({"period": made.period, "as_of": made.as_of, "files": written.files}),
                );
            } else {
                for file in &written.files {
                    out.line(&file.display().to_string());
                }
                out.say(&format!("{}, as of {}", made.period.name, day(made.as_of)));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::List => list(&configuration(named)?, out).await,
    }
}

async fn measure(config: &Config, over: Over) -> Result<Report, Failed> {
    let settings = &config.people.metrics;
    let zone = settings.time_zone;
    let now = SystemClock.now();
    let stretch = match (over.week, over.from, over.to) {
        (Some(week), _, _) => Stretch::week(&week, zone),
        (None, Some(from), Some(to)) => Stretch::days(from, to, zone),
        _ => Stretch::last_week(now, zone),
    };
    let stretch = stretch.map_err(|e| Failed::new(USAGE, e))?;
    let store = Store::open_existing(&config.store.url).await?;
    let made = report(&store, settings, &stretch, now).await;
    store.close().await;
    Ok(made?)
}

/// Most metrics without a number that are named.
const SHOWN: usize = 12;

fn day(at: Time) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

/// The headline, the warnings and the lists of the digest.
fn show(made: &Report, out: &Out) {
    let brief = brief(made);
    let period = &made.period;
    out.line(&format!(
        "{} ({} to {}, {}), as of {}\n",
        period.name,
        period.first,
        period.last,
        period.time_zone,
        day(made.as_of)
    ));
    let rows = brief.numbers.into_iter();
    let rows = rows.map(|(name, value, change)| vec![name, value, change]);
    out.line(&table(
        &["figure", "value", "against the period before"],
        rows.collect(),
    ));
    for (title, lines) in brief.sections {
        out.line(&format!("\n{}", out.paint(Tone::Warn, &title)));
        for line in lines {
            out.line(&format!("  {}", crate::text::oneline(&line, 300)));
        }
    }
    let names: Vec<&str> = made.not_measured.iter().map(|m| m.metric).collect();
    match names.len() {
        0 => {}
        1..=SHOWN => out.line(&format!("\nnot measured: {}", names.join(", "))),
        n => out.line(&format!(
            "\nnot measured: {n} figures; `nightdesk metrics export` says why for each"
        )),
    }
}

async fn list(config: &Config, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let made = store.metrics_exports(100).await;
    store.close().await;
    let made = made?;
    if out.is_json() {
        let all: Vec<_> = made
            .iter()
            .map(|m| json!({"period": m.period, "since": m.since, "until": m.until, "dir": m.dir, "at": m.at}))
            .collect();
        out.value(&json!({"exports": all}));
        return Ok(ExitCode::SUCCESS);
    }
    if made.is_empty() {
        out.say("the daemon has exported nothing yet");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = made.into_iter().map(|m| vec![m.period, day(m.at), m.dir]);
    out.line(&table(&["period", "exported", "folder"], rows.collect()));
    Ok(ExitCode::SUCCESS)
}
