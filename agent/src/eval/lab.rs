//! Runs every alert of a lab through the real pipeline in a fresh store, each as of its own time.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use lab::ServerName;
use lab::manifest::LabManifest;
use mcp_clients::mappings::{GENERIC, Mappings, is_field_key};
use serde::Serialize;
use serde_json::{Map, Value, json};
use state::model::{CaseId, Tier};
use state::store::Store;

use crate::config::{self, CloseMode, Config};
use crate::ctx::Ctx;
use crate::daemon::{assemble, pollable};
use crate::report::{AlertResult, CaseFile};
use crate::{integrity, pipeline, triage};

use super::labels::{Labels, read_labels};
use super::score::{Metrics, score};
use super::teach::{FeedbackUntil, Teacher};

/// What an eval of one lab gave.
#[derive(Debug, Clone, Serialize)]
pub struct LabReport {
    /// Name of the lab.
    pub lab: String,
    /// Which analyst was asked for.
    pub analyst: &'static str,
    /// One result an alert.
    pub alerts: Vec<AlertResult>,
    /// The figures; with labels given as feedback, over the alerts after them.
    pub metrics: Metrics,
    /// The figures over the alerts whose labels were given as feedback, each before it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning: Option<Metrics>,
    /// Tool calls of the cases that reached a tier.
    pub effort: Vec<Effort>,
    /// Alerts of the lab that nobody could read, with the reason; not printed when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// How many of `alerts`, the first ones, had their labels given as feedback.
    #[serde(skip)]
    pub taught: usize,
}

/// Tool calls that cases took at a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// The tier.
    pub tier: Tier,
    /// Cases that made a call there.
    pub cases: usize,
    /// Median of their calls; of an even number of cases the higher one.
    pub median: usize,
    /// Most calls of one case.
    pub most: usize,
}

/// Configuration that serves a lab folder by itself: its eight servers as children of `program`, a source for each feed.
///
/// # Errors
/// When the folder is no lab, or the text made from it is not accepted.
pub fn lab_config(program: &Path, dir: &Path, base: Config) -> anyhow::Result<Config> {
    let mut manifest = lab::manifest::load(dir)?;
    let mappings = Mappings::load(base.paths.mappings.as_deref());
    let mappings = mappings.map_err(|faults| {
        anyhow::anyhow!(
            "{}",
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })?;
    for feed in &mut manifest.feeds {
        // A format nobody has a mapping for is read as generic JSON: it still gets an investigation.
        if !mappings.alert_names().contains(&feed.mapping.as_str()) {
            tracing::warn!(feed = %feed.name, mapping = %feed.mapping, "no such alert mapping: the feed is read as generic JSON");
            feed.mapping = GENERIC.to_owned();
        }
        if feed.mapping != GENERIC && !feed.fields.is_empty() {
            tracing::warn!(feed = %feed.name, mapping = %feed.mapping, "[alerts.fields] goes with the generic mapping and is left out");
            feed.fields.clear();
        }
        feed.fields = fields(std::mem::take(&mut feed.fields));
    }
    let text = lab_toml(program, dir, &manifest)?;
    let served = config::from_text(&text, "the lab's own settings")
        .with_context(|| format!("lab {}", manifest.name))?;
    // A lab is not the environment whose state somebody has accepted.
    let paths = config::PathsConfig {
        learned: integrity::learned_in_force(&base.paths),
        file: None,
        manifest: None,
        ..base.paths
    };
    Ok(Config {
        servers: served.servers,
        sources: served.sources,
        queries: config::QueriesConfig::default(),
        paths,
        ..base
    })
}

/// Other names for the keys of `[alerts.fields]`.
const ALIASES: [(&str, &str); 10] = [
    ("rule", "rule_id"),
    ("title", "rule_name"),
    ("name", "rule_name"),
    ("alert_id", "id"),
    ("source_alert_id", "id"),
    ("timestamp", "time"),
    ("ip", "src_ip"),
    ("source_ip", "src_ip"),
    ("username", "user"),
    ("hostname", "host"),
];

/// The pointers that mean something here; a key that means nothing is left out, with a warning.
fn fields(given: Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, pointer) in given {
        let alias = ALIASES.iter().find(|(other, _)| *other == key);
        let key = alias.map_or(key, |(_, name)| (*name).to_owned());
        if is_field_key(&key) {
            kept.entry(key).or_insert(pointer);
        } else {
            tracing::warn!(
                key,
                "[alerts.fields] has a key that means nothing; it is left out"
            );
        }
    }
    kept
}

