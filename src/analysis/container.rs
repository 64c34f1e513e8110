//! One container between reports: what is known of it, its open minute, and the view of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::frame::{RowIdentity, RowSettings};
use crate::identity::claim::CGROUP;
use crate::identity::{Claims, ContainerClaim, FieldSource, Pod, Sourced};
use crate::minute::{Accumulator, Outside, UsageTrail, oom_kills};
use crate::reading::{ContainerReading, Detail, Stall};
use crate::snapshot::{ContainerView, CpuView, DiskView, MemoryView, NetworkView, PidsView, PressureView, StallView};

/// How long a newcomer waits for its name before it is shown without one.
const NAME_GRACE: Duration = Duration::from_millis(800);

/// A container on this node.
#[derive(Debug)]
pub struct Container {
    pub claims: Claims,
    pub reading: Option<ContainerReading>,
    /// The newest detail of this run; inner ticks bring none.
    detail: Detail,
    detail_at: Option<Timestamp>,
    pub trail: UsageTrail,
    pub minute: Accumulator,
    first_seen: Moment,
    /// Start of its oldest process, where its counters were seen to begin anew.
    begun_anew: Option<Timestamp>,
    pub running: bool,
}

impl Container {
    /// Met for the first time. `from_zero`: it began just now, so all its counters count is new.
    pub fn new(now: Moment, from_zero: bool) -> Self {
        Self {
            claims: Claims::default(),
            reading: None,
            detail: Detail::default(),
            detail_at: None,
            begun_anew: None,
            trail: UsageTrail::default(),
            minute: Accumulator::new(from_zero),
            first_seen: now,
            running: true,
        }
    }

    /// It has no name yet, and one may still come.
    pub fn awaits_name(&self, now: Moment) -> bool {
        let young = now.monotonic.saturating_sub(self.first_seen.monotonic) < NAME_GRACE;
        self.running && young && self.claims.field(|claim| claim.name.as_ref()).is_none()
    }

    /// What its row takes from the runtime.
    fn outside(&self) -> Outside {
        Outside { oom_events: self.claims.oom_events() }
    }

    /// Forgets its readings: nobody reads it any longer.
    pub fn forget_readings(&mut self) {
        self.reading = None;
        self.detail = Detail::default();
        self.detail_at = None;
        self.trail = UsageTrail::default();
    }

    /// Takes a reading in, counted but not yet sampled.
    pub fn take(&mut self, reading: &ContainerReading, full_tick: Duration) {
        let last = self.reading.as_ref().and_then(|last| last.cpu_usage_ns);
        let fell = reading.cpu_usage_ns.zip(last).is_some_and(|(now, last)| now < last);
        if fell || !self.running {
            self.detail = Detail::default();
            self.detail_at = None;
            self.trail = UsageTrail::default();
            self.begun_anew = reading.started;
        }
        if let Some(detail) = &reading.detail {
            self.detail = (**detail).clone();
            self.detail_at = Some(reading.at.wall);
        }
        if let Some(cpu_usage_ns) = reading.cpu_usage_ns {
            self.trail.push(reading.at.monotonic, cpu_usage_ns, full_tick);
        }
        self.minute.count(reading, &self.outside());
        if self.reading.is_none() {
            self.claims.take(Arc::new(by_path(reading)), reading.at.wall);
        }
        self.claims.confirm(CGROUP, reading.at.wall);
        self.reading = Some(ContainerReading { detail: None, ..reading.clone() });
    }

    /// Counts the last reading once more, for what was told of it since.
    pub fn count_again(&mut self) {
        if let Some(reading) = &self.reading {
            let whole = ContainerReading { detail: Some(Box::new(self.detail.clone())), ..reading.clone() };
            self.minute.count(&whole, &self.outside());
        }
    }

