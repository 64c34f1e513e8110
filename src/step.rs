//! What is known of the node, and the one function by which it changes: an event and what others know go in with the time, and out come
//! the snapshot, the points made of it, and the rows to be written.
//!
//! Pure: `agent` brings the events, writes the rows and makes the snapshot known. The same events give the same snapshots.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::alert::steady::Alerts;
use crate::analysis::State;
use crate::clock::Moment;
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::metric::Point;
use crate::model::minute::Traffic;
use crate::model::view::ModelsView;
use crate::reading::{Depth, Report};
use crate::rightsize::review::Review;
use crate::snapshot::Snapshot;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A collector has read.
    Report {
        /// Which.
        collector: &'static str,
        /// All that it knows now.
        report: Report,
        /// How much it read.
        depth: Depth,
    },
    /// A collector is down, or switched off.
    Lost {
        /// Which.
        collector: &'static str,
    },
    /// Nothing for a while.
    Silence,
}

/// What others know at that time.
#[derive(Debug)]
pub struct Inputs<F> {
    /// The models.
    pub models: Arc<ModelsView>,
    /// What the history says of sizes and money.
    pub review: Option<Arc<Review>>,
    /// One of the two is another than at the step before.
    pub news: bool,
    /// What is still to be expected of collectors.
    pub expected: Expected,
    /// The agent's own points; asked for only where points are made.
    pub own: F,
}

/// What is to be expected of collectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// A runtime is up, or has not said yet whether it is: newcomers will be named.
    pub names: bool,
    /// Somebody is meant to read the tree of containers.
    pub tree: bool,
    /// They are up, or have not said yet whether they are.
    pub tree_coming: bool,
}

/// Rows of minutes that closed.
#[derive(Debug, Default, PartialEq)]
pub struct Rows {
    /// Of containers.
    pub containers: Vec<MinuteRow>,
    /// Of GPUs.
    pub gpus: Vec<GpuRow>,
    /// Of models.
    pub models: Vec<ModelRow>,
}

/// What follows from a step.
#[derive(Debug, Default)]
pub struct Step {
    /// All that is known, where it is worth telling.
    pub snapshot: Option<Snapshot>,
    /// What was measured and concluded as points, and the agent's own, where they are worth sending.
    pub points: Option<(Vec<Point>, Vec<Point>)>,
    /// An alert came, went or changed its state.
    pub alerts_changed: bool,
    /// To be written.
    pub rows: Rows,
}

/// All that is known between steps.
#[derive(Debug)]
pub struct NodeState {
    node: String,
    full_tick: Duration,
    analysis: State,
    traffic: Traffic,
    alerts: Alerts,
    /// Rows that no step has given out yet: a panic behind them loses nothing.
    rows: Rows,
    /// When points were last made.
    pointed: Duration,
    /// Others know more than the last snapshot has.
    news: bool,
    /// A newcomer waited for its name when the last snapshot was made.
    waiting: bool,
    /// Everything that can be read has been read once.
    ready: bool,
}

impl NodeState {
    /// Nothing known but what `analysis` and `alerts` begin with.
    #[must_use]
    pub fn new(node: String, full_tick: Duration, analysis: State, alerts: Alerts, now: Timestamp) -> Self {
        let (traffic, rows) = (Traffic::new(now), Rows::default());
        Self {
            node,
            full_tick,
            analysis,
            traffic,
            alerts,
            rows,
            pointed: Duration::ZERO,
            news: false,
            waiting: false,
            ready: false,
        }
    }

    /// Forgets what collectors said, as after a panic: it is gathered anew from `analysis` on. What was concluded stands, and so does the
    /// open minute, as far as it can still be closed.
    pub fn restart(&mut self, analysis: State) {
        let mut old = std::mem::replace(&mut self.analysis, analysis);
        if let Ok((containers, gpus)) = catch_unwind(AssertUnwindSafe(|| (old.finish(), old.finish_gpus()))) {
            self.keep(containers, gpus);
        }
    }

    /// The alerts, for those who keep them and give them other rules.
    pub fn alerts(&mut self) -> &mut Alerts {
        &mut self.alerts
    }

    /// Takes the span of the full tick and the bound of containers anew.
    pub fn configure(&mut self, full_tick: Duration, max_containers: usize) {
        self.full_tick = full_tick;
        self.analysis.configure(full_tick, max_containers);
    }

