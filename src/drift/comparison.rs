//! One data set against another, column by column: the result the command line, the page and the API show.

use serde::Serialize;

use super::modes::Mode;
use super::multi::together::Together;
use super::over_time::Windowed;
use super::profile::span::Span;
use super::verdict::Judged;

/// What came of comparing two data sets.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The reference.
    pub reference: Side,
    /// What is compared with it.
    pub current: Side,
    /// The windows that it is the counts of, where it has no rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Span>,
    /// Every column that both have, judged.
    pub features: Vec<Judged>,
    /// Columns that could not be compared.
    pub schema: Vec<Finding>,
    /// The current rows window by window, the oldest first, where windows are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_time: Vec<Windowed>,
    /// All columns together, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
    /// How well the predictions fit the labels on each side, where both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance: Option<BothPerformances>,
    /// All in a few numbers.
    pub summary: Summary,
}

/// One of the two.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// Performance of both sides.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BothPerformances {
    /// Of the reference.
    pub reference: Option<crate::performance::Performance>,
    /// Of the current rows.
    pub current: Option<crate::performance::Performance>,
    /// Each measure of both, and whether it is worse for certain.
    pub changes: Vec<crate::performance::verdict::Change>,
}

/// What is wrong with a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The column.
    pub column: String,
    /// What it is.
    pub finding: FindingKind,
    /// The same for people.
    pub message: String,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The current side lacks it.
    OnlyInReference,
    /// The reference lacks it.
    OnlyInCurrent,
    /// Numbers on one side, text on the other.
    TypeChanged,
    /// Of a type that cannot be compared.
    NotComparable,
    /// It names rows, and says nothing of them.
    NamesRows,
    /// A setting names it, and it is not compared.
    SetInVain,
}

impl FindingKind {
    /// It is drift: the model gets other columns than it was made for.
    #[must_use]
    pub fn is_drift(self) -> bool {
        !matches!(self, Self::NotComparable | Self::NamesRows | Self::SetInVain)
    }
}

/// All in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Columns compared.
    pub features: u64,
    /// Columns that drift.
    pub drifted: u64,
    /// Their names.
    pub drifted_features: Vec<String>,
    /// Columns without a verdict: without values, or with too few rows to tell.
    pub undecided: u64,
    /// Columns that could not be compared.
    pub schema_findings: u64,
    /// Whether a column vanished, appeared or changed its type.
    pub schema_drift: bool,
    /// Whether any column drifts, or the schema does; by Evidently's rule, half of the columns.
    pub drift: bool,
}

impl Summary {
    /// Of judged columns and findings.
    #[must_use]
    pub fn of(features: &[Judged], schema: &[Finding], mode: Mode) -> Self {
        let drifted: Vec<String> =
            features.iter().filter(|f| f.drift == Some(true)).map(|feature| feature.name.clone()).collect();
        let undecided = features.iter().filter(|feature| feature.drift.is_none()).count() as u64;
        let decided = (features.len() as u64).saturating_sub(undecided);
        let schema_drift = schema.iter().any(|finding| finding.finding.is_drift());
        Self {
            features: features.len() as u64,
            drifted: drifted.len() as u64,
            undecided,
            schema_findings: schema.len() as u64,
            schema_drift,
            drift: schema_drift || mode.data_set(drifted.len() as u64, decided) == Some(true),
            drifted_features: drifted,
        }
    }
}
