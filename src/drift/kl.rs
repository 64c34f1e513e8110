//! Kullback-Leibler divergence of the reference from the current rows: the sum over the bins of r ln(r / c), in nats (Kullback and
//! Leibler, "On information and sufficiency", 1951). Empty shares count as they do for the population stability index, which is this
//! divergence there and back; where that leaves the sum below zero, it is none.

use super::psi::filled;
use super::{Outcome, Pair};

pub fn kl(pair: &Pair<'_>) -> Outcome {
    let terms = pair.counts.shares().map(|(r, c)| (filled(r), filled(c))).map(|(r, c)| r * (r / c).ln());
    Outcome { statistic: Some(terms.sum::<f64>().max(0.0)), p_value: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::drift::{Counts, Sample, psi};

    proptest! {
        #[test]
        fn there_and_back_it_is_the_population_stability_index(counts in prop::collection::vec((1..500_u64, 1..500_u64), 1..9)) {
            let sample = Sample::numeric([]);
            let (reference, current): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
            let of = |reference: &[u64], current: &[u64]| {
                let counts = Counts { reference: reference.to_vec(), current: current.to_vec() };
                Pair::counted(&sample, &sample, counts)
            };
            let there = of(&reference, &current);
            let both = kl(&there).statistic.zip(kl(&of(&current, &reference)).statistic).map(|(a, b)| a + b);
            let index = psi::psi(&there).statistic;
            prop_assert!((both.expect("defined") - index.expect("defined")).abs() < 1e-12);
        }
    }
}
