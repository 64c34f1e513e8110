//! How often values repeat, and how many different ones so many of the rows would have.

use std::collections::BTreeMap;

use statrs::function::gamma::ln_gamma;

/// Rows by how many have the same value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    rows: u64,
    /// Of each size, how many values have as many rows.
    sizes: BTreeMap<u64, u64>,
}

impl Groups {
    /// Of the rows of each value.
    #[must_use]
    pub fn of_counts(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut groups = Self::default();
        for rows in counts.into_iter().filter(|rows| *rows > 0) {
            groups.rows = groups.rows.saturating_add(rows);
            let values = groups.sizes.entry(rows).or_default();
            *values = values.saturating_add(1);
        }
        groups
    }

    /// Of values of which equal ones stand together.
    #[must_use]
    pub fn of_sorted<T>(values: &[T], same: impl FnMut(&T, &T) -> bool) -> Self {
        Self::of_counts(values.chunk_by(same).map(|group| group.len() as u64))
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sizes.len().saturating_mul(32)
    }

    /// The share of rows whose value no other has: about as likely is the next row to have a new one (Good, "The population
    /// frequencies of species", 1953). `None` without rows.
    #[must_use]
    pub fn alone(&self) -> Option<f64> {
        let alone = self.sizes.get(&1).copied().unwrap_or(0);
        (self.rows > 0).then(|| alone as f64 / self.rows as f64)
    }

    /// How many different values so many of the rows have on average, drawn without replacement (rarefaction: Hurlbert, "The nonconcept
    /// of species diversity", 1971). Of more rows than there are, as many as all have.
    #[must_use]
    pub fn distinct_at(&self, rows: u64) -> f64 {
        let (all, drawn) = (self.rows as f64, self.rows.min(rows) as f64);
        // ln C(all, drawn) of two, so that it is taken once.
        let whole = ln_gamma(all - drawn + 1.0) - ln_gamma(all + 1.0);
        let there = |size: u64| {
            let size = size as f64;
            if all - size < drawn {
                return 1.0;
            }
            -(ln_gamma(all - size + 1.0) - ln_gamma(all - size - drawn + 1.0) + whole).min(0.0).exp_m1()
        };
        self.sizes.iter().map(|(size, values)| *values as f64 * there(*size)).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rarefaction_is_as_counting_says() {
        // Of a, a, b, c any two: one pair of six has one value, the others two.
        let groups = Groups::of_counts([2, 1, 1]);
        assert!((groups.distinct_at(2) - 11.0 / 6.0).abs() < 1e-12, "{}", groups.distinct_at(2));
        assert_eq!((groups.distinct_at(9), groups.rows(), groups.alone()), (3.0, 4, Some(0.5)));
        assert_eq!((Groups::default().distinct_at(5), Groups::default().alone()), (0.0, None));
        assert_eq!(Groups::of_sorted(&[1, 1, 2, 3], |a, b| a == b), groups);
    }

    proptest! {
        #[test]
        fn more_rows_have_no_fewer_values(counts in prop::collection::vec(1..50_u64, 1..20), rows in 0..500_u64) {
            let groups = Groups::of_counts(counts.iter().copied());
            let (fewer, more) = (groups.distinct_at(rows), groups.distinct_at(rows.saturating_add(1)));
            prop_assert!(fewer <= more + 1e-9 && more <= counts.len() as f64 + 1e-9);
            prop_assert!(fewer <= rows as f64 + 1e-9);
        }
    }
}
