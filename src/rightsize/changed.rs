//! A review beside an earlier one: what changed since.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::review::{Review, Totals};
use super::{Assessment, Provisioning, Resource, is_equal};

/// What is kept of an earlier review. It is read from the JSON of one, whatever else that holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Earlier {
    since: Timestamp,
    until: Timestamp,
    prices: Currency,
    totals: Sums,
    workloads: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Currency {
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Sums {
    cost: f64,
    confirmed_saving: f64,
    gpu_cost: f64,
    gpu_held_idle_cost: f64,
    gpu_free_cost: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Known {
    workload: Name,
    ended: bool,
    cpu: Size,
    memory: Size,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Name {
    node: String,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Size {
    provisioning: Provisioning,
    requested: Option<f64>,
}

/// A sum of money a month, in the earlier review and in this one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// Then.
    pub before: f64,
    /// Now.
    pub now: f64,
}

/// What asks for another amount than it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resized {
    /// The workload.
    pub workload: String,
    /// Its node.
    pub node: String,
    /// `cpu` in cores or `memory` in bytes.
    pub resource: &'static str,
    /// What it asked for.
    pub before: Option<f64>,
    /// What it asks for.
    pub now: Option<f64>,
}

/// Another verdict than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Turned {
    /// The workload.
    pub workload: String,
    /// Its node.
    pub node: String,
    /// `cpu` or `memory`.
    pub resource: &'static str,
    /// What was said of it.
    pub before: Provisioning,
    /// What is said.
    pub now: Provisioning,
}

/// What changed since an earlier review.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Changed {
    /// From when on the earlier one looked at the history.
    #[cfg_attr(test, schemars(with = "String"))]
    pub since: Timestamp,
    /// Until when.
    #[cfg_attr(test, schemars(with = "String"))]
    pub until: Timestamp,
    /// What all costs; `None` where the earlier one was in another currency.
    pub cost: Option<Moved>,
    /// What of it is wasted.
    pub wasted: Option<Moved>,
    /// Workloads that run and did not.
    pub came: Vec<String>,
    /// Workloads that ran and do not.
    pub ended: Vec<String>,
    /// Requests that were changed.
    pub resized: Vec<Resized>,
    /// Verdicts that are others, of what had one in both.
    pub turned: Vec<Turned>,
}

impl From<&Review> for Earlier {
    fn from(review: &Review) -> Self {
        let t = &review.totals;
        let size = |of: &Resource| Size { provisioning: of.provisioning, requested: of.requested };
        let known =
            |a: &Assessment| Known { workload: name(a), ended: a.ended, cpu: size(&a.cpu), memory: size(&a.memory) };
        Self {
            since: review.since,
            until: review.until,
            prices: Currency { currency: review.prices.currency.clone() },
            totals: Sums {
                cost: t.cost,
                confirmed_saving: t.confirmed_saving,
                gpu_cost: t.gpu_cost,
                gpu_held_idle_cost: t.gpu_held_idle_cost,
                gpu_free_cost: t.gpu_free_cost,
            },
            workloads: review.workloads.iter().map(known).collect(),
        }
    }
}

fn name(a: &Assessment) -> Name {
    Name { node: a.workload.node.clone(), name: a.workload.name.clone() }
}

impl Earlier {
    /// What is other in the review than in this earlier one.
    #[must_use]
    pub fn changed(&self, review: &Review) -> Changed {
        let before: BTreeMap<&Name, &Known> =
            self.workloads.iter().filter(|known| !known.ended).map(|known| (&known.workload, known)).collect();
        let now: BTreeMap<Name, &Assessment> =
            review.workloads.iter().filter(|a| !a.ended).map(|a| (name(a), a)).collect();
        let (mut resized, mut turned) = (Vec::new(), Vec::new());
        for (name, a) in &now {
            let Some(known) = before.get(name) else { continue };
            for ((resource, now), before) in a.resources().into_iter().zip([known.cpu, known.memory]) {
                let (workload, node) = (name.name.clone(), name.node.clone());
                let same = match (before.requested, now.requested) {
                    (Some(before), Some(now)) => is_equal(before, now),
                    (before, now) => before.is_none() && now.is_none(),
                };
                let is_known = |of: Provisioning| of != Provisioning::Unknown;
                let judged = is_known(before.provisioning) && is_known(now.provisioning);
                if !same && judged {
                    let (workload, node) = (workload.clone(), node.clone());
                    resized.push(Resized { workload, node, resource, before: before.requested, now: now.requested });
                }
                if judged && before.provisioning != now.provisioning {
                    turned.push(Turned {
                        workload,
                        node,
                        resource,
                        before: before.provisioning,
                        now: now.provisioning,
                    });
                }
            }
        }
        let came = now.keys().filter(|name| !before.contains_key(name)).map(|name| name.name.clone()).collect();
        let ended = before.keys().filter(|name| !now.contains_key(**name)).map(|name| name.name.clone()).collect();
        let t = &self.totals;
        let wasted = t.confirmed_saving + t.gpu_held_idle_cost + t.gpu_free_cost;
        let moved = |before, now| (self.prices.currency == review.prices.currency).then_some(Moved { before, now });
        let all = |totals: &Totals| totals.cost + totals.gpu_cost;
        Changed {
            since: self.since,
            until: self.until,
            cost: moved(t.cost + t.gpu_cost, all(&review.totals)),
            wasted: moved(wasted, review.totals.wasted()),
            came,
            ended,
            resized,
            turned,
        }
    }
}
