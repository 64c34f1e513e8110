//! Batches that wait to be taken in: models take turns, so that one with many delays no other's windows. A model's own keep their order.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::Receiver;

use super::super::models::Accepted;
use crate::identity::ModelKey;

/// Those that wait. How many they may be is bounded by the memory that they are spoken for.
#[derive(Default)]
pub struct Waiting {
    by_model: HashMap<ModelKey, VecDeque<Accepted>>,
    /// Whose turn is next; each model of which one waits, once.
    order: VecDeque<ModelKey>,
}

impl Waiting {
    /// Adds one behind its model's others.
    pub fn push(&mut self, accepted: Accepted) {
        let model = &accepted.entry.model;
        if !self.by_model.contains_key(model) {
            self.order.push_back(model.clone());
        }
        self.by_model.entry(model.clone()).or_default().push_back(accepted);
    }

    /// Adds all that a queue has now.
    pub fn extend(&mut self, queue: &Receiver<Accepted>) {
        for accepted in queue.try_iter() {
            self.push(accepted);
        }
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<Accepted> {
        let model = self.order.pop_front()?;
        let batches = self.by_model.get_mut(&model)?;
        let next = batches.pop_front();
        if batches.is_empty() {
            self.by_model.remove(&model);
        } else {
            self.order.push_back(model);
        }
        next
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::datatypes::Schema;

    use super::*;
    use crate::ingest::{Reservation, Room};
    use crate::store::log::{Entry, Kind};

    #[test]
    fn models_take_turns_and_keep_their_order() {
        let (room, mut waiting) = (Room::new(0), Waiting::default());
        let push = |waiting: &mut Waiting, model: &str, sequence| {
            let record = RecordBatch::new_empty(Schema::empty().into());
            let entry = Entry { sequence, kind: Kind::Samples, model: ModelKey::named(model), record };
            waiting.push(Accepted { entry, reservation: Reservation::none(&room) });
        };
        for sequence in 1..=4 {
            push(&mut waiting, "flood", sequence);
        }
        push(&mut waiting, "a", 5);
        push(&mut waiting, "b", 6);
        push(&mut waiting, "a", 7);
        let mut order = vec![waiting.pop().expect("one").entry.sequence];
        push(&mut waiting, "c", 8);
        order.extend(std::iter::from_fn(|| waiting.pop()).map(|next| next.entry.sequence));
        assert_eq!(order, [1, 5, 6, 2, 8, 7, 3, 4]);
        assert!(waiting.is_empty() && waiting.by_model.is_empty());
    }
}
