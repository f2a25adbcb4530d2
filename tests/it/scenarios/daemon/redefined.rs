//! A server that comes back with another definition of a reviewed tool: people are told, of each form of it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tests::daemon::{Site, until};
use tests::workbench::{Lab, USUAL, stderr};

use super::PROGRAM;

const SERVER: &str = env!("CARGO_BIN_EXE_scripted-server");

#[tokio::test]
async fn people_are_told_of_a_tool_that_is_no_longer_what_was_reviewed() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let (takes, pid) = (site.dir().join("takes"), site.dir().join("pid"));
    std::fs::write(&takes, "user").unwrap();
    let serve = "echo $$ > \"$1\"; SCRIPTED_TAKES=$(cat \"$2\") exec \"$3\" from-file";
    let arguments = json!(["-c", serve, "serve", pid, takes, SERVER]);
    site.add(&format!(
        "[servers.other]\ncommand = \"sh\"\nargs = {arguments}\nenv = {{ SCRIPTED_TOOL = \"look\" }}\n\
         [servers.other.tools]\nlook = {{ class = \"read_internal\" }}\n"
    ))
    .unwrap();
    let pinned = site.run(&["tools", "pin", "other"]).unwrap();
    assert!(pinned.status.success(), "{}", stderr(&pinned));
    let mut daemon = site.started().await.unwrap();
    let store = site.store().await.unwrap();
    let told = async || {
        let all = store
            .notices("nobody", (chrono::DateTime::UNIX_EPOCH, 0))
            .await?;
        let of = |key: &str| key.starts_with("notice:definition:other.look:");
        anyhow::Ok(all.iter().filter(|(_, key, _)| of(key)).count())
    };
    for (forms, other) in [(1, "user,secret"), (2, "user,password")] {
        std::fs::write(&takes, other).unwrap();
        let server: i32 = std::fs::read_to_string(&pid)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
        until("a notice", async || {
            Ok((told().await? == forms).then_some(()))
        })
        .await
        .unwrap();
        let known = server.to_string();
        until("the next server", async || {
            let now = std::fs::read_to_string(&pid)?;
            Ok((now.trim() != known).then_some(()))
        })
        .await
        .unwrap();
    }
    daemon.stop().await.unwrap();
}
