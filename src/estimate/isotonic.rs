//! Isotonic regression: the curve that never falls and lies nearest to the points, in squares, by pooling adjacent violators (Barlow,
//! Bartholomew, Bremner and Brunk, "Statistical inference under order restrictions", 1972). As scikit-learn's
//! `IsotonicRegression(increasing=True, out_of_bounds="clip")`: equal places share the mean of their values, between steps it is
//! interpolated, beyond its ends it stays level.

/// Places nearer to one another than this are one, as scikit-learn has it.
const SAME: f64 = 1e-15;

/// A level stretch of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Where it begins.
    pub first: f64,
    /// Where it ends.
    pub last: f64,
    /// The weights of its points together.
    pub weight: f64,
    /// The values of its points, times their weights.
    sum: f64,
}

impl Block {
    /// How high it lies: the mean of its points.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.sum / self.weight
    }

    fn add(&mut self, other: &Self) {
        self.last = other.last;
        self.weight += other.weight;
        self.sum += other.sum;
    }
}

/// A curve that was fitted: its level stretches, each at least as high as the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    blocks: Vec<Block>,
}

impl Isotonic {
    /// Of points in any order: their places, their values and their weights (1 each without). Points without weight are none. `None`
    /// where nothing is left, the slices differ in length, or a number has no end.
    #[must_use]
    pub fn fit(places: &[f64], values: &[f64], weights: Option<&[f64]>) -> Option<Self> {
        if places.len() != values.len() || weights.is_some_and(|weights| weights.len() != places.len()) {
            return None;
        }
        let weight = |at: usize| weights.map_or(Some(1.0), |weights| weights.get(at).copied());
        let mut points = Vec::with_capacity(places.len());
        for (at, (place, value)) in places.iter().zip(values).enumerate() {
            let weight = weight(at)?;
            if !(place.is_finite() && value.is_finite() && weight.is_finite()) {
                return None;
            }
            if weight > 0.0 {
                points.push((*place, *value, weight));
            }
        }
        points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self::of_sorted(points)
    }

    /// Of finite points (place, value, weight above 0) whose places ascend. `None` without any.
    pub fn of_sorted(points: impl IntoIterator<Item = (f64, f64, f64)>) -> Option<Self> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        for (place, value, weight) in points {
            let point = Block { first: place, last: place, weight, sum: value * weight };
            match &mut open {
                Some(tied) if place - tied.first < SAME => tied.add(&Block { last: tied.last, ..point }),
                _ => settle(&mut blocks, open.replace(point)),
            }
        }
        settle(&mut blocks, open);
        (!blocks.is_empty()).then_some(Self { blocks })
    }

    /// The level stretches, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The curve's height. NaN where the place is none.
    #[must_use]
    pub fn at(&self, place: f64) -> f64 {
        self.from(self.index(place), place)
    }

    /// Which block is the first not to end before a place; their number where all do.
    #[must_use]
    pub fn index(&self, place: f64) -> usize {
        self.blocks.partition_point(|block| block.last < place)
    }

    /// Which block is the first not to end before a place, where places descend and `from` is what the place before gave, or the number of
    /// blocks at first.
    #[must_use]
    pub fn down(&self, from: usize, place: f64) -> usize {
        let before = self.blocks.get(..from).unwrap_or_default();
        from.saturating_sub(before.iter().rev().take_while(|block| block.last >= place).count())
    }

    /// The height at a place that the block of this index is the first not to end before.
    #[must_use]
    pub fn from(&self, index: usize, place: f64) -> f64 {
        let before = index.checked_sub(1).and_then(|index| self.blocks.get(index));
        match (before, self.blocks.get(index)) {
            (Some(before), Some(block)) if place < block.first => {
                let slope = (block.value() - before.value()) / (block.first - before.last);
                slope * (place - before.last) + before.value()
            }
            (_, Some(block)) if !place.is_nan() => block.value(),
            (Some(before), None) => before.value(),
            _ => f64::NAN,
        }
    }
}

