//! Encoded batches that wait to be sent. Bounded in bytes; when full, the oldest go.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// One encoded request.
#[derive(Debug, Clone)]
pub struct Batch {
    /// An `ExportMetricsServiceRequest`.
    pub bytes: Bytes,
    /// Points in it.
    pub points: u64,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Batch>,
    bytes: usize,
    closed: bool,
}

#[derive(Debug)]
pub struct Queue {
    max_bytes: usize,
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), changed: Notify::new() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a batch. Returns how many points of older batches had to go for it. The newest always stays.
    pub fn push(&self, batch: Batch) -> u64 {
        let dropped = self.with(|state| {
            state.bytes = state.bytes.saturating_add(batch.bytes.len());
            state.batches.push_back(batch);
            let mut dropped = 0;
            while state.bytes > self.max_bytes
                && state.batches.len() > 1
                && let Some(oldest) = state.batches.pop_front()
            {
                state.bytes = state.bytes.saturating_sub(oldest.bytes.len());
                dropped = oldest.points.saturating_add(dropped);
            }
            dropped
        });
        self.changed.notify_one();
        dropped
    }

    /// No more will come.
    pub fn close(&self) {
        self.with(|state| state.closed = true);
        self.changed.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.with(|state| state.closed)
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_closed() {
                // Whoever waits for a batch wants to know too.
                self.changed.notify_one();
                return;
            }
            changed.await;
        }
    }

    /// Takes the oldest batch, waiting for one. `None` when the queue is closed and empty.
    pub async fn pop(&self) -> Option<Batch> {
        loop {
            let changed = self.changed.notified();
            let (batch, closed) = self.with(|state| {
                let batch = state.batches.pop_front();
                state.bytes = state.bytes.saturating_sub(batch.as_ref().map_or(0, |batch| batch.bytes.len()));
                (batch, state.closed)
            });
            if batch.is_some() || closed {
                return batch;
            }
            changed.await;
        }
    }

    /// Puts back a batch that could not be sent, as the oldest. Returns the points lost if it no longer fits.
    pub fn put_back(&self, batch: Batch) -> u64 {
        self.with(|state| {
            if state.bytes.saturating_add(batch.bytes.len()) > self.max_bytes && !state.batches.is_empty() {
                return batch.points;
            }
            state.bytes = state.bytes.saturating_add(batch.bytes.len());
            state.batches.push_front(batch);
            0
        })
    }

    /// Throws away what is left. Returns its points.
    pub fn clear(&self) -> u64 {
        self.with(|state| {
            state.bytes = 0;
            state.batches.drain(..).map(|batch| batch.points).sum()
        })
    }

    pub fn bytes(&self) -> u64 {
        self.with(|state| state.bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(byte: u8, size: usize) -> Batch {
        Batch { bytes: vec![byte; size].into(), points: 1 }
    }

    #[tokio::test]
    async fn the_oldest_go_first_and_the_newest_stays() {
        let queue = Queue::new(10);
        assert_eq!(queue.push(batch(1, 6)), 0);
        assert_eq!(queue.push(batch(2, 6)), 1);
        assert_eq!(queue.push(batch(3, 60)), 1, "larger than the bound, yet the newest");
        let popped = queue.pop().await.expect("a batch");
        assert_eq!((popped.bytes[0], queue.bytes()), (3, 0));
        queue.push(batch(4, 6));
        assert_eq!(queue.put_back(popped), 1, "an old batch does not push out a new one");
        queue.close();
        assert_eq!(queue.pop().await.expect("the rest").bytes[0], 4);
        assert!(queue.pop().await.is_none());
    }
}
