//! One container between reports: what is known of it, its open minute, and the view of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::frame::RowIdentity;
use crate::identity::autoscaler;
use crate::identity::claim::{CGROUP, SANDBOX_NAME};
use crate::identity::{About, Claims, ContainerClaim, FieldSource, Pod, Role, Run, Sourced};
use crate::metric::Number;
use crate::minute::{Accumulator, Reading, Trail};
use crate::reading::{ContainerReading, Depth};
use crate::signal::container::{self as signals, INTERFACE, id};
use crate::signal::{Signals, Values};
use crate::snapshot::ContainerView;

/// How long a newcomer waits for its name before it is shown without one.
const NAME_GRACE: Duration = Duration::from_millis(800);
/// The same in a pod that is known: the kubelet tells of a restart with its next report.
const NAME_GRACE_IN_POD: Duration = Duration::from_secs(15);

/// A container on this node.
#[derive(Debug)]
pub struct Container {
    pub claims: Claims,
    pub reading: Option<ContainerReading>,
    /// The newest full reading of this run; inner ticks bring less.
    full: Signals<signals::Container>,
    full_at: Option<Timestamp>,
    pub trail: Trail,
    pub minute: Accumulator<signals::Container>,
    first_seen: Moment,
    /// Start of its oldest process, where its counters were seen to begin anew.
    begun_anew: Option<Timestamp>,
    pub running: bool,
    /// Nobody names it, and it holds its pod's namespaces.
    pub sandbox: bool,
}

impl Container {
    /// Met for the first time. `from_zero`: it began just now, so all its counters count is new.
    pub fn new(now: Moment, from_zero: bool) -> Self {
        Self {
            claims: Claims::default(),
            reading: None,
            full: Signals::default(),
            full_at: None,
            begun_anew: None,
            trail: Trail::default(),
            minute: Accumulator::new(from_zero),
            first_seen: now,
            running: true,
            sandbox: false,
        }
    }

    /// One that nobody saw alive, by the claim of its end: all that is known to have been counted in it is its kills.
    pub fn of_the_dead(id: &str, claim: &Arc<ContainerClaim>, now: Moment, full_tick: Duration) -> Self {
        let mut signals = Signals::default();
        signals.values.count(const { self::id("memory.oom_kills") }, claim.oom_events);
        let reading = ContainerReading {
            id: id.to_owned(),
            runtime: claim.runtime,
            pod_uid: claim.pod.as_ref().and_then(|pod| pod.uid.clone()),
            at: now,
            started: claim.started,
            depth: Depth::Full,
            signals,
        };
        let mut dead = Self::new(now, true);
        dead.take(&reading, full_tick);
        dead.claims.take(Arc::clone(claim), now.wall);
        dead.minute.sample(&reading.signals.values);
        dead.running = false;
        dead
    }

    /// When it was met.
    pub fn first_seen(&self) -> Timestamp {
        self.first_seen.wall
    }

    /// Somebody says when it began, or its processes do.
    pub fn start_is_known(&self) -> bool {
        let oldest = self.reading.as_ref().and_then(|reading| reading.started);
        oldest.is_some() || self.claims.field(|claim| claim.started).is_some()
    }

    /// It runs, and nobody says yet what it is.
    pub fn is_nameless(&self) -> bool {
        self.running && !self.sandbox && !self.has_name()
    }

    /// Somebody names it.
    pub fn has_name(&self) -> bool {
        self.claims.field(|claim| claim.name.as_ref()).is_some()
    }

    /// A source says that it is its pod's sandbox.
    pub fn is_sandbox_by_name(&self) -> bool {
        self.claims.field(|claim| claim.role).is_some_and(|role| role.value == Role::Sandbox)
    }

    /// It has no name yet, and one may still come.
    pub fn awaits_name(&self, now: Moment) -> bool {
        if !self.running || self.sandbox || self.has_name() {
            return false;
        }
        let in_known_pod = self.claims.pod().is_some_and(|pod| pod.value.name.is_some());
        let grace = if in_known_pod { NAME_GRACE_IN_POD } else { NAME_GRACE };
        now.monotonic.saturating_sub(self.first_seen.monotonic) < grace
    }

    /// Forgets its readings: nobody reads it any longer.
    pub fn forget_readings(&mut self) {
        self.reading = None;
        self.forget_run();
    }

    fn forget_run(&mut self) {
        self.full = Signals::default();
        self.full_at = None;
        self.trail = Trail::default();
    }

