//! Where a secret is to be fetched from; never the secret itself, which no file of ours may hold.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// `{ env = "NAME" }`, `{ file = "path" }` or `{ command = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// A variable of our environment.
    Env(String),
    /// A file; one newline at its end is dropped.
    File(PathBuf),
    /// A command line for `sh -c`; its standard output, one newline at the end dropped.
    Command(String),
}

/// Why a secret could not be fetched. Holds no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not in the environment.
    #[error("environment variable {0} is not set")]
    NoVariable(String),
    /// Can't be read.
    #[error("secret file {path} can't be read: {reason}")]
    NoFile {
        /// Path.
        path: String,
        /// From the system.
        reason: String,
    },
    /// Failed, or ran too long.
    #[error("secret command {command:?} {reason}")]
    Command {
        /// Command line.
        command: String,
        /// What went wrong.
        reason: String,
    },
    /// Nothing but white space.
    #[error("the secret from {0} is empty")]
    Empty(SecretRef),
}

/// How long a secret command may run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);

impl SecretRef {
    /// Fetches the secret.
    pub async fn resolve(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone()))?
            }
            Self::File(path) => {
                tokio::fs::read_to_string(path)
                    .await
                    .map_err(|e| SecretError::NoFile {
                        path: path.display().to_string(),
                        reason: e.to_string(),
                    })?
            }
            Self::Command(line) => run(line).await?,
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(SecretString::from(text))
    }
}

async fn run(line: &str) -> Result<String, SecretError> {
    let failed = |reason: String| SecretError::Command {
        command: line.to_owned(),
        reason,
    };
    let child = tokio::process::Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_TIMEOUT, child)
        .await
        .map_err(|_| failed(format!("ran longer than {}", super::Span(COMMAND_TIMEOUT))))?
        .map_err(|e| failed(format!("could not be started: {e}")))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("did not print UTF-8".to_owned()))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(line) => write!(f, "command {line:?}"),
        }
    }
}

/// A value that may stand in the file or be fetched like a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// As written.
    Plain(String),
    /// To be fetched.
    Secret(SecretRef),
}

impl Setting {
    /// The value.
    pub async fn resolve(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Plain(text) => Ok(SecretString::from(text.as_str())),
            Self::Secret(from) => from.resolve().await,
        }
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Setting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a string, or where to fetch it: { env = … }, { file = … }, { command = … }",
                )
            }
            fn visit_str<E>(self, text: &str) -> Result<Setting, E> {
                Ok(Setting::from(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Setting, A::Error> {
                SecretRef::deserialize(MapAccessDeserializer::new(map)).map(Setting::Secret)
            }
        }
        from.deserialize_any(Either)
    }
}
