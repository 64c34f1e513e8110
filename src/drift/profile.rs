//! A reference in a few kilobytes: how each column lies, without its rows. It is made once, by whoever may see the data, and goes to
//! wherever current rows are.
//!
//! # The file
//!
//! JSON, `"plumbline_profile": 1` first, a column a line. `hash` is SHA-256 over the text itself, without white space outside of strings
//! and with the hash left empty; reading checks it, so that one name stands for one profile on every node. Rows are counts, everything of
//! a numeric column has the column's unit, distances have none.
//!
//! # What it tells of the data
//!
//! Counts, means and deviations, the names of categories that [`FEWEST`] rows or more share, values that as many share, and between
//! these only numbers that no row has (see [`curve`]). The names of columns and of what was left out are told.
//!
//! # How near it is
//!
//! Each numeric column states how far its distances can be from those of the rows ([`curve::Within`]): of 100,000 rows no more
//! than 0.001 in Kolmogorov-Smirnov distance and in Wasserstein distance over the spread, of 10,000 no more than 0.002. It
//! counts as as many rows as the reference had, so that noise and p-values are the reference's; beyond [`MOST_ROWS`] as that
//! many.

pub mod curve;
pub mod kept;
pub mod span;
pub mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::curve::{Curve, Within};
use self::kept::Kept;
use super::aspect::Aspect;
use super::baseline::Baseline;
use super::order::Window;
use super::variation::Variation;
use super::{Bins, Kind, Sample};
use crate::stats::moments::Moments;
use crate::stats::whole;
use crate::units::hex;

/// What is told of a value, or of a category, is of so many rows at least.
pub const FEWEST: u64 = 5;
/// Rows that a numeric column counts as at most: 32 MiB of numbers.
pub const MOST_ROWS: u64 = 4_000_000;
/// The version of the file that is written and read.
pub const VERSION: u64 = 1;
/// A larger text is no profile, in bytes.
pub const LARGEST: usize = 16 << 20;

const MARK: &str = "plumbline_profile";

/// A reference without its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The file's version.
    #[serde(rename = "plumbline_profile")]
    version: u64,
    /// SHA-256 over the canonical text, in hex.
    pub hash: String,
    /// What the reference is called.
    pub reference: String,
    /// Its rows.
    pub rows: u64,
    /// How long the windows are that it knows of how much its columns vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Its columns that are not compared: what names a row, tells when, is the ground truth, or cannot be compared.
    pub left_out: Vec<String>,
    /// Those that are, in the reference's order.
    pub columns: Vec<Column>,
    /// As it was written: a number that is read and written anew may end in another digit.
    #[serde(skip)]
    text: String,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Rows without a value.
    pub missing: u64,
    /// What the others hold.
    pub values: Values,
    /// How much it varies by itself, over the reference's own chunks; where that is more than chance.
    pub variations: Vec<Varies>,
    /// What any of these chunks shows of a check of data quality, in its measure, by the check's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, f64>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Values {
    /// Numbers.
    Numeric(Numeric),
    /// Categories.
    Categorical(Categorical),
}

/// Numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// Their mean, of those that are finite.
    pub mean: Option<f64>,
    /// Their standard deviation.
    pub standard_deviation: Option<f64>,
    /// Rows with minus infinity, and with infinity.
    pub infinite: [u64; 2],
    /// The inner edges of the bins, the deciles.
    pub edges: Vec<f64>,
    /// Rows in each bin, and last those without a value.
    pub counts: Vec<u64>,
    /// How the finite ones lie.
    pub quantiles: Curve,
    /// How far that is off.
    pub within: Within,
}

/// Categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Categorical {
    /// Their names are numbers.
    pub numbers: bool,
    /// How often each is there.
    pub categories: Kept,
}

/// How much a column varies in one aspect.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Varies {
    /// In what.
    pub aspect: Aspect,
    /// Chunks of the reference it was seen over.
    pub chunks: usize,
    /// Rows of one, on average.
    pub rows: f64,
    /// The standard deviation of the next one's effect, in the aspect's measure.
    pub deviation: f64,
}

