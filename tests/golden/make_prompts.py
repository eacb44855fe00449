"""Make prompts.json: what each kind of prompt stands for, from given parameters, by plain loops over its formula.

Run: python tests/golden/make_prompts.py
It imports nothing of softbridge, so that the numbers are a second opinion.
"""

import json
import math
import random
from pathlib import Path

P, H, R = 3, 4, 2


def matrix(draw, rows, columns):
    """Return rounded numbers, which JSON keeps exactly."""
    return [[round(draw.gauss(0.0, 1.0), 3) for _ in range(columns)] for _ in range(rows)]


def product(a, b):
    """Return the matrix product."""
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def plus(a, b):
    """Return the sum."""
    return [[x + y for x, y in zip(u, v, strict=True)] for u, v in zip(a, b, strict=True)]


def relu(a):
    """Return the positive part."""
    return [[max(x, 0.0) for x in row] for row in a]


def norm(row):
    """Return a row with mean 0 and variance 1, as LayerNorm does."""
    mean = sum(row) / len(row)
    variance = sum((x - mean) ** 2 for x in row) / len(row)
    return [(x - mean) / math.sqrt(variance + 1e-5) for x in row]


def main():
    """Write the cases beside this script."""
    draw = random.Random(20230503)
    tokens, down, up = matrix(draw, P, H), matrix(draw, H, R), matrix(draw, R, H)
    network = product(relu(product(tokens, down)), up)
    left, right = matrix(draw, P, R), matrix(draw, R, H)
    rows, columns = matrix(draw, 1, P)[0], matrix(draw, 1, H)[0]
    weights, basis = matrix(draw, P, 5), matrix(draw, 5, H)
    places, width = matrix(draw, 6, R), matrix(draw, R, H)
    cases = {
        "residual": {
            "given": {"tokens": tokens, "down": [down], "up": [up]},
            "tokens": plus(tokens, network),
            "normed": plus(tokens, [norm(row) for row in network]),
        },
        "low_rank": {"given": {"left": left, "right": right}, "tokens": product(left, right)},
        "decomposed": {
            "given": {"shared": tokens, "rows": rows, "columns": columns},
            "tokens": [
                [x * u * v for x, v in zip(row, columns, strict=True)] for row, u in zip(tokens, rows, strict=True)
            ],
        },
        "superposition": {"given": {"weights": weights, "basis": basis}, "tokens": product(weights, basis)},
        "dept": {
            "given": {"tokens": tokens, "left": places, "right": width},
            "offset": [[x / math.sqrt(R) for x in row] for row in product(places, width)],
        },
    }
    Path(__file__).with_name("prompts.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
