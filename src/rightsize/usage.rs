//! Minute rows -> what each workload used and asked for.
//!
//! The key is the node, the workload and the container's name in it: a container that was made anew goes on with its
//! name's history. What speaks of a limit (throttling, OOM kills) counts since the limit is what it is.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use polars::prelude::{
    ChunkedArray, DataFrame, DataType, Float64Type, Int64Type, PolarsResult, StringType, TimeUnit, TimeZone, UInt64Type,
};
use serde::Serialize;

use super::cpu::THROTTLED_PERIODS;
use super::{Used, is_equal};
use crate::identity::{Workload, WorkloadKind};
use crate::stats::sketch::Sketch;

/// The columns of the minute table that are read.
pub const COLUMNS: &[&str] = &[
    "minute",
    "node",
    "container_id",
    "container_name",
    "image",
    "image_tag",
    "runtime",
    "workload_namespace",
    "workload_kind",
    "workload",
    "namespace",
    "pod",
    "pod_uid",
    "pod_container",
    "model",
    "cpu_usage_max",
    "cpu_usage_p95",
    "cpu_usage_mean",
    "memory_working_set_mean",
    "memory_working_set_max",
    "cpu_limit",
    "cpu_request",
    "memory_limit",
    "memory_request",
    "cpu_periods",
    "cpu_throttled_periods",
    "oom_kills",
];

/// Hours that are drawn at most: 30 days.
const HOURS: i64 = 720;

/// A container of a workload on a node: what is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Member {
    /// For people: the container's name, or the pod's and the container's in it.
    pub name: String,
    /// The node's name.
    pub node: String,
    /// What it belongs to.
    pub workload: Option<Workload>,
    /// The container that was seen last.
    pub container_id: String,
    /// The container's name.
    pub container_name: Option<String>,
    /// Its image with its tag.
    pub image: Option<String>,
    /// Its runtime.
    pub runtime: Option<String>,
    /// Its Kubernetes namespace.
    pub namespace: Option<String>,
    /// Its Kubernetes pod.
    pub pod: Option<String>,
    /// It runs in Kubernetes: its requests are in the API there.
    pub in_kubernetes: bool,
    /// Its name within the pod.
    pub pod_container: Option<String>,
    /// The model it serves.
    pub model: Option<String>,
}

/// The largest minute of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hour {
    /// When it began.
    pub hour: Timestamp,
    /// Largest 95th percentile of a minute, in cores.
    pub cpu: Option<f64>,
    /// Largest working set, in bytes.
    pub memory: Option<f64>,
}

/// What a workload used.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Who it is, as last seen.
    pub workload: Member,
    /// Every container it has been.
    pub containers: Vec<String>,
    /// Minutes that were seen.
    pub minutes: u64,
    /// The first minute.
    pub first: Timestamp,
    /// The end of the last one.
    pub last: Timestamp,
    /// The minutes' 95th percentiles, in cores.
    pub cpu: Sketch,
    /// The largest inner tick, in cores.
    pub cpu_max: Option<f64>,
    cpu_means: Sketch,
    /// The minutes' largest working sets, in bytes.
    pub memory: Sketch,
    /// The minutes' mean working sets, in bytes.
    pub memory_mean: Sketch,
    /// Cores; of the last row, like all that is set.
    pub cpu_limit: Option<f64>,
    /// Cores.
    pub cpu_request: Option<f64>,
    /// Bytes.
    pub memory_limit: Option<f64>,
    /// Bytes.
    pub memory_request: Option<f64>,
    /// The limits that were read last, of CPU and of memory.
    known_limits: (Option<f64>, Option<f64>),
    periods: u64,
    throttled_periods: u64,
    /// Minutes with enforcement periods, since the limit is what it is.
    pub limited_minutes: u64,
    /// Those of them in which more than a quarter of the periods were throttled.
    pub throttled_minutes: u64,
    /// Since the limit is what it is; `None` where it is not known.
    pub oom_kills: Option<u64>,
    /// When the last of them was.
    pub last_oom: Option<Timestamp>,
    hours: BTreeMap<i64, (Option<f64>, Option<f64>)>,
}

