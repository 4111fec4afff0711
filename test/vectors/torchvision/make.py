"""Makes the photographs, the network, and what torchvision and PyTorch make of them, with no code of Signalbox.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install -r test/vectors/torchvision/requirements.txt
    /tmp/vectors/bin/python test/vectors/torchvision/make.py photos network vectors

`vectors --into FOLDER` writes cases.json and tensors.bin.gz there instead, from the photographs that are here; it needs neither
scikit-image nor onnx. README.md beside this file says what is what.
"""

import argparse
import gzip
import json
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

HERE = Path(__file__).parent
PHOTOS = HERE / "photos"

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
#: What the network takes: 64x64 pixels.
FOR_NETWORK = {"resize": 72, "crop": 64, **IMAGENET}
CLASSES = 40
EXIF_ORIENTATION = 0x0112


def make_photos() -> None:
    import skimage.data

    PHOTOS.mkdir(exist_ok=True)
    astronaut = Image.fromarray(skimage.data.astronaut())
    cat = Image.fromarray(skimage.data.chelsea())
    coffee = Image.fromarray(skimage.data.coffee())
    folder = Path(skimage.data.__file__).parent

    def save(image: Image.Image, name: str, **options) -> None:
        image.save(PHOTOS / name, **options)

    (PHOTOS / "rocket.jpg").write_bytes((folder / "rocket.jpg").read_bytes())
    save(astronaut.crop((90, 0, 391, 333)), "astronaut-q95.jpg", quality=95)
    save(astronaut.crop((90, 0, 391, 333)), "astronaut-q10.jpg", quality=10)
    save(cat, "cat-q30.jpg", quality=30)
    save(coffee.crop((101, 50, 500, 317)), "coffee-q75.jpg", quality=75)
    save(coffee.crop((101, 50, 500, 317)), "coffee-444.jpg", quality=75, subsampling=0)
    save(coffee.crop((101, 50, 500, 317)), "coffee-422.jpg", quality=75, subsampling=1)
    save(coffee.crop((101, 50, 500, 317)), "coffee-progressive.jpg", quality=75, progressive=True)
    save(coffee.crop((101, 50, 300, 187)), "coffee.webp", quality=80)
    small = cat.crop((100, 20, 251, 121))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        save(small, f"cat-orientation-{orientation}.jpg", quality=85, exif=exif)
    save(astronaut.crop((150, 20, 321, 201)).convert("L"), "astronaut-gray.jpg", quality=85)
    save(coffee.crop((101, 50, 300, 187)).convert("CMYK"), "coffee-cmyk.jpg", quality=85)
    transparent = small.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(small.size))
    save(transparent, "cat-rgba.png")
    save(transparent.convert("LA"), "cat-gray-alpha.png")
    save(small.quantize(64), "cat-palette.png")
    save(cat.crop((0, 100, 401, 113)), "cat-sliver.png")
    save(cat.crop((150, 60, 181, 87)), "cat-tiny.jpg", quality=90)


class Network(nn.Sequential):
    """A small convolutional classifier with weights from a fixed seed; its logits spread over some tens."""

    def __init__(self) -> None:
        torch.manual_seed(20261122)
        super().__init__(
            nn.Conv2d(3, 12, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 48, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(48 * 4 * 4, CLASSES),
        )
        with torch.no_grad():
            for layer in self:
                if isinstance(layer, nn.Conv2d):
                    layer.weight *= 3
            self[-1].weight *= 10
        self.eval()


def make_network() -> None:
    import onnx

    file = HERE / "network.onnx"
    torch.onnx.export(
        Network(),
        (torch.zeros(2, 3, 64, 64),),
        file,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
    )
    # The exporter writes down where in which source file each node came from.
    model = onnx.load(file)
    for part in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info]:
        del part.metadata_props[:]
    onnx.save(model, file)


def pipeline(image: dict) -> transforms.Compose:
    steps = []
    if "resize" in image:
        mode = InterpolationMode(image.get("interpolation", "bilinear"))
        steps.append(transforms.Resize(image["resize"], interpolation=mode))
    if "crop" in image:
        steps.append(transforms.CenterCrop(image["crop"]))
    steps.append(transforms.ToTensor())
    if "mean" in image:
        steps.append(transforms.Normalize(image["mean"], image["std"]))
    return transforms.Compose(steps)


def cases() -> list[dict]:
    every = sorted(path.name for path in PHOTOS.iterdir())
    for_network = [{"file": name, "image": FOR_NETWORK} for name in every]
    others = []

    def case(file: str, **image) -> None:
        others.append({"file": file, "image": image})

    for name in ["astronaut-q95.jpg", "cat-sliver.png", "cat-tiny.jpg", "coffee-q75.jpg"]:
        for interpolation in ["bicubic", "nearest"]:
            case(name, resize=72, crop=64, interpolation=interpolation, **IMAGENET)
        for interpolation in ["bilinear", "bicubic", "nearest"]:
            case(name, resize=[53, 47], interpolation=interpolation)
            # Enlarged, most of them.
            case(name, resize=[350, 431], crop=[40, 63], interpolation=interpolation)
    # The shorter side is the crop's, less than the crop's (it is padded), and kept.
    case("cat-q30.jpg", resize=64, crop=64)
    case("cat-q30.jpg", resize=50, crop=[75, 64])
    case("cat-tiny.jpg", crop=[64, 20])
    case("rocket.jpg", resize=256, crop=224, **IMAGENET)
    for name in ["coffee-q75.jpg", "astronaut-gray.jpg"]:
        case(name, color="gray", resize=72, crop=64, mean=[0.5], std=[0.25])
    return for_network + others


def make_vectors(into: Path) -> None:
    network = Network()
    written = []
    tensors = []
    offset = 0
    for case in cases():
        photo = ImageOps.exif_transpose(Image.open(PHOTOS / case["file"]))
        colour = "L" if case["image"].get("color") == "gray" else "RGB"
        tensor = pipeline(case["image"])(photo.convert(colour))
        made = {**case, "shape": list(tensor.shape), "offset": offset}
        if case["image"] == FOR_NETWORK:
            with torch.no_grad():
                logits = network(tensor.unsqueeze(0))[0]
            made["logits"] = [float(logit) for logit in logits]
            made["top5"] = torch.topk(logits, 5).indices.tolist()
        written.append(made)
        tensors.append(tensor.contiguous().numpy().astype("<f4").tobytes())
        offset += tensor.numel()
    # A line a case: the file is read by people too, when a case fails.
    lines = ",\n".join(f"  {json.dumps(case)}" for case in written)
    (into / "cases.json").write_text(f"[\n{lines}\n]\n")
    (into / "tensors.bin.gz").write_bytes(gzip.compress(b"".join(tensors), 9, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=["photos", "network", "vectors"])
    parser.add_argument("--into", type=Path, default=HERE)
    arguments = parser.parse_args()
    if "photos" in arguments.what:
        make_photos()
    if "network" in arguments.what:
        make_network()
    if "vectors" in arguments.what:
        make_vectors(arguments.into)


if __name__ == "__main__":
    main()
