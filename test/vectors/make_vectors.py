"""Makes murmur3.json, assignment.json and divisions.json from the contract's text alone, sharing no code with Signalbox.

MurmurHash3_x86_32 is the package mmh3, which wraps Austin Appleby's own C++; the rest follows the contract, section
"Assignment, hashVersion 1", word by word. The files are frozen: a difference means that units of running experiments
would move, so mend the code and never the file.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install mmh3==5.3.1
    /tmp/vectors/bin/python test/vectors/make_vectors.py
"""

import json
import math
from pathlib import Path

import mmh3

HERE = Path(__file__).parent
TWO_TO_32 = 2**32


def murmur3(data: bytes, seed: int = 0) -> int:
    return mmh3.hash(data, seed, signed=False)


def fmix32(h: int) -> int:
    """The finaliser, from SMHasher's MurmurHash3.cpp."""
    h ^= h >> 16
    h = h * 0x85EBCA6B % TWO_TO_32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % TWO_TO_32
    return h ^ (h >> 16)


def unmix32(h: int) -> int:
    """The inverse of the finaliser."""
    h ^= h >> 16
    h = h * pow(0xC2B2AE35, -1, TWO_TO_32) % TWO_TO_32
    h ^= h >> 13 ^ h >> 26
    h = h * pow(0x85EBCA6B, -1, TWO_TO_32) % TWO_TO_32
    return h ^ (h >> 16)


def score(h: int, name: str, weight: int) -> float:
    u = fmix32(h ^ murmur3(name.encode()))
    return -math.log2((u + 1) / TWO_TO_32) / weight


def assign(h: int, variants: list[tuple[str, int]]) -> str:
    return min((score(h, name, weight), name) for name, weight in variants if weight > 0)[1]


def is_covered(seed: str, unit: str, coverage: float) -> bool:
    return murmur3(f"{seed}:coverage:{unit}".encode()) / TWO_TO_32 < coverage


