//! Keeps the state of alerts over restarts, and makes it known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use crate::alert::engine::{Engine, Kept};
use crate::alert::steady::Alerts;
use crate::alert::view::AlertsView;
use crate::clock::Moment;
use crate::config::Config;
use crate::export::Delivered;
use crate::store::state;

/// The state is kept at each change, and so often without one.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// Where it is kept, below the data folder.
pub const FILE: &str = "alerts.json";

pub struct Alerting {
    path: PathBuf,
    out: watch::Sender<Arc<AlertsView>>,
    delivered: Arc<Delivered>,
    kept: Duration,
    /// The state could be written the last time.
    written: bool,
}

impl Alerting {
    /// The alerts with the state that the agent before this one kept; events that it did not get told come once more.
    pub fn recall(
        config: &Config,
        node: &str,
        data: &Path,
        now: Moment,
        delivered: Arc<Delivered>,
        out: watch::Sender<Arc<AlertsView>>,
    ) -> (Self, Alerts) {
        let path = data.join(FILE);
        let kept = state::read::<Kept>(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, "the state of alerts cannot be read: it begins anew");
            None
        });
        let rules = config.alerting.rules(&config.alert);
        let most = config.alerting.max_alerts;
        let kept = kept.unwrap_or_default();
        // What waits is for the collector; standard output has had it.
        delivered.stdout.store(kept.sequence, Ordering::Relaxed);
        let before_first = kept.events.first().map_or(kept.sequence, |event| event.sequence.saturating_sub(1));
        delivered.otlp.store(before_first, Ordering::Relaxed);
        let alerts = Alerts::new(Engine::new(node.to_owned(), rules, most, kept, now.wall), now);
        out.send_replace(alerts.view());
        (Self { path, out, delivered, kept: now.monotonic, written: true }, alerts)
    }

    /// Makes them known after a step. `ours`: the data folder is held by this agent, so their state may be written.
    pub fn publish(&mut self, alerts: &mut Alerts, changed: bool, now: Moment, ours: bool) {
        self.out.send_replace(alerts.view());
        if ours && (changed || now.monotonic.saturating_sub(self.kept) >= KEEP_EVERY) {
            self.keep(alerts, now);
        }
    }

    /// Writes the state.
    pub fn keep(&mut self, alerts: &mut Alerts, now: Moment) {
        self.kept = now.monotonic;
        let result = state::write(&self.path, &alerts.kept(now, self.delivered.otlp.load(Ordering::Relaxed)));
        if let Err(error) = &result
            && self.written
        {
            tracing::warn!(%error, "the state of alerts cannot be kept: a restart would forget it");
        }
        self.written = result.is_ok();
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::alert::view::Alert;
    use crate::metric::Point;
    use crate::metric::{Number, Subject};

    const RULE: &str = "[alerting]\ndefaults = false\n[[alert]]\nname = \"R\"\nmetric = \"process.memory.usage\"\nabove = 1\n\
        for = \"20s\"\nmessage = \"m\"\n";

    fn point(value: u64) -> Point {
        let node = Arc::new(Subject::node());
        let found = crate::catalogue::named("process.memory.usage");
        Point::new(found.expect("a metric"), &node, vec![], Number::Int(value), None, Timestamp::UNIX_EPOCH)
    }

    /// So many seconds after the start, by a wall clock that is set so far ahead of where it began.
    fn moment(second: i64, set: i64) -> Moment {
        let wall = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second + set);
        Moment { wall, monotonic: Duration::from_secs(second.unsigned_abs() + 1000) }
    }

    /// The alerts, and who keeps them.
    struct Both(Alerting, Alerts);

    impl Both {
        fn step(&mut self, points: &[&Point], now: Moment) {
            let changed = self.1.step(points, now);
            self.0.publish(&mut self.1, changed, now, true);
        }

        fn keep(&mut self, now: Moment) {
            self.0.keep(&mut self.1, now);
        }

        fn view(&self) -> Arc<AlertsView> {
            Arc::clone(&self.0.out.borrow())
        }
    }

    fn alerting(data: &Path, now: Moment) -> Both {
        let config = Config::parse(RULE).expect("a config");
        let out = watch::Sender::new(Arc::default());
        let (alerting, alerts) = Alerting::recall(&config, "node-1", data, now, Arc::default(), out);
        Both(alerting, alerts)
    }

    fn only(alerting: &Both) -> Alert {
        alerting.view().alerts.first().expect("an alert").clone()
    }

    /// An hour that is set forward or back makes nothing fire, and what is shown then is right by the corrected clock.
    #[test]
    fn a_corrected_clock_corrects_what_is_shown() {
        for set in [3600, -3600, 1_700_000_000] {
            let data = tempfile::tempdir().expect("a folder");
            let mut alerting = alerting(data.path(), moment(0, 0));
            alerting.step(&[&point(2)], moment(0, 0));
            alerting.step(&[&point(2)], moment(10, set));
            let pending = only(&alerting);
            assert_eq!((pending.state.name(), pending.since), ("pending", moment(0, set).wall), "{set}");
            alerting.step(&[&point(2)], moment(20, set));
            let firing = only(&alerting);
            assert_eq!((firing.since, firing.fired), (moment(0, set).wall, Some(moment(20, set).wall)), "{set}");
            // Set again, while it fires; and over.
            alerting.step(&[&point(2)], moment(30, 2 * set));
            assert_eq!(only(&alerting).fired, Some(moment(20, 2 * set).wall));
            alerting.step(&[&point(0)], moment(40, 3 * set));
            let view = alerting.view();
            let over = &view.resolved[0];
            assert_eq!((over.fired, over.resolved), (Some(moment(20, 3 * set).wall), Some(moment(40, 3 * set).wall)));
            assert_eq!(
                view.events[0].at,
                moment(20, 3 * set).wall,
                "an event that waits is told by the corrected clock"
            );
        }
    }

    /// A second's slew is no correction: what is shown does not tremble.
    #[test]
    fn small_differences_move_nothing() {
        let data = tempfile::tempdir().expect("a folder");
        let mut alerting = alerting(data.path(), moment(0, 0));
        alerting.step(&[&point(2)], moment(0, 0));
        let mut slewed = moment(10, 0);
        slewed.wall += SignedDuration::from_millis(400);
        alerting.step(&[&point(2)], slewed);
        assert_eq!(only(&alerting).since, moment(0, 0).wall);
    }

    /// What is kept is by the wall clock, as a restart knows no other.
    #[test]
    fn a_restart_goes_on_by_the_corrected_clock() {
        let data = tempfile::tempdir().expect("a folder");
        let mut first = alerting(data.path(), moment(0, 0));
        for second in [0, 10, 20] {
            first.step(&[&point(2)], moment(second, if second > 0 { 86_400 } else { 0 }));
        }
        first.keep(moment(30, 86_400));
        let mut second = alerting(data.path(), moment(60, 86_400));
        second.step(&[&point(2)], moment(61, 86_400));
        assert_eq!(only(&second).fired, Some(moment(20, 86_400).wall));
        second.keep(moment(70, 86_400));
        // The clock was an hour fast all the while: what it wrote is as long ago as it was.
        let third = alerting(data.path(), moment(70, 82_800));
        assert_eq!(only(&third).fired, Some(moment(20, 82_800).wall));
    }
}
