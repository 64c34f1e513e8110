//! Runs one collector on a thread of its own: opens it, reads on the ticks, opens it anew when it fails.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Collector, Config, Context, Entry, Error};
use crate::clock::Clock;
use crate::health::{Brings, Health};
use crate::reading::{Depth, Report};

/// One report on its way to the analysis.
#[derive(Debug)]
pub struct Message {
    /// Who read.
    pub collector: &'static str,
    /// How much was read.
    pub depth: Depth,
    /// What was read; `None` when the collector has gone down.
    pub report: Option<Report>,
}

/// When to read: every inner tick, and everything on each full tick, both on the wall clock's round times, so that
/// minutes begin with a full tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// CPU and memory.
    pub inner: Duration,
    /// Every signal. A multiple of `inner`.
    pub full: Duration,
}

impl Schedule {
    /// The time from `now` (ms since the epoch) to the next inner tick, and what that tick reads.
    #[must_use]
    pub fn next(&self, now_ms: i64) -> (Duration, Depth) {
        let [inner, full] = [self.inner, self.full].map(|d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX).max(1));
        let due = now_ms.div_euclid(inner).saturating_add(1).saturating_mul(inner);
        let depth = if due.rem_euclid(full) == 0 { Depth::Full } else { Depth::Inner };
        (Duration::from_millis(u64::try_from(due.saturating_sub(now_ms)).unwrap_or(1)), depth)
    }
}

/// Tells threads to stop or to read at once, and lets them wait for it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<Orders>, Condvar)>);

#[derive(Debug, Default)]
struct Orders {
    stopped: bool,
    /// How often everyone was woken.
    wakes: u64,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The time is over.
    Out,
    /// Somebody learned of a change.
    Woken,
    /// It is time to end.
    Stopped,
}

impl Stop {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everyone who waits, for good.
    pub fn stop(&self) {
        self.orders().stopped = true;
        self.0.1.notify_all();
    }

    /// Has everyone who waits go on.
    pub fn wake(&self) {
        let mut orders = self.orders();
        orders.wakes = orders.wakes.wrapping_add(1);
        drop(orders);
        self.0.1.notify_all();
    }

    /// Orders to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.orders().stopped
    }

    /// How often everyone was woken so far.
    #[must_use]
    pub fn wakes(&self) -> u64 {
        self.orders().wakes
    }

    /// Waits until told to stop, woken more often than `wakes` times, or `at_most` this long.
    #[must_use]
    pub fn wait(&self, at_most: Duration, wakes: u64) -> Waited {
        let quiet = |told: &mut Orders| !told.stopped && told.wakes <= wakes;
        let (told, _) =
            self.0.1.wait_timeout_while(self.orders(), at_most, quiet).unwrap_or_else(PoisonError::into_inner);
        match *told {
            Orders { stopped: true, .. } => Waited::Stopped,
            Orders { wakes: now, .. } if now > wakes => Waited::Woken,
            _ => Waited::Out,
        }
    }
}

/// A collector that cannot open is tried again after this long at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// A pause of a random length, from the half of it to all: agents of a fleet do not come back to a server at once.
fn between(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) >> 40;
    pause.mul_f64(0.5 + f64::from(u32::try_from(random).unwrap_or(0)) / f64::from(1_u32 << 25))
}

/// Reads that somebody woke lie this far apart at least, so that a storm of changes costs no more than a shorter tick.
const BETWEEN_WAKES: Duration = Duration::from_millis(500);

/// One collector and all it is run with.
pub struct Driver {
    /// Which collector.
    pub entry: &'static Entry,
    /// Every collector's options.
    pub config: Config,
    /// When it reads.
    pub schedule: Schedule,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where it reports how it is doing.
    pub health: Arc<Health>,
    /// The node's name.
    pub node: String,
    /// Where its reports go.
    pub out: SyncSender<Message>,
    /// Ends it, or has it read at once.
    pub stop: Stop,
}