impl Usage {
    fn new(workload: Member, minute: Timestamp) -> Self {
        Self {
            workload,
            containers: Vec::new(),
            minutes: 0,
            first: minute,
            last: minute,
            cpu: Sketch::default(),
            cpu_max: None,
            cpu_means: Sketch::default(),
            memory: Sketch::default(),
            memory_mean: Sketch::default(),
            cpu_limit: None,
            cpu_request: None,
            memory_limit: None,
            memory_request: None,
            known_limits: (None, None),
            periods: 0,
            throttled_periods: 0,
            limited_minutes: 0,
            throttled_minutes: 0,
            oom_kills: None,
            last_oom: None,
            hours: BTreeMap::new(),
        }
    }

    /// Mean cores.
    #[must_use]
    pub fn cpu_mean(&self) -> Option<f64> {
        self.cpu_means.mean()
    }

    /// Share of throttled periods since the limit is what it is.
    #[must_use]
    pub fn throttled(&self) -> Option<f64> {
        (self.periods > 0).then(|| self.throttled_periods as f64 / self.periods as f64)
    }

    /// In numbers.
    #[must_use]
    pub fn used(&self, percentile: f64) -> Used {
        Used {
            cpu_mean: self.cpu_mean(),
            cpu_p95: self.cpu.quantile(percentile),
            cpu_max: self.cpu_max,
            throttled: self.throttled(),
            memory_mean: self.memory_mean.mean(),
            memory_peak: self.memory.max(),
            oom_kills: self.oom_kills,
            last_oom: self.last_oom,
            hours: self.every_hour(),
        }
    }

    /// The hours from the first to the last; those without a row are unknown.
    fn every_hour(&self) -> Vec<Hour> {
        let (Some(first), Some(last)) = (self.hours.keys().next(), self.hours.keys().next_back()) else {
            return Vec::new();
        };
        // Rows of another century would make more hours than anybody draws.
        let first = (*first).max(last - HOURS);
        let hour = |at: i64| {
            let (cpu, memory) = self.hours.get(&at).copied().unwrap_or_default();
            Some(Hour { hour: Timestamp::from_second(at * 3600).ok()?, cpu, memory })
        };
        (first..=*last).filter_map(hour).collect()
    }

    fn take(&mut self, row: &Row<'_>, at: usize, minute: Timestamp) {
        let end = Timestamp::from_second(minute.as_second() + 60).unwrap_or(minute);
        self.minutes += u64::from(end > self.last || self.minutes == 0);
        self.last = self.last.max(end);
        let (cpu, memory) = (row.real("cpu_usage_p95", at), row.real("memory_working_set_max", at));
        push(&mut self.cpu, cpu);
        push(&mut self.cpu_means, row.real("cpu_usage_mean", at));
        push(&mut self.memory, memory);
        push(&mut self.memory_mean, row.real("memory_working_set_mean", at));
        self.cpu_max = larger(self.cpu_max, row.real("cpu_usage_max", at));
        let hour = self.hours.entry(minute.as_second().div_euclid(3600)).or_default();
        *hour = (larger(hour.0, cpu), larger(hour.1, memory));

        // A limit that was not read in a minute is no other limit.
        let other = |known: &mut Option<f64>, now: Option<f64>| {
            let Some(now) = now else { return false };
            known.replace(now).is_some_and(|before| !is_equal(before, now))
        };
        self.cpu_limit = row.setting("cpu_limit", at);
        if other(&mut self.known_limits.0, self.cpu_limit) {
            (self.periods, self.throttled_periods) = (0, 0);
            (self.limited_minutes, self.throttled_minutes) = (0, 0);
        }
        self.memory_limit = row.setting("memory_limit", at);
        if other(&mut self.known_limits.1, self.memory_limit) {
            (self.oom_kills, self.last_oom) = (None, None);
        }
        self.cpu_request = row.setting("cpu_request", at);
        self.memory_request = row.setting("memory_request", at);
        if let Some(periods) = row.count("cpu_periods", at).filter(|periods| *periods > 0) {
            let throttled = row.count("cpu_throttled_periods", at).unwrap_or(0).min(periods);
            self.periods = self.periods.saturating_add(periods);
            self.throttled_periods = self.throttled_periods.saturating_add(throttled);
            self.limited_minutes += 1;
            self.throttled_minutes += u64::from(throttled as f64 > THROTTLED_PERIODS * periods as f64);
        }
        if let Some(kills) = row.count("oom_kills", at) {
            self.oom_kills = Some(self.oom_kills.unwrap_or(0).saturating_add(kills));
            if kills > 0 {
                self.last_oom = Some(minute);
            }
        }
    }
}

