//! Views of the models -> a row for each model and minute, and the traffic of the last hours.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::signals::read;
use super::view::{ModelView, ModelsView};
use crate::frame::model::ModelRow;
use crate::identity::ModelKey;
use crate::metric::Number;
use crate::minute::{Accumulator, Reading, Summary};
use crate::signal::model::{Model, id};
use crate::signal::{Part, Signals, Values};

/// Minutes of traffic that are held for the page.
const MINUTES: usize = 120;

/// Every model's counts as last seen.
#[derive(Debug)]
pub struct Traffic {
    /// Since when somebody looks.
    since: Timestamp,
    /// The open minute, in minutes since the epoch.
    minute: Option<i64>,
    models: BTreeMap<ModelKey, Open>,
    recent: Arc<Recent>,
}

/// Samples that arrived in each of the last minutes, oldest first, by model.
pub type Recent = BTreeMap<ModelKey, Vec<u64>>;

/// A model's open minute, and the traffic of those before it.
#[derive(Debug)]
struct Open {
    minute: Accumulator<Model>,
    minutes: VecDeque<u64>,
}

impl Open {
    /// Takes in what is known of the model now.
    fn count(&mut self, model: &ModelView) -> Values<Model> {
        let signals = Signals { values: read(model), items: Vec::new() };
        self.minute.count(&Reading {
            at: Duration::ZERO,
            started: Some(model.registered),
            full: true,
            signals: &signals,
        });
        signals.values
    }
}

impl Traffic {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(since: Timestamp) -> Self {
        Self { since, minute: None, models: BTreeMap::new(), recent: Arc::default() }
    }

    /// Closes the minute that is over, if one is. Returns its rows.
    pub fn step(&mut self, node: &str, view: &ModelsView, now: Timestamp) -> Vec<ModelRow> {
        let minute = now.as_second().div_euclid(60);
        let closing = self.minute.filter(|open| *open != minute);
        if closing.is_none() {
            self.meet(view);
        }
        self.minute = Some(minute);
        closing.map_or_else(Vec::new, |open| self.close(node, view, open))
    }

    /// Closes the open minute, as at the end. Returns its rows.
    pub fn finish(&mut self, node: &str, view: &ModelsView) -> Vec<ModelRow> {
        self.minute.take().map_or_else(Vec::new, |open| self.close(node, view, open))
    }

    /// Notes the counts of models that are seen for the first time. One that began before we looked has counted before.
    fn meet(&mut self, view: &ModelsView) {
        for model in &view.models {
            if !self.models.contains_key(&model.key) {
                let minute = Accumulator::new(model.registered >= self.since);
                let mut met = Open { minute, minutes: VecDeque::new() };
                met.count(model);
                self.models.insert(model.key.clone(), met);
            }
        }
    }

    fn close(&mut self, node: &str, view: &ModelsView, open: i64) -> Vec<ModelRow> {
        let Ok(minute) = Timestamp::from_second(open * 60) else { return Vec::new() };
        self.meet(view);
        let mut rows = Vec::new();
        for model in &view.models {
            let Some(open) = self.models.get_mut(&model.key) else { continue };
            let last = open.count(model);
            let Some(summary) = open.minute.close(&last) else { continue };
            open.minutes.push_back(arrived(&summary));
            if open.minutes.len() > MINUTES {
                open.minutes.pop_front();
            }
            rows.push(row(node, model, minute, summary));
        }
        self.models.retain(|key, _| view.models.iter().any(|model| model.key == *key));
        let minutes = |open: &Open| open.minutes.iter().copied().collect();
        self.recent = Arc::new(self.models.iter().map(|(key, open)| (key.clone(), minutes(open))).collect());
        rows
    }

    /// The traffic of the minutes that have closed.
    #[must_use]
    pub fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }
}

/// The samples that arrived in a minute.
fn arrived(minute: &Summary) -> u64 {
    match minute.cell(const { id("predictions") }.column(Part::Increase)) {
        Some(Number::Int(count)) => count,
        _ => 0,
    }
}

fn row(node: &str, model: &ModelView, minute: Timestamp, summary: Summary) -> ModelRow {
    let drifted = model.verdict.columns.join(" ");
    ModelRow {
        minute,
        node: node.to_owned(),
        key: model.key.clone(),
        versions: model.latest.as_ref().map(|window| window.versions.clone()).unwrap_or_default(),
        drifted: (!drifted.is_empty()).then_some(drifted),
        measure: model.leading().map(|leading| leading.measure.to_owned()),
        summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Spec;
    use crate::model::watch::{Progress, Watch};

    fn model(key: &ModelKey, registered: i64, samples: u64) -> ModelView {
        let at = Timestamp::from_second(registered).expect("a time");
        let mut model = Watch::new(Spec::of(key), 10, Progress::default(), at).view(at);
        model.counts.samples = samples;
        model
    }

    fn view(registered: i64, samples: u64) -> ModelsView {
        ModelsView { models: vec![model(&ModelKey::named("m"), registered, samples)], ..ModelsView::default() }
    }

    #[test]
    fn a_minute_has_what_arrived_in_it() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut traffic = Traffic::new(at(1000));
        // Known before we looked: what it counted then is not of this minute.
        assert_eq!(traffic.step("n", &view(500, 70), at(1001)), []);
        let rows = traffic.step("n", &view(500, 75), at(1021));
        assert_eq!(
            rows.iter().map(|row| (row.minute.as_second(), arrived(&row.summary))).collect::<Vec<_>>(),
            [(960, 5)]
        );
        assert_eq!(traffic.step("n", &view(500, 79), at(1030)), []);
        assert_eq!(arrived(&traffic.step("n", &view(500, 80), at(1080))[0].summary), 5);
        // One that began under our eyes counts from zero.
        let mut traffic = Traffic::new(at(1000));
        traffic.step("n", &ModelsView::default(), at(1001));
        assert_eq!(arrived(&traffic.step("n", &view(1010, 9), at(1021))[0].summary), 9);
        // One that was removed and came again counts anew.
        assert_eq!(arrived(&traffic.step("n", &view(1030, 4), at(1081))[0].summary), 4);
        assert_eq!(traffic.recent()[&ModelKey::named("m")], [9, 4]);
    }

    #[test]
    fn namesakes_are_counted_apart() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let keys = [ModelKey::named("m"), ModelKey::within("ml", "m"), ModelKey::within("shop", "m")];
        let mut traffic = Traffic::new(at(1000));
        traffic.step("n", &ModelsView::default(), at(1001));
        let models = keys.iter().zip(1..).map(|(key, samples)| model(key, 1010, samples)).collect();
        let rows = traffic.step("n", &ModelsView { models, ..ModelsView::default() }, at(1021));
        let told: Vec<_> = rows.iter().map(|row| (row.key.clone(), arrived(&row.summary))).collect();
        assert_eq!(told, keys.into_iter().zip(1..).collect::<Vec<_>>());
    }
}
