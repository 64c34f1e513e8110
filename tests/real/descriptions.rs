//! Descriptions of models in ConfigMaps of a real cluster.

use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::cluster;
use crate::kubernetes::Namespace;
use crate::parts::{Part, check, eventually};
use crate::watch::kubeconfig;

pub const TESTS: &[Test] =
    &[(&[Part::Cluster], "descriptions::a_config_map_describes_a_model", a_config_map_describes_a_model)];

/// Two namespaces, and an account that may read the ConfigMaps of the first alone.
const BASE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: described}
---
apiVersion: v1
kind: Namespace
metadata: {name: elsewhere}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: described}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: described}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: described}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: described}]
"#;

fn map(namespace: &str, name: &str, labelled: bool, data: &Value) -> String {
    let labels = if labelled { json!({"plumbline.io/model-description": "true"}) } else { json!({}) };
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "data": data,
    })
    .to_string()
}

/// Each model that is described, and whether by what counts.
fn described(agent: &Agent) -> Result<Vec<(String, bool)>, Failed> {
    let all = agent.json("/v1/descriptions")?;
    let all = all["descriptions"].as_array().cloned().ok_or("no list")?;
    let of = |one: &Value| {
        let name = [&one["namespace"], &one["name"]].map(|part| part.as_str().unwrap_or("-").to_owned()).join("/");
        (name, one["in_force"] == true)
    };
    Ok(all.iter().map(of).collect())
}

fn a_config_map_describes_a_model() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    let _namespaces = (Namespace(cluster, "described"), Namespace(cluster, "elsewhere"));
    cluster.apply(BASE)?;
    let text = |name: &str| format!("[[model]]\nname = \"{name}\"\nid = \"request\"\n");
    let one = json!({ "churn.toml": text("churn"), "prices.json": "{\"name\": \"prices\"}", "README": "not one" });
    cluster.apply(&map("described", "models", true, &one))?;
    cluster.apply(&map("described", "others", false, &json!({ "m.toml": text("unlabelled") })))?;
    cluster.apply(&map("elsewhere", "models", true, &json!({ "m.toml": text("elsewhere") })))?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = kubeconfig(folder.path(), cluster, ("described", "reader"), &cluster.api().0)?;
    let settings = |namespaces: &str| {
        format!("[collect.kubernetes]\nkubeconfig = \"{}\"\ndescriptions = [{namespaces}]\n", kubeconfig.display())
    };
    let agent = Agent::start(Options { config: &settings("\"described\""), ..Options::default() })?;
    let expect = |expected: &[(&str, bool)]| {
        eventually(Duration::from_secs(20), || {
            let found = described(&agent)?;
            let same = found.iter().map(|(name, counts)| (name.as_str(), *counts)).eq(expected.iter().copied());
            check(same, || format!("{found:?}"))
        })
    };
    expect(&[("described/churn", true), ("described/prices", true)])?;
    let row = "{\"request\":\"a\",\"prediction\":1,\"x\":0.5}";
    let came = agent.ask("POST /v1/models/churn/samples?namespace=described", None, "application/x-ndjson", row)?;
    check(came.0 == 202, || format!("{came:?}"))?;
    eventually(Duration::from_secs(10), || {
        let model = agent.json("/api/v1/models/churn?namespace=described")?;
        check(model["counts"]["samples"] == 1 && !model["features"].to_string().contains("request"), || {
            model.to_string()
        })
    })?;
    // What is wrong is told, and takes nothing else along.
    let wrong = json!({ "churn.toml": text("churn"), "prices.json": "{\"name\": \"prices\", \"windw\": \"1h\"}" });
    cluster.apply(&map("described", "models", true, &wrong))?;
    expect(&[("-/-", false), ("described/churn", true)])?;
    let health = agent.json("/healthz")?["descriptions"].to_string();
    check(health.contains("did you mean `window`") && health.contains("described/models (prices.json)"), || {
        health.clone()
    })?;
    cluster.kubectl(&["delete", "configmap", "models", "-n", "described"])?;
    expect(&[])?;
    // A right that is missing is named, and what is known stays.
    std::fs::write(&agent.config, settings("\"*\""))?;
    agent.signal("HUP")?;
    eventually(Duration::from_secs(20), || {
        let health = agent.json("/healthz")?["descriptions"].to_string();
        check(health.contains("forbidden") && health.contains("list and watch of configmaps"), || health.clone())
    })
}
