//! A node's review: every workload judged, GPUs by state, models, and the sums in money.

use std::collections::BTreeMap;

use jiff::Timestamp;
use polars::prelude::{DataFrame, PolarsResult};
use serde::Serialize;

use super::cost::{MONTH, Prices};
use super::gpu::{GpuUsages, GpuUse};
use super::traffic::{ModelUse, ModelUses};
use super::usage::{Usage, Usages};
use super::{Assessment, Config, Provisioning, assess};

/// What was found over a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Review {
    /// The nodes whose history it is.
    pub nodes: Vec<String>,
    /// From when on the history was looked at.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Until when.
    #[cfg_attr(test, schemars(with = "String"))]
    pub until: Timestamp,
    /// From when until when there is history of containers.
    #[cfg_attr(test, schemars(with = "Option<(String, String)>"))]
    pub covered: Option<(Timestamp, Timestamp)>,
    /// The prices.
    pub prices: Prices,
    /// The sums.
    pub totals: Totals,
    /// Every workload: largest change in money first; those that have ended last.
    pub workloads: Vec<Assessment>,
    /// Every GPU.
    pub gpus: Vec<GpuUse>,
    /// Every model.
    pub models: Vec<ModelUse>,
}

/// The sums over a node, in money a month where they are money.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    /// Workloads that run.
    pub workloads: u64,
    /// Workloads that are over-provisioned with something.
    pub over_provisioned: u64,
    /// Workloads that are under-provisioned with something.
    pub under_provisioned: u64,
    /// Workloads that request nothing of something.
    pub no_request: u64,
    /// Workloads without a verdict on something.
    pub no_verdict: u64,
    /// What containers cost.
    pub cost: f64,
    /// What could be saved, by all that saves something.
    pub saving: f64,
    /// What of it is confirmed.
    pub confirmed_saving: f64,
    /// What giving the under-provisioned what they need would cost.
    pub needed: f64,
    /// What GPUs cost.
    pub gpu_cost: f64,
    /// What of it is for GPUs that are held and compute nothing.
    pub gpu_held_idle_cost: f64,
    /// What of it is for GPUs that nobody holds.
    pub gpu_free_cost: f64,
}

impl Totals {
    /// What is wasted in a month, as far as that is confirmed: what could be saved, and GPUs that compute nothing.
    #[must_use]
    pub fn wasted(&self) -> f64 {
        self.confirmed_saving + self.gpu_held_idle_cost + self.gpu_free_cost
    }
}

/// What a time's frames hold.
#[derive(Debug, Default)]
pub struct History {
    /// Of containers.
    pub(super) containers: Usages,
    /// Of GPUs.
    pub gpus: GpuUsages,
    /// Of models.
    pub models: ModelUses,
}

impl History {
    /// Takes rows of containers from `since` to `until` in, after those of GPUs: which containers held one must be known by then.
    ///
    /// # Errors
    /// A column is of another type than this version writes.
    pub fn take_containers(&mut self, frame: &DataFrame, since: Timestamp, until: Timestamp) -> PolarsResult<()> {
        self.containers.take(frame, since, until)?;
        self.containers.forget(|container| self.gpus.was_held_by(container));
        Ok(())
    }

    /// Judges all of it. What had no row in the last minutes before `end` has ended; without one the newest row is the end, as where
    /// the agent itself has been gone.
    #[must_use]
    pub fn review(
        self,
        since: Timestamp,
        until: Timestamp,
        end: Option<Timestamp>,
        config: &Config,
        prices: &Prices,
    ) -> Review {
        let usages = self.containers.into_all();
        let mut nodes: Vec<String> = usages.iter().map(|usage| usage.workload.node.clone()).collect();
        nodes.sort();
        nodes.dedup();
        nodes.retain(|node| !node.is_empty());
        let newest = usages.iter().map(|usage| usage.last).chain(self.gpus.newest()).chain(self.models.newest()).max();
        let covered = usages.iter().map(|usage| usage.first).min().zip(usages.iter().map(|usage| usage.last).max());
        let end = end.or(newest).unwrap_or(until);
        let mut workloads: Vec<Assessment> = usages.iter().map(|usage| assess(usage, end, config, prices)).collect();
        workloads.sort_by(|a, b| {
            let size = b.saving.abs().total_cmp(&a.saving.abs());
            a.ended.cmp(&b.ended).then(size).then_with(|| a.workload.name.cmp(&b.workload.name))
        });
        let mut cost = BTreeMap::new();
        for usage in &usages {
            if let Some(model) = self.models.served(&usage.workload) {
                *cost.entry(model).or_default() += spent(usage, &self.gpus, prices);
            }
        }
        let models = self.models.priced(&cost);
        let gpus = self.gpus.judged(end, config, prices);
        let totals = totals(&workloads, &gpus);
        Review { nodes, since, until, covered, prices: prices.clone(), totals, workloads, gpus, models }
    }
}

/// What a workload cost over the time it was seen.
fn spent(usage: &Usage, gpus: &GpuUsages, prices: &Prices) -> f64 {
    let month = prices.month(usage, usage.cpu_request.or(usage.cpu_limit), usage.memory_request.or(usage.memory_limit));
    month / MONTH * usage.container_minutes as f64 / 60.0 + gpus.cost_of(&usage.containers, prices)
}

fn totals(workloads: &[Assessment], gpus: &[GpuUse]) -> Totals {
    let workloads: Vec<&Assessment> = workloads.iter().filter(|workload| !workload.ended).collect();
    let count = |p| workloads.iter().filter(|workload| workload.is(p)).count() as u64;
    let resources = || workloads.iter().flat_map(|workload| [&workload.cpu, &workload.memory]);
    let savings = || resources().filter(|resource| resource.saving > 0.0);
    Totals {
        workloads: workloads.len() as u64,
        over_provisioned: count(Provisioning::Over),
        under_provisioned: count(Provisioning::Under),
        no_request: count(Provisioning::Unset),
        no_verdict: count(Provisioning::Unknown),
        cost: workloads.iter().map(|workload| workload.cost).sum(),
        saving: savings().map(|resource| resource.saving).sum(),
        confirmed_saving: savings().filter(|resource| resource.confirmed).map(|resource| resource.saving).sum(),
        needed: resources().filter(|resource| resource.saving < 0.0).map(|resource| -resource.saving).sum(),
        gpu_cost: gpus.iter().map(|gpu| gpu.cost).sum(),
        gpu_held_idle_cost: gpus.iter().filter_map(|gpu| gpu.held_idle_cost).sum(),
        gpu_free_cost: gpus.iter().filter_map(|gpu| gpu.free_cost).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn what_is_wasted_is_what_is_confirmed_and_gpus_that_compute_nothing() {
        let totals = Totals {
            saving: 100.0,
            confirmed_saving: 10.0,
            gpu_cost: 50.0,
            gpu_held_idle_cost: 2.0,
            gpu_free_cost: 0.5,
            ..Totals::default()
        };
        assert_eq!(totals.wasted().to_string(), "12.5");
    }
}
