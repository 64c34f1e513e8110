//! Is each workload the right size: what it asked for against what it used, and what the difference costs.
//!
//! Pure. Frames of minutes go into [`usage`] (reading them is the store's), [`assess`] makes a verdict with its reason for
//! each resource, [`cost`] turns it into money, [`patch`] into something to apply, [`review`] sums up a node.
//! The rules and their sources stand in `cpu` and `memory`.

pub mod changed;
pub mod cost;
mod cpu;
pub mod gpu;
mod memory;
pub mod patch;
pub mod resource;
pub mod review;
pub mod traffic;
pub mod usage;

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identity::autoscaler::parse_all;
use crate::identity::{Autoscaler, WorkloadKind};
use crate::units::{minutes, span};
use cost::Prices;
use patch::Patch;
pub use resource::{Change, Provisioning, Resource};
use usage::{Member, Usage};

/// How workloads are sized.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far back the history is read.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub history: Duration,
    /// With less history than this there is no verdict, but for OOM kills.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub min_history: Duration,
    /// The percentile, over the minutes, of the minute's 95th percentile of CPU.
    pub cpu_percentile: f64,
    /// What is added to it.
    pub cpu_margin: f64,
    /// What is added to the peak of memory.
    pub memory_margin: f64,
    /// A change by a smaller share than this is not recommended.
    pub min_change: f64,
    /// Workloads that something scales by itself, where nobody may read autoscalers and no annotation says so: their name, and what it is:
    /// { "shop/Deployment/web" = "hpa" }.
    pub autoscaled: BTreeMap<String, String>,
    /// No recommendation is for fewer cores.
    pub min_cpu: f64,
    /// No recommendation is for less memory, unless less is requested already.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub min_memory: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        Self {
            history: Duration::from_secs(14 * DAY),
            min_history: Duration::from_secs(3600),
            cpu_percentile: 0.95,
            cpu_margin: 0.15,
            memory_margin: 0.15,
            min_change: 0.1,
            autoscaled: BTreeMap::new(),
            min_cpu: 0.01,
            min_memory: ByteSize::mb(100),
        }
    }
}

impl Config {
    /// What scales a workload by itself: as was seen, else as is set.
    fn autoscalers(&self, workload: &Member) -> Vec<Autoscaler> {
        let set = || self.autoscaled.get(&workload.workload.as_ref()?.to_string());
        match &workload.autoscalers[..] {
            [] => set().map(|text| parse_all(text)).unwrap_or_default(),
            seen => seen.to_vec(),
        }
    }

    /// What is wrong with it, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        if !(self.cpu_percentile > 0.0 && self.cpu_percentile <= 1.0) {
            found.push(("cpu_percentile", "must lie above 0 and at most at 1"));
        }
        for (field, value) in [("cpu_margin", self.cpu_margin), ("memory_margin", self.memory_margin)] {
            if !(0.0..=10.0).contains(&value) {
                found.push((field, "must lie between 0 and 10; 0.15 adds 15 %"));
            }
        }
        if !(0.0..1.0).contains(&self.min_change) {
            found.push(("min_change", "must lie between 0 and 1; 0.1 is 10 %"));
        }
        if !(self.min_cpu > 0.0 && self.min_cpu <= 1000.0) {
            found.push(("min_cpu", "must be above 0, in cores"));
        }
        if self.min_history > self.history {
            found.push(("min_history", "must be no longer than rightsizing.history"));
        }
        found
    }
}

/// How long a history a verdict stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Not enough history for a verdict.
    None,
    /// Less than a day.
    Low,
    /// A day at least.
    Medium,
    /// A week at least.
    High,
}

impl Confidence {
    /// As the Vertical Pod Autoscaler counts it: the days it spans, or the minutes there are in days, whichever is less.
    fn of(days: f64, enough: bool) -> Self {
        match days {
            _ if !enough => Self::None,
            days if days < 1.0 => Self::Low,
            days if days < 7.0 => Self::Medium,
            _ => Self::High,
        }
    }

    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "not enough history",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What was used, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Used {
    /// Mean cores.
    pub cpu_mean: Option<f64>,
    /// The configured percentile of the minutes' 95th percentiles, in cores.
    pub cpu_p95: Option<f64>,
    /// The largest inner tick, in cores.
    pub cpu_max: Option<f64>,
    /// Share of enforcement periods in which it was throttled, since its limit is what it is.
    pub throttled: Option<f64>,
    /// Mean working set, in bytes.
    pub memory_mean: Option<f64>,
    /// Peak working set, in bytes.
    pub memory_peak: Option<f64>,
    /// OOM kills since its limit is what it is.
    pub oom_kills: Option<u64>,
    /// When the last of them was.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub last_oom: Option<Timestamp>,
    /// The largest minute of each hour, from the first to the last; `null` in hours without a row.
    pub hours: Vec<usage::Hour>,
}

impl Used {
    /// One of the two by the hour.
    #[must_use]
    pub fn hourly(&self, value: fn(&usage::Hour) -> Option<f64>) -> Vec<Option<f64>> {
        self.hours.iter().map(value).collect()
    }
}

/// The history behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HistoryView {
    /// The first minute.
    #[cfg_attr(test, schemars(with = "String"))]
    pub first: Timestamp,
    /// The end of the last one.
    #[cfg_attr(test, schemars(with = "String"))]
    pub last: Timestamp,
    /// Minutes that were seen.
    pub minutes: u64,
}

