//! What makes two alerts of a rule alike: principal, deed, content; an outsider's text can only make alerts differ.
//!
//! Fields count whatever their trust: a field that an attacker writes may be forged to be equal, and then the trusted
//! ones still have to be equal, but one that differs is another case.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use state::model::{Activity, Alert, Entity, EntityKind, Field, Likeness, Role, Trust};

use crate::data::sha256_hex;

use super::told::{Part, told};
use super::words::{masked, timeless};

/// What makes another alert of the rule like this one; empty when it names no trusted principal.
#[must_use]
pub fn likeness(alert: &Alert) -> Likeness {
    let Some(principal) = principal(&alert.entities) else {
        return Likeness::default();
    };
    let about = json!([alert.source, alert.mapping, alert.rule.id, principal]);
    let mut deeds = BTreeSet::new();
    let mut content = BTreeSet::new();
    for activity in &alert.activities {
        let deed = told(&activity.raw, Part::Deed);
        deeds.insert(json!([form(activity), deed]).to_string());
        content.insert(told(&activity.raw, Part::All).to_string());
    }
    if alert.activities.is_empty() {
        // Without an event that could be read only the whole text says what it is.
        deeds.insert(match serde_json::from_str::<Value>(&alert.raw) {
            Ok(raw) => told(&raw, Part::All).to_string(),
            Err(_) => timeless(&alert.raw),
        });
    }
    let shape = sha256_hex(json!([about, deeds]).to_string());
    Likeness {
        content: sha256_hex(json!([shape, content]).to_string()),
        shape,
        principal,
    }
}

/// Whom the alert is about, by a trusted field: who acted, else the host, else the address it came from.
fn principal(entities: &[Entity]) -> Option<String> {
    let of = |kind: EntityKind, role: Option<Role>| {
        let is_it = |e: &&Entity| {
            e.kind == kind && role.is_none_or(|r| e.role == r) && e.trust == Trust::Trusted
        };
        entities.iter().filter(is_it).map(Entity::key).min()
    };
    of(EntityKind::User, Some(Role::Principal))
        .or_else(|| of(EntityKind::Host, None))
        .or_else(|| of(EntityKind::User, None))
        .or_else(|| of(EntityKind::Resource, None))
        .or_else(|| of(EntityKind::Address, None))
        .filter(|key| !key.is_empty())
}

