//! Groups of a model that predicts amounts: how much it predicts for each, and how far it is out.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::judged::{Gap, Measure, gap, pairs};
use crate::segment::coded::Coded;
use crate::stats::interval::{self, Interval};
use crate::stats::moments::Moments;
use crate::stats::whole;

/// One attribute's figures. Means have Student's interval; `None` where fewer than two rows have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Amounts {
    /// What the attribute is called; of two, both.
    pub attribute: String,
    /// Rows with a prediction and a value.
    pub rows: u64,
    /// Rows with a prediction and no value: they are in no group.
    pub rows_without_value: u64,
    /// The groups with a row, the largest first.
    pub groups: Vec<Group>,
    /// What more groups there are than are told, as one. It is not judged.
    pub rest: Option<Rest>,
    /// The largest less the smallest mean of every group told, however small.
    pub mean_prediction_difference: Option<f64>,
    /// The same of mean errors.
    pub mean_error_difference: Option<f64>,
    /// The same of mean absolute errors.
    pub mean_absolute_error_difference: Option<f64>,
    /// The same of groups with rows enough, with intervals.
    pub judged: Judged,
    /// The groups with too few rows: named, and not judged.
    pub too_small: Vec<String>,
}

/// Groups that are not told one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rest {
    /// How many values they have.
    pub values: u64,
    /// All of their rows.
    pub group: Group,
}

/// What is known of one group, in the unit of the prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Group {
    /// The attribute's value.
    pub name: String,
    /// Rows with a prediction.
    pub rows: u64,
    /// Those with a label, too.
    pub labelled: u64,
    /// Mean of the predictions.
    pub mean_prediction: Option<Interval>,
    /// Mean of prediction less label: above 0 too much is predicted.
    pub mean_error: Option<Interval>,
    /// Mean of the absolute errors.
    pub mean_absolute_error: Option<Interval>,
}

/// Differences of groups with rows enough; `None` where fewer than two of them have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged {
    /// Of mean predictions.
    pub mean_prediction_difference: Option<Gap>,
    /// Of mean errors.
    pub mean_error_difference: Option<Gap>,
    /// Of mean absolute errors.
    pub mean_absolute_error_difference: Option<Gap>,
}

/// A group's predictions, errors and absolute errors.
type Sums = [Moments; 3];

/// The figures of an attribute's groups. What is not finite is no prediction, and no label.
#[must_use]
pub fn measure(attribute: &Coded, prediction: &[Option<f64>], label: &[Option<f64>], settings: &Settings) -> Amounts {
    let values = attribute.names.len();
    let mut cells: Vec<Sums> = vec![[Moments::NONE; 3]; values + 2];
    let places = attribute.codes.iter().map(|code| code.map_or(values + 1, |code| values.min(code as usize)));
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    for ((at, place), prediction) in places.enumerate().zip(prediction) {
        let (Some(prediction), Some([predictions, errors, absolute])) = (finite(*prediction), cells.get_mut(place))
        else {
            continue;
        };
        predictions.add(prediction);
        if let Some(label) = finite(label.get(at).copied().flatten()) {
            errors.add(prediction - label);
            absolute.add((prediction - label).abs());
        }
    }
    let without_value = cells.pop().unwrap_or([Moments::NONE; 3]);
    let mut together = cells.pop().unwrap_or([Moments::NONE; 3]);
    let mut groups: Vec<(&str, &Sums)> = attribute.names.iter().map(String::as_str).zip(&cells).collect();
    groups.retain(|(_, sums)| sums[0].count > 0.0);
    groups.sort_by(|a, b| b.1[0].count.total_cmp(&a.1[0].count));
    let untold = groups.split_off(groups.len().min(settings.most_groups));
    for (_, sums) in &untold {
        together.iter_mut().zip(*sums).for_each(|(all, more)| all.merge(more));
    }
    let least = settings.least_rows as f64;
    let [prediction, error, absolute] = [0, 1, 2].map(|of: usize| differences(&groups, of, least, settings.alpha));
    let group = |name: &str, sums: &Sums| {
        let [mean_prediction, mean_error, mean_absolute_error] =
            sums.each_ref().map(|of| interval::mean(of, settings.alpha));
        let [rows, labelled] = [0, 1].map(|of: usize| whole::unsigned(sums[of].count));
        Group { name: name.to_owned(), rows, labelled, mean_prediction, mean_error, mean_absolute_error }
    };
    let rows = groups.iter().map(|(_, sums)| sums[0].count).sum::<f64>() + together[0].count;
    Amounts {
        attribute: attribute.name.clone(),
        rows: whole::unsigned(rows),
        rows_without_value: whole::unsigned(without_value[0].count),
        rest: (together[0].count > 0.0)
            .then(|| Rest { values: untold.len() as u64 + attribute.rest, group: group("", &together) }),
        mean_prediction_difference: prediction.0,
        mean_error_difference: error.0,
        mean_absolute_error_difference: absolute.0,
        judged: Judged {
            mean_prediction_difference: prediction.1,
            mean_error_difference: error.1,
            mean_absolute_error_difference: absolute.1,
        },
        too_small: groups
            .iter()
            .filter(|(_, sums)| sums[0].count < least)
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        groups: groups.iter().map(|(name, sums)| group(name, sums)).collect(),
    }
}

/// Of all groups that have the mean, and of those with rows enough.
fn differences(groups: &[(&str, &Sums)], of: usize, least: f64, alpha: f64) -> (Option<f64>, Option<Gap>) {
    let moments = || groups.iter().map(|(name, sums)| (*name, sums[of])).filter(|(_, of)| of.count > 0.0);
    let ends = moments().map(|(_, of)| (of.mean, of.mean)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let large = || moments().filter(|(_, of)| of.count >= least.max(2.0));
    let share = alpha / pairs(large().count()).max(1.0);
    let means: Vec<(&str, Interval)> =
        large().filter_map(|(name, of)| Some((name, interval::mean(&of, share)?))).collect();
    (ends.map(|(low, high)| high - low), gap(&means, Measure::Difference))
}
