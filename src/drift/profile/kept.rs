//! A column's categories, bounded: the most frequent by name, all others as one.
//!
//! Those that are kept are in part those that chance made more frequent in the reference, so that other rows of the same distribution
//! have more of the others: of 1000 levels in 10,000 rows that was seen as drift in one column of three. Where the others are more
//! than a little, the column is therefore held against the current rows in parts by a hash of the names, which chance has no say in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::FEWEST;
use crate::drift::Sample;

/// What all others are called; where a category is called so, with a mark more.
const OTHERS: &str = "(all others)";
/// Bytes of the names that are kept, with their counts: so many for each name's count and marks.
const BYTES: usize = 5000;
const BESIDE: usize = 9;
/// A longer name is among the others, in bytes.
const LONGEST: usize = 100;

/// A larger share of the rows than this is more than a little: twice as much again would still be no drift.
const LITTLE: f64 = 0.02;
/// Parts by the hash of the name.
const PARTS: u16 = 64;

/// The part that a category falls in, whatever else there is: SipHash-1-3 of its name.
fn part(name: &str) -> u16 {
    let hash = SipHasher13::new().hash(name.as_bytes());
    u16::try_from(hash.checked_rem(u64::from(PARTS)).unwrap_or_default()).unwrap_or_default()
}

/// The rows of each part, all of them named.
fn parts(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let label = |part: u16| format!("(part {} of {PARTS})", part.saturating_add(1));
    let mut parts = BTreeMap::new();
    for (name, rows) in counts {
        let held: &mut u64 = parts.entry(label(part(name))).or_default();
        *held = held.saturating_add(*rows);
    }
    parts
}

