//! Servers over streamable HTTP on loopback: credentials, redirects, and coming back after an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mcp_clients::config::{HttpSpec, SecretRef, ServerSpec, TransportSpec};
use mcp_clients::{Fleet, ToolBox, ToolFailure};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{down_reason, fleet, next_generation, no_arguments, scripted};

const TOKEN: &str = "abc.def";

#[derive(Clone, Default)]
struct Seen {
    calls: Arc<AtomicU32>,
    elsewhere: Arc<AtomicU32>,
}

async fn serve(listener: TcpListener, seen: Seen) {
    let app = Router::new()
        .route(
            "/mcp",
            post(answer).get(|| async { StatusCode::METHOD_NOT_ALLOWED }),
        )
        .route(
            "/moved",
            post(|| async { Redirect::temporary("/elsewhere") }),
        )
        .route("/elsewhere", get(elsewhere).post(elsewhere))
        .with_state(seen);
    axum::serve(listener, app).await.unwrap();
}

async fn elsewhere(State(seen): State<Seen>) -> StatusCode {
    seen.elsewhere.fetch_add(1, Ordering::Relaxed);
    StatusCode::OK
}

async fn answer(
    State(seen): State<Seen>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok());
    if given != Some(&format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let result = match asked["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "http", "version": "1" },
        }),
        Some("tools/list") => {
            json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] })
        }
        Some("tools/call") if asked["params"]["name"] == "echo" => {
            seen.calls.fetch_add(1, Ordering::Relaxed);
            json!({ "content": [], "structuredContent": { "arguments": asked["params"].get("arguments") } })
        }
        Some(_) if asked["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            return Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }))
                .into_response();
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result })).into_response()
}

fn over_http(url: String, token: &str) -> ServerSpec {
    ServerSpec {
        transport: TransportSpec::Http(HttpSpec {
            url,
            bearer: Some(SecretRef::Command(format!("echo {token}"))),
            headers: [("x-tenant".to_owned(), "t1".into())].into(),
        }),
        ..scripted("unused")
    }
}

async fn over(path: &str, token: &str, seen: &Seen) -> Fleet {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, seen.clone()));
    fleet(over_http(url, token)).await
}

#[tokio::test]
async fn a_fleet_over_http_keeps_the_contract() {
    let fleet = over("/mcp", TOKEN, &Seen::default()).await;
    crate::contract::holds(&fleet, "s").await;
    fleet.shutdown().await;
}

#[tokio::test]
async fn wrong_credentials_and_redirects_are_refusals() {
    let seen = Seen::default();
    let refused = over("/mcp", "wrong", &seen).await;
    assert!(
        down_reason(&refused).to_lowercase().contains("auth"),
        "{}",
        down_reason(&refused)
    );
    refused.shutdown().await;
    let moved = over("/moved", TOKEN, &seen).await;
    assert!(
        down_reason(&moved).contains("handshake"),
        "{}",
        down_reason(&moved)
    );
    moved.shutdown().await;
    assert_eq!(
        seen.elsewhere.load(Ordering::Relaxed),
        0,
        "credentials went elsewhere"
    );
}

#[tokio::test]
async fn an_outage_is_a_failure_not_an_answer_and_ends_by_itself() {
    let seen = Seen::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // A runtime of its own, so that ending it closes every connection.
    let first = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = listener.into_std().unwrap();
    let served = seen.clone();
    first.spawn(async move { serve(TcpListener::from_std(listener).unwrap(), served).await });
    let fleet = fleet(over_http(format!("http://{address}/mcp"), TOKEN)).await;
    fleet.call("s", "echo", no_arguments()).await.unwrap();
    first.shutdown_background();

    let failure = loop {
        // The first runtime ends in its own time.
        if let Err(failure) = fleet.call("s", "echo", no_arguments()).await {
            break failure;
        }
    };
    assert!(matches!(&failure, ToolFailure::Lost { .. }), "{failure:?}");
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    tokio::spawn(serve(listener, seen.clone()));
    next_generation(&fleet, 1).await;
    fleet.call("s", "echo", no_arguments()).await.unwrap();
    fleet.shutdown().await;
}
