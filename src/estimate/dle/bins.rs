//! Columns as few bins, by what the reference has.

use std::collections::BTreeMap;

use super::trees::BINS;
use crate::drift::multi::Column;

/// How a column is binned. The first bin is for what is missing, or new.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Binner {
    /// Numbers: above so many edges.
    Numbers { edges: Vec<f64>, low: f64, high: f64 },
    /// Names: the most frequent have a bin each, all others share the last one.
    Names { bins: BTreeMap<String, u8>, others: u8 },
}

impl Binner {
    /// Of a column of the reference.
    pub(super) fn of(column: &Column) -> Self {
        match column {
            Column::Numbers(values) => {
                let mut sorted: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let edge = |at: usize| sorted.get(at * sorted.len() / (BINS - 1)).copied();
                let mut edges: Vec<f64> = (1..BINS - 1).filter_map(edge).collect();
                edges.dedup();
                let ends = sorted.first().zip(sorted.last());
                let (low, high) = ends.map_or((f64::INFINITY, f64::NEG_INFINITY), |(low, high)| (*low, *high));
                Self::Numbers { edges, low, high }
            }
            Column::Names(names) => {
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for name in names.iter().flatten() {
                    *counts.entry(name).or_default() += 1;
                }
                let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
                ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
                let others = u8::try_from(BINS - 1).unwrap_or(u8::MAX);
                let bins = (1..=others)
                    .chain(std::iter::repeat(others))
                    .zip(ranked)
                    .map(|(bin, (name, _))| (name.to_owned(), bin));
                Self::Names { bins: bins.take(MAX_NAMES).collect(), others }
            }
        }
    }

    /// Whether the bins have no order.
    pub(super) fn is_named(&self) -> bool {
        matches!(self, Self::Names { .. })
    }

    /// A row's bin, and whether the reference has its like. What is missing is nothing new.
    pub(super) fn bin(&self, column: &Column, row: usize) -> (u8, bool) {
        match (self, column) {
            (Self::Numbers { edges, low, high }, Column::Numbers(values)) => {
                match values.get(row).copied().flatten().filter(|value| value.is_finite()) {
                    Some(value) => {
                        let bin = edges.partition_point(|edge| *edge <= value) + 1;
                        (u8::try_from(bin).unwrap_or(u8::MAX), (*low..=*high).contains(&value))
                    }
                    None => (0, true),
                }
            }
            (Self::Names { bins, others }, Column::Names(names)) => match names.get(row).and_then(Option::as_deref) {
                Some(name) => match bins.get(name) {
                    Some(bin) => (*bin, true),
                    None if bins.len() >= MAX_NAMES => (*others, true),
                    None => (0, false),
                },
                None => (0, true),
            },
            _ => (0, false),
        }
    }
}

/// Names that are remembered, at most. Beyond, a name is not told from a new one, and counts as seen.
const MAX_NAMES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order_and_what_is_new_is_told() {
        let column = Column::Numbers((0..1000).map(|i| (i % 10 != 3).then(|| f64::from(i))).collect());
        let binner = Binner::of(&column);
        let asked = Column::Numbers(vec![Some(0.0), Some(500.0), Some(999.0), Some(-1.0), Some(2000.0), None]);
        let bins: Vec<(u8, bool)> = (0..6).map(|row| binner.bin(&asked, row)).collect();
        assert!(bins[0].0 == 1 && bins[0] < bins[1] && bins[1] < bins[2] && usize::from(bins[2].0) < BINS, "{bins:?}");
        assert_eq!(bins.iter().map(|(_, known)| *known).collect::<Vec<_>>(), [true, true, true, false, false, true]);
        assert_eq!((bins[3].0, bins[4].0, bins[5].0), (bins[0].0, bins[2].0, 0));
    }

    #[test]
    fn names_have_a_bin_each_and_a_rest() {
        let names = (0..500_u32).map(|i| Some(format!("n{}", i % 100)));
        let binner = Binner::of(&Column::Names(names.chain([None]).collect()));
        let of = |name: Option<&str>| binner.bin(&Column::Names(vec![name.map(str::to_owned)]), 0);
        assert_eq!((of(None), of(Some("never")), of(Some("n0"))), ((0, true), (0, false), (1, true)));
        assert!(of(Some("n98")) == of(Some("n99")) && usize::from(of(Some("n99")).0) == BINS - 1);
        assert_eq!(binner.bin(&Column::Numbers(vec![Some(1.0)]), 0), (0, false), "another kind");
    }
}
