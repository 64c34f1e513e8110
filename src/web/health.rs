//! The JSON of `/healthz`. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::health::State;

/// The agent's health, as people and probes read it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok`; `degraded` when something needs attention; `stalled` when nothing moves.
    status: &'static str,
    /// The pipeline goes round.
    #[serde(skip)]
    pub alive: bool,
    collectors: BTreeMap<&'static str, Collector>,
    exporters: BTreeMap<&'static str, Exporter>,
    history: History,
    samples: Samples,
    containers_left_out: u64,
    analysis_panics: u64,
}

#[derive(Debug, Serialize)]
struct Collector {
    up: bool,
    /// What it reads is not on this machine, and may well not be.
    absent: bool,
    /// It is down though what it reads is or was there.
    fault: bool,
    /// Seconds since the last read.
    staleness: Option<f64>,
    dropped: u64,
    failures: u64,
    message: String,
}

#[derive(Debug, Serialize)]
struct Exporter {
    enabled: bool,
    up: Option<bool>,
    /// Seconds since the last success.
    staleness: Option<f64>,
    sent: u64,
    rejected: u64,
    dropped: u64,
    failures: u64,
    queued_bytes: u64,
    error: Option<String>,
    message: String,
}

#[derive(Debug, Serialize)]
struct History {
    up: bool,
    rows: u64,
    pending: u64,
    dropped: u64,
    files: u64,
    bytes: u64,
    message: String,
}

#[derive(Debug, Serialize)]
struct Samples {
    up: bool,
    models: u64,
    in_flight_bytes: u64,
    bytes: u64,
    failed: u64,
    damaged: u64,
    message: String,
}

impl Report {
    /// The collector is down.
    pub fn is_down(&self, collector: &str) -> bool {
        self.collectors.get(collector).is_none_or(|c| !c.up)
    }

    /// What a collector found, or why it found nothing.
    pub fn message_of(&self, collector: &str) -> Option<&str> {
        self.collectors.get(collector).map(|c| c.message.as_str())
    }

    /// What needs attention, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.alive {
            faults.push("The agent stands still: the figures below are old.".to_owned());
        }
        for (name, c) in self.collectors.iter().filter(|(_, c)| c.fault) {
            if c.up {
                faults.push(format!("Collector {name} hangs: what it reads does not answer."));
            } else {
                faults.push(format!("Collector {name} is down: {}.", c.message));
            }
        }
        for (name, e) in self.exporters.iter().filter(|(_, e)| e.enabled && e.up == Some(false)) {
            let error = e.error.as_deref().unwrap_or("no error told");
            faults.push(format!("Exporter {name} cannot send: {error}."));
        }
        if !self.history.up {
            faults.push(format!("The history is not kept: {}.", self.history.message));
        }
        let samples = &self.samples;
        if !samples.up && !samples.message.is_empty() {
            faults.push(format!("Samples of models are refused: {}.", samples.message));
        }
        if samples.failed > 0 {
            faults.push("Batches were stored but could not be judged: please report it, with the log.".to_owned());
        }
        if samples.damaged > 0 {
            faults.push("Stored samples could not all be read again; the log says which.".to_owned());
        }
        if self.containers_left_out > 0 {
            faults.push(format!("{} containers are left out by collect.max_containers.", self.containers_left_out));
        }
        if self.analysis_panics > 0 {
            faults.push("The analysis panicked and began anew: please report it, with the log.".to_owned());
        }
        let lost = self.history.dropped + self.exporters.values().map(|e| e.dropped + e.rejected).sum::<u64>();
        if lost > 0 || self.collectors.values().any(|c| c.dropped > 0) {
            faults.push("Some data was dropped; /healthz counts it.".to_owned());
        }
        faults
    }
}

/// What the state amounts to at `now`.
pub fn report(state: &State, now: Duration, stalled_after: Duration) -> Report {
    let since = |at: Option<Duration>| at.map(|at| now.saturating_sub(at).as_secs_f64());
    let alive = now.saturating_sub(state.pipeline_at.unwrap_or_default()) < stalled_after;
    let mut report = Report {
        status: "ok",
        alive,
        collectors: state
            .collectors
            .iter()
            .map(|(name, c)| {
                let collector = Collector {
                    up: c.up,
                    absent: c.absent,
                    fault: c.is_fault(now),
                    staleness: since(c.read_at),
                    dropped: c.dropped,
                    failures: c.failures,
                    message: c.message.clone(),
                };
                (*name, collector)
            })
            .collect(),
        exporters: state
            .exporters
            .iter()
            .map(|(name, e)| {
                let exporter = Exporter {
                    enabled: e.enabled,
                    up: e.up,
                    staleness: since(e.sent_at),
                    sent: e.sent,
                    rejected: e.rejected,
                    dropped: e.dropped,
                    failures: e.failures,
                    queued_bytes: e.queued,
                    error: e.error.clone(),
                    message: e.message.clone(),
                };
                (*name, exporter)
            })
            .collect(),
        history: History {
            up: state.history.up,
            rows: state.history.rows,
            pending: state.history.pending,
            dropped: state.history.dropped,
            files: state.history.files,
            bytes: state.history.bytes,
            message: state.history.message.clone(),
        },
        samples: Samples {
            up: state.samples.up,
            models: state.samples.models,
            in_flight_bytes: state.samples.in_flight,
            bytes: state.samples.bytes,
            failed: state.samples.failed,
            damaged: state.samples.damaged,
            message: state.samples.message.clone(),
        },
        containers_left_out: state.containers_left_out,
        analysis_panics: state.panics,
    };
    if !alive {
        report.status = "stalled";
    } else if !report.faults().is_empty() {
        report.status = "degraded";
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::CollectorState;

    #[test]
    fn an_absent_engine_is_no_fault_and_a_lost_one_is() {
        let second = Duration::from_secs(1);
        let mut state = State { pipeline_at: Some(second), ..State::default() };
        state.history.up = true;
        state
            .collectors
            .insert("docker", CollectorState { absent: true, message: "none".to_owned(), ..CollectorState::default() });
        assert_eq!(report(&state, second, second).status, "ok");
        state.collectors.insert(
            "docker",
            CollectorState { read_at: Some(second), message: "gone".to_owned(), ..CollectorState::default() },
        );
        assert_eq!(report(&state, second, second).status, "degraded");
        assert_eq!(report(&state, second * 3, second).status, "stalled");
    }
}
