//! A real containerd with CRI, in folders of its own. Pods are made over its socket, as a kubelet makes them.

mod runtime;

use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Part, check, command, eventually};
use runtime::{Containerd, Pod};

pub const TESTS: &[Test] = &[
    (&[Part::Containerd], "cri::containers_have_their_names_and_their_pods", names_and_pods),
    (&[Part::Containerd], "cri::a_runtime_that_began_anew_is_found_again", a_runtime_that_began_anew),
    (&[Part::Containerd], "cri::containerd_without_cri_is_no_fault", containerd_without_cri),
];

fn agent(containerd: &Containerd) -> Result<Agent, Failed> {
    let config = format!(
        "[agent]\ntick = \"2s\"\ninner_tick = \"200ms\"\n[collect]\ndisabled = [\"docker\", \"podman\"]\n\
         [collect.cri]\nsockets = [\"/nowhere/other.sock\", \"{}\"]\n",
        containerd.socket()
    );
    Agent::start(Options { config: &config, ..Options::default() })
}

fn health(agent: &Agent) -> Result<Value, Failed> {
    Ok(agent.json("/healthz")?["collectors"]["cri"].clone())
}

fn names_and_pods() -> Result<(), Failed> {
    let containerd = Containerd::start("")?;
    let agent = agent(&containerd)?;
    let pod = Pod::run(&containerd, "web-6d5f7c9b8-x2x4z")?;
    let id = pod.start("main", &["sleep", "1000"])?;
    eventually(Duration::from_secs(5), || {
        let view = agent.container(&id)?;
        check(view["name"] == "main" && view["pod_container"] == "main", || format!("{view}; {}", agent.log()))?;
        let of_pod = ["namespace", "name", "uid"].map(|key| view["pod"][key].as_str().unwrap_or_default().to_owned());
        check(of_pod == ["shop", "web-6d5f7c9b8-x2x4z", &pod.uid], || view["pod"].to_string())?;
        check(view["runtime"] == "containerd" && view["restarts"] == 1, || view.to_string())?;
        check(view["image"] == "docker.io/library/plumbline-test" && view["image_tag"] == "1", || view.to_string())?;
        check(view["workload"]["to"]["kind"] == "Deployment", || view["workload"].to_string())?;
        check(view["model"]["to"]["name"] == "housing", || format!("a label of its pod: {view}"))?;
        check(view["sources"]["pod"]["source"] == "cri", || view["sources"].to_string())?;
        check(view["run"]["began"].is_string() && view["cpu"]["limit"] == 0.5, || view.to_string())?;
        check(view["memory"]["usage"].as_u64() > Some(0), || view["memory"].to_string())
    })?;
    let pause = agent.container(&pod.sandbox)?;
    check(pause["name"] == "POD" && pause["role"] == "sandbox" && pause["model"].is_null(), || pause.to_string())?;
    let found = health(&agent)?;
    check(found["message"].as_str().is_some_and(|text| text.starts_with("containerd 1.")), || found.to_string())?;
    // `ctr` makes containers beside CRI: they are not in its list, and nobody says that they are.
    let beside = containerd.beside()?;
    eventually(Duration::from_secs(5), || {
        let view = agent.container(&beside)?;
        check(view["name"] == beside[..12], || view.to_string())
    })?;
    pod.stop(&id)?;
    eventually(Duration::from_secs(4), || check(agent.container(&id).is_err(), || "still there".to_owned()))
}

fn a_runtime_that_began_anew() -> Result<(), Failed> {
    let containerd = Containerd::start("")?;
    let agent = agent(&containerd)?;
    let pod = Pod::run(&containerd, "web-0")?;
    let id = pod.start("main", &["sleep", "1000"])?;
    let named = || {
        let view = agent.container(&id)?;
        check(view["name"] == "main", || format!("{view}; {}", agent.log()))
    };
    eventually(Duration::from_secs(5), named)?;
    containerd.stop();
    eventually(Duration::from_secs(5), || check(health(&agent)?["up"] == false, || agent.log()))?;
    named()?;
    containerd.start_again()?;
    eventually(Duration::from_secs(10), || check(health(&agent)?["up"] == true, || agent.log()))?;
    eventually(Duration::from_secs(5), named)?;
    let late = pod.start("late", &["sleep", "1000"])?;
    eventually(Duration::from_secs(5), || check(agent.container(&late)?["name"] == "late", || agent.log()))
}

fn containerd_without_cri() -> Result<(), Failed> {
    let containerd = Containerd::start("disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n")?;
    let agent = agent(&containerd)?;
    eventually(Duration::from_secs(5), || {
        let found = health(&agent)?;
        let message = format!("not found: /nowhere/other.sock, runtime.v1.RuntimeService at {}", containerd.socket());
        check(found["message"] == message, || found.to_string())?;
        check(found["up"] == false && found["failures"] == 0, || found.to_string())
    })?;
    // It answers all the same.
    command("ctr", &["-a", &containerd.socket(), "version"]).map(drop)
}
