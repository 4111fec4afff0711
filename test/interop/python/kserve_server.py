"""A real KServe model server, with the digits in an ONNX Runtime of its own.

Arguments: the model's file, the port for HTTP.
"""

import sys

import numpy as np
import onnxruntime
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid


class Digits(Model):
    def __init__(self, file: str):
        super().__init__("digits")
        self.file = file
        self.load()

    def load(self) -> bool:
        self.session = onnxruntime.InferenceSession(self.file, providers=["CPUExecutionProvider"])
        self.ready = True
        return self.ready

    async def get_input_types(self):
        return [{"name": i.name, "datatype": "FP32", "shape": [-1, 1, 8, 8]} for i in self.session.get_inputs()]

    async def get_output_types(self):
        return [{"name": o.name, "datatype": "FP32", "shape": [-1, 10]} for o in self.session.get_outputs()]

    async def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        tensors = {tensor.name: tensor.as_numpy().astype(np.float32) for tensor in payload.inputs}
        outputs = []
        for described, value in zip(self.session.get_outputs(), self.session.run(None, tensors)):
            output = InferOutput(described.name, list(value.shape), "FP32")
            output.set_data_from_numpy(value, binary_data=False)
            outputs.append(output)
        return InferResponse(payload.id or generate_uuid(), self.name, outputs)


class OnLoopback(uvicorn.Config):
    """KServe listens on all addresses and has no setting for it, but only the port on this one is the test's."""

    def __init__(self, app, host: str, **options):
        super().__init__(app, host="127.0.0.1", **options)


uvicorn.Config = OnLoopback
model_file, port = sys.argv[1:3]
ModelServer(http_port=int(port), enable_grpc=False, workers=1).start([Digits(model_file)])
