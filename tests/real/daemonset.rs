//! The agent as a DaemonSet on a real Kubernetes node, with what stands in deploy/: what it sees there, what it may, and that its patches
//! are taken.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent;
use crate::cluster::{self, Cluster, program};
use crate::kubernetes::{Namespace, WORKLOADS, text};
use crate::parts::{Part, check, command};

pub const TESTS: &[Test] = &[
    (&[Part::Cluster], "daemonset::workloads_are_named_sized_and_patched", workloads_are_named_sized_and_patched),
    (&[Part::Cluster], "daemonset::without_a_token_names_remain", without_a_token_names_remain),
    (&[Part::Cluster], "daemonset::root_without_a_capability_is_told_allocations", root_is_told_allocations),
];

/// What its account may do, as deploy/kubernetes/README.md says.
const RIGHTS: [(&str, &str); 2] = [("nodes", "[list watch]"), ("pods", "[list watch]")];

/// The agent in the cluster.
struct Deployed<'a> {
    cluster: &'a Cluster,
    /// That it is read with.
    token: String,
    _namespace: Namespace<'a>,
}

impl<'a> Deployed<'a> {
    /// Deploys one of the folders of deploy/kubernetes as people do: a copy, with an image and settings of their own.
    fn apply(cluster: &'a Cluster, overlay: &str) -> Result<Self, Failed> {
        let image = cluster.load_agent_image()?;
        let folder = tempfile::tempdir()?;
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes"), folder.path())?;
        let settings = settings_of(folder.path())?;
        let ours = "\n[rightsizing]\nmin_history = \"1m\"\n";
        fs::write(&settings, fs::read_to_string(&settings)? + ours)?;
        // The history of a host's own agent is not this one's.
        let data = folder.path().join("components/data/daemonset.yaml");
        let own = format!("hostPath: {{path: {}", cluster.data().display());
        fs::write(&data, fs::read_to_string(&data)?.replace("hostPath: {path: /var/lib/plumbline", &own))?;
        let overlay = folder.path().join(overlay);
        let (name, tag) = image.rsplit_once(':').ok_or("an image without a tag")?;
        let kustomize = program("kustomize");
        let set = format!("cd {} && {} edit set image plumbline={name}:{tag}", overlay.display(), kustomize.display());
        command("sh", &["-c", &set])?;
        let namespace = Namespace(cluster, "plumbline");
        cluster.wait_for(Duration::from_secs(20), || cluster.kubectl(&["apply", "-k", &overlay.to_string_lossy()]))?;
        let secret = agent::command().args(["tokens", "--format", "secret"]).output()?;
        cluster.apply(&String::from_utf8(secret.stdout)?)?;
        let token = "go-template={{.data.read | base64decode}}";
        let token = cluster.kubectl(&["get", "secret", "plumbline-tokens", "-n", "plumbline", "-o", token])?;
        let deployed = Self { cluster, token, _namespace: namespace };
        cluster.wait_for(Duration::from_secs(60), || {
            let pods = deployed.pods()?;
            let ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
            check(pods.len() == 1 && ready(&pods[0]), || deployed.trouble(&pods))
        })?;
        Ok(deployed)
    }

    fn pods(&self) -> Result<Vec<Value>, Failed> {
        self.cluster.pods("plumbline", "app.kubernetes.io/name=plumbline")
    }

    /// Why it does not come up.
    fn trouble(&self, pods: &[Value]) -> String {
        let log =
            self.cluster.kubectl(&["logs", "-n", "plumbline", "-l", "app.kubernetes.io/name=plumbline", "--tail=20"]);
        let status: Vec<&Value> = pods.iter().map(|pod| &pod["status"]).collect();
        format!("{status:?}; {log:?}")
    }

    fn read(&self, path: &str) -> Result<String, Failed> {
        let pods = self.pods()?;
        let address = text(pods.first().ok_or("no pod")?, "/status/podIP").to_owned() + ":9477";
        let (status, body) = agent::ask(&address, &format!("GET {path}"), Some(&self.token), "", "")?;
        check(status == 200, || format!("{path}: {status}: {body}"))?;
        Ok(body)
    }

