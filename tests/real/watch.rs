//! The agent beside a cluster, as a process of its own: autoscalers, an API server that is away, tokens that change.

use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::{Agent, Options};
use crate::cluster::{self, Cluster};
use crate::kubernetes::Namespace;
use crate::parts::{Part, check};

pub const TESTS: &[Test] = &[
    (
        &[Part::Cluster],
        "watch::an_autoscaler_is_named_where_it_may_be_read",
        an_autoscaler_is_named_where_it_may_be_read,
    ),
    (
        &[Part::Cluster],
        "watch::an_api_server_that_is_away_takes_nothing_along",
        an_api_server_that_is_away_takes_nothing_along,
    ),
];

/// A Deployment, what scales it, and two accounts: one that may read autoscalers, and one that may not.
const SCALED: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: scaled}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: scaled}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: "plumbline-test:1", command: [sleep, "100000"], resources: {requests: {cpu: 100m}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web-scaler, namespace: scaled}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: scaled}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: narrow, namespace: scaled}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scaled-narrow}
rules:
- {apiGroups: [""], resources: [pods, nodes], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scaled-reader}
rules:
- {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list]}
- {apiGroups: [autoscaling.k8s.io], resources: [verticalpodautoscalers], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scaled-narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scaled-narrow}
subjects:
- {kind: ServiceAccount, name: reader, namespace: scaled}
- {kind: ServiceAccount, name: narrow, namespace: scaled}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scaled-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scaled-reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: scaled}]
"#;

/// What an account needs to speak to a server, its token in a file of its own.
pub fn kubeconfig(
    folder: &Path,
    cluster: &Cluster,
    (namespace, account): (&str, &str),
    server: &str,
) -> Result<PathBuf, Failed> {
    let token = folder.join(format!("token-{account}"));
    fs::write(&token, cluster.token(namespace, account)?)?;
    let path = folder.join(format!("kubeconfig-{account}"));
    let (_, authority) = cluster.api();
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{ "name": "c", "cluster": { "server": server, "certificate-authority": authority, "tls-server-name": "kubernetes" } }],
        "users": [{ "name": "u", "user": { "tokenFile": token } }],
        "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u" } }],
    });
    fs::write(&path, text.to_string())?;
    Ok(path)
}

fn agent(kubeconfig: &Path, autoscalers: bool) -> Result<Agent, Failed> {
    let config = format!(
        "[agent]\nnode = \"{}\"\n[collect]\ndisabled = [\"docker\", \"podman\", \"pod_logs\"]\n[collect.kubernetes]\nkubeconfig = \"{}\"\nautoscalers = {autoscalers}\n",
        cluster::NODE,
        kubeconfig.display()
    );
    Agent::start(Options { config: &config, ..Options::default() })
}

/// The container of the Deployment, as the agent sees it.
fn web(agent: &Agent) -> Result<Value, Failed> {
    let (_, body) = agent.get("/api/v1/containers")?;
    let all: Value = serde_json::from_str(&body)?;
    let found = all["containers"].as_array().ok_or("no list")?.iter();
    let mut of = found.filter(|c| c["pod"]["namespace"] == "scaled" && c["name"] == "main");
    of.next().cloned().ok_or_else(|| "the container is not named".into())
}

fn an_autoscaler_is_named_where_it_may_be_read() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    cluster.apply(SCALED)?;
    let _scaled = Namespace(cluster, "scaled");
    let folder = tempfile::tempdir()?;
    let (api, _) = cluster.api();
    let may = agent(&kubeconfig(folder.path(), cluster, ("scaled", "reader"), &api)?, true)?;
    cluster.wait_for(Duration::from_secs(30), || {
        let found = web(&may)?["autoscalers"].clone();
        let expected = json!([{ "kind": "HorizontalPodAutoscaler", "name": "web-scaler", "resources": ["cpu"] }]);
        check(found == expected, || found.to_string())
    })?;
    // One that may not goes on without, and says so.
    let may_not = agent(&kubeconfig(folder.path(), cluster, ("scaled", "narrow"), &api)?, true)?;
    cluster.wait_for(Duration::from_secs(30), || {
        let found = web(&may_not)?;
        check(found["workload"]["to"]["name"] == "web" && found["autoscalers"] == json!([]), || found.to_string())?;
        let log = may_not.log.lock().expect("the log").clone();
        check(log.contains("autoscalers cannot be listed") && log.contains("forbidden"), || log.clone())
    })
}

