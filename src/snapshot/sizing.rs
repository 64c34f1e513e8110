//! Metric points of what was recommended, for the containers that run.

use std::sync::Arc;

use super::Snapshot;
use crate::metric::{self, Number, Point, Subject};
use crate::model::points::of as name_of;
use crate::rightsize::Provisioning;
use crate::signal::model::id;

impl Snapshot {
    /// The recommendations' points: each container's, and the price of each model's predictions.
    pub(super) fn add_sizing_points(&self, points: &mut Vec<Point>) {
        let Some(review) = &self.review else { return };
        for (place, container) in self.containers.iter().enumerate() {
            let Some(assessment) = self.assessment(place) else { continue };
            let subject = Arc::new(container.subject());
            // Money of an assessment is for all replicas: each has its part, so that sums are right.
            let part = |money: f64| money / assessment.replicas.max(1) as f64;
            let mut add = |metric, attributes, value: f64| {
                points.push(Point::new(metric, &subject, attributes, Number::Float(value), None, review.until));
            };
            add(&metric::CONTAINER_COST, vec![], part(assessment.cost));
            if let Some(cores) = assessment.cpu.recommended {
                add(&metric::RECOMMENDED_CPU, vec![], cores);
            }
            if let Some(bytes) = assessment.memory.recommended {
                add(&metric::RECOMMENDED_MEMORY, vec![], bytes);
            }
            for (name, resource) in assessment.resources() {
                if resource.provisioning == Provisioning::Unknown {
                    continue;
                }
                let confirmed = if resource.confirmed { "true" } else { "false" };
                let attributes = vec![("resource", name.into()), ("confirmed", confirmed.into())];
                add(&metric::RECOMMENDED_SAVING, attributes, part(resource.saving));
                let is = |provisioning| f64::from(u8::from(resource.provisioning == provisioning));
                add(&metric::OVER_PROVISIONED, vec![("resource", name.into())], is(Provisioning::Over));
                add(&metric::UNDER_PROVISIONED, vec![("resource", name.into())], is(Provisioning::Under));
            }
        }
        let node = Arc::new(Subject::node());
        let ours = review.models.iter().filter(|model| model.node == self.node);
        for (model, cost) in ours.filter_map(|model| Some((model, model.cost_per_thousand?))) {
            let cost = Number::Float(cost);
            let point = |metric| Point::new(metric, &node, name_of(&model.key), cost, None, review.until);
            points.extend(const { id("cost") }.metric().map(point));
        }
    }
}
