//! deploy/kubernetes and deploy/helm say the same, as real kustomize and helm print them, and take no right that
//! deploy/kubernetes/README.md does not name.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use libtest_mimic::Failed;
use serde_json::{Map, Value, json};

use super::deploy;
use crate::cluster::program;
use crate::parts::{check, command};

/// What can be asked for: a name, the chart's values, the overlay and the components beside it, and a namespace.
type Variant = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str);

/// The base's own.
const NAMESPACE: &str = "plumbline";

const MINIMAL: &str = "kubernetes.token=false,hostPID=false,data.type=emptyDir";

const VARIANTS: &[Variant] = &[
    ("default", "", ".", &[], NAMESPACE),
    ("minimal", MINIMAL, "overlays/minimal", &[], NAMESPACE),
    ("gpu", "gpu.enabled=true,podResources.enabled=true", "overlays/gpu", &[], NAMESPACE),
    ("token alone", "hostPID=false,data.type=emptyDir", "overlays/minimal", &["token"], NAMESPACE),
    ("hostPID alone", "kubernetes.token=false,data.type=emptyDir", "overlays/minimal", &["host-pid"], NAMESPACE),
    ("data alone", "kubernetes.token=false,hostPID=false", "overlays/minimal", &["data"], NAMESPACE),
    ("GPUs alone", "gpu.enabled=true", ".", &["gpu"], NAMESPACE),
    ("pod resources alone", "podResources.enabled=true", ".", &["pod-resources"], NAMESPACE),
    ("autoscalers", "kubernetes.autoscalers=true", ".", &["autoscalers"], NAMESPACE),
    ("descriptions", "kubernetes.descriptions={*}", ".", &["descriptions"], NAMESPACE),
    (
        "monitoring",
        "serviceMonitor.enabled=true,prometheusRule.enabled=true",
        ".",
        &["service-monitor", "prometheus-rule"],
        NAMESPACE,
    ),
    ("pod monitor", "podMonitor.enabled=true", ".", &["pod-monitor"], NAMESPACE),
    ("network policy", "networkPolicy.enabled=true", ".", &["network-policy"], NAMESPACE),
    ("labels to all", "forward.enabled=true", ".", &["forward"], NAMESPACE),
    (
        "labels to all, within a policy",
        "forward.enabled=true,networkPolicy.enabled=true",
        ".",
        &["network-policy", "forward"],
        NAMESPACE,
    ),
    ("OpenShift", "openshift.scc.enabled=true", ".", &["openshift"], NAMESPACE),
    (
        "everything",
        "gpu.enabled=true,podResources.enabled=true,kubernetes.autoscalers=true,podMonitor.enabled=true,\
         prometheusRule.enabled=true,networkPolicy.enabled=true,forward.enabled=true,openshift.scc.enabled=true",
        "overlays/gpu",
        &["autoscalers", "pod-monitor", "prometheus-rule", "network-policy", "forward", "openshift"],
        NAMESPACE,
    ),
    (
        "another namespace",
        "kubernetes.autoscalers=true,serviceMonitor.enabled=true,networkPolicy.enabled=true",
        ".",
        &["autoscalers", "service-monitor", "network-policy"],
        "watch",
    ),
];

/// Helm's own labels, and what says that the settings are others: kustomize names the config map anew for that.
const OF_HELM: &[&str] = &[
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "checksum/config",
];

fn chart() -> PathBuf {
    deploy().join("helm/plumbline")
}

fn run(name: &str, arguments: &[&str]) -> Result<String, Failed> {
    command(&program(name).to_string_lossy(), arguments)
}

fn helm(values: &str, namespace: &str) -> Result<String, Failed> {
    run("helm", &["template", "plumbline", &chart().to_string_lossy(), "--namespace", namespace, "--set", values])
}

/// A user's own kustomization, as deploy/kubernetes/README.md shows one.
fn kustomize(overlay: &str, components: &[&str], namespace: &str) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    let own = folder.path().canonicalize()?;
    let up = "../".repeat(own.components().count() - 1);
    let ours = format!("{up}{}", deploy().canonicalize()?.join("kubernetes").strip_prefix("/")?.display());
    let components: Vec<String> = components.iter().map(|name| format!("{ours}/components/{name}")).collect();
    let mut text = json!({"resources": [format!("{ours}/{overlay}")], "components": components});
    if namespace != NAMESPACE {
        text["namespace"] = namespace.into();
    }
    fs::write(own.join("kustomization.yaml"), text.to_string())?;
    run("kustomize", &["build", &own.to_string_lossy()])
}

