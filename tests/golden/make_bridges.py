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


def weighted(prompts, weights):
    """Return the sum of prompts by weight."""
    return [
        [sum(w * prompt[i][j] for w, prompt in zip(weights, prompts, strict=True)) for j in range(len(prompts[0][0]))]
        for i in range(len(prompts[0]))
    ]


def softmax(values):
    """Return the exponentials' shares."""
    top = max(values)
    raised = [math.exp(v - top) for v in values]
    return [v / sum(raised) for v in raised]


def attention(text, prompts, down, up, gain, shift, heat):
    """Return ATTEMPT's weights of the prompts for one text without padding."""
    seen = [max(column) for column in zip(*text, strict=True)]
    inner = [sum(w * x for w, x in zip(row, seen, strict=True)) for row in down]
    inner = [x / (1 + math.exp(-x)) for x in inner]
    made = [sum(w * x for w, x in zip(row, inner, strict=True)) for row in up]
    mean = sum(made) / len(made)
    variance = sum((x - mean) ** 2 for x in made) / len(made)
    query = [g * (x - mean) / math.sqrt(variance + 1e-5) + b for x, g, b in zip(made, gain, shift, strict=True)]
    keys = [[max(column) for column in zip(*prompt, strict=True)] for prompt in prompts]
    return softmax([sum(k * q for k, q in zip(key, query, strict=True)) / heat for key in keys])


def divergence(teacher, student):
    """Return KL(softmax(teacher) || softmax(student))."""
    p, q = softmax(teacher), softmax(student)
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def likeness(u, v):
    """Return DTVG's similarity of two task vectors."""
    return sum(x * y for a in u for b in v for x, y in zip(a, b, strict=True)) / len(u) ** 2


def dot(u, v):
    """Return the inner product of two vectors."""
    return sum(x * y for x, y in zip(u, v, strict=True))


def solved(matrix, right):
    """Return X with matrix X = right, by Gauss and Jordan with pivots."""
    rows = [list(a) + list(b) for a, b in zip(matrix, right, strict=True)]
    size = len(rows)
    for i in range(size):
        best = max(range(i, size), key=lambda k: abs(rows[k][i]))
        rows[i], rows[best] = rows[best], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(size):
            if k != i:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[size:] for row in rows]


def recycled(prompt, source, target):
    """Return `P Y` with Y = argmin ||E_s Y - E_t||, by the normal equations."""
    columns, wanted = list(zip(*source, strict=True)), list(zip(*target, strict=True))
    maps = solved([[dot(a, b) for b in columns] for a in columns], [[dot(a, b) for b in wanted] for a in columns])
    return [[dot(row, column) for column in zip(*maps, strict=True)] for row in prompt]


def projected(prompt, first, shift, last, end):
    """Return `W2 LeakyReLU(W1 x + b1) + b2` of each token."""
    made = []
    for token in prompt:
        inner = [dot(row, token) + b for row, b in zip(first, shift, strict=True)]
        inner = [x if x > 0 else 0.01 * x for x in inner]
        made.append([dot(row, inner) + b for row, b in zip(last, end, strict=True)])
    return made


def shifted(theirs, bare_theirs, ours, bare_ours, weight, heat):
    """Return POST's loss of one text: the shifts' divergence and the answers', T^2 times each."""
    cool = [[x / heat for x in row] for row in (theirs, bare_theirs, ours, bare_ours)]
    told, bare, said, mine = cool
    moved = divergence(
        [x - y for x, y in zip(told, bare, strict=True)], [x - y for x, y in zip(said, mine, strict=True)]
    )
    return heat**2 * (weight * moved + (1 - weight) * divergence(told, said))


