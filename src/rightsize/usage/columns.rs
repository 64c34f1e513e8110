//! The columns of the minute table that sizes are made of, and whose a run of rows is.

use std::collections::HashMap;

use polars::prelude::{Float64Chunked, PolarsResult, StringChunked, UInt64Chunked};

use super::Member;
use crate::frame::past::{Past, Run, columns};
use crate::identity::autoscaler::parse_all;
use crate::identity::{Relation, Workload, WorkloadKind};
use crate::signal::Part::{Increase, Last, Max, Mean, P95};
use crate::signal::container::{Container, id};

/// Whose row it is.
const IDENTITY: &[&str] = &[
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
    "role",
    "qos",
    "pod_requests",
    "autoscaler",
    "model",
    "model_relation",
    "model_namespace",
];

/// The columns of the minute table that are read.
#[must_use]
pub fn read_columns() -> Vec<String> {
    columns::<Container>(IDENTITY)
}

/// A run ends where one of these changes: a name may come after the container was met, and a model's label with it; a limit may be raised.
pub const ALIKE: &[&str] = &[
    "container_name",
    "runtime",
    "workload_namespace",
    "workload_kind",
    "workload",
    "model",
    "model_relation",
    "pod",
    "role",
    "qos",
    "pod_requests",
    "autoscaler",
    "cpu_limit",
    "memory_limit",
];

/// A minute counts as throttled beyond this share of its periods.
const THROTTLED_PERIODS: f64 = 0.25;

/// A frame's columns.
pub struct Columns<'a> {
    pub past: &'a Past,
    texts: HashMap<&'static str, &'a StringChunked>,
    pub cpu_p95: Float64Chunked,
    pub cpu_max: Float64Chunked,
    pub cpu_mean: Float64Chunked,
    pub memory_max: Float64Chunked,
    pub memory_mean: Float64Chunked,
    pub cpu_limit: Float64Chunked,
    pub cpu_request: Float64Chunked,
    pub memory_limit: Float64Chunked,
    pub memory_request: Float64Chunked,
    pub kills: UInt64Chunked,
    /// Enforcement periods, where there were any.
    pub periods: UInt64Chunked,
    /// Those of them that were throttled.
    pub throttled: UInt64Chunked,
    /// 1 in minutes in which so many were that it counts as throttled.
    pub throttled_minutes: UInt64Chunked,
}

impl<'a> Columns<'a> {
    pub fn new(past: &'a Past) -> PolarsResult<Self> {
        let mut texts = HashMap::new();
        for name in &IDENTITY[1..] {
            texts.extend(past.text(name)?.map(|column| (*name, column)));
        }
        let get = |key: &str, part| past.signal(id(key).column(part));
        let counted = |key: &str| past.counted(id(key).column(Increase));
        let periods = counted("cpu.periods")?;
        let periods: UInt64Chunked = periods.iter().map(|periods| periods.filter(|periods| *periods > 0)).collect();
        let throttled = counted("cpu.throttled_periods")?;
        let both = || periods.iter().zip(throttled.iter());
        let share = |(periods, throttled): (Option<u64>, Option<u64>)| {
            let (periods, throttled) = (periods?, throttled.unwrap_or(0).min(periods?));
            Some(u64::from(throttled as f64 > THROTTLED_PERIODS * periods as f64))
        };
        Ok(Self {
            past,
            texts,
            cpu_p95: get("cpu.usage", P95)?,
            cpu_max: get("cpu.usage", Max)?,
            cpu_mean: get("cpu.usage", Mean)?,
            memory_max: get("memory.working_set", Max)?,
            memory_mean: get("memory.working_set", Mean)?,
            cpu_limit: get("cpu.limit", Last)?,
            cpu_request: get("cpu.request", Last)?,
            memory_limit: get("memory.limit", Last)?,
            memory_request: get("memory.request", Last)?,
            kills: counted("memory.oom_kills")?,
            throttled_minutes: both().map(share).collect(),
            throttled: both().map(|(periods, throttled)| Some(throttled.unwrap_or(0).min(periods?))).collect(),
            periods,
        })
    }

    /// A text of the run's first row.
    pub fn text(&self, name: &'static str, run: &Run) -> Option<&'a str> {
        self.texts.get(name)?.get(run.rows.start)
    }
}

impl<'a> Columns<'a> {
    /// Whose rows a run's are.
    pub fn member(&self, run: &Run, container: &str) -> Member {
        let text = |name: &'static str| self.text(name, run).map(str::to_owned);
        let container_name = text("container_name");
        let (namespace, pod, pod_container) = (text("namespace"), text("pod"), text("pod_container"));
        let workload = self.workload(run);
        let name = match (&workload, &pod, &pod_container) {
            (Some(workload), Some(_), Some(in_pod)) => format!("{workload}/{in_pod}"),
            _ => container_name.clone().unwrap_or_else(|| container.chars().take(12).collect()),
        };
        let image = text("image").map(|image| match self.text("image_tag", run) {
            Some(tag) => format!("{image}:{tag}"),
            None => image,
        });
        let pod_requests = self.text("pod_requests", run).map(|all| all.split(',').map(str::to_owned).collect());
        // The API tells the class of service together with the requests.
        let in_kubernetes = pod.is_some() || self.text("pod_uid", run).is_some();
        Member {
            workload,
            request_unknown: in_kubernetes && self.text("qos", run).is_none(),
            pod_requests: pod_requests.unwrap_or_default(),
            qos: text("qos"),
            role: text("role"),
            autoscalers: self.text("autoscaler", run).map(parse_all).unwrap_or_default(),
            name,
            node: text("node").unwrap_or_default(),
            container_id: container.to_owned(),
            container_name,
            image,
            runtime: text("runtime"),
            namespace,
            pod,
            pod_container,
            model: self.served(run).map(str::to_owned),
            model_namespace: text("model_namespace"),
        }
    }

    fn workload(&self, run: &Run) -> Option<Workload> {
        let text = |name: &'static str| self.text(name, run).map(str::to_owned);
        let kind = self.text("workload_kind", run).map(WorkloadKind::named);
        Some(Workload { namespace: text("workload_namespace"), kind: kind?, name: text("workload")? })
    }

    /// The model that the container serves: what it costs to make one is not what a prediction costs.
    fn served(&self, run: &Run) -> Option<&'a str> {
        let serves = self.text("model_relation", run) != Some(Relation::Trains.name());
        self.text("model", run).filter(|_| serves)
    }
}
