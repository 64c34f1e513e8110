//! Halves of predictions that wait for the other, in either order: bounded in time, number and memory, and each model's in terms of what
//! is free, as with all memory of the ingest (`room`). Pure; what time it is, is an argument.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::cloud::Half;
use super::payload::Payload;
use super::predicted::Predicted;
use crate::identity::ModelKey;

/// What halves are tied by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose prediction.
    pub model: ModelKey,
    /// Which.
    pub id: String,
    /// By which of several models.
    pub unit: Option<String>,
}

/// The bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long one waits.
    pub wait: Duration,
    /// How many.
    pub number: usize,
    /// What they take, in bytes.
    pub bytes: usize,
}

/// What came of a half that was offered.
#[derive(Debug, PartialEq)]
pub enum Offered {
    /// The other had come before.
    Paired(Box<Predicted>),
    /// It waits.
    Waits,
    /// The same half waits already.
    Duplicate,
    /// There is no room for it.
    Full,
    /// The other had waited in vain. The half is given back.
    Late(Box<Predicted>),
}

/// A half whose time is over.
#[derive(Debug, PartialEq)]
pub struct Expired {
    /// Whose.
    pub model: ModelKey,
    /// Which.
    pub half: Half,
    /// What it said.
    pub predicted: Predicted,
}

/// Those that wait.
#[derive(Debug)]
pub struct Pairing {
    bounds: Bounds,
    waiting: HashMap<Key, Waiting>,
    /// When whose time is over, in order; who was paired meanwhile is passed over.
    order: VecDeque<(Duration, u64, Key)>,
    /// Counts halves, so that one that came later under an id is another.
    next: u64,
    bytes: usize,
    /// How many wait of each model, and what they take; none of a model of which nobody waits.
    by_model: HashMap<ModelKey, (usize, usize)>,
    /// Whose time was over lately, by their hashes.
    expired: HashSet<u64>,
    expired_order: VecDeque<u64>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    half: Half,
    predicted: Predicted,
    bytes: usize,
}

impl Pairing {
    /// With nobody waiting.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            bytes: 0,
            by_model: HashMap::new(),
            expired: HashSet::new(),
            expired_order: VecDeque::new(),
        }
    }

    /// How many wait, and what they take in bytes.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes)
    }

    /// Takes one half of a prediction, with its payload where it belongs. `fits` says whether the whole would be one.
    ///
    /// # Errors
    /// It would not: the half that waits goes on waiting.
    pub fn offer<E>(
        &mut self,
        key: Key,
        half: Half,
        predicted: Predicted,
        now: Duration,
        fits: impl FnOnce(&Predicted) -> Result<(), E>,
    ) -> Result<Offered, E> {
        if let Entry::Occupied(mut entry) = self.waiting.entry(key.clone()) {
            if entry.get().half == half {
                return Ok(Offered::Duplicate);
            }
            let mut whole = predicted;
            let other = entry.get_mut();
            join(&mut whole, half, &mut other.predicted);
            if let Err(error) = fits(&whole) {
                // It is given back what is its own.
                let given = match other.half {
                    Half::Request => whole.request.take(),
                    Half::Response => whole.response.take(),
                };
                *place(&mut other.predicted, other.half) = given;
                return Err(error);
            }
            let bytes = entry.remove().bytes;
            self.let_go(&key.model, bytes);
            return Ok(Offered::Paired(Box::new(whole)));
        }
        if self.expired.remove(&hash(&key)) {
            return Ok(Offered::Late(Box::new(predicted)));
        }
        let bytes = predicted.bytes().saturating_add(key.id.len()).saturating_add(OVERHEAD);
        if !self.has_room(&key.model, bytes) {
            return Ok(Offered::Full);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let of_model = self.by_model.entry(key.model.clone()).or_default();
        *of_model = (of_model.0.saturating_add(1), of_model.1.saturating_add(bytes));
        self.order.push_back((now.saturating_add(self.bounds.wait), self.next, key.clone()));
        self.waiting.insert(key, Waiting { number: self.next, half, predicted, bytes });
        self.next = self.next.wrapping_add(1);
        self.forget_paired();
        Ok(Offered::Waits)
    }

    /// Those whose time is over, in the order in which they came. All of them where `all` is.
    pub fn expire(&mut self, now: Duration, all: bool) -> Vec<Expired> {
        let mut over = Vec::new();
        while self.order.front().is_some_and(|(at, ..)| all || *at <= now) {
            let Some((_, number, key)) = self.order.pop_front() else { break };
            if self.waiting.get(&key).is_none_or(|waiting| waiting.number != number) {
                continue;
            }
            self.remember(hash(&key));
            if let Some(waiting) = self.waiting.remove(&key) {
                self.let_go(&key.model, waiting.bytes);
                over.push(Expired { model: key.model, half: waiting.half, predicted: waiting.predicted });
            }
        }
        over
    }

    /// One half more of the model leaves a third of what it holds to others.
    fn has_room(&self, model: &ModelKey, bytes: usize) -> bool {
        let (number, of_bytes) = self.by_model.get(model).copied().unwrap_or_default();
        let fits = |limit: usize, all: usize, of_model: usize, more: usize| {
            let free = limit.checked_sub(all.saturating_add(more));
            free.is_some_and(|free| of_model.saturating_add(more) <= free.saturating_mul(TIMES_FREE).max(more))
        };
        fits(self.bounds.number, self.waiting.len(), number, 1) && fits(self.bounds.bytes, self.bytes, of_bytes, bytes)
    }

    fn let_go(&mut self, model: &ModelKey, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of_model) = self.by_model.get_mut(model) {
            *of_model = (of_model.0.saturating_sub(1), of_model.1.saturating_sub(bytes));
            if of_model.0 == 0 {
                self.by_model.remove(model);
            }
        }
    }

    fn remember(&mut self, hash: u64) {
        if self.expired.insert(hash) {
            self.expired_order.push_back(hash);
        }
        while self.expired_order.len() > self.bounds.number {
            if let Some(oldest) = self.expired_order.pop_front() {
                self.expired.remove(&oldest);
            }
        }
    }

    /// The order holds those that were paired, too; they are let go once they are the most.
    fn forget_paired(&mut self) {
        if self.order.len() > self.waiting.len().saturating_mul(2).saturating_add(1024) {
            let waiting = &self.waiting;
            self.order.retain(|(_, number, key)| waiting.get(key).is_some_and(|known| known.number == *number));
        }
    }
}

