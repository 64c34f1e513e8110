#!/usr/bin/env python3
"""How many rows a second the ingest takes, from the first byte sent to the last acknowledgement: 20 features, as Arrow
streams and as NDJSON, over two connections. Rows that are told to wait (429) are sent again; the waiting counts.

    python3 benches/ingest.py [release binary]
    python3 benches/ingest.py [release binary] soak [seconds]     # steady load, and whether memory stays flat

Needs pyarrow and numpy (pip install pyarrow numpy).
"""
import http.client, io, json, os, subprocess, sys, tempfile, threading, time
import numpy as np, pyarrow as pa

binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
soak = float(sys.argv[3]) if len(sys.argv) > 3 else 300.0 if "soak" in sys.argv else 0.0
PORT = 9498
TYPES = {"arrow": "application/vnd.apache.arrow.stream", "ndjson": "application/x-ndjson"}
random = np.random.default_rng(0)


def table(rows, first, at=None):
    columns = {"id": [f"r{first + i}" for i in range(rows)], "prediction": random.integers(0, 2, rows),
               "score": random.random(rows)}
    columns |= {f"n{i}": random.normal(size=rows) for i in range(16)}
    columns |= {f"c{i}": pa.array(random.integers(0, 5 + i, rows)).cast(pa.string()) for i in range(4)}
    if at is not None:
        columns["timestamp"] = np.full(rows, at)
    return pa.table(columns)


def body(kind, data):
    if kind == "ndjson":
        return "\n".join(json.dumps(row) for row in data.to_pylist()).encode()
    out = io.BytesIO()
    with pa.ipc.new_stream(out, data.schema) as stream:
        stream.write_table(data)
    return out.getvalue()


def send(connection, path, kind, payload):
    waited = 0
    while True:
        connection.request("POST", path, payload, {"Content-Type": TYPES[kind]})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 202:
            return json.loads(text)["accepted"], waited
        assert answer.status == 429, (answer.status, text)
        waited += 1
        time.sleep(0.05)


def status(pid, field):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024


def counted(model):
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", f"/api/v1/models/{model}")
    return json.loads(connection.getresponse().read())


def measure(pid, kind, rows, batch):
    bodies = [body(kind, table(batch, first)) for first in range(0, rows, batch)]
    accepted, waits, begun = [], [], time.monotonic()

    def client(part):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        for payload in part:
            taken, waited = send(connection, f"/v1/models/bench-{kind}/samples", kind, payload)
            accepted.append(taken)
            waits.append(waited)

    clients = [threading.Thread(target=client, args=(bodies[i::2],)) for i in range(2)]
    [c.start() for c in clients]
    [c.join() for c in clients]
    seconds = time.monotonic() - begun
    assert sum(accepted) == rows
    print(f"{kind}: {rows} rows, {sum(map(len, bodies)) / 1e6:.0f} MB in {seconds:.2f} s: {rows / seconds:,.0f} rows/s; "
          f"{sum(waits)} told to wait; resident {status(pid, 'VmRSS'):.0f} MiB")
    while counted(f"bench-{kind}")["counts"]["samples"] < rows:
        time.sleep(0.2)
    print(f"  all of them in windows after {time.monotonic() - begun:.1f} s")


def steady(pid, seconds):
    """10,000 rows/s, half of either kind, with event times that run a minute a second, so that windows close."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    begun, second, sent, resident = time.monotonic(), 0, 0, []
    while time.monotonic() - begun < seconds:
        at = (int(time.time()) - 86_400 * 30 + second * 60) * 1000
        for kind in TYPES:
            taken, _ = send(connection, "/v1/models/soak/samples", kind, body(kind, table(5000, sent, at)))
            sent += taken
        second += 1
        resident.append(status(pid, "VmRSS"))
        if second % 30 == 0:
            print(f"  {second} s: {sent} rows, resident {resident[-1]:.0f} MiB, {len(counted('soak')['windows'])} windows", flush=True)
        time.sleep(max(0.0, begun + second - time.monotonic()))
    # The windows are full after a while; from then on memory is to stay where it is.
    middle, last = resident[len(resident) // 3: len(resident) * 2 // 3], resident[len(resident) * 2 // 3:]
    mean = lambda values: sum(values) / len(values)
    growth = mean(last) / mean(middle) - 1
    print(f"soak: {sent} rows in {seconds:.0f} s; resident {mean(middle):.0f} MiB in the second third, {mean(last):.0f} in the last ({growth:+.1%})")
    assert counted("soak")["counts"]["samples"] == sent
    assert growth < 0.1, "memory is not flat"


with tempfile.TemporaryDirectory() as folder:
    config = f"{folder}/plumbline.toml"
    open(config, "w").write('[[model]]\nname = "soak"\nmax_rows = 200000\nlabel_horizon = "1h"\nwindow = "10m"\nreference_rows = 20000\n')
    agent = subprocess.Popen([binary, "agent", "--listen", f"127.0.0.1:{PORT}", "--data", f"{folder}/data", "--config", config],
                             stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", PORT)
                connection.request("POST", "/v1/models/ready/labels", b"", {"Content-Type": TYPES["ndjson"]})
                if connection.getresponse().status == 422:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        print(f"{os.cpu_count()} cores, shared by agent and sender")
        if soak:
            steady(agent.pid, soak)
        else:
            measure(agent.pid, "arrow", 2_000_000, 100_000)
            measure(agent.pid, "ndjson", 400_000, 20_000)
    finally:
        agent.terminate()
        agent.wait(20)
