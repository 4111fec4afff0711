"""The held-out scans as PNG files: writing them with their labels, and reading them back."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from digits_data import Split

README = """# Held-out digits

{count} handwritten digits as 8x8 pixel, 8-bit greyscale PNG files in their original size,
`{first}` to `{last}`. They are the scans held out from training of the two models
in `../models/digits`: neither model has seen them. `labels.json` gives the digit that each
one shows, in order.

- Source: the data set *Optical Recognition of Handwritten Digits*, as bundled with
  scikit-learn (`sklearn.datasets.load_digits`, 1,797 scans).
- Attribution: E. Alpaydin and C. Kaynak (1998), *Optical Recognition of Handwritten Digits*,
  UCI Machine Learning Repository, <https://doi.org/10.24432/C50P49>.
- Licence: Creative Commons Attribution 4.0 International (CC BY 4.0),
  <https://creativecommons.org/licenses/by/4.0/>. It holds for these files too.
- Changes made: {count} of the scans were chosen (a stratified random 30 %), and each value
  `v`, 0 (no ink) to 16, became the grey pixel `round(v * 255 / 16)`. Ink is bright,
  paper is black.

Written by `../train/train.py`; edit that, not these files.
"""


def write_images(held_out: Split, folder: Path) -> None:
    """Write one PNG per scan, numbered from 0001, with labels.json and README.md."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = {}
    for number, (pixels, label) in enumerate(zip(*held_out), start=1):
        name = f"{number:04d}.png"
        Image.fromarray(pixels).save(folder / name)
        labels[name] = int(label)
    (folder / "labels.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    names = list(labels)
    readme = README.format(count=len(names), first=names[0], last=names[-1])
    (folder / "README.md").write_text(readme, encoding="utf-8")


def read_images(folder: Path) -> Split:
    """Read back the PNG files that labels.json names, in its order."""
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    pixels = []
    for name in labels:
        with Image.open(folder / name) as image:
            assert image.mode == "L" and image.size == (8, 8), name
            pixels.append(np.asarray(image))
    return Split(np.stack(pixels), np.array(list(labels.values()), dtype=np.int64))
