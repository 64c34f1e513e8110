"""What watching a node's pods costs: memory and CPU of an agent that does nothing else, with 250 pods at rest and with churn.

    cargo build --release
    PLUMBLINE_CLUSTER=1 cargo test --test real -- cluster::stands      # a cluster, until Enter; it prints its KUBECONFIG
    KUBECONFIG=... python3 benches/kubernetes.py [--pods 250] [--rest 120] [--churn 600]

Two agents run side by side: one that watches pods and one that does not; what the one needs more is what watching costs. The pods
are real objects of a real API server, bound to a node without a kubelet; each has two containers and an init container, ten labels and
an annotation of 4 KB. While they churn, one pod a second goes and another comes. Python's standard library alone.
"""

import argparse
import json
import os
import ssl
import subprocess
import tempfile
import time
import http.client
from pathlib import Path

NODE = "plumbline-bench"
ROOT = Path(__file__).resolve().parent.parent


def kubectl(*arguments, text=None):
    return subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True, check=True).stdout


class Server:
    """The API server, by one kept connection, as whoever KUBECONFIG names."""

    def __init__(self, folder):
        view = json.loads(kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        import base64

        def kept(name, data):
            path = folder / name
            path.write_bytes(base64.b64decode(data))
            return str(path)

        cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
        self.url = cluster["server"]
        self.ca = kept("ca.crt", cluster["certificate-authority-data"])
        context = ssl.create_default_context(cafile=self.ca)
        # Authorities of tests lack what newer Pythons ask for.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        context.load_cert_chain(kept("u.crt", user["client-certificate-data"]), kept("u.key", user["client-key-data"]))
        host = self.url.removeprefix("https://")
        self.connection = http.client.HTTPSConnection(host, context=context, timeout=30)

    def ask(self, method, path, body=None, kind="application/json"):
        sent = (method, path, json.dumps(body) if body else None, {"Content-Type": kind})
        try:
            self.connection.request(*sent)
            answer = self.connection.getresponse()
        except http.client.RemoteDisconnected:
            # Nothing was asked for a while.
            self.connection.close()
            self.connection.request(*sent)
            answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text[:300]}")
        return json.loads(text) if text else None


def pod(n):
    container = {"image": "registry.example/team/app:1.2", "env": [{"name": f"VARIABLE_{k}", "value": "x" * 60} for k in range(20)],
                 "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}}
    labels = {"app": f"web-{n % 20}", "pod-template-hash": "6d5f7c9b8", "team": "ml"} | {f"example.com/label-{k}": "value" for k in range(7)}
    # Of a group that is not there: the garbage collector removes what a real owner of that kind does not have.
    owner = {"apiVersion": "example.com/v1", "kind": "ReplicaSet", "name": f"web-{n % 20}-6d5f7c9b8", "uid": f"u-{n % 20}", "controller": True}
    return {
        "metadata": {"name": f"web-{n % 20}-6d5f7c9b8-{n}", "namespace": NODE, "labels": labels, "ownerReferences": [owner],
                     "annotations": {"example.com/configuration": "y" * 4096}},
        "spec": {"nodeName": NODE, "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0,
                 "initContainers": [{"name": "prepare", **container}],
                 "containers": [{"name": "app", **container}, {"name": "proxy", **container}]},
    }


def status(n):
    def one(name, k, state):
        return {"name": name, "containerID": f"containerd://{n * 3 + k:064x}", "image": "registry.example/team/app:1.2", "ready": True,
                "imageID": "registry.example/team/app@sha256:" + "a" * 64, "restartCount": 0, "state": state}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    running = {"running": {"startedAt": now}}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}}
    return {"status": {"phase": "Running", "qosClass": "Burstable", "containerStatuses": [one("app", 0, running), one("proxy", 1, running)],
                       "initContainerStatuses": [one("prepare", 2, ended)]}}


def create(server, n):
    server.ask("POST", f"/api/v1/namespaces/{NODE}/pods", pod(n))
    name = pod(n)["metadata"]["name"]
    server.ask("PATCH", f"/api/v1/namespaces/{NODE}/pods/{name}/status", status(n), "application/strategic-merge-patch+json")


