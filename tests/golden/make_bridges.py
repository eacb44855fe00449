"""Make bridges.json: where each bridge starts, by plain loops over its formula.

Run: python tests/golden/make_bridges.py
It imports nothing of softbridge, so that the numbers are a second opinion. Random draws are given, not drawn.
"""

import json
import math
import random
from pathlib import Path


def norm(row):
    """Return a vector's length."""
    return math.sqrt(sum(x * x for x in row))


def cosine(u, v):
    """Return the cosine of two vectors."""
    return sum(x * y for x, y in zip(u, v, strict=True)) / (norm(u) * norm(v))


def per_token(a, b):
    """Return the mean cosine over all pairs."""
    return sum(cosine(u, v) for u in a for v in b) / (len(a) * len(b))


def of_means(a, b):
    """Return the cosine of the two mean vectors."""
    return cosine(*([sum(c) / len(rows) for c in zip(*rows, strict=True)] for rows in (a, b)))


def matched(noise, source):
    """Return the noise with each vector brought to its source vector's length."""
    return [[x * norm(s) / norm(z) for x in z] for z, s in zip(noise, source, strict=True)]


def main():
    """Write the case beside this script."""
    draw = random.Random(20221107)

    def prompt():
        return [[round(draw.gauss(0.1, 1.0), 3) for _ in range(6)] for _ in range(4)]

    sources = {"movies": prompt(), "news": prompt(), "tweets": prompt()}
    fresh, noise = prompt(), prompt()
    mixed = zip(sources["tweets"], prompt(), strict=True)
    target = [[round(0.4 * x + 0.6 * y, 3) for x, y in zip(*pair, strict=True)] for pair in mixed]
    case = {
        "sources": sources,
        "fresh": fresh,
        "noise": noise,
        "target": target,
        "scratch": fresh,
        "reuse": sources["movies"],
        "random": matched(noise, sources["movies"]),
        "spot": {
            "per_token_cosine": max(sources, key=lambda name: per_token(sources[name], target)),
            "cosine_of_means": max(sources, key=lambda name: of_means(sources[name], target)),
        },
    }
    Path(__file__).with_name("bridges.json").write_text(json.dumps(case) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
