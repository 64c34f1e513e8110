//! A model's scores and errors, value by value as they come: detectors say at once what windows say when they close. What a detector
//! finds is a sign and no verdict: none of them knows how many values chance has moved so.
//!
//! A restart begins them anew; what they found is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drift::stream::adwin::Adwin;
use crate::drift::stream::ddm::Ddm;
use crate::drift::stream::kswin::Kswin;
use crate::drift::stream::page_hinkley::PageHinkley;
use crate::drift::stream::{Signal, adwin, ddm, kswin, page_hinkley};
use crate::performance::Task;

/// A detector, with river's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// A window that is cut where its parts have other means.
    Adwin,
    /// A sum of deviations from the mean that moved by more than 50, in the values' own unit.
    PageHinkley,
    /// An error rate three standard deviations above its least; of errors of classes alone.
    Ddm,
    /// The last 30 values against the 70 before: finds some where nothing changes.
    Kswin,
}

/// What comes value by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Samples' scores, as they come.
    Score,
    /// Errors, as labels come.
    Error,
}

impl Detector {
    /// As the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adwin => "adwin",
            Self::PageHinkley => "page_hinkley",
            Self::Ddm => "ddm",
            Self::Kswin => "kswin",
        }
    }
}

impl Stream {
    /// As the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Error => "error",
        }
    }
}

/// What a detector has found in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// Values it has seen.
    pub values: u64,
    /// Changes it found.
    pub changes: u64,
    /// When it found the last.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub last: Option<Timestamp>,
}

/// What all have found, by stream and detector.
pub type Changes = BTreeMap<Stream, BTreeMap<Detector, Found>>;

#[derive(Debug)]
enum State {
    Adwin(Adwin),
    PageHinkley(PageHinkley),
    Ddm(Ddm),
    Kswin(Option<Box<Kswin>>),
}

impl State {
    fn new(detector: Detector) -> Self {
        match detector {
            Detector::Adwin => Self::Adwin(Adwin::new(adwin::Parameters::default())),
            Detector::PageHinkley => Self::PageHinkley(PageHinkley::new(page_hinkley::Parameters::default())),
            Detector::Ddm => Self::Ddm(Ddm::new(ddm::Parameters::default())),
            Detector::Kswin => Self::Kswin(Kswin::new(kswin::Parameters::default()).map(Box::new)),
        }
    }

    fn update(&mut self, value: f64) -> Signal {
        match self {
            Self::Adwin(of) => of.update(value),
            Self::PageHinkley(of) => of.update(value),
            // Of a score the error is how far it lies from the label: beyond one half it is the other class.
            Self::Ddm(of) => of.update(value > 0.5),
            Self::Kswin(of) => of.as_mut().map_or(Signal::Stable, |of| of.update(value)),
        }
    }
}

/// The detectors of a model.
#[derive(Debug, Default)]
pub struct Streams {
    states: BTreeMap<(Stream, Detector), State>,
}

impl Streams {
    /// Takes values in, in the order in which they came. `task` says what errors are of.
    pub fn take(
        &mut self,
        stream: Stream,
        values: &[f64],
        (detectors, task): (&[Detector], Option<Task>),
        changes: &mut Changes,
        now: Timestamp,
    ) {
        self.states.retain(|(_, detector), _| detectors.contains(detector));
        for detector in detectors.iter().copied() {
            let of_classes = stream == Stream::Error && task == Some(Task::Classification);
            if values.is_empty() || (detector == Detector::Ddm && !of_classes) {
                continue;
            }
            let state = self.states.entry((stream, detector)).or_insert_with(|| State::new(detector));
            let found = changes.entry(stream).or_default().entry(detector).or_default();
            for value in values {
                found.values = found.values.saturating_add(1);
                if state.update(*value) == Signal::Drift {
                    found.changes = found.changes.saturating_add(1);
                    found.last = Some(now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mersenne::Mersenne;

    const ALL: [Detector; 4] = [Detector::Adwin, Detector::PageHinkley, Detector::Ddm, Detector::Kswin];

    /// Errors of which so many of a hundred are wrong.
    fn errors(random: &mut Mersenne, count: usize, wrong: u32) -> Vec<f64> {
        (0..count).map(|_| f64::from(u8::from(random.below(100) < wrong))).collect()
    }

    #[test]
    fn a_rate_that_doubles_is_found_and_a_steady_one_is_not() {
        let (mut streams, mut changes, mut random) = (Streams::default(), Changes::default(), Mersenne::new(1));
        let now = Timestamp::UNIX_EPOCH;
        let mut take = |values: &[f64], changes: &mut Changes| {
            streams.take(Stream::Error, values, (&ALL, Some(Task::Classification)), changes, now);
        };
        take(&errors(&mut random, 3000, 10), &mut changes);
        let of = |changes: &Changes, detector| changes[&Stream::Error][&detector];
        for detector in [Detector::Adwin, Detector::PageHinkley, Detector::Ddm] {
            assert_eq!((of(&changes, detector).changes, of(&changes, detector).values), (0, 3000), "{detector:?}");
        }
        take(&errors(&mut random, 2000, 70), &mut changes);
        for detector in ALL {
            assert!(of(&changes, detector).changes > 0 && of(&changes, detector).last == Some(now), "{detector:?}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_run() {
        let (mut streams, mut changes) = (Streams::default(), Changes::default());
        let scores: Vec<f64> = (0..200).map(|i| f64::from(i % 10) / 10.0).collect();
        let asked = |detectors, changes: &mut Changes, streams: &mut Streams| {
            streams.take(
                Stream::Score,
                &scores,
                (detectors, Some(Task::Classification)),
                changes,
                Timestamp::UNIX_EPOCH,
            );
        };
        asked(&[Detector::Adwin, Detector::Ddm], &mut changes, &mut streams);
        assert_eq!(changes[&Stream::Score].keys().collect::<Vec<_>>(), [&Detector::Adwin], "DDM is for errors");
        asked(&[], &mut changes, &mut streams);
        assert!(streams.states.is_empty());
        assert_eq!(changes[&Stream::Score][&Detector::Adwin].values, 200, "what was found is kept");
        for detector in ALL {
            assert_eq!(serde_json::to_value(detector).expect("a name"), detector.name());
        }
    }
}