/// Objects by kind and name.
type Objects = BTreeMap<String, Value>;

fn objects(text: &str) -> Result<Objects, Failed> {
    let mut all = Objects::new();
    for object in serde_saphyr::from_multiple::<Value>(text)? {
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', "");
        check(all.insert(name.clone(), object).is_none(), || format!("{name} is there twice"))?;
    }
    check(!all.is_empty(), || "no object".to_owned())?;
    Ok(all)
}

/// Without what may differ, which is this and nothing else: what `OF_HELM` lists; the order of a pod's volumes; and how the
/// settings are written.
fn comparable(objects: Objects) -> Result<Objects, Failed> {
    let mut all = Objects::new();
    for (name, mut object) in objects {
        drop_keys(&mut object);
        if let Some(volumes) = object.pointer_mut("/spec/template/spec/volumes").and_then(Value::as_array_mut) {
            volumes.sort_by_key(|volume| volume["name"].to_string());
        }
        if object["kind"] == "ConfigMap" {
            object["data"] = settings(&object)?;
        }
        all.insert(name, object);
    }
    Ok(all)
}

/// The config map's settings, read.
fn settings(config_map: &Value) -> Result<Value, Failed> {
    let data = config_map["data"].as_object().ok_or("no data")?;
    check(data.len() == 1, || format!("{data:?}"))?;
    Ok(toml::from_str(data["plumbline.toml"].as_str().ok_or("no settings")?)?)
}

fn drop_keys(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !OF_HELM.contains(&key.as_str()));
            fields.values_mut().for_each(drop_keys);
            fields.retain(|key, value| !(key == "annotations" && value.as_object().is_some_and(Map::is_empty)));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_keys),
        _ => {}
    }
}

/// What kustomize printed, with the config map's name as it is without the hash of its content; and without the namespace, which Helm
/// makes before it reads a chart.
fn of_kustomize(text: &str) -> Result<Objects, Failed> {
    let with_hash = objects(text)?;
    let of_map = with_hash.keys().find_map(|name| name.strip_prefix("ConfigMap ")).ok_or("no config map")?;
    let (name, hash) = of_map.rsplit_once('-').ok_or("no hash")?;
    check(hash.len() == 10, || of_map.to_owned())?;
    let mut all = objects(&text.replace(of_map, name))?;
    let namespace = all.keys().find(|name| name.starts_with("Namespace ")).cloned().ok_or("no namespace")?;
    let namespace = all.remove(&namespace).ok_or("no namespace")?;
    let level = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    check(level == "privileged", || namespace.to_string())?;
    Ok(all)
}

/// Where two values differ first.
fn difference(at: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let null = Value::Null;
            a.keys().chain(b.keys()).find_map(|key| {
                difference(&format!("{at}/{key}"), a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| difference(&format!("{at}/{index}"), a, b))
        }
        _ => (one != other).then(|| format!("{at}: kustomize says {one}, helm {other}")),
    }
}