/// The categories of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Rows of each that is kept.
    pub named: BTreeMap<String, u64>,
    /// How many others there are: those of fewer than [`FEWEST`] rows, and what there is no room for.
    pub others: u64,
    /// Their rows.
    pub other_rows: u64,
    /// Where these are more than a little, the rows of all categories in parts by a hash of the name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, u64>,
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
        if kept.other_rows as f64 > LITTLE * kept.rows() as f64 {
            kept.parts = parts(counts);
        }
        kept
    }

    /// What does not add up.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let rows = self.parts.values().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
        (!self.parts.is_empty() && rows != self.rows()).then_some("its parts do not add up to its rows")
    }

    /// What all others are called here.
    pub(super) fn others(&self) -> String {
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
        if self.parts.is_empty() {
            return self.by_name(missing);
        }
        Sample::Categorical { counts: self.parts.clone(), missing }
    }

    /// The same by name alone, all others being one.
    #[must_use]
    pub fn by_name(&self, missing: u64) -> Sample {
        let others = (self.other_rows > 0).then(|| (self.others(), self.other_rows));
        Sample::Categorical { counts: self.named.clone().into_iter().chain(others).collect(), missing }
    }

    /// Current values of which no single one may be told: names that fewer rows share than a profile tells of, and that the reference has
    /// not, are one.
    #[must_use]
    pub fn without_rare(&self, current: Sample) -> Sample {
        // Where the reference has others, whatever it does not name is one of them anyway.
        if self.other_rows > 0 {
            return current;
        }
        let Sample::Categorical { counts, missing } = current else { return current };
        let (mut told, rare): (BTreeMap<_, _>, BTreeMap<_, _>) =
            counts.into_iter().partition(|(name, rows)| *rows >= FEWEST || self.named.contains_key(name));
        let rows = rare.values().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
        if rows > 0 {
            told.insert(self.others(), rows);
        }
        Sample::Categorical { counts: told, missing }
    }

    /// The current side: where the reference has others, nobody can say of a name that is not kept whether it is new, and it is one of
    /// them.
    #[must_use]
    pub fn seen(&self, current: Sample) -> Sample {
        match current {
            Sample::Categorical { counts, missing } if !self.parts.is_empty() => {
                Sample::Categorical { counts: parts(&counts), missing }
            }
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
    use crate::drift::baseline::Baseline;
    use crate::drift::modes::Mode;
    use crate::drift::verdict::{Measured, Thresholds, Verdict, judge};

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    #[test]
    fn rare_names_are_not_told() {
        let kept = Kept::of(&counts(&[("a", 990), ("Ada Lovelace", 1), ("b", 5), ("c", 4)]));
        let parts = BTreeMap::new();
        assert_eq!(kept, Kept { named: counts(&[("a", 990), ("b", 5)]), others: 2, other_rows: 5, parts });
        let current = Sample::Categorical { counts: counts(&[("a", 3), ("Ada Lovelace", 1), ("new", 2)]), missing: 7 };
        let seen = Sample::Categorical { counts: counts(&[("a", 3), (OTHERS, 3)]), missing: 7 };
        assert_eq!(kept.seen(current.clone()), seen);
        assert_eq!(kept.sample(0).rows(), 1000);
        // Without others everything new is seen as that.
        assert_eq!(Kept::of(&counts(&[("a", 90)])).seen(current.clone()), current);
    }

    #[test]
    fn of_current_rows_no_rare_name_is_told() {
        let kept = Kept::of(&counts(&[("a", 90), ("b", 50)]));
        let current = Sample::Categorical { counts: counts(&[("a", 1), ("Ada Lovelace", 4), ("new", 5)]), missing: 7 };
        let told = Sample::Categorical { counts: counts(&[("a", 1), (OTHERS, 4), ("new", 5)]), missing: 7 };
        assert_eq!(kept.without_rare(current), told);
        let numbers = Sample::numeric([Some(1.0)]);
        assert_eq!(kept.without_rare(numbers.clone()), numbers);
    }

    #[test]
    fn names_are_bounded() {
        let many: BTreeMap<String, u64> = (0..1000).map(|n| (format!("level {n:04}"), 10 + n)).collect();
        let kept = Kept::of(&many);
        assert!(
            kept.named.len() > 200 && kept.named.contains_key("level 0999") && !kept.named.contains_key("level 0000")
        );
        assert_eq!((kept.rows(), kept.others), (many.values().sum(), 1000 - kept.named.len() as u64));
        assert!(serde_json::to_string(&kept).expect("text").len() < 8000);
        assert_eq!(Kept::of(&counts(&[(&"x".repeat(101), 50)])).others, 1);
    }

    /// Names that are rare in the reference are not rarer than they are: nothing drifts that does not.
    #[test]
    fn chance_has_no_say_in_the_parts() {
        let sample = |seed: u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for _ in 0..10_000 {
                // Skewed: the square of an even number.
                let level = 1000.0 * random.f64() * random.f64();
                *counts.entry(format!("level {level:.0}")).or_default() += 1;
            }
            Sample::Categorical { counts, missing: 0 }
        };
        for seed in 0..25 {
            let Sample::Categorical { counts, .. } = sample(seed) else { continue };
            let kept = Kept::of(&counts);
            assert!(!kept.parts.is_empty() && kept.problem().is_none());
            let baseline = Baseline::new(kept.sample(0));
            let judged = |current: Sample| {
                let measured = Measured::new("c", &baseline, &kept.seen(current), &[], Mode::Default);
                judge(vec![measured], &Thresholds::default()).remove(0).verdict
            };
            assert_ne!(judged(sample(1000 + seed)), Verdict::Drift, "{seed}");
            let mut moved = counts.clone();
            moved.insert("new".to_owned(), 800);
            assert_eq!(judged(Sample::Categorical { counts: moved, missing: 0 }), Verdict::Drift, "{seed}");
        }
    }

    #[test]
    fn a_category_may_be_called_as_the_others_are() {
        let kept = Kept::of(&counts(&[(OTHERS, 50), ("rare", 1)]));
        assert!(
            matches!(kept.sample(0), Sample::Categorical { counts, .. } if counts.len() == 2 && counts[OTHERS] == 50)
        );
    }
}