    /// Takes an event in. What follows from it is told at once where it matters: names and limits that changed, a reading of the tree.
    pub fn step<F: FnOnce() -> Vec<Point>>(&mut self, event: Event, inputs: Inputs<F>, now: Moment) -> Step {
        let mut step = Step::default();
        self.news |= inputs.news;
        let (tells, with_points) = match event {
            Event::Report { collector, report, depth } => {
                let leads = report.containers.is_some() || !self.analysis.reads_tree();
                let outcome = self.analysis.absorb(collector, report, now);
                self.keep(outcome.rows, outcome.gpu_rows);
                (leads || outcome.changed, outcome.changed || (leads && depth == Depth::Full))
            }
            Event::Lost { collector } => {
                let outcome = self.analysis.lose(collector, now);
                self.keep(outcome.rows, outcome.gpu_rows);
                (true, outcome.changed)
            }
            Event::Silence if self.waiting || !self.ready => (true, true),
            // No reading may come for long, or ever; models go on.
            Event::Silence => {
                let due = now.monotonic.saturating_sub(self.pointed) > self.full_tick;
                (due || self.news, due)
            }
        };
        if tells {
            self.tell(with_points, inputs, now, &mut step);
        }
        step.rows = std::mem::take(&mut self.rows);
        step
    }

    fn keep(&mut self, containers: Vec<MinuteRow>, gpus: Vec<GpuRow>) {
        self.rows.containers.extend(containers);
        self.rows.gpus.extend(gpus);
    }

    /// Makes the snapshot, and its points too where they are worth sending.
    fn tell<F: FnOnce() -> Vec<Point>>(&mut self, with_points: bool, inputs: Inputs<F>, now: Moment, step: &mut Step) {
        let Inputs { models, review, expected, own, .. } = inputs;
        self.news = false;
        let waited = std::mem::replace(&mut self.waiting, self.analysis.is_waiting(now));
        let seen = self.analysis.snapshot(now, expected.names);
        let tree_to_come = expected.tree_coming && !self.analysis.has_read();
        let was_ready = self.ready;
        self.ready |= (seen.ready || !expected.tree) && !tree_to_come;
        let join = |seen: Snapshot, alerts: &Alerts| seen.joined(Arc::clone(&models), review.clone(), alerts.view());
        let mut snapshot = join(Snapshot { ready: self.ready, ..seen }, &self.alerts);
        if self.ready && (with_points || waited || !was_ready) {
            let (measured, mut own) = (snapshot.points(), own());
            self.rows.models.extend(self.traffic.step(&self.node, &models, now.wall));
            let all: Vec<&Point> = measured.iter().chain(&own).collect();
            step.alerts_changed = self.alerts.step(&all, now);
            own.extend(self.alerts.view().points(now.wall));
            self.pointed = now.monotonic;
            snapshot = join(snapshot, &self.alerts);
            step.points = Some((measured, own));
        }
        snapshot.traffic = self.traffic.recent();
        step.snapshot = Some(snapshot);
    }

