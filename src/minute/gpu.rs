//! A GPU's readings -> the minute's signals, and the state it is paid for in.

use serde::Serialize;

use super::{Accumulator, Reading, Summary};
use crate::reading::GpuReading;
use crate::signal::gpu::{Gpu, id};
use crate::signal::{Id, Part, Values};

/// What a GPU is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GpuState {
    /// Something computes.
    Active,
    /// Memory is resident, nothing computes.
    HeldIdle,
    /// Nobody is on it.
    Free,
}

impl GpuState {
    /// Every state, busiest first.
    pub const ALL: [Self; 3] = [Self::Active, Self::HeldIdle, Self::Free];

    /// Its name in metrics and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::HeldIdle => "held_idle",
            Self::Free => "free",
        }
    }

    /// The signal that says whether it is in this state.
    fn id(self) -> Id<Gpu> {
        match self {
            Self::Active => const { id("state.active") },
            Self::HeldIdle => const { id("state.held_idle") },
            Self::Free => const { id("state.free") },
        }
    }

    /// The state that the signals tell.
    #[must_use]
    pub fn told(values: &Values<Gpu>) -> Option<Self> {
        Self::ALL.into_iter().find(|state| values.get(state.id()) == Some(1))
    }
}

/// A driver and its display keep a little; a model in memory is larger by far.
const RESIDENT: u64 = 512 << 20;

/// The state, by utilization first, then by processes, then by memory in use. `None` where utilization is not told.
/// `holders` is how many processes hold memory on it, where that is known.
#[must_use]
pub fn state(reading: &GpuReading, holders: Option<usize>) -> Option<GpuState> {
    if reading.signals.value(const { id("utilization") })? > 0.0 {
        return Some(GpuState::Active);
    }
    // Without the host's PID namespace the list may be empty though memory is taken.
    let used = reading.signals.get(const { id("memory_used") });
    let held = holders.is_some_and(|count| count > 0) || used.is_some_and(|bytes| bytes >= RESIDENT);
    if !held && holders.is_none() && used.is_none() {
        return None;
    }
    Some(if held { GpuState::HeldIdle } else { GpuState::Free })
}

/// Writes down what follows from a reading: whether the driver reaches the device, and what it is paid for.
pub fn conclude(reading: &mut GpuReading) {
    let now = state(reading, reading.processes.as_ref().map(Vec::len));
    let values = &mut reading.signals.values;
    values.count(const { id("status.ok") }, reading.ok.map(u64::from));
    values.count(const { id("status.failed") }, reading.ok.map(|ok| u64::from(!ok)));
    for state in GpuState::ALL {
        values.count(state.id(), now.map(|now| u64::from(now == state)));
    }
}

/// The state that it was in longest.
#[must_use]
pub fn mostly(summary: &Summary) -> Option<GpuState> {
    let share = |state: GpuState| Some(summary.cell(state.id().column(Part::Share))?.as_f64());
    let known = GpuState::ALL.into_iter().filter_map(|state| Some((state, share(state)?)));
    known.filter(|(_, share)| *share > 0.0).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(state, _)| state)
}

/// Takes a reading into its open minute. What was used before we came is not of it.
pub fn take(minute: &mut Accumulator<Gpu>, reading: &GpuReading) {
    minute.count(&Reading {
        at: reading.at.monotonic,
        started: None,
        // Only of what began under our eyes would it matter.
        full: true,
        signals: &reading.signals,
    });
    minute.sample(&reading.signals.values);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::clock::Moment;
    use crate::metric::Number;
    use crate::reading::GpuProcess;

    fn reading(utilization: Option<f64>, memory_used: Option<u64>) -> GpuReading {
        let at = Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let mut reading = GpuReading::unread("GPU-1".to_owned(), 0, "nvidia", at);
        reading.signals.values.real(id("utilization"), utilization);
        reading.signals.values.count(id("memory_used"), memory_used);
        reading
    }

    #[test]
    fn the_state_says_what_is_paid_for() {
        let of = |utilization, memory, holders| state(&reading(utilization, memory), holders);
        assert_eq!(of(Some(0.01), Some(0), Some(0)), Some(GpuState::Active));
        assert_eq!(of(Some(0.0), Some(0), Some(1)), Some(GpuState::HeldIdle));
        assert_eq!(of(Some(0.0), Some(2 << 30), Some(0)), Some(GpuState::HeldIdle), "a process that is not seen");
        assert_eq!(of(Some(0.0), Some(4 << 20), Some(0)), Some(GpuState::Free));
        assert_eq!(of(Some(0.0), Some(4 << 20), None), Some(GpuState::Free));
        assert_eq!(of(None, Some(2 << 30), Some(1)), None, "whether it computes is not known");
        assert_eq!(of(Some(0.0), None, None), None, "whether it is held is not known");
    }

    #[test]
    fn energy_counts_what_was_used_under_our_eyes_and_states_are_shares() {
        let mut minute = Accumulator::new(false);
        let at = |energy: f64, holders: Option<usize>| {
            let mut reading = reading(holders.map(|_| 0.0), Some(1));
            reading.signals.values.real(id("energy"), energy);
            let process = || GpuProcess { pid: 1, container: None, resolved: false, memory: None };
            reading.processes = holders.map(|count| (0..count).map(|_| process()).collect());
            conclude(&mut reading);
            reading
        };
        let closed = |minute: &mut Accumulator<Gpu>| minute.close(&Values::default());
        let cell = |summary: &Summary, key: &str, part| summary.cell(id(key).column(part)).map(Number::as_f64);
        for (energy, holders) in [(1000.0, 1), (1300.0, 1), (200.0, 0)] {
            take(&mut minute, &at(energy, Some(holders)));
        }
        let summary = closed(&mut minute).expect("a minute");
        let used = cell(&summary, "energy", Part::Increase);
        assert_eq!(used, Some(500.0), "300 J, and 200 J since the driver began anew");
        let shares = ["state.active", "state.held_idle", "state.free"].map(|key| cell(&summary, key, Part::Share));
        assert_eq!(shares, [Some(0.0), Some(2.0 / 3.0), Some(1.0 / 3.0)]);
        assert_eq!(mostly(&summary), Some(GpuState::HeldIdle));
        // Whether it computes is not known: no state is.
        take(&mut minute, &at(260.0, None));
        let summary = closed(&mut minute).expect("a minute");
        assert_eq!((cell(&summary, "energy", Part::Increase), mostly(&summary)), (Some(60.0), None));
        assert_eq!(closed(&mut minute), None);
    }
}
