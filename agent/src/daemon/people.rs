//! The daemon's ways to people and back: every notifier with its outbox, and the clicks of Slack; what is told and what a word does is the room `notify`'s.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::SlackMode;
use crate::ctx::{Ctx, Dice};
use crate::http::{self, Listening};
use crate::notify::slack::{self, Clicks, Slack, SocketState};
use crate::notify::{self, Notifier, Words};
use crate::telemetry::Link;

use super::telling;

/// Ways to people, opened and not yet used.
pub struct People {
    notifiers: Vec<Arc<dyn Notifier>>,
    clicks: Option<Arc<Clicks>>,
    mode: SlackMode,
    listening: Option<Listening>,
}

impl People {
    /// Opens what `[notify]` names; nothing is sent yet.
    ///
    /// # Errors
    /// When a secret can't be had or an address can't be read, naming the setting.
    pub async fn open(ctx: &Arc<Ctx>) -> anyhow::Result<Self> {
        let config = &ctx.config.people.notify;
        let mut notifiers = notify::notifiers(config).await?;
        let mut clicks = None;
        let mut mode = SlackMode::default();
        if let Some(settings) = &config.slack {
            let slack = Slack::new(settings, ctx.clock.clone(), Dice::unforeseen()).await;
            let slack = Arc::new(slack.context("slack can't be set up")?);
            clicks = Some(Clicks::new(slack.clone(), Words::new(ctx.clone())));
            mode = settings.mode;
            notifiers.insert(0, slack);
        }
        Ok(Self {
            notifiers,
            clicks,
            mode,
            listening: None,
        })
    }

    /// Binds the listener that Slack calls, when it is to call: nothing else answers there.
    ///
    /// # Errors
    /// When its address is missing or can't be listened on.
    pub async fn reachable(mut self, ctx: &Ctx) -> anyhow::Result<Self> {
        let settings = ctx.config.people.notify.slack.as_ref();
        if let (Some(clicks), Some(settings), SlackMode::Http) = (&self.clicks, settings, self.mode)
        {
            let section = "[notify.slack]";
            let listen = settings
                .listen
                .with_context(|| format!("{section} listen is needed for mode \"http\""))?;
            let router = slack::router(clicks.clone());
            let listening = http::bind_alone(section, listen, router).await?;
            tracing::info!(address = %listening.address(), "slack's clicks are taken");
            self.listening = Some(listening);
        }
        Ok(self)
    }

    /// Tells people and listens to them until `stop`.
    pub(super) fn spawn(self, ctx: &Arc<Ctx>, tasks: &TaskTracker, stop: &CancellationToken) {
        for notifier in self.notifiers {
            tasks.spawn(telling::keep(ctx.clone(), notifier, stop.clone()));
        }
        let Some(clicks) = self.clicks else {
            return;
        };
        let (ctx, mode, stop) = (ctx.clone(), self.mode, stop.clone());
        let listening = self.listening;
        tasks.spawn(async move {
            match mode {
                SlackMode::Socket => {
                    let (state, told) = watch::channel(SocketState::Starting);
                    let listening = slack::listen(clicks.clone(), state, stop);
                    tokio::join!(listening, follow(&ctx, told));
                }
                SlackMode::Http => match listening {
                    Some(listening) => listening.serve(stop).await,
                    None => stop.cancelled().await,
                },
            }
            clicks.drain().await;
        });
    }

    /// From now on people are told: of what happened before a notifier was first seen it tells nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self, ctx: &Ctx) -> anyhow::Result<()> {
        for notifier in &self.notifiers {
            ctx.store.told_since(notifier.name(), ctx.now()).await?;
        }
        Ok(())
    }

    /// Tells people all there is to tell now, or until `stop` the most urgent of it; for runs that end by themselves.
    pub async fn tell_once(&self, ctx: &Ctx, stop: &CancellationToken) {
        for notifier in &self.notifiers {
            loop {
                match telling::tell(ctx, &**notifier).await {
                    // There may be more.
                    Ok(told) if told > 0 && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(e) => {
                        tracing::error!(
                            notifier = notifier.name(),
                            error = format!("{e:#}"),
                            "people could not be told; the next run tries it again"
                        );
                        break;
                    }
                }
            }
        }
    }
}

/// Notes how the socket stands, for who watches the daemon, until nobody listens any more.
async fn follow(ctx: &Ctx, mut told: watch::Receiver<SocketState>) {
    while told.changed().await.is_ok() {
        let link = match *told.borrow_and_update() {
            SocketState::Connected { .. } => Link::Up,
            SocketState::Starting | SocketState::Waiting { .. } => Link::Down,
        };
        ctx.guard.meters.linked("slack", link, ctx.now());
    }
}
