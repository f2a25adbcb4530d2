//! Child processes that misbehave: each fault is named for what it is, and no process is left behind.

use std::path::Path;
use std::time::Duration;

use mcp_clients::supervise::ServerState;
use mcp_clients::{ToolBox, ToolFailure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::{
    PATIENCE, down_reason, fleet, next_generation, no_arguments, process, scripted, status,
};

#[tokio::test]
async fn a_server_that_can_not_start_says_why_and_calls_fail_at_once() {
    let cases = [
        (
            "exit-at-once",
            vec!["exit status: 3", "backend refused: 401"],
        ),
        ("silent-start", vec!["no handshake in 500ms"]),
    ];
    for (behaviour, words) in cases {
        let mut spec = scripted(behaviour);
        if behaviour == "silent-start" {
            spec.limits.start = Duration::from_millis(500);
        }
        let fleet = fleet(spec).await;
        let reason = down_reason(&fleet);
        for word in words {
            assert!(reason.contains(word), "{behaviour}: {reason}");
        }
        assert!(!reason.contains('\u{1b}'), "{reason:?}");
        let failure = fleet.call("s", "echo", no_arguments()).await.unwrap_err();
        assert!(
            matches!(&failure, ToolFailure::Unavailable { .. }),
            "{failure:?}"
        );
        assert!(!failure.may_have_run());
        fleet.shutdown().await;
    }
    let mut spec = scripted("normal");
    process(&mut spec).command = "no-such-program-anywhere".to_owned();
    let fleet = fleet(spec).await;
    assert!(down_reason(&fleet).contains("could not be started"));
    fleet.shutdown().await;
    let mut spec = scripted("normal");
    process(&mut spec)
        .env_from
        .push("NO_SUCH_VARIABLE_ANYWHERE".to_owned());
    let fleet = crate::support::fleet(spec).await;
    assert!(down_reason(&fleet).contains("NO_SUCH_VARIABLE_ANYWHERE"));
    fleet.shutdown().await;
}

#[tokio::test]
async fn a_killed_server_is_noticed_without_a_call_and_comes_back() {
    let fleet = fleet(scripted("normal")).await;
    let before = status(&fleet);
    assert_eq!(before.state, ServerState::Ready);
    let pid = before.pid.unwrap();
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    next_generation(&fleet, 1).await;
    let after = status(&fleet);
    assert_eq!((after.state, after.restarts), (ServerState::Ready, 1));
    assert_ne!(after.pid.unwrap(), pid);
    assert!(fleet.call("s", "echo", no_arguments()).await.is_ok());
    fleet.shutdown().await;
    assert_gone(pid).await;
    assert_gone(after.pid.unwrap()).await;
}

#[tokio::test]
async fn a_call_that_kills_its_server_is_lost_and_never_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut spec = scripted("die-in-call");
    log_to(&mut spec, &log);
    let fleet = fleet(spec).await;
    let failure = fleet.call("s", "echo", no_arguments()).await.unwrap_err();
    assert!(matches!(&failure, ToolFailure::Lost { .. }), "{failure:?}");
    assert!(failure.may_have_run());
    next_generation(&fleet, 1).await;
    fleet.shutdown().await;
    let received = std::fs::read_to_string(&log).unwrap();
    assert_eq!(
        received.lines().filter(|l| *l == "tools/call").count(),
        1,
        "{received}"
    );
    assert_eq!(
        received.lines().filter(|l| *l == "initialize").count(),
        2,
        "{received}"
    );
}

#[tokio::test]
async fn a_hung_call_times_out_and_a_hung_server_is_started_again() {
    let mut spec = scripted("hang-call");
    spec.limits.call = Duration::from_millis(200);
    let fleet = fleet(spec).await;
    for _ in 0..3 {
        let failure = fleet.call("s", "echo", no_arguments()).await.unwrap_err();
        assert!(
            matches!(&failure, ToolFailure::TimedOut { .. }),
            "{failure:?}"
        );
        assert!(failure.may_have_run());
    }
    next_generation(&fleet, 1).await;
    assert_eq!(status(&fleet).restarts, 1);
    fleet.shutdown().await;
}

