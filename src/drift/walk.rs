//! Two sorted sides, walked through together.

/// All rows of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tie {
    /// The value.
    pub value: f64,
    /// Rows of the reference.
    pub reference: usize,
    /// Rows of the current side.
    pub current: usize,
}

/// The values of both sides in ascending order, each once.
pub struct Ties<'a> {
    reference: &'a [f64],
    current: &'a [f64],
}

impl<'a> Ties<'a> {
    /// Of two sides in ascending order.
    pub fn of(reference: &'a [f64], current: &'a [f64]) -> Self {
        Self { reference, current }
    }
}

/// Takes the rows of this value off the front.
fn take(side: &mut &[f64], value: f64) -> usize {
    let rows = side.iter().take_while(|held| **held <= value).count();
    *side = side.get(rows..).unwrap_or_default();
    rows
}

impl Iterator for Ties<'_> {
    type Item = Tie;

    fn next(&mut self) -> Option<Tie> {
        let value = match (self.reference.first(), self.current.first()) {
            (Some(one), Some(other)) => one.min(*other),
            (one, other) => *one.or(other)?,
        };
        Some(Tie { value, reference: take(&mut self.reference, value), current: take(&mut self.current, value) })
    }
}

/// The largest gap between both sides' distribution functions: Kolmogorov and Smirnov's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gap {
    reference: u64,
    current: u64,
    largest: u64,
}

impl Gap {
    /// The next value's rows, of `m` of the reference and `n` of the current side.
    pub fn add(&mut self, tie: &Tie, m: u64, n: u64) {
        self.reference = self.reference.saturating_add(tie.reference as u64);
        self.current = self.current.saturating_add(tie.current as u64);
        let gap = self.reference.saturating_mul(n).abs_diff(self.current.saturating_mul(m));
        self.largest = self.largest.max(gap);
    }

    /// It, times `m` and `n`.
    pub fn steps(self) -> u64 {
        self.largest
    }
}