/// Why a text is no profile to be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no profile.
    #[error("is no profile: {0}; make one with `plumbline profile build`")]
    NotOne(String),
    /// It was written by another version.
    #[error(
        "is a profile of version {0}, and this plumbline reads version {VERSION}; make it anew with `plumbline profile build`"
    )]
    Version(String),
    /// It is not what was written.
    #[error(
        "its hash is {found}, and it says {said}: it was changed after it was made; make it anew with `plumbline profile build`"
    )]
    Hash {
        /// Of the text.
        found: String,
        /// That it has.
        said: String,
    },
    /// What it says cannot be.
    #[error("column `{column}`: {problem}; make it anew with `plumbline profile build`")]
    Broken {
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Why a column has no profile: what would be told is of too few.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("only {rows} rows have a value, and a profile tells nothing of fewer than {FEWEST}")]
pub struct TooFew {
    /// Its rows with a value.
    pub rows: u64,
}

/// Whether a text that begins so is meant to be one.
#[must_use]
pub fn is_one(head: &str) -> bool {
    begins_with(head, MARK)
}

/// Whether an object of JSON has such a key first.
fn begins_with(head: &str, mark: &str) -> bool {
    let inner = head.trim_start().strip_prefix('{').map(str::trim_start);
    inner.and_then(|inner| inner.strip_prefix('"')).is_some_and(|inner| inner.starts_with(mark))
}

/// Nine digits are enough for a reader, and are read as they were written.
fn rounded(value: f64) -> Option<f64> {
    format!("{value:.8e}").parse().ok().filter(|value: &f64| value.is_finite())
}

impl Column {
    /// Of a column's values, and its chunks in order of time where there are any.
    ///
    /// # Errors
    /// So few rows have a value that each would be told of.
    pub fn of(name: &str, sample: Sample, numbers: bool, chunks: &[Sample]) -> Result<Self, TooFew> {
        let rows = sample.present();
        if rows > 0 && rows < FEWEST {
            return Err(TooFew { rows });
        }
        let baseline = Baseline::new(sample).with_chunks(chunks);
        let known = |(aspect, variation): &(Aspect, Variation)| {
            let (rows, deviation) = (rounded(variation.rows())?, rounded(variation.deviation())?);
            Some(Varies { aspect: *aspect, chunks: variation.chunks, rows, deviation })
        };
        let variations = baseline.variations.iter().filter_map(known).collect();
        let missing = baseline.sample.missing();
        let values = match &baseline.sample {
            Sample::Categorical { counts, .. } => {
                Values::Categorical(Categorical { numbers, categories: Kept::of(counts) })
            }
            Sample::Numeric { sorted, .. } => Values::Numeric(Numeric::of(sorted, missing)?),
        };
        Ok(Self { name: name.to_owned(), missing, values, variations, faults: BTreeMap::new() })
    }

