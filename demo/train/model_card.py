"""The model card: the facts (card.json) and the page rendered from them (MODEL_CARD.md)."""

import math
from collections.abc import Iterable

import numpy as np
from scipy.stats import binomtest

DATA_SET = {
    "name": "Optical Recognition of Handwritten Digits",
    "authors": "E. Alpaydin and C. Kaynak",
    "year": 1998,
    "publisher": "UCI Machine Learning Repository",
    "doi": "10.24432/C50P49",
    "licence": "CC-BY-4.0",
    "obtained_from": "sklearn.datasets.load_digits",
    "scans": 1797,
    "writers": 13,
    "changes": "split at random; each value v in 0..16 became the grey pixel round(v * 255 / 16)",
}


def score(predicted: np.ndarray, labels: np.ndarray) -> dict:
    """Summarise predictions, [count] digits, against the true labels, [count] digits.

    `accuracy_95` is the Wilson score interval. `per_digit` has a row for each digit, and
    `confusions` one for each (true, predicted) pair that occurred, commonest first.
    """
    correct, total = int(np.sum(predicted == labels)), len(labels)
    wrong = predicted != labels
    pairs, counts = np.unique(
        np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    confusions = [
        {"true": int(true), "predicted": int(answer), "count": int(count)}
        for (true, answer), count in zip(pairs, counts)
    ]
    return {
        "correct": correct,
        "total": total,
        "accuracy": round(correct / total, 6),
        "accuracy_95": [round(bound, 6) for bound in wilson_interval(correct, total)],
        "per_digit": [
            {
                "digit": digit,
                "total": int(np.sum(labels == digit)),
                "wrong": int(np.sum(wrong & (labels == digit))),
            }
            for digit in np.unique(labels).tolist()
        ],
        "confusions": sorted(confusions, key=lambda row: -row["count"]),
    }


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion, as (lower, upper) in 0..1."""
    z = 1.959963984540054
    share = correct / total
    centre = share + z * z / (2 * total)
    margin = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (centre - margin) / scale, (centre + margin) / scale


def compare(right_1: np.ndarray, right_2: np.ndarray) -> dict:
    """Compare both versions on the same scans, given where each is right, bool [count].

    `mcnemar_exact_p` is the two-sided exact McNemar test: how likely so lopsided a tally of
    the scans that only one version gets right would be if both were equally good.
    """
    only_1, only_2 = int(np.sum(right_1 & ~right_2)), int(np.sum(right_2 & ~right_1))
    return {
        "total": len(right_1),
        "both_correct": int(np.sum(right_1 & right_2)),
        "only_1_correct": only_1,
        "only_2_correct": only_2,
        "both_wrong": int(np.sum(~right_1 & ~right_2)),
        "mcnemar_exact_p": round(float(binomtest(only_1, only_1 + only_2).pvalue), 6),
    }


def render(card: dict) -> str:
    """Render MODEL_CARD.md from the facts in card.json."""
    data, split, versions = card["data_set"], card["split"], card["versions"]
    paired = card["paired_held_out"]
    return f"""# Model card: digits

Two classifiers of single handwritten digits, version 1 the baseline and version 2 its
challenger. They exist to show an A/B test between two real models of different quality.
This page is rendered from `card.json` by `../../train/train.py`; edit that, not this page.

| | {_cells(f"version {name}" for name in versions)} |
| --- |{" --- |" * len(versions)}
| kind | {_cells(v["kind"] for v in versions.values())} |
| parameters | {_cells(f'{v["parameters"]:,}' for v in versions.values())} |
| file size | {_cells(f'{v["bytes"]:,} bytes' for v in versions.values())} |
| held-out accuracy | {_cells(_percent(v["held_out"]) for v in versions.values())} |
| 95 % interval (Wilson) | {_cells(_interval(v["held_out"]) for v in versions.values())} |
| training accuracy | {_cells(_percent(v["training_set"]) for v in versions.values())} |

On the same {paired["total"]} held-out scans, both versions are right on {paired["both_correct"]}, only version 1 on
{paired["only_1_correct"]}, only version 2 on {paired["only_2_correct"]}, and neither on {paired["both_wrong"]} \
(exact McNemar test: p = {paired["mcnemar_exact_p"]:.3f}).

## Intended use

Demonstrating and testing a model gateway: routing, shadowing and comparing two versions of a
model on small inputs. Not for reading digits in earnest, and not for any decision about people.

## Interface

- Input `{card["input"]["name"]}`: {card["input"]["type"]} `[{_shape(card["input"])}]`, \
grey pixel / 255. Ink is bright, paper is 0.
- Output `{card["output"]["name"]}`: {card["output"]["type"]} `[{_shape(card["output"])}]`, \
raw scores (before softmax) of the digits 0 to 9. The largest is the prediction.
- ONNX opset {card["onnx_opset"]}, one file for each version, free batch size.

## Data

*{data["name"]}*, {data["authors"]} ({data["year"]}),
{data["publisher"]}, <https://doi.org/{data["doi"]}>, under Creative Commons
Attribution 4.0 International (<https://creativecommons.org/licenses/by/4.0/>): {data["scans"]:,} scans
of 8x8 values 0 to 16, as bundled with scikit-learn (the test part of the original set). Changes
made here: {data["changes"]}.

The split is random, stratified by digit and the same for both versions (seed {card["seed"]}):
{split["training"]:,} scans for training, {split["held_out"]} held out. The held-out scans are
the PNG files in `../../images`; the held-out accuracies above were taken by reading those files back
and running the ONNX files on them with onnxruntime.

## Method

- Version 1: {versions["1"]["training"]["summary"]}
- Version 2: {versions["2"]["training"]["summary"]}

The number of epochs was fixed after cross-validation within the training scans
(`../../train/cross_validate.py`). The held-out scans had no part in any choice.

Made with {", ".join(f"{name} {version}" for name, version in card["made_with"].items())}.

## Errors on the held-out scans

| digit | scans | {_cells(f"wrong, version {name}" for name in versions)} |
| --- | --- |{" --- |" * len(versions)}
{_per_digit_rows(versions)}

{_confusion_lines(versions)}

## Limitations

- Small and old data: {data["scans"]:,} tiny scans, written by {data["writers"]} people in the 1990s. A photograph,
  another pen, a digit that is not centred or does not fill the 8x8 frame, or dark ink on bright
  paper (inverted) is outside of what the models know.
- The split is by scan, because the source does not say who wrote which scan. So the same people
  almost surely wrote scans on both sides: expect lower accuracy on the writing of anyone else.
- With {split["held_out"]} held-out scans the accuracies are uncertain by the intervals above.
- There is no "not a digit" answer: any input gets one of the ten, often with a confident score.
  The scores are not calibrated.
"""


def _cells(values: Iterable[str]) -> str:
    return " | ".join(values)


def _percent(result: dict) -> str:
    return f'{result["accuracy"]:.2%} ({result["correct"]:,} of {result["total"]:,})'


def _interval(result: dict) -> str:
    lower, upper = result["accuracy_95"]
    return f"{lower:.2%} to {upper:.2%}"


def _shape(tensor: dict) -> str:
    return ", ".join(str(size) for size in tensor["shape"])


def _per_digit_rows(versions: dict) -> str:
    per_version = [version["held_out"]["per_digit"] for version in versions.values()]
    return "\n".join(
        f'| {rows[0]["digit"]} | {rows[0]["total"]} | {_cells(str(r["wrong"]) for r in rows)} |'
        for rows in zip(*per_version)
    )


def _confusion_lines(versions: dict) -> str:
    lines = []
    for name, version in versions.items():
        pairs = ", ".join(
            f'{row["true"]} as {row["predicted"]} ({row["count"]})'
            for row in version["held_out"]["confusions"]
        )
        lines.append(f"Version {name} took, with counts: {pairs}.")
    return "\n\n".join(lines)
