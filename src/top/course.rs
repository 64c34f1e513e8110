//! What counters did over the last minute: samples of models, throttled periods of containers. An agent gives them since their beginning.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::answers::Answers;

/// How far back a rate looks.
const SPAN: Duration = Duration::from_secs(60);
/// Answers that are kept for it, whatever the interval.
const KEPT: usize = 64;

/// Of one time.
#[derive(Debug, Clone, Default)]
struct Counts {
    at: Duration,
    /// Samples by model.
    samples: BTreeMap<(Option<String>, String), u64>,
    /// Periods and throttled ones by container.
    periods: BTreeMap<String, (f64, f64)>,
}

/// Counters over the last minute.
#[derive(Debug, Clone, Default)]
pub struct Course {
    times: VecDeque<Counts>,
}

impl Course {
    /// Takes in what was answered at a time, by any clock that never goes back.
    pub fn take(&mut self, answers: &Answers, at: Duration) {
        let models = answers.models.iter().flat_map(|models| &models.models);
        let containers = answers.node.iter().flat_map(|node| &node.containers);
        self.times.push_back(Counts {
            at,
            samples: models
                .map(|model| {
                    let all = model.counts.samples.saturating_add(model.counts.sampled_out);
                    ((model.namespace.clone(), model.name.clone()), all)
                })
                .collect(),
            periods: containers
                .filter_map(|c| Some((c.id.clone(), c.cpu.periods.zip(c.cpu.throttled_periods)?)))
                .collect(),
        });
        while self.times.len() > KEPT || self.times.front().is_some_and(|first| at.saturating_sub(first.at) > SPAN) {
            self.times.pop_front();
        }
    }

    /// Samples a second of a model; `None` where it has not been watched, or its counter began anew.
    #[must_use]
    pub fn samples_per_second(&self, namespace: Option<&str>, name: &str) -> Option<f64> {
        let key = (namespace.map(str::to_owned), name.to_owned());
        let mut seen = self.times.iter().filter_map(|counts| Some((counts.at, *counts.samples.get(&key)?)));
        let (first, last) = (seen.next()?, seen.next_back()?);
        let seconds = last.0.saturating_sub(first.0).as_secs_f64();
        let more = last.1.checked_sub(first.1)?;
        (seconds > 0.0).then(|| more as f64 / seconds)
    }

    /// The share of periods in which containers were throttled, together; `None` where none ran in any.
    #[must_use]
    pub fn throttled<'a>(&self, containers: impl Iterator<Item = &'a str>) -> Option<f64> {
        let (mut periods, mut throttled) = (0.0, 0.0);
        for id in containers {
            let mut seen = self.times.iter().filter_map(|counts| counts.periods.get(id));
            if let (Some(first), Some(last)) = (seen.next(), seen.next_back())
                && last.0 >= first.0
                && last.1 >= first.1
            {
                periods += last.0 - first.0;
                throttled += last.1 - first.1;
            }
        }
        (periods > 0.0).then(|| (throttled / periods).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(samples: u64, periods: f64, throttled: f64) -> Answers {
        let node = serde_json::json!({ "as_of": "2026-11-27T12:00:00Z", "node": "n", "containers": [
            { "id": "a", "name": "a", "cpu": { "periods": periods, "throttled_periods": throttled } }] });
        let models = serde_json::json!({ "models": [{ "name": "m", "counts": { "samples": samples } }] });
        Answers {
            node: serde_json::from_value(node).expect("a node"),
            models: serde_json::from_value(models).expect("models"),
            ..Answers::default()
        }
    }

    #[test]
    fn a_rate_is_over_the_last_minute() {
        let mut course = Course::default();
        assert_eq!(course.samples_per_second(None, "m"), None);
        course.take(&answers(100, 1000.0, 10.0), Duration::from_secs(0));
        assert_eq!((course.samples_per_second(None, "m"), course.throttled(["a"].into_iter())), (None, None));
        course.take(&answers(130, 1100.0, 35.0), Duration::from_secs(10));
        assert_eq!(course.samples_per_second(None, "m"), Some(3.0));
        assert_eq!(course.throttled(["a", "unknown"].into_iter()), Some(0.25));
        // What is older than a minute has no part in it.
        course.take(&answers(190, 1200.0, 35.0), Duration::from_secs(70));
        assert_eq!(course.samples_per_second(None, "m"), Some(1.0));
        assert_eq!(course.throttled(["a"].into_iter()), Some(0.0));
        // An agent that began anew.
        course.take(&answers(5, 1.0, 0.0), Duration::from_secs(72));
        assert_eq!((course.samples_per_second(None, "m"), course.throttled(["a"].into_iter())), (None, None));
        for second in 0..1000 {
            course.take(&answers(5, 1.0, 0.0), Duration::from_millis(73_000 + second));
        }
        assert!(course.times.len() <= KEPT);
    }
}
