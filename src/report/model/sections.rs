//! What a review tells, section by section, as lines and tables.

use jiff::Timestamp;

use crate::drift::words::figure;
use crate::performance::Performance;
use crate::performance::figure::Figure;
use crate::performance::interval::Interval;
use crate::performance::verdict::{Change, Verdict};
use crate::report::dash;
use crate::review::{Labelled, Measured, Part, Review};
use crate::units::percent;

/// Lines and a table under a title.
pub struct Section {
    pub title: &'static str,
    /// Whole sentences.
    pub said: Vec<String>,
    pub heads: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
    /// Which chart belongs to it.
    pub chart: Option<Chart>,
}

/// The charts that the page draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// The leading measure part by part.
    OverTime,
    /// Scores against what came true.
    Reliability,
}

/// The review in one sentence.
pub fn verdict(review: &Review) -> String {
    let name = &review.model;
    let Some(measured) = &review.performance else {
        return match &review.drift {
            Some(comparison) if comparison.summary.drift => {
                format!(
                    "{name}: {} of {} columns drift; no labels",
                    comparison.summary.drifted, comparison.summary.features
                )
            }
            Some(_) => format!("{name}: no drift; no labels"),
            None => format!("{name}: no labels, and no reference to hold it against"),
        };
    };
    let Some((leading, value)) = measured.figures.leading() else {
        return format!("{name}: nothing can be measured");
    };
    let called = words(leading.name);
    let now = with_interval(value, measured.figures.interval(leading.name));
    let change = measured.changes.iter().find(|change| change.measure == leading.name);
    match change {
        Some(Change { verdict: Verdict::Worse, reference, .. }) => {
            format!("{name} does worse: {called} {now}, {} in the reference", figure(*reference))
        }
        Some(Change { verdict: Verdict::Better, reference, .. }) => {
            format!("{name} does better: {called} {now}, {} in the reference", figure(*reference))
        }
        Some(Change { verdict: Verdict::Same, reference, .. }) => {
            format!("{name} does as well as it did: {called} {now}, {} in the reference", figure(*reference))
        }
        Some(Change { reason: Some(why), .. }) => format!("{name}: {called} {now}; no verdict: {why}"),
        _ => format!("{name}: {called} {now}; there is no reference with labels"),
    }
}

/// All of them that have something to tell.
pub fn sections(review: &Review) -> Vec<Section> {
    let mut all = vec![about(review)];
    if let Some(measured) = &review.performance {
        all.push(performance(measured));
        all.extend(classes(measured));
        all.extend(confusion(measured));
        all.extend(reliability(measured));
    }
    all.extend(over_time(review));
    all.extend(drift(review));
    all.extend(quality(review));
    all
}

/// A name of the tables as words.
fn words(name: &str) -> String {
    match name {
        "roc_auc" => "ROC-AUC".to_owned(),
        "pr_auc" => "PR-AUC".to_owned(),
        "ece" => "ECE".to_owned(),
        "mae" | "rmse" | "mape" | "ndcg" => name.to_uppercase(),
        "r2" => "R²".to_owned(),
        "f1" => "F1".to_owned(),
        _ => name.replace('_', " "),
    }
}

fn with_interval(value: f64, interval: Option<Interval>) -> String {
    interval.map_or_else(
        || figure(value),
        |Interval { low, high }| format!("{} ({} to {})", figure(value), figure(low), figure(high)),
    )
}

fn shown(of: Figure) -> String {
    of.value.map_or_else(dash, |value| with_interval(value, of.interval))
}

fn count(rows: u64) -> String {
    crate::units::grouped(rows)
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn section(title: &'static str, heads: &[&'static str], rows: Vec<Vec<String>>) -> Section {
    Section { title, said: Vec::new(), heads: heads.to_vec(), rows, chart: None }
}

fn about(review: &Review) -> Section {
    let mut said = Vec::new();
    let span = review
        .from
        .zip(review.to)
        .map_or_else(String::new, |(from, to)| format!(", {} to {} UTC", time(from), time(to)));
    said.push(format!("{} rows{span}.", count(review.rows)));
    said.extend(labels(&review.labels, review.rows));
    said.extend(review.notes.iter().cloned());
    Section { said, ..section("Samples and labels", &[], Vec::new()) }
}

fn labels(labelled: &Labelled, rows: u64) -> Vec<String> {
    let mut said = vec![match labelled.coverage {
        Some(coverage) if labelled.rows > 0 => {
            format!("{} of {} rows have a label ({}).", count(labelled.rows), count(rows), percent(coverage))
        }
        _ => "No row has a label: how well it does is not known.".to_owned(),
    }];
    let mut counted = |count_of: u64, one: &str, many: &str| {
        if count_of > 0 {
            said.push(format!("{} {}.", count(count_of), if count_of == 1 { one } else { many }));
        }
    };
    counted(labelled.unknown, "label is of no sample", "labels are of no sample");
    counted(labelled.duplicates, "label says again what another said", "labels say again what others said");
    counted(
        labelled.corrections,
        "label corrects another: the latest counts",
        "labels correct others: the latest count",
    );
    if let Some((middle, most)) = labelled.lag_p50.zip(labelled.lag_p95) {
        let told = |seconds: f64| {
            humantime::format_duration(std::time::Duration::from_secs(crate::stats::whole::unsigned(seconds.max(0.0))))
                .to_string()
        };
        said.push(format!(
            "Labels come {} after their samples (median), {} at the 95th percentile.",
            told(middle),
            told(most)
        ));
    }
    if let Some(early) = labelled.early.filter(|early| early.differ) {
        said.push(format!(
            "Labels that come early are not like those that come late: the mean error is {} of the first half and {} of the last. Figures will \
             change as more come.",
            shown(early.first),
            shown(early.last)
        ));
    }
    said
}

