//! What a review, or a model's page, tells of versions: all of them in a table, and each challenger beside the champion.

use super::{Section, count, dash, section, shown, time, with_interval, words};
use crate::drift::words::{chance, figure};
use crate::performance::interval::Within;
use crate::units::percent;
use crate::versions::predictions::{Kind, Shift};
use crate::versions::{Comparison, Difference, Method, Verdict, Version};

/// None with fewer than two versions.
#[must_use]
pub fn sections(versions: &[Version]) -> Vec<Section> {
    let Some((champion, others)) = versions.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let compared: Vec<(&Version, &Comparison)> =
        others.iter().filter_map(|challenger| Some((challenger, challenger.against_champion.as_ref()?))).collect();
    let mut all = vec![overview(versions, champion, &compared)];
    all.extend(compared.iter().filter_map(|(challenger, of)| beside(champion, challenger, of)));
    all
}

fn overview(versions: &[Version], champion: &Version, compared: &[(&Version, &Comparison)]) -> Section {
    let leading = versions.iter().find_map(|of| of.performance.as_ref()?.leading()).map(|(measure, _)| measure);
    let said = compared.iter().map(|(challenger, of)| sentence(champion, challenger, of)).collect();
    let row = |of: &Version| {
        let value = of.performance.as_ref().zip(leading).and_then(|(performance, measure)| {
            Some(with_interval(measure.of(performance)?, performance.interval(measure.name)))
        });
        vec![
            if of.champion { format!("{} (champion)", of.version) } else { of.version.clone() },
            count(of.rows),
            percent(of.share),
            count(of.labelled),
            of.from.map_or_else(dash, time),
            of.to.map_or_else(dash, time),
            value.unwrap_or_else(dash),
        ]
    };
    let rows = versions.iter().map(row).collect();
    let heads = ["version", "rows", "of all", "labelled", "first", "last", "figure"];
    let mut of = Section { said, ..section("Versions", &heads, rows) };
    of.said.extend(leading.map(|measure| format!("Figure: {}, of all rows of the version.", words(measure.name))));
    of
}

/// The verdict on a challenger.
fn sentence(champion: &Version, challenger: &Version, of: &Comparison) -> String {
    let (name, against) = (&challenger.version, &champion.version);
    let Some(leading) = of.differences.iter().find(|difference| Some(difference.measure) == of.measure) else {
        return match &of.reason {
            Some(why) => format!("{name} beside {against}: no verdict: {why}."),
            None => format!("{name} beside {against}: no verdict."),
        };
    };
    let change = with_interval(leading.difference, leading.interval);
    let figures = format!(
        "{} {}, {} of {against}; difference {change}",
        words(leading.measure),
        figure(leading.challenger),
        figure(leading.champion)
    );
    match (of.verdict, &of.reason) {
        (Verdict::Worse, _) => format!("{name} does worse than {against}: {figures}."),
        (Verdict::Better, _) => format!("{name} does better than {against}: {figures}."),
        (Verdict::AsWell, _) => format!("{name} does as well as {against}: {figures}."),
        (Verdict::TooFew, Some(why)) => format!("{name} beside {against}: {figures}; no verdict: {why}."),
        (Verdict::TooFew, None) => format!("{name} beside {against}: {figures}; no verdict."),
    }
}

fn beside(champion: &Version, challenger: &Version, of: &Comparison) -> Option<Section> {
    let mut rows: Vec<Vec<String>> = of.differences.iter().map(measured).collect();
    rows.extend(of.predictions.shifts.iter().map(predicted));
    if rows.is_empty() {
        return None;
    }
    let mut said = vec![how(of)];
    if of.looked.is_some() {
        said.push(
            "The verdict holds however often it is looked at, and so asks for more than the intervals, which are of one look at 95 %."
                .to_owned(),
        );
    }
    if let Some(mcnemar) = of.mcnemar {
        said.push(format!(
            "{} alone got {} requests right, {} alone {} (McNemar's test: p {}).",
            challenger.version,
            count(mcnemar.challenger_alone),
            champion.version,
            count(mcnemar.champion_alone),
            chance(mcnemar.p_value)
        ));
    }
    if let Some(agreement) = of.predictions.agreement {
        said.push(format!("Share of requests on which they said the same: {}.", shown(agreement)));
    }
    if let Some(apart) = of.predictions.apart {
        said.push(format!("Their predictions lie {} apart, on average.", shown(apart)));
    }
    if of.predictions.classes_left_out > 0 {
        said.push(format!("{} more classes are not told of.", of.predictions.classes_left_out));
    }
    let heads = ["measure", "champion", "challenger", "difference", "verdict"];
    let title = format!("Version {} beside {}", challenger.version, champion.version);
    Some(Section { said, ..section(&title, &heads, rows) })
}

/// Which rows are compared, and how.
fn how(of: &Comparison) -> String {
    let (champion, challenger) = (count(of.rows.champion), count(of.rows.challenger));
    let labelled = (count(of.labelled.champion), count(of.labelled.challenger));
    match (of.method, of.from.zip(of.to)) {
        (Method::Paired, _) => {
            format!("On the same {champion} requests, {} of them with a label, request by request.", labelled.0)
        }
        (Method::Unpaired, Some((from, to))) => format!(
            "On what each was asked while both ran, {} to {} UTC: {champion} rows of the champion ({} with a label), {challenger} of the \
             challenger ({}).",
            time(from),
            time(to),
            labelled.0,
            labelled.1
        ),
        _ => format!(
            "On all rows, {champion} of the champion ({} with a label) and {challenger} of the challenger ({}): without times nobody knows \
             whether they were asked alike.",
            labelled.0, labelled.1
        ),
    }
}

fn measured(of: &Difference) -> Vec<String> {
    let verdict = match of.verdict {
        Verdict::Worse => "worse",
        Verdict::Better => "better",
        Verdict::AsWell => "as well",
        Verdict::TooFew => "too few rows to say",
    };
    row(words(of.measure), (figure(of.champion), figure(of.challenger)), (of.difference, of.interval), verdict)
}

fn predicted(of: &Shift) -> Vec<String> {
    let name = match (of.of, &of.class) {
        (Kind::Share, Some(class)) => format!("share predicted {class}"),
        (Kind::Share, None) => "share".to_owned(),
        (Kind::MeanScore, _) => "mean score".to_owned(),
        (Kind::MeanPrediction, _) => "mean prediction".to_owned(),
    };
    row(name, (shown(of.champion), shown(of.challenger)), (of.difference, of.interval), "")
}

fn row(
    name: String,
    (champion, challenger): (String, String),
    (difference, interval): (f64, Option<Within>),
    verdict: &str,
) -> Vec<String> {
    vec![name, champion, challenger, with_interval(difference, interval), verdict.to_owned()]
}
