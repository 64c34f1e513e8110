"""A model server as KServe runs it: its own Python server, and a classifier of scikit-learn that is trained here.

    python model.py PORT
"""
import sys

from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


class Iris(Model):
    def load(self):
        self.model = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, dict):
            return {"predictions": self.model.predict(payload["instances"]).tolist()}
        rows = payload.inputs[0].as_numpy()
        label = InferOutput("predict", [len(rows)], "INT64")
        label.set_data_from_numpy(self.model.predict(rows), binary_data=payload.use_binary_outputs)
        sure = InferOutput("predict_proba", [len(rows), 3], "FP64")
        sure.set_data_from_numpy(self.model.predict_proba(rows), binary_data=payload.use_binary_outputs)
        return InferResponse(payload.id or generate_uuid(), self.name, [label, sure], use_binary_outputs=payload.use_binary_outputs,
                             requested_outputs=payload.request_outputs)


model = Iris("iris")
model.load()
ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, enable_latency_logging=False).start([model])
