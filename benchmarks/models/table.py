"""Make the table over bridges between two models from a study's records.

Run: softbridge run models --out runs/models
     python benchmarks/models/table.py runs/models > table.md
"""

import statistics
import sys
from pathlib import Path

from softbridge.records.store import read

NATIVE, BARE = "native", "no prompt"


def accuracies(records):
    """Return the test accuracy of each arm, target and seed, at the checkpoint that validation chose."""
    return {
        (record.arm, record.target, member["seed"]): member["best"]["test"]["accuracy"]
        for record in records
        for member in record.members
    }


def cell(values):
    """Return mean and standard deviation as text."""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def main(folders):
    """Print the table."""
    records = read([Path(folder) for folder in folders])
    found = accuracies(records)
    arms, targets = (dict.fromkeys(getattr(r, name) for r in records) for name in ("arm", "target"))
    seeds = sorted({seed for arm, _, seed in found if arm == NATIVE})

    def scores(arm, target):
        return [found[arm, target, seed] for seed in seeds if (arm, target, seed) in found]

    def mean(arm):
        return statistics.mean(statistics.mean(scores(arm, target)) for target in targets)

    print(f"| arm | {' | '.join(targets)} | mean | recovery | share of the gain | above no prompt |")
    print("|---" * (len(targets) + 5) + "|")
    for arm in sorted(arms, key=lambda name: -mean(name)):
        cells = [(statistics.mean(scores(arm, t)), statistics.mean(scores(BARE, t))) for t in targets]
        recovery = statistics.mean(
            statistics.mean(scores(arm, t)) / statistics.mean(scores(NATIVE, t)) for t in targets
        )
        share = (mean(arm) - mean(BARE)) / (mean(NATIVE) - mean(BARE))
        above = f"{sum(ours > bare for ours, bare in cells)} of {len(cells)}" if arm != BARE else "–"
        row = [cell(scores(arm, t)) for t in targets]
        print(f"| {arm} | {' | '.join(row)} | {mean(arm):.3f} | {recovery:.0%} | {share:+.0%} | {above} |")


if __name__ == "__main__":
    main(sys.argv[1:])
