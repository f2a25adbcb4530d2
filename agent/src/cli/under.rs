//! Other settings under which stored cases are judged again: analyst, prompt, playbooks, prompts.

use std::path::PathBuf;

use crate::config::{AnalystChoice, Config, ModelConfig};

use super::eval::Who;
use super::{CONFIG, Failed};

/// What is different from the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Under {
    /// Who judges, instead of the configuration's analysts
    #[arg(long, value_enum)]
    analyst: Option<Who>,
    /// Prompt of every tier, by its name in the prompts folder
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Folder of playbooks that override the shipped ones, instead of [paths] playbooks
    #[arg(long, value_name = "DIR")]
    playbooks: Option<PathBuf>,
    /// Folder of prompts, instead of [paths] prompts
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,
}

impl Under {
    /// The configuration with these settings laid over it.
    pub(super) fn over(self, mut config: Config) -> Result<Config, Failed> {
        if let Some(who) = self.analyst {
            config.tiers.set_analyst(who.choice(config.model.as_ref())?);
        }
        if let Some(name) = self.prompt {
            let tiers = &mut config.tiers;
            for tier in [&mut tiers.one, &mut tiers.two, &mut tiers.three] {
                tier.prompt = Some(name.clone());
            }
        }
        for (folder, path) in [
            (self.playbooks, &mut config.paths.playbooks),
            (self.prompts, &mut config.paths.prompts),
        ] {
            if let Some(folder) = folder {
                if !folder.is_dir() {
                    let why = format!("{}: there is no such folder", folder.display());
                    return Err(Failed::new(CONFIG, anyhow::anyhow!(why)));
                }
                *path = Some(folder);
            }
        }
        Ok(config)
    }
}

impl Who {
    /// The choice; a model needs to be configured.
    pub(super) fn choice(self, model: Option<&ModelConfig>) -> Result<AnalystChoice, Failed> {
        match (self, model) {
            (Self::Playbook, _) => Ok(AnalystChoice::Playbook),
            (Self::Model, Some(_)) => Ok(AnalystChoice::Model),
            (Self::Model, None) => {
                let why = "--analyst model needs a [model] section: name the file with --config";
                Err(Failed::new(CONFIG, anyhow::anyhow!(why)))
            }
        }
    }
}