    /// Takes a reading in, counted but not yet sampled.
    pub fn take(&mut self, reading: &ContainerReading, full_tick: Duration) {
        let cpu_time = const { id("cpu.time") };
        let now = reading.signals.value(cpu_time);
        let last = self.reading.as_ref().and_then(|last| last.signals.value(cpu_time));
        if now.zip(last).is_some_and(|(now, last)| now < last) || !self.running {
            self.forget_run();
            self.begun_anew = reading.started;
        }
        if reading.depth == Depth::Full {
            self.full = reading.signals.clone();
            self.full_at = Some(reading.at.wall);
        }
        if let Some(now) = now {
            self.trail.push(reading.at.monotonic, now, full_tick);
        }
        self.count(reading, reading.signals.clone());
        if self.reading.is_none() {
            self.claims.take(Arc::new(by_path(reading)), reading.at.wall);
        }
        self.claims.confirm(CGROUP, reading.at.wall);
        self.reading = Some(reading.clone());
    }

    /// Counts the last reading once more, for what was told of it since.
    pub fn count_again(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.count(&ContainerReading { depth: Depth::Full, ..reading.clone() }, self.signals());
            self.reading = Some(reading);
        }
    }

    fn count(&mut self, reading: &ContainerReading, mut signals: Signals<signals::Container>) {
        let full = reading.depth == Depth::Full;
        if full {
            self.count_kills(&mut signals.values);
        }
        let (at, started) = (reading.at.monotonic, reading.started);
        self.minute.count(&Reading { at, started, full, signals: &signals });
    }

    /// A container that dies of memory takes its cgroup's count with it, while the runtime's event stays;
    /// where a process inside dies alone, only the cgroup may tell. The larger of the two has seen more.
    ///
    /// Inner ticks do not read the count, and say nothing: the engine has told of events since it was listened to, which may be fewer.
    fn count_kills(&self, values: &mut Values<signals::Container>) {
        let kills = const { id("memory.oom_kills") };
        let events = self.claims.oom_events();
        if events > values.get(kills).unwrap_or(0) {
            values.count(kills, events);
        }
    }

    /// What was read last, with what only a full reading brings.
    fn signals(&self) -> Signals<signals::Container> {
        let mut signals = self.reading.as_ref().map(|reading| reading.signals.clone()).unwrap_or_default();
        signals.complete(&self.full);
        signals
    }

    /// All that is known of it now.
    pub fn view(&self, id: &str, now: Timestamp) -> ContainerView {
        let claims = &self.claims;
        let mut sources = claims.sources();
        let name = value(claims.field(|claim| claim.name.as_ref())).cloned();
        let sandbox = self.sandbox && name.is_none();
        let name = name.or_else(|| sandbox.then(|| SANDBOX_NAME.to_owned()));
        let image = claims.field(|claim| claim.image.as_ref());
        // A tag belongs to its image: one of another source would make an image nobody runs.
        let image_tag = image
            .and_then(|image| claims.field(|claim| claim.image_tag.as_ref().filter(|_| claim.source == image.source)));
        let runtime = claims.field(|claim| claim.runtime);
        let pod = claims.pod();
        let pod_container = claims.field(|claim| claim.pod_container.as_ref());
        let role = claims.field(|claim| claim.role);
        let run = Run { began: self.began(), ended: None };
        ContainerView {
            id: id.to_owned(),
            name: name.unwrap_or_else(|| id.chars().take(12).collect()),
            image: image.map(|image| image.value.clone()),
            image_tag: image_tag.map(|tag| tag.value.clone()),
            image_digest: value(claims.field(|claim| claim.image_digest.clone())),
            runtime: value(runtime).map(Cow::Borrowed),
            pod: pod.map(|pod| pod.value),
            pod_container: pod_container.map(|name| name.value.clone()),
            role: value(role).or(sandbox.then_some(Role::Sandbox)),
            autoscalers: claims.autoscalers(),
            pod_requests: value(claims.field(|claim| claim.pod_requests.clone())),
            qos: value(claims.field(|claim| claim.qos.clone())),
            extended: value(claims.field(|claim| claim.extended.clone())),
            last_termination: value(claims.field(|claim| claim.last_termination.clone())),
            workload: claims.workload(),
            model: claims.model().filter(|_| !sandbox),
            stage: claims.stage().map(str::to_owned),
            owner: claims.owner().map(str::to_owned),
            labels: claims.labels(),
            signals: self.settled(run, now, &mut sources),
            sources,
            run,
            read_at: self.reading.as_ref().map(|reading| reading.at.wall),
            full_at: self.full_at,
            gpus: Vec::new(),
            allocated: value(claims.field(|claim| claim.allocated.clone())),
        }
    }

    /// Its signals: what was read, what was claimed where nothing was read, and what follows from both.
    fn settled(
        &self,
        run: Run,
        now: Timestamp,
        sources: &mut BTreeMap<&'static str, FieldSource>,
    ) -> Signals<signals::Container> {
        let claims = &self.claims;
        let mut signals = self.signals();
        if self.full_at.is_some() {
            self.count_kills(&mut signals.values);
        }
        if claims.field(|claim| claim.host_network).is_some_and(|host| host.value) {
            signals.items.retain(|item| item.id.signal().each != Some(INTERFACE));
        }
        let values = &mut signals.values;
        // What the kernel enforces goes before what was asked of it; a request is no such thing, and the kernel's weights lose digits of it.
        let by_kernel = self.full_at.map(|at| FieldSource { source: CGROUP, at });
        let settings = [
            (const { id("cpu.limit") }, claims.field(|claim| claim.cpu_limit.map(Number::Float))),
            (const { id("cpu.request") }, claims.field(|claim| claim.cpu_request.map(Number::Float))),
            (const { id("memory.limit") }, claims.field(|claim| claim.memory_limit.map(Number::Int))),
            (const { id("memory.request") }, claims.field(|claim| claim.memory_request.map(Number::Int))),
            (const { id("restarts") }, claims.field(|claim| claim.restarts.map(Number::Int))),
        ];
        for (id, claimed) in settings {
            let asked = matches!(id.signal().key, "cpu.request" | "memory.request") && claimed.is_some();
            if values.number(id).is_some() && !asked {
                sources.extend(by_kernel.map(|from| (id.signal().key, from)));
            } else if let Some(claimed) = claimed {
                values.set(id, claimed.value);
            }
        }
        values.real(const { id("cpu.usage") }, self.trail.rate());
        let (limit, used) = (values.get(const { id("memory.limit") }), values.get(const { id("memory.working_set") }));
        let available = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
        values.count(const { id("memory.available") }, available);
        let until = self.reading.as_ref().map_or(now, |reading| reading.at.wall);
        values.real(const { id("uptime") }, until.duration_since(run.began).as_secs_f64().max(0.0));
        signals
    }

    /// The runtime's word, unless the container was seen to begin anew and the runtime has not said so yet; without a
    /// runtime the start of its oldest process.
    pub fn began(&self) -> Timestamp {
        let told = value(self.claims.field(|claim| claim.started));
        let oldest = self.reading.as_ref().and_then(|r| r.started);
        told.max(self.begun_anew).or(oldest).unwrap_or(self.first_seen.wall)
    }
}

