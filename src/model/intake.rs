//! What came of late, and how: rows refused for a value of another type, ids that were there before, and whether anything comes at all.
//! It is told by when rows came, not by their own time: of a window whose rows are all refused there is no other sign.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Spec;
use crate::quality::{Check, Detail, Rules, Suspect};

/// A window's length is told in so many parts.
const PARTS: i32 = 20;
/// Columns of refused values, at most; those of others count as no column's.
const COLUMNS: usize = 200;
/// Pauses remembered, and for how long.
const PAUSES: usize = 100;
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Fewer pauses are no rhythm.
const RHYTHM: usize = 3;
/// In its first week a model's rhythm is not known yet, and a night is no reason to be stale.
const FIRST: SignedDuration = SignedDuration::from_hours(7 * 24);
const NIGHT: Duration = Duration::from_secs(36 * 3600);

/// Rows of late, by when they came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Intake {
    parts: VecDeque<Part>,
    /// When a sample last came.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    last: Option<Timestamp>,
    /// The pauses that were longer than some windows: when each ended, and how long it was in seconds.
    #[cfg_attr(test, schemars(with = "VecDeque<(String, f64)>"))]
    pauses: VecDeque<(Timestamp, f64)>,
}

/// What came within a part of a window's length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Part {
    #[cfg_attr(test, schemars(with = "String"))]
    begun: Timestamp,
    taken: u64,
    repeated: u64,
    refused: u64,
    by_column: BTreeMap<String, u64>,
}

impl Intake {
    /// Rows were taken in, of which some had come before.
    pub fn take(&mut self, rows: u64, repeated: u64, spec: &Spec, now: Timestamp) {
        if let Some(last) = self.last {
            let pause = now.duration_since(last);
            if pause.unsigned_abs() > some_windows(spec) && pause.is_positive() {
                self.pauses.push_back((now, pause.as_secs_f64()));
            }
        }
        while self.pauses.len() > PAUSES
            || self.pauses.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBERED)
        {
            self.pauses.pop_front();
        }
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
        let part = self.part(spec, now);
        part.taken = part.taken.saturating_add(rows);
        part.repeated = part.repeated.saturating_add(repeated);
    }

    /// Rows were refused, for a value of another type in these columns; a row may have several.
    pub fn refuse(&mut self, rows: u64, columns: BTreeMap<String, u64>, spec: &Spec, now: Timestamp) {
        let part = self.part(spec, now);
        part.refused = part.refused.saturating_add(rows);
        for (name, rows) in columns {
            if part.by_column.len() < COLUMNS || part.by_column.contains_key(&name) {
                let known = part.by_column.entry(name).or_default();
                *known = known.saturating_add(rows);
            }
        }
    }

    /// The part that is open; those that are longer ago than a window are forgotten.
    fn part(&mut self, spec: &Spec, now: Timestamp) -> &mut Part {
        let length = SignedDuration::try_from(spec.window).unwrap_or(SignedDuration::MAX);
        while self.parts.front().is_some_and(|part| now.duration_since(part.begun) > length) {
            self.parts.pop_front();
        }
        let open = self
            .parts
            .back()
            .is_some_and(|part| now.duration_since(part.begun) < length.checked_div(PARTS).unwrap_or(length));
        if !open {
            let (taken, repeated, refused, by_column) = Default::default();
            self.parts.push_back(Part { begun: now, taken, repeated, refused, by_column });
        }
        let at = self.parts.len().saturating_sub(1);
        &mut self.parts[at]
    }

    /// What is to be said of it now. Nobody listened before `since`.
    #[must_use]
    pub fn suspects(&self, spec: &Spec, registered: Timestamp, since: Timestamp, now: Timestamp) -> Vec<Suspect> {
        let length = SignedDuration::try_from(spec.window).unwrap_or(SignedDuration::MAX);
        let parts = || self.parts.iter().filter(|part| now.duration_since(part.begun) <= length);
        let sum = |of: fn(&Part) -> u64| parts().map(of).fold(0_u64, u64::saturating_add);
        let (taken, repeated, refused) = (sum(|part| part.taken), sum(|part| part.repeated), sum(|part| part.refused));
        let mut found = Vec::new();
        let mut add = |check, columns, value, detail| {
            found.push(Suspect { check, columns, value, p_value: None, detail });
        };
        let all = taken.saturating_add(refused);
        let mut by_column: BTreeMap<&String, u64> = BTreeMap::new();
        for (name, rows) in parts().flat_map(|part| &part.by_column) {
            let known = by_column.entry(name).or_default();
            *known = known.saturating_add(*rows);
        }
        for (name, rows) in by_column {
            let detail = Detail::WrongType { rows, of: all };
            add(Check::WrongType, vec![name.clone()], rows as f64 / all.max(1) as f64, detail);
        }
        // A small body that is sent again is no fault.
        if taken >= spec.min_rows {
            let detail = Detail::Ids { rows: repeated, of: taken };
            add(Check::DuplicatedIds, Vec::new(), repeated as f64 / taken as f64, detail);
        }
        if let Some(last) = self.last {
            let silent = now.duration_since(last.max(since));
            let patience = self.patience(spec, now.duration_since(registered));
            if silent.is_positive() && silent.unsigned_abs() > patience {
                let seconds = silent.as_secs_f64();
                add(Check::Staleness, Vec::new(), seconds, Detail::Stale { seconds });
            }
        }
        found
    }

    /// For how long nothing may come.
    fn patience(&self, spec: &Spec, known_for: SignedDuration) -> Duration {
        let Rules { stale_after, .. } = spec.quality;
        if let Some(given) = stale_after {
            return given;
        }
        let mut pauses: Vec<f64> = self.pauses.iter().map(|(_, seconds)| *seconds).collect();
        pauses.sort_by(f64::total_cmp);
        // The longest but one: a weekend comes again, an outage does not.
        let usual = pauses.iter().rev().nth(1).filter(|_| pauses.len() >= RHYTHM);
        let twice =
            usual.map_or(Duration::ZERO, |seconds| Duration::try_from_secs_f64(seconds * 2.0).unwrap_or(Duration::MAX));
        let first = if known_for < FIRST { NIGHT } else { Duration::ZERO };
        some_windows(spec).max(twice).max(first)
    }
}

