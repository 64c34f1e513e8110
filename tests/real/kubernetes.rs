//! A real Kubernetes node: that it is one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::BINARY;
use crate::cluster::{self, Cluster};
use crate::parts::{Part, check, command};

pub const TESTS: &[Test] = &[
    (&[Part::Cluster], "kubernetes::a_cluster_runs_pods", a_cluster_runs_pods),
    (&[Part::Cluster, Part::Curl], "kubernetes::a_token_has_only_its_rights", a_token_has_only_its_rights),
    (&[Part::Cluster], "kubernetes::the_agents_image_runs_as_nobody", the_agents_image_runs_as_nobody),
];

pub const WORKLOADS: &str = include_str!("cluster/workloads.yaml");

/// A namespace that is removed when the test ends.
pub struct Namespace<'a>(pub &'a Cluster, pub &'static str);

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        let _ = self.0.remove_namespace(self.1);
    }
}

fn a_cluster_runs_pods() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    cluster.apply(WORKLOADS)?;
    let _namespace = Namespace(cluster, "shop");
    for (selector, pods) in
        [("app=idle", 2), ("app=throttled", 1), ("app=prices", 1), ("app=store", 2), ("job-name=training", 1)]
    {
        cluster.wait_for(Duration::from_secs(30), || {
            let seen = cluster.pods("shop", selector)?;
            check(seen.iter().filter(|pod| runs(pod)).count() == pods, || format!("{selector}: {}", states(&seen)))
        })?;
    }
    let proxied = cluster.wait_for(Duration::from_secs(30), || {
        let pod = cluster.get(&["pod", "proxied", "-n", "shop"])?;
        check(runs(&pod), || pod["status"].to_string())?;
        Ok(pod)
    })?;
    let inits = proxied["status"]["initContainerStatuses"].as_array().ok_or("no init containers")?;
    check(inits[0]["state"]["running"].is_object() && inits[1]["state"]["terminated"]["exitCode"] == 0, || {
        format!("the sidecar runs on, the init container has ended: {inits:?}")
    })?;
    let labelled = cluster.pods("shop", "plumbline.io/model=house-prices")?;
    check(labelled.len() == 1, || format!("{} pods with the model's label", labelled.len()))?;

    cluster.wait_for(Duration::from_secs(40), || {
        let pods = cluster.pods("shop", "app=greedy")?;
        let status = pods.first().ok_or("no pod")?["status"]["containerStatuses"][0].clone();
        let last = &status["lastState"]["terminated"];
        check(last["reason"] == "OOMKilled" && last["exitCode"] == 137, || format!("lastState of greedy: {status}"))
    })?;
    // Its first run is at the next full minute.
    cluster.wait_for(Duration::from_secs(90), || {
        let pods = cluster.get(&["pods", "-n", "shop"])?;
        let all = pods["items"].as_array().ok_or("no list")?;
        let of_cron = all.iter().filter(|pod| text(pod, "/metadata/name").starts_with("nightly-") && runs(pod));
        check(of_cron.count() == 1, || states(all))
    })?;

    let pods = cluster.get(&["pods", "-n", "shop"])?;
    // What dies at once may be seen alive.
    let lasting = |pod: &&Value| runs(pod) && pod["metadata"]["labels"]["app"] != "greedy";
    for pod in pods["items"].as_array().ok_or("no list")?.iter().filter(lasting) {
        check(pod["spec"]["nodeName"] == cluster::NODE, || pod["spec"].to_string())?;
        lies_where_a_kubelet_puts_it(pod)?;
    }
    Ok(())
}

/// The links to a pod's logs, and its containers' cgroups: with those of the kernel's controllers that the host has.
fn lies_where_a_kubelet_puts_it(pod: &Value) -> Result<(), Failed> {
    let (name, uid) = (text(pod, "/metadata/name"), text(pod, "/metadata/uid"));
    let class = match text(pod, "/status/qosClass") {
        "Guaranteed" => String::new(),
        class => format!("{}/", class.to_lowercase()),
    };
    for container in pod["status"]["containerStatuses"].as_array().ok_or("no containers")? {
        let id = text(container, "/containerID").trim_start_matches("containerd://");
        let container = text(container, "/name");
        let link = fs::read_link(format!("/var/log/containers/{name}_shop_{container}-{id}.log"))?;
        let logs = format!("/var/log/pods/shop_{name}_{uid}/{container}");
        check(link.parent() == Some(Path::new(&logs)) && link.exists(), || link.display().to_string())?;
        let below = format!("kubepods/{class}pod{uid}/{id}");
        let found =
            ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"].iter().find(|root| Path::new(root).join(&below).is_dir());
        check(found.is_some(), || format!("no cgroup {below}"))?;
    }
    Ok(())
}

fn a_token_has_only_its_rights() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    let token = cluster.token("default", "default")?;
    let (api, authority) = cluster.api();
    let ask = |path: &str, token: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        let address = format!("{api}{path}");
        let authority = authority.to_string_lossy();
        let code = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10", "--cacert", &authority];
        command("curl", &[&code[..], &["-H", &bearer, &address]].concat())
    };
    let codes = (ask("/version", &token)?, ask("/api/v1/pods", &token)?, ask("/api/v1/pods", "no token")?);
    check(codes == ("200".to_owned(), "403".to_owned(), "401".to_owned()), || format!("{codes:?}"))
}

fn the_agents_image_runs_as_nobody() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    let image = cluster.load_agent_image()?;
    cluster.apply(&format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: image}}
---
apiVersion: v1
kind: Pod
metadata: {{name: version, namespace: image}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: {image}
    args: [\"--version\"]
    securityContext: {{runAsNonRoot: true, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
"
    ))?;
    let _namespace = Namespace(cluster, "image");
    cluster.wait_for(Duration::from_secs(30), || {
        let pod = cluster.get(&["pod", "version", "-n", "image"])?;
        check(pod["status"]["phase"] == "Succeeded", || pod["status"].to_string())
    })?;
    let said = cluster.kubectl(&["logs", "version", "-n", "image"])?;
    check(said == command(BINARY, &["--version"])?, || said.clone())
}

pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether all containers of a pod run and are ready.
fn runs(pod: &Value) -> bool {
    let ready = |c: &Value| c["ready"] == true && c["state"]["running"].is_object();
    pod["status"]["containerStatuses"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(ready))
}

/// What pods are doing, for who reads a failure.
fn states(pods: &[Value]) -> String {
    let of = |pod: &Value| format!("{}: {}", text(pod, "/metadata/name"), pod["status"]);
    pods.iter().map(of).collect::<Vec<_>>().join("\n")
}