/// First line of the configuration that a demo leaves behind; a folder without it is somebody's own.
pub const DEMO_MARK: &str =
    "# Written by `nightdesk demo`: the bundled lab as this daemon's environment.\n";

/// A whole configuration file for a lab folder, as `demo` leaves it behind.
///
/// # Errors
/// When the folder is no lab.
pub fn lab_settings(program: &Path, dir: &Path, store: &str) -> anyhow::Result<String> {
    let manifest = lab::manifest::load(dir)?;
    Ok(format!(
        "{DEMO_MARK}[store]\nurl = {}\n\n[closing]\nmode = \"auto\"\nreview_sample_percent = 0\nreview_sample_min_per_week = 0\n\n{}",
        json!(store),
        lab_toml(program, dir, &manifest)?
    ))
}

fn lab_toml(program: &Path, dir: &Path, manifest: &LabManifest) -> anyhow::Result<String> {
    let mut text = String::new();
    let program = json!(program);
    for server in ServerName::ALL {
        writeln!(
            text,
            "[servers.{server}]\ncommand = {program}\nargs = [\"lab\", \"serve\", \"{server}\", \"--dir\", {}]\npreset = \"lab\"\n",
            json!(dir)
        )?;
    }
    for feed in &manifest.feeds {
        writeln!(
            text,
            "[[sources]]\nname = {name}\nkind = \"mcp\"\nserver = \"siem\"\ntool = \"list_alerts\"\nmapping = {mapping}\n\
             rows = \"results\"\narguments = {{ feed = {name}, limit = 500 }}\ncursor = {{ argument = \"cursor\", from = \"next_cursor\" }}\n",
            name = json!(feed.name),
            mapping = json!(feed.mapping),
        )?;
        if !feed.fields.is_empty() {
            writeln!(text, "[sources.fields]")?;
            for (key, pointer) in &feed.fields {
                writeln!(text, "{} = {}", json!(key), pointer)?;
            }
        }
    }
    Ok(text)
}

/// Evaluates one lab.
///
/// # Errors
/// When the lab can't be served or the pipeline itself fails; a bad verdict is a result.
pub async fn run_lab(
    program: &Path,
    dir: &Path,
    (base, feedback): (Config, Option<FeedbackUntil>),
) -> anyhow::Result<LabReport> {
    let dir = dir
        .canonicalize()
        .with_context(|| format!("{}: there is no such folder", dir.display()))?;
    let manifest = lab::manifest::load(&dir)?;
    let mut config = lab_config(program, &dir, base)?;
    config.closing.mode = match config.closing.mode {
        CloseMode::Never => CloseMode::Never,
        CloseMode::Propose | CloseMode::Auto => CloseMode::Auto,
    };
    // Neither a sample nor an hourly cap of the machine's clock unless the file sets one.
    config.closing.review_sample_percent.get_or_insert(0.0);
    config.closing.review_sample_min_per_week.get_or_insert(0);
    config.closing.cap_per_hour.get_or_insert(i64::MAX);
    let analyst = match config.tiers.one.analyst {
        config::AnalystChoice::Playbook => "playbook",
        config::AnalystChoice::Model => "model",
    };
    let scratch = Scratch::new()?;
    // A paused desk can still be measured.
    config.closing.pause_file = scratch.0.join("nightdesk.pause");
    let store = Store::open(&scratch.url()).await?;
    let assembled = assemble(config, store).await?;
    let worked = measure(&assembled.ctx, &dir, feedback).await;
    assembled.stop().await;
    let (worked, scores) = worked?;
    Ok(LabReport {
        lab: manifest.name,
        analyst,
        alerts: worked.results,
        metrics: scores.0,
        learning: scores.1,
        effort: worked.effort,
        rejected: worked.rejected,
        taught: worked.taught,
    })
}