/// What one model may hold, in terms of what is free.
const TIMES_FREE: usize = 2;

/// What a place among those that wait takes beside its payload.
const OVERHEAD: usize = 256;

fn hash(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn place(predicted: &mut Predicted, half: Half) -> &mut Option<Payload> {
    match half {
        Half::Request => &mut predicted.request,
        Half::Response => &mut predicted.response,
    }
}

/// Makes a whole of the half that came and the other: what was asked says when, and what was passed on.
fn join(whole: &mut Predicted, half: Half, other: &mut Predicted) {
    match half {
        Half::Request => whole.response = other.response.take(),
        Half::Response => {
            whole.request = other.request.take();
            whole.time = other.time.or(whole.time);
            if !other.metadata.is_empty() {
                whole.metadata.clone_from(&other.metadata);
            }
        }
    }
    if whole.time.is_none() {
        whole.time = other.time;
    }
    if whole.endpoint.is_none() {
        whole.endpoint.clone_from(&other.endpoint);
    }
    if whole.metadata.is_empty() {
        whole.metadata.clone_from(&other.metadata);
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test counts a few hundred")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BOUNDS: Bounds = Bounds { wait: Duration::from_secs(10), number: 6, bytes: 10_000 };

    fn half_of(id: &str, half: Half) -> (Key, Half, Predicted) {
        let time = match half {
            Half::Request => "2026-01-01T00:00:00Z",
            Half::Response => "2026-01-01T00:00:01Z",
        };
        let mut predicted = Predicted {
            id: id.to_owned(),
            ids: Vec::new(),
            time: Some(time.parse().expect("a time")),
            endpoint: None,
            metadata: Vec::new(),
            request: None,
            response: None,
        };
        *place(&mut predicted, half) = Some(Payload::default());
        (Key { model: ModelKey::named("m"), id: id.to_owned(), unit: None }, half, predicted)
    }

    fn offer(pairing: &mut Pairing, id: &str, half: Half, now: Duration) -> Offered {
        let (key, half, predicted) = half_of(id, half);
        pairing.offer(key, half, predicted, now, |_| Ok::<(), ()>(())).expect("it fits")
    }

    #[test]
    fn halves_pair_in_either_order_and_keep_the_time_of_what_was_asked() {
        for (first, second) in [(Half::Request, Half::Response), (Half::Response, Half::Request)] {
            let mut pairing = Pairing::new(BOUNDS);
            assert_eq!(offer(&mut pairing, "a", first, SECOND), Offered::Waits);
            assert_eq!(offer(&mut pairing, "a", first, SECOND), Offered::Duplicate);
            let Offered::Paired(whole) = offer(&mut pairing, "a", second, SECOND) else { panic!("a pair") };
            assert!(whole.request.is_some() && whole.response.is_some());
            assert_eq!(whole.time, Some("2026-01-01T00:00:00Z".parse().expect("a time")), "{first:?}");
            assert_eq!(pairing.waiting(), (0, 0));
            assert!(pairing.expire(SECOND * 100, false).is_empty(), "who is paired does not expire");
        }
    }

    #[test]
    fn one_model_leaves_room_for_halves_of_another() {
        let mut pairing = Pairing::new(Bounds { number: 30, bytes: 1 << 20, ..BOUNDS });
        let mut offer_of = |model: &str, id: String| {
            let (key, half, predicted) = half_of(&id, Half::Request);
            let key = Key { model: ModelKey::named(model), ..key };
            pairing.offer(key, half, predicted, SECOND, |_| Ok::<(), ()>(())).expect("it fits")
        };
        let waits = (0..40).filter(|n| offer_of("flood", format!("f{n}")) == Offered::Waits).count();
        assert_eq!(waits, 20);
        assert_eq!(offer_of("trickle", "t".to_owned()), Offered::Waits);
        assert_eq!(pairing.expire(SECOND * 12, false).len(), 21);
        assert_eq!((pairing.waiting(), pairing.by_model.len()), ((0, 0), 0));
    }

    #[test]
    fn what_does_not_fit_leaves_the_other_waiting() {
        let mut pairing = Pairing::new(BOUNDS);
        offer(&mut pairing, "a", Half::Request, SECOND);
        let (key, half, predicted) = half_of("a", Half::Response);
        assert_eq!(pairing.offer(key, half, predicted, SECOND, |_| Err("no")), Err("no"));
        let over = pairing.expire(SECOND * 11, false);
        assert!(over.len() == 1 && over[0].predicted.request.is_some());
    }

    #[test]
    fn time_number_and_memory_are_bounded_and_who_comes_late_is_told() {
        let mut pairing = Pairing::new(BOUNDS);
        for (id, at) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            assert_eq!(offer(&mut pairing, id, Half::Request, SECOND * at), Offered::Waits);
        }
        assert_eq!(offer(&mut pairing, "e", Half::Request, SECOND * 4), Offered::Full);
        assert!(matches!(offer(&mut pairing, "b", Half::Response, SECOND * 4), Offered::Paired(_)), "it needs no room");
        let over: Vec<String> = pairing.expire(SECOND * 13, false).into_iter().map(|over| over.predicted.id).collect();
        assert_eq!(over, ["a", "c"]);
        assert!(matches!(offer(&mut pairing, "a", Half::Response, SECOND * 13), Offered::Late(_)));
        assert_eq!(offer(&mut pairing, "a", Half::Response, SECOND * 13), Offered::Waits, "late is told once");
        assert_eq!(pairing.expire(SECOND * 13, true).len(), 2);
        assert_eq!(pairing.waiting(), (0, 0));
        let mut small = Pairing::new(Bounds { bytes: 700, ..BOUNDS });
        assert_eq!(offer(&mut small, "a", Half::Request, SECOND), Offered::Waits);
        assert_eq!(offer(&mut small, "b", Half::Request, SECOND), Offered::Full);
    }

    proptest! {
        /// Whatever comes in whatever order: every half is paired, waits, has expired or was not taken, once.
        #[test]
        fn every_half_has_one_end(steps in prop::collection::vec((0_u8..6, any::<bool>(), 0_u64..4), 0..200)) {
            let mut pairing = Pairing::new(BOUNDS);
            let (mut now, mut offered, mut paired, mut turned, mut over) = (Duration::ZERO, 0, 0, 0, 0);
            for (id, is_request, seconds) in steps {
                now += SECOND * u32::try_from(seconds).expect("few");
                over += pairing.expire(now, false).len();
                offered += 1;
                let half = if is_request { Half::Request } else { Half::Response };
                match offer(&mut pairing, &id.to_string(), half, now) {
                    Offered::Paired(whole) => {
                        prop_assert!(whole.request.is_some() && whole.response.is_some());
                        paired += 2;
                    }
                    Offered::Waits => {}
                    Offered::Duplicate | Offered::Full | Offered::Late(_) => turned += 1,
                }
                let (waiting, bytes) = pairing.waiting();
                prop_assert!(waiting <= BOUNDS.number && bytes <= BOUNDS.bytes);
                prop_assert_eq!(offered, paired + turned + over + waiting);
            }
        }
    }
}