    /// The same with what its chunks show of checks of data quality.
    #[must_use]
    pub fn with_faults<'a>(mut self, faults: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        let told = |(check, value): (&str, f64)| Some((check.to_owned(), rounded(value).filter(|value| *value > 0.0)?));
        self.faults = faults.into_iter().filter_map(told).collect();
        self
    }

    /// How it is compared.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.values {
            Values::Numeric(_) => Kind::Numeric,
            Values::Categorical(_) => Kind::Categorical,
        }
    }

    /// Rows with a value.
    #[must_use]
    pub fn present(&self) -> u64 {
        match &self.values {
            Values::Numeric(numeric) => numeric.rows(),
            Values::Categorical(categorical) => categorical.categories.rows(),
        }
    }

    /// What current rows are held against.
    #[must_use]
    pub fn baseline(&self) -> Baseline {
        self.baseline_of(MOST_ROWS)
    }

    /// The same, numbers counting as `most` rows at most: as many are held in memory, and walked over by each comparison.
    #[must_use]
    pub fn baseline_of(&self, most: u64) -> Baseline {
        let sample = match &self.values {
            Values::Numeric(numeric) => numeric.sample(self.missing, most),
            Values::Categorical(categorical) => categorical.categories.sample(self.missing),
        };
        let mut baseline = Baseline::new(sample);
        if let Values::Numeric(numeric) = &self.values {
            baseline.bins = Bins::Edges(numeric.edges.clone());
        }
        let known = |v: &Varies| Some((v.aspect, Variation::known(v.chunks, v.rows, v.deviation)?));
        baseline.variations = self.variations.iter().filter_map(known).collect();
        baseline
    }

    /// The bins that current rows are counted in.
    #[must_use]
    pub fn bins(&self) -> Bins {
        match &self.values {
            Values::Numeric(numeric) => Bins::Edges(numeric.edges.clone()),
            Values::Categorical(categorical) => {
                Bins::Categories(categorical.categories.named.keys().cloned().collect())
            }
        }
    }

    /// The same, with bins of the `most` frequent categories alone.
    #[must_use]
    pub fn most_frequent(&self, most: usize) -> Bins {
        match &self.values {
            Values::Numeric(_) => self.bins(),
            Values::Categorical(categorical) => self.bins().most_frequent(&categorical.categories.by_name(0), most),
        }
    }

    /// The reference's rows in bins of its own, or of some of its categories.
    #[must_use]
    pub fn counted(&self, bins: &Bins) -> Vec<u64> {
        match &self.values {
            Values::Numeric(numeric) => numeric.counts.clone(),
            Values::Categorical(categorical) => bins.count(&categorical.categories.by_name(self.missing)),
        }
    }

    /// Current values of which no single one may be told.
    #[must_use]
    pub fn without_rare(&self, current: Sample) -> Sample {
        match &self.values {
            Values::Categorical(held) => held.categories.without_rare(current),
            Values::Numeric(_) => current,
        }
    }

    /// Current values as they are held against it: the categories that it does not name are one.
    #[must_use]
    pub fn seen(&self, current: Sample) -> Sample {
        match &self.values {
            Values::Numeric(_) => current,
            Values::Categorical(categorical) => categorical.categories.seen(current),
        }
    }

    fn problem(&self, rows: u64) -> Option<&'static str> {
        if let Values::Numeric(numeric) = &self.values {
            if let Some(problem) = numeric.quantiles.problem() {
                return Some(problem);
            }
            if !numeric.edges.is_sorted() || numeric.edges.iter().any(|edge| !edge.is_finite()) {
                return Some("its edges are not in ascending order");
            }
            let counted = numeric.counts.iter().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
            if numeric.counts.len() != numeric.edges.len().saturating_add(2) || counted != rows {
                return Some("its bins do not add up to its rows");
            }
        }
        if let Values::Categorical(categorical) = &self.values
            && let Some(problem) = categorical.categories.problem()
        {
            return Some(problem);
        }
        if self.present().saturating_add(self.missing) != rows {
            return Some("its rows are not as many as the profile's");
        }
        if self.faults.values().any(|value| !(value.is_finite() && *value >= 0.0)) {
            return Some("its chunks show what nothing can");
        }
        let sound = |v: &Varies| Variation::known(v.chunks, v.rows, v.deviation).is_some();
        (!self.variations.iter().all(sound)).then_some("it varies as nothing can")
    }
}

impl Numeric {
    fn of(sorted: &[f64], missing: u64) -> Result<Self, TooFew> {
        let (below, above) = (
            sorted.partition_point(|value| *value == f64::NEG_INFINITY),
            sorted.partition_point(|value| *value < f64::INFINITY),
        );
        let finite = sorted.get(below..above).unwrap_or_default();
        let (quantiles, within) = match Curve::of(finite) {
            Some(found) => found,
            None if finite.is_empty() => (Curve::default(), Within { ks: 0.0, wasserstein: Some(0.0) }),
            None => return Err(TooFew { rows: finite.len() as u64 }),
        };
        let infinite = [below, sorted.len().saturating_sub(above)].map(|rows| rows as u64);
        let moments = Moments::of(finite);
        let mut numeric = Self {
            mean: moments.and_then(|moments| rounded(moments.mean)),
            standard_deviation: moments.and_then(|moments| rounded((moments.squares / moments.count).sqrt())),
            infinite,
            edges: Vec::new(),
            counts: Vec::new(),
            quantiles,
            within,
        };
        // The deciles of the quantiles, as those of the rows may be a row's own.
        let bins = Bins::of(&numeric.sample(missing, MOST_ROWS));
        numeric.counts = bins.count(&Sample::Numeric { sorted: sorted.to_vec(), missing });
        if let Bins::Edges(edges) = bins {
            numeric.edges = edges;
        }
        Ok(numeric)
    }

