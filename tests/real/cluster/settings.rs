//! What each server is told. Paths are relative to the cluster's folder, where all of them run, except where a program wants
//! whole ones.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use super::images::PAUSE;
use super::{ADDRESS, NODE};
use crate::parts::free_port;

/// The bridge that pods hang on.
pub const BRIDGE: &str = "plumbline0";

/// Writes the files of containerd, its network and the kubelet.
pub fn write(folder: &Path) -> Result<(), Failed> {
    let at = folder.display();
    fs::write(folder.join("containerd.toml"), containerd(&at.to_string()))?;
    fs::create_dir(folder.join("network"))?;
    fs::write(folder.join("network/10-bridge.conflist"), network(&at.to_string()))?;
    fs::write(folder.join("kubelet.yaml"), kubelet_file(&at.to_string()))?;
    Ok(())
}

/// Without `restrict_oom_score_adj` a sandbox does not start where root may not lower its score.
fn containerd(folder: &str) -> String {
    format!(
        r#"version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/{PAUSE}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{folder}/runc"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{folder}/network"
"#
    )
}

fn network(folder: &str) -> String {
    format!(
        r#"{{"cniVersion": "0.4.0", "name": "plumbline-test", "plugins": [{{
  "type": "bridge", "bridge": "{BRIDGE}", "isGateway": true,
  "ipam": {{
    "type": "host-local", "dataDir": "{folder}/network/addresses",
    "ranges": [[{{"subnet": "10.97.0.0/24"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]
  }}
}}]}}
"#
    )
}

/// Images are never collected and pods never evicted, however full the host's disk is.
fn kubelet_file(folder: &str) -> String {
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {folder}/ca.crt}}
authorization: {{mode: Webhook}}
address: {ADDRESS}
port: {port}
healthzPort: 0
containerRuntimeEndpoint: unix://{folder}/containerd.sock
cgroupDriver: cgroupfs
failSwapOn: false
makeIPTablesUtilChains: false
resolvConf: ""
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: 10Mi
  nodefs.available: "0%"
  nodefs.inodesFree: "0%"
  imagefs.available: "0%"
  imagefs.inodesFree: "0%"
"#,
        port = free_port()
    )
}

pub fn etcd(clients: &str, peers: &str) -> Vec<String> {
    [
        "--data-dir=etcd".to_owned(),
        // It need not outlive a power cut.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ]
    .to_vec()
}

pub fn api_server(etcd: &str) -> Vec<String> {
    [
        format!("--etcd-servers={etcd}"),
        format!("--bind-address={ADDRESS}"),
        format!("--advertise-address={ADDRESS}"),
        "--secure-port=443".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--client-ca-file=ca.crt".to_owned(),
        "--tls-cert-file=api-server.crt".to_owned(),
        "--tls-private-key-file=api-server.key".to_owned(),
        // Logs and exec go to the node's address: its name has no DNS.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--kubelet-client-certificate=admin.crt".to_owned(),
        "--kubelet-client-key=admin.key".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-account-key-file=service-accounts.crt".to_owned(),
        "--service-account-signing-key-file=service-accounts.key".to_owned(),
    ]
    .to_vec()
}

pub fn controller_manager() -> Vec<String> {
    [
        "--kubeconfig=controller-manager.conf".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        "--root-ca-file=ca.crt".to_owned(),
        "--service-account-private-key-file=service-accounts.key".to_owned(),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", free_port()),
    ]
    .to_vec()
}

pub fn scheduler() -> Vec<String> {
    [
        "--kubeconfig=scheduler.conf".to_owned(),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", free_port()),
    ]
    .to_vec()
}

pub fn kubelet() -> Vec<String> {
    [
        "--config=kubelet.yaml".to_owned(),
        "--kubeconfig=kubelet.conf".to_owned(),
        format!("--hostname-override={NODE}"),
        format!("--node-ip={ADDRESS}"),
        "--cert-dir=kubelet-certificates".to_owned(),
    ]
    .to_vec()
}