pub fn helm_and_kustomize_say_the_same() -> Result<(), Failed> {
    for &(variant, values, overlay, components, namespace) in VARIANTS {
        let ours = comparable(of_kustomize(&kustomize(overlay, components, namespace)?)?)?;
        let mut theirs = comparable(objects(&helm(values, namespace)?)?)?;
        // Kustomize cannot make up a token: `plumbline tokens` does.
        let tokens = theirs.remove("Secret plumbline-tokens").ok_or("no tokens")?;
        are_tokens(&tokens)?;
        check(ours.keys().eq(theirs.keys()), || {
            format!("{variant}: kustomize makes {:?}, helm {:?}", ours.keys(), theirs.keys())
        })?;
        for (name, object) in &ours {
            let differs = difference("", object, &theirs[name]);
            check(differs.is_none(), || format!("{variant}: {name}: {}", differs.unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// The chart's own tokens: a file that the agent takes, with each that stands beside it.
fn are_tokens(secret: &Value) -> Result<(), Failed> {
    let text = |key: &str| secret["stringData"][key].as_str().map(str::to_owned).ok_or("no such token");
    let folder = tempfile::tempdir()?;
    let (file, config) = (folder.path().join("tokens.toml"), folder.path().join("plumbline.toml"));
    fs::write(&file, text("tokens.toml")?)?;
    fs::write(&config, format!("[access]\ntokens = \"{}\"\n", file.display()))?;
    let output = crate::agent::command().args(["check", "--config"]).arg(&config).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    for right in ["read", "write", "describe"] {
        let line = format!("token = \"{}\"\nmay = [\"{right}\"]", text(right)?);
        check(text("tokens.toml")?.contains(&line), || format!("{right} is not in the file"))?;
    }
    Ok(())
}

pub fn settings_of_the_manifests_are_valid() -> Result<(), Failed> {
    for &(variant, values, ..) in VARIANTS {
        is_valid(&objects(&helm(values, NAMESPACE)?)?["ConfigMap plumbline"])
            .map_err(|failed| format!("{variant}: {failed:?}"))?;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    let config = "[collect]\ndisabled = []\nmax_containers = 2000\n[collect.kubernetes]\nautoscalers = false\n\
                  [cost]\ncpu_core_hour = 0.5\n[[model]]\nname = \"a\"\nid = \"key\"\n[[model]]\nname = \"b\"\n";
    fs::write(&file, json!({"config": config, "kubernetes": {"autoscalers": true}}).to_string())?;
    let text =
        run("helm", &["template", "plumbline", &chart().to_string_lossy(), "--values", &file.to_string_lossy()])?;
    let map = &objects(&text)?["ConfigMap plumbline"];
    is_valid(map)?;
    let mut expected: Value = toml::from_str(config)?;
    expected["collect"]["cgroup"] = json!({"root": "/host/sys/fs/cgroup"});
    expected["collect"]["pod_logs"] = json!({"root": "/host/var/log"});
    check(settings(map)? == expected, || format!("what the user says has the last word: {map}"))
}

fn is_valid(config_map: &Value) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plumbline.toml");
    fs::write(&file, config_map["data"]["plumbline.toml"].as_str().ok_or("no settings")?)?;
    let output = crate::agent::command().args(["check", "--config"]).arg(&file).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())
}

pub fn bad_values_are_refused() -> Result<(), Failed> {
    run("helm", &["lint", "--strict", &chart().to_string_lossy()])?;
    for (values, says) in [
        ("hostPid=true", "additional properties 'hostPid' not allowed"),
        ("forward=true", "'/forward': got boolean, want object"),
        ("hostPID=yes", "'/hostPID': got string, want boolean"),
        ("kubernetes.tokens=true", "additional properties 'tokens' not allowed"),
        ("tolerations=all", "'/tolerations': got string, want array"),
        ("data.type=disk", "value must be one of 'hostPath', 'emptyDir'"),
        ("cgroupRoot=sys", "'/cgroupRoot': 'sys' does not match pattern"),
        ("config=[agent", "config is not TOML"),
        ("kubernetes.token=false,kubernetes.autoscalers=true", "kubernetes.autoscalers needs kubernetes.token"),
        ("kubernetes.token=false,kubernetes.descriptions={ml}", "kubernetes.descriptions needs kubernetes.token"),
        ("access.insecure=true,access.existingSecret=x", "leave one of them out"),
        ("serviceMonitor.enabled=true,podMonitor.enabled=true", "enable serviceMonitor or podMonitor"),
    ] {
        let printed = helm(values, NAMESPACE);
        let refused = printed.as_ref().err().and_then(Failed::message).is_some_and(|why| why.contains(says));
        check(refused, || format!("{values}: {printed:?}"))?;
    }
    let about: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml"))?)?;
    check(about["appVersion"] == env!("CARGO_PKG_VERSION"), || about.to_string())?;
    // A value is in both or in none: what is only in values.yaml is refused above.
    let of_file: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml"))?)?;
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json"))?)?;
    for key in schema["properties"].as_object().ok_or("no properties")?.keys().filter(|key| *key != "global") {
        check(of_file.get(key).is_some(), || format!("values.yaml does not name {key}"))?;
    }
    Ok(())
}

/// Resources of the API and what may be done with them, as `kubectl auth can-i --list` has them.
fn rights(objects: &Objects) -> Vec<String> {
    let roles = objects.values().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")));
    let rules = roles.flat_map(|role| role["rules"].as_array().into_iter().flatten());
    let mut all = Vec::new();
    for rule in rules {
        for resource in rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let group = rule["apiGroups"][0].as_str().unwrap_or_default();
            let name = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
            let verbs: Vec<&str> = rule["verbs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            all.push(format!("{name} [{}]", verbs.join(" ")));
        }
    }
    all
}

pub fn no_right_is_taken_that_is_not_named() -> Result<(), Failed> {
    let page = fs::read_to_string(deploy().join("kubernetes/README.md"))?;
    for &(variant, _, overlay, components, namespace) in VARIANTS {
        let objects = of_kustomize(&kustomize(overlay, components, namespace)?)?;
        let (token, autoscalers) =
            (overlay != "overlays/minimal" || components.contains(&"token"), components.contains(&"autoscalers"));
        let of_token = ["pods [list watch]", "nodes [list watch]"];
        let of_autoscalers =
            ["horizontalpodautoscalers.autoscaling [list]", "verticalpodautoscalers.autoscaling.k8s.io [list]"];
        let descriptions = components.contains(&"descriptions");
        let of_descriptions = ["configmaps [list watch]"];
        let expected = of_token.iter().filter(|_| token).chain(of_autoscalers.iter().filter(|_| autoscalers));
        let expected = expected.chain(of_descriptions.iter().filter(|_| descriptions));
        check(rights(&objects).iter().eq(expected), || format!("{variant}: {:?}", rights(&objects)))?;
        for right in rights(&objects) {
            check(page.contains(&format!("`{right}`")), || format!("README.md does not name {right}"))?;
        }
        pod_is_confined(&objects["DaemonSet plumbline"]["spec"]["template"]["spec"], token, &page)
            .map_err(|failed| format!("{variant}: {failed:?}"))?;
    }
    let openshift = of_kustomize(&kustomize(".", &["openshift"], NAMESPACE)?)?;
    let kinds = |path: &str| openshift.values().find_map(|object| object.pointer(path)).cloned().ok_or("no such field");
    let allowed = kinds("/volumes")?;
    for volume in kinds("/spec/template/spec/volumes")?.as_array().into_iter().flatten() {
        let kind = volume.as_object().and_then(|volume| volume.keys().find(|key| *key != "name")).ok_or("no kind")?;
        let is_allowed = allowed.as_array().is_some_and(|allowed| allowed.iter().any(|one| one == kind.as_str()));
        check(is_allowed, || format!("the SecurityContextConstraints allow no volume of {kind}: {allowed}"))?;
    }
    Ok(())
}

/// A pod with no capability but the one to give the data folder away, that writes nowhere else, and whose folders of the node the
/// page names.
fn pod_is_confined(pod: &Value, token: bool, page: &str) -> Result<(), Failed> {
    check(pod["automountServiceAccountToken"] == token, || "the token".to_owned())?;
    check(["hostNetwork", "hostIPC"].iter().all(|key| pod[key].is_null()), || pod.to_string())?;
    let folders: BTreeMap<&str, &str> = pod["volumes"]
        .as_array()
        .ok_or("no volumes")?
        .iter()
        .filter_map(|volume| Some((volume["name"].as_str()?, volume["hostPath"]["path"].as_str()?)))
        .collect();
    for path in folders.values() {
        check(page.contains(&format!("`{path}`")), || format!("README.md does not name {path}"))?;
    }
    let of = |key: &str| pod[key].as_array().cloned().unwrap_or_default();
    let agent = of("containers");
    check(agent.len() == 1 && of("initContainers").len() <= 1, || "more containers".to_owned())?;
    let root = folders.contains_key("pod-resources");
    check(agent[0]["securityContext"]["runAsNonRoot"] == !root, || "a user that is not root".to_owned())?;
    for container in agent.iter().chain(&of("initContainers")) {
        let security = &container["securityContext"];
        let add = if container["name"] == "owner" { json!(["CHOWN", "DAC_READ_SEARCH"]) } else { Value::Null };
        check(
            security["capabilities"]["drop"] == json!(["ALL"])
                && security["capabilities"]["add"] == add
                && security["allowPrivilegeEscalation"] == false
                && security["readOnlyRootFilesystem"] == true
                && security["privileged"].is_null()
                && security["seccompProfile"]["type"] == "RuntimeDefault",
            || security.to_string(),
        )?;
        for mount in container["volumeMounts"].as_array().ok_or("no mounts")? {
            check(mount["readOnly"] == true || mount["name"] == "data", || format!("writable: {mount}"))?;
        }
    }
    Ok(())
}
