//! The thread that judges sizes: reads the history from time to time, and makes a review of it known.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::supervise;
use crate::clock::Clock;
use crate::collect::{Stop, Waited};
use crate::config::Config;
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::health::Health;
use crate::rightsize::review::{History, Review};
use crate::rightsize::{gpu, traffic, usage};
use crate::store::Error;
use crate::store::past::{self, Past};

/// What was found last; `None` before the first time.
pub type Found = Option<Arc<Review>>;

/// The history is read again after so many times as long as that took, so that it costs next to nothing however long it is.
const PATIENCE: u32 = 2000;
/// Though no sooner, and no later, than this.
const EVERY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));

/// From one look at the history to the next. One that is young is looked at again before it is twice as long, however long that takes: what
/// was judged on its first minutes does not stand for an hour.
fn pause(took: Duration, history: Duration) -> Duration {
    (took * PATIENCE).min(history).clamp(EVERY.0, EVERY.1)
}

/// How long the history is that a review has seen.
fn seen(review: &Review) -> Duration {
    let (first, last) = review.covered.unwrap_or_default();
    Duration::try_from(last.duration_since(first)).unwrap_or_default()
}
/// A new configuration is noticed within this.
const STEP: Duration = Duration::from_secs(1);

/// Reads the history of a time and judges it, as of `end` or its newest row. Returns also what could not be read.
///
/// # Errors
/// The folder cannot be read.
pub fn review(
    data: &Path,
    config: &Config,
    since: Timestamp,
    until: Timestamp,
    end: Option<Timestamp>,
) -> Result<(Review, Past), Error> {
    let mut history = History::default();
    let (gpus, models) = (&mut history.gpus, &mut history.models);
    let mut past = past::read::<GpuRow>(data, &gpu::read_columns(), since, until, |f| gpus.take(f, since, until))?;
    let more = past::read::<ModelRow>(data, &traffic::read_columns(), since, until, |f| models.take(f, since, until))?;
    let columns = usage::read_columns();
    let most = past::read::<MinuteRow>(data, &columns, since, until, |f| history.take_containers(f, since, until))?;
    for other in [more, most] {
        past.files += other.files;
        past.left_out.extend(other.left_out);
    }
    Ok((history.review(since, until, end, &config.rightsizing, &config.cost), past))
}

/// Runs until told to stop.
pub fn run(
    data: &Path,
    clock: &Arc<dyn Clock>,
    health: &Health,
    mut config: watch::Receiver<Config>,
    out: &watch::Sender<Found>,
    stop: &Stop,
) {
    let mut due = Duration::ZERO;
    // What was wrong the last time: it is told once, not with every try.
    let mut told = String::new();
    let mut history = Duration::ZERO;
    loop {
        let begun = clock.monotonic();
        health.beat(supervise::RECOMMENDER.name, begun);
        if begun >= due || config.has_changed().unwrap_or(false) {
            let config = config.borrow_and_update().clone();
            let until = clock.now();
            let length = SignedDuration::try_from(config.rightsizing.history).unwrap_or(SignedDuration::MAX);
            let since = until.checked_sub(length).unwrap_or(Timestamp::MIN);
            let judged = catch_unwind(AssertUnwindSafe(|| review(data, &config, since, until, Some(until))));
            match judged {
                Err(_) => {
                    tracing::error!(
                        "the recommender panicked: there are no new recommendations; this is a bug in plumbline"
                    );
                    health.update(|state| state.panics += 1);
                }
                Ok(Ok((review, past))) => {
                    let wrong = past.left_out.join("; ");
                    if !wrong.is_empty() && wrong != told {
                        tracing::warn!(files = wrong, "parts of the history cannot be read");
                    }
                    told = wrong;
                    history = seen(&review);
                    out.send_replace(Some(Arc::new(review)));
                }
                Ok(Err(error)) => {
                    let wrong = error.to_string();
                    if wrong != told {
                        tracing::warn!(error = wrong, "the history cannot be read: there are no new recommendations");
                    }
                    told = wrong;
                }
            }
            let took = clock.monotonic().saturating_sub(begun);
            tracing::debug!(?took, "sizes judged");
            due = begun + pause(took, history);
        }
        if stop.wait(STEP, u64::MAX) == Waited::Stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_history_is_looked_at_again_soon_and_an_old_one_costs_little() {
        let of =
            |took_ms, minutes: u64| pause(Duration::from_millis(took_ms), Duration::from_secs(60 * minutes)).as_secs();
        // Nothing seen, or a minute of it, by a slow look.
        assert_eq!((of(2000, 0), of(2000, 1), of(2000, 10)), (30, 60, 600));
        // From an hour on what a look costs decides, at most an hour.
        assert_eq!((of(100, 60), of(2000, 60), of(100, 14 * 24 * 60)), (200, 3600, 200));
        assert_eq!((of(1, 60), of(60_000, 14 * 24 * 60)), (30, 3600));
    }
}
