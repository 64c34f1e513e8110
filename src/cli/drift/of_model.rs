//! A model's samples held against its reference as its description has it.

use std::collections::BTreeSet;

use super::reference::Reference;
use super::{Error, Fault, Roles, compare};
use crate::cli::given::Given;
use crate::cli::times::Length;
use crate::dataset::Dataset;
use crate::drift::comparison::Comparison;
use crate::drift::defaults;
use crate::drift::order::Window;
use crate::model::Spec;

/// The comparison, and what is wrong with the samples' rows, which may be of `several` versions: their ids may repeat then. What columns vary by themselves is seen between windows of the reference.
pub fn of_model(
    reference: &Given,
    samples: &Dataset,
    (spec, window): (&Spec, Window),
    several: bool,
    notes: &mut Vec<String>,
) -> Result<(Comparison, Vec<Fault>), Error> {
    let mut reference = Reference::open(reference, spec.reference_hash.as_deref(), spec.thresholds.mode)?;
    let there = |name: &String| reference.field(name).is_some() || samples.field(name).is_some();
    let of = |names: &[&String]| -> Vec<String> { names.iter().copied().filter(|name| there(name)).cloned().collect() };
    let timestamp = of(&[&spec.timestamp]);
    let ids = match (several, reference.field(&spec.version)) {
        (false, _) => of(&[&spec.id]),
        (true, Some(_)) => of(&[&spec.id, &spec.version]),
        (true, None) => Vec::new(),
    };
    let mut without: BTreeSet<String> = reference.left_out().map(str::to_owned).collect();
    without.extend(of(&[&spec.id]).iter().chain(&timestamp).chain(&spec.exclude).chain(spec.kept_apart()).cloned());
    without.extend(of(&[&spec.label, &spec.version]));
    without.extend(spec.group.clone());
    let roles = Roles {
        ids,
        left_out: without,
        categorical: spec.categorical.iter().cloned().collect(),
        text: spec.text.iter().cloned().collect(),
        included: spec.thresholds.columns.keys().chain([&spec.prediction, &spec.score]).cloned().collect(),
        to_include: "",
        timestamp,
        label: None,
        prediction: None,
        score: None,
        together: false,
    };
    if let Some(column) = roles.timestamp.first()
        && let Some(why) = reference.part(column, samples, &Length::from(window))?
    {
        notes.push(format!("How much columns vary by themselves is not known: {why}; --chunk sets another length."));
    }
    let tests = spec.thresholds.with_deciding(defaults());
    compare((&reference, samples, None), &roles, &tests, (&spec.thresholds, &spec.quality))
}
