#!/usr/bin/env python3
"""How many predictions a second the agent takes as KServe's events, a request and a response each, from the first byte sent to the
last acknowledgement, and until all are stored: 20 columns, as V2 (one tensor; twenty tensors; one packed tensor) and as V1. Two
connections, on which events are sent without waiting for the answer to the one before (32 deep), so that it is the agent that is
measured and not the sender. An event that is not accepted ends it.

    python3 benches/kserve.py [binary] [pairs of each kind]
"""
import http.client, json, os, socket, struct, subprocess, sys, tempfile, threading, time

binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/plumbline"
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
PORT, DEPTH, COLUMNS = 9497, 32, 20
values = [round(i * 0.37 % 7, 2) for i in range(COLUMNS)]
V2_SAID = json.dumps({"model_name": "m", "id": "x", "outputs": [
    {"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [1]},
    {"name": "predict_proba", "shape": [1, 2], "datatype": "FP64", "data": [0.25, 0.75]}]}).encode()
head = json.dumps({"inputs": [{"name": "x", "shape": [1, COLUMNS], "datatype": "FP32",
                               "parameters": {"binary_data_size": 4 * COLUMNS}}]}).encode()
KINDS = {
    "V2, one tensor": (json.dumps({"inputs": [
        {"name": "x", "shape": [1, COLUMNS], "datatype": "FP64", "data": values}]}).encode(), V2_SAID),
    "V2, twenty tensors": (json.dumps({"inputs": [
        {"name": f"x{i}", "shape": [1], "datatype": "FP64", "data": [v]} for i, v in enumerate(values)]}).encode(), V2_SAID),
    "V2, packed": (head + struct.pack(f"<{COLUMNS}f", *values), V2_SAID),
    "V1": (json.dumps({"instances": [values]}).encode(), b'{"predictions": [1]}'),
}
ID = b"0" * 12


def event(half, model, body):
    return (f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Ce-Specversion: 1.0\r\nCe-Id: {ID.decode()}\r\nCe-Type: org.kubeflow.serving.inference.{half}\r\n"
            f"Ce-Source: http://pod-1/\r\nCe-Time: {time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.07Z\r\n"
            f"Ce-Inferenceservicename: {model}\r\nCe-Namespace: bench\r\nCe-Component: predictor\r\nCe-Endpoint: \r\n"
            "Ce-Metadata: {}\r\n\r\n").encode() + body


def health():
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/healthz")
    return json.loads(connection.getresponse().read())


def client(pair, first, pairs):
    sender = socket.create_connection(("127.0.0.1", PORT))
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(first, first + pairs, DEPTH // 2):
        count = min(DEPTH // 2, first + pairs - at)
        sender.sendall(b"".join(pair.replace(ID, b"%012d" % (at + i)) for i in range(count)))
        answers, text = 0, b""
        while answers < 2 * count:
            text += sender.recv(1 << 16)
            answers = text.count(b'"errors":[]}')
            assert b'"rejected":1' not in text and text, text
    sender.close()


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid, number, kind, asked, said):
    model = f"bench-{number}"
    pair = event("request", model, asked) + event("response", model, said)
    before = (health()["events"] or {"rows": 0})["rows"]
    begun, used = time.monotonic(), cpu(pid)
    half = PAIRS // 2
    clients = [threading.Thread(target=client, args=(pair, i * half, half)) for i in range(2)]
    [c.start() for c in clients]
    [c.join() for c in clients]
    seconds = time.monotonic() - begun
    while (now := health()["events"])["rows"] < before + 2 * half:
        assert now["dropped"] == now["rejected_rows"] == 0 and not now["rejected"], now
        time.sleep(0.05)
    stored = time.monotonic() - begun
    resident = next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS:"))
    print(f"{kind}: {2 * half:,} pairs in {seconds:.2f} s: {2 * half / seconds:,.0f} pairs/s; all stored after {stored:.2f} s; "
          f"{(cpu(pid) - used) / (2 * half) * 1e6:.0f} us of CPU a pair; resident {resident:.0f} MiB", flush=True)


with tempfile.TemporaryDirectory() as folder:
    agent = subprocess.Popen([binary, "agent", "--listen", f"127.0.0.1:{PORT}", "--data", f"{folder}/data"],
                             stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", PORT)
                connection.request("POST", "/v1/models/ready/labels", b"", {"Content-Type": "application/x-ndjson"})
                if connection.getresponse().status == 422:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        print(f"{os.cpu_count()} cores, shared by agent and sender")
        for number, (kind, (asked, said)) in enumerate(KINDS.items()):
            measure(agent.pid, number, kind, asked, said)
    finally:
        agent.terminate()
        agent.wait(20)