    /// Closes the open minute, as at the end. What it holds so far becomes its rows.
    pub fn finish(&mut self, models: &ModelsView) -> Rows {
        let (containers, gpus) = (self.analysis.finish(), self.analysis.finish_gpus());
        self.keep(containers, gpus);
        self.rows.models.extend(self.traffic.finish(&self.node, models));
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alert::engine::{Engine, Kept};
    use crate::identity::ContainerClaim;
    use crate::identity::claim::DOCKER;
    use crate::reading::ContainerReading;
    use crate::signal::Signals;
    use crate::signal::container::id;

    const TICK: Duration = Duration::from_secs(10);
    const EXPECTED: Expected = Expected { names: true, tree: true, tree_coming: true };

    fn moment(second: u32) -> Moment {
        let monotonic = Duration::from_secs(second.into());
        Moment { wall: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(second.into()), monotonic }
    }

    fn state() -> NodeState {
        let engine = Engine::new("n".to_owned(), Vec::new(), 10, Kept::default(), Timestamp::UNIX_EPOCH);
        let alerts = Alerts::new(engine, moment(0));
        NodeState::new("n".to_owned(), TICK, State::new("n".to_owned(), TICK, 10), alerts, Timestamp::UNIX_EPOCH)
    }

    fn inputs(news: bool) -> Inputs<fn() -> Vec<Point>> {
        Inputs { models: Arc::default(), review: None, news, expected: EXPECTED, own: Vec::new }
    }

    fn tree(second: u32, ids: &[u8], depth: Depth) -> Event {
        let reading = |name: &u8| {
            let mut signals = Signals::default();
            signals.values.count(id("cpu.time"), u64::from(second) * 1_000_000);
            let (runtime, pod_uid, started, at) = (None, None, None, moment(second));
            ContainerReading { id: name.to_string(), runtime, pod_uid, at, started, depth, signals }
        };
        let containers = Some(ids.iter().map(reading).collect());
        Event::Report { collector: "cgroup", report: Report { containers, ..Report::default() }, depth }
    }

    fn names(ids: &[u8]) -> Event {
        let claim = |id: &u8| {
            let (id, name) = (id.to_string(), Some(format!("c{id}")));
            Arc::new(ContainerClaim {
                about: crate::identity::About::Container(id),
                source: DOCKER,
                name,
                ..ContainerClaim::default()
            })
        };
        let claims = Some(ids.iter().map(claim).collect());
        Event::Report { collector: DOCKER, report: Report { claims, ..Report::default() }, depth: Depth::Inner }
    }

    #[test]
    fn nothing_is_ready_before_the_tree_was_read_and_points_come_with_what_changed() {
        let mut state = state();
        let first = state.step(names(&[1]), inputs(false), moment(0));
        assert!(first.points.is_none() && first.snapshot.is_some_and(|snapshot| !snapshot.ready));
        let read = state.step(tree(1, &[1], Depth::Full), inputs(false), moment(1));
        assert!(read.points.is_some() && read.snapshot.is_some_and(|snapshot| snapshot.ready));
        let inner = state.step(tree(2, &[1], Depth::Inner), inputs(false), moment(2));
        assert!(inner.snapshot.is_some() && inner.points.is_some(), "its usage is known for the first time");
        let inner = state.step(tree(3, &[1], Depth::Inner), inputs(false), moment(3));
        assert!(inner.snapshot.is_some() && inner.points.is_none(), "an inner tick is shown and not sent");
        assert!(state.step(Event::Silence, inputs(false), moment(4)).snapshot.is_none());
        let same = state.step(names(&[1]), inputs(true), moment(5));
        assert!(same.snapshot.is_none(), "nothing new of containers is nothing to tell");
        let silence = state.step(Event::Silence, inputs(false), moment(6));
        assert!(silence.snapshot.is_some(), "though what is new of models is told with the next silence");
        assert!(
            state.step(Event::Silence, inputs(false), moment(30)).points.is_some(),
            "a full tick without a reading"
        );
        let lost = state.step(Event::Lost { collector: "cgroup" }, inputs(false), moment(31));
        assert_eq!(lost.rows.containers.len(), 1, "what was sampled is kept");
    }

    #[test]
    fn a_panic_behind_a_minute_does_not_lose_it() {
        let mut state = state();
        for second in [0, 30] {
            state.step(tree(second, &[1], Depth::Full), inputs(false), moment(second));
        }
        let Inputs { models, review, news, expected, .. } = inputs(false);
        let broken = Inputs { models, review, news, expected, own: || -> Vec<Point> { panic!("a bug") } };
        let stepped = catch_unwind(AssertUnwindSafe(|| state.step(tree(61, &[1], Depth::Full), broken, moment(61))));
        assert!(stepped.is_err());
        state.restart(State::new("n".to_owned(), TICK, 10));
        let rows = state.step(Event::Silence, inputs(false), moment(62)).rows.containers;
        let minutes: Vec<i64> = rows.iter().map(|row| row.minute.as_second()).collect();
        assert_eq!(minutes, [0, 60], "the minute that closed with it, and what had begun of the next");
    }

    proptest! {
        /// The same events at the same times give the same snapshots, points and rows, however often.
        #[test]
        fn a_replay_is_the_same(events in prop::collection::vec((0..4_u8, prop::collection::btree_set(0..4_u8, 0..4)), 1..40)) {
            let run = || {
                let mut state = state();
                let mut second = 0;
                let step = |(kind, ids): &(u8, std::collections::BTreeSet<u8>)| {
                    second += 7;
                    let ids: Vec<u8> = ids.iter().copied().collect();
                    let event = match kind {
                        0 => names(&ids),
                        1 => tree(second, &ids, Depth::Full),
                        2 => tree(second, &ids, Depth::Inner),
                        _ => Event::Silence,
                    };
                    let step = state.step(event, inputs(false), moment(second));
                    format!("{:?} {:?} {:?}", step.snapshot, step.points, step.rows)
                };
                events.iter().map(step).collect::<Vec<_>>()
            };
            prop_assert_eq!(run(), run());
        }
    }
}
