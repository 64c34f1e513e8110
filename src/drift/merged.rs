//! Both sides' numbers in one order, walked once for all that is read off it: the largest gap between their distribution functions, the
//! area between these, and the ranks.

use super::area::Area;
use super::effect::{Effect, Scale};
use crate::stats::linear_ranks::Ranking;
use crate::stats::ranks::{Tie, ties};

/// What was seen on the way.
pub struct Merged {
    /// The largest |i m - j n| where i of the n reference values and j of the m current ones lie below a value.
    pub steps: u64,
    /// The area between the distribution functions, in the column's own unit; no number where a value is infinite.
    pub area: f64,
    /// The same within the range of the reference's scale, in its spreads.
    pub shift: Option<Effect>,
    /// Both sides' ranks.
    pub ranking: Ranking,
}

/// A reference of so many times the current values is passed over in stretches.
const FAR_LONGER: usize = 8;
/// Fewer values are walked over one by one.
const STRETCH: usize = 16;

struct Walk {
    rows: (u64, u64),
    /// Of one row on each side.
    shares: (f64, f64),
    steps: u64,
    whole: Area,
    /// Within the range of the scale; without one the whole again.
    within: Area,
    ranking: Ranking,
}

const EVERYWHERE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

impl Walk {
    fn new(reference: &[f64], current: &[f64], scale: Option<Scale>) -> Option<Self> {
        let first = reference.first()?.min(*current.first()?);
        let rows = (reference.len() as f64, current.len() as f64);
        Some(Self {
            rows: (reference.len() as u64, current.len() as u64),
            shares: (1.0 / rows.0, 1.0 / rows.1),
            steps: 0,
            whole: Area::new(first, EVERYWHERE),
            within: Area::new(first, scale.map_or(EVERYWHERE, |scale| scale.range())),
            ranking: Ranking::new(rows.0, rows.1),
        })
    }

    fn done(self, scale: Option<Scale>) -> Merged {
        let rows = (self.rows.0 as f64, self.rows.1 as f64);
        let shift = scale.map(|scale| scale.effect(&self.within, rows));
        Merged { steps: self.steps, area: self.whole.sum, shift, ranking: self.ranking }
    }

    fn rise(&mut self, below_a: u64, below_b: u64) {
        let steps = below_a.saturating_mul(self.rows.1).abs_diff(below_b.saturating_mul(self.rows.0));
        self.steps = self.steps.max(steps);
    }

    fn gap(&self, below_a: u64, below_b: u64) -> f64 {
        below_a as f64 * self.shares.0 - below_b as f64 * self.shares.1
    }

    #[inline]
    fn add(&mut self, tie: &Tie) {
        self.rise(tie.below_a, tie.below_b);
        let gap = self.gap(tie.below_a, tie.below_b);
        self.whole.add(tie.value, gap);
        self.within.add(tie.value, gap);
        self.ranking.add(tie.a as f64, tie.b as f64);
    }

    /// The next values of the reference, with no current one among them.
    fn pass(&mut self, values: &[f64], below_a: u64, below_b: u64) {
        if values.len() < STRETCH || values.windows(2).any(|pair| pair[0] >= pair[1]) {
            let here = |tie: Tie| Tie { below_a: tie.below_a.saturating_add(below_a), below_b, ..tie };
            ties(values, &[]).for_each(|tie| self.add(&here(tie)));
            return;
        }
        // In between it is nowhere larger than at both ends.
        self.rise(below_a, below_b);
        self.rise(below_a.saturating_add(values.len() as u64).saturating_sub(1), below_b);
        let (gap, step) = (self.gap(below_a, below_b), self.shares.0);
        self.whole.pass(values, gap, step);
        self.within.pass(values, gap, step);
        self.ranking.pass(values.len() as f64);
    }

    fn pass_in_stretches(&mut self, reference: &[f64], current: &[f64]) {
        let (mut rest, mut below_b) = (reference, 0_u64);
        let mut below_a = 0_u64;
        for same in current.chunk_by(|one, other| one >= other) {
            let [value, ..] = same else { continue };
            let below = rest.iter().take_while(|held| *held < value).count();
            let (stretch, others) = rest.split_at(below);
            self.pass(stretch, below_a, below_b);
            below_a = below_a.saturating_add(below as u64);
            let here = others.iter().take_while(|held| *held <= value).count();
            let (a, b) = (here as u64, same.len() as u64);
            self.add(&Tie { value: *value, below_a, below_b, a, b });
            (below_a, below_b) = (below_a.saturating_add(a), below_b.saturating_add(b));
            rest = others.get(here..).unwrap_or_default();
        }
        self.pass(rest, below_a, below_b);
    }
}

impl Merged {
    /// Of two sides in ascending order. `None` where one has no value.
    #[must_use]
    pub fn of(reference: &[f64], current: &[f64], scale: Option<Scale>) -> Option<Self> {
        let mut walk = Walk::new(reference, current, scale)?;
        if reference.len() / FAR_LONGER >= current.len() {
            walk.pass_in_stretches(reference, current);
        } else {
            ties(reference, current).for_each(|tie| walk.add(&tie));
        }
        Some(walk.done(scale))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::ascending::{ascending, key};

    /// Some of them tied.
    fn values(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![8 => -1e3..1e3f64, 1 => (-3..3_i8).prop_map(f64::from)];
        prop::collection::vec(value, rows).prop_map(|values| ascending(values.into_iter().map(key).collect()))
    }

    proptest! {
        #[test]
        fn a_reference_passed_over_in_stretches_is_one_walked_over(reference in values(200..2000), current in values(1..25)) {
            let scale = Scale::of(&reference);
            let passed = Merged::of(&reference, &current, scale).expect("values");
            prop_assert!(reference.len() / FAR_LONGER >= current.len());
            let mut walk = Walk::new(&reference, &current, scale).expect("values");
            ties(&reference, &current).for_each(|tie| walk.add(&tie));
            let walked = walk.done(scale);
            let near = |one: f64, other: f64| (one - other).abs() <= 1e-10 * (1.0 + other.abs());
            prop_assert_eq!(passed.steps, walked.steps);
            prop_assert!(near(passed.area, walked.area), "{} {}", passed.area, walked.area);
            let shifts = passed.shift.zip(walked.shift);
            prop_assert!(shifts.is_none_or(|(one, other)| near(one.measured, other.measured) && near(one.noise, other.noise)));
            for (one, other) in passed.ranking.p_values().into_iter().zip(walked.ranking.p_values()) {
                prop_assert!(one.zip(other).is_none_or(|(one, other)| near(one, other)) && one.is_some() == other.is_some());
            }
        }
    }

    #[test]
    fn each_is_what_its_definition_says() {
        // F - G is 1/4, 1/2, 0 between 1, 2, 4 and 6: half of the reference lies below 4 and none of the current values.
        let found = Merged::of(&[1.0, 2.0, 4.0, 4.0], &[4.0, 6.0], None).expect("values");
        assert_eq!(found.steps, 4, "half of 4 times 2");
        assert!((found.area - (0.25 + 2.0 * 0.5 + 2.0 * 0.5)).abs() < 1e-15, "{}", found.area);
        assert!(
            found.shift.is_none() && Merged::of(&[], &[1.0], None).is_none() && Merged::of(&[1.0], &[], None).is_none()
        );
        let infinite = Merged::of(&[1.0, f64::INFINITY], &[1.0], None).expect("values");
        assert!(infinite.steps == 1 && !infinite.area.is_finite());
    }
}
