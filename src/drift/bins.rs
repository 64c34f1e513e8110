//! The bins every binned test counts in. They are made of the reference alone, so that counts of other windows, and of
//! other nodes with the same reference, add up.
//!
//! Numbers: the unique inner deciles of the reference are the edges; a bin is open below and closed above, `(a, b]`,
//! and the outer two have no end. Categories: a bin each.

use polars::prelude::{DataType, Series};
use serde::{Deserialize, Serialize};

use super::sample::side_by_side;
use super::{Kind, Sample};
use crate::stats::quantile::quantile_of_sorted;
use crate::stats::whole;

/// Label of the bin of missing values.
pub const MISSING: &str = "missing";
/// Label of the bin of categories that the reference does not have.
pub const OTHER: &str = "other";

/// A category with a longer name has no bin of its own among those that are exported, in bytes.
const LONGEST: usize = 100;

fn short(value: f64) -> String {
    let magnitude = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if !(-4.0..15.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = whole::index((3.0 - magnitude).min(7.0));
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// So many categories are looked through one by one.
const FEW: usize = 32;

/// The bins of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Bins {
    /// Ascending edges; one bin more than there are edges.
    Edges(Vec<f64>),
    /// The reference's categories in order.
    Categories(Vec<String>),
}

/// Counts of both sides, bin by bin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Of the reference.
    pub reference: Vec<u64>,
    /// Of the current values.
    pub current: Vec<u64>,
}

impl Counts {
    /// Both sides' shares of their rows, bin by bin.
    pub fn shares(&self) -> impl Iterator<Item = (f64, f64)> {
        let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        let (reference, current) = (total(&self.reference), total(&self.current));
        self.reference.iter().zip(&self.current).map(move |(r, c)| (*r as f64 / reference, *c as f64 / current))
    }
}

impl Bins {
    /// The bins that a reference makes.
    #[must_use]
    pub fn of(reference: &Sample) -> Self {
        match reference {
            Sample::Numeric { sorted, .. } => {
                let mut edges: Vec<f64> =
                    (1..10).filter_map(|decile| quantile_of_sorted(sorted, f64::from(decile) / 10.0)).collect();
                edges.retain(|edge| edge.is_finite());
                edges.dedup();
                Self::Edges(edges)
            }
            Sample::Categorical { counts, .. } => Self::Categories(counts.keys().cloned().collect()),
        }
    }

    /// The same bins, though only of the `most` categories that are most frequent in `sample`, and of none whose name is so long
    /// that it were no label.
    #[must_use]
    pub fn most_frequent(&self, sample: &Sample, most: usize) -> Self {
        match (self, sample) {
            (Self::Categories(categories), Sample::Categorical { counts, .. }) => {
                let mut ranked: Vec<&String> = categories.iter().filter(|category| category.len() <= LONGEST).collect();
                ranked.sort_by_key(|category| (std::cmp::Reverse(counts.get(*category)), *category));
                let mut kept: Vec<String> = ranked.into_iter().take(most).cloned().collect();
                kept.sort_unstable();
                Self::Categories(kept)
            }
            _ => self.clone(),
        }
    }

