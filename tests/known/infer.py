"""Writes infer.json beside this script: requests and responses of the V2 protocol over gRPC as KServe's own messages write them, and what
they hold, for `ingest::events::grpc` to read the same.

    python infer.py

Made with kserve 0.21.0, protobuf 6.33.6 and Python 3.11.
"""

import base64
import json
from pathlib import Path

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse

HERE = Path(__file__).parent

# Of each type: the field of its contents, NumPy's type, and values at its ends.
TYPES = {
    "BOOL": ("bool_contents", "?", [True, False, True, True]),
    "INT8": ("int_contents", "i1", [-128, 127, 0, -1]),
    "INT16": ("int_contents", "<i2", [-32768, 32767, 0, -1]),
    "INT32": ("int_contents", "<i4", [-(2**31), 2**31 - 1, 0, -1]),
    "INT64": ("int64_contents", "<i8", [-(2**63), 2**63 - 1, 0, -1]),
    "UINT8": ("uint_contents", "u1", [0, 255, 1, 2]),
    "UINT16": ("uint_contents", "<u2", [0, 65535, 1, 2]),
    "UINT32": ("uint_contents", "<u4", [0, 2**32 - 1, 1, 2]),
    "UINT64": ("uint64_contents", "<u8", [0, 2**64 - 1, 1, 2]),
    "FP32": ("fp32_contents", "<f4", [6.5, -2.25, 0.0, 1e30]),
    "FP64": ("fp64_contents", "<f8", [6.1, -2.2, 0.0, 1e300]),
}


def plain(values: list, of: str) -> list:
    """As JSON has them; singles as the doubles that they are."""
    return [float(np.float32(v)) if of == "FP32" else v for v in values]


def case(name: str, message, tensors: list, **more) -> dict:
    half = "request" if isinstance(message, ModelInferRequest) else "response"
    data = base64.b64encode(message.SerializeToString(deterministic=True)).decode()
    return {"name": name, "half": half, "data": data, "tensors": tensors, **more}


def typed() -> list:
    made = []
    for of, (field, _, values) in TYPES.items():
        for kind in (ModelInferRequest, ModelInferResponse):
            message = kind(model_name="m", id="r-1")
            tensors = message.inputs if kind is ModelInferRequest else message.outputs
            tensor = tensors.add(name="x", datatype=of, shape=[2, 2])
            getattr(tensor.contents, field).extend(values)
            told = [{"name": "x", "datatype": of, "shape": [2, 2], "values": plain(values, of)}]
            made.append(case(f"typed {of}", message, told, id="r-1"))
    message = ModelInferRequest(model_name="m")
    tensor = message.inputs.add(name="t", datatype="BYTES", shape=[3])
    tensor.contents.bytes_contents.extend(["ä".encode(), b"", b"plain"])
    told = [{"name": "t", "datatype": "BYTES", "shape": [3], "values": ["ä", "", "plain"]}]
    return [*made, case("typed BYTES", message, told)]


def raw() -> list:
    request, response, told = ModelInferRequest(id="r-2"), ModelInferResponse(id="r-2", model_version="7"), []
    for of, (_, dtype, values) in TYPES.items():
        for message, tensors, contents in (
            (request, request.inputs, request.raw_input_contents),
            (response, response.outputs, response.raw_output_contents),
        ):
            tensors.add(name=of.lower(), datatype=of, shape=[4])
            contents.append(np.array(values, dtype=dtype).tobytes())
        told.append({"name": of.lower(), "datatype": of, "shape": [4], "values": plain(values, of)})
    request.inputs.add(name="half", datatype="FP16", shape=[2, 1])
    request.raw_input_contents.append(np.array([1.0, -2.5], dtype="<f2").tobytes())
    half = {"name": "half", "datatype": "FP16", "shape": [2, 1], "values": [1.0, -2.5]}
    return [
        case("raw request", request, [*told, half], id="r-2"),
        case("raw response", response, told, id="r-2", version="7"),
    ]


def parameters() -> list:
    message = ModelInferRequest(model_name="m")
    message.parameters["flag"].bool_param = True
    message.parameters["number"].int64_param = -7
    message.parameters["text"].string_param = "order 7"
    message.inputs.add(name="x", datatype="INT64", shape=[1]).contents.int64_contents.append(3)
    message.outputs.add(name="wanted")
    told = [{"name": "x", "datatype": "INT64", "shape": [1], "values": [3]}]
    given = {"flag": True, "number": -7, "text": "order 7"}
    return [case("parameters", message, told, parameters=given)]


def made_by_kserve() -> list:
    """What KServe's model server and its client make of arrays."""
    rows = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)
    values = [float(v) for v in rows.reshape(-1)]
    found = []
    for is_raw in (False, True):
        ask = InferInput(name="input-0", shape=[2, 4], datatype="FP32")
        ask.set_data_from_numpy(rows, binary_data=is_raw)
        request = InferRequest(model_name="iris", infer_inputs=[ask], request_id="k-1").to_grpc()
        say = InferOutput(name="predict", shape=[2], datatype="INT64")
        say.set_data_from_numpy(np.array([1, 2]), binary_data=is_raw)
        response = InferResponse("k-1", "iris", [say]).to_grpc()
        asked = [{"name": "input-0", "datatype": "FP32", "shape": [2, 4], "values": values}]
        said = [{"name": "predict", "datatype": "INT64", "shape": [2], "values": [1, 2]}]
        found += [case(f"kserve raw={is_raw}", request, asked, id="k-1"), case(f"kserve raw={is_raw}", response, said, id="k-1")]
    return found


def main() -> None:
    cases = [*typed(), *raw(), *parameters(), *made_by_kserve()]
    (HERE / "infer.json").write_text(json.dumps({"cases": cases}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
