//! Who is in a user group, asked of Slack and kept for five minutes; an answer that can't be had is nobody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::web::Web;
use crate::config::is_slack_id;

const KEPT: Duration = Duration::from_secs(300);
/// Most members that are read.
const MOST: usize = 5_000;

#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, (Instant, Vec<String>)>>);

impl Groups {
    pub(super) async fn members(&self, web: &Web, group: &str) -> Result<Vec<String>, String> {
        if !is_slack_id(group, "S") {
            return Err(format!(
                "`{}` is no user group id, S…",
                crate::text::oneline(group, 40)
            ));
        }
        if let Some(kept) = self.kept(group) {
            return Ok(kept);
        }
        let unknown = |why: String| {
            format!("who is in user group {group} can't be asked ({why}); nobody of it is let in")
        };
        let answer = web
            .members(group)
            .await
            .map_err(|e| unknown(e.to_string()))?;
        let users = answer.get("users").and_then(Value::as_array);
        let users = users.filter(|u| u.len() <= MOST);
        let users = users.ok_or_else(|| unknown("the answer holds no list of users".to_owned()))?;
        let members: Option<Vec<String>> = users
            .iter()
            .map(|u| {
                u.as_str()
                    .filter(|u| is_slack_id(u, "UW"))
                    .map(str::to_owned)
            })
            .collect();
        let members = members
            .ok_or_else(|| unknown("the answer holds something that is no user".to_owned()))?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(group.to_owned(), (Instant::now(), members.clone()));
        Ok(members)
    }

    fn kept(&self, group: &str) -> Option<Vec<String>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (at, _)| at.elapsed() < KEPT);
        all.get(group).map(|(_, members)| members.clone())
    }
}