    /// All that is known of it.
    pub fn view(&self, id: &str) -> ContainerView {
        let claims = &self.claims;
        let reading = self.reading.as_ref();
        let detail = &self.detail;
        let mut sources = BTreeMap::new();
        let mut note = |field: &'static str, from: Option<FieldSource>| {
            sources.extend(from.map(|from| (field, from)));
        };
        let seconds = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e9);
        // What the kernel enforces goes before what was asked of it.
        let by_kernel = self.detail_at.map(|at| FieldSource { source: CGROUP, at });
        let name = claims.field(|claim| claim.name.as_ref());
        let image = claims.field(|claim| claim.image.as_ref());
        // A tag belongs to its image: one of another source would make an image nobody runs.
        let image_tag = image
            .and_then(|image| claims.field(|claim| claim.image_tag.as_ref().filter(|_| claim.source == image.source)));
        let runtime = claims.field(|claim| claim.runtime);
        let pod = claims.pod();
        let pod_container = claims.field(|claim| claim.pod_container.as_ref());
        let role = claims.field(|claim| claim.role);
        let labels = claims.field(|claim| claim.labels.as_ref());
        let restarts = claims.field(|claim| claim.restarts);
        let cpu_limit = claims.field(|claim| claim.cpu_limit);
        let cpu_request = claims.field(|claim| claim.cpu_request);
        let memory_limit = claims.field(|claim| claim.memory_limit);
        let memory_request = claims.field(|claim| claim.memory_request);
        note("name", name.map(|name| name.origin()));
        note("image", image.map(|image| image.origin()));
        note("runtime", runtime.map(|runtime| runtime.origin()));
        note("pod", pod.as_ref().map(Sourced::origin));
        note("pod_container", pod_container.map(|name| name.origin()));
        note("role", role.map(|role| role.origin()));
        note("labels", labels.map(|labels| labels.origin()));
        note("restarts", restarts.map(|restarts| restarts.origin()));
        note("cpu.limit", by_kernel.filter(|_| detail.cpu_limit.is_some()).or(cpu_limit.map(|limit| limit.origin())));
        note("cpu.request", by_kernel.filter(|_| detail.cpu_request.is_some()).or(cpu_request.map(|r| r.origin())));
        note("memory.limit", by_kernel.filter(|_| detail.memory_limit.is_some()).or(memory_limit.map(|l| l.origin())));
        note("memory.request", memory_request.map(|request| request.origin()));
        let memory_limit = detail.memory_limit.or(value(memory_limit));
        let working_set = reading.and_then(|r| r.memory_working_set);
        let host_network = claims.field(|claim| claim.host_network).is_some_and(|host| host.value);
        ContainerView {
            id: id.to_owned(),
            name: name.map_or_else(|| id.chars().take(12).collect(), |name| name.value.clone()),
            image: image.map(|image| image.value.clone()),
            image_tag: image_tag.map(|tag| tag.value.clone()),
            runtime: value(runtime).map(Cow::Borrowed),
            pod: pod.map(|pod| pod.value),
            pod_container: pod_container.map(|name| name.value.clone()),
            role: value(role),
            workload: claims.workload(),
            model: claims.model(),
            labels: labels.map(|labels| labels.value.clone()).unwrap_or_default(),
            sources,
            started: self.started(),
            read_at: reading.map(|r| r.at.wall),
            detail_at: self.detail_at,
            restarts: value(restarts),
            cpu: CpuView {
                usage: self.trail.cores(),
                time: seconds(reading.and_then(|r| r.cpu_usage_ns)),
                time_user: seconds(detail.cpu_user_ns),
                time_system: seconds(detail.cpu_system_ns),
                limit: detail.cpu_limit.or(value(cpu_limit)),
                request: detail.cpu_request.or(value(cpu_request)),
                periods: detail.cpu_periods,
                throttled_periods: detail.cpu_throttled_periods,
                throttled_time: seconds(detail.cpu_throttled_ns),
            },
            memory: MemoryView {
                usage: reading.and_then(|r| r.memory_usage),
                working_set,
                rss: detail.memory_rss,
                limit: memory_limit,
                request: value(memory_request),
                available: memory_limit.zip(working_set).map(|(limit, used)| limit.saturating_sub(used)),
                oom_kills: reading.and_then(|reading| {
                    let whole = ContainerReading { detail: Some(Box::new(detail.clone())), ..reading.clone() };
                    oom_kills(&whole, &self.outside())
                }),
                minor_faults: detail.minor_faults,
                major_faults: detail.major_faults,
            },
            pids: PidsView { current: detail.pids, limit: detail.pids_limit },
            network: if host_network { Vec::new() } else { network(detail) },
            disk: detail
                .block_io
                .iter()
                .map(|d| DiskView { device: d.device.clone(), read: d.read, write: d.write })
                .collect(),
            pressure: PressureView {
                cpu: stall(detail.pressure.cpu),
                memory: stall(detail.pressure.memory),
                io: stall(detail.pressure.io),
            },
            gpus: Vec::new(),
        }
    }

    /// The runtime's word, unless the container was seen to begin anew and the runtime has not said so yet; without a
    /// runtime the start of its oldest process.
    fn started(&self) -> Timestamp {
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
        id: reading.id.clone(),
        source: CGROUP,
        runtime: reading.runtime,
        pod: reading.pod_uid.clone().map(|uid| Pod { uid: Some(uid), ..Pod::default() }),
        ..ContainerClaim::default()
    }
}

fn network(detail: &Detail) -> Vec<NetworkView> {
    detail
        .network
        .iter()
        .map(|i| NetworkView { interface: i.interface.clone(), receive: i.receive, transmit: i.transmit })
        .collect()
}

fn stall(stall: Option<Stall>) -> StallView {
    let seconds = |us: u64| us as f64 / 1e6;
    StallView { some: stall.map(|s| seconds(s.some)), full: stall.and_then(|s| s.full).map(seconds) }
}

/// Whose row it is.
pub fn row_identity(node: &str, view: &ContainerView) -> RowIdentity {
    let pod = view.pod.as_ref();
    let model = view.model.as_ref().map(|link| &link.to);
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
        model: model.cloned(),
        started: Some(view.started),
    }
}

/// What the row tells beside what was sampled and counted.
pub fn row_settings(view: &ContainerView) -> RowSettings {
    RowSettings {
        cpu_limit: view.cpu.limit,
        cpu_request: view.cpu.request,
        memory_limit: view.memory.limit,
        memory_request: view.memory.request,
        memory_rss: view.memory.rss,
        pids: view.pids.current,
        restarts: view.restarts,
    }
}
