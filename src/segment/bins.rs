//! Numbers in bins of about as many rows each, with edges that are short to write.

use std::collections::BTreeSet;

use super::coded::Coded;
use crate::stats::pick;

/// Of more values so many are looked at for the quantiles: a bin of a tenth has 9.5 to 10.5 % of the rows.
const LOOKED_AT: usize = 20_000;
/// An edge is rounded to a power of ten that is no more than this share of the way to the next.
const ROUNDING: f64 = 0.05;

/// Bins (a, b], open at both ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// Where each but the last ends, in ascending order.
    edges: Vec<f64>,
    /// The values, where they are so few that each has a bin.
    values: Option<Vec<f64>>,
}

impl Bins {
    /// A bin for each value where they are no more than `most`, else so many quantiles, rounded. `None` without two values that differ.
    /// What is not finite is none.
    #[must_use]
    pub fn of(values: &[Option<f64>], most: usize) -> Option<Self> {
        let finite: Vec<f64> =
            values.iter().flatten().copied().filter(|value| value.is_finite()).map(|v| v + 0.0).collect();
        let mut distinct = BTreeSet::new();
        let few = finite.iter().all(|value| {
            distinct.insert(crate::stats::ascending::key(*value));
            distinct.len() <= most
        });
        if few {
            let mut values: Vec<f64> = crate::stats::ascending::ascending(distinct.into_iter().collect());
            let edges = values.get(..values.len().saturating_sub(1)).filter(|edges| !edges.is_empty())?.to_vec();
            values.dedup();
            return Some(Self { edges, values: Some(values) });
        }
        let mut sorted: Vec<f64> =
            pick::spread(finite.len(), LOOKED_AT).filter_map(|at| finite.get(at).copied()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // Values as they are, not between two: of whole numbers an edge is whole.
        let marks: Vec<f64> =
            (0..=most).filter_map(|at| sorted.get(at * sorted.len().saturating_sub(1) / most).copied()).collect();
        let largest = *marks.last()?;
        let mut edges: Vec<f64> = Vec::new();
        for around in marks.windows(3) {
            let &[before, edge, after] = around else { continue };
            // What many rows have stays whole.
            let is_tied = before >= edge || edge >= after;
            let edge = if is_tied { edge } else { rounded(edge, (edge - before).min(after - edge)) };
            if edge < largest && edges.last().is_none_or(|last| edge > *last) {
                edges.push(edge);
            }
        }
        // Where nearly all rows have the largest value, one edge parts them from the others.
        if edges.is_empty() {
            edges.extend(sorted.iter().rfind(|value| **value < largest));
        }
        if edges.is_empty() {
            return None;
        }
        Some(Self { edges, values: None })
    }

    /// How many bins there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.edges.len() + 1
    }

    /// The bin that a number lies in; `None` of one that is not finite.
    #[must_use]
    pub fn bin(&self, value: f64) -> Option<usize> {
        value.is_finite().then(|| self.edges.partition_point(|edge| *edge < value))
    }

    /// The bins from one to another, both included, in words: `age in (30, 40]`, `age <= 30`, `rooms = 3`.
    #[must_use]
    pub fn words(&self, name: &str, first: usize, last: usize) -> String {
        let lower = first.checked_sub(1).and_then(|at| self.edges.get(at));
        let upper = self.edges.get(last);
        if let Some(values) = &self.values
            && let (Some(least), Some(most)) = (values.get(first), values.get(last))
            && (first == last || (lower.is_some() && upper.is_some()))
        {
            return if first == last { format!("{name} = {least}") } else { format!("{name} in [{least}, {most}]") };
        }
        match (lower, upper) {
            (Some(lower), Some(upper)) => format!("{name} in ({lower}, {upper}]"),
            (Some(lower), None) => format!("{name} > {lower}"),
            (None, Some(upper)) => format!("{name} <= {upper}"),
            (None, None) => format!("{name} is known"),
        }
    }

