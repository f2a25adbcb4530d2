//! `/metrics`: the meters, and the gauges of the store read anew every few seconds; a store that does not answer in time leaves the last ones.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use state::model::{Switch, SwitchState};

use crate::gate;

use super::{Looked, accept};

/// How long what was read from the store is told again.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// How long the store may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Everything the daemon counts.
pub(super) async fn metrics(State(looked): State<Arc<Looked>>, headers: HeaderMap) -> Response {
    refresh(&looked).await;
    let asked: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    let how = accept::exposition(&asked.join(","));
    match looked.ctx.guard.meters.render(how) {
        Ok(text) => {
            let kind = HeaderValue::from_static(how.content_type());
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(e) => {
            tracing::error!(error = %e, "the metrics could not be written down");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Reads the store's gauges, if they have grown old.
pub(super) async fn refresh(looked: &Looked) {
    if !looked.gauges.is_due() {
        return;
    }
    let (ctx, meters) = (&looked.ctx, &looked.ctx.guard.meters);
    meters.read_integrity(ctx.guard.integrity.broken());
    let read = async {
        for switch in Switch::ALL {
            let state = match gate::standing(ctx, *switch).await {
                None => SwitchState::On,
                Some(_) => SwitchState::Off,
            };
            meters.read_switch(*switch, state);
        }
        ctx.store.live().await
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(live)) => meters.read_store(&live, ctx.now()),
        Ok(Err(e)) => tracing::warn!(error = %e, "the gauges could not be read from the store"),
        Err(_) => tracing::warn!("the store did not give the gauges in time"),
    }
}
