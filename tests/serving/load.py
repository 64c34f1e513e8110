"""Asks a model server for predictions, by V1, V2 and V2 with packed tensors in turn, and prints what it asked and what it was told: a
JSON line each, `id`, `inputs`, `predictions`.

    python load.py PORT PHASE REQUESTS CLIENTS
"""
import http.client, json, os, random, sys, threading, time

import numpy as np

port, phase, requests, clients = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
printing = threading.Lock()


def v1(rows):
    return "/v1/models/iris:predict", json.dumps({"instances": rows}).encode(), {}, rows


def v2(rows):
    tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}
    return "/v2/models/iris/infer", json.dumps({"inputs": [tensor]}).encode(), {}, rows


def packed(rows):
    values = np.array(rows, dtype=np.float32)
    tensor = {"name": "x", "shape": list(values.shape), "datatype": "FP32",
              "parameters": {"binary_data_size": values.nbytes}}
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in ("predict", "predict_proba")]
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return "/v2/models/iris/infer", head + values.tobytes(), headers, values.astype(float).tolist()


def said(kind, answer, body):
    if kind is v1:
        return json.loads(body)["predictions"]
    length = int(answer.getheader("Inference-Header-Content-Length") or len(body))
    output = json.loads(body[:length])["outputs"][0]
    assert output["name"] == "predict", output
    if "data" in output:
        return output["data"]
    return np.frombuffer(body[length:length + output["parameters"]["binary_data_size"]], dtype=np.int64).tolist()


def client(number):
    draw = random.Random(f"{phase}-{number}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(number, requests, clients):
        kind = (v1, v2, packed)[i % 3]
        rows = [[round(draw.uniform(0.1, 8), 1) for _ in range(4)] for _ in range(1 + i % 2)]
        path, body, headers, rows = kind(rows)
        name = f"{phase}-{i}"
        headers = {"Content-Type": "application/json", **headers, "Ce-Id": name}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)
        with printing:
            print(json.dumps({"id": name, "inputs": rows, "predictions": said(kind, answer, text)}))


def failed(caught):
    sys.__excepthook__(caught.exc_type, caught.exc_value, caught.exc_traceback)
    os._exit(1)


threading.excepthook = failed
begun = time.monotonic()
threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(f"{requests / (time.monotonic() - begun):.0f} predictions/s", file=sys.stderr)
