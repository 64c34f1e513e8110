//! Every metric there is: those of the signals' tables, those that are concluded, and those of the agent itself.

use std::collections::HashSet;

use crate::metric::attribute::{ATTRIBUTES, Named, Of};
use crate::metric::{AGENT_METRICS, CONTAINER_METRICS, Metric, NODE_METRICS};
use crate::signal::Table;
use crate::signal::container::Container;
use crate::signal::gpu::Gpu;
use crate::signal::model::Model;

/// The metrics of a table's signals, each once.
fn of_table<T: Table>() -> impl Iterator<Item = &'static Metric> {
    let mut seen = HashSet::new();
    T::SIGNALS.iter().filter_map(|signal| signal.metric.as_ref()).filter(move |metric| seen.insert(metric.name))
}

/// Of containers.
pub fn of_containers() -> impl Iterator<Item = &'static Metric> {
    of_table::<Container>().chain(CONTAINER_METRICS.iter().copied())
}

/// Of GPUs.
pub fn of_gpus() -> impl Iterator<Item = &'static Metric> {
    of_table::<Gpu>()
}

/// Of models.
pub fn of_models() -> impl Iterator<Item = &'static Metric> {
    of_table::<Model>()
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let own = NODE_METRICS.iter().chain(AGENT_METRICS).copied();
    of_containers().chain(of_gpus()).chain(of_models()).chain(own)
}

/// The metric of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.name == name)
}

/// The attributes of what the metric is about, beside its own: a container's, a GPU's, or none.
pub fn subject(metric: &Metric) -> impl Iterator<Item = &'static Named> + use<> {
    let about = if of_containers().any(|own| own.name == metric.name) {
        Some(Of::Container)
    } else {
        of_gpus().any(|own| own.name == metric.name).then_some(Of::Gpu)
    };
    ATTRIBUTES.iter().copied().filter(move |named| Some(named.of) == about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_units_and_help_are_in_style() {
        let mut names = HashSet::new();
        for metric in all() {
            let Metric { name, unit, help, .. } = metric;
            assert!(names.insert(name), "{name} stands twice");
            let own = name.strip_prefix("k8s.").unwrap_or(name);
            assert!(own.bytes().all(|b| matches!(b, b'a'..=b'z' | b'.' | b'_')), "{name}");
            assert!(!unit.is_empty(), "{name} has no unit");
            assert!(help.ends_with('.') && help.starts_with(|c: char| c.is_uppercase() || c == '1'), "{name}: {help}");
        }
    }

    /// The signals that share a metric say the same of it.
    #[test]
    fn a_shared_metric_is_one() {
        let tables = [Container::SIGNALS, Gpu::SIGNALS, Model::SIGNALS];
        for metric in tables.into_iter().flatten().filter_map(|signal| signal.metric) {
            assert_eq!(named(metric.name), Some(&metric));
        }
    }
}