/// Works the lab and scores it: the alerts after the feedback, and those before when there are any.
async fn measure(
    ctx: &Arc<Ctx>,
    dir: &Path,
    feedback: Option<FeedbackUntil>,
) -> anyhow::Result<(Worked, (Metrics, Option<Metrics>))> {
    let labels = read_labels(dir)?;
    let worked = work(ctx, feedback.map(|until| (until, &labels))).await?;
    let attack = ctx.library.attack();
    let (first, rest) = worked.results.split_at(worked.taught);
    let taught = |id: &String| first.iter().any(|r| r.subject.source_alert_id == *id);
    // A label without a result is told with the rest.
    let (early, late): (Labels, Labels) = labels.into_iter().partition(|(id, _)| taught(id));
    let learning = (worked.taught > 0).then(|| score(first, &early, attack));
    let metrics = score(rest, &late, attack);
    Ok((worked, (metrics, learning)))
}

/// What working a lab gave.
struct Worked {
    /// One result an alert; those that taught first.
    results: Vec<AlertResult>,
    /// Alerts whose label was given as feedback once their case was done.
    taught: usize,
    /// Tool calls of the cases by tier.
    effort: Vec<Effort>,
    /// Alerts that nobody could read, with the reason.
    rejected: Vec<String>,
}

async fn work(
    ctx: &Arc<Ctx>,
    feedback: Option<(FeedbackUntil, &Labels)>,
) -> anyhow::Result<Worked> {
    for mut source in pollable(ctx)? {
        while pipeline::poll(ctx, source.source.as_mut()).await?.more {}
    }
    let mut teacher = match feedback {
        Some((until, labels)) => Some(Teacher::new(ctx, until, labels).await?),
        None => None,
    };
    let mut seconds: HashMap<String, f64> = HashMap::new();
    let mut cases: Vec<CaseId> = Vec::new();
    loop {
        // One alert at a time, in order of time, as they would have come.
        let Some(alert) = ctx.store.alerts_without_case(1).await?.pop() else {
            break;
        };
        let began = Instant::now();
        let taken = pipeline::intake(ctx, std::slice::from_ref(&alert)).await?;
        let case = taken
            .into_iter()
            .next()
            .context("no alert was taken in")??;
        while triage::work_next(ctx).await?.is_some() {}
        seconds.insert(alert.source_alert_id.clone(), began.elapsed().as_secs_f64());
        if !cases.contains(&case) {
            cases.push(case);
        }
        if let Some(teacher) = &mut teacher {
            teacher.teach(ctx, case, &alert).await?;
        }
    }
    let mut results = teacher.map_or_else(Vec::new, |t| t.results);
    let taught = results.len();
    let mut calls: BTreeMap<Tier, Vec<usize>> = BTreeMap::new();
    for case in cases {
        let file = CaseFile::read(&ctx.store, &ctx.library, case).await?;
        for tier in Tier::ALL {
            let made = file.calls.iter().filter(|c| c.tier == tier).count();
            calls
                .entry(tier)
                .or_default()
                .extend((made > 0).then_some(made));
        }
        let id = |r: &AlertResult| r.subject.source_alert_id.clone();
        let known: Vec<String> = results[..taught].iter().map(id).collect();
        let of_case = AlertResult::all(&file).into_iter();
        results.extend(of_case.filter(|r| !known.contains(&id(r))));
    }
    for result in &mut results {
        let id = &result.subject.source_alert_id;
        result.cost.seconds = seconds.get(id).copied().unwrap_or_default();
    }
    let dead = ctx.store.dead_letters(1000).await?;
    Ok(Worked {
        results,
        taught,
        effort: calls.into_iter().filter_map(effort).collect(),
        rejected: dead.into_iter().map(|d| d.letter.reason).collect(),
    })
}

fn effort((tier, mut calls): (Tier, Vec<usize>)) -> Option<Effort> {
    calls.sort_unstable();
    Some(Effort {
        tier,
        cases: calls.len(),
        median: *calls.get(calls.len() / 2)?,
        most: *calls.last()?,
    })
}

/// A folder that goes away with the eval.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let name = format!(
            "nightdesk-eval-{}-{}",
            std::process::id(),
            crate::ctx::Dice::unforeseen().word()
        );
        let path = std::env::temp_dir().join(&name[..40]);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.0.join("eval.db").display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the system's own scratch folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
