"""Make pretraining.json: L_pre in both forms and both normalisations, and every objective's loss, number by number.

Run: python tests/golden/make_pretraining.py
It imports nothing of softbridge and no torch, so that the numbers are a second opinion.
"""

import json
import math
import random
from pathlib import Path


def log_softmax(scores):
    """Return the log-probabilities of a list of scores."""
    total = math.log(sum(math.exp(score) for score in scores))
    return [score - total for score in scores]


def surprise(logits, told):
    """Return -1/T sum_t log p(y_t): next tokens, masked tokens, and the tokens of a span alike."""
    return -sum(log_softmax(scores)[token] for scores, token in zip(logits, told, strict=True)) / len(told)


def cosine(a, b):
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def contrast(views, others, temperature):
    """Return SimCSE's loss of each row (Gao et al. 2021, equation 1)."""
    found = []
    for i, view in enumerate(views):
        scores = [cosine(view, other) / temperature for other in others]
        found.append(-log_softmax(scores)[i])
    return found


def semi(logits, labels, normalise):
    """Return L_pre where some rows have no label (-1): they add 0 to the sum, and count in N or do not."""
    losses = [-log_softmax(scores)[y] if y >= 0 else 0.0 for scores, y in zip(logits, labels, strict=True)]
    count = len(labels) if normalise == "all" else sum(y >= 0 for y in labels)
    return sum(losses) / count


def main():
    """Write the cases beside this script."""
    draw = random.Random(20220522)

    def matrix(rows, columns):
        return [[round(draw.gauss(0, 2), 4) for _ in range(columns)] for _ in range(rows)]

    texts = []
    for asked in (1, 4, 9):
        logits = matrix(asked, 11)
        told = [draw.randrange(11) for _ in range(asked)]
        texts.append({"logits": logits, "told": told, "loss": surprise(logits, told)})
    views, others = matrix(5, 6), matrix(5, 6)
    logits, labels = matrix(8, 3), [2, -1, 0, -1, -1, 1, -1, -1]
    cases = {
        "texts": texts,
        "self-supervised": sum(text["loss"] for text in texts) / len(texts),
        "contrast": {"views": views, "others": others, "temperature": 0.5, "losses": contrast(views, others, 0.5)},
        "semi": {
            "logits": logits,
            "labels": labels,
            **{normalise: semi(logits, labels, normalise) for normalise in ("all", "labelled")},
        },
    }
    Path(__file__).with_name("pretraining.json").write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
