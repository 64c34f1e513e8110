//! One column's values, in the form every test reads: sorted numbers, or counted categories, and how many are missing.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt};
use polars::prelude::{DataType, Series};
use polars_arrow::array::Array;
use serde::{Deserialize, Serialize};

use crate::stats::ascending::{ascending, key};

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers, by their order.
    Numeric,
    /// Values that are the same or not.
    Categorical,
    /// Vectors of one length, as a cloud (`embedding`); no [`Sample`] holds them.
    Embedding,
}

/// One column's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// Numbers in ascending order. No NaN, no negative zero.
    Numeric {
        /// The numbers.
        sorted: Vec<f64>,
        /// How many rows have none; NaN is none.
        missing: u64,
    },
    /// How often each category occurs.
    Categorical {
        /// By category.
        counts: BTreeMap<String, u64>,
        /// How many rows have none.
        missing: u64,
    },
}

impl Kind {
    /// As people read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Embedding => "embedding",
        }
    }
}

impl Sample {
    /// Of numbers, in any order.
    #[must_use]
    pub fn numeric(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let (mut keys, mut rows) = (Vec::new(), 0);
        for value in values {
            one_more(&mut rows);
            keys.extend(value.map(key));
        }
        Self::of_keys(keys, rows)
    }

    /// Of the keys of numbers, out of so many rows.
    fn of_keys(keys: Vec<u64>, rows: u64) -> Self {
        let sorted = ascending(keys);
        Self::Numeric { missing: rows.saturating_sub(sorted.len() as u64), sorted }
    }

    /// Of categories.
    #[must_use]
    pub fn categorical(values: impl IntoIterator<Item = Option<String>>) -> Self {
        let mut missing = 0;
        let mut counts = BTreeMap::new();
        for value in values {
            match value {
                Some(value) => one_more(counts.entry(value).or_default()),
                None => one_more(&mut missing),
            }
        }
        Self::Categorical { counts, missing }
    }

    /// Of a normalised series, as `kind`. `None` where its type cannot be compared (timestamps, lists), or is text and was
    /// to be numeric.
    #[must_use]
    pub fn of(series: &Series, kind: Kind) -> Option<Self> {
        match kind {
            Kind::Numeric => Self::of_numbers(series),
            Kind::Categorical => Self::of_categories(series),
            Kind::Embedding => None,
        }
    }

    fn of_numbers(series: &Series) -> Option<Self> {
        Some(match series.dtype() {
            DataType::Float64 => {
                let chunks = series.f64().ok()?;
                let mut keys = Vec::with_capacity(chunks.len());
                for array in chunks.downcast_iter() {
                    // Without missing values the column is a plain slice, which is by far the quickest to walk.
                    if array.null_count() == 0 {
                        keys.extend(array.values().iter().map(|value| key(*value)));
                    } else {
                        keys.extend(array.non_null_values_iter().map(key));
                    }
                }
                Self::of_keys(keys, chunks.len() as u64)
            }
            DataType::Int64 => Self::numeric(series.i64().ok()?.iter().map(|v| v.map(|v| v as f64))),
            DataType::UInt64 => Self::numeric(series.u64().ok()?.iter().map(|v| v.map(|v| v as f64))),
            DataType::Boolean => Self::numeric(series.bool().ok()?.iter().map(|v| v.map(|v| f64::from(u8::from(v))))),
            DataType::Null => Self::Numeric { sorted: Vec::new(), missing: series.len() as u64 },
            _ => return None,
        })
    }

    fn of_categories(series: &Series) -> Option<Self> {
        Some(match series.dtype() {
            DataType::String => {
                let mut counted: HashMap<&str, u64> = HashMap::new();
                let mut missing = 0;
                for value in series.str().ok()?.iter() {
                    match value {
                        Some(value) => one_more(counted.entry(value).or_default()),
                        None => one_more(&mut missing),
                    }
                }
                Self::Categorical { counts: counted.into_iter().map(|(k, n)| (k.to_owned(), n)).collect(), missing }
            }
            DataType::Boolean => tally(series.bool().ok()?.iter(), |v| v.to_string()),
            DataType::Int64 => tally(series.i64().ok()?.iter(), |v| v.to_string()),
            DataType::UInt64 => tally(series.u64().ok()?.iter(), |v| v.to_string()),
            // By their bits, so that they can be counted; a whole number is written as one.
            DataType::Float64 => tally(
                series.f64().ok()?.iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| (v + 0.0).to_bits())),
                |bits| f64::from_bits(bits).to_string(),
            ),
            DataType::Null => Self::Categorical { counts: BTreeMap::new(), missing: series.len() as u64 },
            _ => return None,
        })
    }

    /// So many rows without a value.
    #[must_use]
    pub fn missing_rows(kind: Kind, missing: u64) -> Self {
        match kind {
            Kind::Numeric | Kind::Embedding => Self::Numeric { sorted: Vec::new(), missing },
            Kind::Categorical => Self::Categorical { counts: BTreeMap::new(), missing },
        }
    }

    /// The same of the rows that have a value.
    #[must_use]
    pub fn without_missing(mut self) -> Self {
        match &mut self {
            Self::Numeric { missing, .. } | Self::Categorical { missing, .. } => *missing = 0,
        }
        self
    }

    /// How it is compared.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Numeric { .. } => Kind::Numeric,
            Self::Categorical { .. } => Kind::Categorical,
        }
    }

    /// Rows with a value.
    #[must_use]
    pub fn present(&self) -> u64 {
        match self {
            Self::Numeric { sorted, .. } => sorted.len() as u64,
            Self::Categorical { counts, .. } => counts.values().sum(),
        }
    }

    /// Rows without one.
    #[must_use]
    pub fn missing(&self) -> u64 {
        match self {
            Self::Numeric { missing, .. } | Self::Categorical { missing, .. } => *missing,
        }
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.present().saturating_add(self.missing())
    }
}

/// Every category that either side has, in the order of their names, with its rows on the one and on the other.
pub fn side_by_side<'a>(
    one: &'a BTreeMap<String, u64>,
    other: &'a BTreeMap<String, u64>,
) -> impl Iterator<Item = (&'a str, u64, u64)> {
    let (mut ours, mut theirs) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (ours.peek(), theirs.peek()) {
            (Some((our, _)), Some((their, _))) => our.cmp(their),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, _) => std::cmp::Ordering::Greater,
        };
        let our = if order.is_le() { ours.next() } else { None };
        let their = if order.is_ge() { theirs.next() } else { None };
        let rows = |side: Option<(&String, &u64)>| side.map_or(0, |(_, rows)| *rows);
        our.or(their).map(|(name, _)| (name.as_str(), rows(our), rows(their)))
    })
}

fn one_more(count: &mut u64) {
    *count = count.saturating_add(1);
}

fn tally<T: std::hash::Hash + Eq>(values: impl Iterator<Item = Option<T>>, name: impl Fn(T) -> String) -> Sample {
    let mut counted: HashMap<T, u64> = HashMap::new();
    let mut missing = 0;
    for value in values {
        match value {
            Some(value) => one_more(counted.entry(value).or_default()),
            None => one_more(&mut missing),
        }
    }
    Sample::Categorical { counts: counted.into_iter().map(|(value, n)| (name(value), n)).collect(), missing }
}
