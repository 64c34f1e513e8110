//! A column's categories, bounded: the most frequent by name, all others as one.
//!
//! Not yet right where many categories are about as frequent as the last one kept: the kept are those that chance made more frequent in
//! the reference, so that other rows of the same distribution have more of the others. Of 1000 levels in 10,000 rows that is seen as
//! drift in one column of three, where the rows themselves show none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FEWEST;
use crate::drift::Sample;

/// What all others are called; where a category is called so, with a mark more.
const OTHERS: &str = "(all others)";
/// Bytes of the names that are kept, with their counts: so many for each name's count and marks.
const BYTES: usize = 5000;
const BESIDE: usize = 9;
/// A longer name is among the others, in bytes.
const LONGEST: usize = 100;

/// The categories of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Rows of each that is kept.
    pub named: BTreeMap<String, u64>,
    /// How many others there are: those of fewer than [`FEWEST`] rows, and what there is no room for.
    pub others: u64,
    /// Their rows.
    pub other_rows: u64,
}

impl Kept {
    /// Of all categories with their rows.
    #[must_use]
    pub fn of(counts: &BTreeMap<String, u64>) -> Self {
        let mut ranked: Vec<(&String, u64)> = counts.iter().map(|(name, rows)| (name, *rows)).collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let mut kept = Self::default();
        let mut room = BYTES;
        for (name, rows) in ranked {
            let takes = name.len().saturating_add(BESIDE);
            if rows >= FEWEST && name.len() <= LONGEST && takes <= room {
                room = room.saturating_sub(takes);
                kept.named.insert(name.clone(), rows);
            } else {
                kept.others = kept.others.saturating_add(1);
                kept.other_rows = kept.other_rows.saturating_add(rows);
            }
        }
        kept
    }

    /// What all others are called here.
    fn others(&self) -> String {
        let mut name = OTHERS.to_owned();
        while self.named.contains_key(&name) {
            name.push('\'');
        }
        name
    }

    /// Rows with a value.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.named.values().fold(self.other_rows, |sum, rows| sum.saturating_add(*rows))
    }

    /// The reference's side of a comparison.
    #[must_use]
    pub fn sample(&self, missing: u64) -> Sample {
        let others = (self.other_rows > 0).then(|| (self.others(), self.other_rows));
        Sample::Categorical { counts: self.named.clone().into_iter().chain(others).collect(), missing }
    }

    /// The current side: where the reference has others, nobody can say of a name that is not kept whether it is new, and it is one of
    /// them.
    #[must_use]
    pub fn seen(&self, current: Sample) -> Sample {
        match current {
            Sample::Categorical { counts, missing } if self.other_rows > 0 => {
                let (mut known, unknown): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    counts.into_iter().partition(|(name, _)| self.named.contains_key(name));
                let rows = unknown.values().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
                if rows > 0 {
                    known.insert(self.others(), rows);
                }
                Sample::Categorical { counts: known, missing }
            }
            current => current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    #[test]
    fn rare_names_are_not_told() {
        let kept = Kept::of(&counts(&[("a", 90), ("Ada Lovelace", 1), ("b", 5), ("c", 4)]));
        assert_eq!(kept, Kept { named: counts(&[("a", 90), ("b", 5)]), others: 2, other_rows: 5 });
        let current = Sample::Categorical { counts: counts(&[("a", 3), ("Ada Lovelace", 1), ("new", 2)]), missing: 7 };
        let seen = Sample::Categorical { counts: counts(&[("a", 3), (OTHERS, 3)]), missing: 7 };
        assert_eq!(kept.seen(current.clone()), seen);
        assert_eq!(kept.sample(0).rows(), 100);
        // Without others everything new is seen as that.
        assert_eq!(Kept::of(&counts(&[("a", 90)])).seen(current.clone()), current);
    }

    #[test]
    fn names_are_bounded() {
        let many: BTreeMap<String, u64> = (0..1000).map(|n| (format!("level {n:04}"), 10 + n)).collect();
        let kept = Kept::of(&many);
        assert!(
            kept.named.len() > 200 && kept.named.contains_key("level 0999") && !kept.named.contains_key("level 0000")
        );
        assert_eq!((kept.rows(), kept.others), (many.values().sum(), 1000 - kept.named.len() as u64));
        assert!(serde_json::to_string(&kept).expect("text").len() < 6000);
        assert_eq!(Kept::of(&counts(&[(&"x".repeat(101), 50)])).others, 1);
    }

    #[test]
    fn a_category_may_be_called_as_the_others_are() {
        let kept = Kept::of(&counts(&[(OTHERS, 50), ("rare", 1)]));
        assert!(
            matches!(kept.sample(0), Sample::Categorical { counts, .. } if counts.len() == 2 && counts[OTHERS] == 50)
        );
    }
}
