//! Features that are compared by what is made of them: texts and dates by columns of numbers, lists of one length as clouds.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{ChunkAgg, DataFrame, DataType, Int64Chunked, IntoColumn, Series};

use super::Spec;
use super::border::RESERVED;
use crate::drift::Sample;
use crate::drift::derived::{self, Derived, Side};
use crate::drift::embedding::cloud::Cloud;
use crate::drift::embedding::variations;
use crate::drift::modes::Mode;
use crate::drift::order::Order;

/// What is made of a reference's features, and how the same is made of samples.
#[derive(Default)]
pub struct Made {
    derived: BTreeMap<String, Derived>,
    /// The columns that are made, each with its source.
    names: BTreeMap<String, String>,
    /// Those whose rows without a number are counted by another.
    silent: BTreeSet<String>,
    /// Features that are lists of one length.
    pub clouds: BTreeMap<String, Cloud>,
    /// Lists that are not of one length, and what they are.
    refused: BTreeMap<String, String>,
}

impl Made {
    /// As a reference's rows say; in their order of time they say how much clouds vary by themselves.
    #[must_use]
    pub fn of(frame: &DataFrame, spec: &Spec, order: Option<&Order>) -> Self {
        let mut made = Self::default();
        let times = times(frame);
        let other_rule = spec.thresholds.mode != Mode::Default;
        for column in frame.columns() {
            let (series, name) = (column.as_materialized_series(), column.name().as_str());
            let is = |names: &[String]| names.iter().any(|known| known == name);
            let as_text = is(&spec.text);
            if RESERVED.contains(&name) || spec.leaves_out(name) || is(&spec.categorical) || (other_rule && !as_text) {
                continue;
            }
            if matches!(series.dtype(), DataType::List(_)) {
                match Cloud::reference(series) {
                    Ok(Some(mut cloud)) => {
                        cloud.variations =
                            order.map_or_else(Vec::new, |order| variations(&cloud, &order.parts(series)));
                        made.clouds.insert(name.to_owned(), cloud);
                    }
                    Ok(None) => {}
                    Err(why) => drop(made.refused.insert(name.to_owned(), why)),
                }
            } else if let Some(derived) = Derived::of(series, times.as_ref(), as_text) {
                made.derived.insert(name.to_owned(), derived);
            }
        }
        for (source, one) in made.all(frame, Side::Reference, &|_| true) {
            if !one.counts_missing {
                made.silent.insert(one.name.clone());
            }
            made.names.insert(one.name, source);
        }
        made
    }

    /// The columns that are made of rows of a side, each with its source; but for those that have the name of a feature.
    fn all(&self, frame: &DataFrame, side: Side, which: &dyn Fn(&Derived) -> bool) -> Vec<(String, derived::Made)> {
        let times = times_of_rows(frame);
        let made = |(name, derived): (&String, &Derived)| {
            let rows = frame.column(name).ok().map(|column| column.as_materialized_series().clone());
            // What none of the rows has is missing in all of them.
            let rows = rows.unwrap_or_else(|| Series::full_null(name.into(), frame.height(), &DataType::String));
            let times = times.as_ref().filter(|_| derived.is_by_row());
            derived.made(side, &rows, times).into_iter().map(|made| (name.clone(), made)).collect::<Vec<_>>()
        };
        let all = self.derived.iter().filter(|(_, derived)| which(derived)).flat_map(made);
        all.filter(|(_, made)| frame.column(&made.name).is_err()).collect()
    }

    /// The rows with what is made of them.
    #[must_use]
    pub fn with(&self, frame: &DataFrame, side: Side) -> DataFrame {
        self.extended(frame, side, &|_| true)
    }

    /// The same of current rows that come bit by bit, where each row's number is its own.
    #[must_use]
    pub fn with_rows(&self, frame: &DataFrame) -> DataFrame {
        self.extended(frame, Side::Current, &Derived::is_by_row)
    }

    fn extended(&self, frame: &DataFrame, side: Side, which: &dyn Fn(&Derived) -> bool) -> DataFrame {
        let mut extended = frame.clone();
        for (_, made) in self.all(frame, side, which) {
            // It has as many rows as the frame, whose own they are.
            let _ = extended.with_column(made.values.into_column());
        }
        extended
    }

    /// A column's values, with the missing ones where it is the one that counts them.
    #[must_use]
    pub fn counted(&self, name: &str, sample: Sample) -> Sample {
        if self.silent.contains(name) { sample.without_missing() } else { sample }
    }

    /// Whether the feature is compared by what is made of it.
    #[must_use]
    pub fn is_source(&self, name: &str) -> bool {
        self.derived.contains_key(name) || self.clouds.contains_key(name)
    }

    /// Features that are compared so.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.derived.keys().chain(self.clouds.keys()).map(String::as_str)
    }

    /// Whether the column is one that is made.
    #[must_use]
    pub fn is_made(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether its missing values are counted by another.
    #[must_use]
    pub fn is_silent(&self, name: &str) -> bool {
        self.silent.contains(name)
    }

    /// Why lists are not compared.
    #[must_use]
    pub fn refused(&self, name: &str) -> Option<&str> {
        self.refused.get(name).map(String::as_str)
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let derived = self.derived.values().map(Derived::bytes);
        derived.chain(self.clouds.values().map(Cloud::bytes)).fold(0, u64::saturating_add)
    }
}

/// A window's vectors; rows of a frame that lacks the feature have none.
#[must_use]
pub fn cloud(frame: &DataFrame, name: &str, reference: &Cloud) -> Cloud {
    match frame.column(name) {
        Ok(column) => Cloud::current(column.as_materialized_series(), reference),
        Err(_) => Cloud::current(&Series::full_null(name.into(), frame.height(), &DataType::Null), reference),
    }
}

fn times_of_rows(frame: &DataFrame) -> Option<Int64Chunked> {
    Some(frame.column("timestamp").ok()?.datetime().ok()?.physical().clone())
}

/// The times of a reference's rows, where they say when they were: rows that came without a time all have that at which they came.
fn times(frame: &DataFrame) -> Option<Int64Chunked> {
    times_of_rows(frame).filter(|times| times.min() != times.max())
}
