//! Up to where each other agent has had the labels that clients sent here. Pure.
//!
//! An agent is who it says that it is, wherever it is reached: a pod that is made anew with the data it had goes on where it was, and
//! one whose data is gone has everything again that is still waited for.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::outgoing::Position;

/// One that has not answered for so long is forgotten. Should it come again it has everything again: it may have it twice.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// More agents than this are not remembered.
const MOST: usize = 4000;

/// Up to where one agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    position: Position,
    /// It has been at the end once: from then on labels are owed to it.
    caught_up: bool,
    seen: Timestamp,
}

/// Up to where each is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors(BTreeMap<String, Cursor>);

impl Cursors {
    /// Up to where it is, one that is new at the beginning of all that is stored. `None` if there are too many.
    pub fn position(&mut self, agent: &str, now: Timestamp) -> Option<Position> {
        if self.0.len() >= MOST && !self.0.contains_key(agent) {
            return None;
        }
        let new = || Cursor { position: Position::default(), caught_up: false, seen: now };
        Some(self.0.entry(agent.to_owned()).or_insert_with(new).position)
    }

    /// Labels that were passed over, as too old, were owed to it.
    pub fn was_owed(&self, agent: &str) -> bool {
        self.0.get(agent).is_some_and(|cursor| cursor.caught_up)
    }

    /// It answered.
    pub fn saw(&mut self, agent: &str, now: Timestamp) {
        if let Some(cursor) = self.0.get_mut(agent) {
            cursor.seen = cursor.seen.max(now);
        }
    }

    /// It has everything up to there, which is all there is or not. True if that is news.
    pub fn took(&mut self, agent: &str, to: Position, is_end: bool) -> bool {
        let Some(cursor) = self.0.get_mut(agent) else { return false };
        let news = cursor.position != to || (is_end && !cursor.caught_up);
        cursor.position = to;
        cursor.caught_up |= is_end;
        news
    }

    /// Forgets those that are gone for long.
    pub fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, cursor| now.duration_since(cursor.seen) < FORGOTTEN);
    }

    /// The first segment of which some agent is owed labels.
    pub fn owed_from(&self) -> Option<u64> {
        self.0.values().filter(|cursor| cursor.caught_up).map(|cursor| cursor.position.segment).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).expect("a time")
    }

    #[test]
    fn one_that_is_new_begins_at_the_beginning_and_one_that_is_known_goes_on() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.position("a", day(0)), Some(Position::default()));
        let at = Position { segment: 7, ..Position::default() };
        assert!(cursors.took("a", at, false) && !cursors.was_owed("a"));
        assert_eq!(cursors.owed_from(), None, "what it never had is not owed to it");
        assert!(cursors.took("a", at, true) && !cursors.took("a", at, true) && cursors.was_owed("a"));
        assert_eq!(
            (cursors.position("a", day(1)), cursors.position("b", day(1))),
            (Some(at), Some(Position::default()))
        );
        assert_eq!(cursors.owed_from(), Some(7));
        assert!(!cursors.took("nobody", at, true));
        let text = serde_json::to_string(&cursors).expect("a text");
        assert_eq!(serde_json::from_str::<Cursors>(&text).expect("the same"), cursors);
    }

    #[test]
    fn one_that_is_gone_for_a_week_is_forgotten_and_they_are_bounded() {
        let mut cursors = Cursors::default();
        cursors.position("a", day(0));
        cursors.position("b", day(0));
        cursors.saw("b", day(3));
        cursors.saw("b", day(1));
        cursors.forget(day(8));
        assert_eq!((cursors.0.len(), cursors.0.contains_key("b")), (1, true));
        for i in 0..2 * MOST {
            cursors.position(&i.to_string(), day(8));
        }
        assert_eq!((cursors.0.len(), cursors.position("one more", day(8))), (MOST, None));
    }
}
