//! What of a column is tested: each aspect has a p-value for whether anything changed, and an effect for how much.

use serde::{Deserialize, Serialize};

/// What of a column is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// How the numbers lie.
    Values,
    /// All categories' shares.
    Categories,
    /// The share of the one category that changed most.
    Category,
    /// Where the middle of an embedding's vectors lies.
    Centroid,
    /// How far from the reference's middle they lie.
    Distance,
    /// How they lie, by the maximum mean discrepancy.
    Mmd,
    /// Whether a classifier tells the sides apart.
    Classifier,
    /// The share of rows without a value.
    Missing,
}

/// In what an effect is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Wasserstein-1 distance over the reference's spread.
    Shift,
    /// Jensen-Shannon distance, base 2.
    JensenShannon,
    /// Distance of two means over the root of the mean squared distance of the reference's rows from theirs.
    Radius,
    /// The same in the space of a radial kernel.
    Mmd,
    /// The shift of a number that is told apart as well.
    Separation,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Values,
        Self::Categories,
        Self::Category,
        Self::Centroid,
        Self::Distance,
        Self::Mmd,
        Self::Classifier,
        Self::Missing,
    ];

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
            Self::Centroid => {
                "the mean of an embedding's vectors: their squared distance, as a sum of squares with the covariance's eigenvalues for weights"
            }
            Self::Distance => {
                "how far from the reference's mean an embedding's vectors lie, as numbers: the tests of values, combined"
            }
            Self::Mmd => {
                "how an embedding's vectors lie: the maximum mean discrepancy of 400 of either side, as a sum of squares in the kernel's space"
            }
            Self::Classifier => {
                "whether a classifier tells an embedding's sides apart by eight principal components, 2,000 vectors of either side: its ROC AUC as a rank sum"
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
            Self::Centroid => "centroid",
            Self::Distance => "distance",
            Self::Mmd => "mmd",
            Self::Classifier => "classifier",
            Self::Missing => "missing",
        }
    }

    /// In what its effect is measured.
    #[must_use]
    pub fn measure(self) -> Measure {
        match self {
            Self::Values | Self::Distance => Measure::Shift,
            Self::Centroid => Measure::Radius,
            Self::Mmd => Measure::Mmd,
            Self::Classifier => Measure::Separation,
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
            Self::Radius => {
                "distance of the means over the root of the mean squared distance of the reference's vectors from theirs"
            }
            Self::Mmd => "the same in the space of a radial kernel, whose width is the median of all distances",
            Self::Separation => {
                "shift in standard deviations of a normal number that would be told apart as well: root 2 times the normal quantile of the AUC"
            }
        }
    }

    /// The threshold that an effect measured so is held against, as the settings name it.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Shift | Self::Radius | Self::Mmd | Self::Separation => Self::Shift.name(),
            Self::JensenShannon => Self::JensenShannon.name(),
        }
    }

    /// As the output and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::JensenShannon => "jensen_shannon",
            Self::Radius => "radius",
            Self::Mmd => "mmd",
            Self::Separation => "separation",
        }
    }
}
