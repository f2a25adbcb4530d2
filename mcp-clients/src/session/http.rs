//! The streamable HTTP transport to a server we do not start; sessions over it are `session`'s.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::ExposeSecret;

use super::MAX_LINE;
use crate::config::HttpSpec;

const CONNECT: Duration = Duration::from_secs(10);

/// A transport with the credentials fetched anew. Connections are pooled; redirects are not followed, so that
/// credentials and alert data stay with the host the operator named.
pub(super) async fn transport(
    spec: &HttpSpec,
    in_flight: usize,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .build()
        .map_err(|e| format!("no HTTP client: {e}"))?;
    let mut headers = HashMap::new();
    for (name, setting) in &spec.headers {
        let value = setting
            .resolve()
            .await
            .map_err(|e| format!("headers.{name}: {e}"))?;
        let key = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("headers.{name}: not a header name"))?;
        let mut value = HeaderValue::try_from(value.expose_secret())
            .map_err(|_| format!("headers.{name}: not a header value"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    // A lost session is opened again by the supervisor: letting the library do it would send a call twice.
    let mut config = StreamableHttpClientTransportConfig::with_uri(spec.url.as_str())
        .max_concurrent_requests(in_flight)
        .max_sse_event_size(MAX_LINE)
        .reinit_on_expired_session(false)
        .custom_headers(headers);
    if let Some(bearer) = &spec.bearer {
        let token = bearer.resolve().await.map_err(|e| format!("bearer: {e}"))?;
        config = config.auth_header(token.expose_secret());
    }
    Ok(StreamableHttpClientTransport::with_client(client, config))
}
