//! The signals of a model. They are read when a minute closes and when points are made; the API shows a model in its own form.

use super::Part::{Increase, Last};
use super::{Each, Form, Id, Signal, Table};
use crate::metric::Kind::{Counter, Gauge, UpDown};
use crate::metric::{Metric, metric};

/// A model's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model;

/// The signal with this key.
#[must_use]
pub const fn id(key: &str) -> Id<Model> {
    Id::of(key)
}

const MEASURE: Each = Each { attributes: &["measure"], field: "measure" };
const FEATURE: Each = Each { attributes: &["feature"], field: "feature" };
const TEST: Each = Each { attributes: &["feature", "test"], field: "feature" };
const ASPECT: Each = Each { attributes: &["feature", "aspect"], field: "feature" };
const CHECK: Each = Each { attributes: &["check"], field: "check" };
const STREAM: Each = Each { attributes: &["stream", "detector"], field: "stream" };
const ATTRIBUTE: Each = Each { attributes: &["attribute"], field: "attribute" };
const PARITY: Each = Each { attributes: &["attribute", "measure"], field: "attribute" };
const SEGMENT: Each = Each { attributes: &["segment", "value", "measure"], field: "segment" };
const VERSION: Each = Each { attributes: &["version", "measure"], field: "version" };
const CHALLENGER: Each = Each { attributes: &["version", "champion", "measure"], field: "version" };
const BIN: Each = Each { attributes: &["feature", "bin", "reference.hash", "reference.provisional"], field: "feature" };

const DROPPED: Metric = metric(
    "plumbline.model.dropped",
    Counter,
    "{row}",
    &["model", "model.namespace", "reason"],
    "Rows that are in no window: repeated id, too_late for any window, forgotten to stay within bounds; labels unmatched with a sample, elsewhere where every agent gets them and the sample is another's, labels_forgotten.",
);

