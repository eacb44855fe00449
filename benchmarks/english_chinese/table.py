"""Make the table over arms and labelled rows from the records of recipes/english_chinese.yaml.

Run: for shots in 8 32; do softbridge run english_chinese --set shots=$shots --out runs/english_chinese; done
     python benchmarks/english_chinese/table.py runs/english_chinese > table.md
"""

import sys
from pathlib import Path

import numpy as np

from softbridge.records.store import read

ARMS = ("no prompt", "reuse", "scratch", "scratch at both budgets", "random", "spot")
UNTRAINED = ARMS[:2]


def accuracies(records, target, arm, shots):
    """Return one test accuracy a seed, and the losses."""
    (record,) = [r for r in records if (r.target, r.arm, r.recipe["shots"]) == (target, arm, shots)]
    best = [member["best"]["test"] for member in record.members]
    return np.array([b["accuracy"] for b in best]), np.array([b["loss"] for b in best])


def cell(values):
    """Return mean and standard deviation as text; one value stands alone."""
    return f"{values.mean():.3f}" + (f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else "")


def main(folders):
    """Print a table for each target: accuracy and loss at 0, 16 and 64 labelled rows."""
    records = read([Path(folder) for folder in folders])
    counts = sorted({record.recipe["shots"] for record in records})
    for target in sorted({record.target for record in records}):
        print(f"\n### {target}\n")
        head = ["arm", "0 rows", *(f"{2 * k} rows" for k in counts), *(f"test loss, {2 * k} rows" for k in counts)]
        print("| " + " | ".join(head) + " |")
        print("|---" * len(head) + "|")
        for arm in ARMS:
            found = [accuracies(records, target, arm, k) for k in counts]
            free = arm in UNTRAINED
            cells = [cell(found[0][0]) if free else "–", *("–" if free else cell(a) for a, _ in found)]
            losses = [cell(loss) for _, loss in found]
            print("| " + " | ".join([arm, *cells, *losses]) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
