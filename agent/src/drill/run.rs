//! Works a case of a playbook's unit tests through the real pipeline: mapping, choice, gate, analyst, vetoes; only the servers are made up.

use std::sync::Arc;

use anyhow::Context as _;
use state::model::{Case as Desk, NewAlert, Time, Verdict};
use state::store::Store;

use crate::catalogue::{Catalogue, Pins};
use crate::config::{self, AnalystChoice, CloseMode, Config, PathsConfig, QueriesConfig};
use crate::ctx::{Clock, Ctx, Dice, Guard};
use crate::daemon::{self, Data};
use crate::integrity::Integrity;
use crate::playbook::{Entry, Library};
use crate::policy::Policy;
use crate::prompt::Prompts;
use crate::scan::Scanner;
use crate::{pipeline, triage};

use super::answers::{Answers, offered};
use super::form::Case;

/// Name of the source that a test's alert comes from.
const SOURCE: &str = "drill";

/// What all cases share: the data files in force and a desk on which closing is allowed.
pub(super) struct Room {
    pub(super) library: Arc<Library>,
    config: Config,
    policy: Arc<Policy>,
    scanner: Arc<Scanner>,
    prompts: Arc<Prompts>,
    mappings: Arc<mcp_clients::mappings::Mappings>,
}

/// What came of a case.
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    pub(super) case: Desk,
}

struct Still(Time);

impl Clock for Still {
    fn now(&self) -> Time {
        self.0
    }
}

impl Room {
    /// Reads the data files, the operator's over the built-in ones.
    ///
    /// # Errors
    /// When they, or the settings of the embedded servers, are not accepted.
    pub(super) fn open(paths: &PathsConfig) -> anyhow::Result<Self> {
        let config = settings(paths)?;
        let Data {
            library,
            prompts,
            policy,
            scanner,
            mappings,
            ..
        } = daemon::data(&config)?;
        Ok(Self {
            library: Arc::new(library),
            config,
            policy: Arc::new(policy),
            scanner: Arc::new(scanner),
            prompts: Arc::new(prompts),
            mappings: Arc::new(mappings),
        })
    }

    /// The alert of a case, and the playbook that it gets.
    ///
    /// # Errors
    /// When the record can't be read or gets another playbook than expected.
    pub(super) fn chosen(&self, playbook: &str, case: &Case) -> anyhow::Result<(NewAlert, &Entry)> {
        let raw = case.alert.to_string();
        let alert = self.mappings.read(&case.mapping, SOURCE, &raw);
        let alert = alert.map_err(|e| anyhow::anyhow!("the alert can't be read: {}", e.reason))?;
        let entry = self.library.choose(&alert)?;
        let (got, want) = (&entry.playbook.id, case.expect.playbook.as_deref());
        let want = want.unwrap_or(playbook);
        anyhow::ensure!(got == want, "the playbook is {got}, expected {want}");
        Ok((alert, entry))
    }

    /// Works one case of a playbook's tests to its end.
    ///
    /// # Errors
    /// As [`Room::chosen`], and when an answer is for no step, or the pipeline itself fails.
    pub(super) async fn work(&self, playbook: &str, case: &Case) -> anyhow::Result<Ended> {
        let (alert, entry) = self.chosen(playbook, case)?;
        let with = (self.library.dialect(), &self.config);
        let answers = Answers::of(&alert, entry, &case.answers, with);
        let answers = answers.map_err(|why| anyhow::anyhow!(why))?;
        let ctx = Arc::new(self.desk(answers, alert.time).await?);
        pipeline::accept(&ctx, SOURCE, &[alert], Vec::new()).await?;
        triage::take_in(&ctx).await?;
        let worked = triage::work_next(&ctx).await?;
        let id = worked.context("no case came of the alert")?;
        let ended = Ended {
            verdict: ctx
                .store
                .current_verdicts(id)
                .await?
                .pop()
                .context("the case has no verdict")?,
            case: ctx.store.case(id).await?,
        };
        ctx.store.close().await;
        Ok(ended)
    }

    async fn desk(&self, answers: Answers, now: Time) -> anyhow::Result<Ctx> {
        let bare = Catalogue::of(&self.config.servers, Pins::default());
        let mut pins = Pins::default();
        let tools = offered(&bare);
        for (_, entry) in bare.iter() {
            let offers = tools.get(&entry.server).into_iter().flatten();
            for tool in offers.filter(|t| t.name == entry.tool) {
                pins.pin(entry, tool);
            }
        }
        Ok(Ctx {
            store: Store::open("sqlite::memory:").await?,
            catalogue: Catalogue::of(&self.config.servers, pins),
            guard: Guard {
                policy: self.policy.clone(),
                scanner: self.scanner.clone(),
                integrity: Integrity::start(&self.config.paths),
                groups: Arc::new(crate::rights::NoGroups::default()),
                meters: Arc::default(),
            },
            toolbox: Arc::new(answers.offering(&bare)),
            mappings: self.mappings.clone(),
            library: self.library.clone(),
            prompts: self.prompts.clone(),
            llm: None,
            clock: Arc::new(Still(now)),
            dice: Dice::seeded(SOURCE),
            owner: SOURCE.to_owned(),
            config: self.config.clone(),
        })
    }
}

/// The embedded servers' settings, whatever the operator's servers are: the tests are written in their form.
fn settings(paths: &PathsConfig) -> anyhow::Result<Config> {
    let server = |name: &lab::ServerName| {
        format!(
            "[servers.{name}]\ncommand = \"nightdesk\"\nargs = [\"lab\", \"serve\", \"{name}\", \"--dir\", \".\"]\npreset = \"lab\"\n"
        )
    };
    let text: String = lab::ServerName::ALL.iter().map(server).collect();
    let mut config = config::from_text(&text, "the embedded servers")?;
    config.queries = QueriesConfig::default();
    config.sources.clear();
    config.closing.mode = CloseMode::Auto;
    config.closing.without_sample();
    config.closing.cap_per_hour = Some(i64::MAX);
    config.closing.pause_file = std::path::PathBuf::new();
    config.tiers.set_analyst(AnalystChoice::Playbook);
    // What narrows a site's closing has tests of its own: it makes no playbook wrong. Neither do learned weights.
    config.paths = PathsConfig {
        file: None,
        manifest: None,
        policy: None,
        scanner: None,
        learned: None,
        ..paths.clone()
    };
    Ok(config)
}