fn push(sketch: &mut Sketch, value: Option<f64>) {
    if let Some(value) = value {
        sketch.push(value);
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// Node, workload, and the container's name in it; of one that nobody named, its id.
type Key = (String, Option<Workload>, String);

/// Every workload that was met, taken in order of time.
#[derive(Debug, Default)]
pub struct Usages {
    all: Vec<Usage>,
    by_key: HashMap<Key, usize>,
    /// By container id, with the node: ids of two nodes hardly ever meet, and a row is looked up once.
    by_container: HashMap<String, Vec<(String, usize)>>,
}

impl Usages {
    /// Takes rows from `since` to `until` in; frames come in order of time.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        let row = Row::new(frame)?;
        for at in 0..frame.height() {
            let Some(minute) = row.minute(at).filter(|minute| (since..until).contains(minute)) else { continue };
            let Some(container) = row.text("container_id", at) else { continue };
            let node = row.text("node", at).unwrap_or_default();
            let of_id = self.by_container.get(container);
            let known = of_id.and_then(|all| all.iter().find(|(on, _)| on == node)).map(|(_, index)| *index);
            // A name may come after the container was met, and a model's label with it.
            let same = |index: &usize| {
                let workload = &self.all[*index].workload;
                workload.container_id == container
                    && workload.container_name.as_deref() == row.text("container_name", at)
                    && workload.runtime.as_deref() == row.text("runtime", at)
                    && workload.model.as_deref() == row.text("model", at)
                    && workload.pod.as_deref() == row.text("pod", at)
            };
            let index = match known.filter(same) {
                Some(index) => index,
                None => self.meet(&row, at, container, minute),
            };
            self.all[index].take(&row, at, minute);
        }
        Ok(())
    }

    fn meet(&mut self, row: &Row<'_>, at: usize, container: &str, minute: Timestamp) -> usize {
        let workload = member(row, at, container);
        let in_workload = workload.pod_container.as_ref().or(workload.container_name.as_ref());
        let in_workload = in_workload.filter(|_| workload.workload.is_some()).unwrap_or(&workload.container_id);
        let key = (workload.node.clone(), workload.workload.clone(), in_workload.clone());
        // One that was met before anybody named it goes on under its name.
        let nameless = (workload.node.clone(), None, container.to_owned());
        if key != nameless
            && !self.by_key.contains_key(&key)
            && let Some(index) = self.by_key.remove(&nameless)
        {
            self.by_key.insert(key.clone(), index);
        }
        let index = *self.by_key.entry(key).or_insert_with(|| {
            self.all.push(Usage::new(workload.clone(), minute));
            self.all.len() - 1
        });
        let usage = &mut self.all[index];
        usage.workload = workload;
        if !usage.containers.iter().any(|known| known == container) {
            usage.containers.push(container.to_owned());
        }
        let node = self.all[index].workload.node.clone();
        let of_id = self.by_container.entry(container.to_owned()).or_default();
        of_id.retain(|(on, _)| *on != node);
        of_id.push((node, index));
        index
    }

    /// All of them.
    #[must_use]
    pub fn into_all(self) -> Vec<Usage> {
        self.all
    }
}

fn member(row: &Row<'_>, at: usize, container: &str) -> Member {
    let text = |name: &'static str| row.text(name, at).map(str::to_owned);
    let container_name = text("container_name");
    let (namespace, pod, pod_container) = (text("namespace"), text("pod"), text("pod_container"));
    let name = match (&namespace, &pod, &pod_container) {
        (Some(namespace), Some(pod), Some(in_pod)) => format!("{namespace}/{pod}/{in_pod}"),
        _ => container_name.clone().unwrap_or_else(|| container.chars().take(12).collect()),
    };
    let image = text("image").map(|image| match row.text("image_tag", at) {
        Some(tag) => format!("{image}:{tag}"),
        None => image,
    });
    let kind = row.text("workload_kind", at).and_then(WorkloadKind::named);
    let workload = kind.zip(text("workload"));
    Member {
        workload: workload.map(|(kind, name)| Workload { namespace: text("workload_namespace"), kind, name }),
        in_kubernetes: pod.is_some() || row.text("pod_uid", at).is_some(),
        name,
        node: text("node").unwrap_or_default(),
        container_id: container.to_owned(),
        container_name,
        image,
        runtime: text("runtime"),
        namespace,
        pod,
        pod_container,
        model: text("model"),
    }
}

enum Kind {
    Text,
    Real,
    Count,
}

fn kind_of(column: &str) -> Kind {
    match column {
        "memory_limit" | "memory_request" | "cpu_periods" | "cpu_throttled_periods" | "oom_kills" => Kind::Count,
        column if column.starts_with("cpu_") || column.starts_with("memory_") => Kind::Real,
        _ => Kind::Text,
    }
}

/// The minutes in milliseconds, whatever the unit they are written in.
pub(super) fn minutes(frame: &DataFrame) -> PolarsResult<ChunkedArray<Int64Type>> {
    let unit = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    Ok(frame.column("minute")?.cast(&unit)?.datetime()?.physical().clone())
}

/// No machine has so many cores or bytes; what is said to is not believed.
const ABSURD: f64 = 1e15;

/// The frame's columns, typed once. A column that an older version did not write is absent.
struct Row<'a> {
    minute: ChunkedArray<Int64Type>,
    texts: HashMap<&'static str, &'a ChunkedArray<StringType>>,
    reals: HashMap<&'static str, &'a ChunkedArray<Float64Type>>,
    counts: HashMap<&'static str, &'a ChunkedArray<UInt64Type>>,
}

