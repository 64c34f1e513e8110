//! The changes that are worth most, workloads and GPUs in one list.

use super::{change, on};
use crate::rightsize::review::Review;
use crate::rightsize::{Assessment, Resource};
use crate::units::{bytes, cores, percent};

/// Months of a year.
pub const YEAR: f64 = 12.0;
/// Below this share of minutes without computing, a GPU is not worth a change.
const IDLE: f64 = 0.5;

/// How an amount is written.
type Unit = fn(f64) -> String;

/// A change.
pub struct Step<'a> {
    /// What to do, to what.
    pub what: String,
    /// From what to what, or why.
    pub how: String,
    /// What it saves in a month.
    pub month: f64,
    /// Enough speaks for it to act on.
    pub confirmed: bool,
    /// Of which workload, where it is of one.
    pub of: Option<&'a Assessment>,
}

/// Those that save something, the largest first.
pub fn steps(review: &Review) -> Vec<Step<'_>> {
    let mut all: Vec<Step<'_>> =
        review.workloads.iter().filter(|a| !a.ended).filter_map(|a| sized(a, review)).collect();
    all.extend(review.gpus.iter().filter_map(|gpu| {
        let (held, free) = (gpu.held_idle?, gpu.free?);
        let month = gpu.held_idle_cost? + gpu.free_cost?;
        let name = format!("GPU {}{}{}", gpu.index, model(gpu.model.as_deref()), on(&gpu.node, review));
        let what = if free >= held { format!("Use or give back {name}") } else { format!("Share or free {name}") };
        let how = format!("held and idle {} of the time, free {}", percent(held), percent(free));
        (held + free >= IDLE && month > 0.0).then_some(Step { what, how, month, confirmed: true, of: None })
    }));
    all.sort_by(|a, b| b.month.total_cmp(&a.month));
    all
}

fn model(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" ({name})"))
}

fn sized<'a>(a: &'a Assessment, review: &Review) -> Option<Step<'a>> {
    let resources: [(&str, &Resource, Unit); 2] = [("CPU", &a.cpu, cores), ("memory", &a.memory, bytes)];
    let lowered: Vec<_> = resources.into_iter().filter(|(_, resource, _)| resource.saving > 0.0).collect();
    if lowered.is_empty() {
        return None;
    }
    let names: Vec<&str> = lowered.iter().map(|(name, ..)| *name).collect();
    let how: Vec<String> =
        lowered.iter().map(|(name, resource, unit)| format!("{name} {}", change(resource, *unit))).collect();
    Some(Step {
        what: format!("Lower {} of {}{}", names.join(" and "), a.workload.name, on(&a.workload.node, review)),
        how: how.join(", "),
        month: lowered.iter().map(|(_, resource, _)| resource.saving).sum(),
        confirmed: lowered.iter().all(|(_, resource, _)| resource.confirmed),
        of: Some(a),
    })
}
