//! Versions of the model side by side: rows brought to `versions`.

use polars::prelude::Series;

use super::Side;
use crate::model::Spec;
use crate::performance::verdict::Limits;
use crate::performance::{Labels, Task};
use crate::segment::coded::Coded;
use crate::versions::{Looks, Rows, Settings, Versions, compare};

/// Whose rows they are, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which version answered.
    pub version: &'a Coded,
    /// What names the request; none or an empty list where nothing does.
    pub request: &'a [Option<u128>],
    /// When it was, in milliseconds, where all rows say.
    pub at: Option<&'a [i64]>,
}

/// What each version does, and how the challengers stand beside the champion. `None` with fewer than two versions, and where rows say nothing.
#[must_use]
pub fn compared(
    asked: &Asked<'_>,
    side: &Side,
    (spec, task, known): (&Spec, Option<Task>, &Labels),
    (champion, looks): (Option<&str>, Looks<'_>),
) -> Option<Versions> {
    // Without labels what is said tells what it is.
    let (known, task) = task.map_or_else(|| of_predictions(side), |task| (known.clone(), Some(task)));
    let said = side.prediction.as_ref().or(side.score.as_ref()).or(side.beside.scores.first().map(|(_, of)| of))?;
    let empty = Series::full_null(spec.label.as_str().into(), said.len(), said.dtype());
    let label = side.label.as_ref().unwrap_or(&empty);
    let rows = Rows {
        version: asked.version,
        request: asked.request,
        at: asked.at,
        columns: side.beside.columns(label, side.prediction.as_ref(), side.score.as_ref()),
    };
    let limits = Limits { significance: looks.significance(), ..spec.limits() };
    compare(&rows, &spec.measured(task?, &known), &Settings { champion, limits, looks })
}

/// The task that predictions speak of, where no label does: scores are a classifier's.
fn of_predictions(side: &Side) -> (Labels, Option<Task>) {
    let mut known = Labels::default();
    if let Some(prediction) = &side.prediction {
        known.learn(prediction);
    }
    let scores = side.score.is_some() || !side.beside.scores.is_empty();
    let task = known.task().or(scores.then_some(Task::Classification));
    (known, task)
}

/// What is left out of a comparison, or stands in it for want of what was named: a sentence each.
#[must_use]
pub fn notes(found: &Versions) -> Vec<String> {
    let grouped = crate::units::grouped;
    let mut said = Vec::new();
    if let Some(champion) = &found.champion_missing {
        let instead = found.versions.first().map_or("", |version| version.version.as_str());
        said.push(format!("No row is of version {champion}, the champion: {instead} stands in its place."));
    }
    if found.others.versions > 0 {
        let (versions, rows) = (grouped(found.others.versions), grouped(found.others.rows));
        said.push(format!("{versions} more versions with {rows} rows together are not told of one by one."));
    }
    if found.without_version > 0 {
        said.push(format!("{} rows say no version.", grouped(found.without_version)));
    }
    said
}
