//! The area between two sides' distribution functions, value by value, within a range: their Wasserstein-1 distance, in the
//! column's own unit.

/// Taken in order of the values.
#[derive(Debug, Clone)]
pub struct Area {
    low: f64,
    high: f64,
    at: f64,
    /// So far.
    pub sum: f64,
}

/// Terms are added up side by side, so that none waits for the one before it.
const LANES: usize = 4;

impl Area {
    /// From the least value of either side on. What lies beyond the range counts as its end.
    #[must_use]
    pub fn new(first: f64, (low, high): (f64, f64)) -> Self {
        Self { low, high, at: first.clamp(low, high), sum: 0.0 }
    }

    /// The next value, and the gap between the functions up to it.
    #[inline]
    pub fn add(&mut self, value: f64, gap: f64) {
        // Neither is NaN, which is what makes `clamp` slow.
        let next = if value > self.low { value } else { self.low };
        let next = if next < self.high { next } else { self.high };
        self.sum += gap.abs() * (next - self.at);
        self.at = next;
    }

    /// The next values, and the gap up to each, which grows by `step`: what they add one by one.
    pub fn pass(&mut self, values: &[f64], gap: f64, step: f64) {
        let [first, others @ ..] = values else { return };
        let last = others.last().unwrap_or(first);
        if *first < self.low || *last > self.high {
            let mut gap = gap;
            for value in values {
                self.add(*value, gap);
                gap += step;
            }
            return;
        }
        self.add(*first, gap);
        let ((before, _), (after, rest)) = (values.as_chunks::<LANES>(), others.as_chunks::<LANES>());
        let (mut sums, mut place) = ([0.0; LANES], 1.0);
        for (before, after) in before.iter().zip(after) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += (gap + step * (place + lane as f64)).abs() * (after[lane] - before[lane]);
            }
            place += LANES as f64;
        }
        self.sum += sums.iter().sum::<f64>();
        self.at = after.last().map_or(*first, |after| after[LANES - 1]);
        for value in rest {
            self.add(*value, gap + step * place);
            place += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_passed_together_add_what_they_do_one_by_one(
            steps in prop::collection::vec(0.01..3.0f64, 1..40), gap in -1.0..1.0f64, range in prop_oneof![Just((f64::NEG_INFINITY, f64::INFINITY)), Just((5.0, 30.0))],
        ) {
            let values: Vec<f64> = steps.iter().scan(0.0, |at, step| { *at += step; Some(*at) }).collect();
            let [mut one, mut other] = [(); 2].map(|()| Area::new(0.0, range));
            one.pass(&values, gap, 0.01);
            for (place, value) in values.iter().enumerate() {
                other.add(*value, gap + 0.01 * place as f64);
            }
            prop_assert!((one.sum - other.sum).abs() < 1e-12 * (1.0 + other.sum), "{} {}", one.sum, other.sum);
            prop_assert_eq!(one.at.to_bits(), other.at.to_bits());
        }
    }
}
