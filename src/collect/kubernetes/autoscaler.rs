//! Autoscalers, where a right to list them was given: whose they are, and which resources they act on.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ListParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::explain;
use crate::identity::autoscaler::{HORIZONTAL, VERTICAL};
use crate::identity::claim::KUBERNETES;
use crate::identity::{Autoscaler, Workload};

/// By what is scaled.
pub type Autoscalers = BTreeMap<ScaledKey, Vec<Autoscaler>>;
/// Its namespace, kind and name.
type ScaledKey = (String, String, String);

/// In a page of a list.
const PAGE: u32 = 500;
/// No more pages of a kind are read.
const PAGES: usize = 20;
/// Listing both kinds takes no longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Lists both kinds now and then. What cannot be listed is told, and the rest goes on without.
pub fn follow(client: Client, every: Duration) -> mpsc::Receiver<Autoscalers> {
    let (found, follows) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            if let Ok(all) = tokio::time::timeout(LONGEST, list(&client)).await {
                if found.send(all).await.is_err() {
                    return;
                }
            } else {
                tracing::warn!(collector = KUBERNETES, "autoscalers cannot be listed: no answer in time");
            }
            tokio::time::sleep(every).await;
        }
    });
    follows
}

/// Lists both kinds. A cluster without VerticalPodAutoscalers has none.
async fn list(client: &Client) -> Autoscalers {
    let mut all = Autoscalers::new();
    let horizontal = of_kind::<Horizontal>(client, "autoscaling", "v2", HORIZONTAL).await;
    let vertical = of_kind::<Vertical>(client, "autoscaling.k8s.io", "v1", VERTICAL).await;
    for found in [horizontal, vertical] {
        match found {
            Ok(found) => found.into_iter().for_each(|(target, by)| all.entry(target).or_default().push(by)),
            Err(why) => tracing::warn!(collector = KUBERNETES, error = why, "autoscalers cannot be listed"),
        }
    }
    all
}

/// What scales a workload.
pub fn of<'a>(all: &'a Autoscalers, workload: &Workload) -> Option<&'a Vec<Autoscaler>> {
    all.get(&(workload.namespace.clone()?, workload.kind.name().to_owned(), workload.name.clone()))
}

async fn of_kind<S: Spec>(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
) -> Result<Vec<(ScaledKey, Autoscaler)>, String> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut page = ListParams::default().limit(PAGE);
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let list = match api.list(&page).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(found),
            Err(error) => return Err(format!("{kind}s: {}", explain(&error))),
        };
        found.extend(list.items.into_iter().filter_map(|object| one::<S>(kind, object)));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(found),
        }
    }
    tracing::warn!(collector = KUBERNETES, read = found.len(), "there are more {kind}s than are read");
    Ok(found)
}

fn one<S: Spec>(kind: &str, object: DynamicObject) -> Option<(ScaledKey, Autoscaler)> {
    let spec: S = serde_json::from_value(object.data.get("spec")?.clone()).ok()?;
    let target = spec.target()?;
    let resources = spec.resources();
    let namespace = object.metadata.namespace?;
    let autoscaler = Autoscaler { kind: kind.to_owned(), name: object.metadata.name.unwrap_or_default(), resources };
    let acts = !autoscaler.resources.is_empty();
    acts.then_some(((namespace, target.kind, target.name), autoscaler))
}

