//! Prompts as data: loading, hashing, rendering; what a model is asked with them is `tier::model_analyst`.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use crate::data::{Folder, sha256_hex};

/// Everything in `prompts/`.
#[derive(Debug, Clone, Default)]
pub struct Prompts {
    texts: BTreeMap<String, String>,
    shared: BTreeMap<String, String>,
}

/// A prompt ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Standing orders: nothing from outside stands in them.
    pub system: String,
    /// The case: alert and evidence, fenced.
    pub user: String,
    /// SHA-256 over the prompt's files, hex.
    pub hash: String,
}

/// The line that parts standing orders from the case in a prompt file.
const PARTING: &str = "<!-- user -->";

/// Instructions a template may spend: enough for every prompt, too few for an endless loop.
const FUEL: u64 = 200_000;

impl Prompts {
    /// Reads the folder and renders every prompt once, so that a mistake shows at start.
    ///
    /// # Errors
    /// Every file at fault, with the reason.
    pub fn load(folder: &Folder) -> Result<Self, Vec<String>> {
        let read = |under: &str| -> BTreeMap<String, String> {
            let files = folder.list(under, ".md").filter(|f| f.stem() != "README");
            files
                .map(|f| (f.stem().to_owned(), f.text.clone()))
                .collect()
        };
        let prompts = Self {
            texts: read(""),
            shared: read("shared"),
        };
        let mut faults = Vec::new();
        for (name, text) in &prompts.texts {
            if !text.contains(PARTING) {
                faults.push(format!(
                    "prompts/{name}.md: has no line `{PARTING}` that parts orders from the case"
                ));
            }
            let environment = environment();
            for half in text.split(PARTING) {
                if let Err(e) = environment.template_from_str(half) {
                    faults.push(format!("prompts/{name}.md: {e}"));
                }
            }
        }
        if faults.is_empty() {
            Ok(prompts)
        } else {
            Err(faults)
        }
    }

    /// SHA-256 over all prompts, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256_hex(format!("{:?}\n{:?}", self.texts, self.shared))
    }

    /// Whether there is a prompt of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// Renders a prompt; a variable that is not there is an error.
    ///
    /// # Errors
    /// What is wrong with the prompt or its variables.
    pub fn render(&self, name: &str, variables: &Value) -> Result<Rendered, String> {
        let text = self
            .texts
            .get(name)
            .ok_or_else(|| format!("there is no prompt `{name}`"))?;
        let environment = environment();
        let mut hashed = text.clone();
        let mut shared = BTreeMap::new();
        for (part, text) in &self.shared {
            hashed.push_str(text);
            let filled = environment.render_str(text, minijinja::value::Serde(variables));
            shared.insert(
                part.clone(),
                filled.map_err(|e| format!("prompts/shared/{part}.md: {e}"))?,
            );
        }
        let context = WithShared {
            variables,
            shared: &shared,
        };
        let (system, user) = text
            .split_once(PARTING)
            .ok_or_else(|| format!("prompt `{name}` has no `{PARTING}`"))?;
        let fill = |half: &str| {
            let filled = environment.render_str(half, minijinja::value::Serde(&context));
            filled.map_err(|e| format!("prompts/{name}.md: {e}"))
        };
        Ok(Rendered {
            system: fill(system)?.trim().to_owned(),
            user: fill(user)?.trim().to_owned(),
            hash: sha256_hex(&hashed),
        })
    }
}

#[derive(Serialize)]
struct WithShared<'a> {
    #[serde(flatten)]
    variables: &'a Value,
    shared: &'a BTreeMap<String, String>,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}
