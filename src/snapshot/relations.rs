//! Who belongs to whom at one instant: containers, models, devices, sizes and alerts, joined once by their keys. Readers
//! follow these and compare no names.

use std::collections::HashMap;

use serde::Serialize;

use super::Snapshot;
use crate::alert::view::{Alert, AlertState};
use crate::identity::{Link, ModelKey, Relation};
use crate::metric::attribute::{COLLECTOR, CONTAINER_NAME, EXPORTER, GPU_ID, MODEL, MODEL_NAMESPACE, Named};
use crate::metric::{Attribute, Metric};
use crate::model::view::ModelView;
use crate::rightsize::Assessment;
use crate::rightsize::traffic::ModelUse;
use crate::snapshot::ContainerView;

/// What something is about: a place in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A model.
    Model(usize),
    /// A GPU.
    Gpu(usize),
    /// A container.
    Container(usize),
    /// The agent's own parts.
    Agent,
    /// The node, or something that is not there any longer.
    Node,
}

/// The relations, by places in the snapshot's lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Relations {
    /// Each container's assessment in the review.
    assessments: Vec<Option<usize>>,
    /// The first container that each assessment in the review is about, if one still runs.
    assessed: Vec<Option<usize>>,
    /// The containers that serve each model.
    served_by: Vec<Vec<usize>>,
    /// The containers that train each model.
    trained_by: Vec<Vec<usize>>,
    /// Each model's use in the review.
    uses: Vec<Option<usize>>,
    /// What each alert is about.
    about: Vec<Thing>,
}

impl Relations {
    /// Joins the snapshot's lists.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let by_id: HashMap<&str, usize> =
            snapshot.containers.iter().enumerate().map(|(place, container)| (container.id.as_str(), place)).collect();
        let workloads = snapshot.review.as_ref().map_or(&[][..], |review| &review.workloads);
        let mut assessments = vec![None; snapshot.containers.len()];
        let mut assessed = vec![None; workloads.len()];
        for (place, assessment) in workloads.iter().enumerate() {
            // History of other nodes may lie in the same folder.
            let is_ours = assessment.workload.node == snapshot.node;
            let replicas = assessment.containers.iter().filter_map(|id| by_id.get(id.as_str())).filter(|_| is_ours);
            for container in replicas.copied() {
                assessments[container] = Some(place);
                assessed[place] = assessed[place].or(Some(container));
            }
        }
        let models = &snapshot.models.models;
        let by_key: HashMap<&ModelKey, usize> =
            models.iter().enumerate().map(|(place, model)| (&model.key, place)).collect();
        let (mut served_by, mut trained_by) = (vec![Vec::new(); models.len()], vec![Vec::new(); models.len()]);
        for (place, container) in snapshot.containers.iter().enumerate() {
            let Some(link) = &container.model else { continue };
            let model = link.to.key.among(models.iter().map(|model| &model.key)).and_then(|key| by_key.get(key));
            let of = match (model, link.relation) {
                (Some(model), Relation::Trains) => &mut trained_by[*model],
                (Some(model), _) => &mut served_by[*model],
                (None, _) => continue,
            };
            of.push(place);
        }
        let mut uses = vec![None; models.len()];
        for (place, used) in snapshot.review.iter().flat_map(|review| review.models.iter().enumerate()) {
            let ours = Some(&used.key).filter(|_| used.node == snapshot.node);
            if let Some(model) = ours.and_then(|key| by_key.get(key)) {
                uses[*model] = Some(place);
            }
        }
        let about = snapshot.alerts.alerts.iter().map(|alert| snapshot.about(alert)).collect();
        Self { assessments, assessed, served_by, trained_by, uses, about }
    }
}

/// A container of a model.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelContainer<'a> {
    /// Its id, what it is to the model, and who says so.
    pub container: Link<&'a str>,
    /// Its name.
    pub container_name: &'a str,
    /// Its place in the snapshot's list.
    #[serde(skip)]
    pub place: usize,
    /// All that is known of it.
    #[serde(skip)]
    pub view: &'a ContainerView,
}