/// What of an autoscaler's spec is read.
trait Spec: for<'de> Deserialize<'de> {
    /// What it scales.
    fn target(&self) -> Option<Target>;
    /// The resources it acts on.
    fn resources(&self) -> Vec<String>;
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Horizontal {
    scale_target_ref: Option<Target>,
    #[serde(default)]
    metrics: Vec<HorizontalMetric>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HorizontalMetric {
    resource: Option<Of>,
    container_resource: Option<Of>,
}

#[derive(Debug, Deserialize)]
struct Of {
    name: String,
    target: Option<MetricTarget>,
}

#[derive(Debug, Deserialize)]
struct MetricTarget {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Spec for Horizontal {
    fn target(&self) -> Option<Target> {
        self.scale_target_ref.clone()
    }

    /// Those whose use it holds against the request. A mean in cores or bytes is held against nothing that a patch changes.
    fn resources(&self) -> Vec<String> {
        let each = self.metrics.iter().flat_map(|metric| metric.resource.iter().chain(&metric.container_resource));
        let by_request = |of: &&Of| {
            let kind = of.target.as_ref().and_then(|target| target.kind.as_deref());
            kind.is_none_or(|kind| kind == "Utilization")
        };
        let mut names: Vec<String> = each.filter(by_request).map(|of| of.name.clone()).collect();
        // Without a metric it goes by CPU.
        if self.metrics.is_empty() {
            names.push("cpu".to_owned());
        }
        names.sort();
        names.dedup();
        names
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vertical {
    target_ref: Option<Target>,
    update_policy: Option<UpdatePolicy>,
    resource_policy: Option<ResourcePolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdatePolicy {
    update_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourcePolicy {
    #[serde(default)]
    container_policies: Vec<ContainerPolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPolicy {
    container_name: Option<String>,
    controlled_resources: Option<Vec<String>>,
}

impl Spec for Vertical {
    fn target(&self) -> Option<Target> {
        self.target_ref.clone()
    }

    /// Those that it sets: what its policy for all containers names, else CPU and memory. One that only recommends sets none.
    fn resources(&self) -> Vec<String> {
        let mode = self.update_policy.as_ref().and_then(|policy| policy.update_mode.as_deref());
        if mode == Some("Off") {
            return Vec::new();
        }
        let mut policies = self.resource_policy.iter().flat_map(|policy| &policy.container_policies);
        // A policy for one container leaves the others to the default, which is both.
        let of_all = policies.find(|policy| policy.container_name.as_deref() == Some("*"));
        let mut names = of_all
            .and_then(|policy| policy.controlled_resources.clone())
            .unwrap_or_else(|| vec!["cpu".to_owned(), "memory".to_owned()]);
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<S: Spec>(kind: &str, spec: &Value) -> Option<String> {
        let object = json!({ "metadata": { "namespace": "shop", "name": "web" }, "spec": spec.clone() });
        let (target, found) = one::<S>(kind, serde_json::from_value(object).expect("an object"))?;
        assert_eq!(target, ("shop".to_owned(), "Deployment".to_owned(), "web".to_owned()));
        Some(found.to_string())
    }

    #[test]
    fn a_horizontal_one_acts_on_what_it_holds_against_the_request() {
        let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
        let with =
            |metrics: Value| read::<Horizontal>(HORIZONTAL, &json!({ "scaleTargetRef": target, "metrics": metrics }));
        let metric = |name: &str, kind: &str| json!({ "type": "Resource", "resource": { "name": name, "target": { "type": kind, "averageUtilization": 80 } } });
        let is = |resources: &str| Some(format!("HorizontalPodAutoscaler/web:{resources}"));
        assert_eq!(with(json!([metric("cpu", "Utilization"), metric("memory", "Utilization")])), is("cpu,memory"));
        assert_eq!(with(json!([])), is("cpu"));
        assert_eq!(with(json!([metric("cpu", "AverageValue")])), None, "cores are cores, whatever is requested");
        let of_one = json!({ "type": "ContainerResource", "containerResource": { "name": "memory", "container": "app", "target": { "type": "Utilization" } } });
        assert_eq!(with(json!([of_one])), is("memory"));
        let external = json!({ "type": "External", "external": { "metric": { "name": "queue" }, "target": { "type": "Value", "value": "30" } } });
        assert_eq!(with(json!([external])), None);
        assert_eq!(read::<Horizontal>(HORIZONTAL, &json!({})), None);
        assert_eq!(read::<Horizontal>(HORIZONTAL, &json!("odd")), None);
    }

    #[test]
    fn a_vertical_one_acts_on_what_it_sets() {
        let target = json!({ "kind": "Deployment", "name": "web" });
        let with = |mode: &str, policies: Value| {
            let spec = json!({ "targetRef": target, "updatePolicy": { "updateMode": mode }, "resourcePolicy": { "containerPolicies": policies } });
            read::<Vertical>(VERTICAL, &spec)
        };
        assert_eq!(with("Auto", json!([])).as_deref(), Some("VerticalPodAutoscaler/web:cpu,memory"));
        assert_eq!(with("Off", json!([])), None, "it only recommends");
        let memory = json!([{ "containerName": "*", "controlledResources": ["memory"] }]);
        assert_eq!(with("Recreate", memory).as_deref(), Some("VerticalPodAutoscaler/web:memory"));
        let of_one = json!([{ "containerName": "proxy", "controlledResources": ["memory"] }]);
        assert_eq!(
            with("Auto", of_one).as_deref(),
            Some("VerticalPodAutoscaler/web:cpu,memory"),
            "others are set whole"
        );
        let alone = read::<Vertical>(VERTICAL, &json!({ "targetRef": target }));
        assert_eq!(alone.as_deref(), Some("VerticalPodAutoscaler/web:cpu,memory"));
    }
}
