//! The cluster's own authority, a certificate for each who speaks to the API server, and their kubeconfigs.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use super::{ADDRESS, NODE};
use crate::parts::command;

/// Who speaks to the API server, and as whom: what Kubernetes binds its own roles to.
const CLIENTS: &[(&str, &str)] = &[
    ("admin", "/O=system:masters/CN=admin"),
    ("controller-manager", "/CN=system:kube-controller-manager"),
    ("scheduler", "/CN=system:kube-scheduler"),
];

/// Writes `NAME.crt` and `NAME.key` of the authority, the API server, its clients and the service accounts' tokens, and
/// `NAME.conf` of each client.
pub fn make(folder: &Path) -> Result<(), Failed> {
    certificate(folder, "ca", "/CN=plumbline-test", &[])?;
    let names = format!("subjectAltName=IP:{ADDRESS},DNS:kubernetes.default.svc,DNS:kubernetes.default,DNS:kubernetes");
    signed(folder, "api-server", "/CN=kube-apiserver", &["-addext", &names])?;
    signed(folder, "service-accounts", "/CN=service-accounts", &[])?;
    let node = format!("/O=system:nodes/CN=system:node:{NODE}");
    for (name, subject) in CLIENTS.iter().chain([&("kubelet", node.as_str())]) {
        signed(folder, name, subject, &[])?;
        fs::write(folder.join(format!("{name}.conf")), kubeconfig(name))?;
    }
    Ok(())
}

fn signed(folder: &Path, name: &str, subject: &str, more: &[&str]) -> Result<(), Failed> {
    let (ca, key) = (folder.join("ca.crt"), folder.join("ca.key"));
    let by = ["-CA", &ca.to_string_lossy(), "-CAkey", &key.to_string_lossy(), "-addext", "basicConstraints=CA:FALSE"];
    certificate(folder, name, subject, &[&by, more].concat())
}

fn certificate(folder: &Path, name: &str, subject: &str, more: &[&str]) -> Result<(), Failed> {
    let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.crt")));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let files = ["-keyout", &key.to_string_lossy(), "-out", &certificate.to_string_lossy(), "-subj", subject];
    command("openssl", &[&["req", "-x509"], &curve[..], &files, more].concat()).map(drop)
}

/// Paths in it are relative to it.
fn kubeconfig(name: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {{server: \"https://{ADDRESS}:443\", certificate-authority: ca.crt}}
users:
- name: user
  user: {{client-certificate: {name}.crt, client-key: {name}.key}}
contexts:
- name: context
  context: {{cluster: cluster, user: user}}
current-context: context
"
    )
}
