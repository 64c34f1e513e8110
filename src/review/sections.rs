//! What a review tells, section by section, as lines and tables.

pub mod moved;
pub mod versions;

use jiff::Timestamp;

use super::{Labelled, Measured, Part, Review};
use crate::drift::words::{chance, figure};
use crate::estimate::{Estimate, Estimated};
use crate::fairness::amounts::Amounts;
use crate::fairness::four_fifths::Verdict as Rule;
use crate::fairness::{Fair, Fairness};
use crate::performance::Performance;
use crate::performance::figure::Figure;
use crate::performance::interval::Within;
use crate::performance::verdict::{Change, Verdict};
use crate::segment::by::By;
use crate::segment::search::Segment;
use crate::stats::interval::Interval;
use crate::units::percent;

/// What stands where nothing is known.
fn dash() -> String {
    "-".to_owned()
}

/// Lines and a table under a title.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// Whole sentences.
    pub said: Vec<String>,
    /// The table's heads.
    pub heads: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// What is drawn of groups: the name and the rate with its interval.
    pub groups: Vec<(String, Interval)>,
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
    /// A rate of each group with its interval.
    Groups,
}

/// A title and a table.
fn section(title: &str, heads: &[&'static str], rows: Vec<Vec<String>>) -> Section {
    Section { title: title.to_owned(), heads: heads.to_vec(), rows, ..Section::default() }
}

/// Rows, in thousands.
fn count(rows: u64) -> String {
    crate::units::grouped(rows)
}

/// The review in one sentence.
#[must_use]
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
#[must_use]
pub fn sections(review: &Review) -> Vec<Section> {
    let mut all = vec![about(review)];
    if let Some(measured) = &review.performance {
        all.push(performance(measured));
        all.extend(classes(measured));
        all.extend(confusion(measured));
        all.extend(reliability(measured));
    }
    all.extend(review.estimated.as_ref().map(estimated));
    all.extend(over_time(review));
    all.extend(versions::sections(&review.versions));
    all.extend(review.fairness.iter().map(fair));
    all.extend(review.segments_searched.map(|columns| segments(&review.segments, columns)));
    all.extend(review.by_column.iter().map(by_column));
    all.extend(drift(review));
    all.extend(review.moved.iter().flat_map(moved::sections));
    all.extend(quality(review));
    all
}

/// A name of the tables as words.
fn words(name: &str) -> String {
    match name {
        "roc_auc" => "ROC-AUC".to_owned(),
        "pr_auc" => "PR-AUC".to_owned(),
        "ece" => "ECE".to_owned(),
        "mae" | "rmse" | "mape" | "ndcg" | "mse" | "msle" | "rmsle" => name.to_uppercase(),
        "r2" => "R²".to_owned(),
        "f1" => "F1".to_owned(),
        _ => name.replace('_', " "),
    }
}

fn with_interval(value: f64, interval: Option<Within>) -> String {
    interval.map_or_else(
        || figure(value),
        |Within { low, high }| format!("{} ({} to {})", figure(value), figure(low), figure(high)),
    )
}

fn shown(of: Figure) -> String {
    of.value.map_or_else(dash, |value| with_interval(value, of.interval))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
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

/// What is expected without labels, and what came true.
#[must_use]
pub fn estimated(estimate: &Estimate) -> Section {
    let mut said = vec![format!("As far as that can be told without labels: {}.", estimate.caveat)];
    if estimate.missing > 0 {
        said.push(format!("{} rows without a score or prediction are left out.", count(estimate.missing)));
    }
    if let Some(outside) = estimate.outside.filter(|outside| *outside > 0.0) {
        let share = percent(outside);
        said.push(format!("{share} of the rows lie where the reference has hardly any: bands are wider for them."));
    }
    let row = |of: &Estimated| {
        let stays = of.threshold_low.zip(of.threshold_high);
        Some(vec![
            words(&of.measure),
            with_interval(of.value?, band(of)),
            of.realised.map_or_else(dash, figure),
            of.error.map_or_else(dash, figure),
            stays.map_or_else(dash, |(low, high)| format!("{} to {}", figure(low), figure(high))),
            if of.alert { "beyond".to_owned() } else { String::new() },
        ])
    };
    let rows = estimate.figures.iter().filter_map(row).collect();
    let heads = ["measure", "estimate", "by labels", "off by", "reference's parts", ""];
    Section { said, ..section("Estimated", &heads, rows) }
}

fn band(of: &Estimated) -> Option<Within> {
    of.low.zip(of.high).map(|(low, high)| Within { low, high })
}

/// The measure that is told part by part: the one that speaks for the model, else of those that are estimated the first of these.
#[must_use]
pub fn followed(review: &Review) -> Option<&'static str> {
    let estimates = |name: &str| review.estimated.as_ref()?.figure(name)?.value;
    let by_label = review.performance.as_ref().and_then(|measured| measured.figures.leading());
    let by_estimate = || ["roc_auc", "accuracy", "mae"].into_iter().find(|name| estimates(name).is_some());
    by_label.map(|(leading, _)| leading.name).or_else(by_estimate)
}

fn over_time(review: &Review) -> Option<Section> {
    let name = followed(review)?;
    let row = |part: &Part| {
        let value = |of: &Performance| {
            let (_, value) = of.measures().find(|(measure, _)| *measure == name)?;
            Some(with_interval(value, of.interval(name)))
        };
        let estimate = part.estimated.as_ref().and_then(|estimate| estimate.figure(name));
        let estimate = estimate.and_then(|of| Some(with_interval(of.value?, band(of))));
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
            estimate.unwrap_or_else(dash),
        ]
    };
    if review.over_time.len() < 2 {
        return None;
    }
    let rows = review.over_time.iter().map(row).collect();
    let said = vec![format!("{}, part by part.", words(name))];
    let of = section("Over time", &["from", "rows", "labelled", "figure", "verdict", "estimate"], rows);
    Some(Section { said, chart: Some(Chart::OverTime), ..of })
}

