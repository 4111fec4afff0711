"""Writing the trained models as ONNX graphs, and running ONNX files.

The graphs are put together node by node from the trained weights. That keeps them
small and readable, and, with nothing in them that depends on time or place, the same
weights always give the same file bytes.

Both graphs have one input `image`, float32 [batch, 1, 8, 8], and one output `logits`,
float32 [batch, 10], where `batch` is free.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from classifiers import DigitNet
from digits_data import CLASSES

OPSET = 17
IR_VERSION = 8  # the file format version that goes with opset 17
INPUT = "image"
OUTPUT = "logits"


def logistic_regression_graph(model: LogisticRegression) -> onnx.ModelProto:
    """Express fitted logistic regression in ONNX: logits = pixels . weights + bias."""
    return _model(
        version=1,
        description="Multinomial logistic regression on the 64 pixel values of an 8x8 digit.",
        nodes=[
            helper.make_node("Flatten", [INPUT], ["pixels"], name="flatten", axis=1),
            helper.make_node(
                "Gemm", ["pixels", "weight", "bias"], [OUTPUT], name="scores", transB=1
            ),
        ],
        weights={"weight": model.coef_, "bias": model.intercept_},
    )


def digit_net_graph(model: DigitNet) -> onnx.ModelProto:
    """Express a trained DigitNet in ONNX; dropout, idle when predicting, is left out."""
    return _model(
        version=2,
        description="Small convolutional network for an 8x8 digit: "
        "three 3x3 convolutions with max pooling, then two dense layers.",
        nodes=[
            *_convolution("conv1", INPUT, "conv1.out"),
            *_convolution("conv2", "conv1.out", "conv2.out"),
            _max_pool("pool1", "conv2.out", "pool1.out"),
            *_convolution("conv3", "pool1.out", "conv3.out"),
            _max_pool("pool2", "conv3.out", "pool2.out"),
            helper.make_node("Flatten", ["pool2.out"], ["features"], name="flatten", axis=1),
            _dense("dense1", "features", "dense1.sum"),
            helper.make_node("Relu", ["dense1.sum"], ["dense1.out"], name="dense1.relu"),
            _dense("dense2", "dense1.out", OUTPUT),
        ],
        weights={name: value.numpy() for name, value in model.state_dict().items()},
    )


def _convolution(layer: str, source: str, target: str) -> list[NodeProto]:
    """A 3x3 convolution that keeps height and width, followed by ReLU."""
    return [
        helper.make_node(
            "Conv",
            [source, f"{layer}.weight", f"{layer}.bias"],
            [f"{layer}.sum"],
            name=layer,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        helper.make_node("Relu", [f"{layer}.sum"], [target], name=f"{layer}.relu"),
    ]


def _max_pool(name: str, source: str, target: str) -> NodeProto:
    """2x2 max pooling that halves height and width."""
    return helper.make_node(
        "MaxPool", [source], [target], name=name, kernel_shape=[2, 2], strides=[2, 2]
    )


def _dense(layer: str, source: str, target: str) -> NodeProto:
    """A dense layer whose weights have PyTorch's shape, [outputs, inputs]."""
    return helper.make_node(
        "Gemm", [source, f"{layer}.weight", f"{layer}.bias"], [target], name=layer, transB=1
    )


def _model(
    version: int,
    description: str,
    nodes: list[NodeProto],
    weights: dict[str, np.ndarray],
) -> onnx.ModelProto:
    """Wrap nodes and float32 copies of the weights into a checked model with metadata."""
    graph = helper.make_graph(
        nodes,
        name=f"digits-{version}",
        inputs=[helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", 1, 8, 8])],
        outputs=[helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", CLASSES])],
        initializer=[
            numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name)
            for name, value in weights.items()
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="signalbox-demo-train",
        model_version=version,
        doc_string=f"{description} Input: grey pixel / 255, 0 is no ink. "
        "Output: one raw score per digit 0..9. Trained on the UCI set 'Optical Recognition "
        "of Handwritten Digits' (E. Alpaydin and C. Kaynak, 1998, doi 10.24432/C50P49, "
        "CC BY 4.0). A demonstration model; see MODEL_CARD.md.",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """Write the model as one self-contained file with reproducible bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Run images, float32 [batch, 1, 8, 8], and return logits, float32 [batch, 10]."""
    (logits,) = session.run([OUTPUT], {INPUT: images})
    return logits
