//! Which rows were counted: those of a window of a model on a node. By these it is seen where rows would be counted twice, and people
//! read what a sum is of.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A sum is of so many at most.
pub const MOST: usize = 10_000;

/// A window of a model on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The model's namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub model: String,
    /// The node whose agent counted.
    pub node: String,
    /// When the window begins.
    #[cfg_attr(test, schemars(with = "String"))]
    pub start: Timestamp,
    /// When it ends, exclusively; of so many rows by arrival: when the last was.
    #[cfg_attr(test, schemars(with = "String"))]
    pub end: Timestamp,
    /// Of a window of so many rows by arrival: the number of its first, and that after its last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<[i64; 2]>,
    /// Its rows.
    pub rows: u64,
}

impl Span {
    /// Whether rows may be in both.
    #[must_use]
    pub fn shares_rows_with(&self, other: &Self) -> bool {
        if (&self.node, &self.namespace, &self.model) != (&other.node, &other.namespace, &other.model) {
            return false;
        }
        match (self.arrivals, other.arrivals) {
            (Some(own), Some(others)) => meets(own, others) && self.start <= other.end && other.start <= self.end,
            _ => meets([self.start, self.end], [other.start, other.end]),
        }
    }

    /// What can be: it ends after it begins; one of so many rows, where it begins at the earliest.
    pub(super) fn can_be(&self) -> bool {
        match self.arrivals {
            Some([first, last]) => first < last && self.start <= self.end,
            None => self.start < self.end,
        }
    }

    /// The model's name, within its namespace.
    pub(super) fn of_model(&self) -> String {
        self.namespace.iter().map(|namespace| format!("{namespace}/")).chain([self.model.clone()]).collect()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, {} to {}", self.of_model(), self.node, self.start, self.end)
    }
}

fn meets<T: PartialOrd>([first, last]: [T; 2], [start, end]: [T; 2]) -> bool {
    first < end && start < last
}

/// Of each node the times that its windows take, those that follow each other as one; nodes of the same times together.
fn by_times(spans: &[Span]) -> Vec<(Vec<[Timestamp; 2]>, Vec<&str>)> {
    let mut of_node: BTreeMap<&str, Vec<[Timestamp; 2]>> = BTreeMap::new();
    for span in spans {
        of_node.entry(&span.node).or_default().push([span.start, span.end]);
    }
    let mut alike: BTreeMap<Vec<[Timestamp; 2]>, Vec<&str>> = BTreeMap::new();
    for (node, mut times) in of_node {
        times.sort_unstable();
        let mut whole: Vec<[Timestamp; 2]> = Vec::new();
        for [start, end] in times {
            match whole.last_mut() {
                Some([_, last]) if *last == start => *last = end,
                _ => whole.push([start, end]),
            }
        }
        alike.entry(whole).or_default().push(node);
    }
    alike.into_iter().collect()
}

/// Whether every node's windows of time take the same times, as one verdict over replicas wants.
#[must_use]
pub fn are_of_one_time(spans: &[Span]) -> bool {
    spans.iter().any(|span| span.arrivals.is_some()) || by_times(spans).len() <= 1
}

/// For people: `churn, 2026-11-26T13:00:00Z to 2026-11-26T15:00:00Z on node-1, node-2 (4 windows)`.
#[must_use]
pub fn words(spans: &[Span]) -> String {
    let Some(first) = spans.first() else { return "no window".to_owned() };
    let time = |[start, end]: &[Timestamp; 2]| format!("{start} to {end}");
    let parts: Vec<String> = by_times(spans)
        .iter()
        .map(|(times, nodes)| {
            let (times, nodes) = (times.iter().map(time), nodes.iter().map(|node| (*node).to_owned()));
            format!("{} on {}", some(times.collect(), " and "), some(nodes.collect(), ", "))
        })
        .collect();
    let windows = if spans.len() == 1 { "1 window".to_owned() } else { format!("{} windows", spans.len()) };
    format!("{}, {} ({windows})", first.of_model(), some(parts, "; "))
}

/// Not more than a reader takes in.
fn some(mut all: Vec<String>, between: &str) -> String {
    const SHOWN: usize = 20;
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(node: &str, start: i64, end: i64) -> Span {
        let time = |hour: i64| Timestamp::from_second(hour.saturating_mul(3600)).expect("a time");
        let (model, node) = ("churn".to_owned(), node.to_owned());
        Span { namespace: None, model, node, start: time(start), end: time(end), arrivals: None, rows: 10 }
    }

    #[test]
    fn rows_are_shared_by_windows_of_one_node_that_overlap() {
        for (other, shared) in [
            (span("a", 1, 2), true),
            (span("a", 0, 3), true),
            (span("a", 2, 3), false),
            (span("a", 0, 1), false),
            (span("b", 1, 2), false),
            (Span { namespace: Some("ml".to_owned()), ..span("a", 1, 2) }, false),
        ] {
            assert_eq!(span("a", 1, 2).shares_rows_with(&other), shared, "{other}");
            assert_eq!(other.shares_rows_with(&span("a", 1, 2)), shared, "{other}");
        }
        // Windows of rows by arrival may be of the same times, and the numbers begin anew with a model that was removed.
        let arrived = |from: i64, hour: i64| Span { arrivals: Some([from, from + 100]), ..span("a", hour, hour + 1) };
        assert!(!arrived(0, 1).shares_rows_with(&arrived(100, 1)));
        assert!(arrived(0, 1).shares_rows_with(&arrived(50, 2)));
        assert!(!arrived(0, 1).shares_rows_with(&arrived(0, 5)));
        assert!(arrived(0, 1).shares_rows_with(&span("a", 1, 2)));
    }

    #[test]
    fn words_bring_together_what_is_of_one_time() {
        let two = [span("b", 2, 3), span("a", 1, 2), span("b", 1, 2), span("a", 2, 3)];
        assert_eq!(words(&two), "churn, 1970-01-01T01:00:00Z to 1970-01-01T03:00:00Z on a, b (4 windows)");
        assert!(are_of_one_time(&two));
        assert!(!are_of_one_time(&two[..3]));
        let (one, both) =
            ("1970-01-01T01:00:00Z to 1970-01-01T02:00:00Z", "1970-01-01T01:00:00Z to 1970-01-01T03:00:00Z");
        assert_eq!(words(&two[..3]), format!("churn, {one} on a; {both} on b (3 windows)"));
        let many: Vec<Span> = (0..25).map(|at| span(&format!("n{at:02}"), 1, 2)).collect();
        assert!(words(&many).contains("n19, 5 more (25 windows)"));
    }
}