/// A pause that is no longer is none.
fn some_windows(spec: &Spec) -> Duration {
    spec.window.saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::verdict::Thresholds;
    use crate::quality::{Own, judge};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    fn found(intake: &Intake, spec: &Spec, now: i64) -> Vec<String> {
        let suspects = intake.suspects(spec, at(0), at(0), at(now));
        let findings = judge(suspects, &spec.quality, &Thresholds::default(), &Own::new());
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_is_refused_is_told_for_as_long_as_a_window() {
        let (spec, mut intake) = (Spec { min_rows: 10, ..Spec::new("m") }, Intake::default());
        intake.take(90, 1, &spec, at(0));
        assert_eq!(found(&intake, &spec, 0), Vec::<String>::new(), "one id in a hundred is sent again");
        intake.refuse(10, [("age".to_owned(), 10)].into(), &spec, at(60));
        assert_eq!(found(&intake, &spec, 60), ["age: 10 of 100 rows refused: the value is of another type"]);
        assert_eq!(found(&intake, &spec, 3661), Vec::<String>::new());
        intake.take(10, 9, &spec, at(3700));
        assert_eq!(found(&intake, &spec, 3700), ["9 of 10 rows have an id that was there before"]);
        assert_eq!(intake.parts.len(), 1, "what is long ago is forgotten");
    }

    #[test]
    fn it_is_stale_when_the_pause_is_longer_than_usual() {
        const HOUR: i64 = 3600;
        let (spec, mut intake) = (Spec::new("m"), Intake::default());
        intake.take(10, 0, &spec, at(0));
        assert_eq!(found(&intake, &spec, 35 * HOUR), Vec::<String>::new(), "in its first week nobody knows");
        assert_eq!(found(&intake, &spec, 40 * HOUR), ["no sample for 40 h"]);
        let given = Spec {
            quality: Rules { stale_after: Some(Duration::from_secs(60)), ..Rules::default() },
            ..Spec::new("m")
        };
        assert_eq!(found(&intake, &given, 61), ["no sample for 61 s"]);
        // A batch each night for ten nights.
        for night in 1..=10 {
            intake.take(10, 0, &spec, at(night * 24 * HOUR));
        }
        let last = 240 * HOUR;
        assert_eq!(found(&intake, &spec, last + 47 * HOUR), Vec::<String>::new());
        assert_eq!(found(&intake, &spec, last + 49 * HOUR), ["no sample for 2 d"]);
        // All the time for ten days, with one outage.
        let mut steady = Intake::default();
        for hour in (0..240).filter(|hour| !(100..150).contains(hour)) {
            steady.take(10, 0, &spec, at(hour * HOUR));
        }
        assert_eq!(found(&steady, &spec, last + HOUR), Vec::<String>::new());
        assert_eq!(found(&steady, &spec, last + 3 * HOUR), ["no sample for 4 h"]);
        let listened_again = steady.suspects(&spec, at(0), at(last + 2 * HOUR), at(last + 3 * HOUR));
        assert!(listened_again.iter().all(|suspect| suspect.check != Check::Staleness), "nobody listened");
    }
}
