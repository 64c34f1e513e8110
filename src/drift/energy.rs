//! Energy distance: the root of twice the area under the squared gap between the two empirical distribution functions (as scipy's
//! `energy_distance`; Székely, "E-statistics: the energy of statistical samples", 2003). It grows with the root of the column's unit.
//! Missing values are left out; an infinite value leaves it undefined.

use super::{Outcome, Pair};
use crate::stats::ranks::ties;

pub fn energy(pair: &Pair<'_>) -> Outcome {
    let Some((a, b)) = pair.numbers() else { return Outcome::default() };
    let (a_share, b_share) = (1.0 / a.len() as f64, 1.0 / b.len() as f64);
    let (mut area, mut at) = (0.0, None);
    for tie in ties(a, b) {
        let gap = tie.below_a as f64 * a_share - tie.below_b as f64 * b_share;
        area += gap * gap * (tie.value - at.replace(tie.value).unwrap_or(tie.value));
    }
    Outcome { statistic: Some((2.0 * area).sqrt()), p_value: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::drift::{Bins, Sample};

    proptest! {
        /// Its other definition: 2 E|X - Y| - E|X - X'| - E|Y - Y'|, squared.
        #[test]
        fn energy_is_made_of_mean_distances(
            a in prop::collection::vec(-50..50_i32, 1..30), b in prop::collection::vec(-50..50_i32, 1..30),
        ) {
            let sample = |v: &[i32]| Sample::numeric(v.iter().map(|v| Some(f64::from(*v))));
            let mean = |x: &[i32], y: &[i32]| {
                let all = x.iter().flat_map(|x| y.iter().map(move |y| f64::from(x.abs_diff(*y))));
                all.sum::<f64>() / (x.len() as f64 * y.len() as f64)
            };
            let (r, c) = (sample(&a), sample(&b));
            let found = energy(&Pair::new(&Bins::of(&r), &r, &c)).statistic.expect("defined");
            let want = 2.0 * mean(&a, &b) - mean(&a, &a) - mean(&b, &b);
            prop_assert!((found * found - want).abs() < 1e-9, "{found} {want}");
        }
    }
}
