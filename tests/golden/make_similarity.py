"""Make similarity.json and likeness.json: the measures of similarity by plain loops over their definitions.

Run: python tests/golden/make_similarity.py
It imports nothing of softbridge, so that the numbers are a second opinion.
"""

import json
import math
import random
from pathlib import Path


def cosine(u, v):
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(u, v, strict=True))
    return dot / (math.sqrt(sum(x * x for x in u)) * math.sqrt(sum(y * y for y in v)))


def mean(rows):
    """Return the mean of vectors."""
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def per_token(a, b):
    """Return the mean cosine over all pairs, one pair at a time."""
    return sum(cosine(u, v) for u in a for v in b) / (len(a) * len(b))


def distance(u, v):
    """Return the Euclidean distance."""
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(u, v, strict=True)))


def others(a, b):
    """Return the measures of Su et al.; those that go place by place only for prompts of one length."""
    pairs = [distance(u, v) for u in a for v in b]
    found = {"euclidean_per_token": 1 / (1 + sum(pairs) / len(pairs))}
    if len(a) == len(b):
        u, v = [x for row in a for x in row], [x for row in b for x in row]
        found |= {"flattened_cosine": cosine(u, v), "euclidean": 1 / (1 + distance(u, v))}
    return found


def overlap(a, b):
    """Return how alike the sets of neurons are that are on in two lists of layers."""
    ours, theirs = ({(k, f) for k, layer in enumerate(x) for f, v in enumerate(layer) if v > 0} for x in (a, b))
    return len(ours & theirs) / math.sqrt(len(ours) * len(theirs))


def over_rows(rows, power):
    """Return the mean over rows of each element of a gradient to a power."""
    flat = [[x**power for token in row for x in token] for row in rows]
    return mean(flat)


def gradients(a, b):
    """Return the measures of two domains' gradients, given row by row."""
    ours, theirs = over_rows(a, 2), over_rows(b, 2)
    shares = [(x / (x + y), y / (x + y)) for x, y in zip(ours, theirs, strict=True)]
    return {
        "gradient_cosine": cosine(over_rows(a, 1), over_rows(b, 1)),
        "fisher_cosine": cosine(ours, theirs),
        "task2vec_cosine": cosine(*zip(*shares, strict=True)),
    }


def prompt(draw, length, width, shift):
    """Return a prompt of rounded numbers, which JSON keeps exactly."""
    return [[round(draw.gauss(shift, 1.0), 3) for _ in range(width)] for _ in range(length)]


def main():
    """Write the cases beside this script."""
    draw = random.Random(20220522)
    cases = []
    for p, q, width, shift in [(1, 1, 3, 0.0), (4, 4, 6, 0.0), (5, 2, 8, 0.5), (20, 20, 16, -0.2), (3, 7, 5, 2.0)]:
        a, b = prompt(draw, p, width, shift), prompt(draw, q, width, shift)
        expected = {"cosine_of_means": cosine(mean(a), mean(b)), "per_token_cosine": per_token(a, b), **others(a, b)}
        cases.append({"a": a, "b": b, **expected})
    Path(__file__).with_name("similarity.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")
    views = []
    for layers, neurons, rows, more in [(1, 4, 1, 1), (2, 9, 3, 5), (6, 16, 8, 2)]:
        on = [prompt(draw, layers, neurons, 0.3) for _ in range(2)]
        moved = [[prompt(draw, 3, 4, shift) for _ in range(n)] for n, shift in ((rows, 0.2), (more, 0.0))]
        views.append({"neurons": on, "neuron_overlap": overlap(*on), "gradients": moved, **gradients(*moved)})
    Path(__file__).with_name("likeness.json").write_text(json.dumps(views) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
