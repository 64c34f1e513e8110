//! What current rows under one profile come to: counts that add up over windows and replicas. Each replica counts its own rows; the sum
//! is what one would have counted that had them all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Profile;
use crate::drift::{Bins, Sample};
use crate::stats::moments::{Moments, sum};

/// Rows counted in a profile's bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Of the profile whose bins these are.
    hash: String,
    /// By column.
    columns: BTreeMap<String, Counted>,
}

/// One column's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// In each bin; of categories one more of all that the profile does not name; last those without a value.
    counts: Vec<u64>,
    /// Of finite numbers: how many they are.
    finite: u64,
    /// Their mean.
    mean: f64,
    /// The sum of their squared deviations from it.
    squares: f64,
}

/// Counts that cannot be added.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Apart {
    /// They were counted in other bins.
    #[error("counts under profile {0} are not added to those under profile {1}; count both under one")]
    Profiles(String, String),
    /// Under one hash there are other columns or bins: one of the two is broken.
    #[error("column `{0}` is not counted in the same bins on both sides; one of the two is broken")]
    Bins(String),
}

impl Tally {
    /// Of no rows.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let none = |bins: &Bins| Counted { counts: vec![0; bins.labels().len()], finite: 0, mean: 0.0, squares: 0.0 };
        let columns = profile.columns.iter().map(|column| (column.name.clone(), none(&column.bins()))).collect();
        Self { hash: profile.hash.clone(), columns }
    }

    /// Counts the rows of the columns that the profile has. Without a column, or with one of another kind, its rows are not counted.
    ///
    /// # Errors
    /// It is another profile than the one the counts are of.
    pub fn add(&mut self, profile: &Profile, rows: &BTreeMap<String, Sample>) -> Result<(), Apart> {
        let mut more = Self::new(profile);
        for column in &profile.columns {
            if let (Some(sample), Some(counted)) = (rows.get(&column.name), more.columns.get_mut(&column.name)) {
                *counted = Counted::of(&column.bins(), sample);
            }
        }
        self.merge(&more)
    }

    /// Adds what was counted elsewhere.
    ///
    /// # Errors
    /// That was under another profile; then nothing is added.
    pub fn merge(&mut self, other: &Self) -> Result<(), Apart> {
        if self.hash != other.hash {
            return Err(Apart::Profiles(other.hash.clone(), self.hash.clone()));
        }
        let same = |name: &String, counted: &Counted| {
            self.columns.get(name).is_some_and(|own| own.counts.len() == counted.counts.len())
        };
        let apart = other.columns.iter().find(|(name, counted)| !same(name, counted)).map(|(name, _)| name);
        let lacking = self.columns.keys().find(|name| !other.columns.contains_key(*name));
        if let Some(name) = apart.or(lacking) {
            return Err(Apart::Bins(name.clone()));
        }
        for (name, counted) in &mut self.columns {
            if let Some(more) = other.columns.get(name) {
                counted.merge(more);
            }
        }
        Ok(())
    }

    /// The hash of the profile it is counted under.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// A column's rows.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Counted> {
        self.columns.get(name)
    }
}

impl Counted {
    fn of(bins: &Bins, sample: &Sample) -> Self {
        let finite: Vec<f64> = match sample {
            Sample::Numeric { sorted, .. } => sorted.iter().copied().filter(|value| value.is_finite()).collect(),
            Sample::Categorical { .. } => Vec::new(),
        };
        let moments = Moments::of(&finite).unwrap_or(Moments { count: 0.0, mean: 0.0, squares: 0.0 });
        Self { counts: bins.count(sample), finite: finite.len() as u64, mean: moments.mean, squares: moments.squares }
    }

