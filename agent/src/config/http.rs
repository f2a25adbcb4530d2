//! How the daemon is looked at from outside: `[run.http]` and `[run.traces]`; listening and sending are other rooms'.

use std::net::SocketAddr;

use serde::Deserialize;

/// `[run.http]`: metrics and health. Nobody is asked who they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
}

/// Whether two addresses can't both be listened on.
pub(super) fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let all = |a: SocketAddr| a.ip().is_unspecified();
    let met = one.ip() == other.ip() || all(one) || all(other);
    // Port 0 is any free one.
    one.port() != 0 && one.port() == other.port() && met
}

/// `[run.traces]`: each case as a trace, sent by OTLP over HTTP as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// The collector's base address (`http://127.0.0.1:4318`); `/v1/traces` is added.
    pub endpoint: String,
    /// What the traces are told to come from.
    #[serde(default = "service")]
    pub service: String,
}

fn service() -> String {
    "nightdesk".to_owned()
}

impl TracesConfig {
    /// Where spans are sent.
    ///
    /// # Errors
    /// Why the endpoint is none, in a sentence.
    pub fn url(&self) -> Result<reqwest::Url, String> {
        let whole = format!("{}/v1/traces", self.endpoint.trim_end_matches('/'));
        let url = reqwest::Url::parse(&whole)
            .map_err(|e| format!("is no address ({e}): write http://127.0.0.1:4318"))?;
        let plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
            return Err("is http://HOST:PORT or https://HOST:PORT, without a user".to_owned());
        }
        Ok(url)
    }
}
