//! A GPU's readings -> the minute's signals, and the state it is paid for in.

use serde::Serialize;

use super::{Accumulator, Reading, Summary};
use crate::reading::GpuReading;
use crate::signal::Values;
use crate::signal::gpu::{Gpu, id};

/// What a GPU is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// One closed minute of one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuSummary {
    /// Its signals.
    pub signals: Summary,
    /// Readings in each of [`GpuState::ALL`].
    pub states: [u32; 3],
}

impl GpuSummary {
    /// Share of the readings whose state is known that were in this one.
    #[must_use]
    pub fn share(&self, state: GpuState) -> Option<f64> {
        let known: u32 = self.states.iter().sum();
        (known > 0).then(|| f64::from(self.states[state as usize]) / f64::from(known))
    }

    /// The state it was in longest.
    #[must_use]
    pub fn mostly(&self) -> Option<GpuState> {
        GpuState::ALL.into_iter().filter(|s| self.states[*s as usize] > 0).max_by_key(|s| self.states[*s as usize])
    }
}

/// Gathers one GPU's readings of the open minute.
#[derive(Debug)]
pub struct GpuAccumulator {
    signals: Accumulator<Gpu>,
    states: [u32; 3],
}

impl Default for GpuAccumulator {
    /// What was used before we came is not of this minute.
    fn default() -> Self {
        Self { signals: Accumulator::new(false), states: [0; 3] }
    }
}

impl GpuAccumulator {
    /// Takes a reading in.
    pub fn take(&mut self, reading: &GpuReading, state: Option<GpuState>) {
        self.signals.count(&Reading {
            at: reading.at.monotonic,
            started: None,
            // Only of what began under our eyes would it matter.
            full: true,
            signals: &reading.signals,
        });
        self.signals.sample(&reading.signals.values);
        if let Some(state) = state {
            let count = &mut self.states[state as usize];
            *count = count.saturating_add(1);
        }
    }

    /// Ends the minute, in which `last` was seen last, and begins the next. `None` if nothing was read in it.
    pub fn close(&mut self, last: &Values<Gpu>) -> Option<GpuSummary> {
        let states = std::mem::take(&mut self.states);
        self.signals.close(last).map(|signals| GpuSummary { signals, states })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::clock::Moment;
    use crate::signal::Part;

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
    fn energy_counts_what_was_used_under_our_eyes() {
        let mut minute = GpuAccumulator::default();
        let at = |energy: f64| {
            let mut reading = reading(Some(0.5), Some(1));
            reading.signals.values.real(id("energy"), energy);
            reading
        };
        let closed = |minute: &mut GpuAccumulator| minute.close(&Values::default());
        let energy = |summary: &GpuSummary| {
            summary.signals.cell(id("energy").column(Part::Increase)).map(crate::metric::Number::as_f64)
        };
        for energy in [1000.0, 1300.0, 200.0] {
            minute.take(&at(energy), Some(GpuState::Active));
        }
        let summary = closed(&mut minute).expect("a minute");
        assert_eq!(energy(&summary), Some(500.0), "300 J, and 200 J since the driver began anew");
        assert_eq!((summary.share(GpuState::Active), summary.share(GpuState::Free)), (Some(1.0), Some(0.0)));
        minute.take(&at(260.0), None);
        let summary = closed(&mut minute).expect("a minute");
        assert_eq!((energy(&summary), summary.share(GpuState::Active)), (Some(60.0), None));
        assert_eq!(closed(&mut minute), None);
    }
}
