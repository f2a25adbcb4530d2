//! A scripted MCP server for tests: its first argument says how it misbehaves. Apart from `modern` it uses no SDK: every byte is chosen here.
//!
//! `SCRIPTED_LOG` names a file to which every method received is appended, one a line, and the pid of a grandchild.
//! `from-file` offers one tool, `SCRIPTED_TOOL`, that takes the arguments `SCRIPTED_TAKES` and answers each call with what
//! stands in `SCRIPTED_ANSWER`; it logs the arguments. `siem` keeps alerts and `asks` asks back, see there.

#![allow(
    clippy::disallowed_methods,
    reason = "hanging is what this server is for"
)]

mod answers;
mod asks;
mod modern;
mod siem;

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

fn main() -> io::Result<()> {
    let behaviour = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "normal".to_owned());
    if behaviour == "modern" {
        return modern::serve();
    }
    let mut server = Server {
        behaviour,
        elicits: false,
        waiting: None,
        asked_about: Value::Null,
        calls: 0,
    };
    server.before()?;
    for line in io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        server.receive(&message)?;
    }
    if server.is("ignores-eof") {
        std::thread::sleep(Duration::from_secs(600));
    }
    Ok(())
}

struct Server {
    behaviour: String,
    /// Whether the client said that it can be asked.
    elicits: bool,
    /// The call that waits for the answer to a question.
    waiting: Option<Value>,
    /// Its arguments.
    asked_about: Value,
    calls: u32,
}

impl Server {
    fn is(&self, behaviour: &str) -> bool {
        self.behaviour == behaviour
    }

