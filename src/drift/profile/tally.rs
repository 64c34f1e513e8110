//! What current rows under one profile come to: counts that add up over windows and replicas. Each replica counts its own rows; the sum
//! is what one would have counted that had them all, and is held against the profile as those rows would be.
//!
//! Numbers are counted between the reference's percentiles, and lie within each as the reference's do: what moves between two of
//! them is not seen, and of what lies beyond the reference's range only how much it is. Categories are counted as the profile compares
//! them, the unknown as one.
//!
//! Counts carry the windows that they are of. The same window on several nodes adds up to one verdict over replicas, windows of one
//! node to a longer one; rows that would be counted twice are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::span::{self, Span};
use super::{Column, LARGEST, MOST_ROWS, Profile, Values, begins_with};
use crate::drift::{Bins, Sample};
use crate::stats::moments::{Moments, sum};
use crate::stats::whole;

/// The version that is written and read.
const VERSION: u64 = 2;
const MARK: &str = "plumbline_tally";

/// Rows counted in a profile's bins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tally {
    #[serde(rename = "plumbline_tally")]
    version: u64,
    /// All rows, whatever columns they have.
    rows: u64,
    /// Of the profile whose bins these are.
    hash: String,
    /// The windows whose rows they are; none until it is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    windows: Vec<Span>,
    /// By column.
    columns: BTreeMap<String, Counted>,
}

/// One column's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// They speak of other predictions.
    #[error("counts of model {0} are not added to those of model {1}")]
    Models(String, String),
    /// Rows would be counted twice.
    #[error(
        "{0} shares rows with {1}, and none is counted twice; where these are two agents, give each a name of its own (agent.node)"
    )]
    Twice(Box<Span>, Box<Span>),
    /// There are too many.
    #[error("more than {most} windows are not added up", most = span::MOST)]
    TooMany,
}

/// What tells how a text is to be read.
#[derive(Deserialize)]
struct Marked {
    #[serde(rename = "plumbline_tally")]
    version: u64,
}

fn is_of_one_model(one: &Span, other: &Span) -> bool {
    (&one.namespace, &one.model) == (&other.namespace, &other.model)
}

/// Why a text is none that can be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is none.
    #[error("are no counts under a profile: {0}")]
    NotOne(String),
    /// Another version wrote it.
    #[error(
        "are counts of version {0}, and this plumbline reads version {VERSION}, which names their windows; have agents of this version count anew"
    )]
    Version(u64),
    /// It does not say what was counted, or what cannot be.
    #[error("are counts whose windows {0}")]
    Windows(&'static str),
    /// What it says cannot be.
    #[error("column `{0}` has counts that cannot be")]
    Broken(String),
}

/// Whether a text that begins so is meant to be one.
#[must_use]
pub fn is_tally(head: &str) -> bool {
    begins_with(head, MARK)
}

