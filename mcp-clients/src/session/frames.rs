//! The line pump between a server's stdout and the MCP client: caps a line, drops noise; does not read the messages.
//!
//! The client library drops an oversized line silently, so the call it answers would hang until its timeout.
//! Here such a line is replaced by a JSON-RPC error for the same request.

use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::Regex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// Largest line taken from a server, bytes; also the hard cap on one answer.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// JSON-RPC code of the error put in place of an oversized answer.
pub(crate) const OVERSIZED: i32 = -32099;

/// How much of an oversized line's two ends is searched for the request id.
const ENDS: usize = 4096;

/// What was dropped on the way.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    /// Lines that are not JSON.
    pub(crate) noise: AtomicU64,
    /// Lines over the cap.
    pub(crate) oversized: AtomicU64,
}

/// Moves lines until either side closes.
pub(crate) async fn pump(
    from: impl AsyncRead + Unpin,
    mut into: impl AsyncWrite + Unpin,
    limit: usize,
    dropped: &Dropped,
) -> std::io::Result<()> {
    let mut from = BufReader::with_capacity(64 * 1024, from);
    let mut line = Line::new(limit);
    loop {
        let available = from.fill_buf().await?;
        if available.is_empty() {
            return into.shutdown().await;
        }
        let newline = available.iter().position(|b| *b == b'\n');
        let take = newline.map_or(available.len(), |at| at + 1);
        line.push(&available[..take]);
        from.consume(take);
        if newline.is_some() {
            if let Some(bytes) = line.finish(dropped) {
                into.write_all(&bytes).await?;
                into.flush().await?;
            }
            line = Line::new(limit);
        }
    }
}

struct Line {
    limit: usize,
    bytes: Vec<u8>,
    /// Of an oversized line: its last bytes. Empty while the line fits.
    end: Vec<u8>,
    total: usize,
}

impl Line {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            end: Vec::new(),
            total: 0,
        }
    }

    fn push(&mut self, part: &[u8]) {
        let fitted = self.total <= self.limit;
        self.total = self.total.saturating_add(part.len());
        if fitted {
            self.bytes.extend_from_slice(part);
            if self.total > self.limit {
                let end = self.bytes.len().saturating_sub(ENDS);
                self.end = self.bytes[end..].to_vec();
                self.bytes.truncate(ENDS);
                self.bytes.shrink_to_fit();
            }
            return;
        }
        self.end.extend_from_slice(part);
        let over = self.end.len().saturating_sub(ENDS);
        self.end.drain(..over);
    }

    /// The line to pass on, if any.
    fn finish(self, dropped: &Dropped) -> Option<Vec<u8>> {
        if self.total > self.limit {
            dropped.oversized.fetch_add(1, Ordering::Relaxed);
            let id = request_id(&self.bytes, &self.end);
            tracing::warn!(bytes = self.total, ?id, "a server's answer is over the cap");
            return id.map(|id| {
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{OVERSIZED},\"message\":\"answer too large\"}}}}\n")
                    .into_bytes()
            });
        }
        match self.bytes.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Some(self.bytes),
            Some(_) => {
                dropped.noise.fetch_add(1, Ordering::Relaxed);
                None
            }
            None => None,
        }
    }
}

/// The id of the request a response answers, looked for where SDKs write it: right at the start or right at the end.
fn request_id(start: &[u8], end: &[u8]) -> Option<u64> {
    const VERSION: &str = r#""jsonrpc"\s*:\s*"2\.0""#;
    const ID: &str = r#""id"\s*:\s*([0-9]{1,18})"#;
    let places = [
        (start, format!(r"^\s*\{{\s*{VERSION}\s*,\s*{ID}\s*[,}}]")),
        (start, format!(r"^\s*\{{\s*{ID}\s*,\s*{VERSION}\s*[,}}]")),
        (end, format!(r"{VERSION}\s*,\s*{ID}\s*\}}\s*$")),
        (end, format!(r"{ID}\s*,\s*{VERSION}\s*\}}\s*$")),
    ];
    places.into_iter().find_map(|(text, pattern)| {
        let found = Regex::new(&pattern).ok()?.captures(text)?.get(1)?;
        std::str::from_utf8(found.as_bytes()).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn long_lines_become_errors_and_noise_is_dropped() {
        let pad = "x".repeat(9_000);
        let input = format!(
            "banner\n{{\"jsonrpc\":\"2.0\",\"id\":1}}\n\n{{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"{pad}\"}}\n{{\"result\":\"{pad}\",\"jsonrpc\":\"2.0\",\"id\":3}}\n{{\"result\":\"{pad}\"}}\n{{\"id\":4}}\ncut off"
        );
        let dropped = Dropped::default();
        let mut out = Vec::new();
        pump(input.as_bytes(), &mut out, 8_192, &dropped)
            .await
            .unwrap();
        let ids: Vec<(u64, bool)> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
            .map(|v| (v["id"].as_u64().unwrap(), v["error"]["code"] == OVERSIZED))
            .collect();
        assert_eq!(ids, [(1, false), (2, true), (3, true), (4, false)]);
        assert_eq!(dropped.noise.into_inner(), 1);
        assert_eq!(dropped.oversized.into_inner(), 3);
    }
}
