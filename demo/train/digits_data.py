"""The digits: loading, 8-bit quantisation, and the fixed train / held-out split.

Three representations of one scan occur in this folder:

* scan:   integers 0..16, shape [8, 8], as the UCI set publishes them (amount of ink);
* pixels: uint8 0..255, shape [8, 8], `round(scan * 255 / 16)`, what the PNG files hold;
* image:  float32 0..1, shape [1, 8, 8], `pixels / 255`, what both models take.

Models are trained on images that went through the 8-bit step, so a PNG sent to a
served model yields exactly the numbers the model was trained on.
"""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20240917
CLASSES = 10
HELD_OUT_FRACTION = 0.30


class Split(NamedTuple):
    """One side of the split, in the order of the source data set.

    pixels: uint8 [count, 8, 8]; labels: int64 [count], the digit 0..9.
    """

    pixels: np.ndarray
    labels: np.ndarray


def load_split() -> tuple[Split, Split]:
    """Return (training, held_out): a stratified 70/30 split, the same for every model."""
    digits = load_digits()
    pixels = quantise(digits.images)
    labels = digits.target.astype(np.int64)
    train_rows, held_out_rows = train_test_split(
        np.arange(len(labels)),
        test_size=HELD_OUT_FRACTION,
        stratify=labels,
        random_state=SEED,
    )
    train_rows.sort()
    held_out_rows.sort()
    return (
        Split(pixels[train_rows], labels[train_rows]),
        Split(pixels[held_out_rows], labels[held_out_rows]),
    )


def quantise(scans: np.ndarray) -> np.ndarray:
    """Turn scan values 0..16 into 8-bit grey pixels 0..255 (same shape, 0 is no ink)."""
    return np.rint(scans * 255 / 16).astype(np.uint8)


def to_images(pixels: np.ndarray) -> np.ndarray:
    """Turn pixels, uint8 [count, 8, 8], into model input, float32 [count, 1, 8, 8], 0..1."""
    return (pixels.astype(np.float32) / np.float32(255))[:, np.newaxis]
