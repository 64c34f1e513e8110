//! Columns from one window to the next: how near each came to drift.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::modes::Mode;
use super::verdict::Judged;

/// Columns whose distances are kept of a window.
pub const KEPT: usize = 30;

/// A window of the current rows, judged by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Windowed {
    /// When its first row was.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When its last row was.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// Its rows.
    pub rows: u64,
    /// Whether it drifts; `None` where no column has a verdict.
    pub drift: Option<bool>,
    /// The columns that do.
    pub drifted: Vec<String>,
    /// How near columns came to drift ([`distances`]).
    pub distances: BTreeMap<String, f64>,
}

impl Windowed {
    /// Of its columns.
    #[must_use]
    pub fn new((start, end): (Timestamp, Timestamp), rows: u64, features: &[Judged], mode: Mode) -> Self {
        let drifted: Vec<String> =
            features.iter().filter(|judged| judged.drift == Some(true)).map(|judged| judged.name.clone()).collect();
        let told = features.iter().filter(|judged| judged.drift.is_some()).count();
        let drift = mode.data_set(drifted.len() as u64, told as u64);
        Self { start, end, rows, drift, drifted, distances: distances(features) }
    }
}

/// The effect of what decides over its threshold, of the thirty columns that came nearest or went beyond.
#[must_use]
pub fn distances(features: &[Judged]) -> BTreeMap<String, f64> {
    const FAR: f64 = 1000.0;
    let judged = features.iter().filter(|of| of.deciding().is_some() || of.decision.is_some());
    let mut all: Vec<(&String, f64)> =
        judged.map(|of| (&of.name, of.distance())).filter(|(_, at)| at.is_finite()).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let rounded = |at: f64| (at.min(FAR) * 1000.0).round() / 1000.0;
    all.into_iter().take(KEPT).map(|(name, at)| (name.clone(), rounded(at))).collect()
}

/// A window's columns that drift, and how near columns came to it.
pub type Line<'a> = (&'a [String], &'a BTreeMap<String, f64>);

/// The columns of windows with the number of windows that each drifts in: the most first, then those that came nearest.
#[must_use]
pub fn by_column<'a>(windows: &[Line<'a>]) -> Vec<(&'a str, usize)> {
    let mut farthest: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (drifted, distances) in windows {
        for (name, distance) in *distances {
            let of = farthest.entry(name).or_default();
            of.1 = of.1.max(*distance);
        }
        for name in *drifted {
            let of = farthest.entry(name).or_default();
            of.0 = of.0.saturating_add(1);
        }
    }
    let mut columns: Vec<(&str, (usize, f64))> = farthest.into_iter().collect();
    columns.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(b.1.1.total_cmp(&a.1.1)));
    columns.into_iter().map(|(name, (drifts, _))| (name, drifts)).collect()
}

/// How near a column came to drift in a window, where that is known, and whether it drifts.
#[must_use]
pub fn cell((drifted, distances): Line<'_>, name: &str) -> (Option<f64>, bool) {
    let drifts = drifted.iter().any(|drifted| drifted == name);
    // Of many columns only those are kept that came nearest: all others came less near.
    let least = || distances.values().copied().reduce(f64::min).filter(|_| distances.len() >= KEPT);
    let distance = distances.get(name).copied();
    (distance.or_else(|| least().filter(|least| *least <= 0.5 && !drifts)), drifts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_drift_most_come_first() {
        let near = |pairs: &[(&str, f64)]| -> BTreeMap<String, f64> {
            pairs.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect()
        };
        let (one, other) = (near(&[("a", 0.2), ("b", 1.5), ("c", 0.9)]), near(&[("a", 0.4), ("c", 3.0)]));
        let drifted = [vec!["b".to_owned()], vec!["c".to_owned(), "b".to_owned()]];
        let windows = [(&drifted[0][..], &one), (&drifted[1][..], &other)];
        assert_eq!(by_column(&windows), [("b", 2), ("c", 1), ("a", 0)]);
        assert_eq!((cell(windows[0], "b"), cell(windows[1], "b")), ((Some(1.5), true), (None, true)));
        assert_eq!(cell(windows[1], "nobody"), (None, false), "few columns: all are known");
        let many: BTreeMap<String, f64> = (0..KEPT).map(|at| (format!("k{at}"), 0.3)).collect();
        assert_eq!(cell((&[], &many), "less near"), (Some(0.3), false));
    }
}
