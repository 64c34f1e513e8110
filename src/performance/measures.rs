//! Every measure: its name, which way it is better, and whether it may speak for a model. What is shown, exported and
//! compared follows from the list.

use std::ops::RangeInclusive;

use super::Performance;

/// Which way a measure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The more the better.
    Higher,
    /// The less the better: it measures errors.
    Lower,
}

impl Better {
    /// By how much `now` is worse than `before`; below zero where it is better.
    #[must_use]
    pub fn loss(self, before: f64, now: f64) -> f64 {
        match self {
            Self::Higher => before - now,
            Self::Lower => now - before,
        }
    }
}

/// One measure.
#[derive(Debug)]
pub struct Measure {
    /// As the API, the metrics and the reports name it.
    pub name: &'static str,
    /// Which way it is better.
    pub better: Better,
    /// Its place among those that may speak for a model; the first that is defined does.
    pub rank: Option<u8>,
    /// What it keeps within, whatever the data.
    pub bounds: RangeInclusive<f64>,
    /// One sentence for people.
    pub help: &'static str,
    value: fn(&Performance) -> Option<f64>,
    set: fn(&mut Performance) -> &mut Option<f64>,
}

impl Measure {
    /// Its value, where it is defined.
    #[must_use]
    pub fn of(&self, performance: &Performance) -> Option<f64> {
        (self.value)(performance)
    }

    /// Where it is kept.
    pub(super) fn place<'a>(&self, performance: &'a mut Performance) -> &'a mut Option<f64> {
        (self.set)(performance)
    }
}

pub(super) const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const ERROR: RangeInclusive<f64> = 0.0..=f64::INFINITY;

