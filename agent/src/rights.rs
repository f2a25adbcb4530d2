//! Who may say yes: listed people and members of listed groups, never the daemon, never somebody on a case of their own; what an answer does is decided elsewhere.

use async_trait::async_trait;

use state::model::Approval;

use crate::config::{ApprovalsConfig, GROUP, SLACK};

/// Where it is said who somebody is, as refusals name it.
pub const PEOPLE: &str = "[[approvals.people]]";

/// Who belongs to a user group of the notifier.
#[async_trait]
pub trait Groups: Send + Sync {
    /// User ids of the members of a group, `U…`.
    ///
    /// # Errors
    /// Why it can't be told: then nobody is a member.
    async fn members(&self, group: &str) -> Result<Vec<String>, String>;
}

/// Nobody who could say who is in a group: nobody is in any.
#[derive(Debug, Clone)]
pub struct NoGroups {
    why: String,
}

impl NoGroups {
    /// Nobody, because.
    #[must_use]
    pub fn because(why: String) -> Self {
        Self { why }
    }
}

impl Default for NoGroups {
    fn default() -> Self {
        Self::because("there is no [notify.slack] to ask for members".to_owned())
    }
}

#[async_trait]
impl Groups for NoGroups {
    async fn members(&self, _: &str) -> Result<Vec<String>, String> {
        Err(self.why.clone())
    }
}

/// Where somebody speaks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A shell beside the store: whoever is there can write the store as they like.
    Shell,
    /// A channel that others can reach.
    Channel,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The name that counts.
    pub name: String,
    /// How it came and who the channel says it was, for the audit record: `command line as ana`.
    pub channel: String,
    /// Where they speak from.
    pub from: From,
}

impl Who {
    /// Somebody at a shell beside the store.
    #[must_use]
    pub fn at_shell(name: impl Into<String>, channel: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            channel: channel.into(),
            from: From::Shell,
        }
    }
}

/// Why somebody may not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MayNot {
    /// The rules say so.
    #[error("{0}")]
    No(String),
    /// It could not be told whether they belong to a group that may.
    #[error("{0}")]
    CannotTell(String),
}

impl std::convert::From<MayNot> for String {
    fn from(may_not: MayNot) -> Self {
        may_not.to_string()
    }
}

/// The rules on who may answer, with the groups they speak of.
#[derive(Clone, Copy)]
pub struct Rights<'a> {
    rules: &'a ApprovalsConfig,
    groups: &'a dyn Groups,
}

impl<'a> Rights<'a> {
    /// Rules and groups.
    #[must_use]
    pub fn new(rules: &'a ApprovalsConfig, groups: &'a dyn Groups) -> Self {
        Self { rules, groups }
    }

    /// Whether somebody may approve a live effect on a case that involves these accounts.
    ///
    /// # Errors
    /// Why not, naming the setting.
    pub async fn may_approve(&self, name: &str, involved: &[String]) -> Result<(), String> {
        Ok(self.may_still_approve(name, involved).await?)
    }

    /// The same, asked when the call is sent: a no is told from a look-up that failed.
    ///
    /// # Errors
    /// Why not, naming the setting.
    pub async fn may_still_approve(&self, name: &str, involved: &[String]) -> Result<(), MayNot> {
        self.apart(name, involved).map_err(MayNot::No)?;
        if name.starts_with(SLACK) {
            // They may be listed under another name too, and count twice, or be part of the case under an account of theirs.
            return Err(MayNot::No(format!(
                "`{name}` is nobody in {PEOPLE}, and who that is must be known"
            )));
        }
        self.listed(name, (&self.rules.approvers, "approvers"))
            .await
    }

    /// Whether somebody may answer a proposed close of a case that involves these accounts, or judge it.
    ///
    /// # Errors
    /// Why not, naming the setting.
    pub async fn may_close(&self, who: &Who, involved: &[String]) -> Result<(), String> {
        self.apart(&who.name, involved)?;
        if self.rules.closers.is_empty() && who.from == From::Shell {
            return Ok(());
        }
        let listed = self.listed(&who.name, (&self.rules.closers, "closers"));
        Ok(listed.await?)
    }

    /// Who asks never approves, and nobody decides on a case that they are part of.
    fn apart(&self, name: &str, involved: &[String]) -> Result<(), String> {
        let bare = name.trim();
        if bare.is_empty() || bare.eq_ignore_ascii_case("nightdesk") {
            return Err("who asks never approves".to_owned());
        }
        let known = self.rules.people.iter().find(|p| p.name == name);
        let accounts = known.map(|p| p.accounts.as_slice()).unwrap_or_default();
        let mut own = std::iter::once(bare).chain(accounts.iter().map(String::as_str));
        let part = own.find(|own| involved.iter().any(|i| same(i, own)));
        part.map_or(Ok(()), |part| {
            Err(format!(
                "`{name}` is part of this case (as `{part}`) and can't decide on it; at a shell, --by names who does"
            ))
        })
    }

    /// Whoever asked for a call again leaves the yes to others, where there are others who may give it: nobody overrules a
    /// colleague's no alone.
    ///
    /// # Errors
    /// That they asked.
    pub fn did_not_ask(&self, name: &str, asked: &Approval) -> Result<(), String> {
        let by = asked.binding["requested_by"].as_str();
        let others = self.rules.approvers.iter().any(|a| a != name);
        match by.filter(|by| others && same(by, name)) {
            Some(_) => Err(format!(
                "`{name}` asked for this call again; somebody else must approve it"
            )),
            None => Ok(()),
        }
    }

    /// Whether somebody may approve this very call: they may approve, and did not ask for it again.
    ///
    /// # Errors
    /// Why not.
    pub async fn may_say_yes(
        &self,
        name: &str,
        involved: &[String],
        asked: &Approval,
    ) -> Result<(), String> {
        self.did_not_ask(name, asked)?;
        self.may_approve(name, involved).await
    }

    async fn listed(&self, name: &str, (list, setting): (&[String], &str)) -> Result<(), MayNot> {
        if list.iter().any(|entry| entry == name) && !name.starts_with(GROUP) {
            return Ok(());
        }
        if name.starts_with(SLACK) {
            // Nobody knows which accounts in a case are theirs; who lists them by this very id has decided so.
            return Err(MayNot::No(format!(
                "`{name}` is nobody in {PEOPLE} and not listed in [approvals] {setting} as such; a member of a group must be known by name"
            )));
        }
        let mut failed = None;
        if let Some(slack) = self.rules.slack_of(name) {
            for group in list.iter().filter_map(|e| e.strip_prefix(GROUP)) {
                match self.groups.members(group).await {
                    Ok(members) if members.iter().any(|m| m == slack) => return Ok(()),
                    Ok(_) => {}
                    Err(why) => {
                        failed = Some(format!("; who is in group {group} can't be told: {why}"))
                    }
                }
            }
        }
        let why = format!("`{name}` is not one of [approvals] {setting}");
        Err(match failed {
            None => MayNot::No(why),
            Some(failed) => MayNot::CannotTell(format!("{why}{failed}")),
        })
    }
}

/// Whether two spellings name one account.
fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}