impl<'a> Row<'a> {
    fn new(frame: &'a DataFrame) -> PolarsResult<Self> {
        let minute = minutes(frame)?;
        let (mut texts, mut reals, mut counts) = (HashMap::new(), HashMap::new(), HashMap::new());
        for name in &COLUMNS[1..] {
            let Ok(column) = frame.column(name) else { continue };
            match kind_of(name) {
                Kind::Text => drop(texts.insert(*name, column.str()?)),
                Kind::Real => drop(reals.insert(*name, column.f64()?)),
                Kind::Count => drop(counts.insert(*name, column.u64()?)),
            }
        }
        Ok(Self { minute, texts, reals, counts })
    }

    fn minute(&self, at: usize) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.minute.get(at)?).ok()
    }

    fn text(&self, name: &'static str, at: usize) -> Option<&'a str> {
        self.texts.get(name)?.get(at)
    }

    fn real(&self, name: &'static str, at: usize) -> Option<f64> {
        self.reals.get(name)?.get(at).filter(|value| (0.0..ABSURD).contains(value))
    }

    /// A limit or a request: more than nothing, and less than absurd.
    fn setting(&self, name: &'static str, at: usize) -> Option<f64> {
        let value = self.real(name, at).or_else(|| self.count(name, at).map(|count| count as f64));
        value.filter(|value| *value > 0.0 && *value < ABSURD)
    }

    fn count(&self, name: &'static str, at: usize) -> Option<u64> {
        self.counts.get(name)?.get(at)
    }
}