    /// How the column is compared.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Edges(_) => Kind::Numeric,
            Self::Categories(_) => Kind::Categorical,
        }
    }

    /// A label for each bin that [`Bins::count`] counts.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = match self {
            Self::Edges(edges) => {
                let below = std::iter::once("-inf".to_owned()).chain(edges.iter().map(f64::to_string));
                let above = edges.iter().map(|edge| format!("{edge}]")).chain(std::iter::once("+inf)".to_owned()));
                below.zip(above).map(|(below, above)| format!("({below}, {above}")).collect()
            }
            Self::Categories(categories) => {
                // A category may be called what we call a bin of our own.
                let own = |c: &str| c == MISSING || c == OTHER || c.starts_with('"');
                let label = |c: &String| if own(c) { format!("\"{c}\"") } else { c.clone() };
                categories.iter().map(label).chain([OTHER.to_owned()]).collect()
            }
        };
        labels.push(MISSING.to_owned());
        labels
    }

    /// The same for people: numbers with four digits.
    #[must_use]
    pub fn short_labels(&self) -> Vec<String> {
        let Self::Edges(edges) = self else { return self.labels() };
        let mut labels: Vec<String> = match (edges.first(), edges.last()) {
            (Some(first), Some(last)) => {
                let inner = edges.windows(2).map(|pair| format!("{} to {}", short(pair[0]), short(pair[1])));
                let below = std::iter::once(format!("up to {}", short(*first)));
                below.chain(inner).chain([format!("above {}", short(*last))]).collect()
            }
            _ => vec!["all".to_owned()],
        };
        labels.push(MISSING.to_owned());
        labels
    }

    /// Counts in fixed bins, whatever the sample: for categories one more of all that the reference lacks, and last the
    /// missing. All zero for a sample of another kind.
    #[must_use]
    pub fn count(&self, sample: &Sample) -> Vec<u64> {
        match (self, sample) {
            (Self::Edges(edges), Sample::Numeric { sorted, missing }) => {
                let mut counts = in_bins(edges, sorted);
                counts.push(*missing);
                counts
            }
            (Self::Categories(categories), Sample::Categorical { counts, missing }) => {
                let mut counted: Vec<u64> =
                    categories.iter().map(|c| counts.get(c).copied().unwrap_or_default()).collect();
                counted.push(sample.present().saturating_sub(counted.iter().sum()));
                counted.push(*missing);
                counted
            }
            _ => vec![0; self.labels().len()],
        }
    }

    /// The same of a normalised series; quicker than by way of a sample, as nothing is sorted. All of its rows are missing
    /// where it is of another kind.
    #[must_use]
    pub fn count_series(&self, series: &Series) -> Vec<u64> {
        if let (Self::Edges(edges), DataType::Float64) = (self, series.dtype())
            && let Ok(values) = series.f64()
        {
            let missing = edges.len().saturating_add(1);
            let bin = |value: Option<f64>| {
                value.filter(|v| !v.is_nan()).map_or(missing, |v| edges.partition_point(|edge| *edge < v))
            };
            return tally(missing, values.iter().map(bin));
        }
        // Few names are quicker looked through than hashed.
        if let (Self::Categories(categories), DataType::String) = (self, series.dtype())
            && categories.len() <= FEW
            && let Ok(values) = series.str()
        {
            let (other, missing) = (categories.len(), categories.len().saturating_add(1));
            let named = |value: &str| categories.iter().position(|category| category == value).unwrap_or(other);
            return tally(missing, values.iter().map(|value| value.map_or(missing, named)));
        }
        let sample = Sample::of(series, self.kind());
        self.count(&sample.unwrap_or_else(|| Sample::missing_rows(self.kind(), series.len() as u64)))
    }

    /// Counts of both sides as the tests compare them: a bin for every category of either side, and one of the missing
    /// if either side has any.
    #[must_use]
    pub fn count_both(&self, reference: &Sample, current: &Sample) -> Counts {
        let mut counts = match (self, reference, current) {
            (Self::Edges(edges), Sample::Numeric { sorted: r, .. }, Sample::Numeric { sorted: c, .. }) => {
                Counts { reference: in_bins(edges, r), current: in_bins(edges, c) }
            }
            (_, Sample::Categorical { counts: r, .. }, Sample::Categorical { counts: c, .. }) => {
                let (reference, current) = side_by_side(r, c).map(|(_, r, c)| (r, c)).unzip();
                Counts { reference, current }
            }
            _ => Counts::default(),
        };
        if reference.missing() > 0 || current.missing() > 0 {
            counts.reference.push(reference.missing());
            counts.current.push(current.missing());
        }
        counts
    }
}