/// The normalised fields of an event, without those that differ at every use.
fn form(activity: &Activity) -> Vec<String> {
    let mut lines = BTreeSet::from([format!("schema={}", activity.schema)]);
    for (field, fact) in &activity.fields {
        let value = match field {
            Field::UserId | Field::Session | Field::ProcessId | Field::Message => continue,
            Field::Bytes => fact.value.trim().len().to_string(),
            Field::UserAgent => masked(&fact.value),
            // Whose letters' case may be what it says.
            Field::CommandLine | Field::File | Field::Url | Field::Subject => {
                fact.value.trim().to_owned()
            }
            _ => fact.value.trim().to_lowercase(),
        };
        if !value.is_empty() {
            lines.insert(format!("{field}={value}"));
        }
    }
    lines.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::LazyLock;

    use chrono::DateTime;
    use mcp_clients::mappings::Mappings;
    use state::model::AlertId;

    use super::*;

    static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::load(None).unwrap());

    /// What makes an alert about this event like another one.
    fn of(event: &Value) -> Likeness {
        let alert = json!({"id": "a", "rule_id": "R.1", "title": "T", "severity": "HIGH",
            "created_at": "2026-03-01T10:00:00Z", "log_types": ["x"], "events": [event]});
        let data = MAPPINGS
            .read("panther", "siem", &alert.to_string())
            .unwrap();
        assert_ne!(data.activities[0].schema, "unknown", "{event}");
        likeness(&Alert {
            id: AlertId(1),
            received: DateTime::UNIX_EPOCH,
            data,
        })
    }

    fn trail(name: &str, parameters: Value) -> Value {
        json!({"eventVersion": "1.11", "eventID": "7e49174a-df65-47e0-b2ab-0791db8a62ce", "eventTime": "2026-03-01T10:00:00Z",
            "requestID": "b2c7c376-a07c-4542-8501-26aef49fcb48", "eventSource": "ec2.amazonaws.com", "eventName": name,
            "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.10", "userAgent": "aws-cli/2.15.1", "recipientAccountId": "111122223333",
            "userIdentity": {"type": "IAMUser", "userName": "ana", "arn": "arn:aws:iam::111122223333:user/ana", "accessKeyId": "ASIARCPT5AK6DWHE3Y2A"},
            "requestParameters": parameters, "responseElements": {"requestId": "0f1e2d3c", "_return": true}})
    }

    fn opened(port: u16, from: &str) -> Value {
        trail(
            "AuthorizeSecurityGroupIngress",
            json!({"groupId": "sg-0abc12de34f567890", "ipPermissions": {"items": [
            {"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": {"items": [{"cidrIp": from}]}}]}}),
        )
    }

    #[test]
    fn what_was_asked_for_is_another_deed_to_the_last_digit() {
        let shared = |account: &str| {
            trail(
                "ModifySnapshotAttribute",
                json!({"snapshotId": "snap-0abc12de34f567890", "createVolumePermission": {"add": {"items": [{"userId": account}]}}}),
            )
        };
        let trusted = |account: &str| {
            trail(
                "UpdateAssumeRolePolicy",
                json!({"roleName": "deploy", "policyDocument": format!("{{\"Statement\":[{{\"Principal\":{{\"AWS\":\"{account}\"}}}}]}}")}),
            )
        };
        let allowed = |action: &str| {
            trail(
                "PutRolePolicy",
                json!({"roleName": "deploy", "policyName": "p", "policyDocument": format!("{{\"Statement\":[{{\"Action\":\"{action}\"}}]}}")}),
            )
        };
        let ran = |document: &str, on: &str| {
            trail(
                "SendCommand",
                json!({"documentName": document, "instanceIds": [on]}),
            )
        };
        let pairs = |first: [&str; 2], second: [&str; 2]| {
            trail(
                "AuthorizeSecurityGroupIngress",
                json!({"items": [{"fromPort": first[0], "cidrIp": first[1]}, {"fromPort": second[0], "cidrIp": second[1]}]}),
            )
        };
        for (one, other) in [
            (opened(443, "10.20.0.0/16"), opened(22, "10.20.0.0/16")),
            (opened(443, "10.20.0.0/16"), opened(443, "203.0.113.66/32")),
            (shared("222233334444"), shared("555566667777")),
            (trusted("222233334444"), trusted("555566667777")),
            (allowed("s3:GetObject"), allowed("secretsmanager:*")),
            (
                ran("AWS-RunPatchBaseline", "i-01"),
                ran("AWS-RunShellScript", "i-01"),
            ),
            (
                ran("AWS-RunPatchBaseline", "i-01"),
                ran("AWS-RunPatchBaseline", "i-02"),
            ),
            // The same numbers, otherwise together.
            (
                pairs(["443", "0.0.0.0/0"], ["22", "10.0.0.0/8"]),
                pairs(["22", "0.0.0.0/0"], ["443", "10.0.0.0/8"]),
            ),
        ] {
            let (one, other) = (of(&one), of(&other));
            assert_eq!(one.principal, other.principal);
            assert_ne!(one.shape, other.shape);
            assert_ne!(one.content, other.content);
        }
    }

    #[test]
    fn the_same_deed_at_another_time_is_alike() {
        let first = opened(443, "10.20.0.0/16");
        let mut later = first.clone();
        later["eventTime"] = json!("2026-03-09T16:20:31Z");
        later["eventID"] = json!("573d714c-5591-4767-9e84-a15134b2a7ea");
        later["requestID"] = json!("2fd04e3c-69ef-47b3-99d5-69c3a222f879");
        later["userIdentity"]["accessKeyId"] = json!("ASIAX7BRXRG2VMRF2Q5Z");
        later["responseElements"]["requestId"] = json!("9a8b7c6d");
        later["userAgent"] = json!("aws-cli/2.16.0");
        assert_eq!(of(&first), of(&later));
        // Circumstances are content, not deed.
        later["tlsDetails"] = json!({"tlsVersion": "TLSv1.2"});
        let (one, other) = (of(&first), of(&later));
        assert_eq!(one.shape, other.shape);
        assert_ne!(one.content, other.content);
        // Whose key it is, where it lasts, is told.
        later["userIdentity"]["accessKeyId"] = json!("AKIA6EFS7BRXRG2VMRF2");
        assert_ne!(of(&first).shape, of(&later).shape);
    }
    #[test]
    fn a_role_that_a_program_takes_on_is_alike_in_another_session() {
        let taken = |session: &str| {
            let mut event = opened(443, "10.20.0.0/16");
            event["userIdentity"] = json!({"type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{session}"),
                "arn": format!("arn:aws:sts::111122223333:assumed-role/deploy/{session}"), "accessKeyId": "ASIARCPT5AK6DWHE3Y2A",
                "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "deploy", "arn": "arn:aws:iam::111122223333:role/deploy"}}});
            of(&event)
        };
        assert_eq!(taken("1772538555555825313"), taken("1772820144898846040"));
        assert_ne!(
            taken("ana@corp.example").shape,
            taken("eve@corp.example").shape
        );
    }

    #[test]
    fn names_with_points_are_read_as_objects_in_objects() {
        let ran = |pid: u32, exe: &str, arg: u32| {
            let event = json!({"event.code": "4688", "source.port": pid, "source": {"port": pid}, "process.pid": pid, "process.executable": exe, "process.args": [arg.to_string()]});
            told(&event, Part::Deed)
        };
        assert_eq!(ran(4711, "/bin/su", 1), ran(9, "/bin/su", 1));
        assert_ne!(ran(4711, "/bin/su", 1), ran(4711, "/bin/sh", 1));
        assert_ne!(ran(4711, "/bin/su", 1), ran(4711, "/bin/su", 2));
    }
}
