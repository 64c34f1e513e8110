//! Columns that have two categories in all, such as yes and no: a table of two by two. Missing values are left out.
//!
//! Of the two the last in order is the one that is counted for ("true" of "false" and "true", "1" of "0" and "1").

use super::{Pair, Sample};

/// Of each side how many rows have the last category, and how many the first. `None` where the sides together have not exactly two, or
/// one of them has no value.
pub fn table(pair: &Pair<'_>) -> Option<[[f64; 2]; 2]> {
    let (Sample::Categorical { counts: reference, .. }, Sample::Categorical { counts: current, .. }) =
        (pair.reference, pair.current)
    else {
        return None;
    };
    let either = || reference.keys().chain(current.keys());
    let (first, last) = (either().min()?, either().max()?);
    if first == last || either().any(|category| category != first && category != last) {
        return None;
    }
    let rows = [reference, current].map(|side| [last, first].map(|c| side.get(c).copied().unwrap_or_default() as f64));
    rows.iter().all(|[last, first]| last + first > 0.0).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::fisher::fisher;
    use crate::drift::z_test::z_test;
    use crate::drift::{Bins, Outcome};

    fn sample(of: &[(&str, usize)], missing: usize) -> Sample {
        let values = of.iter().flat_map(|(name, n)| std::iter::repeat_n(Some((*name).to_owned()), *n));
        Sample::categorical(values.chain(std::iter::repeat_n(None, missing)))
    }

    fn both(reference: &Sample, current: &Sample) -> (Outcome, Outcome) {
        let pair = Pair::new(&Bins::of(reference), reference, current);
        (z_test(&pair), fisher(&pair))
    }

    #[test]
    fn there_are_exactly_two_categories() {
        let undefined = (Outcome::default(), Outcome::default());
        let (two, one) = (sample(&[("false", 8), ("true", 2)], 0), sample(&[("true", 5)], 0));
        assert_eq!(both(&one, &one), undefined, "one alone");
        assert_eq!(both(&two, &sample(&[("maybe", 1)], 0)), undefined, "three");
        assert_eq!(both(&two, &sample(&[], 9)), undefined, "no value on one side");
        let (z, fisher) = both(&two, &one);
        assert!(z.statistic.expect("defined") < 0.0 && fisher.statistic.expect("defined").abs() < 1e-15);
        assert_eq!(
            both(&two, &one),
            both(&sample(&[("false", 8), ("true", 2)], 4), &one),
            "missing values are left out"
        );
    }

    #[test]
    fn the_last_category_is_counted() {
        let (z, fisher) = both(&sample(&[("0", 10), ("1", 30)], 0), &sample(&[("0", 20), ("1", 20)], 0));
        assert!(z.statistic.expect("defined") > 0.0);
        assert!((fisher.statistic.expect("defined") - 3.0).abs() < 1e-15);
    }
}
