//! Which spelling of the metrics a scraper wants, by its `Accept` header; a header nobody understands gets the oldest.

use crate::telemetry::Exposition;

/// The exposition the header likes best; OpenMetrics where it likes both as well.
pub(super) fn exposition(accept: &str) -> Exposition {
    let (mut open, mut plain) = (0.0_f32, 0.0_f32);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0_f32, None);
        for (name, value) in parts.filter_map(|p| p.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.parse().unwrap_or(0.0),
                "version" => version = Some(value.to_owned()),
                _ => {}
            }
        }
        if !(0.0..=1.0).contains(&quality) {
            continue;
        }
        let is = |wanted: &str| version.as_deref().is_none_or(|v| v == wanted);
        match media.as_str() {
            "application/openmetrics-text" if is("1.0.0") => open = open.max(quality),
            "text/plain" if is("0.0.4") => plain = plain.max(quality),
            "text/*" | "*/*" => plain = plain.max(quality),
            _ => {}
        }
    }
    if open > 0.0 && open >= plain {
        Exposition::OpenMetrics
    } else {
        Exposition::Prometheus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_with_its_weights() {
        use Exposition::{OpenMetrics, Prometheus};
        let scraper = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, wanted) in [
            (scraper, OpenMetrics),
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            (
                "APPLICATION/OpenMetrics-Text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=2.0.0", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=nonsense", Prometheus),
            ("application/openmetrics-text;q=7", Prometheus),
            (
                "application/openmetrics-text;q=0.2, text/plain;q=0.9",
                Prometheus,
            ),
            ("text/html, application/json", Prometheus),
        ] {
            assert_eq!(exposition(accept), wanted, "{accept}");
        }
    }
}
