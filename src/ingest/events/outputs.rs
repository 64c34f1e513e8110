//! Which of a model's outputs is its prediction, and which its score. Pure.
//!
//! The description goes first: a column or a tensor of the name that it gives. Else the first output of one value a row is the
//! prediction. An output of floats whose rows sum to 1 is how sure the model was of each class: without another output the class with
//! the largest is the prediction, by its place; of two classes the second is the score's.

use super::columns::Part;
use super::tensor::{Item, Tensor};
use crate::frame::json::Value;
use crate::model::Spec;
use crate::performance::Task;

/// Sums of probabilities are off by so much, in half precision.
const TOLERANCE: f64 = 0.01;

/// What outputs are for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The part that is the prediction.
    pub prediction: Option<usize>,
    /// The parts among whose values the largest one's place is the prediction.
    pub largest: Vec<usize>,
    /// The part that is the score.
    pub score: Option<usize>,
    /// Parts that say nothing more.
    pub spare: Vec<usize>,
}

/// Finds them among the parts of a response of so many rows.
#[must_use]
pub fn roles(spec: &Spec, parts: &[Part<'_>], rows: usize) -> Roles {
    let named = |wanted: &str| {
        parts.iter().position(|part| match part {
            Part::Column { name, tensor, width, .. } => name == wanted || (*width == 1 && tensor.name == wanted),
            Part::Wide { .. } | Part::Summarised { .. } => false,
        })
    };
    let mut roles = Roles { prediction: named(&spec.prediction), score: named(&spec.score), ..Roles::default() };
    let told: Vec<usize> = spec.scores.values().filter_map(|name| named(name)).collect();
    let others = [Some(&spec.id), Some(&spec.timestamp), Some(&spec.version), spec.group.as_ref()];
    let others: Vec<usize> = others.into_iter().flatten().filter_map(|name| named(name)).collect();
    let is_free = |at: &usize| roles.score != Some(*at) && !told.contains(at) && !others.contains(at);
    if roles.prediction.is_none() {
        let single = |part: &Part<'_>| matches!(part, Part::Column { width: 1, .. });
        roles.prediction = (0..parts.len()).filter(is_free).find(|at| parts.get(*at).is_some_and(single));
    }
    if spec.task == Some(Task::Regression) || !told.is_empty() {
        return roles;
    }
    let Some(classes) = class_scores(parts, rows) else { return roles };
    if roles.prediction.is_none() {
        roles.largest.clone_from(&classes);
    }
    if let ([first, second], None) = (classes.as_slice(), roles.score) {
        (roles.score, roles.spare) = (Some(*second), vec![*first]);
    }
    roles
}

/// The parts of the first tensor that holds how sure the model was of each class.
fn class_scores(parts: &[Part<'_>], rows: usize) -> Option<Vec<usize>> {
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let Part::Column { tensor, width, .. } = part else {
            at = at.saturating_add(1);
            continue;
        };
        let end = at.saturating_add((*width).max(1));
        if *width > 1 && sums_to_one(tensor, rows, *width) {
            return Some((at..end).collect());
        }
        at = end;
    }
    None
}

fn sums_to_one(tensor: &Tensor, rows: usize, width: usize) -> bool {
    let row = |row: usize| {
        let from = row.saturating_mul(width);
        let values: Option<Vec<f64>> = (from..from.saturating_add(width)).map(|at| tensor.data.number(at)).collect();
        values.is_some_and(|values| {
            let sum: f64 = values.iter().sum();
            (sum - 1.0).abs() <= TOLERANCE && values.iter().all(|value| (-TOLERANCE..=1.0 + TOLERANCE).contains(value))
        })
    };
    tensor.data.is_float() && (0..rows).all(row)
}

/// The place of the largest of these parts' values in a row; the first of equal ones.
#[must_use]
pub fn largest(parts: &[Part<'_>], among: &[usize], row: usize) -> Option<i64> {
    let value = |at: &usize| match parts.get(*at)?.value(row)? {
        Item::Value(Value::Float(value)) => Some(value),
        _ => None,
    };
    let mut best: Option<(i64, f64)> = None;
    for (place, found) in (0..).zip(among.iter().map(value)) {
        let found = found?;
        if best.is_none_or(|(_, known)| found > known) {
            best = Some((place, found));
        }
    }
    best.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::events::columns::{Naming, parts};
    use crate::ingest::events::payload::Payload;
    use crate::ingest::events::tensor::{Data, Type};

    fn found(spec: &Spec, tensors: &[(&str, &[usize], Data)]) -> (Roles, Vec<String>, Option<i64>) {
        let tensors = tensors.iter().map(|(name, shape, data)| {
            Tensor::new((*name).to_owned(), Type::Json, shape.to_vec(), data.clone()).expect("a tensor")
        });
        let payload = Payload { tensors: tensors.collect(), ..Payload::default() };
        let rows = payload.tensors[0].rows();
        let parts = parts(&payload, rows, 9, Naming::default());
        let roles = roles(spec, &parts, rows);
        let names = parts.iter().map(|part| part.name().to_owned()).collect();
        let place = largest(&parts, &roles.largest, 0);
        (roles, names, place)
    }

    fn of(prediction: Option<usize>, score: Option<usize>, spare: &[usize]) -> Roles {
        Roles { prediction, score, spare: spare.to_vec(), largest: Vec::new() }
    }

    #[test]
    fn the_first_single_output_is_the_prediction_and_two_classes_have_a_score() {
        let spec = Spec::new("m");
        let probabilities = Data::Float(vec![0.25, 0.75, 0.5, 0.5]);
        let label = ("label", &[2][..], Data::Int(vec![1, 0]));
        let (roles, names, _) = found(&spec, &[("p", &[2, 2], probabilities.clone()), label.clone()]);
        assert_eq!((roles, names), (of(Some(2), Some(1), &[0]), ["p-0", "p-1", "label"].map(str::to_owned).to_vec()));
        let (roles, ..) = found(&spec, &[label]);
        assert_eq!(roles, of(Some(0), None, &[]));
        let (roles, _, place) = found(&spec, &[("p", &[2, 2], probabilities)]);
        assert_eq!((roles.prediction, roles.largest, roles.score, place), (None, vec![0, 1], Some(1), Some(1)));
    }

    #[test]
    fn what_does_not_sum_to_one_is_no_class_scores() {
        let spec = Spec::new("m");
        for values in [vec![0.2, 0.7], vec![-1.0, 2.0], vec![f64::NAN, 1.0]] {
            let (roles, ..) = found(&spec, &[("y", &[1, 2], Data::Float(values))]);
            assert_eq!(roles, Roles::default());
        }
        let (roles, ..) = found(&spec, &[("y", &[1, 2], Data::Int(vec![0, 1]))]);
        assert_eq!(roles, Roles::default(), "one of two is a label, not a probability");
        let amounts = Spec { task: Some(Task::Regression), ..Spec::new("m") };
        assert_eq!(found(&amounts, &[("y", &[1, 2], Data::Float(vec![0.25, 0.75]))]).0, Roles::default());
    }

    #[test]
    fn the_description_goes_first() {
        let mut spec = Spec::new("m");
        spec.prediction = "second".to_owned();
        spec.score = "p-0".to_owned();
        let outputs: [(&str, &[usize], Data); 3] = [
            ("first", &[1], Data::Int(vec![1])),
            ("second", &[1, 1], Data::Int(vec![2])),
            ("p", &[1, 2], Data::Float(vec![0.25, 0.75])),
        ];
        assert_eq!(found(&spec, &outputs).0, of(Some(1), Some(2), &[]));
        let mut three = Spec::new("m");
        three.scores = [("a", "p-0"), ("b", "p-1")].map(|(class, name)| (class.to_owned(), name.to_owned())).into();
        let (roles, ..) = found(&three, &outputs[2..]);
        assert_eq!(roles, Roles::default(), "the class with the largest is the prediction by the description");
        let mut id = Spec::new("m");
        id.id = "first".to_owned();
        assert_eq!(found(&id, &outputs[..2]).0, of(Some(1), None, &[]), "what names the row is no prediction");
    }
}
