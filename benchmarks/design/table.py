"""Make the table over starts from the records of recipes/design.yaml.

Run: the commands of the recipe's first comment with --out runs/design, then
     python benchmarks/design/table.py runs/design > table.md
"""

import sys
from pathlib import Path

import numpy as np
from scipy import stats

from softbridge.records.store import read


def start(record):
    """Return a study's way to start, in words."""
    prompt, design = record.recipe["prompt"], record.recipe.get("design")
    return f"design, by {design['choose_by']}" if design else prompt["init"]


def seen(record, which):
    """Return one number a seed: test accuracy, test loss, or validation loss before training."""
    if which == "before":
        return np.array([member["history"][0]["validation"]["loss"] for member in record.members])
    return np.array([member["best"]["test"][which] for member in record.members])


def pairs(records, way, arm, which):
    """Return a way's numbers over targets and seeds, in a fixed order."""
    chosen = sorted((r for r in records if start(r) == way and r.arm == arm), key=lambda r: r.target)
    return np.concatenate([seen(record, which) for record in chosen])


def spread(values):
    """Return mean and standard deviation as text."""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def gain(ours, theirs):
    """Return the mean paired difference with its 95 % interval by Student's t."""
    difference = ours - theirs
    if not difference.any():
        return "–"
    half = stats.t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / len(difference) ** 0.5
    return f"{difference.mean():+.3f} ({difference.mean() - half:+.3f}, {difference.mean() + half:+.3f})"


def table(records, arm):
    """Return the lines of one arm's table."""
    ways, targets = sorted({start(r) for r in records}), sorted({r.target for r in records})
    ways.sort(key=lambda way: way != "vocabulary")
    head = [
        "start",
        *targets,
        "accuracy against vocabulary (95 %)",
        "test loss against vocabulary (95 %)",
        "validation loss at step 0",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for way in ways:
        by_target = {r.target: seen(r, "accuracy") for r in records if start(r) == way and r.arm == arm}
        if set(by_target) != set(targets):
            continue
        cells = [way, *(spread(by_target[target]) for target in targets)]
        cells += [gain(pairs(records, way, arm, w), pairs(records, "vocabulary", arm, w)) for w in ("accuracy", "loss")]
        lines.append("| " + " | ".join([*cells, spread(pairs(records, way, arm, "before"))]) + " |")
    return lines


def main(folders):
    """Print a table for each arm, and the texts that were designed."""
    records = read([Path(folder) for folder in folders])
    for arm in sorted({record.arm for record in records}):
        print(f"\n### {arm}\n")
        print("\n".join(table(records, arm)))
    print("\n### The texts\n")
    texts = {(start(r), seed): text for r in records for seed, text in r.prompt.get("texts", {}).items()}
    print("\n".join(f"- {way}, seed {seed}: {text}" for (way, seed), text in sorted(texts.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