/// A workload without a row for this long has ended.
const ENDED: SignedDuration = SignedDuration::from_mins(10);

/// A CronJob waits for its next run, for a day as a rule.
const CRON_JOB_ENDED: SignedDuration = SignedDuration::from_hours(26);

/// A workload, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Assessment {
    /// Which.
    pub workload: Member,
    /// Its containers that run on its node, by id: one for each replica. One that has ended has none.
    pub containers: Vec<String>,
    /// How many replicas the money is for: those that run, or one of one that has ended.
    pub replicas: u64,
    /// What the verdict stands on.
    pub history: HistoryView,
    /// How far it is to be trusted.
    pub confidence: Confidence,
    /// Enough speaks for it to act on; else it is worth a look.
    pub confirmed: bool,
    /// It has ended: it had no row in the last minutes of the history. It has no part in the sums.
    pub ended: bool,
    /// What was used.
    pub used: Used,
    /// CPU, in cores.
    pub cpu: Resource,
    /// Memory, in bytes.
    pub memory: Resource,
    /// What it costs in a month as it is.
    pub cost: f64,
    /// What following the recommendation saves in a month; below zero where it costs more.
    pub saving: f64,
    /// What to apply, ready to run.
    pub patches: Vec<Patch>,
}

impl Assessment {
    /// Its two resources by name.
    #[must_use]
    pub fn resources(&self) -> [(&'static str, &Resource); 2] {
        [("cpu", &self.cpu), ("memory", &self.memory)]
    }

    /// Either resource is so provisioned.
    #[must_use]
    pub fn is(&self, provisioning: Provisioning) -> bool {
        self.resources().iter().any(|(_, resource)| resource.provisioning == provisioning)
    }
}

/// Judges one workload, as of the end of the history.
#[must_use]
pub fn assess(usage: &Usage, end: Timestamp, config: &Config, prices: &Prices) -> Assessment {
    let minutes = usage.minutes;
    let enough = Duration::from_secs(minutes * 60) >= config.min_history;
    let days = (minutes as f64 / 1440.0).min(usage.last.duration_since(usage.first).as_secs_f64() / 86_400.0);
    let confidence = Confidence::of(days, enough);
    let mut cpu = cpu::assess(usage, config, enough);
    let mut memory = memory::assess(usage, end, config, enough);
    for (name, resource) in [("cpu", &mut cpu), ("memory", &mut memory)] {
        resource.leave_to(config.autoscalers(&usage.workload).iter().find(|autoscaler| autoscaler.acts_on(name)));
    }
    let is_cron_job = usage.workload.workload.as_ref().is_some_and(|own| own.kind == WorkloadKind::CRON_JOB);
    let ended = end.duration_since(usage.last) > if is_cron_job { CRON_JOB_ENDED } else { ENDED };
    let (containers, replicas) = if ended { (Vec::new(), 1) } else { usage.replicas() };
    // What comes and goes is paid for as long as it is there.
    let times = if usage.comes_and_goes() { usage.part_of_time() } else { replicas as f64 };
    let month = |cpu, memory| prices.month(usage, cpu, memory) * times;
    let cost = month(cpu.requested, memory.requested);
    cpu.saving = cost - month(cpu.followed(), memory.requested);
    memory.saving = cost - month(cpu.requested, memory.followed());
    for resource in [&mut cpu, &mut memory] {
        resource.confirmed = resource.acts() && (resource.evidence || confidence >= Confidence::Medium);
    }
    let confirmed = cpu.confirmed || memory.confirmed;
    let saving = cpu.saving + memory.saving;
    let patches = if ended { Vec::new() } else { patch::patches(&usage.workload, &cpu, &memory) };
    Assessment {
        workload: usage.workload.clone(),
        containers,
        replicas,
        history: HistoryView { first: usage.first, last: usage.last, minutes },
        confidence,
        confirmed,
        ended,
        used: usage.used(config.cpu_percentile),
        cpu,
        memory,
        cost,
        saving,
        patches,
    }
}

/// "Not enough history" with its figures.
fn not_enough(usage: &Usage, config: &Config) -> String {
    format!(
        "not enough history: {} of the {} that a verdict takes (rightsizing.min_history)",
        minutes(usage.minutes),
        span(SignedDuration::try_from(config.min_history).unwrap_or(SignedDuration::MAX)),
    )
}

/// Kubernetes keeps requests in its API, and a cgroup tells them at best in part.
const NO_REQUEST: &str = "request unknown: it is in the Kubernetes API, which is not read";
/// The pod as a whole asks for it, and shares it out.
const POD_REQUEST: &str = "its pod asks for it as a whole, and its containers share that";

/// Why it cannot be said what the container asks for, where it names nothing itself.
fn no_request(usage: &Usage, resource: &str) -> Option<&'static str> {
    let Member { request_unknown, pod_requests, .. } = &usage.workload;
    let of_pod = || pod_requests.iter().any(|name| name == resource).then_some(POD_REQUEST);
    if *request_unknown { Some(NO_REQUEST) } else { of_pod() }
}

/// Two settings are the same.
fn is_equal(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// The change is large enough for a word.
fn is_less(to: f64, from: f64, config: &Config) -> bool {
    to <= from * (1.0 - config.min_change)
}

fn is_more(to: f64, from: f64, config: &Config) -> bool {
    to >= from * (1.0 + config.min_change)
}

#[cfg(test)]
mod tests;
