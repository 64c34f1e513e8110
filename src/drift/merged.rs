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
    within: Option<Area>,
    ranking: Ranking,
}

impl Walk {
    fn rise(&mut self, below_a: u64, below_b: u64) {
        let steps = below_a.saturating_mul(self.rows.1).abs_diff(below_b.saturating_mul(self.rows.0));
        self.steps = self.steps.max(steps);
    }

    fn gap(&self, below_a: u64, below_b: u64) -> f64 {
        below_a as f64 * self.shares.0 - below_b as f64 * self.shares.1
    }

    fn areas(&mut self) -> impl Iterator<Item = &mut Area> {
        [&mut self.whole].into_iter().chain(&mut self.within)
    }

    fn add(&mut self, tie: &Tie) {
        self.rise(tie.below_a, tie.below_b);
        let gap = self.gap(tie.below_a, tie.below_b);
        self.areas().for_each(|area| area.add(tie.value, gap));
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
        self.areas().for_each(|area| area.pass(values, gap, step));
        self.ranking.pass(values.len() as f64);
    }

    fn pass_in_stretches(&mut self, reference: &[f64], current: &[f64]) {
        let (mut rest, mut below_b) = (reference, 0_u64);
        let mut below_a = 0_u64;
        for same in current.chunk_by(|one, other| one == other) {
            let [value, ..] = same else { continue };
            let below = rest.iter().take_while(|held| *held < value).count();
            let (stretch, others) = rest.split_at(below);
            self.pass(stretch, below_a, below_b);
            below_a = below_a.saturating_add(below as u64);
            let here = others.iter().take_while(|held| *held == value).count();
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
        let first = reference.first()?.min(*current.first()?);
        let rows = (reference.len() as f64, current.len() as f64);
        let mut walk = Walk {
            rows: (reference.len() as u64, current.len() as u64),
            shares: (1.0 / rows.0, 1.0 / rows.1),
            steps: 0,
            whole: Area::new(first, (f64::NEG_INFINITY, f64::INFINITY)),
            within: scale.map(|scale| Area::new(first, scale.range())),
            ranking: Ranking::new(rows.0, rows.1),
        };
        if reference.len() / FAR_LONGER >= current.len() {
            walk.pass_in_stretches(reference, current);
        } else {
            ties(reference, current).for_each(|tie| walk.add(&tie));
        }
        let shift = scale.zip(walk.within).map(|(scale, within)| scale.effect(&within, rows));
        Some(Self { steps: walk.steps, area: walk.whole.sum, shift, ranking: walk.ranking })
    }
}
