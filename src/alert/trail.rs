//! A counter's last values, and by how much it grew over a time.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::view::moved;

/// The values of one series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    values: VecDeque<(Timestamp, f64)>,
    /// What had been counted when the counter last began anew, summed up.
    before: f64,
    last: Option<(Option<Timestamp>, f64)>,
}

impl Trail {
    /// Takes the counter's value in. `from_zero`: the series began under our eyes, so that all it counts is new.
    pub fn push(&mut self, at: Timestamp, value: f64, start: Option<Timestamp>, from_zero: bool, over: Duration) {
        match self.last {
            // A later start is a new run: its count is added to what the run before had.
            Some((before, last)) if value < last || start > before => self.before += last,
            Some(_) => {}
            None => {
                if from_zero {
                    self.values.push_back((start.unwrap_or(at).min(at), 0.0));
                } else {
                    self.before = -value;
                }
            }
        }
        self.last = Some((start, value));
        self.values.push_back((at, self.before + value));
        let begins = at.checked_sub(over).unwrap_or(Timestamp::MIN);
        // The last value from before the window is what its increase is counted from.
        while self.values.len() > 1 && self.values[1].0 <= begins {
            self.values.pop_front();
        }
    }

    /// What is kept over a restart: the beginning of the window and its end.
    pub fn kept(&self) -> Self {
        let ends = [self.values.front(), self.values.back()];
        Self { values: ends.into_iter().flatten().copied().collect(), ..self.clone() }
    }

    /// Moves it to a clock that is so much ahead. Starts are by the clock of their own time, and stay.
    pub fn shift(&mut self, by: SignedDuration) {
        for (at, _) in &mut self.values {
            *at = moved(*at, by);
        }
    }

    /// By how much it grew within the time.
    pub fn increase(&self) -> Option<f64> {
        let (first, last) = (self.values.front()?, self.values.back()?);
        (self.values.len() > 1).then(|| (last.1 - first.1).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_increase_survives_a_restart_and_forgets_what_is_long_ago() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let over = Duration::from_secs(60);
        let mut trail = Trail::default();
        trail.push(at(0), 100.0, Some(at(-50)), false, over);
        assert_eq!(trail.increase(), None);
        trail.push(at(10), 103.0, Some(at(-50)), false, over);
        assert_eq!(trail.increase(), Some(3.0));
        // A new run, whose count may even be higher.
        trail.push(at(20), 200.0, Some(at(15)), false, over);
        assert_eq!(trail.increase(), Some(203.0));
        for second in [30, 40, 50, 60, 70, 80, 90] {
            trail.push(at(second), 200.0, Some(at(15)), false, over);
        }
        assert_eq!(trail.increase(), Some(0.0));
        assert!(trail.values.len() <= 8);
        let mut new = Trail::default();
        new.push(at(100), 1.0, Some(at(99)), true, over);
        assert_eq!(new.increase(), Some(1.0), "it began under our eyes");
    }

    fn trail(values: &[(i64, f64)]) -> Trail {
        let mut trail = Trail::default();
        push(&mut trail, values);
        trail
    }

    fn push(trail: &mut Trail, values: &[(i64, f64)]) {
        for (second, value) in values {
            let at = Timestamp::from_second(*second).expect("a time");
            trail.push(at, *value, None, false, Duration::from_secs(60));
        }
    }

    #[test]
    fn a_counter_that_falls_began_anew_whatever_its_start() {
        assert_eq!(trail(&[(0, 5.0), (10, 7.0), (20, 2.0)]).increase(), Some(4.0));
    }

    #[test]
    fn the_increase_is_from_the_last_value_before_the_window() {
        assert_eq!(trail(&[(0, 1.0), (10, 2.0), (70, 2.0)]).increase(), Some(0.0), "at its beginning is before it");
        assert_eq!(trail(&[(0, 1.0), (50, 3.0), (70, 3.0)]).increase(), Some(2.0), "what grew since is within it");
    }

    #[test]
    fn what_is_kept_has_the_end_and_moves_with_the_clock() {
        let mut kept = trail(&[(0, 3.0), (5, 3.0), (10, 4.0)]).kept();
        assert_eq!(kept.values.len(), 2);
        push(&mut kept, &[(800, 4.0)]);
        assert_eq!(kept.increase(), Some(0.0), "all of it was long ago");
        let mut ahead = trail(&[(0, 1.0), (10, 3.0)]);
        ahead.shift(SignedDuration::from_secs(100));
        push(&mut ahead, &[(165, 3.0)]);
        assert_eq!(ahead.increase(), Some(2.0));
    }
}