fn of_interval(of: Option<Interval>) -> String {
    of.map_or_else(dash, |Interval { value, low, high }| {
        format!("{} ({} to {})", figure(value), figure(low), figure(high))
    })
}

/// The groups of an attribute.
#[must_use]
pub fn fair(of: &Fair) -> Section {
    match of {
        Fair::Shares(of) => shares(of),
        Fair::Amounts(of) => amounts(of),
    }
}

fn shares(of: &Fairness) -> Section {
    let mut said = Vec::new();
    match of.four_fifths.verdict {
        Rule::Below => {
            said.push("Adverse impact: below four fifths of another group's selection rate, for certain.".to_owned());
            said.extend(of.four_fifths.below.iter().map(|pair| pair.words(&of.attribute)));
        }
        Rule::Met => {
            said.push("Every group's selection rate is four fifths of any other's at least, for certain.".to_owned());
        }
        Rule::Unclear => said.push("Whether the four-fifths rule is met takes more rows to tell.".to_owned()),
        Rule::NotJudged => said.push("Too few rows, or nobody selected, to judge the four-fifths rule.".to_owned()),
    }
    let gaps = [
        ("demographic parity", &of.judged.demographic_parity_difference),
        ("equalized odds", &of.judged.equalized_odds_difference),
        ("equal opportunity", &of.judged.equal_opportunity_difference),
        ("predictive parity", &of.judged.predictive_parity_difference),
    ];
    for (name, gap) in gaps.into_iter().filter_map(|(name, gap)| Some((name, gap.as_ref()?))) {
        let (value, low, high) = (figure(gap.value), figure(gap.low), figure(gap.high));
        said.push(format!("Difference of {name}: {value} ({low} to {high}), {} against {}.", gap.highest, gap.lowest));
    }
    if let Some(against) = of.privileged.as_ref().and_then(|privileged| privileged.all_others.as_ref()) {
        let ratio = of_interval(against.disparate_impact_ratio);
        said.push(format!(
            "All others against the privileged: SPD {}, DIR {ratio}.",
            of_interval(Some(against.statistical_parity_difference))
        ));
    }
    if !of.too_small.is_empty() {
        said.push(format!("Too small to be judged: {}.", of.too_small.join(", ")));
    }
    let row = |group: &crate::fairness::group::Group| {
        let rates = [group.selection_rate, group.true_positive_rate, group.false_positive_rate, group.precision];
        let mut cells = vec![group.name.clone(), count(group.rows), count(group.labelled)];
        cells.extend(rates.map(of_interval));
        cells
    };
    let mut rows: Vec<Vec<String>> = of.groups.iter().map(row).collect();
    if let Some(rest) = &of.rest {
        let mut cells = row(&rest.group);
        cells[0] = format!("{} others", count(rest.values));
        rows.push(cells);
    }
    let heads =
        ["group", "rows", "labelled", "selection rate", "true positive rate", "false positive rate", "precision"];
    let groups = of.groups.iter().filter_map(|group| Some((group.name.clone(), group.selection_rate?))).collect();
    Section {
        said,
        groups,
        chart: Some(Chart::Groups),
        ..section(&format!("Groups by {}", of.attribute), &heads, rows)
    }
}