    fn before(&self) -> io::Result<()> {
        match self.behaviour.as_str() {
            "exit-at-once" => {
                io::stderr().write_all(b"starting\n\x1b[31mbackend refused: 401\x1b[0m\n")?;
                std::process::exit(3);
            }
            "silent-start" => std::thread::sleep(Duration::from_secs(600)),
            "stdout-noise" => say_raw("FastMCP 9.9 ready!\n\nINFO: listening\n")?,
            "grandchild" => {
                let stubborn = "trap '' TERM; sleep 600 & wait; sleep 600";
                let child = std::process::Command::new("sh")
                    .args(["-c", stubborn])
                    .spawn()?;
                log(&format!("grandchild {}", child.id()))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, message: &Value) -> io::Result<()> {
        let id = &message["id"];
        let Some(method) = message["method"].as_str() else {
            return self.answered(&message["result"]);
        };
        log(method)?;
        if id.is_null() {
            return Ok(());
        }
        match method {
            "initialize" => {
                self.elicits = message["params"]["capabilities"]["elicitation"].is_object();
                reply(
                    id,
                    &json!({
                        "protocolVersion": "2025-11-25",
                        "capabilities": { "tools": { "listChanged": true } },
                        "serverInfo": { "name": "scripted", "version": "1" },
                    }),
                )
            }
            "tools/list" => self.list(id, &message["params"]),
            "tools/call" => self.call(id, &message["params"]),
            "ping" => reply(id, &json!({})),
            _ => refuse(id, -32601, "no such method"),
        }
    }

    /// Two pages, unless the script has it otherwise.
    fn list(&self, id: &Value, params: &Value) -> io::Result<()> {
        let tool = |name: &str| {
            json!({
                "name": name, "description": format!("does {name}"), "inputSchema": { "type": "object" },
                "annotations": { "readOnlyHint": true },
            })
        };
        match (self.behaviour.as_str(), params["cursor"].as_str()) {
            ("slow-list", _) => Ok(()),
            ("from-file", _) => {
                let of = |name| std::env::var(name).unwrap_or_default();
                let takes = of("SCRIPTED_TAKES");
                let properties: Map<String, Value> = takes
                    .split(',')
                    .map(|t| (t.to_owned(), json!({})))
                    .collect();
                let mut tool = tool(&of("SCRIPTED_TOOL"));
                tool["inputSchema"]["properties"] = properties.into();
                reply(id, &json!({ "tools": [tool] }))
            }
            ("asks", _) if asks::is_mute() => refuse(id, -32603, "the directory is down"),
            ("asks", _) => reply(id, &json!({ "tools": asks::tools() })),
            ("siem", _) => reply(id, &json!({ "tools": siem::tools() })),
            ("endless-list", _) => reply(
                id,
                &json!({ "tools": [tool("echo")], "nextCursor": "again" }),
            ),
            ("changes-tools", _) if self.calls > 0 => {
                reply(id, &json!({ "tools": [tool("other")], "ttlMs": 60_000 }))
            }
            (_, None) => reply(
                id,
                &json!({ "tools": [tool("echo")], "nextCursor": "2", "ttlMs": 60_000 }),
            ),
            (_, Some(_)) => reply(id, &json!({ "tools": [tool("second")], "ttlMs": 60_000 })),
        }
    }

    fn call(&mut self, id: &Value, params: &Value) -> io::Result<()> {
        self.calls += 1;
        let arguments = &params["arguments"];
        match self.behaviour.as_str() {
            _ if params["name"] == "no_such_tool" => refuse(id, -32602, "unknown tool"),
            "hang-call" => Ok(()),
            "die-in-call" => {
                io::stderr().write_all(b"Traceback: out of memory\n")?;
                std::process::exit(1);
            }
            "slow-call" => {
                std::thread::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0)));
                reply(
                    id,
                    &json!({ "content": [], "structuredContent": { "slept": true } }),
                )
            }
            "stderr-flood" => {
                for _ in 0..4096 {
                    io::stderr().write_all(&[b'x'; 1023])?;
                    io::stderr().write_all(b"\n")?;
                }
                reply(
                    id,
                    &json!({ "content": [], "structuredContent": { "calls": self.calls } }),
                )
            }
            "changes-tools" => {
                say(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }))?;
                reply(
                    id,
                    &json!({ "content": [], "structuredContent": { "calls": self.calls } }),
                )
            }
            "elicits" if self.elicits => {
                self.waiting = Some(id.clone());
                say(&json!({
                    "jsonrpc": "2.0", "id": "ask-1", "method": "elicitation/create",
                    "params": { "message": "really?", "requestedSchema": { "type": "object", "properties": {} } },
                }))
            }
            "elicits" => reply(
                id,
                &json!({ "content": [], "structuredContent": { "done": "no one to ask" } }),
            ),
            "siem" => kept(id, params),
            "asks" => self.ask(id, params),
            "from-file" => {
                log(&arguments.to_string())?;
                let path = std::env::var_os("SCRIPTED_ANSWER").unwrap_or_default();
                reply(id, &serde_json::from_str(&std::fs::read_to_string(path)?)?)
            }
            "rpc-error" => refuse(id, -32603, "Invalid arguments: merged_at"),
            "environment" => {
                let all: Map<String, Value> =
                    std::env::vars().map(|(k, v)| (k, v.into())).collect();
                reply(
                    id,
                    &json!({ "content": [], "structuredContent": { "environment": all } }),
                )
            }
            other => match answers::of(other) {
                Some(answer) => reply(id, &answer),
                None => reply(
                    id,
                    &json!({ "content": [], "structuredContent": { "arguments": arguments, "calls": self.calls } }),
                ),
            },
        }
    }

    /// A call that acts waits for the answer to a question.
    fn ask(&mut self, id: &Value, params: &Value) -> io::Result<()> {
        let (name, arguments) = (
            params["name"].as_str().unwrap_or_default(),
            &params["arguments"],
        );
        log(&format!("{name} {arguments}"))?;
        match asks::question()?.filter(|_| asks::acts(name, arguments)) {
            Some(question) => {
                self.waiting = Some(id.clone());
                self.asked_about = arguments.clone();
                say(
                    &json!({ "jsonrpc": "2.0", "id": "ask-1", "method": "elicitation/create", "params": question }),
                )
            }
            None => reply(id, &asks::call(name, arguments)?),
        }
    }

    /// The client's answer to our question decides what the waiting call does.
    fn answered(&mut self, result: &Value) -> io::Result<()> {
        let Some(id) = self.waiting.take() else {
            return Ok(());
        };
        if self.is("asks") {
            return reply(&id, &asks::answered(&self.asked_about, result)?);
        }
        let action = &result["action"];
        reply(
            &id,
            &json!({ "content": [], "structuredContent": { "action": action } }),
        )
    }
}

fn kept(id: &Value, params: &Value) -> io::Result<()> {
    let name = params["name"].as_str().unwrap_or_default();
    log(&format!("{name} {}", params["arguments"]))?;
    reply(id, &siem::call(name, &params["arguments"])?)
}

fn log(line: &str) -> io::Result<()> {
    let Some(path) = std::env::var_os("SCRIPTED_LOG") else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    writeln!(file, "{line}")
}

fn say_raw(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn say(message: &Value) -> io::Result<()> {
    say_raw(&format!("{message}\n"))
}

fn reply(id: &Value, result: &Value) -> io::Result<()> {
    say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn refuse(id: &Value, code: i32, message: &str) -> io::Result<()> {
    say(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }))
}