impl Table for Model {
    const SUBJECT: &'static [&'static str] = &["model", "model.namespace"];

    const SIGNALS: &'static [Signal] = &[
        Signal::count(
            "predictions",
            metric(
                "plumbline.model.prediction.count",
                Counter,
                "{prediction}",
                Self::SUBJECT,
                "Samples accepted, each once; those that a model's `sample` leaves out are among them.",
            ),
        )
        .minute("predictions", "samples that arrived", &[Increase])
        .read_back(&[Increase]),
        Signal::count(
            "labels",
            metric("plumbline.model.label.count", Counter, "{label}", Self::SUBJECT, "Labels accepted."),
        )
        .minute("labels", "labels that arrived", &[Increase])
        .read_back(&[Increase]),
        Signal::count(
            "sampled_out",
            metric(
                "plumbline.model.prediction.sampled_out",
                Counter,
                "{prediction}",
                Self::SUBJECT,
                "Samples that were left out because the model's description asks for a part of them (sample).",
            ),
        ),
        Signal::count(
            "labels_sampled_out",
            metric(
                "plumbline.model.label.sampled_out",
                Counter,
                "{label}",
                Self::SUBJECT,
                "Labels that were left out with their samples.",
            ),
        ),
        Signal::count("dropped.repeated", DROPPED).series(&[("reason", "repeated")]),
        Signal::count("dropped.too_late", DROPPED).series(&[("reason", "too_late")]),
        Signal::count("dropped.forgotten", DROPPED).series(&[("reason", "forgotten")]),
        Signal::count("dropped.unmatched", DROPPED).series(&[("reason", "unmatched")]),
        Signal::count("dropped.elsewhere", DROPPED).series(&[("reason", "elsewhere")]),
        Signal::count("dropped.labels_forgotten", DROPPED).series(&[("reason", "labels_forgotten")]),
        Signal::count(
            "late",
            metric(
                "plumbline.model.late",
                Counter,
                "{row}",
                Self::SUBJECT,
                "Samples that came after their window was closed; it is judged again.",
            ),
        ),
        Signal::count(
            "features_left_out",
            metric(
                "plumbline.model.features.left_out",
                UpDown,
                "{feature}",
                Self::SUBJECT,
                "Features without metrics of their own because there are more than models.metric_features; the API has them.",
            ),
        ),
        Signal::count(
            "memory",
            metric(
                "plumbline.model.memory.usage",
                UpDown,
                "By",
                Self::SUBJECT,
                "About what the model's windows take.",
            ),
        ),
        // A rule on one of the next two must not fire for the other.
        Signal::count(
            "drift",
            metric(
                "plumbline.model.drift",
                UpDown,
                "1",
                Self::SUBJECT,
                "1 when any feature or the prediction drifts for enough windows in a row, else 0; absent without a verdict.",
            ),
        ),
        Signal::count(
            "drift_provisional",
            metric(
                "plumbline.model.drift.provisional",
                UpDown,
                "1",
                Self::SUBJECT,
                "The same against a provisional reference, the model's own first rows: worth a look, not an alarm.",
            ),
        ),
        Signal::new("verdict", Form::Count, None)
            .minute("drift", "the verdict: 1 drift, 0 none, null without one", &[Last])
            .read_back(&[Last]),
        Signal::new("provisional", Form::Count, None)
            .minute("provisional", "1 when the verdict is against the model's own first rows", &[Last])
            .read_back(&[Last]),
        Signal::count(
            "window_rows",
            metric(
                "plumbline.model.window.rows",
                Gauge,
                "{row}",
                Self::SUBJECT,
                "Rows of the last window that was closed.",
            ),
        ),
        Signal::real(
            "feature.drift",
            metric(
                "plumbline.model.feature.drift",
                Gauge,
                "{statistic}",
                &["model", "model.namespace", "feature", "test"],
                "Statistic of the test over the last window; Wasserstein is in the feature's own unit.",
            ),
        )
        .each(TEST),
        Signal::real(
            "feature.p_value",
            metric(
                "plumbline.model.feature.drift.p_value",
                Gauge,
                "{probability}",
                &["model", "model.namespace", "feature", "aspect"],
                "P-value of the aspect over the last window, corrected over the features: how likely as much is of chance alone.",
            ),
        )
        .each(ASPECT),
        Signal::real(
            "feature.effect",
            metric(
                "plumbline.model.feature.drift.effect",
                Gauge,
                "{effect}",
                &["model", "model.namespace", "feature", "aspect"],
                "How much changed over the last window, the noise taken off: values in the reference's standard deviations, all else as a Jensen-Shannon distance.",
            ),
        )
        .each(ASPECT),
        Signal::real(
            "feature.threshold",
            metric(
                "plumbline.model.feature.drift.threshold",
                Gauge,
                "{effect}",
                &["model", "model.namespace", "feature", "aspect"],
                "What the effect must lie beyond: the threshold that is set, or what the feature varies by itself.",
            ),
        )
        .each(ASPECT),
        Signal::count(
            "feature.drifted",
            metric(
                "plumbline.model.feature.drifted",
                UpDown,
                "1",
                &["model", "model.namespace", "feature"],
                "1 when the feature drifted in the last window, else 0; absent without a verdict.",
            ),
        )
        .each(FEATURE),
        Signal::real(
            "feature.missing",
            metric(
                "plumbline.model.data.missing",
                Gauge,
                "1",
                &["model", "model.namespace", "feature"],
                "Share of the last window's rows without a value.",
            ),
        )
        .each(FEATURE),
        Signal::count(
            "faulty_checks",
            metric(
                "plumbline.model.data.faulty_checks",
                Gauge,
                "{check}",
                Self::SUBJECT,
                "Checks of data quality that find fault with the last window, or with what came within its length.",
            ),
        ),
        Signal::count(
            "faults",
            metric(
                "plumbline.model.data.faults",
                Gauge,
                "{fault}",
                &["model", "model.namespace", "check"],
                "Columns, pairs of columns or counts of rows that the check of data quality finds fault with: over the last window, or over what came within its length; absent where it cannot be told.",
            ),
        )
        .each(CHECK),
        Signal::count(
            "stream.changes",
            metric(
                "plumbline.model.stream.changes",
                Counter,
                "{change}",
                &["model", "model.namespace", "stream", "detector"],
                "Changes that a detector (streams) found in the model's scores or errors, value by value as they came. A sign, no verdict.",
            ),
        )
        .each(STREAM),
        Signal::real(
            "performance",
            metric(
                "plumbline.model.performance",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "Performance over the newest window with labels, by measure (accuracy, roc_auc, mae, ...); all of them: Measures of performance, below.",
            ),
        )
        .each(MEASURE),
        Signal::count(
            "performance_rows",
            metric(
                "plumbline.model.performance.rows",
                Gauge,
                "{row}",
                Self::SUBJECT,
                "Rows with a label in the newest window that has any.",
            ),
        ),
        Signal::real(
            "reference_performance",
            metric(
                "plumbline.model.reference.performance",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "Performance over the reference, where it has labels.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "performance_drop",
            metric(
                "plumbline.model.performance.drop",
                Gauge,
                "1",
                &["model", "model.namespace", "measure"],
                "How much worse the leading measure (ndcg, roc_auc, else accuracy, or mae) is than over the reference, as a share of it; below zero where it is better.",
            ),
        )
        .each(MEASURE),
        Signal::count(
            "performance_worse",
            metric(
                "plumbline.model.performance.worse",
                Gauge,
                "1",
                &["model", "model.namespace", "measure"],
                "1 where the leading measure is worse than over the reference, for certain and by more than the margin; else 0. Without enough labelled rows there is none.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "estimated",
            metric(
                "plumbline.model.performance.estimated",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "Performance expected of the last window without labels, by measure. Blind to concept drift: inputs are taken to mean what they meant in the reference.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "estimated_low",
            metric(
                "plumbline.model.performance.estimated.low",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "Lower end of the estimate's 95 % band.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "estimated_high",
            metric(
                "plumbline.model.performance.estimated.high",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "Upper end of the estimate's 95 % band.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "estimated_error",
            metric(
                "plumbline.model.performance.estimated.error",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "measure"],
                "The estimate less what labels say, over the newest window with both: how wrong the estimator was.",
            ),
        )
        .each(MEASURE),
        Signal::count(
            "estimated_worse",
            metric(
                "plumbline.model.performance.estimated.worse",
                Gauge,
                "1",
                &["model", "model.namespace", "measure"],
                "1 where the leading measure is estimated to be worse than over the reference, for certain and by more than the margin; else 0. Without enough rows there is none.",
            ),
        )
        .each(MEASURE),
        Signal::real(
            "parity",
            metric(
                "plumbline.model.fairness",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "attribute", "measure"],
                "How far groups by a protected attribute, or by two, lie apart (demographic_parity_difference, equalized_odds_difference, ...), over the newest window with labels, else the last; groups of fewer than 30 rows are left out.",
            ),
        )
        .each(PARITY),
        Signal::count(
            "four_fifths",
            metric(
                "plumbline.model.fairness.four_fifths.broken",
                Gauge,
                "1",
                &["model", "model.namespace", "attribute"],
                "1 where a group is selected less than four fifths as often as another, for certain; else 0. Absent where fewer than two groups are large enough.",
            ),
        )
        .each(ATTRIBUTE),
        Signal::real(
            "segment.performance",
            metric(
                "plumbline.model.segment.performance",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "segment", "value", "measure"],
                "The leading measure by the values of a column that the model's description names (segments), over the newest window with labels; the twenty values with most rows.",
            ),
        )
        .each(SEGMENT),
        Signal::count(
            "segments",
            metric(
                "plumbline.model.segments.worse",
                Gauge,
                "{segment}",
                Self::SUBJECT,
                "Parts of the rows on which the model does worse than on the rest, found without being told where to look, over the newest windows with labels; ten at most. A sign, no alarm: most models have some.",
            ),
        ),
        Signal::real(
            "version.performance",
            metric(
                "plumbline.model.version.performance",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "version", "measure"],
                "Performance of each version, by measure, over the newest rows with labels (50,000 at most); twenty versions at most. Without two versions there is none.",
            ),
        )
        .each(VERSION),
        Signal::real(
            "version.difference",
            metric(
                "plumbline.model.version.performance.difference",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "version", "champion", "measure"],
                "The version's leading measure less the champion's, on the same requests where both answered them, else on what each was asked while both ran.",
            ),
        )
        .each(CHALLENGER),
        Signal::real(
            "version.difference_low",
            metric(
                "plumbline.model.version.performance.difference.low",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "version", "champion", "measure"],
                "Lower end of the difference's 95 % interval, at one look.",
            ),
        )
        .each(CHALLENGER),
        Signal::real(
            "version.difference_high",
            metric(
                "plumbline.model.version.performance.difference.high",
                Gauge,
                "{measure}",
                &["model", "model.namespace", "version", "champion", "measure"],
                "Upper end of the difference's 95 % interval, at one look.",
            ),
        )
        .each(CHALLENGER),
        Signal::count(
            "version.worse",
            metric(
                "plumbline.model.version.performance.worse",
                Gauge,
                "1",
                &["model", "model.namespace", "version", "champion", "measure"],
                "1 where the version is worse than the champion by more than the margin, for certain however often it is looked at (all looks together at .005); else 0. Without enough labelled rows there is none.",
            ),
        )
        .each(CHALLENGER),
        Signal::count(
            "versions_left_out",
            metric(
                "plumbline.model.versions.left_out",
                UpDown,
                "{version}",
                Self::SUBJECT,
                "Versions among the newest rows with labels that have no metrics of their own, as there are more than twenty; the largest have.",
            ),
        ),
        Signal::new("leading", Form::Real, None)
            .minute("performance", "the leading measure over the newest window with labels", &[Last])
            .read_back(&[Last]),
        Signal::new("leading_reference", Form::Real, None)
            .minute("reference_performance", "the leading measure over the reference", &[Last])
            .read_back(&[Last]),
        Signal::real(
            "cost",
            metric(
                "plumbline.model.cost",
                Gauge,
                "{currency}",
                Self::SUBJECT,
                "Cost of a thousand predictions over the time that recommendations look back on (rightsizing.history): the containers labelled plumbline.io/model, over the samples that arrived.",
            ),
        ),
        Signal::count(
            "bin.count",
            metric(
                "plumbline.model.feature.bin.count",
                Counter,
                "{value}",
                &["model", "model.namespace", "feature", "bin", "reference.hash", "reference.provisional"],
                "Values that fell into the reference's bin. Counts of equal hashes add up over replicas.",
            ),
        )
        .each(BIN),
        Signal::real(
            "bin.reference",
            metric(
                "plumbline.model.feature.bin.reference.share",
                Gauge,
                "1",
                &["model", "model.namespace", "feature", "bin", "reference.hash", "reference.provisional"],
                "Share of the reference's rows in the bin.",
            ),
        )
        .each(BIN),
    ];
}