#[tokio::test]
async fn tool_lists_are_read_anew_to_their_end_and_within_bounds() {
    let fleet_of = |behaviour: &str| {
        let mut spec = scripted(behaviour);
        spec.limits.list = if behaviour == "slow-list" {
            Duration::from_millis(200)
        } else {
            PATIENCE
        };
        fleet(spec)
    };
    let slow = fleet_of("slow-list").await;
    assert!(matches!(
        slow.tools("s").await,
        Err(ToolFailure::TimedOut { .. })
    ));
    slow.shutdown().await;
    let endless = fleet_of("endless-list").await;
    assert!(matches!(
        endless.tools("s").await,
        Err(ToolFailure::Protocol { code: 0, .. })
    ));
    endless.shutdown().await;

    let changing = fleet_of("changes-tools").await;
    let names = async || -> Vec<String> {
        let tools = changing.tools("s").await.unwrap();
        tools.into_iter().map(|t| t.name).collect()
    };
    assert_eq!(names().await, ["echo", "second"]);
    changing.call("s", "echo", no_arguments()).await.unwrap();
    assert_eq!(
        next_generation(&changing, 1).await,
        2,
        "the announcement is passed on"
    );
    assert_eq!(
        names().await,
        ["other"],
        "the server said the list stays valid for a minute"
    );
    assert_eq!(status(&changing).restarts, 0);
    changing.shutdown().await;
}

#[tokio::test]
async fn the_2026_07_28_revision_is_spoken_where_the_server_does() {
    let modern = fleet(scripted("modern")).await;
    assert_eq!(status(&modern).server_info.unwrap().protocol, "2026-07-28");
    assert_eq!(modern.tools("s").await.unwrap().len(), 1);
    modern.call("s", "grow", no_arguments()).await.unwrap();
    assert_eq!(
        next_generation(&modern, 1).await,
        2,
        "the announcement is passed on"
    );
    assert_eq!(
        modern.tools("s").await.unwrap().len(),
        2,
        "the list is not from a cache"
    );
    let asked = modern.call("s", "ask", no_arguments()).await.unwrap_err();
    assert!(
        matches!(&asked, ToolFailure::ToolError { message } if message.contains("declined")),
        "{asked:?}"
    );
    modern.shutdown().await;
}

#[tokio::test]
async fn a_server_gets_a_clean_environment_is_declined_and_its_noise_is_bounded() {
    let mut spec = scripted("environment");
    let own = process(&mut spec);
    own.env.insert("GIVEN".to_owned(), "yes".into());
    let always = ["PATH", "HOME", "LANG"];
    let (passed, value) = std::env::vars()
        .find(|(name, _)| !always.contains(&name.as_str()))
        .expect("an environment to pass on");
    own.env_from.push(passed.clone());
    let environment = fleet(spec).await;
    let reply = environment.call("s", "echo", no_arguments()).await.unwrap();
    let names = reply.value["environment"].as_object().unwrap();
    assert_eq!(names["GIVEN"], "yes");
    assert_eq!(names[&passed], value);
    for name in names.keys() {
        let given = name == "GIVEN" || *name == passed;
        assert!(given || always.contains(&name.as_str()), "{name} leaked");
    }
    environment.shutdown().await;

    let eliciting = fleet(scripted("elicits")).await;
    let reply = eliciting.call("s", "echo", no_arguments()).await.unwrap();
    assert_eq!(reply.value, json!({ "action": "decline" }));
    eliciting.shutdown().await;

    let flooding = fleet(scripted("stderr-flood")).await;
    for calls in 1..=2 {
        let reply = flooding.call("s", "echo", no_arguments()).await.unwrap();
        assert_eq!(reply.value["calls"], calls);
    }
    assert!(!status(&flooding).stderr_tail.is_empty());
    assert!(status(&flooding).stderr_tail.len() <= 2048);
    flooding.shutdown().await;
}

#[tokio::test]
async fn shutdown_leaves_no_process_of_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut spec = scripted("grandchild");
    log_to(&mut spec, &log);
    let with_child = fleet(spec).await;
    let pid = status(&with_child).pid.unwrap();
    let grandchild = std::fs::read_to_string(&log).unwrap();
    let grandchild = grandchild
        .lines()
        .find_map(|l| l.strip_prefix("grandchild "))
        .unwrap();
    let grandchild: u32 = grandchild.parse().unwrap();
    assert!(runs(grandchild));
    with_child.shutdown().await;
    assert_gone(pid).await;
    assert_gone(grandchild).await;

    let deaf = fleet(scripted("ignores-eof")).await;
    let pid = status(&deaf).pid.unwrap();
    deaf.shutdown().await;
    assert_gone(pid).await;

    let dropped = fleet(scripted("ignores-eof")).await;
    let pid = status(&dropped).pid.unwrap();
    drop(dropped);
    assert_gone(pid).await;
}

fn log_to(spec: &mut mcp_clients::config::ServerSpec, log: &Path) {
    let path = log.to_str().unwrap();
    process(spec)
        .env
        .insert("SCRIPTED_LOG".to_owned(), path.into());
}

/// Whether a process runs; a zombie, which only waits to be reaped, does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .trim_start()
        .chars()
        .next();
    !matches!(state, None | Some('Z' | 'X'))
}

/// A killed process that is not our child can't be waited for, only looked at.
async fn assert_gone(pid: u32) {
    let gone = async {
        while runs(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("a process was left behind");
}
