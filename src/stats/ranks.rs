//! A walk over two sorted samples, value by value: what every test of ranks reads, in one pass.

/// One value of the two samples together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tie {
    /// The value.
    pub value: f64,
    /// How many of the first sample lie below it.
    pub below_a: u64,
    /// How many of the second do.
    pub below_b: u64,
    /// How many of the first are it.
    pub a: u64,
    /// How many of the second are.
    pub b: u64,
}

/// Every distinct value of both sorted samples, in order.
pub fn ties<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = Tie> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        // Which side has the lesser value is a toss: counted, not branched on, it costs half the time.
        let (value, mut end_a, mut end_b) = match (a.get(i), b.get(j)) {
            (Some(one), Some(other)) => {
                (if one < other { *one } else { *other }, i + usize::from(one <= other), j + usize::from(other <= one))
            }
            (Some(value), None) => (*value, i + 1, j),
            (None, Some(value)) => (*value, i, j + 1),
            (None, None) => return None,
        };
        while a.get(end_a).is_some_and(|held| *held <= value) {
            end_a += 1;
        }
        while b.get(end_b).is_some_and(|held| *held <= value) {
            end_b += 1;
        }
        let (here_a, here_b) = ((end_a - i) as u64, (end_b - j) as u64);
        let tie = Tie { value, below_a: i as u64, below_b: j as u64, a: here_a, b: here_b };
        (i, j) = (end_a, end_b);
        Some(tie)
    })
}

/// The U of Mann and Whitney, and what its spread is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the value of the first sample is the larger; a tie is half a pair.
    pub u: f64,
    /// The sum of t^3 - t over the values that come t times.
    pub ties: f64,
}

/// Of two sorted samples.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> MannWhitney {
    // Half pairs are counted whole, so that nothing is rounded.
    let (mut halves, mut tied) = (0_u128, 0.0);
    for tie in ties(a, b) {
        halves += u128::from(tie.a) * u128::from(2 * tie.below_b + tie.b);
        let together = (tie.a + tie.b) as f64;
        tied += together.powi(3) - together;
    }
    MannWhitney { u: halves as f64 / 2.0, ties: tied }
}

/// P(U <= u) for samples of `n` and `m` values without ties; exact but for rounding. The ways to come to each U are the
/// coefficients of the Gaussian binomial, the product over i from 1 to n of (1 - q^(m + i)) / (1 - q^i) (Mann and Whitney,
/// "On a test of whether one of two random variables is stochastically larger than the other", 1947). Takes time `n * u`.
#[must_use]
pub fn mann_whitney_exact(n: u64, m: u64, u: u64) -> Option<f64> {
    let (few, many) = (usize::try_from(n.min(m)).ok()?, usize::try_from(n.max(m)).ok()?);
    let places = usize::try_from(u).ok()?.checked_add(1)?;
    let mut ways = vec![0.0; places];
    *ways.first_mut()? = 1.0;
    let mut all = 1.0;
    for i in 1..=few {
        for at in (many + i..places).rev() {
            ways[at] -= ways[at - many - i];
        }
        for at in i..places {
            ways[at] += ways[at - i];
        }
        all *= (many + i) as f64 / i as f64;
    }
    Some((ways.iter().sum::<f64>() / all).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_value_is_visited_once() {
        let found: Vec<Tie> = ties(&[1.0, 1.0, 3.0], &[1.0, 2.0]).collect();
        let tie = |value, below_a, below_b, a, b| Tie { value, below_a, below_b, a, b };
        assert_eq!(found, [tie(1.0, 0, 0, 2, 1), tie(2.0, 2, 1, 0, 1), tie(3.0, 2, 2, 1, 0)]);
        assert_eq!(ties(&[], &[]).count(), 0);
    }

    #[test]
    fn the_ways_of_a_small_box_are_counted() {
        // Of the 10 orders of 2 and 3 values 1, 1, 2, 2, 2, 1, 1 have U from 0 to 6.
        let expected = [0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0];
        for (u, want) in (0..).zip(expected) {
            let got = mann_whitney_exact(3, 2, u).expect("defined");
            assert!((got - want).abs() < 1e-15, "{u}: {got}");
        }
    }

    proptest! {
        #[test]
        fn the_pairs_of_both_sides_are_all_pairs(
            mut a in prop::collection::vec(-9..9_i8, 1..40), mut b in prop::collection::vec(-9..9_i8, 1..40),
        ) {
            a.sort_unstable();
            b.sort_unstable();
            let floats = |v: &[i8]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let (one, other) = (mann_whitney(&floats(&a), &floats(&b)), mann_whitney(&floats(&b), &floats(&a)));
            // In half pairs.
            let halves = |a: &i8, b: &i8| match a.cmp(b) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Greater => 2.0,
            };
            let pairs: f64 = a.iter().flat_map(|a| b.iter().map(move |b| halves(a, b))).sum();
            prop_assert!((one.u - pairs / 2.0).abs() < 1e-9);
            prop_assert!((one.u + other.u - (a.len() * b.len()) as f64).abs() < 1e-9);
            prop_assert!((one.ties - other.ties).abs() < 1e-9);
        }

        #[test]
        fn the_distribution_of_pairs_is_symmetric(n in 1..9_u64, m in 1..40_u64, share in 0.0..1.0f64) {
            let u = crate::stats::whole::unsigned(share * (n * m) as f64);
            let below = mann_whitney_exact(n, m, u).expect("defined");
            let above = if u == n * m { 0.0 } else { mann_whitney_exact(n, m, n * m - u - 1).expect("defined") };
            prop_assert!((below + above - 1.0).abs() < 1e-12, "{below} {above}");
        }
    }
}