fn performance(measured: &Measured) -> Section {
    let figures = &measured.figures;
    let row = |(name, value): (&'static str, f64)| {
        let change = measured.changes.iter().find(|change| change.measure == name);
        let verdict = change.map_or_else(dash, |change| match change.verdict {
            Verdict::Worse => "worse".to_owned(),
            Verdict::Better => "better".to_owned(),
            Verdict::Same => "same".to_owned(),
            Verdict::Unknown => dash(),
        });
        let reference = change.map_or_else(dash, |change| figure(change.reference));
        vec![words(name), with_interval(value, figures.interval(name)), reference, verdict]
    };
    let rows = figures.measures().map(row).collect();
    let mut said = vec!["In brackets: where the figure may lie, in 95 of 100 cases.".to_owned()];
    if let Some(why) = measured.changes.iter().find_map(|change| change.reason.clone()) {
        said.push(format!("No verdict: {why}."));
    }
    Section { said, ..section("Performance", &["measure", "samples", "reference", "verdict"], rows) }
}

fn classes(measured: &Measured) -> Option<Section> {
    let detail = measured.detail.as_ref().filter(|detail| detail.classes.len() > 2)?;
    let mut rows: Vec<Vec<String>> = detail
        .classes
        .iter()
        .map(|of| {
            vec![
                of.class.clone(),
                count(of.rows),
                shown(of.precision),
                shown(of.recall),
                shown(of.f1),
                shown(of.roc_auc),
            ]
        })
        .collect();
    for (name, of) in
        [("macro", &detail.macro_average), ("weighted", &detail.weighted_average), ("micro", &detail.micro_average)]
    {
        rows.push(vec![format!("{name} average"), dash(), shown(of.precision), shown(of.recall), shown(of.f1), dash()]);
    }
    Some(section("Classes", &["class", "rows", "precision", "recall", "F1", "ROC-AUC"], rows))
}

/// Classes that a table of them has room for.
const TABLE: usize = 12;

fn confusion(measured: &Measured) -> Option<Section> {
    let detail = measured.detail.as_ref().filter(|detail| (2..=TABLE).contains(&detail.classes.len()))?;
    let rows = detail.classes.iter().zip(&detail.confusion).flat_map(|(label, row)| {
        let whole: u64 = row.iter().sum();
        row.iter().zip(&detail.classes).filter(|(cell, _)| **cell > 0).map(move |(cell, predicted)| {
            let share = (whole > 0).then(|| *cell as f64 / whole as f64).map_or_else(dash, percent);
            vec![label.class.clone(), predicted.class.clone(), count(*cell), share]
        })
    });
    Some(section("Confusion matrix", &["label", "predicted", "rows", "of the label's"], rows.collect()))
}

fn reliability(measured: &Measured) -> Option<Section> {
    let detail = measured.detail.as_ref().filter(|detail| !detail.reliability.is_empty())?;
    let rows = detail.reliability.iter().filter(|bin| bin.rows > 0).map(|bin| {
        let realised = Figure { value: bin.realised, interval: bin.interval };
        let score = bin.score.map_or_else(dash, figure);
        vec![format!("{} to {}", figure(bin.from), figure(bin.to)), count(bin.rows), score, shown(realised)]
    });
    let of = section("Reliability", &["score", "rows", "mean score", "came true"], rows.collect());
    Some(Section { chart: Some(Chart::Reliability), ..of })
}

fn over_time(review: &Review) -> Option<Section> {
    let measured = review.performance.as_ref()?;
    let (leading, _) = measured.figures.leading()?;
    let row = |part: &Part| {
        let value = |of: &Performance| leading.of(of).map(|value| with_interval(value, of.interval(leading.name)));
        let from = part.from.map_or_else(dash, time);
        let verdict = match part.verdict {
            Some(Verdict::Worse) => "worse".to_owned(),
            Some(Verdict::Better) => "better".to_owned(),
            Some(Verdict::Same) => "same".to_owned(),
            _ => dash(),
        };
        vec![
            from,
            count(part.rows),
            count(part.labelled),
            part.performance.as_ref().and_then(value).unwrap_or_else(dash),
            verdict,
        ]
    };
    if review.over_time.len() < 2 {
        return None;
    }
    let rows = review.over_time.iter().map(row).collect();
    let said = vec![format!("{}, part by part.", words(leading.name))];
    let of = section("Over time", &["from", "rows", "labelled", "figure", "verdict"], rows);
    Some(Section { said, chart: Some(Chart::OverTime), ..of })
}

fn drift(review: &Review) -> Option<Section> {
    let comparison = review.drift.as_ref()?;
    let summary = &comparison.summary;
    let said = vec![if summary.drifted == 0 {
        format!("None of {} columns drifts.", summary.features)
    } else {
        format!("{} of {} columns drift: {}.", summary.drifted, summary.features, summary.drifted_features.join(", "))
    }];
    let rows = comparison
        .features
        .iter()
        .filter(|feature| feature.drift == Some(true))
        .map(|feature| vec![feature.name.clone(), crate::drift::words::sentence(feature)]);
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.extend(comparison.schema.iter().map(|finding| vec![finding.column.clone(), finding.message.clone()]));
    Some(Section { said, ..section("Drift", &["column", "what moved"], rows) })
}

fn quality(review: &Review) -> Option<Section> {
    if review.quality.is_empty() {
        return None;
    }
    let rows =
        review.quality.iter().map(|finding| vec![finding.check.name().replace('_', " "), finding.message.clone()]);
    Some(section("Data quality", &["check", "found"], rows.collect()))
}