# The table in Wikipedia's article "MurmurHash", which has it from SMHasher.
WIKIPEDIA = [
    ("", 0, 0x00000000),
    ("", 1, 0x514E28B7),
    ("", 0xFFFFFFFF, 0x81F16F39),
    ("test", 0, 0xBA6BD213),
    ("test", 0x9747B28C, 0x704B81DC),
    ("Hello, world!", 0, 0xC0363E43),
    ("Hello, world!", 0x9747B28C, 0x24884CBA),
    ("The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723),
    ("The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
]

# Ian Boyd's answer to "MurmurHash3 Test Vectors", https://stackoverflow.com/a/31929528.
STACK_OVERFLOW = [
    ("", 0, 0x00000000),
    ("", 1, 0x514E28B7),
    ("", 0xFFFFFFFF, 0x81F16F39),
    ("ffffffff", 0, 0x76293B50),
    ("21436587", 0, 0xF55B516B),
    ("21436587", 0x5082EDEE, 0x2362F9DE),
    ("214365", 0, 0x7E4A8634),
    ("2143", 0, 0xA0F7B07A),
    ("21", 0, 0x72661CF4),
    ("00000000", 0, 0x2362F9DE),
    ("000000", 0, 0x85F0B427),
    ("0000", 0, 0x30F4C306),
    ("00", 0, 0x514E28B7),
]

SEEDS = [0, 1, 42, 0x7FFFFFFF, 0x80000000, 0x9747B28C, 0xFFFFFFFF]

TEXTS = [
    *("123456789"[:length] for length in range(10)),
    "digits-cnn:user-1",
    "Zürich",
    "ß",
    "naïve café",
    "用户-42",
    "пользователь",
    "مستخدم",
    "👩‍🔬",
    "🙂🙃",
    "a\u0000b",
    "\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff",
    # Both sides of 1,024 bytes, the size of Signalbox's scratch buffer, in code units and in bytes.
    *("x" * length for length in (341, 342, 1023, 1024, 1025)),
    *("用" * length for length in (340, 341, 342, 343)),
    *("🙂" * length for length in (170, 171, 255, 256, 257)),
]

UNITS = [
    *(f"user-{number}" for number in range(1, 13)),
    "0",
    "a",
    "alice@example.com",
    "3f1c6a52-8d9a-4b57-9a3e-0c7a51d3b9e1",
    "unit with spaces",
    "a:b",
    "Zürich",
    "用户-42",
    "👩‍🔬",
    "x" * 400,
]

# Seed, and variants in the order of their file, which must not matter.
EXPERIMENTS = [
    ("digits-cnn", [("v1", 90), ("v2", 10)]),
    ("digits-cnn", [("v1", 80), ("v2", 20)]),
    ("another-seed", [("v2", 10), ("v1", 90)]),
    ("fifty-fifty", [("treatment", 50), ("control", 50)]),
    ("off", [("v1", 1), ("v2", 0)]),
    ("three", [("b", 1), ("a", 1), ("c", 1)]),
    ("three:with:colons", [("resnet50-fp16", 600), ("resnet50-fp32", 300), ("resnet_101.v2", 100)]),
    ("samen-größe-種", [("A", 5), ("a", 3), ("Z9", 2), ("0", 7)]),
    ("lopsided", [("v1", 1_000_000), ("v2", 1), ("v3", 0), ("v4", 1000)]),
    ("seven", [(f"v{number}", number) for number in range(7)]),
    ("ten", [(f"model-{number}", 10) for number in range(10)]),
    ("ten-mixed", [(f"m.{number}_x", 10 * number % 37) for number in range(10)]),
]

COVERAGES = [0, 0.001, 0.1, 0.5, 0.9, 1]


def colliding_names() -> tuple[str, str]:
    """Two names of one hash, the greater first: with equal weights every unit is a tie."""
    seen: dict[int, str] = {}
    number = 0
    while True:
        name = f"v{number}"
        other = seen.setdefault(murmur3(name.encode()), name)
        if other != name:
            return max(name, other), min(name, other)
        number += 1


def extremes() -> list[tuple[int, list[tuple[str, int]]]]:
    """Hashes at which v1 draws the least and the greatest number there is, and weights that tell u + 1 from u and u + 2."""
    least, greatest = (unmix32(u) ^ murmur3(b"v1") for u in (0, TWO_TO_32 - 1))
    assert score(least, "v1", 1) == 32 and score(greatest, "v1", 1) == 0
    # v1 scores 32 millionths; without the 1 it would score infinity, with a 2 in its place 31.
    above, below = (round(score(least, "v2", 1) / (millionths / 1e6)) for millionths in (32.5, 31.5))
    return [
        (least, [("v1", 1_000_000), ("v2", above)]),
        (least, [("v1", 1_000_000), ("v2", below)]),
        (greatest, [("v1", 1), ("v2", 1_000_000)]),
    ]


def write(file: str, lists: dict[str, list[dict]]) -> None:
    """One vector a line, so that a difference can be read."""
    parts = []
    for name, rows in lists.items():
        lines = ",\n".join("    " + json.dumps(row, ensure_ascii=True) for row in rows)
        parts.append(f'  "{name}": [\n{lines}\n  ]')
    (HERE / file).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main() -> None:
    for text, seed, expected in WIKIPEDIA:
        assert murmur3(text.encode(), seed) == expected
    for data, seed, expected in STACK_OVERFLOW:
        assert murmur3(bytes.fromhex(data), seed) == expected
    write(
        "murmur3.json",
        {
            "wikipedia": [{"text": text, "seed": seed, "hash": h} for text, seed, h in WIKIPEDIA],
            "stackOverflow": [{"hex": data, "seed": seed, "hash": h} for data, seed, h in STACK_OVERFLOW],
            "texts": [
                {"text": text, "seed": seed, "hash": murmur3(text.encode(), seed)}
                for text in TEXTS
                for seed in SEEDS
            ],
        },
    )

    ties = [(f"tie-{number}", [(name, 50) for name in colliding_names()]) for number in range(3)]
    write(
        "assignment.json",
        {
            "assignment": [
                {
                    "seed": seed,
                    "unit": unit,
                    "variants": [{"name": name, "weight": weight} for name, weight in variants],
                    "hash": murmur3(f"{seed}:{unit}".encode()),
                    "winner": assign(murmur3(f"{seed}:{unit}".encode()), variants),
                }
                for seed, variants in [*EXPERIMENTS, *ties]
                for unit in UNITS
            ],
            "extremes": [
                {
                    "hash": h,
                    "variants": [{"name": name, "weight": weight} for name, weight in variants],
                    "winner": assign(h, variants),
                }
                for h, variants in extremes()
            ],
            "coverage": [
                {
                    "seed": seed,
                    "unit": unit,
                    "coverage": coverage,
                    "hash": murmur3(f"{seed}:coverage:{unit}".encode()),
                    "covered": is_covered(seed, unit, coverage),
                }
                for seed in ("digits-cnn", "another-seed", "samen-größe-種")
                for unit in UNITS
                for coverage in COVERAGES
            ],
        },
    )

    # Who is in a part of a namespace, in a percentage of an attribute, in a holdout: docs/experiments.md, "The hashes".
    ranges = [(0.0, 0.25), (0.25, 0.5), (0.5, 1.0)]
    write(
        "divisions.json",
        {
            kind: [
                {"name": name, "unit": unit, "from": start, "to": end, "within": start <= share < end}
                for name in ("ranking", "größe")
                for unit in UNITS
                for share in [murmur3(f"{prefix}{name}:{unit}".encode()) / TWO_TO_32]
                for start, end in ranges
            ]
            for kind, prefix in (("namespace", "namespace:"), ("percentage", "percentage:"), ("holdout", ""))
        },
    )


main()
