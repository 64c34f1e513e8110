//! How many rows it takes to tell an effect from chance.

use super::aspect::Measure;
use crate::stats::{tails, whole};

/// How likely it is then found: four times in five, in standard deviations.
const POWER: f64 = 0.841_621;
/// Of an effect in spreads, a rank test sees so much as a test of means would (the efficiency for normal samples, 3 / pi).
const RANKS: f64 = 0.955;

/// An effect, in what it is measured, and over how many cells.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub measure: Measure,
    pub effect: f64,
    pub cells: usize,
}

/// What the current rows say so far.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub rows: f64,
    pub p_value: f64,
}

/// Current rows that tell an effect of this size from chance four times in five, against a reference of so many rows, at a level of
/// significance for one test. `None` where this reference is too small for any number of them.
///
/// Of one over both sides' rows a test needs 1 / R. A shift of d: R = (z + z')² / (0.955 d²). A Jensen-Shannon distance of d over k
/// cells is a chi-squared statistic of 8 ln 2 d² R; found where that lies so far beyond its k - 1 degrees of freedom. A squared
/// distance of means in k - 1 dimensions, d² over their variance, is one of (k - 1) d² R. Where the rows that are `seen` tell less
/// than that, a tail that a test by ranks hardly sees for one, what they tell grows with R from what it is.
#[must_use]
pub fn rows_needed(effect: Found, reference: f64, seen: Seen, level: f64) -> Option<u64> {
    let Found { measure, effect, cells } = effect;
    let z = tails::deviations(level);
    let freedom = (cells as f64 - 1.0).max(1.0);
    // The normal approximation to both distributions, squared deviations for one degree.
    let beyond = |deviations: f64, freedom: f64| deviations.powi(2) + deviations * (2.0 * (freedom - 1.0)).sqrt();
    let far = beyond(z + POWER, freedom);
    let together = match measure {
        Measure::Shift => (z + POWER).powi(2) / (RANKS * effect * effect),
        Measure::JensenShannon => far / (8.0 * std::f64::consts::LN_2 * effect * effect),
        Measure::Radius => far / (freedom * effect * effect),
        // Of more rows no more are looked at.
        Measure::Mmd | Measure::Separation => return None,
    };
    let now = 1.0 / (1.0 / reference + 1.0 / seen.rows);
    let freedom = if measure == Measure::Shift { 1.0 } else { freedom };
    let together = together.max(now * beyond(z + POWER, freedom) / beyond(tails::deviations(seen.p_value), freedom));
    // 1 / together = 1 / reference + 1 / current
    let current = 1.0 / (1.0 / together - 1.0 / reference);
    (current > 0.0 && current.is_finite()).then(|| whole::unsigned(current.ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_effect_takes_more_rows_and_a_larger_reference_fewer() {
        let found = |measure, effect, cells| Found { measure, effect, cells };
        let seen = Seen { rows: 100.0, p_value: 1e-4 };
        let needed = |effect, reference| rows_needed(found(Measure::Shift, effect, 2), reference, seen, 5e-5);
        // Against an endless reference: (4.06 + 0.84)^2 / (0.955 * 0.01).
        assert!(needed(0.1, 1e12).is_some_and(|rows| (2490..2530).contains(&rows)), "{:?}", needed(0.1, 1e12));
        assert!(needed(0.1, 5000.0) > needed(0.1, 50_000.0) && needed(0.2, 5000.0) < needed(0.1, 5000.0));
        assert_eq!(needed(0.1, 2000.0), None, "the reference's own error is too large");
        let shannon = |cells| rows_needed(found(Measure::JensenShannon, 0.1, cells), 1e9, seen, 5e-5);
        assert!(shannon(2) < shannon(100));
        // 672 rows of a column of which the tail alone moved, far: they are too few, so fewer are not enough.
        let tail = |p_value| rows_needed(found(Measure::Shift, 0.41, 2), 5832.0, Seen { rows: 672.0, p_value }, 5e-5);
        assert!(tail(0.0143).is_some_and(|rows| rows > 3000), "{:?}", tail(0.0143));
        assert_eq!(tail(1.0), None, "nothing is seen at all");
    }
}
