//! A client for one embedded server and folders of evidence made for a test. It holds no assertions
//! on answers.

use std::path::Path;

use lab::ServerName;
use rmcp::{
    RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, Tool},
    service::RunningService,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Client(RunningService<RoleClient, ()>);

impl Client {
    pub(crate) async fn start(server: ServerName, dir: &Path) -> Self {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (read, write) = tokio::io::split(far);
        let dir = dir.to_owned();
        tokio::spawn(async move { lab::serve_on(server, &dir, read, write).await });
        Self(().serve(near).await.expect("the server starts"))
    }

    pub(crate) async fn tools(&self) -> Vec<Tool> {
        self.0.list_all_tools().await.unwrap()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object")
        };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.0.call_tool(request).await.unwrap()
    }

    /// The structured answer; a failure of the tool fails the test.
    pub(crate) async fn ask(&self, tool: &str, arguments: Value) -> Value {
        let shown = arguments.to_string();
        let result = self.call(tool, arguments).await;
        assert_ne!(
            result.is_error,
            Some(true),
            "{tool} {shown}: {}",
            text(&result)
        );
        result.structured_content.expect("structured content")
    }

    /// The reason of a failure; an answer fails the test.
    pub(crate) async fn refused(&self, tool: &str, arguments: Value) -> String {
        let shown = arguments.to_string();
        let result = self.call(tool, arguments).await;
        assert_eq!(
            result.is_error,
            Some(true),
            "{tool} {shown} was answered: {}",
            text(&result)
        );
        text(&result)
    }

    pub(crate) async fn sql(&self, sql: &str) -> Vec<Value> {
        let answer = self
            .ask("query_logs", serde_json::json!({ "sql": sql }))
            .await;
        answer["results"].as_array().unwrap().clone()
    }
}

pub(crate) fn text(result: &CallToolResult) -> String {
    let parts = result.content.iter().filter_map(|part| part.as_text());
    parts.map(|part| part.text.as_str()).collect()
}

/// A lab folder with a clock of 2026-07-15 and these files.
pub(crate) fn lab(files: &[(&str, &str)]) -> TempDir {
    let manifest = "name = \"t\"\nclock = \"2026-07-15T00:00:00Z\"\n\
                    [alerts]\nfile = \"alerts.jsonl\"\nmapping = \"wazuh\"\n";
    with_manifest(manifest, files)
}

pub(crate) fn with_manifest(manifest: &str, files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("logs")).unwrap();
    std::fs::write(dir.path().join("lab.toml"), manifest).unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

/// Three web requests and a login, one an hour from ten on.
pub(crate) const WEB: &str = r#"{"event_uid":"w1","event_time":"2026-07-14T10:00:00Z","src":"10.0.0.1","path":"/a","ok":true,"Path":"x"}
{"event_uid":"w2","event_time":"2026-07-14T13:00:00+02:00","src":"10.0.0.2","path":"/b","net":{"port":443}}
{"event_uid":"w3","event_time":"2026-07-14T12:00:00.5Z","src":"10.0.0.3","path":"/c'd\"e","path2":null}
"#;
pub(crate) const AUTH: &str = r#"{"event_uid":"a1","event_time":"2026-07-14T11:30:00Z","user":"CORP\\ann","result":"ok"}
"#;
