//! The memory of bodies and batches on their way, and shares of it: whoever floods the agent waits, whoever else sends is taken at once.
//!
//! A model may hold twice what is free, a sender three times (dynamic thresholds; Choudhury and Hahne, "Dynamic queue length thresholds for
//! shared-memory packet switches", IEEE/ACM Transactions on Networking 6, 1998). One model alone has two thirds of the whole, two that flood
//! two fifths each; however many there are, some stays free for who comes next, without a share set aside for anybody who may never come.
//! A sender has more, so that one of its models that floods leaves it room for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::identity::ModelKey;

/// What a model may hold, in terms of what is free.
const MODEL_TIMES_FREE: u64 = 2;
/// What a sender may hold.
const SENDER_TIMES_FREE: u64 = 3;

/// Memory, and who holds how much of it.
#[derive(Debug)]
pub struct Room {
    limit: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: u64,
    /// Nobody who holds nothing.
    by: HashMap<Holder, u64>,
}

/// Who holds memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Model(ModelKey),
    Sender(Arc<str>),
}

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Nobody's: there is no room at all.
    All,
    /// The model's.
    Model,
    /// The sender's.
    Sender,
}

impl Full {
    /// For who is told to wait.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::All => "too much waits to be processed (ingest.in_flight); send it again later",
            Self::Model => {
                "too much of this model waits to be processed (its share of ingest.in_flight); send it again later"
            }
            Self::Sender => {
                "too much of this sender waits to be processed (its share of ingest.in_flight); send it again later"
            }
        }
    }
}

/// Who is to hold what is reserved; the agent itself where neither is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct For {
    /// For which model.
    pub model: Option<ModelKey>,
    /// Who sent it: the name of a token, or an address.
    pub sender: Option<Arc<str>>,
}

impl For {
    /// A model's, whoever sent it.
    #[must_use]
    pub fn model(model: &ModelKey) -> Self {
        Self { model: Some(model.clone()), sender: None }
    }

    fn holders(&self) -> impl Iterator<Item = Holder> {
        let model = self.model.clone().map(Holder::Model);
        model.into_iter().chain(self.sender.clone().map(Holder::Sender))
    }
}

impl Room {
    /// So much, all of it free.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default() })
    }

    /// What one model may hold of so much where nobody else holds anything.
    #[must_use]
    pub const fn one_alone(limit: u64) -> u64 {
        (limit / (MODEL_TIMES_FREE + 1)).saturating_mul(MODEL_TIMES_FREE)
    }

    /// How much there is.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.locked().total
    }

    /// Nothing yet, for somebody.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, holders: &For) -> Reservation {
        Reservation { room: Arc::clone(self), holders: holders.holders().collect(), bytes: 0 }
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, holders: &[Holder], bytes: u64) {
        self.total = self.total.saturating_add(bytes);
        for holder in holders {
            let held = self.by.entry(holder.clone()).or_default();
            *held = held.saturating_add(bytes);
        }
    }

    fn remove(&mut self, holders: &[Holder], bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        for holder in holders {
            let left = self.by.get(holder).map_or(0, |held| held.saturating_sub(bytes));
            if left == 0 {
                self.by.remove(holder);
            } else if let Some(held) = self.by.get_mut(holder) {
                *held = left;
            }
        }
    }
}

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    room: Arc<Room>,
    holders: Vec<Holder>,
    bytes: u64,
}

impl Reservation {
    /// Nothing yet, for the agent itself.
    #[must_use]
    pub fn none(room: &Arc<Room>) -> Self {
        room.reserve(&For::default())
    }

    /// Reserves more, or says whose share is used up; then no more is reserved.
    ///
    /// # Errors
    /// There is no room for it now.
    pub fn grow(&mut self, more: u64) -> Result<(), Full> {
        let mut held = self.room.locked();
        let total = held.total.saturating_add(more);
        let Some(free) = self.room.limit.checked_sub(total) else { return Err(Full::All) };
        for holder in &self.holders {
            let of_it = held.by.get(holder).map_or(0, |held| *held).saturating_add(more);
            let (times, full) = match holder {
                Holder::Model(_) => (MODEL_TIMES_FREE, Full::Model),
                Holder::Sender(_) => (SENDER_TIMES_FREE, Full::Sender),
            };
            if of_it > free.saturating_mul(times) {
                return Err(full);
            }
        }
        held.add(&self.holders, more);
        drop(held);
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }

