//! Of measures of regression.

use super::mean;
use crate::performance::Performance;

/// Row by row; `None` where the measure is not one of these.
pub fn influence(
    name: &str,
    pairs: &[Option<(f64, f64)>],
    quantile: Option<f64>,
    measured: &Performance,
) -> Option<Vec<f64>> {
    let each = |of: &dyn Fn(f64, f64) -> f64| {
        let known = pairs.iter().enumerate().filter_map(|(at, pair)| Some((at, (*pair)?)));
        mean(pairs.len(), known.map(|(at, (label, predicted))| (at, of(label, predicted))))
    };
    let square = |label: f64, predicted: f64| (label - predicted).powi(2);
    match name {
        "mae" => each(&|label, predicted| (label - predicted).abs()),
        "rmse" => {
            // A root changes by half of what is below it changes by, over itself.
            let root = measured.rmse.filter(|root| *root > 0.0)?;
            each(&|label, predicted| square(label, predicted) / (2.0 * root))
        }
        "r2" => {
            let labels: Vec<f64> = pairs.iter().flatten().map(|(label, _)| *label).collect();
            let moments = crate::stats::moments::Moments::of(&labels)?;
            let (middle, variance) = (moments.mean, moments.squares / moments.count);
            let left = 1.0 - measured.r2?;
            each(&|label, predicted| (left * (label - middle).powi(2) - square(label, predicted)) / variance)
        }
        "mape" => each(&|label, predicted| ((label - predicted) / label).abs()),
        "quantile_loss" => {
            let level = quantile?;
            each(&|label, predicted| (level * (label - predicted)).max((level - 1.0) * (label - predicted)))
        }
        _ => None,
    }
}
