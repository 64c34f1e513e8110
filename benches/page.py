#!/usr/bin/env python3
"""How fast the page and its queries answer, and how large they are: the demonstration's node with 14 days of history, each address asked
so many times over one connection. The first byte is there when the headers are. What a page draws from the history is kept for a moment:
its first asking reads the files.

    python3 benches/page.py [release binary]... [--times 200]      # two binaries: by turns, in one run

Needs nothing but Python.
"""
import argparse, gzip, http.client, json, subprocess, tempfile, time
from urllib.parse import quote

parser = argparse.ArgumentParser()
parser.add_argument("binaries", nargs="*", default=["target/release/plumbline"])
parser.add_argument("--times", type=int, default=200)
arguments = parser.parse_args()


class Agent:
    def __init__(self, binary, port):
        self.folder = tempfile.TemporaryDirectory()
        words = [binary, "agent", "--demo", "--listen", f"127.0.0.1:{port}", "--data", self.folder.name]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                if json.loads(self.ask("/api/v1/recommendations")[0]).get("workloads"):
                    return
            except (OSError, http.client.HTTPException, ValueError, AssertionError):
                pass
            time.sleep(0.2)
        raise SystemExit(f"{binary}: no recommendation within two minutes")

    def ask(self, path):
        """The body, and the times to the first byte and to the last, in ms."""
        begun = time.perf_counter()
        self.connection.request("GET", path, headers={"Accept-Encoding": "identity"})
        answer = self.connection.getresponse()
        first = time.perf_counter()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:200])
        return body, (first - begun) * 1000, (time.perf_counter() - begun) * 1000


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def addresses(agent):
    review = json.loads(agent.ask("/api/v1/recommendations")[0])
    workload = "/workloads/" + quote(next(one["workload"]["name"] for one in review["workloads"] if not one["ended"]))
    model = json.loads(agent.ask("/api/v1/models")[0])["models"][0]["name"]
    return [("first page", "/"), ("a workload, 1 h", workload + "?range=1h"), ("a workload, 24 h", workload + "?range=24h"),
            ("a workload, 14 d", workload + "?range=14d"), ("a model", "/models/" + quote(model)),
            ("the node", "/nodes/" + quote(review["nodes"][0])), ("alerts", "/alerts")]


agents = [Agent(binary, 9600 + at) for at, binary in enumerate(arguments.binaries)]
try:
    print(f"{'':18} {'whole ms, first asked':>22} {'first byte ms after: half, 99 %':>34} {'whole: half, 99 %':>20} {'kB':>7} {'gzip':>6}  binary")
    for place, (what, path) in enumerate(addresses(agents[0])):
        came = [[] for _ in agents]
        for _ in range(arguments.times):
            for one, agent in zip(came, agents):
                one.append(agent.ask(path))
        for one, binary in zip(came, arguments.binaries):
            (_, _, begun), *rest = one
            firsts, wholes, body = [c[1] for c in rest], [c[2] for c in rest], rest[-1][0]
            print(f"{what:18} {begun:>22.2f} {at(firsts, .5):>26.2f} {at(firsts, .99):7.2f} {at(wholes, .5):>12.2f} {at(wholes, .99):7.2f} "
                  f"{len(body) / 1000:7.1f} {len(gzip.compress(body)) / 1000:6.1f}  {binary}")
finally:
    for agent in agents:
        agent.process.terminate()
        agent.process.wait()
