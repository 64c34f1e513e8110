//! A finding in plain words.

use jiff::SignedDuration;

use crate::drift::words::figure;
use crate::units::{grouped, percent, span};

/// What a check saw, in figures.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Shares of rows without a value.
    Missing {
        /// Of the reference.
        before: f64,
        /// Of the current rows.
        now: f64,
    },
    /// Rows refused for a value of another type, of all that came.
    WrongType {
        /// Those.
        rows: u64,
        /// All.
        of: u64,
    },
    /// Values of a file that are of another type, and count as missing, of all rows.
    OtherType {
        /// Those.
        values: u64,
        /// All.
        of: u64,
    },
    /// The lowest and the highest value.
    Range {
        /// Of the reference.
        before: [f64; 2],
        /// Of the current rows; `None` where no single value may be told.
        now: Option<[f64; 2]>,
        /// Values outside.
        outside: u64,
        /// The reference's are about these.
        is_about: bool,
    },
    /// Categories that the reference does not have.
    New {
        /// How many.
        count: u64,
        /// The most frequent of them.
        names: Vec<String>,
        /// Their share of the current values.
        share: f64,
    },
    /// Categories that are gone.
    Vanished {
        /// How many.
        count: u64,
        /// The most frequent of them.
        names: Vec<String>,
        /// Their share of the reference's values.
        share: f64,
    },
    /// One value.
    Constant {
        /// Which.
        value: String,
        /// The share of the reference's values that are another.
        others: f64,
    },
    /// How many different values so many rows have.
    Distinct {
        /// In the reference.
        before: f64,
        /// Now.
        now: f64,
        /// Rows.
        rows: u64,
    },
    /// Shares of rows that repeat another.
    Rows {
        /// Of the reference.
        before: f64,
        /// Of the current rows.
        now: f64,
    },
    /// Rows with an id that was there before, of all that came.
    Ids {
        /// Those.
        rows: u64,
        /// All.
        of: u64,
    },
    /// Rank correlations.
    Correlation {
        /// In the reference.
        before: f64,
        /// Now.
        now: f64,
    },
    /// How long nothing has come, in seconds.
    Stale {
        /// That.
        seconds: f64,
    },
}

/// Characters of a value or a category shown.
const LONGEST: usize = 40;

impl Detail {
    /// What it was in the reference and what it is, of rank correlations.
    #[must_use]
    pub fn sides(&self) -> Option<[f64; 2]> {
        match self {
            Self::Correlation { before, now } => Some([*before, *now]),
            _ => None,
        }
    }

    /// In one line, without the check's name: `age: missing in 12 % of rows, 0.1 % in the reference`.
    #[must_use]
    pub fn message(&self, columns: &[String]) -> String {
        let text = match self {
            Self::Missing { before, now } => {
                format!("missing in {} of rows, {} in the reference", percent(*now), percent(*before))
            }
            Self::WrongType { rows, of } => {
                format!("{} of {} rows refused: the value is of another type", grouped(*rows), grouped(*of))
            }
            Self::OtherType { values, of } => format!(
                "{} of {} values are of another type than in the reference, and count as missing",
                grouped(*values),
                grouped(*of)
            ),
            Self::Range { before, now, outside, is_about } => {
                let range = |[low, high]: &[f64; 2]| format!("{} to {}", figure(*low), figure(*high));
                let about = if *is_about { "about " } else { "" };
                let (outside, before) = (grouped(*outside), range(before));
                let now = now.as_ref().map_or(String::new(), |now| format!("{}, ", range(now)));
                format!("{outside} values outside of the reference's range: {now}{about}{before} in the reference")
            }
            Self::New { count, names, share } => {
                format!("{} of values are new: {}", percent(*share), list(*count, names))
            }
            Self::Vanished { count, names, share } => {
                format!("gone: {}, {} of the reference's values", list(*count, names), percent(*share))
            }
            Self::Constant { value, others } => {
                let value = shortened(value);
                format!("always {value}; {} of the reference's values are another", percent(*others))
            }
            Self::Distinct { before, now, rows } => {
                let [now, before] = [now, before].map(|count| grouped(crate::stats::whole::unsigned(count.round())));
                format!("{now} different values in {} rows, {before} in the reference", grouped(*rows))
            }
            Self::Rows { before, now } => {
                format!("{} of rows repeat another, {} in the reference", percent(*now), percent(*before))
            }
            Self::Ids { rows, of } => {
                format!("{} of {} rows have an id that was there before", grouped(*rows), grouped(*of))
            }
            Self::Correlation { before, now } => format!("rank correlation {now:.2}, {before:.2} in the reference"),
            Self::Stale { seconds } => {
                let silent = SignedDuration::from_secs(crate::stats::whole::signed(*seconds));
                format!("no sample for {}", span(silent))
            }
        };
        match columns {
            [] => text,
            columns => format!("{}: {text}", columns.join(" and ")),
        }
    }
}

fn shortened(text: &str) -> String {
    crate::drift::moved::shortened(text, LONGEST)
}

fn list(count: u64, names: &[String]) -> String {
    let shown: Vec<String> = names.iter().map(|name| shortened(name)).collect();
    let more = count.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
