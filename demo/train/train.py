"""Train both digit models and write everything in demo/ that follows from them.

    python demo/train/train.py

Writes demo/models/digits/{1,2}/model.onnx, the held-out scans in demo/images, and the
model card, demo/models/digits/card.json and MODEL_CARD.md.
"""

import hashlib
import json
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from threadpoolctl import threadpool_limits

import classifiers
import model_card
import onnx_graphs
from digits_data import CLASSES, SEED, Split, load_split, to_images
from image_files import read_images, write_images

DEMO = Path(__file__).resolve().parent.parent
IMAGES = DEMO / "images"
MODELS = DEMO / "models" / "digits"

CHECKED_BATCHES = (1, 7, 540)
LOGIT_TOLERANCE = 1e-4
MAX_MODEL_BYTES = 1_000_000

LIBRARIES = ("scikit-learn", "numpy", "scipy", "torch", "onnx", "onnxruntime", "pillow")


def main() -> None:
    training, held_out = load_split()
    write_images(held_out, IMAGES)
    read_back = read_images(IMAGES)
    assert np.array_equal(read_back.pixels, held_out.pixels)
    assert np.array_equal(read_back.labels, held_out.labels)

    train_images, held_out_images = to_images(training.pixels), to_images(read_back.pixels)

    regression = classifiers.fit_logistic_regression(train_images, training.labels)
    export(
        onnx_graphs.logistic_regression_graph(regression),
        model_path("1"),
        held_out_images,
        classifiers.logistic_regression_logits(regression, held_out_images),
    )
    network = classifiers.fit_digit_net(train_images, training.labels)
    export(
        onnx_graphs.digit_net_graph(network),
        model_path("2"),
        held_out_images,
        classifiers.digit_net_logits(network, held_out_images),
    )

    card = build_card(training, read_back)
    (MODELS / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (MODELS / "MODEL_CARD.md").write_text(model_card.render(card), encoding="utf-8")
    for name, facts in card["versions"].items():
        result = facts["held_out"]
        print(f'version {name}: {result["correct"]}/{result["total"]} held-out scans right')


def model_path(name: str) -> Path:
    """Where the ONNX file of a version, "1" or "2", lies."""
    return MODELS / name / "model.onnx"


def export(
    model: onnx.ModelProto, path: Path, images: np.ndarray, trained_logits: np.ndarray
) -> None:
    """Write an ONNX file and assert that it computes what the trained model computes.

    images: float32 [count, 1, 8, 8]; trained_logits: the trained model's own output for
    them, [count, 10].
    """
    onnx_graphs.write(model, path)
    assert path.stat().st_size < MAX_MODEL_BYTES, path
    session = onnx_graphs.open_session(path)
    for batch in CHECKED_BATCHES:
        logits = onnx_graphs.run(session, images[:batch])
        assert logits.shape == (batch, CLASSES) and logits.dtype == np.float32
        np.testing.assert_allclose(logits, trained_logits[:batch], rtol=0, atol=LOGIT_TOLERANCE)
        assert np.array_equal(logits.argmax(axis=1), trained_logits[:batch].argmax(axis=1))


def build_card(training: Split, held_out: Split) -> dict:
    """Gather the facts of the model card, scoring the ONNX files as they lie on disk."""
    versions = {
        "1": {
            "kind": "multinomial logistic regression",
            "training": {
                "summary": "scikit-learn, L2 penalty with C = 1, L-BFGS, on the 64 pixel values.",
            },
        },
        "2": {
            "kind": "small convolutional network",
            "training": {
                "summary": "PyTorch, three 3x3 convolutions and two dense layers, "
                f"{classifiers.EPOCHS} epochs of AdamW with a one-cycle learning rate, dropout, "
                f"and random shifts of up to {classifiers.MAX_SHIFT} pixel.",
                "epochs": classifiers.EPOCHS,
                "batch_size": classifiers.BATCH_SIZE,
                "peak_learning_rate": classifiers.PEAK_LEARNING_RATE,
                "weight_decay": classifiers.WEIGHT_DECAY,
                "dropout": classifiers.DROPOUT,
                "max_shift_pixels": classifiers.MAX_SHIFT,
            },
        },
    }
    right = {}
    for name, facts in versions.items():
        content = model_path(name).read_bytes()
        session = onnx_graphs.open_session(model_path(name))
        predicted = predict(session, held_out)
        right[name] = predicted == held_out.labels
        facts |= {
            "file": f"{name}/model.onnx",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "parameters": count_parameters(onnx.load_from_string(content)),
            "held_out": model_card.score(predicted, held_out.labels),
            "training_set": model_card.score(predict(session, training), training.labels),
        }
    return {
        "model": "digits",
        "data_set": model_card.DATA_SET,
        "seed": SEED,
        "split": {
            "method": "random, stratified by digit",
            "training": len(training.labels),
            "held_out": len(held_out.labels),
        },
        "input": {"name": onnx_graphs.INPUT, "type": "float32", "shape": ["batch", 1, 8, 8]},
        "output": {"name": onnx_graphs.OUTPUT, "type": "float32", "shape": ["batch", CLASSES]},
        "onnx_opset": onnx_graphs.OPSET,
        "made_with": {name: installed_version(name) for name in LIBRARIES},
        "versions": versions,
        "paired_held_out": model_card.compare(right["1"], right["2"]),
    }


def predict(session: onnxruntime.InferenceSession, scans: Split) -> np.ndarray:
    """Return the digit, [count], that the ONNX session gives for each scan."""
    return onnx_graphs.run(session, to_images(scans.pixels)).argmax(axis=1)


def count_parameters(model: onnx.ModelProto) -> int:
    """Count the numbers in the model's weights and biases."""
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
