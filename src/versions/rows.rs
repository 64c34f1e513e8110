//! Which rows of two versions are compared.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use polars::prelude::{IdxCa, NewChunkedArray, Series};
use serde::Serialize;

use crate::performance::Columns;
use crate::segment::coded::Coded;

/// Rows of several versions, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Which version it is of.
    pub version: &'a Coded,
    /// What names its request, as a number; rows of one request have the same. None or an empty list where nothing does.
    pub request: &'a [Option<u128>],
    /// When it was, in milliseconds, where all say.
    pub at: Option<&'a [i64]>,
    /// What was said and what was true; labels that are not known are null.
    pub columns: Columns<'a>,
}

/// How two versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// On the same requests, those that both answered: the error is that of the differences, request by request.
    Paired,
    /// Each on what it was asked while both ran.
    Unpaired,
    /// Each on all its rows, for want of times: whether they were asked alike is not known.
    WithoutTimes,
    /// Not at all: they never ran at the same time.
    NeverTogether,
}

/// The rows that are compared.
#[derive(Debug, PartialEq, Eq)]
pub struct Pick {
    pub method: Method,
    pub champion: Vec<u32>,
    /// Of the same requests in the same order, where it is paired.
    pub challenger: Vec<u32>,
    /// The rows that the requests' labels stand in, where it is paired: the champion's, else the challenger's.
    pub labels: Option<Vec<u32>>,
    /// Since when and until when both ran.
    pub span: Option<(i64, i64)>,
}

impl Pick {
    /// Paired where both answered half of the requests of the version with fewer rows, at least.
    pub fn of(rows: &Rows<'_>, champion: &[u32], challenger: &[u32]) -> Self {
        let pairs = pairs(rows.request, champion, challenger);
        if !pairs.is_empty() && 2 * pairs.len() >= champion.len().min(challenger.len()) {
            let pairs = answered_alike(&rows.columns, pairs);
            let labelled = |row: u32| rows.columns.label.get(row as usize).is_ok_and(|label| !label.is_null());
            let label = |(one, other): &(u32, u32)| if labelled(*one) || !labelled(*other) { *one } else { *other };
            return Self {
                method: Method::Paired,
                labels: Some(pairs.iter().map(label).collect()),
                champion: pairs.iter().map(|(one, _)| *one).collect(),
                challenger: pairs.iter().map(|(_, other)| *other).collect(),
                span: None,
            };
        }
        let all = |method, span| Self {
            method,
            champion: champion.to_vec(),
            challenger: challenger.to_vec(),
            labels: None,
            span,
        };
        let Some(at) = rows.at else { return all(Method::WithoutTimes, None) };
        let time = |row: &u32| at.get(*row as usize).copied();
        let from = champion.iter().filter_map(time).min().max(challenger.iter().filter_map(time).min());
        let to = champion.iter().filter_map(time).max().min(challenger.iter().filter_map(time).max());
        match from.zip(to).filter(|(from, to)| from <= to) {
            Some((from, to)) => {
                let within = |of: &[u32]| -> Vec<u32> {
                    of.iter().filter(|row| time(row).is_some_and(|at| (from..=to).contains(&at))).copied().collect()
                };
                Self {
                    method: Method::Unpaired,
                    champion: within(champion),
                    challenger: within(challenger),
                    labels: None,
                    span: Some((from, to)),
                }
            }
            None => Self {
                method: Method::NeverTogether,
                champion: Vec::new(),
                challenger: Vec::new(),
                labels: None,
                span: None,
            },
        }
    }
}

/// The first row of either for each request that both answered.
fn pairs(request: &[Option<u128>], champion: &[u32], challenger: &[u32]) -> Vec<(u32, u32)> {
    let named = |row: &u32| request.get(*row as usize).copied().flatten();
    let mut open: HashMap<u128, u32, RandomState> = HashMap::default();
    for row in champion.iter().rev() {
        open.extend(named(row).map(|request| (request, *row)));
    }
    let pair = |row: &u32| Some((open.remove(&named(row)?)?, *row));
    challenger.iter().filter_map(pair).collect()
}

/// Without pairs of which one side lacks what the other has, in a column that both have somewhere.
fn answered_alike(columns: &Columns<'_>, mut pairs: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let all = columns.prediction.into_iter().chain(columns.score).chain(columns.scores.iter().map(|(_, of)| of));
    for column in all.filter(|column| column.null_count() > 0) {
        let known: Vec<bool> = column.is_not_null().iter().map(|known| known == Some(true)).collect();
        let has = |row: &u32| known.get(*row as usize) == Some(&true);
        if pairs.iter().any(|(one, other)| has(one) && has(other)) {
            pairs.retain(|(one, other)| has(one) == has(other));
        }
    }
    pairs
}

/// Some rows' columns.
#[derive(Debug)]
pub struct Taken {
    label: Series,
    prediction: Option<Series>,
    score: Option<Series>,
    scores: Vec<(String, Series)>,
    group: Option<Series>,
}

impl Taken {
    /// `None` where a place is none of the rows'.
    pub fn of(rows: &Rows<'_>, places: &[u32], labels: &[u32]) -> Option<Self> {
        let [places, labels] = [places, labels].map(|places| IdxCa::from_slice("rows".into(), places));
        let Columns { label, prediction, score, scores, group } = rows.columns;
        let some = |series: Option<&Series>| series.map(|series| series.take(&places)).transpose().ok();
        let of_class = |(class, series): &(String, Series)| Some((class.clone(), series.take(&places).ok()?));
        Some(Self {
            label: label.take(&labels).ok()?,
            prediction: some(prediction)?,
            score: some(score)?,
            scores: scores.iter().map(of_class).collect::<Option<_>>()?,
            group: some(group)?,
        })
    }

    pub fn columns(&self) -> Columns<'_> {
        Columns {
            label: &self.label,
            prediction: self.prediction.as_ref(),
            score: self.score.as_ref(),
            scores: &self.scores,
            group: self.group.as_ref(),
        }
    }

    /// How many have a label.
    pub fn labelled(&self) -> u64 {
        (self.label.len() - self.label.null_count()) as u64
    }
}
