//! One address that labels go to: who is there, when it is asked next, and one delivery to it.

use std::time::Duration;

use crate::clock::Clock;
use crate::forward::Address;
use crate::forward::peer::{Failure, Peer, Taken};
use crate::health::OtherAgent;
use crate::store::outgoing::Labels;

/// Between attempts, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// However long an agent asks us to wait.
const LONGEST: Duration = Duration::from_secs(3600);
/// Who is at an address is asked again after so long, labels or none.
const ASK_EVERY: Duration = Duration::from_secs(120);
/// One that has not answered for so long is down; until then it may be starting.
const DOWN: Duration = Duration::from_secs(60);
/// Rows of one body.
const ROWS: usize = 20_000;

/// An address.
pub struct Target {
    peer: Peer,
    /// Who is there, as far as it has said so.
    agent: Option<String>,
    asked: Duration,
    /// Since when it has not answered.
    silent: Option<Duration>,
    due: Duration,
    pause: Duration,
    /// Rows of one body, as it takes them.
    rows: usize,
    /// How it is doing.
    pub state: OtherAgent,
}

impl Target {
    pub fn new(peer: Peer) -> Self {
        Self {
            peer,
            agent: None,
            asked: Duration::ZERO,
            silent: None,
            due: Duration::ZERO,
            pause: RETRY.0,
            rows: ROWS,
            state: OtherAgent::default(),
        }
    }

    pub fn address(&self) -> &Address {
        self.peer.address()
    }

    /// Who is there, if it may be sent something now.
    pub fn ready(&self, now: Duration) -> Option<&str> {
        self.agent.as_deref().filter(|_| self.due <= now)
    }

    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// Asks who is there, where that is not known or was asked long ago.
    pub async fn ask(&mut self, clock: &dyn Clock) {
        let now = clock.monotonic();
        let known = self.agent.is_some() && now.saturating_sub(self.asked) < ASK_EVERY;
        if known || self.due > now {
            return;
        }
        match self.peer.identity().await {
            Ok(agent) => {
                let now = clock.monotonic();
                if self.agent.as_deref() != Some(agent.as_str()) {
                    (self.rows, self.state.error) = (ROWS, None);
                }
                (self.asked, self.agent) = (now, Some(agent));
                self.answered(now);
            }
            Err(failure) => self.failed(failure, clock.monotonic()),
        }
    }

    /// Sends all of it, in order; what came of it, and to whom. `None` if it did not take all of it: then it has it again.
    pub async fn deliver(&mut self, labels: &Labels, own: &str, clock: &dyn Clock) -> Option<(String, Taken)> {
        let agent = self.agent.clone()?;
        if labels.batches.is_empty() {
            return Some((agent, Taken::default()));
        }
        let mut all = Taken::default();
        for (model, batch) in &labels.batches {
            let mut from = 0;
            while from < batch.num_rows() {
                let rows = self.rows.min(batch.num_rows() - from);
                match self.peer.send(model, &batch.slice(from, rows), own, &agent).await {
                    Ok(taken) => {
                        all.accepted += taken.accepted;
                        all.refused += taken.refused;
                        all.message = taken.message.or(all.message);
                        from += rows;
                    }
                    Err(Failure::TooLarge(_)) if rows > 1 => self.rows = rows / 2,
                    Err(Failure::TooLarge(message)) => {
                        all.refused += 1;
                        all.message = Some(message);
                        from += 1;
                    }
                    Err(failure) => {
                        self.failed(failure, clock.monotonic());
                        return None;
                    }
                }
            }
        }
        self.answered(clock.monotonic());
        self.state.sent += all.accepted;
        self.state.refused += all.refused;
        if all.refused > 0 {
            tracing::warn!(agent = self.address().shown(), labels = all.refused, why = all.message, "refused labels");
            self.state.error.clone_from(&all.message);
        }
        Some((agent, all))
    }

    fn answered(&mut self, now: Duration) {
        if self.state.up != Some(true) {
            tracing::info!(agent = self.address().shown(), "labels go on to it");
            self.state.error = None;
        }
        self.state.agent.clone_from(&self.agent);
        (self.state.up, self.state.answered_at) = (Some(true), Some(now));
        (self.pause, self.due, self.silent) = (RETRY.0, now, None);
    }

    fn failed(&mut self, failure: Failure, now: Duration) {
        let (message, after) = match failure {
            Failure::Later { message, after } => (message, after),
            Failure::TooLarge(message) => (message, None),
        };
        self.state.failures += 1;
        let silent = *self.silent.get_or_insert(now);
        if self.state.up != Some(false) && now.saturating_sub(silent) >= DOWN {
            tracing::warn!(agent = self.address().shown(), error = message, "takes no labels; they wait");
            self.state.up = Some(false);
        }
        self.state.error = Some(message);
        // Another may have come to its address.
        self.agent = None;
        self.due = now + self.pause.max(after.unwrap_or_default().min(LONGEST));
        self.pause = (self.pause * 2).min(RETRY.1);
    }
}
