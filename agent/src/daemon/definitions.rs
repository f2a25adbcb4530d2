//! Servers that restart or announce other tools: their definitions are held against the pins at once, and a person is told
//! of each that differs; refusing the call itself is the gate's.

use std::sync::{Arc, Weak};

use mcp_clients::Fleet;
use serde_json::json;
use state::model::Severity;

use crate::catalogue::{DefinitionError, Entry, Freshness};
use crate::ctx::Ctx;
use crate::notify::{self, card::Notice};

/// Looks whenever a server has started or announced a change, as long as the context lives.
pub(super) fn watch(ctx: &Arc<Ctx>, fleet: &Fleet) {
    let (ctx, mut changed) = (Arc::downgrade(ctx), fleet.changed());
    tokio::spawn(async move {
        let mut known = changed.borrow_and_update().clone();
        while changed.changed().await.is_ok() {
            let now = changed.borrow_and_update().clone();
            for (server, generation) in &now {
                if known.get(server) != Some(generation) && !look(&ctx, server).await {
                    return;
                }
            }
            known = now;
        }
    });
}

/// Holds every catalogued tool of a server against its pin; false when the context is gone.
async fn look(ctx: &Weak<Ctx>, server: &str) -> bool {
    let Some(ctx) = ctx.upgrade() else {
        return false;
    };
    let definitions = ctx.catalogue.definitions();
    definitions.forget(server).await;
    for (name, entry) in ctx.catalogue.iter().filter(|(_, e)| e.server == server) {
        let asked = (Freshness::Now, ctx.now());
        let found = definitions.of(ctx.toolbox.as_ref(), entry, asked).await;
        let (Err(DefinitionError::Changed { .. } | DefinitionError::Name { .. }), true) =
            (&found, entry.spec.enabled)
        else {
            continue;
        };
        let why = found.err().map(|e| e.to_string()).unwrap_or_default();
        tracing::error!(tool = name, %why, "a tool is no longer what was reviewed and is not called");
        let record =
            json!({"kind": "definition", "tool": name, "decision": "deny", "rule": 2, "why": why});
        if let Err(e) = ctx.store.append_audit(ctx.now(), &record).await {
            tracing::error!(error = %e, "the change could not be recorded");
        }
        if let Err(e) = tell(&ctx, entry, &why).await {
            tracing::error!(
                error = format!("{e:#}"),
                "the notice of it could not be stored"
            );
        }
    }
    true
}

/// Tells people of a tool that is no longer what was reviewed, once for each form that it takes.
async fn tell(ctx: &Ctx, entry: &Entry, why: &str) -> anyhow::Result<()> {
    let name = entry.name();
    let seen = ctx.catalogue.definitions().last_seen(entry).await;
    let notice = Notice {
        severity: Severity::High,
        title: format!("tool {name} is no longer what was reviewed"),
        text: format!("{why}. It is not called until then."),
    };
    let key = format!("definition:{name}:{}", seen.unwrap_or_default());
    notify::note(ctx, &key, notice).await
}