def delete(server, n):
    name = pod(n)["metadata"]["name"]
    server.ask("DELETE", f"/api/v1/namespaces/{NODE}/pods/{name}?gracePeriodSeconds=0")


ACCOUNT = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NODE}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: agent, namespace: {NODE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {NODE}}}
rules: [{{apiGroups: [""], resources: [pods, nodes], verbs: [list, watch]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {NODE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {NODE}}}
subjects: [{{kind: ServiceAccount, name: agent, namespace: {NODE}}}]
---
apiVersion: v1
kind: Node
metadata: {{name: {NODE}}}
"""


class Agent:
    def __init__(self, folder, port, server, token, watches):
        self.log = folder / f"log-{port}"
        others = ["cgroup", "docker", "podman", "pod_logs", "pod_resources", "cri", "nvml"] + ([] if watches else ["kubernetes"])
        known = (ROOT / "config/plumbline.toml").read_text().split("Collectors to switch off:")[1].split("\n")[0]
        others = [name for name in others if f'"{name}"' in known]
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.ca}}],
            "users": [{"name": "u", "user": {"token": token}}], "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}))
        settings = folder / f"settings-{port}.toml"
        settings.write_text(f'[agent]\nnode = "{NODE}"\nlisten = "127.0.0.1:{port}"\n[collect]\ndisabled = {json.dumps(others)}\n'
                            f'[collect.kubernetes]\nkubeconfig = "{kubeconfig}"\n')
        binary = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/plumbline"
        self.process = subprocess.Popen([binary, "agent", "--config", settings, "--data", folder / f"data-{port}"],
                                        stdout=open(self.log, "w"), stderr=subprocess.STDOUT)

    def cpu(self):
        """CPU time by thread."""
        used = {}
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            fields = (thread / "stat").read_text().rsplit(")", 1)[1].split()
            name = (thread / "comm").read_text().strip()
            used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return used

    def resident(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=250)
    parser.add_argument("--rest", type=int, default=120, help="seconds")
    parser.add_argument("--churn", type=int, default=600, help="seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        server = Server(folder)
        kubectl("apply", "-f", "-", text=ACCOUNT)
        server.ask("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": {"cpu": "96", "memory": "384Gi", "pods": "250"},
                   "allocatable": {"cpu": "95", "memory": "380Gi", "pods": "250"}}}, "application/strategic-merge-patch+json")
        agents = []
        try:
            for n in range(options.pods):
                create(server, n)
            token = kubectl("create", "token", "agent", "-n", NODE, "--duration", "4h").strip()
            Agent.pods = options.pods
            agents = [Agent(folder, 9701, server, token, True), Agent(folder, 9702, server, token, False)]
            time.sleep(20)
            measure("at rest", agents, options.rest, lambda second: None)

            def step(second):
                delete(server, second)
                create(server, options.pods + second)

            # In six parts: memory that grows from the second to the last does so with every pod that comes.
            for part in range(6):
                span = options.churn // 6
                measure("one pod a second", agents, span, lambda second: step(part * span + second))
        finally:
            for agent in agents:
                agent.process.terminate()
            kubectl("delete", "namespace,node,clusterrole,clusterrolebinding", NODE, "--ignore-not-found", "--wait=false")


def measure(what, agents, seconds, step):
    before, begun = [agent.cpu() for agent in agents], time.monotonic()
    for second in range(seconds):
        step(second)
        time.sleep(max(0.0, begun + second + 1 - time.monotonic()))
    span = time.monotonic() - begun
    used = [{name: (now - was.get(name, 0)) / span for name, now in agent.cpu().items()} for agent, was in zip(agents, before)]
    resident = [agent.resident() for agent in agents]
    watching = sum(share for name, share in used[0].items() if "kuberne" in name)
    print(f"{what}: its threads use {watching:.3%} of a core, and the pipeline, which joins and shows {2 * agents[0].pods} containers more, "
          f"{used[0].get('pipeline', 0):.3%} (without them {used[1].get('pipeline', 0):.3%}); {resident[0]:.1f} MiB, without "
          f"{resident[1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
