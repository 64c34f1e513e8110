//! ADWIN: a window that grows while its parts have one mean, and loses its oldest part where they have not (Bifet and Gavalda,
//! "Learning from time-changing data with adaptive windowing", 2007: ADWIN2, with the bound for normal values).
//!
//! The window is kept as buckets of 1, 2, 4, ... values, a few of each size, each with its sum and its squared deviations (Babcock,
//! Datar, Motwani and O'Callaghan, "Maintaining variance and k-medians over data stream windows", 2003): a million values take some
//! hundred numbers.

use std::collections::VecDeque;

use super::Signal;

/// What is drift, and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// How likely one cut is to find a change where there is none, at most.
    pub delta: f64,
    /// Every so many values the window is tested.
    pub clock: u64,
    /// Buckets of each size, at most.
    pub buckets: usize,
    /// Parts with fewer values are not compared.
    pub least_part: u64,
    /// With so many values or fewer nothing is said.
    pub grace: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, buckets: 5, least_part: 5, grace: 10 }
    }
}

/// Values in a row, of which this is left.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Part {
    count: f64,
    total: f64,
    /// The sum of the squared deviations from their mean.
    squares: f64,
}

impl Part {
    fn mean(self) -> f64 {
        self.total / self.count
    }

    /// The squared deviations that two parts have beyond their own, for their means lie apart.
    fn between(self, other: Self) -> f64 {
        let apart = self.mean() - other.mean();
        self.count * other.count * apart * apart / (self.count + other.count)
    }
}

/// The detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Adwin {
    parameters: Parameters,
    /// Buckets of 2^i values in row i, the oldest first; the longest are the oldest.
    rows: Vec<VecDeque<Part>>,
    window: Part,
    ticks: u64,
    drift: bool,
}

impl Adwin {
    /// Without a value yet.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters, rows: vec![VecDeque::new()], window: Part::default(), ticks: 0, drift: false }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Stable;
        }
        if self.drift {
            *self = Self::new(self.parameters);
        }
        self.insert(value);
        self.ticks = self.ticks.saturating_add(1);
        let due = self.ticks.checked_rem(self.parameters.clock.max(1)) == Some(0);
        if due && self.window.count > self.parameters.grace as f64 {
            while self.parts_differ() {
                self.drift = true;
                self.forget_oldest();
            }
        }
        if self.drift { Signal::Drift } else { Signal::Stable }
    }

    fn insert(&mut self, value: f64) {
        let one = Part { count: 1.0, total: value, squares: 0.0 };
        let window = &mut self.window;
        if window.count > 0.0 {
            let apart = value - window.mean();
            window.squares += window.count * apart * apart / (window.count + 1.0);
        }
        window.count += 1.0;
        window.total += value;
        let most = self.parameters.buckets.max(1);
        let mut next = Some(one);
        for row in &mut self.rows {
            row.extend(next.take());
            if row.len() <= most {
                break;
            }
            if let (Some(a), Some(b)) = (row.pop_front(), row.pop_front()) {
                let squares = a.squares + b.squares + a.between(b);
                next = Some(Part { count: a.count + b.count, total: a.total + b.total, squares });
            }
        }
        self.rows.extend(next.map(|merged| VecDeque::from([merged])));
    }

    fn forget_oldest(&mut self) {
        let Some(row) = self.rows.last_mut() else { return };
        if let Some(oldest) = row.pop_front() {
            self.window.count -= oldest.count;
            self.window.total -= oldest.total;
            self.window.squares -= oldest.squares + oldest.between(self.window);
        }
        if row.is_empty() && self.rows.len() > 1 {
            self.rows.pop();
        }
    }

    /// Whether the window can be cut in two whose means lie further apart than chance puts them.
    fn parts_differ(&self) -> bool {
        let (mut older, mut newer) = (Part::default(), self.window);
        let least = self.parameters.least_part as f64;
        for row in self.rows.iter().rev() {
            for bucket in row {
                older.count += bucket.count;
                older.total += bucket.total;
                newer.count -= bucket.count;
                newer.total -= bucket.total;
                if older.count >= least && newer.count >= least && self.is_far(older, newer) {
                    return true;
                }
            }
        }
        false
    }

    /// The bound of the paper for values of a known variance, with ln(2 ln n / delta) for the many cuts.
    fn is_far(&self, older: Part, newer: Part) -> bool {
        let least = self.parameters.least_part as f64;
        let delta = (2.0 * self.window.count.ln() / self.parameters.delta).ln();
        let reciprocal = 1.0 / (older.count - least + 1.0) + 1.0 / (newer.count - least + 1.0);
        let variance = self.window.squares / self.window.count;
        let bound = (2.0 * reciprocal * variance * delta).sqrt() + 2.0 / 3.0 * delta * reciprocal;
        (older.mean() - newer.mean()).abs() > bound
    }

    /// Values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        crate::stats::whole::unsigned(self.window.count)
    }

    /// Their mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        Some(self.window.mean()).filter(|mean| mean.is_finite())
    }

    /// Their squared deviations from the mean, summed up.
    #[must_use]
    pub fn squares(&self) -> Option<f64> {
        Some(self.window.squares).filter(|squares| squares.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_is_kept_in_few_numbers() {
        let mut adwin = Adwin::new(Parameters::default());
        for i in 0..200_000_u32 {
            assert_eq!(adwin.update(f64::from(i % 7)), Signal::Stable, "{i}");
        }
        let held: usize = adwin.rows.iter().map(VecDeque::len).sum();
        assert_eq!(adwin.width(), 200_000);
        assert!(held <= 6 * 18, "{held}");
    }

    #[test]
    fn what_is_no_number_changes_nothing() {
        let mut adwin = Adwin::new(Parameters::default());
        assert_eq!((adwin.mean(), adwin.width()), (None, 0));
        adwin.update(2.0);
        let before = adwin.clone();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(adwin.update(value), Signal::Stable);
        }
        assert_eq!(adwin, before);
    }
}
