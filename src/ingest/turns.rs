//! Whose body is decoded next: those who wait take turns by model and sender, so that one who sends many large bodies does not stand before
//! everybody else. Within one's own the order is that in which they came.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::room::For;

/// Places to decode at, and who waits for one.
#[derive(Debug)]
pub struct Turns {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Who waits, by whom they are of; nobody without anyone.
    waiting: HashMap<For, VecDeque<oneshot::Sender<Turn>>>,
    /// Whose turn is next.
    order: VecDeque<For>,
}

/// A place, given on to the next when it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Option<Arc<Turns>>,
}

impl Turns {
    /// With so many places.
    #[must_use]
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free: places, waiting: HashMap::new(), order: VecDeque::new() }) })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place.
    pub async fn take(self: &Arc<Self>, of: For) -> Turn {
        let waits = {
            let mut state = self.locked();
            if state.free > 0 {
                state.free = state.free.saturating_sub(1);
                return Turn { turns: Some(Arc::clone(self)) };
            }
            let (given, waits) = oneshot::channel();
            if !state.waiting.contains_key(&of) {
                state.order.push_back(of.clone());
            }
            state.waiting.entry(of).or_default().push_back(given);
            waits
        };
        // Who gives a place on holds the other end until then.
        waits.await.unwrap_or(Turn { turns: None })
    }

    /// Gives a place to who is next, or back.
    fn pass_on(self: &Arc<Self>) {
        let mut turn = Turn { turns: Some(Arc::clone(self)) };
        loop {
            let next = {
                let mut state = self.locked();
                let Some(of) = state.order.pop_front() else {
                    state.free = state.free.saturating_add(1);
                    turn.turns = None;
                    return;
                };
                let Some(mut all) = state.waiting.remove(&of) else { continue };
                let next = all.pop_front();
                if !all.is_empty() {
                    state.waiting.insert(of.clone(), all);
                    state.order.push_back(of);
                }
                next
            };
            let Some(next) = next else { continue };
            match next.send(turn) {
                Ok(()) => return,
                // It waits no longer.
                Err(back) => turn = back,
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::identity::ModelKey;

    fn of(model: &str) -> For {
        For::model(&ModelKey::named(model))
    }

    #[tokio::test]
    async fn who_floods_waits_behind_who_comes_later() {
        let turns = Turns::new(1);
        let first = turns.take(of("flood")).await;
        let mut flood: Vec<_> = (0..3).map(|_| Box::pin(turns.take(of("flood")))).collect();
        for waits in &mut flood {
            assert!(waits.now_or_never().is_none());
        }
        let mut other = Box::pin(turns.take(of("trickle")));
        assert!((&mut other).now_or_never().is_none());
        drop(first);
        let second = (&mut flood[0]).now_or_never().expect("in the order in which they came");
        assert!((&mut other).now_or_never().is_none() && (&mut flood[1]).now_or_never().is_none());
        drop(second);
        let others = (&mut other).now_or_never().expect("before the rest of the flood");
        // Who waits no longer is passed over.
        drop(flood.remove(1));
        drop(others);
        let last = (&mut flood[1]).now_or_never().expect("the last of the flood");
        drop(last);
        let is_still = |state: &State| (state.free, state.waiting.len(), state.order.len()) == (1, 0, 0);
        assert!(is_still(&turns.locked()));
        // A place that was given to who has gone meanwhile comes back.
        let held = turns.take(of("a")).await;
        let mut gone = Box::pin(turns.take(of("b")));
        assert!((&mut gone).now_or_never().is_none());
        drop(held);
        drop(gone);
        assert_eq!(turns.locked().free, 1);
    }
}
