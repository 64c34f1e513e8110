//! Threads that must not end: each beats, and one that panics is begun anew with what is stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::collect::{Stop, Waited};
use crate::health::Health;

/// Before a thread is begun anew. What panics at once must not fill the log.
const PAUSE: Duration = Duration::from_secs(1);

/// A thread and how long it may go without a beat.
#[derive(Clone, Copy)]
pub struct Thread {
    /// Its name.
    pub name: &'static str,
    /// A thread that is silent for longer hangs, and `/healthz` answers 503.
    pub silent: Duration,
}

/// Reports join, minutes close. The disk may hold it up for a while.
pub const PIPELINE: Thread = Thread { name: "pipeline", silent: Duration::from_secs(60) };
/// Windows of models. A window of a million rows takes its time.
pub const MODELS: Thread = Thread { name: "models", silent: Duration::from_secs(120) };
/// Sizes. Months of history on a slow disk do, too.
pub const RECOMMENDER: Thread = Thread { name: "recommender", silent: Duration::from_secs(900) };

/// Runs `work` on a thread until it ends by itself. After a panic it is begun anew.
///
/// # Errors
/// There is no thread to be had.
pub fn spawn(
    thread: Thread,
    health: &Arc<Health>,
    clock: &Arc<dyn Clock>,
    stop: &Stop,
    mut work: impl FnMut() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let (health, clock, stop) = (Arc::clone(health), Arc::clone(clock), stop.clone());
    health.watch(thread.name, thread.silent, clock.monotonic());
    std::thread::Builder::new().name(thread.name.to_owned()).spawn(move || {
        while catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
            tracing::error!(thread = thread.name, "the thread panicked and begins anew; this is a bug in plumbline");
            health.update(|state| {
                state.panics += 1;
                if let Some(thread) = state.threads.get_mut(thread.name) {
                    thread.restarts += 1;
                }
            });
            if stop.wait(PAUSE, u64::MAX) == Waited::Stopped {
                return;
            }
            health.beat(thread.name, clock.monotonic());
        }
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::clock::FixedClock;

    #[test]
    fn a_thread_that_panics_is_begun_anew_and_counted() {
        let (health, stop) = (Arc::<Health>::default(), Stop::default());
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let mut runs = 0;
        let thread = Thread { name: "trial", silent: Duration::from_secs(1) };
        let work = move || {
            runs += 1;
            assert!(runs == 2, "as it happens");
        };
        let handle = spawn(thread, &health, &clock, &stop, work).expect("a thread");
        handle.join().expect("it ended by itself the second time");
        let state = health.state();
        assert_eq!((state.panics, state.threads["trial"].restarts), (1, 1));
    }
}
