//! Alerts on standard output: a line when one fires and a line when it is over.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::json;

use super::{Context, Entry, Started};
use crate::alert::view::{AlertState, Event};

/// Standard output's place in the list.
pub const ENTRY: Entry = Entry {
    name: NAME,
    start: |config, context| {
        let config = config.stdout.clone();
        if !config.alerts {
            return Ok(Started::Off("off: alerts = true in [export.stdout] prints alerts".to_owned()));
        }
        let line = format!("alerts as {}", if config.format == Format::Json { "JSON" } else { "text" });
        Ok(Started::Running(line, tokio::spawn(run(config.format, context))))
    },
};

const NAME: &str = "stdout";

/// Options of standard output.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether alerts are printed.
    pub alerts: bool,
    /// How.
    pub format: Format,
}

impl Default for Config {
    fn default() -> Self {
        Self { alerts: true, format: Format::Text }
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Lines that may wait for a reader; beyond them they are dropped, counted.
const WAITING: usize = 1000;

async fn run(format: Format, mut context: Context) {
    // A reader that does not read holds its writer up: a thread of its own, which nobody waits for.
    let (lines, waiting) = std::sync::mpsc::sync_channel::<String>(WAITING);
    let health = Arc::clone(&context.health);
    std::thread::spawn(move || {
        for line in waiting {
            // A reader that has gone away is no reason to end.
            let written = writeln!(std::io::stdout().lock(), "{line}").is_ok();
            health.exporter(NAME, |state| {
                state.up = Some(written);
                state.sent += u64::from(written);
                state.failures += u64::from(!written);
                state.error = (!written).then(|| "standard output is closed".to_owned());
            });
        }
    });
    loop {
        let view = context.alerts.borrow_and_update().clone();
        let told = context.delivered.stdout.load(Ordering::Relaxed);
        for event in view.events.iter().filter(|event| event.sequence > told) {
            context.delivered.stdout.store(event.sequence, Ordering::Relaxed);
            let line = match format {
                Format::Text => text(event),
                Format::Json => json!({ "time": event.at, "node": view.node, "alert": event.alert }).to_string(),
            };
            if lines.try_send(line).is_err() {
                context.health.exporter(NAME, |state| {
                    (state.up, state.dropped) = (Some(false), state.dropped + 1);
                    state.error = Some("standard output is not read: lines are dropped".to_owned());
                });
            }
        }
        tokio::select! {
            changed = context.alerts.changed() => if changed.is_err() { return },
            _ = context.stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Names come from samples and containers: none begins a line of its own or moves the cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn text(event: &Event) -> String {
    let alert = &event.alert;
    let word = if alert.state == AlertState::Firing { "FIRING  " } else { "RESOLVED" };
    let labels: Vec<String> = alert.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let line = format!(
        "{} {word} {:<8} {} {}: {}",
        event.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        alert.severity.name(),
        alert.name,
        labels.join(" "),
        if alert.state == AlertState::Firing { alert.message.clone() } else { format!("was: {}", alert.message) }
    );
    plain(&line)
}
