//! Joins what the collectors report into what is known: `absorb` a report, take a [`Snapshot`], write the minute's rows.
//!
//! Pure: state and inputs in, results out, the time as an argument. Reading and sending are left to the edges.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod claims;
mod container;
pub mod gpu;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Moment;
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::identity::node::{Machine, NodeClaim};
use crate::identity::{About, ContainerClaim, Source, Sourced};
use crate::reading::{ContainerReading, Report};
use crate::signal::container::id;
use crate::snapshot::{ContainerView, ExitView, GpuView, NodeView, Snapshot};
use claims::Claimed;
use container::{Container, row_identity};
use gpu::{Gpus, PastStates};

/// A GPU that was not read for this long, or three full ticks, is unknown.
const STALE: Duration = Duration::from_secs(30);

/// So long after its end a container may still get its name.
const LATE_NAME: Duration = Duration::from_secs(5);

/// Who was never seen and ended longer ago than this ended before the agent began.
const SHORT_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// What changed with a report.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows of minutes that closed.
    pub rows: Vec<MinuteRow>,
    /// Rows of GPUs' minutes that closed.
    pub gpu_rows: Vec<GpuRow>,
    /// Containers came, went or changed their names or limits: worth telling at once.
    pub changed: bool,
}

/// All state between reports.
#[derive(Debug)]
pub struct State {
    node: String,
    full_tick: Duration,
    max_containers: usize,
    /// What each collector claims now.
    claims: BTreeMap<&'static str, Claimed>,
    /// Counts what may change who speaks of whom: another claim, another container.
    generation: u64,
    /// As of which generation each collector's claims were matched with containers.
    matched: BTreeMap<&'static str, u64>,
    /// Those that are down: what they claimed confirms nothing.
    lost: HashSet<&'static str>,
    /// The lists that is from: the same list again changes nothing.
    lists: BTreeMap<&'static str, Arc<[Arc<ContainerClaim>]>>,
    /// What each collector says of the node, when it last did, and whether it still does.
    nodes: BTreeMap<&'static str, (Arc<NodeClaim>, Timestamp, bool)>,
    machine: Option<Machine>,
    containers: BTreeMap<String, Container>,
    exited: Vec<Exited>,
    /// Containers whose kill is told of by a source: each is told on once.
    buried: HashSet<String>,
    /// By the collector that reads them.
    gpus: BTreeMap<&'static str, Gpus>,
    /// GPUs' minutes before this state began.
    past: PastStates,
    /// The collector that reads the tree.
    reader: Option<&'static str>,
    /// The containers of the last whole reading of the tree.
    seen: HashSet<String>,
    /// The open minute, in minutes since the epoch.
    minute: Option<i64>,
    read_once: bool,
    /// When the newest reading was made.
    read_at: Duration,
    /// The tick before this one, while ticks follow each other; `None` after a gap.
    last_tick: Option<Timestamp>,
}

#[derive(Debug)]
struct Exited {
    at: Moment,
    id: String,
    view: ContainerView,
}

impl Exited {
    /// It lived for less than a moment, and the name that its pod has for it is still to come.
    fn awaits_name(&self, now: Moment) -> bool {
        let in_known_pod = self.view.pod.as_ref().is_some_and(|pod| pod.name.is_some());
        let nameless = in_known_pod && self.view.pod_container.is_none() && !self.view.is_sandbox();
        nameless && now.monotonic.saturating_sub(self.at.monotonic) < LATE_NAME
    }

    fn view(&self) -> ExitView {
        let mut last = self.view.clone();
        last.run.ended = Some(self.at.wall);
        ExitView { at: self.at.wall, last }
    }
}

impl State {
    /// Nothing known yet. `full_tick` is the span CPU usage is averaged over; no more than `max_containers` are shown.
    #[must_use]
    pub fn new(node: String, full_tick: Duration, max_containers: usize) -> Self {
        Self {
            node,
            full_tick,
            max_containers,
            claims: BTreeMap::new(),
            generation: 0,
            matched: BTreeMap::new(),
            lost: HashSet::new(),
            lists: BTreeMap::new(),
            nodes: BTreeMap::new(),
            machine: None,
            containers: BTreeMap::new(),
            exited: Vec::new(),
            buried: HashSet::new(),
            gpus: BTreeMap::new(),
            past: PastStates::default(),
            reader: None,
            seen: HashSet::new(),
            minute: None,
            read_once: false,
            read_at: Duration::ZERO,
            last_tick: None,
        }
    }

    /// Takes in what the history has of before.
    #[must_use]
    pub fn recalling(self, past: PastStates) -> Self {
        Self { past, ..self }
    }

