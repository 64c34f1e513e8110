//! What moved it: the newest window on which the model does worse, or is estimated to, or predicts otherwise, held against rows of the
//! reference. Once for each such window and reason, and again when its labels have doubled.

use std::time::Duration;

use polars::prelude::PolarsResult;

use super::judge::label_of;
use super::{DETAILED, Watch};
use crate::model::assess::moved::moved;
use crate::model::assess::{Window, expected};
use crate::model::view::{Because, Explained, WindowResult};
use crate::performance::verdict::{Verdict, changes, verdict};

/// How often, at most.
const EVERY: Duration = Duration::from_secs(60);

/// Which window was explained, why, and how many of its rows had a label then.
pub(super) type Asked = (i64, Because, u64);

impl Watch {
    /// Explains the newest window that asks for it, not too soon after another.
    ///
    /// # Errors
    /// Never, for rows that were pushed before.
    pub(super) fn explain(&mut self, monotonic: Duration) -> PolarsResult<()> {
        let Some((end, because)) = self.to_explain() else {
            self.explained = None;
            return Ok(());
        };
        let measured = self.progress.results.get(&end).and_then(|result| result.performance.as_ref());
        let labelled = measured.map_or(0, |performance| performance.rows);
        let is_told =
            |(of, why, rows): &Asked| (*of, *why) == (end, because) && labelled < rows.saturating_mul(2).max(1);
        let told = self.explained.as_ref().is_some_and(|(asked, _)| is_told(asked));
        if told || self.explained_at.is_some_and(|at| monotonic.saturating_sub(at) < EVERY) {
            return Ok(());
        }
        self.explained_at = Some(monotonic);
        self.settle_labels()?;
        let found = self.explanation(end, because)?;
        self.explained = found.map(|found| ((end, because, labelled), found));
        Ok(())
    }

    /// The newest window that asks for it, of those whose rows are in memory. What differs from a model's own beginning is worth a look and
    /// not this one.
    fn to_explain(&self) -> Option<(i64, Because)> {
        let reference = self.reference.as_ref().filter(|reference| !reference.about.provisional)?;
        let newest = self.progress.results.iter().rev().take(DETAILED);
        let mut held = newest
            .filter(|(end, result)| !self.has_left(**end) && result.reference.as_ref() == Some(&reference.about.hash));
        held.find_map(|(end, result)| Some((*end, self.because(result)?)))
    }

    /// Why a window asks for it. What labels say goes before what is estimated.
    fn because(&self, result: &WindowResult) -> Option<Because> {
        let (reference, limits) = (self.reference.as_ref()?, self.spec.limits());
        if let Some(before) = &reference.performance {
            let all = result.performance.as_ref().map(|now| (now, changes(before, now, &limits)));
            let of_labels = all.as_ref().and_then(|(now, all)| verdict(now, all)).map(|change| change.verdict);
            match of_labels.filter(|verdict| *verdict != Verdict::Unknown) {
                Some(Verdict::Worse) => return Some(Because::Performance),
                Some(_) => return None,
                None => {}
            }
            let change = result.estimated.as_ref().and_then(|of| expected(of, before, reference.usual, &limits));
            if change.is_some_and(|change| change.verdict == Verdict::Worse) {
                return Some(Because::Estimate);
            }
        }
        let said = |name: &String| ["prediction", "score"].contains(&name.as_str());
        (result.drift == Some(true) && result.drifted.iter().any(said)).then_some(Because::Predictions)
    }

    fn explanation(&self, end: i64, because: Because) -> PolarsResult<Option<Explained>> {
        let (Some(reference), Some(result)) = (&self.reference, self.progress.results.get(&end)) else {
            return Ok(None);
        };
        let told = |moved, reason: Option<&str>| Explained {
            start: result.start,
            end: result.end,
            because,
            moved,
            reason: reason.map(str::to_owned),
        };
        let Some(kept) = &reference.kept else {
            return Ok(Some(told(None, Some("the reference is a profile, which has no rows"))));
        };
        let (frame, _) = reference.own(self.rows.range(self.from(end), end.saturating_mul(self.spec.step()))?)?;
        let label = label_of(&frame, self.latest_labels.as_ref())?;
        let mut known = self.progress.known.clone();
        if let Some(label) = &label {
            known.learn(label);
        }
        let (before, now) = (Window { frame: kept, spec: &self.spec }, Window { frame: &frame, spec: &self.spec });
        let was = before.side(kept.column("label").ok().map(|label| label.as_materialized_series().clone()));
        // Without any label what is said tells what it is.
        if known.task().is_none() {
            was.prediction.iter().for_each(|prediction| known.learn(prediction));
        }
        let Some(task) = self.spec.task.or(known.task()) else { return Ok(None) };
        let is = now.side(label);
        Ok(Some(match moved((&before, &was), (&now, &is), (&self.spec, task, &known)) {
            Ok(moved) => told(Some(moved), None),
            Err(error) => told(None, Some(&error.to_string())),
        }))
    }
}