/// All of them, in the order they are shown.
pub static MEASURES: &[Measure] = &[
    Measure {
        name: "accuracy",
        better: Better::Higher,
        rank: Some(2),
        bounds: SHARE,
        help: "Share of rows whose prediction is the label.",
        value: |performance| performance.accuracy,
        set: |performance| &mut performance.accuracy,
    },
    Measure {
        name: "precision",
        better: Better::Higher,
        rank: None,
        bounds: SHARE,
        help: "Share of the predicted positives that are positive; with more than two classes the mean over the classes.",
        value: |performance| performance.precision,
        set: |performance| &mut performance.precision,
    },
    Measure {
        name: "recall",
        better: Better::Higher,
        rank: None,
        bounds: SHARE,
        help: "Share of the positives that are predicted so; with more than two classes the mean over the classes.",
        value: |performance| performance.recall,
        set: |performance| &mut performance.recall,
    },
    Measure {
        name: "specificity",
        better: Better::Higher,
        rank: None,
        bounds: SHARE,
        help: "Share of the negatives that are predicted so; of two classes.",
        value: |performance| performance.specificity,
        set: |performance| &mut performance.specificity,
    },
    Measure {
        name: "f1",
        better: Better::Higher,
        rank: None,
        bounds: SHARE,
        help: "Harmonic mean of precision and recall; with more than two classes the mean over the classes.",
        value: |performance| performance.f1,
        set: |performance| &mut performance.f1,
    },
    Measure {
        name: "roc_auc",
        better: Better::Higher,
        rank: Some(1),
        bounds: SHARE,
        help: "Area under the receiver operating characteristic, equal scores by half; of more classes the mean of each against the rest.",
        value: |performance| performance.roc_auc,
        set: |performance| &mut performance.roc_auc,
    },
    Measure {
        name: "pr_auc",
        better: Better::Higher,
        rank: None,
        bounds: SHARE,
        help: "Area under the curve of precision over recall, as average precision; of two classes.",
        value: |performance| performance.pr_auc,
        set: |performance| &mut performance.pr_auc,
    },
    Measure {
        name: "brier",
        better: Better::Lower,
        rank: None,
        bounds: SHARE,
        help: "Mean squared difference of score and outcome.",
        value: |performance| performance.brier,
        set: |performance| &mut performance.brier,
    },
    Measure {
        name: "log_loss",
        better: Better::Lower,
        rank: None,
        bounds: ERROR,
        help: "Mean negative log-likelihood of the outcome, scores clipped to the next number beside 0 and 1.",
        value: |performance| performance.log_loss,
        set: |performance| &mut performance.log_loss,
    },
    Measure {
        name: "ece",
        better: Better::Lower,
        rank: None,
        bounds: SHARE,
        help: "Expected calibration error: how far scores and what came true lie apart, in ten bins of equal width; of two classes.",
        value: |performance| performance.ece,
        set: |performance| &mut performance.ece,
    },
    Measure {
        name: "cost",
        better: Better::Lower,
        rank: None,
        bounds: f64::NEG_INFINITY..=f64::INFINITY,
        help: "Mean cost of a row, in the user's money, by the model's costs.",
        value: |performance| performance.cost,
        set: |performance| &mut performance.cost,
    },
    Measure {
        name: "mae",
        better: Better::Lower,
        rank: Some(3),
        bounds: ERROR,
        help: "Mean absolute error.",
        value: |performance| performance.mae,
        set: |performance| &mut performance.mae,
    },
    Measure {
        name: "rmse",
        better: Better::Lower,
        rank: None,
        bounds: ERROR,
        help: "Root mean squared error.",
        value: |performance| performance.rmse,
        set: |performance| &mut performance.rmse,
    },
    Measure {
        name: "r2",
        better: Better::Higher,
        rank: None,
        bounds: f64::NEG_INFINITY..=1.0,
        help: "Share of the labels' variance that the prediction explains.",
        value: |performance| performance.r2,
        set: |performance| &mut performance.r2,
    },
    Measure {
        name: "mape",
        better: Better::Lower,
        rank: None,
        bounds: ERROR,
        help: "Mean absolute error over the label's size; undefined where a label is 0.",
        value: |performance| performance.mape,
        set: |performance| &mut performance.mape,
    },
    Measure {
        name: "quantile_loss",
        better: Better::Lower,
        rank: None,
        bounds: ERROR,
        help: "Mean loss of a prediction that is meant to be the quantile that the model names.",
        value: |performance| performance.quantile_loss,
        set: |performance| &mut performance.quantile_loss,
    },
    Measure {
        name: "ndcg",
        better: Better::Higher,
        rank: Some(0),
        bounds: SHARE,
        help: "Mean over the groups of how much of what is relevant comes first: normalised discounted cumulative gain.",
        value: |performance| performance.ndcg,
        set: |performance| &mut performance.ndcg,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::Task;

    #[test]
    fn every_measure_is_a_field_of_its_own_name() {
        let none = serde_json::to_value(Performance::of_no_rows(Task::Classification)).expect("JSON");
        for measure in MEASURES {
            let mut one = none.clone();
            assert!(one.get(measure.name).is_some_and(serde_json::Value::is_null), "{} is no field", measure.name);
            one[measure.name] = 0.25.into();
            let one: Performance = serde_json::from_value(one).expect("a performance");
            assert_eq!(one.measures().collect::<Vec<_>>(), [(measure.name, 0.25)]);
            assert_eq!(one.leading().map(|(leading, _)| leading.name), measure.rank.map(|_| measure.name));
        }
        let described = ["task", "rows", "positive", "rarest", "intervals"].len();
        assert_eq!(
            none.as_object().map(serde_json::Map::len),
            Some(MEASURES.len() + described),
            "a field has no entry"
        );
    }

    #[test]
    fn the_first_in_rank_speaks_and_says_which_way_is_worse() {
        let all = Performance {
            mae: Some(2.0),
            accuracy: Some(0.5),
            roc_auc: Some(0.7),
            ..Performance::of_no_rows(Task::Classification)
        };
        assert_eq!(all.leading().map(|(measure, value)| (measure.name, value)), Some(("roc_auc", 0.7)));
        let without = Performance { roc_auc: None, ..all };
        assert_eq!(without.leading().map(|(measure, value)| (measure.name, value)), Some(("accuracy", 0.5)));
        let ranks = MEASURES.iter().filter_map(|measure| measure.rank).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(
            ranks.len(),
            MEASURES.iter().filter(|measure| measure.rank.is_some()).count(),
            "ranks are told apart"
        );
        assert!(Better::Lower.loss(1.0, 3.0) > 0.0 && Better::Higher.loss(1.0, 3.0) < 0.0);
    }
}
