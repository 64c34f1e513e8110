//! Drift in a stream of numbers, value by value: errors of a model, or its scores, with a few values kept and no reference beside them.
//!
//! Parameters and results are those of river 0.26.1, which `tests/known/stream.py` holds each detector to, value for value; so is what
//! they do after a drift: with the next value they begin anew. Where a value is no number or has no end (river would carry it along for
//! good), it is left out.

pub mod adwin;
pub mod ddm;
pub mod kswin;
pub mod page_hinkley;

/// What a detector says once it has seen a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal {
    /// Nothing has changed so far.
    #[default]
    Stable,
    /// Something may be changing.
    Warning,
    /// What comes in has changed.
    Drift,
}

/// The mean of what came in so far (West, "Updating mean and variance estimates: an improved method", 1979).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Mean {
    count: f64,
    value: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.value += (1.0 / self.count) * (value - self.value);
    }
}