fn amounts(of: &Amounts) -> Section {
    let row = |group: &crate::fairness::amounts::Group| {
        let mut cells = vec![group.name.clone(), count(group.rows), count(group.labelled)];
        cells.extend([group.mean_prediction, group.mean_error, group.mean_absolute_error].map(of_interval));
        cells
    };
    let heads = ["group", "rows", "labelled", "mean prediction", "mean error", "mean absolute error"];
    let mut said = Vec::new();
    if !of.too_small.is_empty() {
        said.push(format!("Too small to be judged: {}.", of.too_small.join(", ")));
    }
    let groups = of.groups.iter().filter_map(|group| Some((group.name.clone(), group.mean_prediction?))).collect();
    let of = section(&format!("Groups by {}", of.attribute), &heads, of.groups.iter().map(row).collect());
    Section { said, groups, chart: Some(Chart::Groups), ..of }
}

/// Where the model does worst, searched in so many columns.
#[must_use]
pub fn segments(found: &[Segment], searched: u64) -> Section {
    let said = vec![if found.is_empty() {
        format!("Of {searched} columns and their pairs none has a part on which it does worse, for certain.")
    } else {
        "Mean error of the part and of all other rows, on rows that had no part in finding it.".to_owned()
    }];
    let row = |of: &Segment| {
        let share = percent(of.share);
        vec![
            of.segment.clone(),
            count(of.rows),
            share,
            of_interval(Some(of.statistic)),
            of_interval(Some(of.rest)),
            chance(of.p_value),
        ]
    };
    let rows = found.iter().map(row).collect();
    let heads = ["part", "rows", "of all", "its error", "all others'", "p"];
    Section { said, ..section("Where it does worst", &heads, rows) }
}

/// The measure that speaks for the model by a column's values.
#[must_use]
pub fn by_column(of: &By<Option<Performance>>) -> Section {
    let leading =
        of.parts.iter().filter_map(|part| part.statistic.as_ref()?.leading()).map(|(measure, _)| measure).next();
    let cell = |performance: &Option<Performance>| {
        let of = performance
            .as_ref()
            .zip(leading)
            .and_then(|(of, measure)| Some((measure.of(of)?, of.interval(measure.name))));
        of.map_or_else(dash, |(value, interval)| with_interval(value, interval))
    };
    let labelled = |performance: &Option<Performance>| performance.as_ref().map_or_else(dash, |of| count(of.rows));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for part in &of.parts {
        rows.push(vec![part.name.clone(), count(part.rows), labelled(&part.statistic), cell(&part.statistic)]);
    }
    if let Some((values, part)) = &of.rest {
        rows.push(vec![
            format!("{} others", count(*values)),
            count(part.rows),
            labelled(&part.statistic),
            cell(&part.statistic),
        ]);
    }
    let said = leading.map(|measure| format!("{}.", words(measure.name))).into_iter().collect();
    Section { said, ..section(&format!("By {}", of.column), &["value", "rows", "labelled", "figure"], rows) }
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