    /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        let (own, more) = (self.finite as f64, other.finite as f64);
        let all = own + more;
        if all > 0.0 {
            let apart = other.mean - self.mean;
            self.mean += apart * (more / all);
            self.squares = sum([self.squares, other.squares, apart * apart * (own * more / all)].into_iter());
        }
        self.finite = self.finite.saturating_add(other.finite);
    }

    /// In each bin; of categories one more of all that the profile does not name; last those without a value.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.counts.iter().fold(0, |sum, rows| sum.saturating_add(*rows))
    }

    /// Rows without a value.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.counts.last().copied().unwrap_or_default()
    }

    /// The mean of its finite numbers.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.finite > 0).then_some(self.mean).filter(|mean| mean.is_finite())
    }

    /// Their standard deviation.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        (self.finite > 0).then(|| (self.squares / self.finite as f64).sqrt()).filter(|found| found.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Column;
    use super::*;

    type Row = (Option<f64>, Option<u8>);

    fn samples(rows: &[Row]) -> BTreeMap<String, Sample> {
        let name = |letter: u8| format!("c{letter}");
        let x = Sample::numeric(rows.iter().map(|(x, _)| *x));
        let c = Sample::categorical(rows.iter().map(|(_, c)| c.map(name)));
        BTreeMap::from([("x".to_owned(), x), ("c".to_owned(), c)])
    }

    fn profile(rows: u32) -> Profile {
        let reference: Vec<Row> = (0..rows).map(|i| (Some(f64::from(i)), u8::try_from(i % 7).ok())).collect();
        let columns = samples(&reference).into_iter().map(|(name, sample)| Column::of(&name, sample, false, &[]));
        Profile::new("train", rows.into(), Vec::new(), columns.map(|c| c.expect("enough")).collect()).expect("readable")
    }

    fn counted(profile: &Profile, rows: &[Row]) -> Tally {
        let mut tally = Tally::new(profile);
        tally.add(profile, &samples(rows)).expect("one profile");
        tally
    }

    /// Counts are the same, moments as far as sums of floats are.
    fn same(one: &Tally, other: &Tally) -> bool {
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * (1.0 + a.abs()),
            (a, b) => a == b,
        };
        let alike = |(a, b): (&Counted, &Counted)| {
            a.counts == b.counts
                && a.finite == b.finite
                && near(a.mean(), b.mean())
                && near(a.standard_deviation(), b.standard_deviation())
        };
        one.hash == other.hash && one.columns.values().zip(other.columns.values()).all(alike)
    }

    proptest! {
        /// However the rows are split, and in whatever order the parts are added, what they come to is what the whole does.
        #[test]
        fn any_split_adds_up_to_the_whole(
            rows in prop::collection::vec((prop::option::weighted(0.9, -500.0..900.0), prop::option::weighted(0.9, 0..9_u8)), 0..200),
            parts in prop::collection::vec(0..5_usize, 200),
        ) {
            let profile = profile(200);
            let mut split: Vec<Vec<Row>> = vec![Vec::new(); 5];
            for (row, part) in rows.iter().zip(&parts) {
                split[*part].push(*row);
            }
            let whole = counted(&profile, &rows);
            let mut there = Tally::new(&profile);
            let mut back = Tally::new(&profile);
            for (one, other) in split.iter().zip(split.iter().rev()) {
                there.merge(&counted(&profile, one)).expect("one profile");
                back.merge(&counted(&profile, other)).expect("one profile");
            }
            prop_assert!(same(&there, &whole) && same(&back, &whole), "{there:?} {back:?} {whole:?}");
            prop_assert_eq!(whole.column("x").map(Counted::rows), Some(rows.len() as u64));
        }
    }

    #[test]
    fn twenty_replicas_are_one() {
        let profile = profile(500);
        let row = |i: u32| -> Row {
            (Some(f64::from(i * 7919 % 1000) - 100.0).filter(|_| !i.is_multiple_of(11)), u8::try_from(i % 9).ok())
        };
        let rows: Vec<Row> = (0..10_000).map(row).collect();
        let mut sum = Tally::new(&profile);
        for replica in 0..20 {
            let own: Vec<Row> = rows.iter().skip(replica).step_by(20).copied().collect();
            // It travels as text.
            let text = serde_json::to_string(&counted(&profile, &own)).expect("text");
            sum.merge(&serde_json::from_str(&text).expect("a tally")).expect("one profile");
        }
        assert!(same(&sum, &counted(&profile, &rows)));
        let x = sum.column("x").expect("a column");
        assert_eq!((x.rows(), x.missing()), (10_000, 910));
        assert!(x.mean().is_some_and(|mean| (mean - 399.5).abs() < 5.0));
        // Categories that the profile does not name are one: c7 and c8.
        assert_eq!(sum.column("c").expect("a column").counts().iter().rev().nth(1), Some(&2222));
    }

    #[test]
    fn counts_under_other_profiles_are_not_added() {
        let (one, other) = (profile(500), profile(501));
        let rows: [Row; 1] = [(Some(1.0), Some(1))];
        let mut tally = counted(&one, &rows);
        let before = tally.clone();
        assert!(
            matches!(tally.merge(&counted(&other, &rows)), Err(Apart::Profiles(from, to)) if from == other.hash && to == one.hash)
        );
        assert!(tally.add(&other, &samples(&rows)).is_err());
        // Of one hash by its own word alone.
        let mut broken = counted(&one, &rows);
        broken.columns.get_mut("x").expect("a column").counts.pop();
        assert_eq!(tally.merge(&broken), Err(Apart::Bins("x".to_owned())));
        assert_eq!(tally, before);
    }
}
