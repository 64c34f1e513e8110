//! Page-Hinkley: a cumulative sum of the deviations from the mean so far, that has moved away from its least or its largest value
//! (Page, "Continuous inspection schemes", 1954), with the older ones fading, as river has it.

use super::{Mean, Signal};

/// Which changes of the mean are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// It grows.
    Up,
    /// It falls.
    Down,
    /// Either.
    #[default]
    Both,
}

/// What is drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// With fewer values nothing is said.
    pub least_values: u64,
    /// So large a deviation is none, in the values' own unit (delta).
    pub tolerance: f64,
    /// A sum that moves by more is drift, in the values' own unit (lambda).
    pub threshold: f64,
    /// What is left of the sum with each value (alpha).
    pub fading: f64,
    /// Which way.
    pub direction: Direction,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { least_values: 30, tolerance: 0.005, threshold: 50.0, fading: 1.0 - 0.0001, direction: Direction::Both }
    }
}

/// The detector.
#[derive(Debug, Clone, PartialEq)]
pub struct PageHinkley {
    parameters: Parameters,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    mean: Mean,
    increase: f64,
    decrease: f64,
    least: f64,
    largest: f64,
    drift: bool,
}

impl Default for State {
    fn default() -> Self {
        // The largest begins at -1 in river: a fall is found a little later than a rise where the first values deviate little.
        Self { mean: Mean::default(), increase: 0.0, decrease: 0.0, least: f64::INFINITY, largest: -1.0, drift: false }
    }
}

impl PageHinkley {
    /// Without a value yet.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters, state: State::default() }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Stable;
        }
        if self.state.drift {
            self.state = State::default();
        }
        let Parameters { least_values, tolerance, threshold, fading, direction } = self.parameters;
        let state = &mut self.state;
        state.mean.add(value);
        let deviation = value - state.mean.value;
        state.increase = fading * state.increase + deviation - tolerance;
        state.decrease = fading * state.decrease + deviation + tolerance;
        state.least = state.least.min(state.increase);
        state.largest = state.largest.max(state.decrease);
        if state.mean.count >= least_values as f64 {
            let up = state.increase - state.least > threshold;
            let down = state.largest - state.decrease > threshold;
            state.drift = match direction {
                Direction::Up => up,
                Direction::Down => down,
                Direction::Both => up || down,
            };
        }
        if state.drift { Signal::Drift } else { Signal::Stable }
    }

    /// The mean of the values since it began, or began anew.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.state.mean.count > 0.0).then_some(self.state.mean.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_hears_its_own_change_alone() {
        let found = |direction, to: f64| {
            let mut detector = PageHinkley::new(Parameters { direction, ..Parameters::default() });
            (0..400).any(|i| detector.update(if i < 200 { 0.0 } else { to }) == Signal::Drift)
        };
        assert!(found(Direction::Up, 1.0) && found(Direction::Down, -1.0));
        assert!(!found(Direction::Up, -1.0) && !found(Direction::Down, 1.0));
        assert!(found(Direction::Both, 1.0) && found(Direction::Both, -1.0));
    }
}