    fn ask(&self, path: &str) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.read(path)?)?)
    }

    /// The containers that it sees in a namespace, sandboxes left out.
    fn containers(&self, namespace: &str) -> Result<Vec<Value>, Failed> {
        let all = self.ask("/api/v1/containers")?;
        let all = all["containers"].as_array().cloned().ok_or("no list")?;
        let of = |c: &&Value| c["pod"]["namespace"] == namespace && c["role"] != "sandbox";
        Ok(all.iter().filter(of).cloned().collect())
    }

    /// What it recommends for one container of a workload.
    fn recommended(&self, name: &str) -> Result<Value, Failed> {
        let all = self.ask("/api/v1/recommendations")?;
        let all = all["workloads"].as_array().ok_or("no list")?;
        let names: Vec<&str> = all.iter().map(|w| text(w, "/workload/name")).collect();
        all.iter()
            .find(|w| w["workload"]["name"] == name)
            .cloned()
            .ok_or_else(|| format!("{name} is not among {names:?}").into())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The settings file of the copied folder.
fn settings_of(folder: &Path) -> Result<PathBuf, Failed> {
    let places = [folder.join("plumbline.toml"), folder.join("base/plumbline.toml")];
    places.into_iter().find(|path| path.exists()).ok_or_else(|| "no plumbline.toml".into())
}

/// Kind, name, container and who says so, of each container.
fn owners(containers: &[Value]) -> Vec<(String, String, String)> {
    let workload = |c: &Value| {
        let of = |pointer: &str| text(c, pointer).to_owned();
        (of("/workload/to/kind") + "/" + text(c, "/workload/to/name"), of("/name"), of("/workload/source"))
    };
    let mut found: Vec<_> = containers.iter().map(workload).collect();
    found.sort();
    found.dedup();
    found
}

const OWNERS: [(&str, &str); 8] = [
    ("CronJob/nightly", "main"),
    ("Deployment/idle", "main"),
    ("Deployment/prices", "server"),
    ("Deployment/throttled", "main"),
    ("Job/training", "main"),
    ("Pod/proxied", "main"),
    ("Pod/proxied", "proxy"),
    ("StatefulSet/store", "main"),
];

fn workloads_are_named_sized_and_patched() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    cluster.apply(WORKLOADS)?;
    let _shop = Namespace(cluster, "shop");
    let agent = Deployed::apply(cluster, ".")?;
    rights_are_those_that_are_documented(cluster)?;
    cluster.wait_for(Duration::from_secs(90), || {
        let seen = owners(&agent.containers("shop")?);
        // What dies at once is there or not.
        let seen: Vec<(&str, &str)> =
            seen.iter().map(|(w, c, _)| (&**w, &**c)).filter(|(w, _)| *w != "Deployment/greedy").collect();
        check(seen == OWNERS, || format!("{seen:?}"))
    })?;
    // A pod that begins or ends just now has its container or its sandbox first.
    cluster.wait_for(Duration::from_secs(20), || everything_is_named(&agent))?;
    what_the_api_knows_is_there(&agent)?;
    sizes_are_judged(&agent)?;
    patches_are_taken(&agent)?;
    changes_are_followed(&agent)?;
    a_rollout_of_its_own_forgets_nothing(&agent)
}