impl Snapshot {
    /// What the review says of the container at this place.
    #[must_use]
    pub fn assessment(&self, container: usize) -> Option<&Assessment> {
        let place = (*self.relations.assessments.get(container)?)?;
        self.review.as_ref()?.workloads.get(place)
    }

    /// The assessments that change something and whose container still runs, with its place: largest change first.
    pub fn acting(&self) -> impl Iterator<Item = (usize, &Assessment)> {
        let workloads = self.review.iter().flat_map(|review| &review.workloads);
        let running = workloads
            .zip(&self.relations.assessed)
            .filter_map(|(assessment, container)| Some((container.as_ref().copied()?, assessment)));
        running.filter(|(_, a)| !a.ended && (a.cpu.changes() || a.memory.changes()))
    }

    /// The containers that serve the model at this place.
    pub fn served_by(&self, model: usize) -> impl Iterator<Item = ModelContainer<'_>> {
        self.of_model(self.relations.served_by.get(model))
    }

    /// The containers that train the model at this place.
    pub fn trained_by(&self, model: usize) -> impl Iterator<Item = ModelContainer<'_>> {
        self.of_model(self.relations.trained_by.get(model))
    }

    fn of_model<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = ModelContainer<'a>> {
        places.into_iter().flatten().filter_map(|place| {
            let view = self.containers.get(*place)?;
            let Link { relation, source, .. } = *view.model.as_ref()?;
            let container = Link { to: view.id.as_str(), relation, source };
            Some(ModelContainer { container, container_name: &view.name, place: *place, view })
        })
    }

    /// What the review says of the model at this place.
    #[must_use]
    pub fn model_use(&self, model: usize) -> Option<&ModelUse> {
        let place = (*self.relations.uses.get(model)?)?;
        self.review.as_ref()?.models.get(place)
    }

    /// The model with this key, with its place.
    #[must_use]
    pub fn model(&self, key: &ModelKey) -> Option<(usize, &ModelView)> {
        self.models.models.iter().enumerate().find(|(_, model)| model.key == *key)
    }

    /// What an alert is about, one that is over too. What is not there any longer is the node's.
    #[must_use]
    pub fn about(&self, alert: &Alert) -> Thing {
        let label = |named: &Named| alert.labels.get(named.key).map(String::as_str);
        let by_key = |name: &str| {
            let key = ModelKey { namespace: label(&MODEL_NAMESPACE).map(str::to_owned), name: name.to_owned() };
            self.models.models.iter().position(|model| model.key == key)
        };
        // Two engines may name a container alike: whatever else the alert's labels say must be the container's too.
        let agrees = |container: &ContainerView| {
            let said = |attribute: &Attribute| alert.labels.get(attribute.key.as_ref());
            container.subject().attributes.iter().all(|own| said(own).is_none_or(|value| *value == own.value))
        };
        let by_labels =
            |name: &str| self.containers.iter().position(|container| container.name == name && agrees(container));
        let by_uuid = |uuid: &str| self.gpus.iter().position(|gpu| gpu.device.uuid == uuid);
        let model = label(&MODEL).and_then(by_key).map(Thing::Model);
        let gpu = || label(&GPU_ID).and_then(by_uuid).map(Thing::Gpu);
        let container = || label(&CONTAINER_NAME).and_then(by_labels).map(Thing::Container);
        let agent = || label(&COLLECTOR).or(label(&EXPORTER)).map(|_| Thing::Agent);
        model.or_else(gpu).or_else(container).or_else(agent).unwrap_or(Thing::Node)
    }

    /// The alerts, those that are pending too, with what each is about.
    pub fn alerts(&self) -> impl Iterator<Item = (Thing, &Alert)> {
        self.relations.about.iter().copied().zip(&self.alerts.alerts)
    }

    /// The alerts that fire, with what each is about.
    pub fn firing(&self) -> impl Iterator<Item = (Thing, &Alert)> {
        self.alerts().filter(|(_, alert)| alert.state == AlertState::Firing)
    }

    /// Whether an alert on this metric fires for the thing.
    #[must_use]
    pub fn fires(&self, metric: &Metric, thing: Thing) -> bool {
        self.firing().any(|(about, alert)| about == thing && alert.metric == metric.name)
    }

    /// Samples of the model at this place that arrived in each of the last minutes, oldest first.
    #[must_use]
    pub fn traffic_of(&self, model: usize) -> &[u64] {
        let model = self.models.models.get(model);
        model.and_then(|model| self.traffic.get(&model.key)).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::alert::rule::Severity;
    use crate::alert::view::AlertsView;
    use crate::analysis::State;
    use crate::clock::Moment;
    use crate::identity::{ContainerClaim, Pod, claim::DOCKER};
    use crate::model::Spec;
    use crate::model::view::ModelsView;
    use crate::model::watch::{Progress, Watch};
    use crate::reading::Report;

    fn alert(name: &str, key: &str, value: &str) -> Alert {
        Alert {
            name: name.to_owned(),
            severity: Severity::Warning,
            state: AlertState::Firing,
            labels: [(key.to_owned(), value.to_owned())].into(),
            metric: "plumbline.container.memory.oom_kills".to_owned(),
            value: 1.0,
            worst: None,
            threshold: 0.0,
            since: Timestamp::UNIX_EPOCH,
            fired: None,
            resolved: None,
            message: String::new(),
        }
    }

    fn snapshot() -> Snapshot {
        let now = Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let mut state = State::new("node-1".to_owned(), Duration::from_secs(10), 10);
        let claim = |name: &str| {
            Arc::new(ContainerClaim {
                about: crate::identity::About::Container(name.repeat(8)),
                source: DOCKER,
                name: Some(name.to_owned()),
                labels: Some([("plumbline.io/model".to_owned(), "m".to_owned())].into()),
                ..ContainerClaim::default()
            })
        };
        let claims = ["db", "web"].map(claim).into_iter().collect();
        state.absorb(DOCKER, Report { claims: Some(claims), ..Report::default() }, now);
        state.snapshot(now, false)
    }

    #[test]
    fn an_alert_is_about_the_thing_its_labels_name_or_the_node() {
        let alerts = AlertsView {
            alerts: vec![
                alert("Oom", "container.name", "web"),
                alert("Gone", "container.name", "away"),
                alert("Down", "collector", "docker"),
            ],
            ..AlertsView::default()
        };
        let snapshot = snapshot().joined(Arc::default(), None, Arc::new(alerts));
        let about: Vec<Thing> = snapshot.firing().map(|(about, _)| about).collect();
        assert_eq!(about, [Thing::Container(1), Thing::Node, Thing::Agent]);
        let kills = crate::catalogue::named("plumbline.container.memory.oom_kills").expect("a metric");
        assert!(snapshot.fires(kills, Thing::Container(1)) && !snapshot.fires(kills, Thing::Container(0)));
        let drift = crate::catalogue::named("plumbline.model.drift").expect("a metric");
        assert!(!snapshot.fires(drift, Thing::Container(1)), "it is on another metric");
    }

    /// Containers of one node that name the model `m`, each with its stage and the namespace of its pod.
    fn workers(of: &[(&str, Option<&str>, &str)]) -> Snapshot {
        let now = Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::ZERO };
        let mut state = State::new("node-1".to_owned(), Duration::from_secs(10), 10);
        let claim = |(name, stage, namespace): &(&str, Option<&str>, &str)| {
            let stage = stage.map(|stage| ("plumbline.io/stage".to_owned(), stage.to_owned()));
            let model = ("plumbline.io/model".to_owned(), "m".to_owned());
            Arc::new(ContainerClaim {
                about: crate::identity::About::Container(name.repeat(8)),
                source: DOCKER,
                name: Some((*name).to_owned()),
                labels: Some(stage.into_iter().chain([model]).collect()),
                pod: Some(Pod { namespace: Some((*namespace).to_owned()), ..Pod::default() }),
                ..ContainerClaim::default()
            })
        };
        let claims = of.iter().map(claim).collect();
        state.absorb(DOCKER, Report { claims: Some(claims), ..Report::default() }, now);
        state.snapshot(now, false)
    }

    #[test]
    fn who_serves_a_model_who_trains_it_and_whose_is_another() {
        let snapshot =
            workers(&[("here", None, "ml"), ("there", Some("serving"), "shop"), ("trainer", Some("training"), "ml")]);
        let spec = |namespace: Option<&str>| Spec { namespace: namespace.map(str::to_owned), ..Spec::new("m") };
        let joined = |namespace| {
            let view =
                Watch::new(spec(namespace), 10, Progress::default(), Timestamp::UNIX_EPOCH).view(Timestamp::UNIX_EPOCH);
            let models = ModelsView { models: vec![view], ..ModelsView::default() };
            snapshot.clone().joined(Arc::new(models), None, Arc::default())
        };
        let names = |of: &mut dyn Iterator<Item = ModelContainer<'_>>| {
            of.map(|c| c.container_name.to_owned()).collect::<Vec<_>>()
        };
        let (ours, any) = (joined(Some("ml")), joined(None));
        assert_eq!(
            (names(&mut ours.served_by(0)), names(&mut ours.trained_by(0))),
            (vec!["here".to_owned()], vec!["trainer".to_owned()])
        );
        assert_eq!(names(&mut any.served_by(0)), ["here", "there"], "a model without a namespace is anybody's");
        // Three of one name, with an alert on one of them.
        let keys = [ModelKey::named("m"), ModelKey::within("ml", "m"), ModelKey::within("web", "m")];
        let view =
            |key| Watch::new(Spec::of(key), 10, Progress::default(), Timestamp::UNIX_EPOCH).view(Timestamp::UNIX_EPOCH);
        let models = ModelsView { models: keys.iter().map(view).collect(), ..ModelsView::default() };
        let mut drift = alert("Drift", "model", "m");
        drift.labels.insert("model.namespace".to_owned(), "ml".to_owned());
        let alerts = AlertsView { alerts: vec![drift, alert("Drift", "model", "m")], ..AlertsView::default() };
        let traffic = keys.iter().zip(1..).map(|(key, count)| (key.clone(), vec![count])).collect();
        let all = Snapshot { traffic: Arc::new(traffic), ..snapshot }.joined(Arc::new(models), None, Arc::new(alerts));
        let served = [0, 1, 2].map(|place| names(&mut all.served_by(place)));
        assert_eq!(served, [vec!["there".to_owned()], vec!["here".to_owned()], vec![]], "each its own namespace's");
        assert_eq!(names(&mut all.trained_by(1)), ["trainer"]);
        assert_eq!(all.firing().map(|(about, _)| about).collect::<Vec<_>>(), [Thing::Model(1), Thing::Model(0)]);
        assert_eq!([0, 1, 2].map(|place| all.traffic_of(place)[0]), [1, 2, 3]);
        assert_eq!(keys.each_ref().map(|key| all.model(key).map(|(place, _)| place)), [Some(0), Some(1), Some(2)]);
        assert_eq!(all.model(&ModelKey::within("away", "m")), None);
    }

    #[test]
    fn an_alert_about_one_of_two_namesakes_is_about_that_one() {
        let mut snapshot = workers(&[("web", None, "ml"), ("db", None, "ml")]);
        snapshot.containers[1].name = "web".to_owned();
        snapshot.containers[1].pod = Some(Pod { namespace: Some("shop".to_owned()), ..Pod::default() });
        let mut of_shop = alert("Oom", "container.name", "web");
        of_shop.labels.insert("k8s.namespace.name".to_owned(), "shop".to_owned());
        let alerts = AlertsView { alerts: vec![of_shop], ..AlertsView::default() };
        let snapshot = snapshot.joined(Arc::default(), None, Arc::new(alerts));
        assert_eq!(snapshot.firing().map(|(about, _)| about).collect::<Vec<_>>(), [Thing::Container(1)]);
    }

    #[test]
    fn what_is_not_known_joins_nothing() {
        let snapshot = snapshot().joined(Arc::default(), None, Arc::default());
        assert_eq!(snapshot.assessment(0), None);
        assert_eq!(snapshot.acting().count(), 0);
        assert_eq!(snapshot.served_by(0).count(), 0, "no model has sent anything");
    }
}
