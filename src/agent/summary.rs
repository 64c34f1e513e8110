//! What the agent says of itself at the start: what it found, what it did not, and what that costs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::Setting;
use crate::config::Config;
use crate::fetch::place::Place;
use crate::health::{Brings, Health, State};
use crate::snapshot::Snapshot;

/// The start-up summary.
#[derive(Debug, Serialize)]
pub struct Summary {
    version: &'static str,
    node: String,
    parts: Vec<Part>,
    url: String,
}

#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    found: bool,
    message: String,
    /// What its absence costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<&'static str>,
}

/// Waits until every collector has said whether it is up and the first reading is there, though not long.
pub async fn wait_until_known(config: &Config, health: &Health, mut snapshot: watch::Receiver<Arc<Snapshot>>) {
    const LONGEST: Duration = Duration::from_secs(3);
    const STEP: Duration = Duration::from_millis(20);
    let known = async {
        while config.collect.enabled().any(|e| health.collector(e.name, |state| state.message.is_empty())) {
            tokio::time::sleep(STEP).await;
        }
        let tree_is_up = health.state().bringing(Brings::Containers).any(|(_, collector)| collector.up);
        if tree_is_up {
            let _ = snapshot.wait_for(|snapshot| snapshot.ready).await;
        }
    };
    let _ = tokio::time::timeout(LONGEST, known).await;
}

impl Summary {
    /// What is known once the collectors have been opened.
    pub fn new(config: &Config, setting: &Setting, base: &str, state: &State) -> Self {
        let mut parts = collector_parts(config, state);
        for (name, exporter) in &state.exporters {
            parts.push(Part { name, found: exporter.enabled, message: exporter.message.clone(), without: None });
        }
        let history = &config.history;
        let kept = format!(
            "{}; kept {}, {} at most",
            state.history.message,
            humantime::format_duration(history.retention),
            history.max_bytes
        );
        parts.push(Part {
            name: "history",
            found: state.history.up,
            message: if state.history.up { kept } else { state.history.message.clone() },
            without: (!state.history.up).then_some("minutes are kept in memory for a while and then lost, counted"),
        });
        let samples = &state.samples;
        parts.push(Part {
            name: "models",
            found: samples.up == Some(true),
            message: match samples.up {
                Some(true) => format!("POST {base}/v1/models/{{model}}/samples; {} models", samples.models),
                Some(false) => samples.message.clone(),
                None => "stored samples are still being read".to_owned(),
            },
            without: (samples.up == Some(false)).then_some("samples are rejected until they can be stored"),
        });
        if let Some(address) = config.ingest.otlp_grpc {
            parts.push(Part { name: "otlp logs", found: true, message: format!("gRPC at {address}"), without: None });
        }
        if let Some(place) = config.samples.archive.as_deref().and_then(|text| Place::parse(text).ok()) {
            let (place, error) = (place.shown(), state.archive.error.as_ref());
            parts.push(Part {
                name: "archive",
                found: error.is_none(),
                message: error
                    .map_or_else(|| format!("stored samples go to {place}"), |error| format!("{place}: {error}")),
                without: error
                    .map(|_| "stored samples stay on this node until it is there, the oldest while there is room"),
            });
        }
        Self { version: env!("CARGO_PKG_VERSION"), node: setting.node.clone(), parts, url: format!("{base}/") }
    }
}

/// How each collector fared, for the summary and for `--once`.
fn collector_parts(config: &Config, state: &State) -> Vec<Part> {
    config
        .collect
        .enabled()
        .map(|entry| {
            let collector = state.collectors.get(entry.name).cloned().unwrap_or_default();
            let message = if collector.message.is_empty() { "no answer yet".to_owned() } else { collector.message };
            Part { name: entry.name, found: collector.up, message, without: (!collector.up).then_some(entry.without) }
        })
        .collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plumbline {} on {}", self.version, self.node)?;
        for Part { name, found, message, without } in &self.parts {
            let mark = if *found { '+' } else { '-' };
            writeln!(f, "  {mark} {name:<8} {message}")?;
            if let Some(without) = without {
                writeln!(f, "             without it: {without}")?;
            }
        }
        write!(f, "  page       {}", self.url)
    }
}