    /// How much is reserved.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds what another holds, too.
    pub fn absorb(&mut self, mut other: Self) {
        let bytes = std::mem::take(&mut other.bytes);
        let mut held = self.room.locked();
        held.remove(&other.holders, bytes);
        held.add(&self.holders, bytes);
        drop(held);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Holds so much from now on, whatever the limit: it is there already.
    pub fn become_size(&mut self, bytes: u64) {
        let mut held = self.room.locked();
        held.remove(&self.holders, self.bytes);
        held.add(&self.holders, bytes);
        drop(held);
        self.bytes = bytes;
    }

    /// Is for this model from now on, too, which was not known before; whatever its share.
    pub fn belong_to(&mut self, model: &ModelKey) {
        let mut held = self.room.locked();
        held.remove(&self.holders, self.bytes);
        self.holders.retain(|holder| !matches!(holder, Holder::Model(_)));
        self.holders.push(Holder::Model(model.clone()));
        held.add(&self.holders, self.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.room.locked().remove(&self.holders, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(model: &str, sender: &str) -> For {
        For { model: Some(ModelKey::named(model)), sender: Some(sender.into()) }
    }

    /// Takes a byte at a time for as long as there is room.
    fn flood(reservations: &mut [Reservation]) {
        while reservations.iter_mut().filter_map(|one| one.grow(1).ok()).count() > 0 {}
    }

    #[test]
    fn one_that_floods_leaves_a_third_and_however_many_do_some_is_left() {
        for (floods, most) in [(1_u64, 600), (2, 360), (3, 257), (10, 85)] {
            let room = Room::new(900);
            let mut all: Vec<Reservation> =
                (0..floods).map(|n| room.reserve(&of(&format!("m{n}"), &format!("s{n}")))).collect();
            flood(&mut all);
            let held: Vec<u64> = all.iter().map(Reservation::bytes).collect();
            assert!(held.iter().all(|held| held.abs_diff(most) <= 2), "{floods}: {held:?}");
            let free = room.limit() - room.held();
            assert!(free * (2 * floods + 1) + 2 * floods >= 900, "{free} are free beside {floods}");
            // Whoever comes now is taken.
            assert_eq!(room.reserve(&of("trickle", "quiet")).grow(free / 2), Ok(()));
            drop(all);
            assert_eq!((room.held(), room.locked().by.len()), (0, 0));
        }
    }

    #[test]
    fn a_model_and_a_sender_have_a_share_each() {
        let room = Room::new(900);
        let mut one = room.reserve(&of("m", "a"));
        one.grow(600).expect("two thirds");
        assert_eq!(room.reserve(&of("m", "b")).grow(1), Err(Full::Model));
        // Its other models are not behind the one that floods, as long as all of them together are not too much.
        assert_eq!(room.reserve(&of("n", "a")).grow(75), Ok(()));
        assert_eq!(room.reserve(&of("n", "a")).grow(76), Err(Full::Sender));
        let mut other = room.reserve(&of("n", "b"));
        assert_eq!(other.grow(200), Ok(()));
        assert_eq!(room.reserve(&For::default()).grow(101), Err(Full::All));
        // The agent's own takes what there is.
        assert_eq!(room.reserve(&For::default()).grow(100), Ok(()));
        // What it becomes is there already, and is charged to the same.
        other.become_size(1000);
        assert_eq!((room.held(), room.reserve(&of("x", "y")).grow(1)), (1600, Err(Full::All)));
        other.absorb(one);
        assert_eq!((room.held(), other.bytes()), (1600, 1600));
        assert_eq!(room.locked().by[&Holder::Sender("b".into())], 1600);
        drop(other);
        assert_eq!((room.held(), room.locked().by.len()), (0, 0));
    }

    #[test]
    fn an_event_is_its_models_once_it_is_known() {
        let room = Room::new(900);
        let mut event = room.reserve(&For { model: None, sender: Some("a".into()) });
        event.grow(10).expect("room");
        event.belong_to(&ModelKey::named("m"));
        event.grow(10).expect("room");
        assert_eq!(room.locked().by[&Holder::Model(ModelKey::named("m"))], 20);
        drop(event);
        assert_eq!((room.held(), room.locked().by.len()), (0, 0));
    }

    proptest! {
        /// Whatever was reserved and given back: what is held adds up, and nobody took more than there is.
        #[test]
        fn what_is_held_adds_up(steps in proptest::collection::vec((0_u8..4, 0_u8..3, 0_u64..400), 1..60)) {
            let room = Room::new(1000);
            let mut all: Vec<Reservation> = Vec::new();
            for (what, who, bytes) in steps {
                match what {
                    0 | 1 => {
                        let mut one = room.reserve(&of(&format!("m{who}"), "s"));
                        let before = room.held();
                        if one.grow(bytes).is_ok() {
                            prop_assert!(before.saturating_add(bytes) <= 1000);
                        } else {
                            prop_assert_eq!((room.held(), one.bytes()), (before, 0));
                        }
                        all.push(one);
                    }
                    2 => drop(all.pop()),
                    _ => {
                        if let (Some(one), Some(mut other)) = (all.pop(), all.pop()) {
                            other.absorb(one);
                            all.push(other);
                        }
                    }
                }
                prop_assert_eq!(room.held(), all.iter().map(Reservation::bytes).sum::<u64>());
            }
            all.clear();
            prop_assert_eq!((room.held(), room.locked().by.len()), (0, 0));
        }
    }
}