/// `kubectl auth can-i --list`, less what every account may.
fn rights_are_those_that_are_documented(cluster: &Cluster) -> Result<(), Failed> {
    let list = |account: &str| -> Result<Vec<String>, Failed> {
        let who = format!("--as=system:serviceaccount:plumbline:{account}");
        let text = cluster.kubectl(&["auth", "can-i", "--list", "-n", "plumbline", &who])?;
        Ok(text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    };
    let (ours, anybody) = (list("plumbline")?, list("default")?);
    let mut own: Vec<&String> = ours.iter().filter(|line| !anybody.contains(line)).collect();
    own.sort();
    let expected: Vec<String> = RIGHTS.iter().map(|(what, verbs)| format!("{what} [] [] {verbs}")).collect();
    check(own.iter().copied().eq(expected.iter()), || format!("{own:?}"))
}

/// No container is without its names; sandboxes are told from containers; its own pod is there too.
fn everything_is_named(agent: &Deployed<'_>) -> Result<(), Failed> {
    let in_pods = no_pod_is_a_bare_uid(agent)?;
    let pods = |role: &str| {
        let mut names: Vec<&str> = in_pods
            .iter()
            .filter(|c| (c["role"] == "sandbox") == (role == "sandbox"))
            .map(|c| text(c, "/pod/name"))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (sandboxes, containers) = (pods("sandbox"), pods("main"));
    let of_greedy = |name: &&&str| !name.starts_with("greedy-");
    check(containers.iter().filter(of_greedy).all(|pod| sandboxes.contains(pod)), || {
        format!("{sandboxes:?} {containers:?}")
    })?;
    let own = agent.containers("plumbline")?;
    check(owners(&own).iter().any(|(workload, _, _)| workload == "DaemonSet/plumbline"), || format!("{own:?}"))
}

fn what_the_api_knows_is_there(agent: &Deployed<'_>) -> Result<(), Failed> {
    let containers = agent.containers("shop")?;
    let one = |workload: &str, name: &str| {
        let of = |c: &&Value| c["workload"]["to"]["name"] == workload && c["name"] == name;
        containers.iter().find(of).ok_or_else(|| format!("no {workload}/{name}"))
    };
    let idle = one("idle", "main")?;
    let settings =
        [&idle["cpu"]["request"], &idle["cpu"]["limit"], &idle["memory"]["request"], &idle["memory"]["limit"]];
    let expected = [0.2, 0.4, f64::from(128 << 20), f64::from(256 << 20)];
    check(settings.iter().zip(expected).all(|(found, value)| found.as_f64() == Some(value)), || {
        format!("{settings:?}")
    })?;
    check(idle["qos"] == "Burstable" && idle["sources"]["cpu.request"]["source"] == "kubernetes", || idle.to_string())?;
    check(idle["workload"]["source"] == "pod-template-hash", || idle["workload"].to_string())?;
    let server = one("prices", "server")?;
    check(server["model"]["to"]["name"] == "house-prices" && server["model"]["to"]["namespace"] == "shop", || {
        server.to_string()
    })?;
    check(one("proxied", "proxy")?["role"] == "sidecar", || "the sidecar's role".to_owned())?;
    let node = agent.ask("/api/v1/containers")?["resources"].clone();
    let cpu = &node["resources"]["cpu"];
    let requested = cpu["requested"].as_f64().unwrap_or(0.0);
    // Of the workloads: 2 x 0.2, 0.05, 0.01, 0.02 and 0.12 (an init container beside a sidecar), and the agent's own.
    check(requested > 0.6 && requested < 0.8 && cpu["allocatable"].as_f64() > Some(1.0), || node.to_string())?;
    let metrics = agent.read("/metrics")?;
    let series = |name: &str, label: &str| metrics.lines().any(|line| line.starts_with(name) && line.contains(label));
    for (name, label) in [
        ("container_cpu_usage", "deployment=\"idle\""),
        ("container_cpu_usage", "k8s_statefulset_name=\"store\""),
        ("k8s_container_restart_count", "cronjob=\"nightly\""),
        ("k8s_node_cpu_allocatable", ""),
        ("plumbline_collector_up", "collector=\"kubernetes\"} 1"),
    ] {
        check(series(name, label), || format!("no {name} with {label}"))?;
    }
    Ok(())
}

fn sizes_are_judged(agent: &Deployed<'_>) -> Result<(), Failed> {
    agent.cluster.wait_for(Duration::from_secs(240), || {
        let idle = agent.recommended("shop/Deployment/idle/main")?;
        check(idle["cpu"]["provisioning"] == "over_provisioned" && idle["replicas"] == 2, || idle.to_string())?;
        check(idle["saving"].as_f64() > Some(1.0), || idle["saving"].to_string())?;
        let throttled = agent.recommended("shop/Deployment/throttled/main")?;
        check(throttled["cpu"]["provisioning"] == "under_provisioned", || throttled.to_string())?;
        let greedy = agent.recommended("shop/Deployment/greedy/main")?;
        check(greedy["memory"]["provisioning"] == "under_provisioned", || greedy.to_string())?;
        check(greedy["replicas"] == 1, || greedy.to_string())?;
        // Each replica's series has its part: what sums them up must not count the workload twice.
        let metrics = agent.read("/metrics")?;
        let of_idle = metrics
            .lines()
            .filter(|line| line.starts_with("plumbline_container_cost") && line.contains("deployment=\"idle\""));
        let parts: Vec<f64> = of_idle.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        let (sum, whole) = (parts.iter().sum::<f64>(), idle["cost"].as_f64().unwrap_or_default());
        check(parts.len() == 2 && (sum - whole).abs() < 0.01 * whole, || format!("{parts:?} are not {whole}"))
    })
}

/// The command is run as it stands, the strategic merge is taken by the API server, and the workload stays the same one.
fn patches_are_taken(agent: &Deployed<'_>) -> Result<(), Failed> {
    let cluster = agent.cluster;
    let idle = agent.recommended("shop/Deployment/idle/main")?;
    let patches = idle["patches"].as_array().ok_or("no patches")?;
    let of = |tool: &str| {
        patches.iter().find(|patch| patch["tool"] == tool).ok_or_else(|| format!("no {tool}: {patches:?}"))
    };
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), text(of("strategic_merge")?, "/text"))?;
    let merge = [
        "patch",
        "deployment",
        "idle",
        "-n",
        "shop",
        "--dry-run=server",
        "--patch-file",
        &file.path().to_string_lossy(),
    ];
    cluster.kubectl(&merge)?;
    let offer =
        patches.iter().rev().find(|patch| text(patch, "/text").contains("--subresource resize")).ok_or("no offer")?;
    run(cluster, &(text(offer, "/text").to_owned() + " --dry-run=server"))?;
    let before: Vec<Value> = cluster.pods("shop", "app=idle")?;
    run(cluster, text(of("kubectl")?, "/text"))?;
    let deployment = cluster.get(&["deployment", "idle", "-n", "shop"])?;
    let requests = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    check(requests["cpu"] == "10m", || requests.to_string())?;
    let names = |pods: &[Value]| pods.iter().map(|pod| text(pod, "/metadata/name").to_owned()).collect::<Vec<_>>();
    cluster.wait_for(Duration::from_secs(60), || {
        let now = agent.containers("shop")?;
        let now: Vec<&Value> = now.iter().filter(|c| c["workload"]["to"]["name"] == "idle").collect();
        let anew = now.iter().all(|c| !names(&before).iter().any(|name| c["pod"]["name"] == **name));
        check(now.len() == 2 && anew && now[0]["cpu"]["request"] == 0.01, || format!("{now:?}"))
    })?;
    // The new pods go on with the history of the old ones.
    cluster.wait_for(Duration::from_secs(180), || {
        let after = agent.recommended("shop/Deployment/idle/main")?;
        check(after["cpu"]["requested"] == 0.01 && after["history"]["first"] == idle["history"]["first"], || {
            after.to_string()
        })
    })
}

