//! Minute rows -> what each workload used and asked for.
//!
//! The key is the node, the workload and the container's name in it: a container that was made anew goes on with its
//! name's history. What speaks of a limit (throttling, OOM kills) counts since the limit is what it is.

mod columns;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use polars::prelude::{ChunkAgg, DataFrame, Float64Chunked, PolarsResult};
use serde::Serialize;

use super::{Used, is_equal};
use crate::frame::past::{Past, Run};
use crate::identity::{Autoscaler, Role, Workload, WorkloadKind};
use crate::stats::sketch::Sketch;
pub use columns::read_columns;
use columns::{ALIKE, Columns};

/// Hours that are drawn at most: 30 days.
pub(super) const HOURS: i64 = 720;

/// A container of a workload on a node: what is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Member {
    /// For people: the container's name, or in Kubernetes the workload's and the container's in it.
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
    /// Its requests are in the Kubernetes API, which was not read.
    pub request_unknown: bool,
    /// The resources that its pod asks for as a whole (`cpu`, `memory`).
    pub pod_requests: Vec<String>,
    /// Its pod's class of service.
    pub qos: Option<String>,
    /// Its part in the pod.
    pub role: Option<String>,
    /// What scales it by itself.
    pub autoscalers: Vec<Autoscaler>,
    /// Its name within the pod.
    pub pod_container: Option<String>,
    /// The model it serves.
    pub model: Option<String>,
    /// In what that model's name is unique.
    pub model_namespace: Option<String>,
}

/// The largest minute of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hour {
    /// When it began.
    #[cfg_attr(test, schemars(with = "String"))]
    pub hour: Timestamp,
    /// Largest 95th percentile of a minute, in cores.
    pub cpu: Option<f64>,
    /// Largest working set, in bytes.
    pub memory: Option<f64>,
}

/// A mean, gathered.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Average {
    sum: f64,
    count: f64,
}

impl Average {
    fn take(&mut self, values: &Float64Chunked) {
        self.sum += values.sum().unwrap_or(0.0);
        self.count += (values.len() - values.null_count()) as f64;
    }

    /// The mean; `None` of nothing.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// A container of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its pod, by its UID; `None` on plain engines.
    pod: Option<String>,
    /// The end of its last minute.
    last: Timestamp,
}

