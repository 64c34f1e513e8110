//! Sends what waits in the queue, oldest first; a receiver that is away is tried again with growing pauses.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::super::Context;
use super::NAME;
use super::queue::{Batch, Queue};
use super::transport::{Answer, Connection};

/// The first pause after a failure, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A receiver may ask for more patience than that, but not for ever.
const MAX_ASKED: Duration = Duration::from_secs(300);

/// Runs until the queue is closed and empty, or closed while the receiver is away.
pub async fn run(connection: Connection, queue: Arc<Queue>, context: Context) {
    let mut pause = PAUSE.0;
    while let Some(batch) = queue.pop().await {
        let answer = connection.send(batch.bytes.clone()).await;
        note(&answer, &batch, &queue, &context);
        let Answer::Later { after, .. } = answer else {
            pause = PAUSE.0;
            continue;
        };
        let lost = queue.put_back(batch);
        context.health.exporter(NAME, |state| state.dropped = state.dropped.saturating_add(lost));
        if queue.is_closed() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(wait(after, pause)) => {}
            // Before the end there is one more attempt, without a pause.
            () = queue.closed() => {}
        }
        pause = pause.saturating_mul(2).min(PAUSE.1);
    }
    let lost = queue.clear();
    context.health.exporter(NAME, |state| state.dropped = state.dropped.saturating_add(lost));
    if lost > 0 {
        tracing::warn!(exporter = NAME, points = lost, "not sent before the end");
    }
}

/// How long to wait: as the receiver asks, within bounds, or else about the pause.
fn wait(after: Option<Duration>, pause: Duration) -> Duration {
    after.map_or_else(|| jittered(pause), |after| after.min(MAX_ASKED))
}

/// Between half and one and a half of the pause, so that a fleet does not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random)
}

fn note(answer: &Answer, batch: &Batch, queue: &Queue, context: &Context) {
    let now = context.clock.monotonic();
    context.health.exporter(NAME, |state| {
        state.queued = queue.bytes();
        let was_up = state.up;
        match answer {
            Answer::Taken { rejected, message } => {
                state.up = Some(true);
                state.sent_at = Some(now);
                state.sent = state.sent.saturating_add(batch.points.saturating_sub(*rejected));
                state.error = None;
                if *rejected > 0 {
                    if state.rejected == 0 {
                        tracing::warn!(exporter = NAME, rejected, message, "the receiver rejected some points");
                    }
                    state.rejected = state.rejected.saturating_add(*rejected);
                }
                if was_up != Some(true) {
                    tracing::info!(exporter = NAME, "sending");
                }
            }
            Answer::Later { message, .. } => {
                state.up = Some(false);
                state.failures = state.failures.saturating_add(1);
                if was_up != Some(false) {
                    tracing::warn!(
                        exporter = NAME,
                        error = message,
                        "cannot send: points are queued and will be sent again"
                    );
                }
                state.error = Some(message.clone());
            }
            Answer::Refused { message } => {
                state.up = Some(false);
                state.failures = state.failures.saturating_add(1);
                state.rejected = state.rejected.saturating_add(batch.points);
                if state.error.as_ref() != Some(message) {
                    tracing::warn!(exporter = NAME, error = message, "the receiver rejects the points: they are lost");
                }
                state.error = Some(message.clone());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_receiver_is_waited_for_for_ever() {
        for asked in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(u64::MAX), Duration::MAX] {
            assert!(wait(Some(asked), PAUSE.0) <= MAX_ASKED, "{asked:?}");
        }
        for pause in [PAUSE.0, PAUSE.1] {
            assert!((pause.mul_f64(0.5)..=pause.mul_f64(1.5)).contains(&wait(None, pause)));
        }
    }
}