/// Runs a recommended command in a shell, as administrator.
fn run(cluster: &Cluster, line: &str) -> Result<(), Failed> {
    let folder = program("kubectl").parent().map(Path::to_path_buf).unwrap_or_default();
    let script =
        format!("export KUBECONFIG={} PATH={}:$PATH; {line}", cluster.kubeconfig().display(), folder.display());
    command("sh", &["-c", &script]).map(drop)
}

/// A pod that is removed and a label of the node.
fn changes_are_followed(agent: &Deployed<'_>) -> Result<(), Failed> {
    let cluster = agent.cluster;
    cluster.kubectl(&["delete", "pod", "proxied", "-n", "shop"])?;
    cluster.kubectl(&["label", "node", cluster::NODE, "topology.kubernetes.io/zone=z2", "--overwrite"])?;
    cluster.wait_for(Duration::from_secs(20), || {
        let all = agent.ask("/api/v1/containers")?;
        let zone = &all["resources"]["labels"]["topology.kubernetes.io/zone"];
        let containers = agent.containers("shop")?;
        let gone = !containers.iter().any(|c| c["pod"]["name"] == "proxied");
        check(zone == "z2" && gone, || format!("{zone}, proxied gone: {gone}"))
    })
}

fn a_rollout_of_its_own_forgets_nothing(agent: &Deployed<'_>) -> Result<(), Failed> {
    let cluster = agent.cluster;
    let first = agent.recommended("shop/Deployment/throttled/main")?["history"]["first"].clone();
    let before = text(&agent.pods()?[0], "/metadata/name").to_owned();
    cluster.kubectl(&["rollout", "restart", "daemonset/plumbline", "-n", "plumbline"])?;
    cluster.wait_for(Duration::from_secs(90), || {
        let pods = agent.pods()?;
        check(pods.len() == 1 && text(&pods[0], "/metadata/name") != before, || "the old pod".to_owned())?;
        let after = agent.recommended("shop/Deployment/throttled/main")?;
        check(after["history"]["first"] == first, || format!("{first} before, now {}", after["history"]))
    })
}