/// What a workload used.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Who it is, as last seen.
    pub workload: Member,
    /// The containers it has been: the replicas on its node, and those before them that are not [forgotten](Usages::forget).
    pub containers: BTreeMap<String, Replica>,
    /// Minutes that were seen.
    pub minutes: u64,
    /// The same of each container, added up.
    pub container_minutes: u64,
    /// When what is set was read last.
    settled: i64,
    /// The first minute.
    pub first: Timestamp,
    /// The end of the last one.
    pub last: Timestamp,
    /// The minutes' 95th percentiles, in cores.
    pub cpu: Sketch,
    /// The largest inner tick, in cores.
    pub cpu_max: Option<f64>,
    cpu_means: Average,
    /// The minutes' largest working sets, in bytes.
    pub memory: Sketch,
    /// The minutes' mean working sets, in bytes.
    pub memory_mean: Average,
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
            containers: BTreeMap::new(),
            minutes: 0,
            container_minutes: 0,
            settled: i64::MIN,
            first: minute,
            last: minute,
            cpu: Sketch::default(),
            cpu_max: None,
            cpu_means: Average::default(),
            memory: Sketch::default(),
            memory_mean: Average::default(),
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

    /// Its containers of its last minute, and how many replicas they are: one that is restarted over and over is one.
    #[must_use]
    pub fn replicas(&self) -> (Vec<String>, u64) {
        let runs = self.containers.iter().filter(|(_, replica)| replica.last == self.last);
        let pods: HashSet<&String> = runs.clone().map(|(id, replica)| replica.pod.as_ref().unwrap_or(id)).collect();
        let count = count(pods.len());
        (runs.map(|(id, _)| id.clone()).collect(), count)
    }

    /// It comes and goes by its nature: a Job, or one of a CronJob's.
    #[must_use]
    pub fn comes_and_goes(&self) -> bool {
        let kind = self.workload.workload.as_ref().map(|workload| &workload.kind);
        kind.is_some_and(|kind| *kind == WorkloadKind::JOB || *kind == WorkloadKind::CRON_JOB)
    }

    /// How much of the time it ran, from its first minute to its last, of all its pods together.
    #[must_use]
    pub fn part_of_time(&self) -> f64 {
        let minutes = self.last.duration_since(self.first).as_secs_f64() / 60.0;
        self.container_minutes as f64 / minutes.max(1.0)
    }

    /// Mean cores.
    #[must_use]
    pub fn cpu_mean(&self) -> Option<f64> {
        self.cpu_means.value()
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
            memory_mean: self.memory_mean.value(),
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

    fn take(&mut self, columns: &Columns<'_>, run: &Run) {
        let minutes = columns.past.minutes(run);
        self.first = self.first.min(minutes.first().map_or(self.first, |minute| time(*minute)));
        self.container_minutes = self.container_minutes.saturating_add(count(minutes.len()));
        if let (Some(id), Some(minute)) = (columns.text("container_id", run), minutes.last()) {
            let end = time(minute.saturating_add(MS_PER_MINUTE));
            let pod = || columns.text("pod_uid", run).map(str::to_owned);
            let known = self.containers.entry(id.to_owned()).or_insert_with(|| Replica { pod: pod(), last: end });
            known.last = known.last.max(end);
        }
        let mut seen = self.last.as_millisecond();
        for end in minutes.iter().map(|minute| minute.saturating_add(MS_PER_MINUTE)) {
            self.minutes += u64::from(end > seen);
            seen = seen.max(end);
        }
        self.last = time(seen);
        let (cpu, memory) = (run.of(&columns.cpu_p95), run.of(&columns.memory_max));
        cpu.iter().flatten().for_each(|cores| self.cpu.push(cores));
        memory.iter().flatten().for_each(|bytes| self.memory.push(bytes));
        self.cpu_means.take(&run.of(&columns.cpu_mean));
        self.memory_mean.take(&run.of(&columns.memory_mean));
        self.cpu_max = larger(self.cpu_max, run.of(&columns.cpu_max).max());
        if let Some(first) = minutes.first() {
            let hour = self.hours.entry(first.div_euclid(60 * MS_PER_MINUTE)).or_default();
            *hour = (larger(hour.0, cpu.max()), larger(hour.1, memory.max()));
        }
        let (cpu_limit, memory_limit) = self.settle(columns, run);
        if cpu_limit {
            let periods = run.of(&columns.periods);
            self.periods = self.periods.saturating_add(periods.sum().unwrap_or(0));
            self.limited_minutes += count(periods.len() - periods.null_count());
            let throttled = run.of(&columns.throttled);
            self.throttled_periods = self.throttled_periods.saturating_add(throttled.sum().unwrap_or(0));
            self.throttled_minutes += run.of(&columns.throttled_minutes).sum().unwrap_or(0);
        }
        let kills = run.of(&columns.kills);
        if memory_limit && kills.null_count() < kills.len() {
            self.oom_kills = Some(self.oom_kills.unwrap_or(0).saturating_add(kills.sum().unwrap_or(0)));
            for (minute, _) in
                minutes.iter().zip(kills.iter()).filter(|(_, kills)| kills.is_some_and(|kills| kills > 0))
            {
                self.last_oom = self.last_oom.max(Some(time(*minute)));
            }
        }
    }

    /// What is set at the end of the run. What speaks of a limit begins anew where the limit is another: tells whether the run's own
    /// limits, of CPU and of memory, are those that count. Replicas of before a change may go on beside those of after it.
    fn settle(&mut self, columns: &Columns<'_>, run: &Run) -> (bool, bool) {
        // More than nothing: a limit of 0 is none.
        let setting = |column: &Float64Chunked| column.get(run.last()).filter(|value| *value > 0.0);
        let limits = (setting(&columns.cpu_limit), setting(&columns.memory_limit));
        // A limit that was not read in a minute is no other limit.
        let is_other =
            |known: Option<f64>, now: Option<f64>| known.zip(now).is_some_and(|(known, now)| !is_equal(known, now));
        let other = (is_other(self.known_limits.0, limits.0), is_other(self.known_limits.1, limits.1));
        let at = columns.past.minutes(run).last().copied().unwrap_or_default();
        if at < self.settled {
            return (!other.0, !other.1);
        }
        self.settled = at;
        (self.cpu_limit, self.memory_limit) = limits;
        self.known_limits = (limits.0.or(self.known_limits.0), limits.1.or(self.known_limits.1));
        if other.0 {
            (self.periods, self.throttled_periods) = (0, 0);
            (self.limited_minutes, self.throttled_minutes) = (0, 0);
        }
        if other.1 {
            (self.oom_kills, self.last_oom) = (None, None);
        }
        self.cpu_request = setting(&columns.cpu_request);
        self.memory_request = setting(&columns.memory_request);
        (true, true)
    }
}

