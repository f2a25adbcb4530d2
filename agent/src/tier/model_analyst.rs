//! The model analyst: a bounded tool-calling loop with one form of answer, whose claims are checked; it grants nothing.

use std::time::Duration;

use serde_json::{Map, Value};
use state::model::{Analyst, Assessment, Claim, Gap, Reason, Tier, VerdictKind};
use tokio::time::Instant;
use tracing::Instrument;

use crate::ctx::Ctx;
use crate::gate::{self, Meter, Origin, Request};
use crate::llm::schema::{self, SUBMIT, Submitted};
use crate::llm::{Ask, Call, Finish, Llm, LlmError, Message, ToolChoice, ToolSpec, Turn};
use crate::telemetry::spans;

use super::grounding::{Grounded, ground};
use super::model_context::{LINE, offered, shown, variables};
use super::veil::Veil;
use super::{Dossier, Plan};

/// What the model says, checked.
#[derive(Debug, Clone)]
pub struct ModelView {
    /// The assessment; its confidence is capped when a claim fell.
    pub assessment: Assessment,
    /// Whether every claim stands in the evidence it cites.
    pub stands: bool,
    /// Model name.
    pub model: String,
    /// SHA-256 of the prompt, hex.
    pub prompt_hash: String,
}

/// Highest confidence of an assessment in which a claim does not stand.
const CAP: i64 = 40;

impl ModelView {
    /// Whether it says harmless and every claim stands.
    #[must_use]
    pub fn agrees_benign(&self) -> bool {
        self.assessment.verdict.is_benign() && self.assessment.probability < 0.5 && self.stands
    }

    /// One sentence on what the model said beside the playbook analyst.
    #[must_use]
    pub fn note(&self, playbook: VerdictKind) -> String {
        let said = self.assessment.verdict;
        let agreement = match said == playbook || (said.is_benign() && playbook.is_benign()) {
            true => "agrees with the playbook analyst",
            false => "differs from the playbook analyst",
        };
        let grounding = if self.stands {
            ""
        } else {
            "; at least one of its claims does not stand in the evidence it cites"
        };
        format!("the model says {said} and {agreement} ({playbook}){grounding}")
    }

    /// The lower of both confidences: the model can only make it less sure.
    #[must_use]
    pub fn joint_confidence(&self, playbook: &Assessment) -> i64 {
        self.assessment.confidence.min(playbook.confidence.max(CAP))
    }
}

/// Why the model could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelFailure {
    /// None is configured or the prompt is wrong.
    #[error("{0}")]
    Setup(String),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] LlmError),
    /// It answered, and not in the form asked for, twice.
    #[error("its answer was not usable: {0}")]
    Answer(String),
    /// It would not answer.
    #[error("it refused: {0}")]
    Refused(String),
    /// Turns, tokens, money or time ran out.
    #[error("its budget ran out: {0}")]
    Budget(String),
    /// A tool result could not be stored.
    #[error("the store failed: {0}")]
    Store(#[from] state::store::StoreError),
}

/// Asks the model of a tier.
///
/// # Errors
/// [`ModelFailure`]: never a verdict; the caller falls back to the playbook analyst.
pub async fn assess(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    known: (&Meter, &Assessment),
    dossier: &mut Dossier,
) -> Result<ModelView, ModelFailure> {
    let (meter, first) = known;
    let setup = |why: &str| ModelFailure::Setup(why.to_owned());
    let llm = ctx
        .llm
        .as_ref()
        .ok_or_else(|| setup("no model is configured"))?;
    let model = ctx
        .config
        .model
        .as_ref()
        .ok_or_else(|| setup("no [model] is configured"))?;
    let settings = ctx.config.tiers.of(tier);
    let veil = Veil::drawn(&ctx.dice, &dossier.evidence);
    let name = settings
        .prompt
        .clone()
        .unwrap_or_else(|| format!("tier{tier}"));
    let variables = variables(plan, tier, dossier, (first, meter, &veil));
    let prompt = ctx
        .prompts
        .render(&name, &variables)
        .map_err(ModelFailure::Setup)?;
    let mut talk = Talk {
        ctx,
        plan,
        tier,
        meter,
        llm: llm.as_ref(),
        veil,
        offered: offered(ctx, tier).await,
        model: settings
            .model
            .clone()
            .unwrap_or_else(|| model.model.clone()),
        messages: vec![Message::System(prompt.system), Message::User(prompt.user)],
        deadline: Instant::now() + Duration::from_secs(meter.budget().seconds),
    };
    let submitted = talk.run(dossier).await?;
    Ok(view(
        ctx,
        tier,
        dossier,
        submitted,
        (talk.model, prompt.hash),
    ))
}

