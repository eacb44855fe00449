"""Make the table over learning rates from the records of recipes/prompts/rates.yaml: validation loss, nothing of test.

Run: for each kind `softbridge run recipes/prompts/rates.yaml --set prompt.kind=KIND --out runs/rates/KIND`, then
     python benchmarks/prompts/rates.py runs/rates/*
"""

import statistics
import sys
from pathlib import Path

from softbridge.records.store import read


def main(folders):
    """Print the table, each kind's least loss in bold."""
    losses = {}
    for record in read([Path(folder) for folder in folders]):
        seen = [member["best"]["validation"]["loss"] for member in record.members]
        losses.setdefault(record.prompt["kind"], {})[float(record.arm)] = seen
    rates = sorted({rate for found in losses.values() for rate in found})
    print(f"| prompt | {' | '.join(f'{rate:g}' for rate in rates)} |")
    print("|---" * (len(rates) + 1) + "|")
    for kind, found in sorted(losses.items()):
        means = {rate: statistics.mean(seen) for rate, seen in found.items()}
        cells = [f"{means[rate]:.3f} ± {statistics.stdev(found[rate]):.3f}" if rate in found else "" for rate in rates]
        least = min(means, key=means.get)
        cells = [f"**{cell}**" if rate == least else cell for rate, cell in zip(rates, cells, strict=True)]
        print(f"| {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