/// The smallest set of rights: no token, no host's processes, the folders of logs alone.
fn without_a_token_names_remain() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    cluster.apply(WORKLOADS)?;
    let _shop = Namespace(cluster, "shop");
    let agent = Deployed::apply(cluster, "overlays/minimal")?;
    let expected: Vec<(&str, &str)> = OWNERS
        .into_iter()
        // A Job's pod has a random name behind its own, as those of other owners have: it is not told from one that stands alone.
        .filter(|(workload, _)| *workload != "Job/training")
        .collect();
    cluster.wait_for(Duration::from_secs(90), || {
        let seen = owners(&agent.containers("shop")?);
        let seen: Vec<(&str, &str)> = seen
            .iter()
            .map(|(w, c, _)| (&**w, &**c))
            .filter(|(w, _)| *w != "Deployment/greedy" && !w.starts_with("Pod/training-"))
            .collect();
        check(seen == expected, || format!("{seen:?}"))
    })?;
    no_pod_is_a_bare_uid(&agent)?;
    let token =
        cluster.kubectl(&["get", "pods", "-n", "plumbline", "-o", "jsonpath={.items[0].spec.volumes[*].name}"])?;
    check(!token.contains("kube-api-access"), || token.clone())?;
    let health = agent.ask("/healthz")?;
    check(health["status"] == "ok" && health["collectors"]["kubernetes"]["fault"] != true, || health.to_string())
}

/// The kubelet's socket is root's, and to be root is enough. The data folder, which another user had, is root's then.
fn root_is_told_allocations() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    drop(Deployed::apply(cluster, "overlays/default")?);
    let owner = || fs::metadata(cluster.data()).map(|folder| folder.uid());
    check(owner()? == 65532, || "the data folder's owner".to_owned())?;
    let agent = Deployed::apply(cluster, "overlays/gpu")?;
    cluster.wait_for(Duration::from_secs(30), || {
        let health = agent.ask("/healthz")?;
        check(health["status"] == "ok" && health["collectors"]["pod_resources"]["up"] == true, || health.to_string())
    })?;
    check(owner()? == 0, || "the data folder's owner".to_owned())
}

/// Every container of a pod has the pod's names and its own; gives all of them.
fn no_pod_is_a_bare_uid(agent: &Deployed<'_>) -> Result<Vec<Value>, Failed> {
    let all = agent.ask("/api/v1/containers")?;
    let all = all["containers"].as_array().ok_or("no list")?;
    let in_pods: Vec<Value> = all.iter().filter(|c| !c["pod"].is_null()).cloned().collect();
    let nameless = in_pods.iter().find(|c| {
        let id = text(c, "/id").get(..12).unwrap_or_default();
        c["pod"]["name"].is_null() || c["pod"]["namespace"].is_null() || text(c, "/name") == id
    });
    check(nameless.is_none(), || format!("{nameless:?}"))?;
    Ok(in_pods)
}
