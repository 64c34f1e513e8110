//! What of a column is tested: each aspect has a p-value for whether anything changed, and an effect for how much.

use serde::{Deserialize, Serialize};

/// What of a column is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// How the numbers lie.
    Values,
    /// All categories' shares.
    Categories,
    /// The share of the one category that changed most.
    Category,
    /// The share of rows without a value.
    Missing,
}

/// In what an effect is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Wasserstein-1 distance over the reference's spread.
    Shift,
    /// Jensen-Shannon distance, base 2.
    JensenShannon,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Values, Self::Categories, Self::Category, Self::Missing];

    /// What its p-value is taken from, for people.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Values => {
                "how numbers lie: Kolmogorov-Smirnov, rank sum and Mood's test, combined by Cauchy's (Liu and Xie, 2020)"
            }
            Self::Categories => {
                "all categories' shares: the chi-squared statistic over them, the rare ones as one, with its exact mean and its variance; of two categories Fisher's exact test"
            }
            Self::Category => {
                "the share of the one category that changed most, of three or more: Fisher's exact test, times the number of categories"
            }
            Self::Missing => "the share of rows without a value: Fisher's exact test",
        }
    }

    /// As the output and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Categories => "categories",
            Self::Category => "category",
            Self::Missing => "missing",
        }
    }

    /// In what its effect is measured.
    #[must_use]
    pub fn measure(self) -> Measure {
        match self {
            Self::Values => Measure::Shift,
            Self::Categories | Self::Category | Self::Missing => Measure::JensenShannon,
        }
    }
}

impl Measure {
    /// What it is, for people.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Shift => {
                "Wasserstein-1 distance over the reference's standard deviation, or its interquartile range over 1.349 where that is less"
            }
            Self::JensenShannon => "Jensen-Shannon distance, base 2",
        }
    }

    /// As the output and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::JensenShannon => "jensen_shannon",
        }
    }
}
