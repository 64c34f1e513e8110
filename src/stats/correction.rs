//! Correction of p-values for the number of tests.

/// P-values adjusted by Benjamini and Hochberg's step-up procedure ("Controlling the False Discovery Rate", 1995): each
/// is the smallest rate of false discoveries at which its hypothesis is rejected. In the order given; a missing p-value
/// stays missing and does not count as a test.
#[must_use]
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut known: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
    known.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    let tests = known.len();
    let mut adjusted = vec![None; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (larger, (index, p)) in known.into_iter().enumerate() {
        smallest = smallest.min(p * tests as f64 / (tests - larger) as f64);
        adjusted[index] = Some(smallest);
    }
    adjusted
}

/// P-values times the number of tests (Bonferroni): each is the smallest chance of any false discovery at which its hypothesis is
/// rejected. A missing p-value stays missing and does not count as a test.
#[must_use]
pub fn bonferroni(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let tests = p_values.iter().flatten().count() as f64;
    p_values.iter().map(|p| p.map(|p| (p * tests).min(1.0))).collect()
}

/// P-values adjusted by Holm's step-down procedure ("A simple sequentially rejective multiple test procedure", 1979): as
/// [`bonferroni`]'s, and none larger. A missing p-value stays missing and does not count as a test.
#[must_use]
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut known: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))).collect();
    known.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    let tests = known.len();
    let mut adjusted = vec![None; p_values.len()];
    let mut largest: f64 = 0.0;
    for (smaller, (index, p)) in known.into_iter().enumerate() {
        largest = largest.max(p * (tests - smaller) as f64).min(1.0);
        adjusted[index] = Some(largest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{benjamini_hochberg, bonferroni, holm};

    proptest! {
        #[test]
        fn adjusted_values_are_larger_keep_the_order_and_stay_below_one(
            p in prop::collection::vec(prop::option::of(0.0..=1.0f64), 0..40),
        ) {
            let adjusted = benjamini_hochberg(&p);
            for (p, q) in p.iter().zip(&adjusted) {
                prop_assert_eq!(p.is_some(), q.is_some());
                if let (Some(p), Some(q)) = (p, q) {
                    prop_assert!(*q >= *p - 1e-15 && *q <= 1.0);
                }
            }
            for (i, a) in p.iter().enumerate() {
                for (j, b) in p.iter().enumerate() {
                    if let (Some(a), Some(b)) = (a, b) && a < b {
                        prop_assert!(adjusted[i] <= adjusted[j]);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn holm_lies_between_the_other_two(p in prop::collection::vec(prop::option::of(0.0..=1.0f64), 0..40)) {
            for ((least, between), most) in benjamini_hochberg(&p).into_iter().zip(holm(&p)).zip(bonferroni(&p)) {
                prop_assert!(least <= between.map(|p| p + 1e-15) && between <= most, "{:?} {:?} {:?}", least, between, most);
            }
        }
    }

    #[test]
    fn a_missing_value_does_not_count_as_a_test() {
        assert_eq!(benjamini_hochberg(&[Some(0.01), None, Some(0.04)]), [Some(0.02), None, Some(0.04)]);
        assert_eq!(holm(&[Some(0.5), None, Some(0.01), Some(0.01)]), [Some(0.5), None, Some(0.03), Some(0.03)]);
        assert_eq!(bonferroni(&[Some(0.01), None, Some(0.6)]), [Some(0.02), None, Some(1.0)]);
    }
}
