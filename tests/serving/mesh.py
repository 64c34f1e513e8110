"""A model behind KServe's own server over gRPC, asked over gRPC; what was asked and said is posted as ModelMesh posts it to TrustyAI, and
training data and ground truth are uploaded as to TrustyAI. Tells what was served, and TrustyAI's figures of it by scipy and NumPy.

    python mesh.py GRPC_PORT URL NAMESPACE
"""
import base64
import json
import multiprocessing
import sys
import time
import urllib.request

import grpc
import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression

ROWS, EACH = 400, 4


def made(seed: int, rows: int, shift: float):
    random = np.random.default_rng(seed)
    sex = random.choice(["m", "f"], rows)
    amount = random.normal(10 + shift, 3, rows)
    paid = (amount + 2 * (sex == "m") + random.normal(0, 2, rows) > 11).astype(int)
    return amount, sex, paid


def trained():
    amount, sex, paid = made(1, 1000, 0)
    return LogisticRegression().fit(np.column_stack([amount, sex == "m"]), paid)


class Loans(Model):
    def load(self):
        self.model = trained()
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        given = {given.name: given.as_numpy() for given in payload.inputs}
        is_man = np.array([text in (b"m", "m") for text in given["sex"]])
        found = self.model.predict(np.column_stack([given["amount"], is_man]))
        said = InferOutput("predict", [len(found)], "INT64")
        said.set_data_from_numpy(found, binary_data=False)
        return InferResponse(payload.id, self.name, [said])


def serve(port: int) -> None:
    model = Loans("loans")
    model.load()
    ModelServer(http_port=port + 1, grpc_port=port, enable_grpc=True, workers=1).start([model])


def post(url: str, body: dict) -> str:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.status != 200:
            raise SystemExit(f"{url}: {answer.status}")
        return answer.read().decode()


def tensors(amount, sex, said, ids=None) -> dict:
    rows = len(amount)
    first = {"name": "amount", "shape": [rows], "datatype": "FP64", "data": list(map(float, amount))}
    if ids:
        first["execution_ids"] = ids
    second = {"name": "sex", "shape": [rows], "datatype": "BYTES", "data": list(map(str, sex))}
    output = {"name": "predict", "shape": [rows, 1], "datatype": "INT64", "data": [[int(v)] for v in said]}
    return {"request": {"inputs": [first, second]}, "response": {"outputs": [output]}}


def main() -> None:
    port, url, namespace = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    amount, sex, paid = made(1, 1000, 0)
    believed = trained().predict(np.column_stack([amount, sex == "m"]))
    at = f"?namespace={namespace}"
    training = {"model_name": "loans", "data_tag": "TRAINING", **tensors(amount, sex, believed)}
    told = post(f"{url}/data/upload{at}", training)

    stub = GRPCInferenceServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    for _ in range(300):
        try:
            if stub.ServerReady(messages.ServerReadyRequest()).ready:
                break
        except grpc.RpcError:
            time.sleep(0.2)
    now, who, truth = made(2, ROWS, 1)
    ids, said = [], []
    for turn, first in enumerate(range(0, ROWS, EACH)):
        part = slice(first, first + EACH)
        asked = [InferInput("amount", [EACH], "FP64"), InferInput("sex", [EACH], "BYTES")]
        asked[0].set_data_from_numpy(now[part], binary_data=turn % 2 == 0)
        asked[1].set_data_from_numpy(who[part].astype(object), binary_data=turn % 2 == 0)
        request = InferRequest(model_name="loans", infer_inputs=asked, request_id=f"q{turn}").to_grpc()
        response = stub.ModelInfer(request)
        said += list(InferResponse.from_grpc(response).outputs[0].as_numpy())
        ids += [f"p{turn}#{row}" for row in range(EACH)]
        halves = [("request", request, ""), ("response", response, "OK")]
        # In either order.
        for kind, message, status in halves if turn % 3 else reversed(halves):
            data = base64.b64encode(message.SerializeToString()).decode()
            body = {"id": f"p{turn}", "modelid": "loans__isvc-1a2b3c", "vModelId": "loans", "kind": kind, "data": data,
                    "status": status, "metadata": {"content-type": "application/grpc"}}
            post(f"{url}/consumer/kserve/v2{at}", body)
    failed = {"id": "failed", "modelid": "loans__isvc-1a2b3c", "kind": "response", "data": "", "status": "UNAVAILABLE"}
    post(f"{url}/consumer/kserve/v2{at}", failed)
    # Rows made of halves wait for others for a tenth of a second; truths come after them.
    time.sleep(2)
    truths = {"model_name": "loans", "is_ground_truth": True, **tensors(now, who, truth, ids)}
    post(f"{url}/data/upload{at}", truths)

    said = np.array(said)
    man, woman = said[who == "m"].mean(), said[who == "f"].mean()
    print(json.dumps({
        "told": told, "accuracy": float((said == truth).mean()), "spd": float(woman - man), "dir": float(woman / man),
        "kstest": float(ks_2samp(amount, now).statistic),
    }))
    server.terminate()


if __name__ == "__main__":
    main()
