//! One container between reports: what is known of it, its open minute, and the view of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::frame::{RowIdentity, RowSettings};
use crate::identity::{ContainerFacts, KubernetesName};
use crate::minute::{Accumulator, Outside, UsageTrail, oom_kills};
use crate::reading::{ContainerReading, Detail, Stall};
use crate::snapshot::{
    ContainerView, CpuView, DiskView, KubernetesView, MemoryView, NetworkView, PidsView, PressureView, StallView,
};

/// How long a newcomer waits for its name before it is shown without one.
const NAME_GRACE: Duration = Duration::from_millis(800);

/// A container on this node.
#[derive(Debug)]
pub struct Container {
    pub facts: Option<Arc<ContainerFacts>>,
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
    pub fn new(facts: Option<Arc<ContainerFacts>>, now: Moment, from_zero: bool) -> Self {
        Self {
            facts,
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
        self.running && self.facts.is_none() && now.monotonic.saturating_sub(self.first_seen.monotonic) < NAME_GRACE
    }

    /// What its row takes from the runtime.
    fn outside(&self) -> Outside {
        Outside { oom_events: self.facts.as_ref().map_or(0, |facts| facts.oom_events) }
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
        let facts = self.facts.as_deref();
        let reading = self.reading.as_ref();
        let detail = &self.detail;
        let seconds = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e9);
        let kubernetes_name = |name| facts.and_then(|facts| facts.kubernetes(name)).map(str::to_owned);
        let pod_uid = kubernetes_name(KubernetesName::PodUid).or_else(|| reading.and_then(|r| r.pod_uid.clone()));
        let memory_limit = detail.memory_limit.or(facts.and_then(|f| f.memory_limit));
        let working_set = reading.and_then(|r| r.memory_working_set);
        ContainerView {
            id: id.to_owned(),
            name: facts.map_or_else(|| id.chars().take(12).collect(), |facts| facts.name.clone()),
            image: facts.and_then(|f| f.image.clone()),
            image_tag: facts.and_then(|f| f.image_tag.clone()),
            runtime: facts.map(|f| f.runtime).or(reading.and_then(|r| r.runtime)).map(Cow::Borrowed),
            kubernetes: pod_uid.is_some().then(|| KubernetesView {
                namespace: kubernetes_name(KubernetesName::Namespace),
                pod: kubernetes_name(KubernetesName::Pod),
                container: kubernetes_name(KubernetesName::Container),
                pod_uid,
            }),
            labels: facts.map(|f| f.labels.clone()).unwrap_or_default(),
            started: self.started(),
            read_at: reading.map(|r| r.at.wall),
            detail_at: self.detail_at,
            restarts: facts.and_then(|f| f.restarts),
            cpu: CpuView {
                usage: self.trail.cores(),
                time: seconds(reading.and_then(|r| r.cpu_usage_ns)),
                time_user: seconds(detail.cpu_user_ns),
                time_system: seconds(detail.cpu_system_ns),
                limit: detail.cpu_limit.or(facts.and_then(|f| f.cpu_limit)),
                request: detail.cpu_request.or(facts.and_then(|f| f.cpu_request)),
                periods: detail.cpu_periods,
                throttled_periods: detail.cpu_throttled_periods,
                throttled_time: seconds(detail.cpu_throttled_ns),
            },
            memory: MemoryView {
                usage: reading.and_then(|r| r.memory_usage),
                working_set,
                rss: detail.memory_rss,
                limit: memory_limit,
                request: facts.and_then(|f| f.memory_request),
                available: memory_limit.zip(working_set).map(|(limit, used)| limit.saturating_sub(used)),
                oom_kills: reading.and_then(|reading| {
                    let whole = ContainerReading { detail: Some(Box::new(detail.clone())), ..reading.clone() };
                    oom_kills(&whole, &self.outside())
                }),
                minor_faults: detail.minor_faults,
                major_faults: detail.major_faults,
            },
            pids: PidsView { current: detail.pids, limit: detail.pids_limit },
            network: if facts.is_some_and(|f| f.host_network) { Vec::new() } else { network(detail) },
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
        let told = self.facts.as_ref().and_then(|f| f.started);
        let oldest = self.reading.as_ref().and_then(|r| r.started);
        told.max(self.begun_anew).or(oldest).unwrap_or(self.first_seen.wall)
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
    let kubernetes = view.kubernetes.as_ref();
    RowIdentity {
        node: node.to_owned(),
        container_id: view.id.clone(),
        container_name: Some(view.name.clone()),
        image: view.image.clone(),
        image_tag: view.image_tag.clone(),
        runtime: view.runtime.as_deref().map(str::to_owned),
        namespace: kubernetes.and_then(|k| k.namespace.clone()),
        pod: kubernetes.and_then(|k| k.pod.clone()),
        pod_uid: kubernetes.and_then(|k| k.pod_uid.clone()),
        pod_container: kubernetes.and_then(|k| k.container.clone()),
        model: view.model().map(str::to_owned),
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