def abroad(draw):
    """Return the cases of the bridges between two models, of widths 6 and 5."""

    def rows(count, width):
        return [[round(draw.gauss(0, 1), 3) for _ in range(width)] for _ in range(count)]

    prompt, source, target = rows(3, 6), rows(20, 6), rows(20, 5)
    first, shift, last, end = rows(4, 6), rows(1, 4)[0], rows(5, 4), rows(1, 5)[0]
    answers = rows(4, 3)
    return {
        "prompt": prompt,
        "words": {"source": source, "target": target},
        "recycle": recycled(prompt, source, target),
        "relative": [[cosine(token, word) for word in source] for token in prompt],
        "net": {"first": first, "shift": shift, "last": last, "end": end},
        "projector": projected(prompt, first, shift, last, end),
        "answers": answers,
        "post": shifted(*answers, weight=0.3, heat=2.0),
    }


def several(draw):
    """Return the mean of one prompt's encodings on two models, of widths 6 and 4, by the words that both share."""

    def rows(count, width):
        return [[round(draw.gauss(0, 1), 3) for _ in range(width)] for _ in range(count)]

    prompts, words = [rows(3, 6), rows(3, 4)], [rows(8, 6), rows(8, 4)]
    names = [[f"w{i}" for i in range(8)], [f"w{i}" for i in reversed(range(3, 11))]]
    shared = [name for name in names[0] if name in names[1]]
    told = [
        [[cosine(token, vectors[known.index(name)]) for name in shared] for token in prompt]
        for prompt, vectors, known in zip(prompts, words, names, strict=True)
    ]
    mean = [[(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in zip(*told, strict=True)]
    return {"prompts": prompts, "words": words, "names": names, "mean": mean}


def product(base, rows, columns):
    """Return `P o (u v^T)`."""
    return [[x * u * v for x, v in zip(row, columns, strict=True)] for row, u in zip(base, rows, strict=True)]


def multitask(draw):
    """Return the case of MPT: two tasks' products of one prompt, the mean one, and one row's distillation."""

    def vector(size):
        return [round(draw.gauss(1, 0.3), 3) for _ in range(size)]

    base, rows, columns = [vector(6) for _ in range(4)], [vector(4), vector(4)], [vector(6), vector(6)]
    means = [[(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in (rows, columns)]
    told, said, theirs, ours = vector(3), vector(3), vector(6), vector(6)
    far = sum((a - b) ** 2 for a, b in zip(theirs, ours, strict=True)) / dot(theirs, theirs)
    return {
        "base": base,
        "rows": rows,
        "columns": columns,
        "products": [product(base, *pair) for pair in zip(rows, columns, strict=True)],
        "start": product(base, *means),
        "scores": [told, said],
        "states": [theirs, ours],
        "term": 0.9 * (divergence(told, said) + far),
    }


def sums(sources, fresh, target):
    """Return where the bridges that sum prompts start."""
    minus = [weighted([prompt, fresh], [1, -1]) for prompt in sources.values()]
    close = {name: max(0.0, per_token(prompt, target)) for name, prompt in sources.items()}
    first = sorted(close, key=lambda name: -close[name])[:2]
    shares = [close[name] / sum(close[n] for n in first) for name in first]
    own = weighted([target, fresh], [1, -1])
    return {
        "arithmetic": weighted([fresh, *minus], [1, 0.5, -0.5, 0.5]),
        "average": weighted([sources[name] for name in first], shares),
        "likeness": [likeness(own, vector) for vector in minus],
    }


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
    text, heat = prompt(), 2.5
    down, up = prompt()[:3], [row[:3] for row in prompt()[:3] + prompt()[:3]]
    gain, shift = prompt()[0], prompt()[0]
    query = {"text": text, "down": down, "up": up, "gain": gain, "shift": shift, "heat": heat}
    case |= sums(sources, fresh, target)
    case["attempt"] = query | {"weights": attention(text, list(sources.values()), down, up, gain, shift, heat)}
    case["divergence"] = {"teacher": text[0], "student": text[1], "value": divergence(text[0], text[1])}
    case["abroad"] = abroad(draw)
    case["mpt"] = multitask(draw)
    case["several"] = several(draw)
    Path(__file__).with_name("bridges.json").write_text(json.dumps(case) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