impl Tally {
    /// Of no rows.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let none = |bins: &Bins| Counted { counts: vec![0; bins.labels().len()], finite: 0, mean: 0.0, squares: 0.0 };
        let columns = profile.columns.iter().map(|column| (column.name.clone(), none(&column.fine()))).collect();
        Self { version: VERSION, rows: 0, hash: profile.hash.clone(), windows: Vec::new(), columns }
    }

    /// What a text says.
    ///
    /// # Errors
    /// It is none that can be used.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > LARGEST {
            return Err(Unreadable::NotOne(format!("larger than {} MiB", LARGEST >> 20)));
        }
        let not_one = |error: serde_json::Error| Unreadable::NotOne(error.to_string());
        let Marked { version } = serde_json::from_str(text).map_err(not_one)?;
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let tally: Self = serde_json::from_str(text).map_err(not_one)?;
        tally.windows_can_be().map_err(Unreadable::Windows)?;
        match tally.columns.iter().find(|(_, counted)| !counted.can_be(tally.rows)) {
            Some((name, _)) => Err(Unreadable::Broken(name.clone())),
            None => Ok(tally),
        }
    }

    /// The same, said to be of a window.
    #[must_use]
    pub fn of_window(&self, window: Span) -> Self {
        Self { version: VERSION, windows: vec![Span { rows: self.rows, ..window }], ..self.clone() }
    }

    /// The windows whose rows it counts.
    #[must_use]
    pub fn windows(&self) -> &[Span] {
        &self.windows
    }

    fn windows_can_be(&self) -> Result<(), &'static str> {
        let rows = self.windows.iter().fold(0_u64, |sum, window| sum.saturating_add(window.rows));
        if self.windows.is_empty() {
            return Err("are not said");
        }
        if self.windows.len() > span::MOST {
            return Err("are too many");
        }
        if rows != self.rows || !self.windows.iter().all(Span::can_be) {
            return Err("cannot be");
        }
        match self.windows.split_first() {
            Some((first, others)) if others.iter().any(|other| !is_of_one_model(first, other)) => {
                Err("are of two models")
            }
            _ => Ok(()),
        }
    }

    /// Why windows of another are not added to these.
    fn window_apart(&self, other: &Self) -> Result<(), Apart> {
        if let (Some(own), Some(others)) = (self.windows.first(), other.windows.first())
            && !is_of_one_model(own, others)
        {
            return Err(Apart::Models(others.of_model(), own.of_model()));
        }
        if self.windows.len().saturating_add(other.windows.len()) > span::MOST {
            return Err(Apart::TooMany);
        }
        for window in &other.windows {
            if let Some(own) = self.windows.iter().find(|own| own.shares_rows_with(window)) {
                return Err(Apart::Twice(Box::new(window.clone()), Box::new(own.clone())));
            }
        }
        Ok(())
    }

    /// As text, with its mark first.
    #[must_use]
    pub fn text(&self) -> String {
        // Plain structures with text keys and finite numbers, which cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes so many rows into account, whose columns are counted one by one.
    pub fn more_rows(&mut self, rows: u64) {
        self.rows = self.rows.saturating_add(rows);
    }

    /// Counts a column's rows, which are as the column sees them, in its fine bins.
    pub fn count(&mut self, column: &str, fine: &Bins, seen: &Sample) {
        if let Some(counted) = self.columns.get_mut(column) {
            counted.merge(&Counted::of(fine, seen));
        }
    }

    /// Counts the rows of the columns that the profile has. Without a column, or with one of another kind, its rows are not counted.
    ///
    /// # Errors
    /// It is another profile than the one the counts are of.
    pub fn add(&mut self, profile: &Profile, rows: &BTreeMap<String, Sample>) -> Result<(), Apart> {
        let mut more = Self::new(profile);
        more.more_rows(rows.values().map(Sample::rows).max().unwrap_or_default());
        for column in &profile.columns {
            if let Some(sample) = rows.get(&column.name).filter(|sample| sample.kind() == column.kind()) {
                more.count(&column.name, &column.fine(), &column.seen(sample.clone()));
            }
        }
        self.merge(&more)
    }

    /// Adds what was counted elsewhere.
    ///
    /// # Errors
    /// That was under another profile, of another model, or of rows that are counted already; then nothing is added.
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
        self.window_apart(other)?;
        self.windows.extend(other.windows.iter().cloned());
        self.windows.sort_by(|a, b| (a.start, a.end, &a.node, a.arrivals).cmp(&(b.start, b.end, &b.node, b.arrivals)));
        for (name, counted) in &mut self.columns {
            if let Some(more) = other.columns.get(name) {
                counted.merge(more);
            }
        }
        self.rows = self.rows.saturating_add(other.rows);
        Ok(())
    }

    /// The same, of any number.
    ///
    /// # Errors
    /// Two of them cannot be added.
    pub fn sum(tallies: impl IntoIterator<Item = Self>) -> Result<Option<Self>, Apart> {
        let mut all: Option<Self> = None;
        for tally in tallies {
            match &mut all {
                None => all = Some(tally),
                Some(all) => all.merge(&tally)?,
            }
        }
        Ok(all)
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let of = |(name, counted): (&String, &Counted)| {
            (name.len() as u64).saturating_add((counted.counts.len() as u64).saturating_mul(8)).saturating_add(120)
        };
        self.columns.iter().map(of).sum()
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

impl Column {
    /// The bins that current rows are counted in, so that what comes of them says nearly what the rows would.
    #[must_use]
    pub fn fine(&self) -> Bins {
        const PARTS: u32 = 100;
        match &self.values {
            Values::Numeric(numeric) => {
                let at = |part: u32| numeric.quantiles.quantile(f64::from(part) / f64::from(PARTS));
                let mut edges: Vec<f64> = (1..PARTS).filter_map(at).filter(|edge| edge.is_finite()).collect();
                edges.dedup();
                Bins::Edges(edges)
            }
            Values::Categorical(categorical) => Bins::of(&categorical.categories.sample(self.missing)),
        }
    }

    /// Rows as they were counted: numbers lie in each bin as those of `baseline`, this column's own, do; of very many as many as a
    /// profile counts as. `None` where they were counted in other bins.
    #[must_use]
    pub fn as_counted(&self, baseline: &Sample, counted: &Counted) -> Option<Sample> {
        let bins = self.fine();
        let (missing, counts) = counted.counts.split_last()?;
        if counted.counts.len() != bins.labels().len() {
            return None;
        }
        match (&bins, baseline) {
            (Bins::Edges(edges), Sample::Numeric { sorted, .. }) => {
                let share = (MOST_ROWS as f64 / counted.rows() as f64).min(1.0);
                let part = |rows: u64| if share < 1.0 { whole::unsigned((rows as f64 * share).round()) } else { rows };
                let mut values = Vec::new();
                for (at, rows) in counts.iter().enumerate() {
                    let below = at.checked_sub(1).and_then(|before| edges.get(before)).copied();
                    values.extend(spread(sorted, below, edges.get(at).copied(), part(*rows)));
                }
                Some(Sample::Numeric { sorted: values, missing: part(*missing) })
            }
            (Bins::Categories(names), Sample::Categorical { .. }) => {
                let (other, named) = counts.split_last()?;
                let named = names.iter().cloned().zip(named.iter().copied()).filter(|(_, rows)| *rows > 0);
                let mut all: BTreeMap<String, u64> = named.collect();
                if let (Values::Categorical(categorical), true) = (&self.values, *other > 0) {
                    all.insert(categorical.categories.others(), *other);
                }
                Some(Sample::Categorical { counts: all, missing: *missing })
            }
            _ => None,
        }
    }
}

/// So many values that lie above `below` and up to `above`, as those of `sorted` do.
fn spread(sorted: &[f64], below: Option<f64>, above: Option<f64>, rows: u64) -> Vec<f64> {
    let place = |edge: f64| sorted.partition_point(|value| *value <= edge);
    let (from, to) = (below.map_or(0, place), above.map_or(sorted.len(), place));
    let own = sorted.get(from..to).unwrap_or_default();
    // Where the reference has none there is no more to say of them than on which side they lie.
    let none = || above.or(below.map(f64::next_up)).unwrap_or_default();
    let value = |row: u64| {
        let at = whole::index((row as f64 + 0.5) / rows as f64 * own.len() as f64);
        own.get(at.min(own.len().saturating_sub(1))).copied().unwrap_or_else(none)
    };
    (0..rows).map(value).collect()
}

impl Counted {
    /// Of so many rows, or of none where the column was not counted.
    fn can_be(&self, rows: u64) -> bool {
        let finite = self.mean.is_finite() && self.squares.is_finite() && self.squares >= 0.0;
        finite && self.finite <= self.rows() && self.rows() <= rows
    }

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

    /// A window of an hour on a node.
    fn window(node: &str, hour: i64) -> Span {
        let time = |hour: i64| jiff::Timestamp::from_second(hour.saturating_mul(3600)).expect("a time");
        let (model, node) = ("m".to_owned(), node.to_owned());
        Span {
            namespace: None,
            model,
            node,
            start: time(hour),
            end: time(hour.saturating_add(1)),
            arrivals: None,
            rows: 0,
        }
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
        one.hash == other.hash && one.rows == other.rows && one.columns.values().zip(other.columns.values()).all(alike)
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
            // Of two hours on three nodes.
            let part = |at: usize| {
                let hour = i64::try_from(at / 3).unwrap_or_default();
                counted(&profile, &split[at]).of_window(window(["a", "b", "c"][at % 3], hour))
            };
            for (one, other) in (0..5).zip((0..5).rev()) {
                there.merge(&part(one)).expect("one profile");
                back.merge(&part(other)).expect("one profile");
            }
            prop_assert_eq!(there.windows(), back.windows());
            prop_assert_eq!(there.windows().iter().map(|window| window.rows).sum::<u64>(), whole.rows());
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
            let text = counted(&profile, &own).of_window(window(&format!("n{replica}"), 1)).text();
            assert!(is_tally(&text) && !is_tally(profile.text()));
            sum.merge(&Tally::read(&text).expect("a tally")).expect("one profile");
        }
        assert!(same(&sum, &counted(&profile, &rows)));
        let x = sum.column("x").expect("a column");
        assert_eq!((sum.rows(), x.rows(), x.missing()), (10_000, 10_000, 910));
        assert!(x.mean().is_some_and(|mean| (mean - 399.5).abs() < 5.0));
        // Categories that the profile does not name are one: c7 and c8.
        assert_eq!(sum.column("c").expect("a column").counts().iter().rev().nth(1), Some(&2222));
    }

    /// The verdict over what was counted is that over the rows, where something moved and where nothing did.
    #[test]
    fn counts_are_held_against_the_profile_as_their_rows_would_be() {
        use crate::drift::modes::Mode;
        use crate::drift::verdict::{Measured, Thresholds, judge};
        let normal = |rows: u32, seed: u64, by: f64| {
            let mut random = fastrand::Rng::with_seed(seed);
            let x = move |_| Some((0..12).map(|_| random.f64()).sum::<f64>() - 6.0 + by);
            Sample::numeric((0..rows).map(x))
        };
        let levels = |rows: u32, seed: u64, most: u32, new: u32| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut level = move || random.u32(..most).min(random.u32(..most));
            let name = move |i| Some(if i < new { "new".to_owned() } else { format!("l{}", level()) });
            Sample::categorical((0..rows).map(name))
        };
        let columns =
            [("x", normal(20_000, 1, 0.0)), ("many", levels(20_000, 2, 1500, 0)), ("few", levels(20_000, 3, 5, 0))];
        let columns = columns.map(|(name, sample)| Column::of(name, sample, false, &[]).expect("enough")).to_vec();
        let profile = Profile::new("train", 20_000, Vec::new(), columns).expect("readable");
        for (at, by, new) in [(0, 0.0, 0), (1, 0.15, 0), (2, 0.3, 1000), (3, 5.0, 0), (4, -40.0, 0)] {
            let rows = BTreeMap::from([
                ("x".to_owned(), normal(4000, 100 + at, by)),
                ("many".to_owned(), levels(4000, 200 + at, 1500, new)),
                ("few".to_owned(), levels(4000, 300 + at, 5, new)),
            ]);
            let mut tally = Tally::new(&profile);
            tally.add(&profile, &rows).expect("one profile");
            for column in &profile.columns {
                let baseline = column.baseline();
                let judged = |current: &Sample| {
                    let measured = Measured::new("c", &baseline, current, &[], Mode::Default);
                    judge(vec![measured], &Thresholds::default()).remove(0)
                };
                let counted = tally.column(&column.name).expect("it is counted");
                let of_counts = column.as_counted(&baseline.sample, counted).expect("its bins");
                assert_eq!(Counted::of(&column.fine(), &of_counts).counts, counted.counts, "{} {by}", column.name);
                let (rows, counts) = (judged(&column.seen(rows[&column.name].clone())), judged(&of_counts));
                assert_eq!(rows.verdict, counts.verdict, "{} {by}", column.name);
                let (one, other) = (rows.aspects[0].effect, counts.aspects[0].effect);
                assert!((one - other).abs() < 0.01 || by.abs() > 1.0, "{} {by}: {one} {other}", column.name);
            }
        }
    }

    /// Values that many rows share, as they are in tenths, have a bin each, and every row is in one.
    #[test]
    fn shared_values_are_counted_each_by_itself() {
        let tenths = |by: u32| Sample::numeric((0..900_u32).map(|i| Some(f64::from(1 + (i + by) % 9) / 10.0)));
        let column = Column::of("x", tenths(0), true, &[]).expect("enough");
        let Bins::Edges(edges) = column.fine() else { return };
        assert_eq!(edges, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
        assert_eq!(Counted::of(&column.fine(), &tenths(5)).counts, [vec![100; 9], vec![0, 0]].concat());
    }

    #[test]
    fn what_is_no_tally_is_refused() {
        let profile = profile(500);
        let bare = counted(&profile, &[(Some(1.0), Some(1)), (None, None)]);
        let tally = bare.of_window(window("a", 1));
        let text = tally.text();
        assert_eq!(Tally::read(&text), Ok(tally));
        assert_eq!(Tally::read(&bare.text()), Err(Unreadable::Windows("are not said")));
        // As the version before wrote them.
        let old = bare.text().replacen("_tally\":2", "_tally\":1", 1);
        assert!(
            Tally::read(&old)
                .is_err_and(|error| error.to_string().contains("version 1, and this plumbline reads version 2"))
        );
        let less = text.replace("\"rows\":2", "\"rows\":1");
        assert!(Tally::read(&less).is_err_and(|error| error.to_string().starts_with("column `c` has counts")));
        for (from, to, why) in [
            ("_tally\":2", "_tally\":3", "are counts of version 3"),
            ("\"rows\":2", "\"rows\":1", "are counts whose windows cannot be"),
            ("T01:00:00Z", "T09:00:00Z", "are counts whose windows cannot be"),
            ("\"hash\"", "\"hush\"", "are no counts under a profile"),
            ("\"finite\":1", "\"finite\":9", "column `x` has counts"),
        ] {
            let error = Tally::read(&text.replacen(from, to, 1)).expect_err("refused").to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn no_row_is_counted_twice_and_no_two_models_are_one() {
        let profile = profile(500);
        let of = |window: Span| counted(&profile, &[(Some(1.0), Some(1))]).of_window(window);
        let mut sum = of(window("a", 1));
        let before = sum.clone();
        assert!(matches!(sum.merge(&of(window("a", 1))), Err(Apart::Twice(..))));
        let slid = Span { end: window("a", 2).end, ..window("a", 1) };
        assert!(matches!(sum.merge(&of(slid)), Err(Apart::Twice(..))));
        let other = Span { namespace: Some("ml".to_owned()), ..window("b", 1) };
        assert_eq!(sum.merge(&of(other)), Err(Apart::Models("ml/m".to_owned(), "m".to_owned())));
        assert_eq!(sum, before);
        for window in [window("b", 1), window("a", 2)] {
            sum.merge(&of(window)).expect("other rows");
        }
        // Nor by way of a sum.
        assert!(matches!(of(window("b", 1)).merge(&sum), Err(Apart::Twice(..))));
        assert_eq!((sum.rows(), sum.windows().len()), (3, 3));
        assert!(Tally::read(&sum.text()).is_ok_and(|read| read == sum));
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