fn value<T>(sourced: Option<Sourced<T>>) -> Option<T> {
    sourced.map(|sourced| sourced.value)
}

/// What the cgroup's path says of the container.
fn by_path(reading: &ContainerReading) -> ContainerClaim {
    ContainerClaim {
        about: About::Container(reading.id.clone()),
        source: CGROUP,
        runtime: reading.runtime,
        pod: reading.pod_uid.clone().map(|uid| Pod { uid: Some(uid), ..Pod::default() }),
        ..ContainerClaim::default()
    }
}

/// Whose row it is.
pub fn row_identity(node: &str, view: &ContainerView) -> RowIdentity {
    let pod = view.pod.as_ref();
    RowIdentity {
        node: node.to_owned(),
        container_id: view.id.clone(),
        container_name: Some(view.name.clone()),
        role: view.role,
        image: view.image.clone(),
        image_tag: view.image_tag.clone(),
        runtime: view.runtime.as_deref().map(str::to_owned),
        workload: view.workload.as_ref().map(|link| link.to.clone()),
        namespace: pod.and_then(|pod| pod.namespace.clone()),
        pod: pod.and_then(|pod| pod.name.clone()),
        pod_uid: pod.and_then(|pod| pod.uid.clone()),
        pod_container: view.pod_container.clone(),
        qos: view.qos.clone(),
        pod_requests: view.pod_requests.as_ref().map(|all| all.keys().cloned().collect::<Vec<_>>().join(",")),
        autoscaler: autoscaler::written(&view.autoscalers),
        model: view.model.clone(),
        started: Some(view.run.began),
    }
}