    /// Takes the span of the full tick and the bound of containers anew.
    pub fn configure(&mut self, full_tick: Duration, max_containers: usize) {
        self.full_tick = full_tick;
        self.max_containers = max_containers;
    }

    /// Some collector reads the tree now.
    #[must_use]
    pub fn reads_tree(&self) -> bool {
        self.reader.is_some()
    }

    /// The tree has been read at least once.
    #[must_use]
    pub fn has_read(&self) -> bool {
        self.read_once
    }

    /// Takes in what `collector` reports.
    pub fn absorb(&mut self, collector: &'static str, report: Report, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(gpus) = report.gpus {
            outcome.changed |= !self.gpus.contains_key(collector);
            outcome.gpu_rows = self.gpus.entry(collector).or_default().take(&self.node, &self.past, gpus, now.wall);
        }
        if let Some(node) = report.node {
            let known = self.nodes.insert(collector, (Arc::clone(&node), now.wall, true));
            outcome.changed |= known.is_none_or(|(known, _, fresh)| !fresh || known != node);
        }
        self.machine = report.machine.or(self.machine);
        if let Some(list) = report.claims {
            outcome.changed |= self.take_claims(collector, &list, now);
        }
        // A reading that was made before the last one taken comes from a collector that has been replaced.
        let newest = |readings: &[ContainerReading]| readings.iter().map(|r| r.at.monotonic).max();
        if let Some(readings) = report.containers.filter(|r| newest(r).is_none_or(|at| at >= self.read_at)) {
            self.read_at = newest(&readings).unwrap_or(self.read_at);
            self.reader = Some(collector);
            outcome.changed |= self.take_readings(&readings, now, &mut outcome.rows);
        }
        outcome
    }

    /// The collector is down: what it claims is confirmed by nobody. Names stay with the containers that have them, with their age.
    pub fn lose(&mut self, collector: &'static str, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        self.lists.remove(collector);
        if let Some((_, _, fresh)) = self.nodes.get_mut(collector) {
            *fresh = false;
        }
        // What it claimed is kept, with its age: a container that comes now may still be of a pod that it knew.
        self.lost.insert(collector);
        self.matched.remove(collector);
        let sources: HashSet<Source> =
            self.claims.get(collector).into_iter().flatten().map(|(_, c)| c.source).collect();
        for container in self.containers.values_mut() {
            for source in &sources {
                container.claims.let_age(source);
            }
        }
        if let Some(gpus) = self.gpus.get_mut(collector) {
            outcome.gpu_rows = gpus.lose(&self.node);
        }
        if self.reader == Some(collector) {
            (self.reader, self.last_tick) = (None, None);
            self.seen.clear();
            outcome.rows = self.finish();
            for container in self.containers.values_mut() {
                container.forget_readings();
            }
        }
        outcome.changed = self.part_with_the_gone(now);
        outcome
    }

    /// Takes all that a collector claims now. Returns whether that differs from before.
    fn take_claims(&mut self, collector: &'static str, list: &Arc<[Arc<ContainerClaim>]>, now: Moment) -> bool {
        let same = self.lists.get(collector).is_some_and(|before| Arc::ptr_eq(before, list));
        let mut changed = false;
        let mut before = Claimed::new();
        if !same {
            let claimed = list.iter().map(|claim| (claim.about.clone(), Arc::clone(claim))).collect();
            before = self.claims.insert(collector, claimed).unwrap_or_default();
            self.lost.remove(collector);
            changed = before != self.claims[collector];
            self.lists.insert(collector, Arc::clone(list));
        }
        for claim in list.iter().filter(|claim| claim.says_it_runs()) {
            let About::Container(id) = &claim.about else { continue };
            // A source that is slow to notice an end does not bring back who is known to have ended.
            let is_old = |at: Timestamp| claim.started.is_none_or(|started| started <= at);
            let ended = self.exited.iter().any(|exited| exited.id == *id && is_old(exited.at.wall));
            if !ended && !self.containers.contains_key(id) && self.containers.len() < self.max_containers {
                self.generation = self.generation.wrapping_add(1);
                self.containers.insert(id.clone(), Container::new(now, begins_now(self.last_tick, claim.started)));
            }
        }
        let claimed = &self.claims[collector];
        if changed || self.matched.get(collector) != Some(&self.generation) {
            for (id, container) in &mut self.containers {
                if let Some(claim) = claims::of(claimed, id, container) {
                    container.claims.take(Arc::clone(claim), now.wall);
                } else if let Some(claim) = claims::of(&before, id, container) {
                    container.claims.let_age(claim.source);
                }
            }
            // What others say may name more of those that this one speaks of by name.
            self.generation = self.generation.wrapping_add(changed.into());
            self.matched.insert(collector, self.generation);
        } else {
            // Nothing is new, neither here nor elsewhere: all of it is said once more.
            let source = list.first().map_or(collector, |claim| claim.source);
            for container in self.containers.values_mut() {
                container.claims.confirm(source, now.wall);
            }
        }
        if changed {
            claims::find_sandboxes(&mut self.containers, now);
            self.bury(list, now);
        }
        // What a runtime tells of a container's end may come after the end.
        for exited in &mut self.exited {
            if let Some(container) = self.containers.get(&exited.id).filter(|container| !container.running) {
                exited.view = container.view(&exited.id, now.wall);
            }
        }
        self.part_with_the_gone(now) || changed
    }

    /// A container that was killed for want of memory between two readings was never seen. Its kill is told and kept all the same, once.
    fn bury(&mut self, list: &[Arc<ContainerClaim>], now: Moment) {
        let Some(last) = self.last_tick else { return };
        let killed = list.iter().filter_map(|claim| {
            let About::Container(container) = &claim.about else { return None };
            // Those of before this agent were counted by another, or by nobody.
            let lately = claim.finished.is_some_and(|at| last.duration_since(at) < SHORT_LIFE);
            (lately && claim.oom_events > 0).then_some((container, claim))
        });
        let mut told = HashSet::new();
        for (name, claim) in killed {
            told.insert(name.clone());
            let counted = |exited: &Exited| {
                exited.view.signals.get(const { id("memory.oom_kills") }).is_some_and(|kills| kills > 0)
            };
            let told_of = self.exited.iter().any(|exited| exited.id == *name && counted(exited));
            if told_of || self.containers.contains_key(name) || self.buried.contains(name) {
                continue;
            }
            // Its end was seen, and its last minute is written: the kill that comes late is the next minute's.
            self.exited.retain(|exited| exited.id != *name);
            let container = Container::of_the_dead(name, claim, now, self.full_tick);
            self.exited.push(Exited { at: now, id: name.clone(), view: container.view(name, now.wall) });
            self.containers.insert(name.clone(), container);
        }
        // What was seen alive is told by its end; it must not be told again when it is forgotten.
        self.buried = told;
    }

    /// Brings the containers in line with a whole reading of the tree. Returns whether any came or went, or has its
    /// usage known for the first time.
    fn take_readings(&mut self, readings: &[ContainerReading], now: Moment, rows: &mut Vec<MinuteRow>) -> bool {
        let minute = now.wall.as_second().div_euclid(60);
        let closing = self.minute.is_some_and(|open| open != minute);
        self.seen = readings.iter().map(|r| r.id.clone()).collect();
        let (mut changed, mut met) = (false, false);
        for reading in readings {
            let container = self.containers.entry(reading.id.clone()).or_insert_with(|| {
                changed = true;
                Container::new(now, begins_now(self.last_tick, reading.started))
            });
            let is_new = container.reading.is_none();
            changed |= is_new;
            let usage_was_known = container.trail.rate().is_some();
            container.take(reading, self.full_tick);
            changed |= !usage_was_known && container.trail.rate().is_some();
            if is_new {
                for (collector, claimed) in &self.claims {
                    if let Some(claim) = claims::of(claimed, &reading.id, container) {
                        container.claims.take(Arc::clone(claim), now.wall);
                        if self.lost.contains(collector) {
                            container.claims.let_age(claim.source);
                        }
                    }
                }
                met = true;
                self.generation = self.generation.wrapping_add(1);
            }
        }
        // Who waits for a name does not wait for ever.
        if met || self.containers.values().any(Container::is_nameless) {
            claims::find_sandboxes(&mut self.containers, now);
        }
        changed |= self.part_with_the_gone(now);
        if closing && let Some(open) = self.minute {
            self.close_minute(open, rows);
        }
        for reading in readings {
            if let Some(container) = self.containers.get_mut(&reading.id) {
                container.minute.sample(&reading.signals.values);
            }
        }
        self.minute = Some(minute);
        self.read_once = true;
        self.last_tick = Some(now.wall);
        changed
    }

    /// Containers that neither the tree nor a runtime knows any longer stop being shown. Their minute is still to be
    /// written, so they stay until it closes.
    fn part_with_the_gone(&mut self, now: Moment) -> bool {
        let mut changed = false;
        for (id, container) in &mut self.containers {
            let about = About::Container(id.clone());
            let told = self.claims.iter().filter(|(collector, _)| !self.lost.contains(*collector));
            let mut of_it = told.filter_map(|(_, claimed)| claimed.get(&about));
            let told_to_run = of_it.any(|claim| claim.says_it_runs());
            // Told to run but not in the tree: only what was never there, for want of a tree or of a right to see it.
            let running = self.seen.contains(id) || (told_to_run && container.reading.is_none());
            if container.running && !running {
                changed = true;
                // The runtime may tell of an OOM after the last reading.
                container.count_again();
                let view = container.view(id, now.wall);
                self.exited.retain(|exited| exited.id != *id);
                self.exited.push(Exited { at: now, id: id.clone(), view });
            }
            changed |= running && !container.running;
            container.running = running;
        }
        self.containers.retain(|_, container| container.running || container.reading.is_some());
        let forget_after = self.full_tick.saturating_mul(2);
        self.exited.retain(|exited| now.monotonic.saturating_sub(exited.at.monotonic) < forget_after);
        changed
    }

    fn close_minute(&mut self, open: i64, rows: &mut Vec<MinuteRow>) {
        let Ok(minute) = Timestamp::from_second(open.saturating_mul(60)) else { return };
        for (id, container) in &mut self.containers {
            if !container.running {
                container.count_again();
            }
            let view = container.view(id, minute);
            if let Some(summary) = container.minute.close(&view.signals.values) {
                rows.push(MinuteRow { minute, identity: row_identity(&self.node, &view), summary });
            }
        }
        self.containers.retain(|_, container| container.running);
    }

    /// Closes the open minute, as at the end. What it holds so far becomes its rows.
    pub fn finish(&mut self) -> Vec<MinuteRow> {
        let mut rows = Vec::new();
        if let Some(open) = self.minute.take() {
            self.close_minute(open, &mut rows);
        }
        rows
    }

    /// The same for GPUs.
    pub fn finish_gpus(&mut self) -> Vec<GpuRow> {
        self.gpus.values_mut().flat_map(|gpus| gpus.close(&self.node)).collect()
    }

    /// Some container is not shown yet because its name is awaited.
    #[must_use]
    pub fn is_waiting(&self, now: Moment) -> bool {
        self.containers.values().any(|container| container.awaits_name(now))
    }

    /// All that is known now. While `expect_names` (a runtime is there to tell them), newcomers without a name are
    /// held back for a moment, so that no series begins under an id and goes on under a name.
    #[must_use]
    pub fn snapshot(&self, now: Moment, expect_names: bool) -> Snapshot {
        let mut containers: Vec<ContainerView> = self
            .containers
            .iter()
            .filter(|(_, container)| container.running && !(expect_names && container.awaits_name(now)))
            .map(|(id, container)| container.view(id, now.wall))
            .collect();
        containers.sort_by_key(|container| container.read_at.is_none());
        containers.truncate(self.max_containers);
        containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let stale = self.full_tick.saturating_mul(3).max(STALE);
        let mut gpus: Vec<GpuView> =
            self.gpus.iter().flat_map(|(source, gpus)| gpus.views(source, now, stale)).collect();
        let claimed = |id: &str| self.containers.get(id)?.claims.field(|claim| claim.devices.clone());
        gpu::join(&mut containers, &mut gpus, claimed);
        let told = self.nodes.iter().min_by_key(|(_, (_, at, fresh))| (!fresh, std::cmp::Reverse(*at)));
        let told = told.map(|(source, (claim, at, _))| Sourced { value: Arc::clone(claim), source, at: *at });
        let resources = told.map(|claim| NodeView::new(&claim, &containers));
        let exited =
            self.exited.iter().filter(|e| !containers.iter().any(|c| c.id == e.view.id) && !e.awaits_name(now));
        Snapshot {
            as_of: now.wall,
            exited: exited.map(Exited::view).collect(),
            ready: !(expect_names && self.is_waiting(now)),
            gpus,
            containers,
            resources,
            machine: self.machine,
            ..Snapshot::empty(self.node.clone(), now.wall)
        }
    }
}

/// A container met for the first time began since the tick before, so that all its counters count is new. One that was
/// there and not seen (a gap, the bound of containers) has counted before.
fn begins_now(last_tick: Option<Timestamp>, started: Option<Timestamp>) -> bool {
    /// Start times are told in hundredths of a second, and a runtime tells of a start a little after it.
    const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
    last_tick.is_some_and(|last| started.is_none_or(|started| last.duration_since(started) < TOLERANCE))
}

#[cfg(test)]
mod tests;