const MS_PER_MINUTE: i64 = 60_000;

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// Node, workload, and the container's name in it; of one that nobody named, its id.
type Key = (String, Option<Workload>, String);

fn key(member: &Member) -> Key {
    let name = member.pod_container.as_ref().or(member.container_name.as_ref());
    let name = name.filter(|_| member.workload.is_some()).unwrap_or(&member.container_id);
    (member.node.clone(), member.workload.clone(), name.clone())
}

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
        let past = Past::new(frame, &["node", "container_id"], ALIKE, since, until)?;
        let columns = Columns::new(&past)?;
        for run in &past.runs {
            let Some(container) = columns.text("container_id", run) else { continue };
            // Nobody chose the size of these.
            let role = columns.text("role", run);
            let node = columns.text("node", run).unwrap_or_default();
            if [Role::Sandbox, Role::Ephemeral].iter().any(|none| role == Some(none.name())) {
                self.drop_nameless(container, node);
                continue;
            }
            let of_id = self.by_container.get(container);
            let known = of_id.and_then(|all| all.iter().find(|(on, _)| on == node)).map(|(_, index)| *index);
            let member = columns.member(run, container);
            let index = match known.filter(|index| self.all[*index].workload == member) {
                Some(index) => index,
                None => self.meet(&columns, run, member),
            };
            self.all[index].take(&columns, run);
        }
        Ok(())
    }

    fn meet(&mut self, columns: &Columns<'_>, run: &Run, workload: Member) -> usize {
        let container = workload.container_id.clone();
        let key = key(&workload);
        // One that was met before anybody named it goes on under its name.
        if let Some((before, index)) = self.nameless(&container, &workload.node)
            && before != key
        {
            self.by_key.remove(&before);
            match self.by_key.entry(key.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(index);
                }
                // Its first moments, before anybody named it, are no workload of their own.
                Entry::Occupied(_) => self.all[index].minutes = 0,
            }
        }
        let first = columns.past.minutes(run).first().copied().unwrap_or_default();
        let index = *self.by_key.entry(key).or_insert_with(|| {
            self.all.push(Usage::new(workload.clone(), time(first)));
            self.all.len() - 1
        });
        let usage = &mut self.all[index];
        let newest = columns.past.minutes(run).last().is_none_or(|minute| *minute >= usage.settled);
        if newest {
            usage.workload = workload;
        }
        let node = self.all[index].workload.node.clone();
        let of_id = self.by_container.entry(container).or_default();
        of_id.retain(|(on, _)| *on != node);
        of_id.push((node, index));
        index
    }

    /// The container as it was met before anybody named it: its own id is its name.
    fn nameless(&self, container: &str, node: &str) -> Option<(Key, usize)> {
        let (_, index) = self.by_container.get(container)?.iter().find(|(on, _)| on == node)?;
        Some((key(&self.all[*index].workload), *index)).filter(|((_, _, name), _)| name == container)
    }

    /// Takes back what was met before anybody said that the container is none of those with a size.
    fn drop_nameless(&mut self, container: &str, node: &str) {
        let Some((before, index)) = self.nameless(container, node) else { return };
        self.by_key.remove(&before);
        self.all[index].minutes = 0;
        if let Some(of_id) = self.by_container.get_mut(container) {
            of_id.retain(|(on, _)| on != node);
        }
    }

    /// Forgets the ids of containers before those of a workload's last minute, but for those to `keep`: where pods come and go, there
    /// is no end of them.
    pub fn forget(&mut self, keep: impl Fn(&str) -> bool) {
        for usage in &mut self.all {
            let last = usage.last;
            usage.containers.retain(|id, replica| replica.last == last || keep(id));
        }
        let all = &self.all;
        self.by_container.retain(|id, of_id| {
            of_id.retain(|(_, index)| all[*index].containers.contains_key(id));
            !of_id.is_empty()
        });
    }

    /// How many ids are kept.
    #[cfg(test)]
    pub fn ids(&self) -> usize {
        self.by_container.len().max(self.all.iter().map(|usage| usage.containers.len()).sum())
    }

    /// All of them.
    #[must_use]
    pub fn into_all(self) -> Vec<Usage> {
        self.all.into_iter().filter(|usage| usage.minutes > 0).collect()
    }
}
