//! Logging, and what the agent itself weighs.
//!
//! Counters of the agent's own doings are in `health`; sending them is left to `export`.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::health::Weight;

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A level, or a filter by module.
    #[serde(deserialize_with = "filter")]
    pub level: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: "info".to_owned() }
    }
}

fn filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is no level would be taken for a module's name and silence everything.
    let is_word = text.chars().all(char::is_alphanumeric);
    if is_word && !LEVELS.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(de::Error::unknown_variant(&text, &LEVELS));
    }
    EnvFilter::try_new(&text).map_err(|error| de::Error::custom(format!("`{text}` is not a filter: {error}")))?;
    Ok(text)
}

/// The filter that is asked for. Whoever floods the port of gRPC would fill the log: h2 warns of each of them.
fn in_force(config: &Config) -> EnvFilter {
    let mut level = config.level.clone();
    if !level.contains("h2") && !level.eq_ignore_ascii_case("off") {
        level.push_str(",h2=error");
    }
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Changes what is logged while the agent runs.
pub struct Logging(reload::Handle<EnvFilter, Registry>);

impl Logging {
    /// Takes a new filter.
    pub fn configure(&self, config: &Config) {
        let _ = self.0.reload(in_force(config));
    }
}

/// Logs to standard error from now on: as JSON, or for people, in colour on a terminal.
#[must_use]
pub fn start_logging(config: &Config, json: bool) -> Logging {
    let (filter, handle) = reload::Layer::new(in_force(config));
    let colour = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(colour).with_target(false).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Logging(handle)
}

/// What this process weighs now, from `proc` (the agent's own, never the host's mount).
#[must_use]
pub fn weigh(proc: &Path) -> Weight {
    const TICKS_PER_SECOND: f64 = 100.0;
    let read = |file: &str| fs::read_to_string(proc.join("self").join(file)).ok();
    // Fields 14 and 15, counted behind the command, which may hold spaces.
    let cpu_seconds = read("stat").and_then(|stat| {
        let fields: Vec<u64> =
            stat.rsplit_once(')')?.1.split_ascii_whitespace().map(|f| f.parse().unwrap_or(0)).collect();
        Some((fields.get(11)? + fields.get(12)?) as f64 / TICKS_PER_SECOND)
    });
    let resident = read("status").and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
    });
    Weight { cpu_seconds, resident }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_h2_are_left_out_unless_they_are_asked_for() {
        let filter = |level: &str| in_force(&Config { level: level.to_owned() }).to_string();
        assert_eq!(filter("off"), "off");
        assert!(filter("info").contains("h2=error") && filter("info").contains("info"));
        assert!(!filter("info,h2=debug").contains("h2=error"));
    }

    #[test]
    fn this_process_weighs_something() {
        let weight = weigh(Path::new("/proc"));
        assert!(weight.resident.is_some_and(|bytes| bytes > 1 << 20), "{weight:?}");
        assert!(weight.cpu_seconds.is_some());
        assert_eq!(weigh(Path::new("/nowhere")), Weight::default());
    }
}