struct Talk<'a, 'c> {
    ctx: &'a Ctx,
    plan: &'a Plan<'c>,
    tier: Tier,
    meter: &'a Meter,
    llm: &'a dyn Llm,
    veil: Veil,
    offered: Vec<ToolSpec>,
    model: String,
    messages: Vec<Message>,
    deadline: Instant,
}

impl Talk<'_, '_> {
    async fn run(&mut self, dossier: &mut Dossier) -> Result<Submitted, ModelFailure> {
        let mut complaints = 0;
        loop {
            let turn = self.turn().await?;
            self.messages.push(Message::Assistant {
                text: turn.text.clone(),
                calls: turn.calls.clone(),
            });
            let complaint = match self.read(&turn)? {
                Said::Submitted(submitted) => return Ok(*submitted),
                Said::Wrong(why) => Some(why),
                Said::Calls => None,
            };
            let others: Vec<Call> = turn
                .calls
                .iter()
                .filter(|c| c.name != SUBMIT)
                .cloned()
                .collect();
            for call in &turn.calls {
                let content = match (&complaint, call.name == SUBMIT) {
                    (Some(why), true) => why.clone(),
                    _ => self.call(dossier, call).await?,
                };
                self.messages.push(Message::Tool {
                    call_id: call.id.clone(),
                    content,
                });
            }
            if let Some(why) = complaint {
                complaints += 1;
                if complaints > 1 {
                    return Err(ModelFailure::Answer(why));
                }
                if others.len() == turn.calls.len() {
                    self.messages.push(Message::User(why));
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, ModelFailure> {
        self.meter
            .take_turn()
            .map_err(|r| ModelFailure::Budget(r.why))?;
        if Instant::now() >= self.deadline {
            return Err(self.too_long());
        }
        let config = self.ctx.config.model.as_ref();
        let last = self.meter.spent().turns >= self.meter.budget().turns;
        let mut tools = if last {
            Vec::new()
        } else {
            self.offered.clone()
        };
        tools.push(schema::tool(self.tier));
        let ask = Ask {
            model: self.model.clone(),
            messages: self.messages.clone(),
            tools,
            choice: if last {
                ToolChoice::Must(SUBMIT.to_owned())
            } else {
                ToolChoice::Auto
            },
            max_tokens: config.map_or(4096, |m| m.max_tokens),
            temperature: config.and_then(|m| m.temperature),
            deadline: self.deadline,
        };
        let meters = &self.ctx.guard.meters;
        let span = spans::model(&ask.model, ask.max_tokens);
        let turn = self.llm.turn(&ask).instrument(span.clone()).await;
        let turn = turn.inspect_err(|e| {
            span.record("error.type", e.kind());
            meters.unanswered(e.kind());
        })?;
        span.record("gen_ai.usage.input_tokens", turn.usage.tokens_in);
        span.record("gen_ai.usage.output_tokens", turn.usage.tokens_out);
        span.record("nightdesk.attempts", turn.attempts);
        meters.answered(turn.usage.tokens_in, turn.usage.tokens_out);
        let usd = config.map_or(0.0, |m| m.cost(turn.usage.tokens_in, turn.usage.tokens_out));
        self.meter
            .add(turn.usage.tokens_in, turn.usage.tokens_out, usd);
        Ok(turn)
    }

    fn too_long(&self) -> ModelFailure {
        ModelFailure::Budget(format!("{} seconds", self.meter.budget().seconds))
    }

    fn read(&self, turn: &Turn) -> Result<Said, ModelFailure> {
        if let Some(refusal) = &turn.refusal {
            return Err(ModelFailure::Refused(refusal.chars().take(200).collect()));
        }
        match turn.finish {
            Finish::ContentFilter => {
                return Err(ModelFailure::Refused(
                    "the endpoint filtered its answer".to_owned(),
                ));
            }
            Finish::Length => {
                return Err(ModelFailure::Answer(
                    "it was cut off at the token limit".to_owned(),
                ));
            }
            _ => {}
        }
        let mut submits = turn.calls.iter().filter(|c| c.name == SUBMIT);
        match (submits.next(), submits.next()) {
            (Some(call), None) => Ok(
                match Submitted::parse(&self.veil.off(&call.arguments), self.tier) {
                    Ok(submitted) => Said::Submitted(Box::new(submitted)),
                    Err(e) => Said::Wrong(format!("{e}. Call {SUBMIT} again, corrected.")),
                },
            ),
            (Some(_), Some(_)) => Ok(Said::Wrong(format!("call {SUBMIT} exactly once"))),
            (None, _) if turn.calls.is_empty() => Ok(Said::Wrong(format!(
                "text is not an answer: call {SUBMIT}, or a tool you were given"
            ))),
            (None, _) => Ok(Said::Calls),
        }
    }

    async fn call(&self, dossier: &mut Dossier, call: &Call) -> Result<String, ModelFailure> {
        if !self.offered.iter().any(|t| t.name == call.name) {
            tracing::warn!(case = %self.plan.case, "the model called a tool that it was not offered");
        }
        if Instant::now() >= self.deadline {
            return Err(self.too_long());
        }
        let arguments: Map<String, Value> =
            match serde_json::from_str(&self.veil.off(&call.arguments)) {
                Ok(Value::Object(map)) => map,
                // No schema has such an argument: the gate refuses it, and that is on record.
                _ => {
                    let said: String = call.arguments.chars().take(200).collect();
                    Map::from_iter([("(no JSON object)".to_owned(), Value::String(said))])
                }
            };
        let asked_by = format!("model:{}", self.meter.spent().turns);
        let request = Request {
            subject: &self.plan.subject,
            tier: self.tier,
            asked_by: &asked_by,
            tool: &call.name,
            arguments,
            as_of: self.plan.as_of,
            origin: Origin::Model,
        };
        let called = gate::call(self.ctx, self.meter, request).await;
        let found = gate::evidence(self.ctx, self.plan.case, &asked_by, &call.name, called);
        let scan = gate::scan(self.ctx, &found);
        let found = self.ctx.store.add_evidence(found).await?;
        let events = gate::flagged(self.ctx, &found, &scan);
        self.ctx.store.add_events(events).await?;
        let (fence, reference) = (&self.veil.fence, &found.reference);
        let (summary, shown) = (
            self.veil.over(&found.summary, LINE),
            shown(&found, &self.veil),
        );
        let text = format!(
            "{reference}: {}\n<<<{fence} {reference}\n{summary}\n{shown}\n{fence}>>>",
            found.answer
        );
        dossier.add(found, scan);
        Ok(text)
    }
}

enum Said {
    Submitted(Box<Submitted>),
    Wrong(String),
    Calls,
}

fn view(
    ctx: &Ctx,
    tier: Tier,
    dossier: &Dossier,
    submitted: Submitted,
    made: (String, String),
) -> ModelView {
    let mut stands = true;
    let mut gaps = submitted.gaps;
    let claims: Vec<Claim> = submitted
        .claims
        .into_iter()
        .filter(|claim| match ground(claim, dossier) {
            Grounded::Stands => true,
            Grounded::Falls(why) => {
                stands = false;
                gaps.push(Gap {
                    what: format!("the model's claim: {}", claim.text),
                    why,
                    required: false,
                });
                false
            }
        })
        .collect();
    let lean = if submitted.probability_malicious >= 0.5 {
        0.01
    } else {
        -0.01
    };
    let reasons = claims.into_iter().map(|claim| Reason {
        id: "model".to_owned(),
        weight: lean,
        claim,
    });
    let attack = ctx.library.attack();
    let techniques = submitted
        .techniques
        .iter()
        .filter_map(|t| attack.get(t))
        .map(|t| t.id.clone());
    let confidence = if stands {
        submitted.confidence
    } else {
        submitted.confidence.min(CAP)
    };
    ModelView {
        assessment: Assessment {
            tier,
            analyst: Analyst::Model,
            verdict: submitted.verdict,
            probability: submitted.probability_malicious,
            confidence,
            reasons: reasons.collect(),
            gaps,
            techniques: techniques.collect(),
            close_allowed: false,
        },
        stands,
        model: made.0,
        prompt_hash: made.1,
    }
}
