//! A model as people see it: its view, and the verdict over its windows.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Watch;
use crate::drift::comparison::{Finding, FindingKind};
use crate::drift::profile::tally::Tally;
use crate::model::reference::Column;
use crate::model::view::{
    BinsView, InARow, ModelView, ReferenceView, Verdict, WindowResult, WindowSummary, WindowTally,
};
use crate::quality;

impl Watch {
    /// What people see of it.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> ModelView {
        let time = |ms: i64| Timestamp::from_millisecond(ms).ok();
        let by_time = self.spec.window_rows.is_none();
        let results = self.progress.results.values().rev();
        ModelView {
            key: self.spec.key(),
            task: self.spec.task.or(self.progress.known.task()),
            registered: self.progress.registered.unwrap_or(Timestamp::UNIX_EPOCH),
            counts: self.progress.counts,
            min_rows: self.spec.min_rows,
            limits: self.spec.limits(),
            store: self.spec.store,
            not_told: self.spec.store.lost(),
            prediction: self.spec.prediction.clone(),
            favourable: self.spec.favourable.clone().or_else(|| self.spec.positive.clone()),
            rows_in_memory: self.rows.rows(),
            bytes_in_memory: self.bytes(),
            newest: self.progress.newest.and_then(time),
            watermark: self.watermark().filter(|_| by_time).and_then(time),
            reference: self.reference.as_ref().map(|reference| ReferenceView {
                about: reference.about.clone(),
                performance: reference.performance.clone(),
                not_estimated: reference.estimator.as_ref().err().cloned(),
                usually_estimated: reference.usual,
            }),
            verdict: self.verdict(),
            latest: self.progress.results.values().next_back().cloned(),
            labelled: self.labelled(),
            segments: self.progress.worst.clone(),
            versions: self.versions.clone(),
            moved: self.explained.as_ref().map(|(_, found)| found.clone()),
            windows: results.enumerate().map(|(at, result)| summary(result, at < RECENT)).collect(),
            quality: self.quality(now),
            streams: self.progress.changes.clone(),
            schema: self.findings(),
            bins: self.bins(),
            tallies: self.tallies(),
        }
    }

    /// The newest window with labels, where it is not the latest.
    fn labelled(&self) -> Option<WindowResult> {
        let (at, result) =
            self.progress.results.values().rev().enumerate().find(|(_, result)| result.performance.is_some())?;
        (at > 0).then(|| result.clone())
    }

    fn quality(&self, now: Timestamp) -> Vec<quality::Finding> {
        let registered = self.progress.registered.unwrap_or(now);
        let suspects = self.progress.intake.suspects(&self.spec, registered, self.since, now);
        let mut found = quality::judge(suspects, &self.spec.quality, &self.spec.thresholds, &quality::Own::new());
        found.extend(self.progress.results.values().next_back().into_iter().flat_map(|latest| latest.quality.clone()));
        found.sort_by_key(|finding| finding.check);
        found
    }

    fn tallies(&self) -> Vec<WindowTally> {
        let of = |(at, tally): (&i64, &Arc<Tally>)| {
            let WindowResult { start, end, .. } = self.progress.results.get(at)?;
            let arrivals = self.spec.window_rows.map(|_| [self.from(*at), at.saturating_mul(self.spec.step())]);
            Some(WindowTally { start: *start, end: *end, arrivals, tally: Arc::clone(tally) })
        };
        self.progress.tallies.iter().rev().filter_map(of).collect()
    }

    fn verdict(&self) -> Verdict {
        let why = |reason: String| Verdict { reason: Some(reason), ..Verdict::default() };
        let Some(about) = &self.progress.reference else {
            let rows = self.spec.reference_rows;
            if let Some(problem) = &self.no_profile {
                return why(format!("there is no reference: {problem}"));
            }
            return why(format!("there is no reference; the first {rows} rows become a provisional one"));
        };
        let judged = || {
            let of_reference = |result: &&WindowResult| result.reference.as_ref() == Some(&about.hash);
            self.progress.results.values().rev().filter(of_reference).filter(|result| result.drift.is_some())
        };
        let Some(latest) = judged().next() else {
            let reason = match self.progress.results.values().next_back() {
                None => "no window has closed yet".to_owned(),
                Some(window) if window.rows < self.spec.min_rows => {
                    format!("the last window has {} rows, fewer than min_rows ({})", window.rows, self.spec.min_rows)
                }
                Some(_) => "no column could be judged in the last window".to_owned(),
            };
            return Verdict { provisional: about.provisional, ..why(reason) };
        };
        let mut in_a_row = Vec::new();
        for column in &latest.drifted {
            let drifted = |result: &&WindowResult| result.drifted.contains(column);
            let windows = u32::try_from(judged().take_while(drifted).count()).unwrap_or(u32::MAX);
            in_a_row.push(InARow { column: column.clone(), windows });
        }
        let enough = in_a_row.iter().filter(|column| column.windows >= self.spec.windows_in_a_row);
        let columns: Vec<String> = enough.map(|column| column.column.clone()).collect();
        let drift = !columns.is_empty() && latest.drift == Some(true);
        Verdict { drift: Some(drift), columns, in_a_row, provisional: about.provisional, reason: None }
    }

    fn findings(&self) -> Vec<Finding> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let mut findings = Vec::new();
        let mut add = |column: &str, finding, message: &str| {
            findings.push(Finding { column: column.to_owned(), finding, message: message.to_owned() });
        };
        let schema = &self.progress.schema;
        for (name, kind) in schema.features.iter().filter(|(name, _)| !self.spec.leaves_out(name)) {
            if reference.made.is_source(name) {
                // It is, by what is made of it.
            } else if let Some(why) = reference.made.refused(name) {
                add(name, FindingKind::NotComparable, why);
            } else if self.spec.kind_of(name, *kind).is_none() {
                add(name, FindingKind::NotComparable, &format!("{} is not compared", kind.noun()));
            } else if !reference.columns.contains_key(name) {
                add(name, FindingKind::OnlyInCurrent, "the reference lacks it");
            }
        }
        if self.progress.counts.samples > 0 {
            let columns = reference.columns.keys().map(String::as_str).filter(|name| !reference.made.is_made(name));
            for name in columns.chain(reference.made.sources()) {
                let there = match name {
                    "prediction" => schema.prediction.is_some(),
                    "score" => schema.score,
                    name => schema.features.contains_key(name),
                };
                if !there {
                    add(name, FindingKind::OnlyInReference, "the samples lack it");
                }
            }
        }
        let compared: Vec<&str> =
            reference.columns.keys().chain(reference.made.clouds.keys()).map(String::as_str).collect();
        for (name, nearest) in self.spec.thresholds.unmatched(&compared) {
            let meant = nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
            let message = format!("thresholds are set for it, and no column of this name is compared{meant}");
            add(name, FindingKind::SetInVain, &message);
        }
        findings
    }

    fn bins(&self) -> Vec<BinsView> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let view = |(name, of): (&String, &Column)| BinsView {
            column: name.clone(),
            bins: of.exported.labels(),
            reference: of.counts.clone(),
            current: self.progress.bins.get(name).cloned().unwrap_or_else(|| vec![0; of.counts.len()]),
        };
        let cloud = |name: &String| BinsView {
            column: name.clone(),
            bins: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        };
        reference.columns.iter().map(view).chain(reference.made.clouds.keys().map(cloud)).collect()
    }
}

/// The windows that say how near each column came to drift.
const RECENT: usize = 60;

fn summary(result: &WindowResult, recent: bool) -> WindowSummary {
    WindowSummary {
        start: result.start,
        end: result.end,
        rows: result.rows,
        versions: result.versions.clone(),
        drift: result.drift,
        drifted: result.drifted.clone(),
        distances: if recent { result.distances.clone() } else { BTreeMap::new() },
        performance: result.performance.clone(),
        estimated: result.estimated.clone(),
    }
}
