//! Is each workload the right size: what it asked for against what it used, and what the difference costs.
//!
//! Pure. Frames of minutes go into [`usage`] (reading them is the store's), [`assess`] makes a verdict with its reason for
//! each resource, [`cost`] turns it into money, [`patch`] into something to apply, [`review`] sums up a node.
//! The rules and their sources stand in `cpu` and `memory`.

pub mod cost;
mod cpu;
pub mod gpu;
mod memory;
pub mod patch;
pub mod resource;
pub mod review;
pub mod traffic;
pub mod usage;

use std::time::Duration;

use bytesize::ByteSize;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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
    /// How far back the history is looked at.
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
    /// A change by a smaller share than this is not worth a word.
    pub min_change: f64,
    /// No container is told to ask for fewer cores.
    pub min_cpu: f64,
    /// No container is told to ask for less memory, unless it asks for less already.
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
            min_cpu: 0.01,
            min_memory: ByteSize::mb(100),
        }
    }
}

impl Config {
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
pub struct HistoryView {
    /// The first minute.
    pub first: Timestamp,
    /// The end of the last one.
    pub last: Timestamp,
    /// Minutes that were seen.
    pub minutes: u64,
}

/// A workload without a row for this long has ended.
const ENDED: SignedDuration = SignedDuration::from_mins(10);

/// A workload, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// Which.
    pub workload: Member,
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
    let cost = prices.month(usage, cpu.asked, memory.asked);
    cpu.saving = cost - prices.month(usage, cpu.followed(), memory.asked);
    memory.saving = cost - prices.month(usage, cpu.asked, memory.followed());
    for resource in [&mut cpu, &mut memory] {
        resource.confirmed = resource.acts() && (resource.evidence || confidence >= Confidence::Medium);
    }
    let confirmed = cpu.confirmed || memory.confirmed;
    let saving = cpu.saving + memory.saving;
    let ended = end.duration_since(usage.last) > ENDED;
    let patches = if ended { Vec::new() } else { patch::patches(&usage.workload, &cpu, &memory) };
    Assessment {
        workload: usage.workload.clone(),
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
mod tests {
    use super::review::{History, Review};
    use super::*;
    use crate::frame::{MinuteRow, RowIdentity, minute_frame};
    use crate::identity::{Workload, WorkloadKind};
    use crate::metric::Number::{Float, Int};
    use crate::minute::Summary;
    use crate::signal::Part::{Increase, Last, Max, Mean, P95};
    use crate::signal::container::id;

    const MIB: f64 = 1_048_576.0;
    const BEGIN: i64 = 1_795_442_400;

    /// Says how much a counter grew in the minute.
    fn count(row: &mut MinuteRow, key: &str, grown: u64) {
        row.summary.set(id(key).column(Increase), Int(grown));
    }

    /// A minute in which a container used so many cores and MiB.
    fn row(minute: i64, cores: f64, mib: f64) -> MinuteRow {
        let (usage, memory) = (id("cpu.usage"), id("memory.working_set"));
        MinuteRow {
            minute: Timestamp::from_second(BEGIN + minute * 60).expect("a time"),
            identity: RowIdentity {
                node: "node-1".to_owned(),
                container_id: "c".repeat(64),
                container_name: Some("web".to_owned()),
                runtime: Some("docker".to_owned()),
                workload: Some(Workload {
                    namespace: Some("docker".to_owned()),
                    kind: WorkloadKind::Container,
                    name: "web".to_owned(),
                }),
                ..RowIdentity::default()
            },
            summary: Summary::of(
                60,
                [
                    (usage.column(Mean), Float(cores / 2.0)),
                    (usage.column(Max), Float(cores * 1.5)),
                    (usage.column(P95), Float(cores)),
                    (memory.column(Mean), Float(mib * MIB)),
                    (memory.column(Max), Float(mib * MIB)),
                    (id("memory.oom_kills").column(Increase), Int(0)),
                    (id("cpu.limit").column(Last), Float(2.0)),
                    (id("memory.limit").column(Last), Int(1024 << 20)),
                ],
            ),
        }
    }

    fn review(rows: &[MinuteRow]) -> Review {
        let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let mut history = History::default();
        history.containers.take(&minute_frame(rows).expect("a frame"), since, until).expect("taken");
        history.review(since, until, None, &Config::default(), &Prices::default())
    }

    fn judged(rows: &[MinuteRow]) -> Assessment {
        review(rows).workloads.remove(0)
    }

    #[test]
    fn too_much_is_told_with_its_reason_money_and_patch() {
        // 100 minutes: 94 at 100m, 6 at 400m: R-7's p95 lies between the two, at 400m.
        let rows: Vec<MinuteRow> = (0..100)
            .map(|m| row(m, if m % 17 == 0 { 0.4 } else { 0.1 }, if m == 50 { 300.0 } else { 200.0 }))
            .collect();
        let a = judged(&rows);
        assert_eq!((a.cpu.provisioning, a.memory.provisioning), (Provisioning::Over, Provisioning::Over));
        assert_eq!((a.used.cpu_p95, a.used.memory_peak), (Some(0.4), Some(300.0 * MIB)));
        assert_eq!((a.cpu.asked, a.cpu.recommended), (Some(2.0), Some(0.46)));
        assert_eq!(a.memory.recommended, Some(345.0 * MIB));
        assert_eq!(a.cpu.reason, "CPU p95 0.4 cores, peak 0.6 cores, of a limit of 2 cores; lower to 0.46 cores");
        assert_eq!(a.memory.reason, "memory peak 300.0 MiB, of a limit of 1.0 GiB; lower to 345.0 MiB");
        let hour = (2.0 - 0.46) * 0.031_611 + (1024.0 - 345.0) / 1024.0 * 0.004_237;
        assert!((a.saving - hour * 730.0).abs() < 1e-9, "{}", a.saving);
        assert_eq!(a.patches[0].text, "docker update --cpus 0.46 --memory 345m web");
        assert_eq!((a.confidence, a.confirmed), (Confidence::Low, false), "an hour and a half: worth a look");
    }

    #[test]
    fn a_short_history_is_an_answer_and_a_kill_speaks_at_once() {
        let a = judged(&[row(0, 0.1, 10.0), row(1, 0.1, 10.0)]);
        assert_eq!((a.confidence, a.cpu.recommended, a.memory.recommended), (Confidence::None, None, None));
        assert!(a.cpu.reason.starts_with("not enough history: 2 min of the 60 min"), "{}", a.cpu.reason);
        assert_eq!((a.saving, a.patches.len()), (0.0, 0));
        let mut killed = row(1, 0.1, 1000.0);
        count(&mut killed, "memory.oom_kills", 2);
        let a = judged(&[row(0, 0.1, 10.0), killed.clone()]);
        assert_eq!((a.memory.provisioning, a.confirmed, a.used.oom_kills), (Provisioning::Under, true, Some(2)));
        assert_eq!(a.memory.limit, Some(Change { from: Some(1024.0 * MIB), to: 1280.0 * MIB }));
        assert_eq!(a.patches[0].text, "docker update --memory 1280m --memory-swap 2560m web");
        assert!(a.saving < 0.0, "it costs more");
        // The limit was raised: the kills of before count no longer.
        let mut raised = row(2, 0.1, 10.0);
        raised.summary.set(id("memory.limit").column(Last), Int(2048 << 20));
        let a = judged(&[row(0, 0.1, 10.0), killed, raised]);
        assert_eq!((a.memory.provisioning, a.used.oom_kills), (Provisioning::Unknown, Some(0)));
    }

    #[test]
    fn throttling_is_want_though_the_usage_fits() {
        let rows: Vec<MinuteRow> = (0..100)
            .map(|minute| {
                let mut row = row(minute, 1.9, 900.0);
                count(&mut row, "cpu.periods", 600);
                count(&mut row, "cpu.throttled_periods", if minute % 5 == 0 { 600 } else { 0 });
                row
            })
            .collect();
        let a = judged(&rows);
        assert_eq!((a.cpu.provisioning, a.cpu.evidence), (Provisioning::Under, true));
        assert_eq!(a.used.throttled, Some(0.2));
        // The larger of the limit and what is needed (1.9 x 1.15), and a fifth more.
        assert_eq!(a.cpu.limit, Some(Change { from: Some(2.0), to: 2.63 }));
        assert_eq!(a.memory.provisioning, Provisioning::Fits);
    }

    #[test]
    fn want_is_no_reason_to_ask_for_less_and_one_resource_does_not_hide_the_other() {
        let mut rows: Vec<MinuteRow> = (0..100).map(|minute| row(minute, 0.3, 300.0)).collect();
        for (minute, row) in rows.iter_mut().enumerate() {
            row.summary.set(id("cpu.request").column(Last), Float(2.0));
            count(row, "cpu.periods", 600);
            count(row, "cpu.throttled_periods", if minute % 5 == 0 { 600 } else { 0 });
        }
        let a = judged(&rows);
        assert_eq!((a.cpu.provisioning, a.cpu.recommended), (Provisioning::Under, Some(2.4)));
        // Request and limit were equal and stay so.
        assert_eq!(a.cpu.request.map(|change| change.to), a.cpu.limit.map(|change| change.to));
        assert!(a.cpu.saving < 0.0 && a.cpu.confirmed, "{a:?}");
        assert!(a.memory.saving > 0.0 && !a.memory.confirmed, "{a:?}");
        let totals = review(&rows).totals;
        assert!((totals.saving - a.memory.saving).abs() < 1e-9 && totals.confirmed_saving == 0.0, "{totals:?}");
    }

    #[test]
    fn what_kubernetes_alone_knows_is_unknown() {
        let mut rows: Vec<MinuteRow> = (0..100).map(|minute| row(minute, 0.1, 100.0)).collect();
        for row in &mut rows {
            row.identity.pod_uid = Some("uid".to_owned());
        }
        let a = judged(&rows);
        assert_eq!((a.cpu.provisioning, a.memory.provisioning), (Provisioning::Unknown, Provisioning::Unknown));
        assert_eq!((a.cpu.recommended, a.saving), (Some(0.12), 0.0));
        assert!(a.cpu.reason.contains("Kubernetes API"), "{}", a.cpu.reason);
    }

    #[test]
    fn two_nodes_and_two_engines_may_have_one_name_each() {
        let mut rows: Vec<MinuteRow> = (0..90).map(|minute| row(minute, 0.1, 100.0)).collect();
        let on = |row: &MinuteRow, node: &str, engine: &str| {
            let mut row = row.clone();
            row.identity.node = node.to_owned();
            row.identity.container_id = if engine == "docker" { "c" } else { "d" }.repeat(64);
            if let Some(workload) = &mut row.identity.workload {
                workload.namespace = Some(engine.to_owned());
            }
            row
        };
        let others: Vec<MinuteRow> =
            rows.iter().flat_map(|row| [on(row, "node-2", "docker"), on(row, "node-1", "podman")]).collect();
        rows.extend(others);
        let review = review(&rows);
        assert_eq!(review.workloads.len(), 3);
        assert!(review.workloads.iter().all(|a| a.history.minutes == 90));
    }

    #[test]
    fn a_name_that_comes_late_is_taken_and_an_old_kill_is_forgotten() {
        let mut rows: Vec<MinuteRow> = (0..90).map(|minute| row(minute, 0.1, 100.0)).collect();
        for row in rows.iter_mut().take(10) {
            row.identity.container_name = Some("cccccccccccc".to_owned());
            (row.identity.runtime, row.identity.workload) = (None, None);
        }
        assert!(review(&rows).workloads.iter().any(|a| a.workload.name == "web" && a.history.minutes == 90));
        let mut killed = row(0, 0.1, 100.0);
        count(&mut killed, "memory.oom_kills", 1);
        let week: Vec<MinuteRow> =
            [killed].into_iter().chain((0..100).map(|m| row(8 * 1440 + m, 0.1, 100.0))).collect();
        assert_eq!(judged(&week).memory.provisioning, Provisioning::Over);
    }

    #[test]
    fn who_asks_for_nothing_is_told_what_to_ask_for_and_who_ended_counts_for_nothing() {
        let mut rows: Vec<MinuteRow> = (0..90).map(|m| row(m, 0.1, 200.0)).collect();
        for row in &mut rows {
            for key in ["cpu.limit", "memory.limit"] {
                row.summary.set(id(key).column(Last), None);
            }
        }
        let other = |m: i64| {
            let mut row = row(m, 0.1, 10.0);
            row.identity.container_id = "d".repeat(64);
            row.identity.container_name = Some("job".to_owned());
            row
        };
        let ended: Vec<MinuteRow> = (0..70).map(other).collect();
        let review = review(&[ended, rows].concat());
        let find = |name: &str| review.workloads.iter().find(|a| a.workload.name == name).expect("it is there");
        let web = find("web");
        assert_eq!((web.cpu.provisioning, web.saving, web.ended), (Provisioning::Unset, 0.0, false));
        assert_eq!(web.patches[0].text, "docker update --memory-reservation 230m web");
        assert!(find("job").ended && find("job").saving > 0.0);
        assert_eq!((review.totals.workloads, review.totals.saving), (1, 0.0));
    }
}