    /// The numbers as codes into their bins, named without the column: `(30, 40]`.
    #[must_use]
    pub fn coded(&self, name: &str, values: &[Option<f64>]) -> Coded {
        let code =
            |value: &Option<f64>| value.and_then(|value| self.bin(value)).and_then(|bin| u32::try_from(bin).ok());
        let words = |bin: usize| {
            let words = self.words("", bin, bin);
            words.trim_start_matches(" in").trim_start_matches(" =").trim_start().to_owned()
        };
        Coded {
            name: name.to_owned(),
            names: (0..self.count()).map(words).collect(),
            codes: values.iter().map(code).collect(),
            rest: 0,
        }
    }
}

/// The value with as few digits as leave it where it is, the next one being so far away.
fn rounded(value: f64, room: f64) -> f64 {
    let digits = -(room * ROUNDING).log10().floor();
    if !digits.is_finite() || digits > 300.0 {
        return value;
    }
    let scale = 10.0_f64.powf(digits.abs());
    // Parsed, a decimal is the nearest number to it: the words show it with no more digits.
    let decimal = if digits > 0.0 {
        let digits = crate::stats::whole::index(digits);
        format!("{value:.digits$}")
    } else {
        format!("{:.0}", (value / scale).round() * scale)
    };
    decimal.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
        values.into_iter().map(Some).collect()
    }

    #[test]
    fn few_values_have_a_bin_each_and_many_have_quantiles() {
        let few = Bins::of(&some([3.0, 1.0, 2.0, 2.0, f64::NAN]), 10).expect("they differ");
        assert_eq!(
            (few.count(), few.words("rooms", 1, 1), few.words("rooms", 0, 1)),
            (3, "rooms = 2".into(), "rooms <= 2".into())
        );
        assert_eq!(few.words("rooms", 2, 2), "rooms = 3");
        let more = Bins::of(&some((0..5).map(f64::from)), 5).expect("they differ");
        assert_eq!(more.words("rooms", 1, 3), "rooms in [1, 3]");
        let many = Bins::of(&some((0..=1000).map(|i| f64::from(i) * 0.123_456_7)), 10).expect("they differ");
        assert_eq!(many.count(), 10);
        assert_eq!(many.words("age", 2, 3), "age in (24.7, 49.4]");
        assert_eq!((many.words("age", 9, 9), many.words("age", 0, 0)), ("age > 111.1".into(), "age <= 12.3".into()));
        let coded = many.coded("age", &some([50.0, f64::INFINITY]));
        assert_eq!((coded.names[4].as_str(), coded.codes.as_slice()), ("(49.4, 61.7]", [Some(4), None].as_slice()));
    }

    #[test]
    fn what_is_mostly_one_value_is_parted_from_the_others() {
        let mostly = |other: f64| some((0..100).map(|at| if at < 95 { 0.0 } else { other + f64::from(at) }));
        let bins = Bins::of(&mostly(1.0), 4).expect("they differ");
        assert!(bins.bin(0.0) < bins.bin(96.0) && bins.count() == 2, "{bins:?}");
        let bins = Bins::of(&mostly(-200.0), 4).expect("they differ");
        assert!(bins.bin(-105.0) < bins.bin(0.0) && bins.count() == 2, "{bins:?}");
        assert_eq!((Bins::of(&some([2.0; 9]), 4), Bins::of(&[None], 4)), (None, None));
    }

    proptest! {
        #[test]
        fn bins_are_in_order_and_of_like_size(values in prop::collection::vec(-1e4..1e4_f64, 200..400), most in 2..12_usize) {
            let bins = Bins::of(&some(values.iter().copied()), most).expect("they differ");
            prop_assert!(bins.count() <= most && bins.edges.windows(2).all(|pair| pair[0] < pair[1]));
            let mut counts = vec![0_usize; bins.count()];
            for value in &values {
                let bin = bins.bin(*value).expect("finite");
                counts[bin] += 1;
                prop_assert!(bin == 0 || bins.edges[bin - 1] < *value);
                prop_assert!(bins.edges.get(bin).is_none_or(|edge| value <= edge));
            }
            prop_assert!(counts.iter().all(|count| *count >= values.len() / most / 3), "{:?}", counts);
        }
    }
}