/// Adds a block, and pools with it what lies no lower before it.
fn settle(blocks: &mut Vec<Block>, block: Option<Block>) {
    let Some(mut block) = block else { return };
    while let Some(before) = blocks.pop_if(|before| before.value() >= block.value()) {
        let later = block;
        block = before;
        block.add(&later);
    }
    blocks.push(block);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(points: &[(f64, f64)]) -> Isotonic {
        let (places, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        Isotonic::fit(&places, &values, None).expect("defined")
    }

    #[test]
    fn violators_are_pooled_and_steps_interpolated() {
        // isotonic_regression([5, 3, 1, 2, 8, 10, 7, 9, 6, 4]) of scikit-learn's documentation
        let values = [5.0, 3.0, 1.0, 2.0, 8.0, 10.0, 7.0, 9.0, 6.0, 4.0];
        let fitted = curve(&std::array::from_fn::<_, 10, _>(|i| (i as f64, values[i])));
        let wanted = [2.75, 2.75, 2.75, 2.75, 22.0 / 3.0, 22.0 / 3.0];
        assert!(wanted.iter().enumerate().all(|(i, want)| (fitted.at(i as f64) - want).abs() < 1e-12), "{fitted:?}");
        assert!((fitted.at(3.25) - (2.75 + 0.25 * (22.0 / 3.0 - 2.75))).abs() < 1e-12);
        assert_eq!((fitted.at(-5.0), fitted.at(99.0)), (2.75, 22.0 / 3.0));
        assert!(fitted.at(f64::NAN).is_nan());
    }

    #[test]
    fn equal_places_share_their_mean_and_weights_count() {
        let fitted =
            Isotonic::fit(&[2.0, 1.0, 2.0, 1.0, 3.0], &[1.0, 0.0, 0.0, 1.0, 9.0], Some(&[1.0, 3.0, 1.0, 1.0, 0.0]));
        let fitted = fitted.expect("defined");
        assert_eq!((fitted.at(1.0), fitted.at(2.0), fitted.at(3.0)), (0.25, 0.5, 0.5));
        assert_eq!(fitted.blocks().iter().map(|block| block.weight).collect::<Vec<_>>(), [4.0, 2.0]);
    }

    #[test]
    fn what_has_no_points_has_no_curve() {
        assert_eq!(Isotonic::fit(&[], &[], None), None);
        assert_eq!(Isotonic::fit(&[1.0], &[1.0], Some(&[0.0])), None);
        assert_eq!(Isotonic::fit(&[1.0, 2.0], &[1.0], None), None);
        assert_eq!(Isotonic::fit(&[f64::NAN], &[1.0], None), None);
        assert!((curve(&[(1.0, 0.5)]).at(-7.0) - 0.5).abs() < 1e-15);
    }

    proptest! {
        /// It ascends, keeps the mean, and no other of its kind lies nearer: by the min-max formula, at every point.
        #[test]
        fn it_is_the_nearest_that_never_falls(points in prop::collection::vec((0..12_i32, -9..9_i32), 1..40)) {
            let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| (f64::from(*x), f64::from(*y))).collect();
            let fitted = curve(&points);
            let mean = |of: &dyn Fn(f64) -> bool| {
                let inside: Vec<f64> = points.iter().filter(|(x, _)| of(*x)).map(|(_, y)| *y).collect();
                inside.iter().sum::<f64>() / inside.len() as f64
            };
            let places: std::collections::BTreeSet<i32> = points.iter().map(|(x, _)| stats_whole(*x)).collect();
            let places: Vec<f64> = places.into_iter().map(f64::from).collect();
            let mut last = f64::NEG_INFINITY;
            for (at, place) in places.iter().enumerate() {
                let highest = |from: &f64| {
                    let lowest = places[at..].iter().map(|to| mean(&|x| (*from..=*to).contains(&x)));
                    lowest.fold(f64::INFINITY, f64::min)
                };
                let wanted = places[..=at].iter().map(highest).fold(f64::NEG_INFINITY, f64::max);
                let got = fitted.at(*place);
                prop_assert!((got - wanted).abs() < 1e-9, "{} is not {} at {}", got, wanted, place);
                prop_assert!(got >= last);
                last = got;
            }
            let all: f64 = points.iter().map(|(x, y)| fitted.at(*x) - y).sum();
            prop_assert!(all.abs() < 1e-9, "the mean is kept: {}", all);
        }

        /// What is interpolated lies between, and a walk gives what a search gives.
        #[test]
        fn it_never_falls_anywhere(points in prop::collection::vec((-5.0..5.0f64, 0.0..1.0f64), 1..40), mut asked in prop::collection::vec(-6.0..6.0f64, 1..40)) {
            let fitted = curve(&points);
            asked.sort_unstable_by(f64::total_cmp);
            let heights: Vec<f64> = asked.iter().map(|place| fitted.at(*place)).collect();
            prop_assert!(heights.is_sorted_by(|a, b| *a <= b + 1e-12));
            let mut block = fitted.blocks().len();
            for (place, height) in asked.iter().zip(heights).rev() {
                block = fitted.down(block, *place);
                prop_assert!((fitted.from(block, *place) - height).abs() < 1e-15);
            }
        }
    }

    fn stats_whole(value: f64) -> i32 {
        i32::try_from(crate::stats::whole::signed(value)).expect("small")
    }
}
