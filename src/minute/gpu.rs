//! A GPU's readings -> the minute's signals, and the state it is paid for in.

use serde::Serialize;

use super::{Spread, spread_of_samples};
use crate::reading::GpuReading;

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
    if reading.utilization? > 0.0 {
        return Some(GpuState::Active);
    }
    // Without the host's PID namespace the list may be empty though memory is taken.
    let held = holders.is_some_and(|count| count > 0) || reading.memory_used.is_some_and(|bytes| bytes >= RESIDENT);
    if !held && holders.is_none() && reading.memory_used.is_none() {
        return None;
    }
    Some(if held { GpuState::HeldIdle } else { GpuState::Free })
}

/// The signals of one closed minute of one GPU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuSummary {
    /// Readings that fell into the minute.
    pub samples: u32,
    /// Share of time a kernel ran.
    pub utilization: Option<Spread>,
    /// In bytes.
    pub memory_used: Option<Spread>,
    /// In watts.
    pub power: Option<Spread>,
    /// In degrees Celsius.
    pub temperature_max: Option<f64>,
    /// Increase, in joules.
    pub energy: Option<f64>,
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
#[derive(Debug, Default)]
pub struct GpuAccumulator {
    utilization: Vec<f64>,
    memory_used: Vec<f64>,
    power: Vec<f64>,
    temperature_max: Option<f64>,
    energy: Option<f64>,
    /// The counter as last read; it begins anew with the driver.
    last_energy: Option<f64>,
    states: [u32; 3],
    samples: u32,
}

impl GpuAccumulator {
    /// Takes a reading in.
    pub fn take(&mut self, reading: &GpuReading, state: Option<GpuState>) {
        self.samples += 1;
        self.utilization.extend(reading.utilization);
        self.memory_used.extend(reading.memory_used.map(|bytes| bytes as f64));
        self.power.extend(reading.power);
        if let Some(celsius) = reading.temperature {
            self.temperature_max = Some(self.temperature_max.map_or(celsius, |max| max.max(celsius)));
        }
        if let Some(now) = reading.energy {
            // What was used before we came is not of this minute.
            let used = self.last_energy.map_or(0.0, |last| if now >= last { now - last } else { now });
            self.energy = Some(self.energy.unwrap_or(0.0) + used);
            self.last_energy = Some(now);
        }
        if let Some(state) = state {
            self.states[state as usize] += 1;
        }
    }

    /// Ends the minute and begins the next. `None` if nothing was read in it.
    pub fn close(&mut self) -> Option<GpuSummary> {
        if self.samples == 0 {
            return None;
        }
        let summary = GpuSummary {
            samples: self.samples,
            utilization: spread_of_samples(&mut self.utilization),
            memory_used: spread_of_samples(&mut self.memory_used),
            power: spread_of_samples(&mut self.power),
            temperature_max: self.temperature_max,
            energy: self.energy,
            states: self.states,
        };
        *self = Self { last_energy: self.last_energy, ..Self::default() };
        Some(summary)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::clock::Moment;

    fn reading(utilization: Option<f64>, memory_used: Option<u64>) -> GpuReading {
        let at = Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        GpuReading { utilization, memory_used, ..GpuReading::unread("GPU-1".to_owned(), 0, "nvidia", at) }
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
        let at = |energy| GpuReading { energy: Some(energy), ..reading(Some(0.5), Some(1)) };
        for energy in [1000.0, 1300.0, 200.0] {
            minute.take(&at(energy), Some(GpuState::Active));
        }
        let summary = minute.close().expect("a minute");
        assert_eq!(summary.energy, Some(500.0), "300 J, and 200 J since the driver began anew");
        assert_eq!((summary.share(GpuState::Active), summary.share(GpuState::Free)), (Some(1.0), Some(0.0)));
        minute.take(&at(260.0), None);
        let summary = minute.close().expect("a minute");
        assert_eq!((summary.energy, summary.share(GpuState::Active)), (Some(60.0), None));
        assert_eq!(minute.close(), None);
    }
}