    /// Its rows, the infinite ones with them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let [below, above] = self.infinite;
        self.quantiles.rows().saturating_add(below).saturating_add(above)
    }

    /// As many values as the reference had, or `most`, where the quantiles say.
    fn sample(&self, missing: u64, most: u64) -> Sample {
        let part = |rows: u64| match self.rows() {
            all if all > most => whole::unsigned((rows as f64 * (most as f64 / all as f64)).round()),
            _ => rows,
        };
        let [below, above] = self.infinite.map(|rows| usize::try_from(part(rows)).unwrap_or(usize::MAX));
        let mut sorted = vec![f64::NEG_INFINITY; below];
        self.quantiles.extend(&mut sorted, part(self.quantiles.rows()));
        sorted.extend(std::iter::repeat_n(f64::INFINITY, above));
        Sample::Numeric { sorted, missing: part(missing) }
    }
}

impl Profile {
    /// Of columns.
    ///
    /// # Errors
    /// What was written cannot be read: a number was lost on the way.
    pub fn new(reference: &str, rows: u64, left_out: Vec<String>, columns: Vec<Column>) -> Result<Self, Error> {
        let reference = reference.to_owned();
        let text = String::new();
        let (version, hash, window) = (VERSION, String::new(), None);
        Self { version, hash, reference, rows, window, left_out, columns, text }.named()
    }

    /// The same, with how long the windows are that its columns' variation was seen over.
    ///
    /// # Errors
    /// What was written cannot be read.
    pub fn in_windows(self, window: Window) -> Result<Self, Error> {
        Self { hash: String::new(), window: Some(window), ..self }.named()
    }

    fn named(mut self) -> Result<Self, Error> {
        self.hash = hash(&self.written());
        // As everyone else will read it.
        Self::read(&self.written())
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A column a line.
    fn written(&self) -> String {
        // Plain structures with text keys and finite numbers, which cannot fail.
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        let mut text = format!("{{\"{MARK}\":{},\"hash\":{},\n", self.version, json(serde_json::to_string(&self.hash)));
        let (reference, left_out) = (serde_json::to_string(&self.reference), serde_json::to_string(&self.left_out));
        let _ = write!(text, "\"reference\":{},\"rows\":{},", json(reference), self.rows);
        if let Some(window) = &self.window {
            let _ = write!(text, "\"window\":{},", json(serde_json::to_string(window)));
        }
        let _ = write!(text, "\"left_out\":{},\n\"columns\":[\n", json(left_out));
        let columns: Vec<String> = self.columns.iter().map(|column| json(serde_json::to_string(column))).collect();
        text.push_str(&columns.join(",\n"));
        text.push_str("\n]}\n");
        text
    }

    /// What a text says.
    ///
    /// # Errors
    /// It is no profile, of another version, or not what was written.
    pub fn read(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Marked {
            #[serde(rename = "plumbline_profile")]
            version: serde_json::Value,
        }
        let not_one = |error: serde_json::Error| Error::NotOne(error.to_string());
        let Marked { version } = serde_json::from_str(text).map_err(not_one)?;
        if version.as_u64() != Some(VERSION) {
            return Err(Error::Version(version.to_string()));
        }
        let mut profile: Self = serde_json::from_str(text).map_err(not_one)?;
        let canonical = without_spaces(text).replacen(&format!("\"hash\":\"{}\"", profile.hash), "\"hash\":\"\"", 1);
        let found = hash(&canonical);
        if found != profile.hash {
            return Err(Error::Hash { found, said: profile.hash });
        }
        text.clone_into(&mut profile.text);
        let mut names = BTreeSet::new();
        for column in &profile.columns {
            let twice = (!names.insert(&column.name)).then_some("it is there twice");
            if let Some(problem) = twice.or_else(|| column.problem(profile.rows)) {
                return Err(Error::Broken { column: column.name.clone(), problem });
            }
        }
        Ok(profile)
    }
}

/// SHA-256 of a text without white space outside of its strings, in hex.
fn hash(text: &str) -> String {
    hex(&Sha256::digest(without_spaces(text).as_bytes()))
}

fn without_spaces(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let kept = |c: &char| {
        let outside = !inside;
        match c {
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = inside && *c == '\\' && !escaped;
        !(outside && c.is_ascii_whitespace())
    };
    json.chars().filter(kept).collect()
}

#[cfg(test)]
mod tests;