/// A way to the API server that can be cut.
struct Way {
    address: String,
    open: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(target: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let way = Self {
            address: format!("https://{}", listener.local_addr()?),
            open: Arc::new(AtomicBool::new(true)),
            streams: Arc::default(),
        };
        let (open, streams) = (Arc::clone(&way.open), Arc::clone(&way.streams));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Some(far) = open.load(Ordering::Relaxed).then(|| TcpStream::connect(target)).and_then(Result::ok)
                else {
                    continue;
                };
                for (mut from, mut to) in [(&near, &far), (&far, &near)]
                    .map(|(from, to)| (from.try_clone(), to.try_clone()))
                    .into_iter()
                    .filter_map(|(a, b)| a.ok().zip(b.ok()))
                {
                    std::thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                streams.lock().expect("the streams").extend([near, far]);
            }
        });
        Ok(way)
    }

    fn cut(&self) {
        self.open.store(false, Ordering::Relaxed);
        for stream in self.streams.lock().expect("the streams").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn an_api_server_that_is_away_takes_nothing_along() -> Result<(), Failed> {
    let cluster = cluster::shared()?;
    cluster.apply(SCALED)?;
    let _scaled = Namespace(cluster, "scaled");
    let folder = tempfile::tempdir()?;
    let way = Way::to("10.96.0.1:443")?;
    let kubeconfig = kubeconfig(folder.path(), cluster, ("scaled", "narrow"), &way.address)?;
    // A token that is worth something for as long as this is there.
    cluster.kubectl(&["create", "secret", "generic", "narrow-is-valid", "-n", "scaled"])?;
    let bound = ["--bound-object-kind=Secret", "--bound-object-name=narrow-is-valid"];
    let token = cluster.kubectl(&[&["create", "token", "narrow", "-n", "scaled"][..], &bound].concat())?;
    fs::write(folder.path().join("token-narrow"), token.trim())?;
    let agent = agent(&kubeconfig, false)?;
    let collector = || -> Result<Value, Failed> {
        let (_, body) = agent.get("/healthz")?;
        let health: Value = serde_json::from_str(&body)?;
        let state = health["collectors"]["kubernetes"].clone();
        check(state.is_object(), || body.clone())?;
        Ok(state)
    };
    let before = cluster.wait_for(Duration::from_secs(30), || web(&agent))?;
    check(before["cpu"]["request"] == 0.1, || before["cpu"].to_string())?;
    way.cut();
    // A moment is nothing to speak of; a minute is.
    cluster.wait_for(Duration::from_secs(120), || {
        let state = collector()?;
        check(state["up"] == false, || state.to_string())
    })?;
    let away = web(&agent)?;
    check(away["workload"] == before["workload"] && away["cpu"]["request"] == 0.1, || away.to_string())?;
    let said = |c: &Value| c["sources"]["workload"]["at"].as_str().map(str::to_owned);
    let age = said(&away);
    std::thread::sleep(Duration::from_secs(3));
    check(said(&web(&agent)?) == age && age.is_some(), || "what was said has its age".to_owned())?;
    // It is back, with another token in the file and the one of before worth nothing, and a pod came in between.
    fs::write(folder.path().join("token-narrow"), cluster.token("scaled", "narrow")?)?;
    cluster.kubectl(&["delete", "secret", "narrow-is-valid", "-n", "scaled"])?;
    cluster.kubectl(&["scale", "deployment", "web", "-n", "scaled", "--replicas=2"])?;
    way.open.store(true, Ordering::Relaxed);
    cluster.wait_for(Duration::from_secs(120), || {
        let (_, body) = agent.get("/api/v1/containers")?;
        let all: Value = serde_json::from_str(&body)?;
        let replicas = all["containers"].as_array().ok_or("no list")?.iter();
        let named = replicas.filter(|c| c["workload"]["to"]["name"] == "web" && c["name"] == "main").count();
        let state = collector()?;
        check(state["up"] == true && named == 2, || format!("{named} replicas; {state}"))
    })
}