/// How often each place up to the `last` comes.
fn tally(last: usize, places: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut counts = vec![0_u64; last.saturating_add(1)];
    for place in places {
        if let Some(count) = counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

fn in_bins(edges: &[f64], sorted: &[f64]) -> Vec<u64> {
    let ends = edges.iter().map(|edge| sorted.partition_point(|value| value <= edge)).chain([sorted.len()]);
    let mut before = 0;
    ends.map(|end| end.saturating_sub(std::mem::replace(&mut before, end)) as u64).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    #[test]
    fn a_value_on_an_edge_falls_below_it() {
        let reference = Sample::numeric((0..=10).map(|i| Some(f64::from(i))));
        let bins = Bins::of(&reference);
        assert_eq!(bins, Bins::Edges((1..10).map(f64::from).collect()));
        let counts = bins.count(&Sample::numeric([Some(1.0), Some(1.1), Some(-5.0), Some(99.0), None, Some(f64::NAN)]));
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(bins.labels().len(), counts.len());
        assert_eq!((bins.labels()[0].as_str(), bins.labels()[9].as_str()), ("(-inf, 1]", "(9, +inf)"));
    }

    #[test]
    fn a_series_is_counted_as_its_sample() {
        let bins = Bins::of(&Sample::numeric((0..=10).map(|i| Some(f64::from(i)))));
        let values = [Some(1.0), Some(1.1), Some(-5.0), Some(99.0), None, Some(f64::NAN), Some(-0.0), Some(9.0)];
        let series = Series::new("c".into(), values);
        assert_eq!(bins.count_series(&series), bins.count(&Sample::numeric(values)));
        let texts = Series::new("c".into(), [Some("a"), Some("b"), None, Some("z")]);
        assert_eq!(bins.count_series(&texts).last(), Some(&4));
        let of = |values: &[&str]| Sample::categorical(values.iter().map(|v| Some((*v).to_owned())));
        assert_eq!(Bins::of(&of(&["a", "b"])).count_series(&texts), [1, 1, 1, 1]);
    }

    #[test]
    fn ties_leave_fewer_bins() {
        let constant = Sample::numeric([Some(3.0); 20]);
        assert_eq!(Bins::of(&constant), Bins::Edges(vec![3.0]));
        assert_eq!(Bins::of(&Sample::numeric([])), Bins::Edges(vec![]));
    }

    #[test]
    fn what_the_reference_lacks_has_a_bin() {
        let of = |values: &[&str]| Sample::categorical(values.iter().map(|v| Some((*v).to_owned())));
        let bins = Bins::of(&of(&["a", "b", "missing"]));
        assert_eq!(bins.labels(), ["a", "b", "\"missing\"", "other", "missing"]);
        assert_eq!(bins.count(&of(&["b", "z", "y", "missing"])), [0, 1, 1, 2, 0]);
        let both = bins.count_both(&of(&["a", "b"]), &of(&["b", "z"]));
        assert_eq!(both, Counts { reference: vec![1, 1, 0], current: vec![0, 1, 1] });
        // The missing have a bin where either side has any.
        let (some, none) = (Sample::categorical([None, Some("a".to_owned())]), of(&["a"]));
        assert_eq!(bins.count_both(&some, &none), Counts { reference: vec![1, 1], current: vec![1, 0] });
        assert_eq!(bins.count_both(&none, &some), Counts { reference: vec![1, 0], current: vec![1, 1] });
    }

    #[test]
    fn people_read_four_digits() {
        let values = [0.0, 3.0, 1200.0, 1234.6, 12.3456, -12.3456, 0.000_123_46, 0.000_012, 1e15];
        assert_eq!(
            values.map(short),
            ["0", "3", "1200", "1235", "12.35", "-12.35", "0.0001235", "1.200e-5", "1.000e15"]
        );
        assert_eq!(Bins::Edges(vec![1.0, 2.5]).short_labels(), ["up to 1", "1 to 2.5", "above 2.5", "missing"]);
        assert_eq!(Bins::Edges(vec![]).short_labels(), ["all", "missing"]);
    }

    #[test]
    fn an_edge_is_a_number() {
        let reference = [f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY, 1.0, 2.0, 3.0, f64::INFINITY];
        let bins = Bins::of(&Sample::numeric(reference.map(Some)));
        assert!(matches!(&bins, Bins::Edges(edges) if !edges.is_empty() && edges.iter().all(|edge| edge.is_finite())));
    }

    #[test]
    fn the_most_frequent_categories_are_kept_in_order_and_none_too_long_for_a_label() {
        let (long, longer) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 1));
        let names = ["b", "b", "a", "a", "c", &long, &long, &long, &longer, &longer, &longer, &longer];
        let sample = Sample::categorical(names.map(|name| Some(name.to_owned())));
        let kept = |most| match Bins::of(&sample).most_frequent(&sample, most) {
            Bins::Categories(kept) => kept,
            Bins::Edges(_) => Vec::new(),
        };
        assert_eq!(
            (kept(2), kept(9)),
            (vec!["a".to_owned(), long.clone()], ["a", "b", "c", &long].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn no_category_is_called_what_a_bin_of_our_own_is() {
        let bins = Bins::Categories(["\"a\"", "a", "other"].map(str::to_owned).to_vec());
        assert_eq!(bins.labels(), ["\"\"a\"\"", "a", "\"other\"", "other", "missing"]);
    }

    #[test]
    fn many_categories_are_counted_as_few_are() {
        let names: Vec<String> = (0..=FEW).map(|n| n.to_string()).collect();
        let series = Series::new(
            "c".into(),
            names.iter().map(|name| Some(name.as_str())).chain([None, Some("z")]).collect::<Vec<_>>(),
        );
        for categories in [&names[..FEW], &names[..]] {
            let mut expected = vec![1; categories.len()];
            expected.extend([names.len() as u64 - categories.len() as u64 + 1, 1]);
            let mut sorted = categories.to_vec();
            sorted.sort_unstable();
            assert_eq!(Bins::Categories(sorted).count_series(&series), expected);
        }
    }
}
