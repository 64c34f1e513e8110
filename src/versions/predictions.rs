//! What two versions said, whatever is true: a shadow has no labels at first.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Method;
use crate::performance::figure::Figure;
use crate::performance::influence::Influences;
use crate::performance::interval::{self, LEVEL, Spread, Within};
use crate::performance::{Columns, Task, Wanted, numbers};
use crate::stats::paired::Discordant;

/// Classes whose shares are told; of two it is the positive one's.
const CLASSES: usize = 10;

/// What both said on the rows that are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Predictions {
    /// Shares and means of what they said, side by side.
    pub shifts: Vec<Shift>,
    /// Classes that there is no room for.
    pub classes_left_out: u64,
    /// On the same requests the share of those that both said the same class of.
    pub agreement: Option<Figure>,
    /// On the same requests how far apart the amounts are, on average.
    pub apart: Option<Figure>,
}

/// What a shift is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The share of rows that a class is predicted of.
    Share,
    /// The mean score.
    MeanScore,
    /// The mean prediction.
    MeanPrediction,
}

/// One figure of what both said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shift {
    /// What it is of.
    pub of: Kind,
    /// Of which class.
    pub class: Option<String>,
    /// The champion's.
    pub champion: Figure,
    /// The challenger's.
    pub challenger: Figure,
    /// The second less the first.
    pub difference: f64,
    /// Where that may lie, at 95 %.
    pub interval: Option<Within>,
}

/// Compares what the champion's columns and the challenger's say.
#[must_use]
pub fn compare(columns: &[Columns<'_>; 2], wanted: &Wanted<'_>, method: Method) -> Predictions {
    let paired = method == Method::Paired;
    let mut found = Predictions::default();
    if wanted.task == Task::Regression {
        let [before, now] = columns.each_ref().map(|of| of.prediction.or(of.score).map_or_else(Vec::new, numbers));
        found.shifts.extend(means(Kind::MeanPrediction, (&before, &now), paired));
        if paired {
            let apart: Spread = both(&before, &now).map(|(before, now)| (now - before).abs()).collect();
            found.apart =
                apart.mean().map(|mean| Figure::new(mean, interval::positive(mean, apart.of_mean(), apart.count())));
        }
        return found;
    }
    let sides = columns.each_ref().map(|columns| Influences::of(columns, wanted));
    let [before, now] = sides.each_ref().map(|side| side.predicted().unwrap_or_default());
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for class in before.iter().chain(&now).flatten() {
        *counts.entry(class).or_default() += 1;
    }
    let positive = sides.each_ref().map(Influences::positive);
    let mut classes: Vec<&str> = match positive {
        [Some(one), Some(other)] if one == other => vec![one],
        _ => counts.keys().copied().collect(),
    };
    classes.sort_by_key(|class| std::cmp::Reverse(counts.get(class).copied().unwrap_or_default()));
    found.classes_left_out = classes.len().saturating_sub(CLASSES) as u64;
    classes.truncate(CLASSES);
    classes.sort_unstable();
    found.shifts.extend(classes.into_iter().filter_map(|class| share(class, (&before, &now), paired)));
    let [before_scores, now_scores] = columns.each_ref().map(|of| of.score.map_or_else(Vec::new, numbers));
    found.shifts.extend(means(Kind::MeanScore, (&before_scores, &now_scores), paired));
    if paired {
        let (mut same, mut all) = (0, 0);
        for (before, now) in both(&before, &now) {
            same += u64::from(before == now);
            all += 1;
        }
        found.agreement = Some(Figure::share(same, all)).filter(|_| all > 0);
    }
    found
}

/// Rows of which both sides know something.
fn both<'a, T: Copy>(before: &'a [Option<T>], now: &'a [Option<T>]) -> impl Iterator<Item = (T, T)> + 'a {
    before.iter().zip(now).filter_map(|(before, now)| Some(((*before)?, (*now)?)))
}

/// How often either said this class.
fn share(class: &str, (before, now): (&[Option<&str>], &[Option<&str>]), paired: bool) -> Option<Shift> {
    let figure = |of: &[Option<&str>]| {
        let said = of.iter().flatten();
        Figure::share(said.clone().filter(|said| **said == class).count() as u64, said.count() as u64)
    };
    let (champion, challenger) = (figure(before), figure(now));
    let difference = challenger.value? - champion.value?;
    let interval = if paired {
        let of = Discordant::of(both(before, now).map(|(before, now)| (now == class, before == class)));
        of.difference(1.0 - LEVEL).map(|of| Within { low: of.low, high: of.high })
    } else {
        Some(interval::difference((champion.value?, champion.interval?), (challenger.value?, challenger.interval?)))
    };
    Some(Shift { of: Kind::Share, class: Some(class.to_owned()), champion, challenger, difference, interval })
}

/// The mean of either's numbers.
fn means(of: Kind, (before, now): (&[Option<f64>], &[Option<f64>]), paired: bool) -> Option<Shift> {
    let spread = |of: &[Option<f64>]| of.iter().flatten().copied().collect::<Spread>();
    let (one, other) = (spread(before), spread(now));
    let difference = other.mean()? - one.mean()?;
    let interval = if paired {
        both(before, now).map(|(before, now)| now - before).collect::<Spread>().interval()
    } else {
        let sides = one.interval().zip(other.interval());
        sides.and_then(|(was, is)| Some(interval::difference((one.mean()?, was), (other.mean()?, is))))
    };
    let figure = |of: &Spread| Figure { value: of.mean(), interval: of.interval() };
    Some(Shift { of, class: None, champion: figure(&one), challenger: figure(&other), difference, interval })
}
