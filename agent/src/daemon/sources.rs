//! Builds the configured alert sources; polled ones ask through the gate, the webhook hands on what is pushed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use mcp_clients::mappings::Rejected;
use mcp_clients::sources::webhook::{Accepted, AlertSink, Endpoint, SinkError, serve};
use mcp_clients::sources::{self, AlertSource, Clock, Origin};
use state::model::NewAlert;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::gate::PollBox;
use crate::pipeline;

/// A source that is asked again and again.
pub struct Pollable {
    /// How often.
    pub every: Duration,
    /// The source.
    pub source: Box<dyn AlertSource>,
}

/// All polled sources of the configuration.
///
/// # Errors
/// Every fault of every source.
pub fn pollable(ctx: &Arc<Ctx>) -> anyhow::Result<Vec<Pollable>> {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for config in &ctx.config.sources {
        let tools = Arc::new(PollBox::new(ctx.clone()));
        match sources::build(config, ctx.mappings.clone(), tools, clock(ctx)) {
            Ok(Some(source)) => found.push(Pollable {
                every: config.every.0,
                source,
            }),
            Ok(None) => {}
            Err(mut why) => faults.append(&mut why),
        }
    }
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(found)
}

fn clock(ctx: &Ctx) -> Clock {
    let clock = ctx.clock.clone();
    Arc::new(move || clock.now())
}

/// What is pushed goes the same way as what is polled.
struct Sink {
    ctx: Arc<Ctx>,
    arrived: Arc<Notify>,
}

#[async_trait]
impl AlertSink for Sink {
    async fn accept(
        &self,
        source: &str,
        alerts: Vec<NewAlert>,
        rejected: Vec<Rejected>,
    ) -> Result<Vec<Accepted>, SinkError> {
        let stored = pipeline::accept(&self.ctx, source, &alerts, rejected).await;
        let received = stored.map_err(|e| SinkError(format!("{e:#}")))?;
        self.arrived.notify_one();
        let accepted = alerts.iter().zip(received).map(|(alert, r)| Accepted {
            source_alert_id: alert.source_alert_id.clone(),
            new: r.new,
        });
        Ok(accepted.collect())
    }
}

/// The webhook listeners, bound and ready to be driven; sources that name one address share it.
///
/// # Errors
/// When an address can't be listened on or a secret can't be had.
pub async fn webhook(
    ctx: &Arc<Ctx>,
    arrived: &Arc<Notify>,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<impl Future<Output = ()> + Send + use<>>> {
    let mut endpoints: BTreeMap<SocketAddr, Vec<Endpoint>> = BTreeMap::new();
    for config in &ctx.config.sources {
        if let Origin::Webhook(hook) = &config.origin {
            let endpoint = Endpoint::new(config, ctx.mappings.clone()).await;
            let endpoint = endpoint.map_err(|faults| anyhow::anyhow!(faults.join("\n")))?;
            endpoints.entry(hook.listen).or_default().push(endpoint);
        }
    }
    let sink: Arc<dyn AlertSink> = Arc::new(Sink {
        ctx: ctx.clone(),
        arrived: arrived.clone(),
    });
    let mut serving = Vec::new();
    for (address, endpoints) in endpoints {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("the webhook can't listen on {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "webhook listens");
        let (sink, clock, stop) = (sink.clone(), clock(ctx), stop.clone());
        serving.push(async move {
            if let Err(e) = serve(listener, endpoints, sink, clock, stop).await {
                tracing::error!(error = %e, "the webhook stopped listening");
            }
        });
    }
    Ok(serving)
}