impl Driver {
    /// Starts the collector's thread. It ends soon after `stop`, or when `out` has no receiver any longer.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("collect-{}", self.entry.name)).spawn(move || self.run())
    }

    fn run(&self) {
        let context = Context { clock: Arc::clone(&self.clock), wake: self.stop.clone(), node: self.node.clone() };
        let mut pause = RETRY.0;
        while !self.stop.is_stopped() {
            match guarded(|| (self.entry.open)(&self.config, &context)) {
                Ok(mut collector) => {
                    let opened = self.clock.monotonic();
                    self.opened(&collector.found());
                    match self.read_until_failure(collector.as_mut()) {
                        None => return,
                        Some(error) => self.failed(&error),
                    }
                    // What opens and fails at once is not worth more haste than what does not open.
                    if self.clock.monotonic().saturating_sub(opened) > RETRY.1 {
                        pause = RETRY.0;
                    }
                }
                Err(error) => self.failed(&error),
            }
            // Others' changes do not mend what is wrong here.
            if self.stop.wait(between(pause), u64::MAX) == Waited::Stopped {
                return;
            }
            pause = pause.saturating_mul(2).min(RETRY.1);
        }
    }

    fn opened(&self, found: &str) {
        let found = one_line(found);
        if self.stop.is_stopped() {
            return; // another config's collector of this name may be up already
        }
        self.health.collector(self.entry.name, |state| {
            if !state.message.is_empty() {
                tracing::info!(collector = self.entry.name, "collector up: {found}");
            }
            (state.up, state.absent) = (true, false);
            state.message = found;
        });
    }

    fn failed(&self, error: &Error) {
        if self.stop.is_stopped() {
            return;
        }
        let message = one_line(&error.to_string());
        self.health.collector(self.entry.name, |state| {
            // Once when it goes down, not with every retry; the start-up summary tells of those never up.
            if state.up {
                tracing::warn!(collector = self.entry.name, error = message, "collector down: it will be tried again");
            }
            state.up = false;
            state.absent = matches!(error, Error::NotFound(_)) && self.entry.brings != Brings::Containers;
            // What is not installed does not fail.
            state.failures = state.failures.saturating_add(u64::from(!state.absent));
            state.message = message;
        });
        let _ = self.out.try_send(Message { collector: self.entry.name, depth: Depth::Inner, report: None });
    }

    /// Reads at once, then on every tick and whenever woken. `None` when told to stop.
    fn read_until_failure(&self, collector: &mut dyn Collector) -> Option<Error> {
        let mut depth = Depth::Full;
        loop {
            let wakes = self.stop.wakes();
            let before = self.clock.monotonic();
            let report = match guarded(|| collector.read(depth)) {
                Ok(report) => report,
                Err(error) => return Some(error),
            };
            let after = self.clock.monotonic();
            if self.stop.is_stopped() {
                return None;
            }
            self.health.update(|state| {
                if report.containers.is_some() {
                    state.containers_left_out = report.left_out;
                }
                let collector = state.collectors.entry(self.entry.name).or_default();
                collector.read_at = Some(after);
                collector.duration = Some(after.saturating_sub(before));
            });
            match self.out.try_send(Message { collector: self.entry.name, depth, report: Some(report) }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.health.collector(self.entry.name, |state| {
                    state.dropped = state.dropped.saturating_add(1);
                }),
                Err(TrySendError::Disconnected(_)) => return None,
            }
            depth = self.wait_for_next(wakes)?;
        }
    }

    /// Waits for the next tick, or until woken. `None` when told to stop.
    fn wait_for_next(&self, wakes: u64) -> Option<Depth> {
        let (wait, next) = self.schedule.next(self.clock.now().as_millisecond());
        let quiet = wait.min(BETWEEN_WAKES);
        match self.stop.wait(quiet, u64::MAX) {
            Waited::Stopped => return None,
            _ if quiet == wait => return Some(next),
            _ => {}
        }
        match self.stop.wait(wait.saturating_sub(quiet), wakes) {
            Waited::Stopped => None,
            Waited::Woken => Some(Depth::Inner),
            Waited::Out => Some(next),
        }
    }
}

/// What others say, fit for a line of ours: engines and kernels may answer anything, at any length.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().count() > LONGEST { line + "…" } else { line }
}

/// A collector that panics is a collector that failed.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Failed("panicked; this is a bug in plumbline".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::FixedClock;

    #[test]
    fn minutes_begin_with_a_full_tick() {
        let schedule = Schedule { inner: Duration::from_secs(1), full: Duration::from_secs(10) };
        assert_eq!(schedule.next(59_250), (Duration::from_millis(750), Depth::Full));
        assert_eq!(schedule.next(60_000), (Duration::from_secs(1), Depth::Inner));
        assert_eq!(schedule.next(-500), (Duration::from_millis(500), Depth::Full));
    }

    proptest! {
        #[test]
        fn the_next_tick_is_always_ahead_and_near(now in -1_000_000_000..1_000_000_000_000_i64, inner in 1..100_000_u64, times in 1..100_u32) {
            let inner = Duration::from_millis(inner);
            let (wait, _) = Schedule { inner, full: inner * times }.next(now);
            prop_assert!(wait > Duration::ZERO && wait <= inner);
        }
    }

    struct Flaky(u32);

    impl Collector for Flaky {
        fn found(&self) -> String {
            "flaky".to_owned()
        }

        fn read(&mut self, _: Depth) -> Result<Report, Error> {
            self.0 += 1;
            assert!(self.0 < 3, "no third time");
            Ok(Report::default())
        }
    }

    const FLAKY: Entry =
        Entry { name: "flaky", without: "nothing", brings: Brings::Devices, open: |_, _| Ok(Box::new(Flaky(0))) };

    #[test]
    fn pauses_differ_and_are_no_longer_than_said() {
        let pauses: Vec<Duration> = (0..64).map(|_| between(Duration::from_secs(2))).collect();
        assert!(pauses.iter().all(|pause| (1.0..=2.0).contains(&pause.as_secs_f64())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn what_others_say_stays_on_a_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(one_line(&"x".repeat(1000)).chars().count(), 301);
    }

    #[test]
    fn a_collector_that_panics_goes_down_and_is_opened_anew() {
        static ENTRY: Entry = FLAKY;
        let (out, messages) = sync_channel(64);
        let (health, stop) = (Arc::new(Health::default()), Stop::default());
        let schedule = Schedule { inner: Duration::from_millis(1), full: Duration::from_millis(1) };
        let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        let driver = Driver {
            entry: &ENTRY,
            config: Config::default(),
            schedule,
            clock,
            health: Arc::clone(&health),
            node: "n".to_owned(),
            out,
            stop: stop.clone(),
        };
        let thread = driver.spawn().expect("a thread");
        let reports: Vec<bool> = messages.iter().take(5).map(|message| message.report.is_some()).collect();
        assert_eq!(reports, [true, true, false, true, true], "two reads, down, two reads");
        stop.stop();
        thread.join().expect("a clean end");
        assert!(health.state().collectors["flaky"].failures >= 1);
    }
}
