"""Write the last step of the demo's ensemble: logits in, the digit's label and its probability out.

    python demo/train/label_model.py

Nothing in it is trained. Writes demo/ensembles/digit-label/1/model.onnx from the labels in
demo/models/digits/labels.txt; the same labels give the same bytes.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

DEMO = Path(__file__).resolve().parent.parent
LABELS = DEMO / "models" / "digits" / "labels.txt"
TARGET = DEMO / "ensembles" / "digit-label" / "1" / "model.onnx"

OPSET = 17
IR_VERSION = 8  # the file format version that goes with opset 17


def label_graph(labels: list[str]) -> onnx.ModelProto:
    """Express "the best class by its label, and its softmax" in ONNX.

    Input `logits`, float32 [batch, classes]; outputs `label`, string [batch, 1], and
    `probability`, float32 [batch, 1].
    """
    classes = len(labels)
    graph = helper.make_graph(
        [
            helper.make_node("ArgMax", ["logits"], ["best"], axis=1, keepdims=1),
            helper.make_node("Gather", ["labels", "best"], ["label"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            helper.make_node("ReduceMax", ["probabilities"], ["probability"], axes=[1], keepdims=1),
        ],
        name="digit-label",
        inputs=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        outputs=[
            helper.make_tensor_value_info("label", TensorProto.STRING, ["batch", 1]),
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", 1]),
        ],
        initializer=[
            helper.make_tensor(
                "labels", TensorProto.STRING, [classes], [label.encode() for label in labels]
            )
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="signalbox-demo-train",
        model_version=1,
        doc_string="The label of the best of a row's scores, and its softmax probability.",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    labels = LABELS.read_text(encoding="utf-8").split()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(label_graph(labels).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
